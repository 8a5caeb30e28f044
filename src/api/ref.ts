/**
 * Refs: one place inside a value, and what can be done there.
 *
 * @module
 */

import { formatPlace } from "../data/path.ts";
import type { Json } from "../data/json.ts";
import type { Group } from "../data/op.ts";
import type { AnyPath, At, AtPath, KeyOf, Path, PathOf, Segment } from "../data/path.ts";
import { readPath, readSegments, type Selected, type Selection } from "../data/selector.ts";
import type { CallOptions } from "../run/cancellation.ts";
import type { Store } from "../store/store.ts";
import type { MergePatch, PatchOperation } from "./patch.ts";
import type { ContainerOf, DraftOf } from "../draft/draft.ts";
import type { EditOptions, Synchronous } from "./edit.ts";
import { readRefs } from "./items.ts";
import { type Following, openFollowing } from "./follow.ts";
import { type Live, type LiveOptions, openLive } from "./live.ts";
import type { Watch, WatchOptions } from "./feed.ts";
import { type CompareOptions, Place, type WriteOptions } from "./place.ts";
import { untilFits, watchPlace } from "./watch.ts";

/**
 * What can be done with any value. Every method is one round trip and atomic. As to lost connections and answers, all
 * methods of refs reject as {@linkcode RedisJsonDict} says.
 *
 * @typeParam V The type of the value.
 */
export interface AnyRef<V> {
  /** The dictionary key. */
  readonly key: string;
  /** The dictionary key, then a segment for each level. */
  readonly path: Path;

  /**
   * Reads the value; only this fragment leaves the server.
   *
   * @param options A signal, or a time of its own.
   * @returns The value; `undefined` if it or anything on the way is missing.
   * @throws {TypeMismatchError} If the path leads through a scalar.
   * @throws {CorruptValueError} If the text on the way or of the value is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example Read one member
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:ref.get:" });
   * await lab.set("sample", { color: "red", positions: [1, 2] });
   * assertEquals(await lab.at("sample", "positions", -1).get(), 2);
   * assertEquals(await lab.at("sample", "size").get(), undefined);
   * await lab.clear();
   * ```
   */
  get(options?: CallOptions): Promise<V | undefined>;

  /**
   * Reads the value.
   *
   * @param options A signal, or a time of its own.
   * @returns The value.
   * @throws {KeyNotFoundError} If the dictionary has no such key.
   * @throws {PathNotFoundError} If a member or an element on the way is missing.
   * @throws {TypeMismatchError} If the path leads through a scalar.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  getOrThrow(options?: CallOptions): Promise<V>;

  /**
   * Reports whether there is a value; the value stays on the server.
   *
   * @param options A signal, or a time of its own.
   * @returns `false` if it or anything on the way is missing.
   * @throws {TypeMismatchError} If the path leads through a scalar.
   * @throws {CorruptValueError} If the text on the way is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  exists(options?: CallOptions): Promise<boolean>;

  /**
   * Returns the type of the value; the value stays on the server.
   *
   * @param options A signal, or a time of its own.
   * @returns The type as JSON names it; `undefined` if it or anything on the way is missing.
   * @throws {TypeMismatchError} If the path leads through a scalar.
   * @throws {CorruptValueError} If the text on the way is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  type(
    options?: CallOptions,
  ): Promise<"null" | "boolean" | "number" | "string" | "array" | "object" | undefined>;

  /**
   * Watches the value: what is there, then each other value, whoever writes it; `undefined` while it is missing. It
   * hears also of what expires, is evicted or flushed.
   *
   * Values that are replaced soon may be skipped, the last one never is. White space and the order of members do not
   * make another value. Nothing is sent before the first `next`; then all watches of a client and prefix share one more
   * connection, and each news costs one read. A watch outlives that the server is away, and reads again when it is back.
   *
   * @param options What ends it.
   * @returns The values. It ends by `break`, `return()`, its signal, and `close()` of the dictionary.
   * @throws {TypeError} If the options are wrong, or the dictionary is closed.
   *
   * The iteration fails with:
   *
   * - `UnavailableError` if the server or the client cannot tell of changes, or the user has not got the right.
   * - `TimeoutError` if there is no first value in time.
   * - `TypeMismatchError`, `CorruptValueError`, `WrongTypeError` as {@linkcode AnyRef.get} does.
   *
   * @example Follow a value
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<{ run: { status: string } }>("redis://localhost:6379", {
   *   prefix: "doc:ref.watch:",
   * });
   * await lab.set("run", { status: "on" });
   * const seen: unknown[] = [];
   * for await (const status of lab.at("run", "status").watch()) {
   *   seen.push(status);
   *   if (status === "on") await lab.at("run", "status").set("off"); // or any other program does
   *   else break;
   * }
   * assertEquals(seen, ["on", "off"]);
   * await lab.clear();
   * ```
   */
  watch(options?: WatchOptions): Watch<V | undefined>;

