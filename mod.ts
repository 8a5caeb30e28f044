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
  type CloseOptions,
  type DictOptions,
  type Entry,
  type Key,
  RedisJsonDict,
  type SetOptions,
} from "./src/dict.ts";
export type { RedisClient } from "./src/client.ts";
export type { Delivery } from "./src/store.ts";
export type { Json } from "./src/json.ts";

// Places inside a value
export type {
  AnyRef,
  ArrayRef,
  BooleanRef,
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
} from "./src/ref.ts";
export type { At, KeyOf, Path, Segment, Selected, Selection } from "./src/path.ts";

// Plain code: edits and live documents
export type { Draft } from "./src/draft.ts";
export type { DictEditOptions, EditOptions } from "./src/edit.ts";
export type { Live } from "./src/live.ts";

// Watching
export type { DictWatchOptions, Ready, Watch, WatchOptions } from "./src/feed.ts";

// Patches
export type { MergePatch, PatchOperation } from "./src/patch.ts";

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
  PopOp,
  PushOp,
  SetOp,
  SpliceOp,
  TestOp,
  ToggleOp,
  TypeOp,
} from "./src/op.ts";

// Errors
export {
  AmbiguousResultError,
  type AmbiguousResultErrorData,
  ConflictError,
  type ConflictErrorData,
  CorruptValueError,
  type CorruptValueErrorData,
  CrossSlotError,
  type CrossSlotErrorData,
  DurabilityError,
  type DurabilityErrorData,
  IndexOutOfRangeError,
  type IndexOutOfRangeErrorData,
  JsonDictError,
  type JsonDictErrorData,
  type JsonType,
  KeyNotFoundError,
  LimitError,
  type LimitErrorData,
  NumberRangeError,
  type NumberRangeErrorData,
  PatchError,
  type PatchErrorData,
  PathNotFoundError,
  type PathNotFoundErrorData,
  TimeoutError,
  type TimeoutErrorData,
  TypeMismatchError,
  type TypeMismatchErrorData,
  UnavailableError,
  type UnavailableErrorData,
  type Verdict,
  WrongTypeError,
  type WrongTypeErrorData,
} from "./src/errors.ts";
