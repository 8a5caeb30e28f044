/**
 * A dictionary of JSON values that lives in Redis. Every change, however deep, is one atomic operation on the
 * server; nothing is cached, nothing else in the value is touched, nothing is lost.
 *
 * @example Write, change and read
 * ```ts
 * import { RedisJsonDict } from "@json-dict/redis";
 * import { assertEquals } from "@std/assert";
 *
 * interface Lab {
 *   sample: { color: string; positions: number[] };
 *   scan_id: number;
 * }
 *
 * await using lab = RedisJsonDict.connect<Lab>("redis://localhost:6379", { prefix: "doc:mod:" });
 * await lab.set("sample", { color: "red", positions: [1] });
 * await lab.at("sample", "color").set("blue");
 * await lab.at((lab) => lab.sample.positions).push(2, 3);
 * assertEquals(await lab.get("sample"), { color: "blue", positions: [1, 2, 3] });
 * await lab.clear();
 * ```
 *
 * @module
 */

// The dictionary
export {
  type Change,
  type ConnectOptions,
  type Entry,
  type ExpiryOptions,
  type GetOptions,
  type Key,
  type KeysOptions,
  type OptionsFor,
  RedisJsonDict,
  type RedisJsonDictClass,
  type ReplaceOptions,
  type SetOptions,
} from "./src/api/dict.ts";
export type { TlsOptions } from "./src/run/open.ts";
export type { CallOptions } from "./src/run/cancellation.ts";
export type { RedisClient } from "./src/run/client.ts";
export type { CloseOptions, Delivery, DictOptions } from "./src/run/options.ts";
export type {
  HoldsJson,
  Json,
  JsonMember,
  JsonMembers,
  JsonType,
  NotJson,
  OnlyJson,
  PlainJson,
} from "./src/data/json.ts";

// Places inside a value
export type {
  AnyRef,
  ArrayRef,
  BooleanRef,
  CompareOptions,
  ContainerOf,
  ContainerRef,
  ElementOf,
  Has,
  LengthRef,
  NumberOf,
  NumberRef,
  ObjectRef,
  Ref,
  StringRef,
  WriteOptions,
} from "./src/api/ref.ts";
export type { AnyPath, At, AtPath, KeyOf, Path, PathOf, Segment } from "./src/data/path.ts";
export type { Selected, Selection } from "./src/data/selector.ts";

// Plain code: edits and live documents
export type { Draft, DraftOf } from "./src/draft/draft.ts";
export type {
  DictEditOptions,
  EditOptions,
  IsSynchronous,
  NotSynchronous,
  Synchronous,
} from "./src/api/edit.ts";
export type { Live } from "./src/api/live.ts";

// Watching
export type { DictWatchOptions, Ready, Watch, WatchOptions } from "./src/api/feed.ts";

// Patches
export type { MergePatch, PatchOperation } from "./src/api/patch.ts";

// What goes over the wire
export type {
  AddOp,
  AppendOp,
  CopyOp,
  DeleteOp,
  ExistsOp,
  ExpireOp,
  FreshOp,
  Group,
  IncrementOp,
  KeysOp,
  LengthOp,
  Op,
  PersistOp,
  PickOp,
  PopOp,
  PushOp,
  PutOp,
  SetOp,
  SpliceOp,
  TestOp,
  ToggleOp,
  TypeOp,
} from "./src/data/op.ts";

// Errors
export {
  AmbiguousResultError,
  type AmbiguousResultErrorData,
  CrossSlotError,
  type CrossSlotErrorData,
  DurabilityError,
  type DurabilityErrorData,
  TimeoutError,
  type TimeoutErrorData,
  UnavailableError,
  type UnavailableErrorData,
  type Verdict,
} from "./src/errors/delivery.ts";
export { ConflictError, type ConflictErrorData, PatchError, type PatchErrorData } from "./src/errors/edit.ts";
export {
  CorruptValueError,
  type CorruptValueErrorData,
  IndexOutOfRangeError,
  type IndexOutOfRangeErrorData,
  KeyNotFoundError,
  LimitError,
  type LimitErrorData,
  NumberRangeError,
  type NumberRangeErrorData,
  PathNotFoundError,
  type PathNotFoundErrorData,
  TypeMismatchError,
  type TypeMismatchErrorData,
  WrongTypeError,
  type WrongTypeErrorData,
} from "./src/errors/value.ts";
export { JsonDictError, type JsonDictErrorData } from "./src/errors/error.ts";