  /**
   * Waits until the value fits. It watches the value, see {@linkcode AnyRef.watch}, so it may miss a value that is
   * replaced soon.
   *
   * @typeParam W The type of the values that fit.
   * @param predicate Tells at once whether a value fits; it gets `undefined` while there is none.
   * @param options What ends it.
   * @returns The first value that fits.
   * @throws {TypeError} If the predicate is no function or is asynchronous, or the options are wrong.
   * @throws {UnavailableError} If the dictionary is closed before, or it cannot be watched.
   * @throws {TimeoutError} If there is no first value in time.
   * @throws The reason of the signal, if that ends it.
   *
   * @example Wait for another program
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<{ frames: number }>("redis://localhost:6379", {
   *   prefix: "doc:ref.until:",
   * });
   * await lab.set("frames", 98);
   * const enough = lab.at("frames").until((frames) => frames !== undefined && frames >= 100, {
   *   signal: AbortSignal.timeout(60_000),
   * });
   * await lab.at("frames").increment(3);
   * assertEquals(await enough, 101);
   * await lab.clear();
   * ```
   */
  until<W extends V | undefined>(
    predicate: (value: V | undefined) => value is W,
    options?: WatchOptions,
  ): Promise<W>;
  /** The same without a type that the predicate tells. */
  until(predicate: (value: V | undefined) => boolean, options?: WatchOptions): Promise<V | undefined>;

  /**
   * Writes the value. In an array, the index at its length adds an element. The expiry of the key stays.
   *
   * @param value What to write.
   * @param options How to treat missing parents.
   * @throws {TypeError} If JSON cannot hold the value, or there is no such option.
   * @throws {KeyNotFoundError} If the dictionary has no such key, unless the path names only the key.
   * @throws {PathNotFoundError} If a parent is missing.
   * @throws {IndexOutOfRangeError} If the index is beyond the length of the array.
   * @throws {TypeMismatchError} If the path leads through a scalar, or names a member of an array.
   * @throws {CorruptValueError} If the text on the way is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example Change one member; nothing else is touched
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:ref.set:" });
   * await lab.set("sample", { color: "red" });
   * await lab.at("sample", "color").set("blue"); // EVALSHA apply lab:sample set 1 "color" "blue"
   * await lab.at("sample", "tags", "origin").set("x", { parents: true });
   * assertEquals(await lab.get("sample"), { color: "blue", tags: { origin: "x" } });
   * await lab.clear();
   * ```
   */
  set(value: V, options?: WriteOptions): Promise<void>;

