/**
 * The dictionary on a client that you bring: the same as in the main module, without `connect` and without ioredis.
 *
 * @example On a client of your own
 * ```ts
 * import { createClient } from "redis";
 * import { RedisJsonDict } from "@json-dict/redis/core";
 * import { fromNodeRedis } from "@json-dict/redis/node-redis";
 * import { assertEquals } from "@std/assert";
 *
 * const client = createClient({ url: "redis://localhost:6379" });
 * const lab = new RedisJsonDict<{ n: number }>(fromNodeRedis(client), { prefix: "doc:core:" });
 * await lab.set("n", 1);
 * assertEquals(await lab.at("n").increment(), 2);
 * await lab.clear();
 * await client.close();
 * ```
 *
 * @module
 */

// The dictionary
export { type Change, type Entry, type Key, type OptionsFor, RedisJsonDict } from "./src/api/core.ts";
export type { ExpiryOptions, GetOptions, KeysOptions, ReplaceOptions, SetOptions } from "./src/api/items.ts";
export type { CallOptions } from "./src/run/cancellation.ts";
export type { Line, LineListener, RedisClient } from "./src/run/client.ts";
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
  ContainerRef,
  ElementOf,
  Has,
  LengthRef,
  NumberOf,
  NumberRef,
  ObjectRef,
  Ref,
  StringRef,
} from "./src/api/ref.ts";
export type { CompareOptions, WriteOptions } from "./src/api/place.ts";
export type { AnyPath, At, AtPath, KeyOf, Path, PathOf, Segment } from "./src/data/path.ts";
export type { Selected, Selection } from "./src/data/selector.ts";

// Plain code: edits and live documents
export type { ContainerOf, Draft, DraftOf } from "./src/draft/draft.ts";
export type {
  DictEditOptions,
  EditOptions,
  IsSynchronous,
  NotSynchronous,
  Synchronous,
} from "./src/api/edit.ts";
export type { Live, LiveOptions } from "./src/api/live.ts";
export type { Following } from "./src/api/follow.ts";

// Watching
export type { DictWatchOptions, Ready, Watch, WatchOptions } from "./src/api/feed.ts";

// Leases
export type { Lease, LeaseOptions } from "./src/api/lease.ts";
export { type LeaseEnd, LeaseEndedError, type LeaseEndedErrorData } from "./src/errors/lease.ts";

// Caching
export {
  cached,
  type CachedDict,
  type CacheEntry,
  type CacheMap,
  type CacheStatistics,
} from "./src/api/cached.ts";
export type { Frozen, FrozenJson } from "./src/data/frozen.ts";

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
export {
  ConflictError,
  type ConflictErrorData,
  PatchError,
  type PatchErrorData,
  StaleError,
} from "./src/errors/edit.ts";
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