  /**
   * Removes the value: a member, an element (the following ones move up), or the key if the path names only it.
   *
   * @param options A signal, or a time of its own.
   * @returns Whether there was one.
   * @throws {TypeMismatchError} If the path leads through a scalar.
   * @throws {CorruptValueError} If the text on the way is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  delete(options?: CallOptions): Promise<boolean>;

  /**
   * Reads the value, or writes it if there is none: one of many callers writes, all get the same.
   *
   * @param value What to write if there is none.
   * @param options How to treat missing parents.
   * @returns The value that is there now.
   * @throws {TypeError} If JSON cannot hold the value, or there is no such option.
   * @throws {KeyNotFoundError} If the dictionary has no such key, unless the path names only the key.
   * @throws {PathNotFoundError} If a parent is missing.
   * @throws {IndexOutOfRangeError} If the index is beyond the length of the array.
   * @throws {TypeMismatchError} If the path leads through a scalar.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  getOrInsert(value: V, options?: WriteOptions): Promise<V>;

  /**
   * Writes a value if the present one equals an expected one, by JSON equality: order of members, white space and
   * spelling do not count.
   *
   * @param expected What must be there; `undefined` for nothing.
   * @param next What to write.
   * @param options Whether it expires; the expiry of a value that is not as expected stays.
   * @returns Whether it was written.
   * @throws {TypeError} If JSON cannot hold a value, `ttl` is given for a part of a value, or there is no such option.
   * @throws {RangeError} If `ttl` is not a positive number of milliseconds.
   * @throws {KeyNotFoundError} If nothing is expected, the dictionary has no such key, and the path names more than it.
   * @throws {PathNotFoundError} If nothing is expected and a parent is missing.
   * @throws {IndexOutOfRangeError} If nothing is expected and the index is beyond the length of the array.
   * @throws {TypeMismatchError} If the path leads through a scalar, or names a member of an array.
   * @throws {LimitError} If the present value is nested more than 1000 levels deep and its text is not the expected one.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  compareAndSet(expected: V | undefined, next: V, options?: CompareOptions): Promise<boolean>;

  /**
   * The same place, for writes that create missing parents, as with `{ parents: true }`. It is for the methods that take
   * any number of values and so no options: `push`, `unshift`, `splice`.
   *
   * @returns Another ref.
   */
  parents(): Ref<V>;

  /**
   * The same place, for calls with these options. It is for the methods that take any number of values and so no
   * options: `push`, `unshift`, `splice`. The options of a call itself take precedence.
   *
   * @param options A signal, or a time of its own.
   * @returns Another ref.
   * @throws {TypeError} If there is no such option.
   *
   * @example Give up after a second
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:ref.with:" });
   * await lab.set("log", []);
   * assertEquals(await lab.at("log").with({ timeout: 1_000 }).push("started"), 1);
   * await lab.clear();
   * ```
   */
  with(options: CallOptions): Ref<V>;

  /**
   * A place inside this value. No I/O.
   *
   * @param selector Names a member of its argument.
   * @returns A ref to it.
   * @throws {TypeError} If the selector does anything else, or a segment is neither a string nor an integer.
   */
  at<W>(selector: (value: Selection<V>) => Selected<W> | undefined): Ref<W>;
  /** A place inside this value, by a path in a variable, as `at(...path)`. The ref has all methods. */
  at<P extends readonly Segment[]>(...path: AnyPath<P>): Ref<unknown>;
  /** A place inside this value, by any number of segments. */
  at<
    A extends KeyOf<V>,
    B extends KeyOf<At<V, A>>,
    C extends KeyOf<At<At<V, A>, B>>,
    D extends readonly [Segment, ...Segment[]],
  >(
    a: A,
    b: B,
    c: C,
    ...others: D & PathOf<AtPath<V, [A, B, C]>, D>
  ): Ref<AtPath<V, [A, B, C, ...D]>>;
  /** A place inside this value, by one segment. */
  at<A extends KeyOf<V>>(a: A): Ref<At<V, A>>;
  /** A place inside this value, by two segments. */
  at<A extends KeyOf<V>, B extends KeyOf<At<V, A>>>(a: A, b: B): Ref<At<At<V, A>, B>>;
  /** A place inside this value, by three segments. */
  at<A extends KeyOf<V>, B extends KeyOf<At<V, A>>, C extends KeyOf<At<At<V, A>, B>>>(
    a: A,
    b: B,
    c: C,
  ): Ref<At<At<At<V, A>, B>, C>>;
}

/** What can be done with a number. Every method is one round trip and atomic. */
export interface NumberRef<N extends number | bigint> {
  /**
   * Adds to the number. Integers are added exactly; other numbers as JavaScript does.
   *
   * @param by What to add, 1 when left out.
   * @param options How to treat missing parents, and a missing number.
   * @returns The new number.
   * @throws {TypeError} If `by` is not a number, or there is no such option.
   * @throws {RangeError} If `by` is not finite.
   * @throws {NumberRangeError} If the result is too large, or an integer beyond 2^53 - 1 without `bigints`.
   * @throws {KeyNotFoundError} If the dictionary has no such key.
   * @throws {PathNotFoundError} If the number or a parent is missing.
   * @throws {TypeMismatchError} If the value is not a number.
   * @throws {CorruptValueError} If the text on the way is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example Count from many processes
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<{ run: { count: number } }>("redis://localhost:6379", {
   *   prefix: "doc:ref.increment:",
   * });
   * await lab.set("run", { count: 41 });
   * assertEquals(await lab.at("run", "count").increment(), 42);
   * await lab.clear();
   * ```
   */
  increment(by?: N, options?: WriteOptions): Promise<N>;
}

/** What can be done with a boolean. */
export interface BooleanRef {
  /**
   * Turns `true` into `false` and back. One round trip, atomic.
   *
   * @param options A signal, or a time of its own.
   * @returns The new value.
   * @throws {KeyNotFoundError} If the dictionary has no such key.
   * @throws {PathNotFoundError} If the boolean or a parent is missing.
   * @throws {TypeMismatchError} If the value is not a boolean.
   * @throws {CorruptValueError} If the text on the way is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  toggle(options?: CallOptions): Promise<boolean>;
}

/** What can be done with a string. */
export interface StringRef {
  /**
   * Adds text at the end of the string; what is there stays on the server. One round trip, atomic.
   *
   * @param text What to add.
   * @param options How to treat missing parents, and a missing string.
   * @returns The new length, in UTF-16 code units as everywhere in JavaScript.
   * @throws {TypeError} If `text` is not a string.
   * @throws {KeyNotFoundError} If the dictionary has no such key.
   * @throws {PathNotFoundError} If the string or a parent is missing.
   * @throws {TypeMismatchError} If the value is not a string.
   * @throws {CorruptValueError} If the text on the way is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  append(text: string, options?: WriteOptions): Promise<number>;
}

/** What has a length: a string, an array or an object. */
export interface LengthRef {
  /**
   * The length: code units of a string, elements of an array, members of an object; the value stays on the
   * server. One round trip.
   *
   * @param options A signal, or a time of its own.
   * @returns The length; `undefined` if the value or anything on the way is missing.
   * @throws {TypeMismatchError} If the value is a number, a boolean or null, or the path leads through a scalar.
   * @throws {CorruptValueError} If the text on the way or of the value is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  length(options?: CallOptions): Promise<number | undefined>;
}

/**
 * What can be done with an object.
 *
 * @typeParam V The type of the value.
 */
export interface ObjectRef<V> {
  /**
   * The names of the members, in the order of the text; the values stay on the server. One round trip.
   *
   * @param options A signal, or a time of its own.
   * @returns The names; `undefined` if the value or anything on the way is missing.
   * @throws {TypeMismatchError} If the value is not an object, or the path leads through a scalar.
   * @throws {CorruptValueError} If the text on the way or of the value is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  keys(options?: CallOptions): Promise<string[] | undefined>;

  /**
   * Applies a JSON Merge Patch (RFC 7396), all of it or nothing: members of the patch replace those of the value,
   * objects are merged, `null` removes a member. One round trip.
   *
   * @param patch What to merge; anything but an object replaces the value.
   * @param options A signal, or a time of its own.
   * @throws {TypeError} If JSON cannot hold the patch, or there is no such option.
   * @throws {KeyNotFoundError} If the dictionary has no such key, unless the path names only the key.
   * @throws {PathNotFoundError} If a parent is missing.
   * @throws {IndexOutOfRangeError} If the index is beyond the length of the array.
   * @throws {TypeMismatchError} If the path leads through a scalar, or names a member of an array.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  merge(patch: MergePatch<V>, options?: CallOptions): Promise<void>;
}

/**
 * What can be done with an array, as on `Array`. Every method is one round trip and atomic, and throws
 * `KeyNotFoundError`, `PathNotFoundError`, `TypeMismatchError`, `CorruptValueError` and `WrongTypeError` as
 * {@linkcode NumberRef.increment} does.
 *
 * @typeParam E The type of the elements.
 */
export interface ArrayRef<E> {
  /**
   * Adds elements behind the last one. Pushes of any number of clients never overwrite each other.
   *
   * @param items What to add.
   * @returns The new length.
   * @throws {TypeError} If JSON cannot hold an element.
   * @throws {TypeMismatchError} If the value is not an array.
   *
   * @example Append from many processes
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:ref.push:" });
   * await lab.set("sample", { positions: [1] });
   * assertEquals(await lab.at("sample", "positions").push(2, 3), 3);
   * assertEquals(await lab.at("sample", "notes").parents().push("new"), 1); // creates the array
   * await lab.clear();
   * ```
   */
  push(...items: E[]): Promise<number>;
  /**
   * Adds elements before the first one.
   *
   * @param items What to add.
   * @returns The new length.
   * @throws {TypeError} If JSON cannot hold an element.
   * @throws {TypeMismatchError} If the value is not an array.
   */
  unshift(...items: E[]): Promise<number>;
  /**
   * Removes the last element. Each element goes to exactly one caller.
   *
   * @param options A signal, or a time of its own.
   * @returns The element; `undefined` if the array is empty.
   * @throws {TypeMismatchError} If the value is not an array.
   */
  pop(options?: CallOptions): Promise<E | undefined>;
  /**
   * Removes the first element. Each element goes to exactly one caller.
   *
   * @param options A signal, or a time of its own.
   * @returns The element; `undefined` if the array is empty.
   * @throws {TypeMismatchError} If the value is not an array.
   */
  shift(options?: CallOptions): Promise<E | undefined>;
  /**
   * Replaces elements.
   *
   * @param start The index of the first one to remove, negative from the end.
   * @param deleteCount How many to remove; all that follow when left out.
   * @param items What to put in their place.
   * @returns What was removed.
   * @throws {TypeError} If JSON cannot hold an element.
   * @throws {RangeError} If `start` or `deleteCount` is not an integer.
   * @throws {TypeMismatchError} If the value is not an array.
   */
  splice(start: number, deleteCount?: number, ...items: E[]): Promise<E[]>;
}

/**
 * What can be done with an object or an array by plain code.
 *
 * @typeParam V The type of the value.
 */
export interface ContainerRef<V> {
  /**
   * Changes the value as if it were a plain object, all at once or not at all, as
   * {@linkcode RedisJsonDict.edit} does; only this fragment is read. Two round trips, and one more for each
   * conflict.
   *
   * @typeParam R What the recipe returns.
   * @param recipe Changes the draft; it must be synchronous, and may run more than once.
   * @param options How often it may run.
   * @returns What the recipe returned, as plain data.
   * @throws {ConflictError} If others changed what the recipe reads, every time it ran.
   * @throws {TypeError} If the recipe is async, or writes what JSON cannot hold.
   * @throws {RangeError} If the recipe writes beyond the end of an array.
   * @throws {KeyNotFoundError} If the dictionary has no such key.
   * @throws {PathNotFoundError} If the value is missing.
   * @throws {TypeMismatchError} If the value is neither an object nor an array.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example Change what depends on what is there
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<{ sample: { positions: number[]; best?: number } }>(
   *   "redis://localhost:6379",
   *   { prefix: "doc:ref.edit:" },
   * );
   * await lab.set("sample", { positions: [3, 1, 2] });
   * await lab.at("sample").edit((sample) => {
   *   sample.positions.sort();
   *   sample.best = Math.max(...sample.positions);
   * });
   * assertEquals(await lab.get("sample"), { positions: [1, 2, 3], best: 3 });
   * await lab.clear();
   * ```
   */
  edit<R>(
    recipe: (draft: DraftOf<ContainerOf<V>>) => Synchronous<R>,
    options?: EditOptions,
  ): Promise<R>;
  /**
   * Returns what an edit would send now, without sending it: guards, then ops. One round trip, which reads the value.
   *
   * @typeParam R What the recipe returns.
   * @param recipe Changes the draft.
   * @param options A signal, or a time of its own.
   * @returns The guards and the ops; none if the recipe changes nothing.
   * @throws {TypeError} If the recipe is async, or writes what JSON cannot hold.
   * @throws {RangeError} If the recipe writes beyond the end of an array.
   * @throws {KeyNotFoundError} If the dictionary has no such key.
   * @throws {PathNotFoundError} If the value is missing.
   * @throws {TypeMismatchError} If the value is neither an object nor an array.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  explain<R>(
    recipe: (draft: DraftOf<ContainerOf<V>>) => Synchronous<R>,
    options?: CallOptions,
  ): Promise<Group>;
  /**
   * Applies a JSON Patch (RFC 6902), all of it or nothing, as {@linkcode RedisJsonDict.patch} does; its pointers begin
   * at this value. One round trip.
   *
   * @param operations The operations.
   * @param options A signal, or a time of its own.
   * @throws {TypeError} If the operations are no JSON Patch, or JSON cannot hold a value.
   * @throws {PatchError} If an operation cannot be applied, or a test does not hold.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  patch(operations: readonly PatchOperation[], options?: CallOptions): Promise<void>;
  /**
   * Opens the value as a live document: an object or an array of your own that you change like any other, and whose
   * changes go to Redis by themselves. One round trip.
   *
   * All changes made without an `await` in between leave together, as one atomic call, at the end of the turn or
   * with the next call of the dictionary, whichever is first; `settled()` of the dictionary waits for them. They
   * are ops on the value that Redis then has: `push` adds behind what others have pushed, and nothing else is
   * overwritten. The document does not show what others change; with `follow: true` it does. Use `edit` where a change depends
   * on the present value, such as the index of an element that others may move.
   *
   * What is assigned is copied. If a write fails, because the value was removed, or became another type, or
   * Redis did not answer, no later change of the document is applied. The next use reports the error: a change throws a
   * `TypeError` with the error as its cause; `settled()` and `close()` of the dictionary, and the end of the document,
   * reject with it. If the document is dropped before that, it is an unhandled rejection, which ends most programs. At
   * its end, `await using` waits for the document's own writes.
   *
   * @returns The document.
   * @throws {KeyNotFoundError} If the dictionary has no such key.
   * @throws {PathNotFoundError} If the value is missing.
   * @throws {TypeMismatchError} If the value is neither an object nor an array.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example Work on a value for a while
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<{ sample: { color: string; positions: number[] } }>(
   *   "redis://localhost:6379",
   *   { prefix: "doc:ref.live:" },
   * );
   * await lab.set("sample", { color: "red", positions: [] });
   * const sample = await lab.at("sample").live();
   * sample.color = "blue";
   * sample.positions.push(1, 2);
   * await lab.settled();
   * assertEquals(await lab.get("sample"), { color: "blue", positions: [1, 2] });
   * await lab.clear();
   * ```
   */
  live(options?: LiveOptions & { readonly follow?: false }): Promise<Live<ContainerOf<V>>>;
  /**
   * Opens the value as a live document that also shows what others do, whoever they are and whatever they write with:
   * other clients, other languages, expiry, a flush. It is a store that a user interface subscribes to: `subscribe` and
   * `snapshot` are what `useSyncExternalStore` of React takes.
   *
   * It is changed as every live document. What the server has is read again after each news of a change, by anyone. What
   * was done to the document since that read was sent is done to the new value too, so own changes never go away, and
   * after `settled()` the document shows a state of the server that has them. It shows what is there last; states
   * between may be skipped. After news it takes one read, and never more than one is under way.
   *
   * If a write fails, later changes are not applied, and the next use reports the error, as for every live document.
   * Then this one shows what the server has, without them, and goes on: once the error is reported and `settled()`, it
   * can be changed again. There need be nothing at the place; `document` is `undefined` then. It outlives that the
   * server is away, and needs of server and client what {@linkcode AnyRef.watch} needs.
   *
   * @param options That it follows. `timeout`, if shorter than that of the dictionary, is for the opening; `signal` also
   * ends the document.
   * @returns The document, in a store. `await using`, or closing the dictionary, ends it.
   * @throws {TypeError} If the client reads from replicas, or the options are wrong.
   * @throws {TypeMismatchError} If the path leads through a scalar.
   * @throws {CorruptValueError} If the text is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   * @throws {UnavailableError} If the server or the client cannot tell of changes, or the user has not got the right.
   *
   * @example Show a run that others change, too
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals, assertStrictEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<{ run: { frames: number; log: string[] } }>(
   *   "redis://localhost:6379",
   *   { prefix: "doc:ref.follow:" },
   * );
   * await lab.set("run", { frames: 0, log: [] });
   * await using run = await lab.at("run").live({ follow: true });
   * const before = run.snapshot();
   * const changed = new Promise<void>((resolve) => run.subscribe(resolve));
   * await lab.at("run", "frames").increment(); // or any other program does
   * await changed;
   * assertEquals(run.snapshot(), { frames: 1, log: [] });
   * assertStrictEquals(run.snapshot()?.log, before?.log); // what did not change is the same
   *
   * run.document?.log.push("started");
   * await run.settled();
   * assertEquals(await lab.get("run"), { frames: 1, log: ["started"] });
   * await lab.clear();
   * ```
   */
  live(options: LiveOptions & { readonly follow: true }): Promise<Following<V>>;
}

/**
 * A place inside a value, with the methods that fit the type of the value there. It does no I/O of its own.
 *
 * @typeParam V The type of the value.
 */
export type Ref<V> =
  & AnyRef<V>
  & (Has<V, number | bigint> extends true ? NumberRef<NumberOf<V>> : unknown)
  & (Has<V, boolean> extends true ? BooleanRef : unknown)
  & (Has<V, string> extends true ? StringRef & LengthRef : unknown)
  & (Has<V, readonly unknown[]> extends true ? ArrayRef<ElementOf<V>> & LengthRef : unknown)
  & (Has<V, object, readonly unknown[]> extends true ? ObjectRef<V> & LengthRef : unknown)
  & (Has<V, object> extends true ? ContainerRef<V> : unknown);

/**
 * Whether some part of the union `V` is a `T` and no `N`; true for `any`.
 *
 * @typeParam V The type of a value.
 * @typeParam T What to look for.
 * @typeParam N What does not count.
 */
export type Has<V, T, N = never> = unknown extends V ? true
  : [Exclude<Extract<V, T>, N>] extends [never] ? false
  : true;

/**
 * The type of an incremented number: `number`, or `bigint` where the type says so.
 *
 * @typeParam V The type of the value.
 */
export type NumberOf<V> = unknown extends V ? number
  : V extends number ? number
  : V extends bigint ? bigint
  : never;

/**
 * The type of the elements of the arrays in the union `V`.
 *
 * @typeParam V The type of the value.
 */
export type ElementOf<V> = unknown extends V ? V
  : V extends readonly (infer E)[] ? E
  : never;

/** Every method that any ref has; the type {@linkcode Ref} shows those that fit. */
class JsonRef {
  readonly path: Path;
  readonly #store: Store;
  readonly #place: Place;

  static {
    // On the prototype and not in the class body, where declarations do not carry a name that is computed.
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), {
      value(this: JsonRef): string {
        return this.toString();
      },
    });
  }

  constructor(store: Store, place: Place) {
    this.path = place.path;
    this.#store = store;
    this.#place = place;
  }

  /** The path of what may be a ref of a store; nothing if it is none. */
  static pathIn(store: Store, ref: unknown): Path | undefined {
    return typeof ref === "object" && ref !== null && #store in ref && ref.#store.isSame(store)
      ? ref.path
      : undefined;
  }

  get key(): string {
    return String(this.path[0]);
  }

  toString(): string {
    return `Ref(${formatPlace(this.path)})`;
  }

  parents(): unknown {
    return new JsonRef(this.#store, this.#place.parents());
  }

  with(options: CallOptions): unknown {
    return new JsonRef(this.#store, this.#place.with(options));
  }

  at(...args: readonly unknown[]): unknown {
    return new JsonRef(this.#store, this.#place.inside(readSegments(args)));
  }

  get(options?: CallOptions): Promise<Json | undefined> {
    return this.#store.run(() => this.#place.get(options));
  }

  getOrThrow(options?: CallOptions): Promise<Json> {
    return this.#store.run(() => this.#place.getOrThrow(options));
  }

  exists(options?: CallOptions): Promise<boolean> {
    return this.#store.run(() => this.#place.exists(options));
  }

  type(options?: CallOptions): Promise<string | undefined> {
    return this.#store.run(() => this.#place.type(options));
  }

  length(options?: CallOptions): Promise<number | undefined> {
    return this.#store.run(() => this.#place.length(options));
  }

  keys(options?: CallOptions): Promise<string[] | undefined> {
    return this.#store.run(() => this.#place.keys(options));
  }

  watch(options: WatchOptions = {}): Watch<Json | undefined> {
    return watchPlace(this.#store, this.path, options);
  }

  async until(predicate: (value: never) => unknown, options: WatchOptions = {}): Promise<Json | undefined> {
    return await untilFits(this.#store, this.path, predicate as (value: unknown) => unknown, options);
  }

  set(value: unknown, options?: WriteOptions): Promise<void> {
    return this.#store.run(() => this.#place.set(value, options));
  }

  delete(options?: CallOptions): Promise<boolean> {
    return this.#store.run(() => this.#place.delete(options));
  }

  getOrInsert(value: unknown, options?: WriteOptions): Promise<Json> {
    return this.#store.run(() => this.#place.getOrInsert(value, options));
  }

  compareAndSet(expected: unknown, next: unknown, options?: CompareOptions): Promise<boolean> {
    return this.#store.run(() => this.#place.compareAndSet(expected, next, options));
  }

  increment(by?: unknown, options?: WriteOptions): Promise<Json> {
    return this.#store.run(() => this.#place.increment(by, options));
  }

  toggle(options?: CallOptions): Promise<boolean> {
    return this.#store.run(() => this.#place.toggle(options));
  }

  append(text: unknown, options?: WriteOptions): Promise<number> {
    return this.#store.run(() => this.#place.append(text, options));
  }

  push(...items: readonly unknown[]): Promise<number> {
    return this.#store.run(() => this.#place.push(...items));
  }

  unshift(...items: readonly unknown[]): Promise<number> {
    return this.#store.run(() => this.#place.unshift(...items));
  }

  pop(options?: CallOptions): Promise<Json | undefined> {
    return this.#store.run(() => this.#place.pop(options));
  }

  shift(options?: CallOptions): Promise<Json | undefined> {
    return this.#store.run(() => this.#place.shift(options));
  }

  splice(...args: readonly unknown[]): Promise<Json[]> {
    return this.#store.run(() => this.#place.splice(...args));
  }

  edit<R>(recipe: (draft: never) => R, options?: EditOptions): Promise<R> {
    return this.#store.run(() => this.#place.edit(recipe, options));
  }

  explain(recipe: (draft: never) => unknown, options?: CallOptions): Promise<Group> {
    return this.#store.run(() => this.#place.explain(recipe, options));
  }

  patch(operations: readonly PatchOperation[], options?: CallOptions): Promise<void> {
    return this.#store.run(() => this.#place.patch(operations, options));
  }

  merge(patch: unknown, options?: CallOptions): Promise<void> {
    return this.#store.run(() => this.#place.merge(patch, options));
  }

  async live(options?: LiveOptions): Promise<object> {
    const call = this.#place.callOf("live", options, ["follow"]);
    if (options?.follow) return await openFollowing(this.#store, this.path, call);
    return await openLive(this.#store, this.#store.within(call), this.path);
  }
}

/**
 * The paths of refs that are to be read at once.
 *
 * @param store Whose refs they are.
 * @param refs What the caller gave.
 * @returns Their paths.
 * @throws {TypeError} If one of them is no ref of this dictionary.
 */
export function pathsOf(store: Store, refs: Iterable<unknown>): readonly Path[] {
  return readRefs(refs, (ref) => JsonRef.pathIn(store, ref));
}

/**
 * Makes a ref. No I/O.
 *
 * @param store Where its ops go.
 * @param args The arguments of `at(...)`: segments, or a selector.
 * @returns The ref. The caller gives its type, which follows from the type of the dictionary.
 */
export function createRef<V>(store: Store, args: readonly (Segment | ((root: never) => unknown))[]): Ref<V> {
  return new JsonRef(store, new Place(store, readPath(args), false, {})) as unknown as Ref<V>; // one class behind all refs
}
