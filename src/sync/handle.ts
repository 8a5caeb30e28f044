/**
 * Handles: the methods of a dictionary and of its refs, each of which returns when it is done.
 *
 * @module
 */

import type { Entry, Key } from "../api/core.ts";
import type { DictEditOptions, EditOptions, Local, Synchronous } from "../api/edit.ts";
import {
  type ExpiryOptions,
  type GetOptions,
  Items,
  type KeysOptions,
  readRefs,
  type ReplaceOptions,
  type SetOptions,
} from "../api/items.ts";
import type { MergePatch, PatchOperation } from "../api/patch.ts";
import { Place } from "../api/place.ts";
import type {
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
  StringRef,
} from "../api/ref.ts";
import type { Task } from "../api/task.ts";
import type { Json } from "../data/json.ts";
import type { Group } from "../data/op.ts";
import {
  type AnyPath,
  type At,
  type AtPath,
  formatPlace,
  type KeyOf,
  type Path,
  type PathOf,
  type Segment,
} from "../data/path.ts";
import { readPath, readSegments, type Selected, type Selection } from "../data/selector.ts";
import type { ContainerOf, Draft, DraftOf } from "../draft/draft.ts";
import type { CallOptions } from "../run/cancellation.ts";
import type { AmbiguousResultError, Verdict } from "../errors/delivery.ts";
import { type CloseOptions, readCloseTimeout } from "../run/options.ts";
import type { Bridge } from "./bridge.ts";

/**
 * The same methods, which return their result instead of a promise.
 *
 * @typeParam M Methods that return promises.
 */
export type Waiting<M> = {
  [K in keyof M]: M[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : M[K];
};

/**
 * What can be done with any value, as by {@linkcode AnyRef}.
 *
 * @typeParam V The type of the value.
 */
export interface AnyBlockingRef<V> extends Waiting<Omit<AnyRef<V>, "parents" | "with" | "at">> {
  /**
   * The same place for writes that create what is missing on their way.
   *
   * @returns Another ref.
   */
  parents(): BlockingRef<V>;
  /**
   * The same place for calls that take another time.
   *
   * @param options A time of its own.
   * @returns Another ref.
   */
  with(options: Pick<CallOptions, "timeout">): BlockingRef<V>;
  /**
   * A place inside this value, by a selector. No I/O.
   *
   * @param selector Names a member of its argument.
   * @returns A ref to it.
   */
  at<W>(selector: (value: Selection<V>) => Selected<W> | undefined): BlockingRef<W>;
  /** A place inside this value, by one segment. */
  at<A extends KeyOf<V>>(a: A): BlockingRef<At<V, A>>;
  /** A place inside this value, by two segments. */
  at<A extends KeyOf<V>, B extends KeyOf<At<V, A>>>(a: A, b: B): BlockingRef<At<At<V, A>, B>>;
  /** A place inside this value, by any number of segments. */
  at<A extends KeyOf<V>, B extends KeyOf<At<V, A>>, C extends readonly [Segment, ...Segment[]]>(
    a: A,
    b: B,
    ...others: C & PathOf<AtPath<V, [A, B]>, C>
  ): BlockingRef<AtPath<V, [A, B, ...C]>>;
  /** A place inside this value, by a path in a variable. The ref has all methods. */
  at<P extends readonly Segment[]>(...path: AnyPath<P>): BlockingRef<unknown>;
}

/**
 * What can be done with an object or an array by plain code, as by {@linkcode ContainerRef}.
 *
 * @typeParam V The type of the value.
 */
export interface BlockingContainerRef<V> extends Waiting<Pick<ContainerRef<V>, "patch">> {
  /**
   * Changes the value as if it were a plain object, all at once or not at all.
   *
   * @typeParam R What the recipe returns.
   * @param recipe Changes the draft; it may run more than once.
   * @param options How often it may run.
   * @returns What the recipe returned, as plain data.
   */
  edit<R>(recipe: (draft: DraftOf<ContainerOf<V>>) => Synchronous<R>, options?: EditOptions): R;
  /**
   * Tells what an edit would send now, without sending it.
   *
   * @param recipe Changes the draft.
   * @param options A time of its own.
   * @returns The guards and the ops.
   */
  explain<R>(recipe: (draft: DraftOf<ContainerOf<V>>) => Synchronous<R>, options?: CallOptions): Group;
}

/**
 * A place inside a value, with the methods that fit the type of the value there; each waits until it is done.
 *
 * @typeParam V The type of the value.
 */
export type BlockingRef<V> =
  & AnyBlockingRef<V>
  & (Has<V, number | bigint> extends true ? Waiting<NumberRef<NumberOf<V>>> : unknown)
  & (Has<V, boolean> extends true ? Waiting<BooleanRef> : unknown)
  & (Has<V, string> extends true ? Waiting<StringRef & LengthRef> : unknown)
  & (Has<V, readonly unknown[]> extends true ? Waiting<ArrayRef<ElementOf<V>> & LengthRef> : unknown)
  & (Has<V, object, readonly unknown[]> extends true ? Waiting<ObjectRef<V> & LengthRef> : unknown)
  & (Has<V, object> extends true ? BlockingContainerRef<V> : unknown);

/** What a place has beside its methods: what makes another place of it. */
const MAKERS: ReadonlySet<string> = new Set(["constructor", "inside", "parents", "with", "callOf"]);

/** Every method that any ref has; the type {@linkcode BlockingRef} shows those that fit. */
class WaitingRef {
  readonly path: Path;
  readonly #bridge: Bridge;
  readonly #place: Place;

  static {
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), {
      value(this: WaitingRef): string {
        return this.toString();
      },
    });
    for (const name of Object.getOwnPropertyNames(Place.prototype).filter((name) => !MAKERS.has(name))) {
      const value = function (this: WaitingRef, ...args: unknown[]): unknown {
        // What fits the method, the type of the ref has checked, or the method checks.
        const method = this.#place[name as keyof Place] as (...args: unknown[]) => Task<unknown>;
        return this.#bridge.run(() => method.apply(this.#place, args));
      };
      Object.defineProperty(this.prototype, name, { value, configurable: true, writable: true });
    }
  }

  constructor(bridge: Bridge, place: Place) {
    this.path = place.path;
    this.#bridge = bridge;
    this.#place = place;
  }

  /** The path of what may be a ref of a dictionary; nothing if it is none. */
  static pathIn(bridge: Bridge, ref: unknown): Path | undefined {
    return typeof ref === "object" && ref !== null && #bridge in ref && ref.#bridge === bridge
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
    return new WaitingRef(this.#bridge, this.#place.parents());
  }

  with(options: CallOptions): unknown {
    return new WaitingRef(this.#bridge, this.#place.with(options));
  }

  at(...args: readonly unknown[]): unknown {
    return new WaitingRef(this.#bridge, this.#place.inside(readSegments(args)));
  }
}

/**
 * The methods of a dictionary, each of which returns when it is done: those of `RedisJsonDict`, which have the same names,
 * arguments, errors and costs. What goes through many keys reads all of them at once. What goes on by itself, `watch` and
 * `lease`, is left out: it needs an event loop that runs.
 *
 * It stops the event loop while it waits: for scripts and notebooks, not for servers.
 *
 * @typeParam T The types of the values by key.
 */
export class BlockingDict<T> {
  /** The prefix that is put before each key. */
  readonly prefix: string;
  readonly #bridge: Bridge;
  readonly #local: Local;
  readonly #items: Items;

  /**
   * The methods of a dictionary. Made by `connect`.
   *
   * @param bridge What waits.
   * @param local How values are read and written.
   */
  constructor(bridge: Bridge, local: Local) {
    this.prefix = local.settings.prefix;
    this.#bridge = bridge;
    this.#local = local;
    this.#items = new Items(local);
  }

  /**
   * Connects, and finds out whether calls will work; see `RedisJsonDict.ready`.
   *
   * @param options A time of its own.
   */
  ready(options?: CallOptions): void {
    this.#bridge.run(() => this.#items.ready(options));
  }

  /**
   * Reads a value; `undefined` if there is none.
   *
   * @param key The key.
   * @param options Whether its expiry is moved.
   * @returns The value; `undefined` if there is none.
   */
  get<K extends Key<T>>(key: K, options?: GetOptions): At<T, K> | undefined {
    return this.#bridge.run(() => this.#items.get(key, options)) as At<T, K> | undefined;
  }

  /**
   * Reads a value that must be there.
   *
   * @param key The key.
   * @param options Whether its expiry is moved.
   * @returns The value.
   */
  getOrThrow<K extends Key<T>>(key: K, options?: GetOptions): At<T, K> {
    return this.#bridge.run(() => this.#items.getOrThrow(key, options)) as At<T, K>;
  }

  /**
   * Reads several values as they are at one moment; the map holds those that are there.
   *
   * @param keys The keys.
   * @param options A time of its own.
   * @returns A map of those that are there, in the order of the keys.
   */
  getMany<K extends Key<T>>(keys: Iterable<K>, options?: CallOptions): Map<K, At<T, K>> {
    return this.#bridge.run(() => this.#items.getMany(keys, options)) as Map<K, At<T, K>>;
  }

  /**
   * Reads several places at one moment; `undefined` where there is nothing.
   *
   * @param refs Refs of this dictionary.
   * @param options A time of its own.
   * @returns Their values in the same order.
   */
  readMany<const R extends readonly { readonly path: Path; getOrThrow(): unknown }[]>(
    refs: R,
    options?: CallOptions,
  ): { -readonly [I in keyof R]: ReturnType<R[I]["getOrThrow"]> | undefined } {
    const paths = (): readonly Path[] => readRefs(refs, (ref) => WaitingRef.pathIn(this.#bridge, ref));
    return this.#bridge.run(() => this.#items.readMany(paths, options)) as {
      -readonly [I in keyof R]: ReturnType<R[I]["getOrThrow"]> | undefined;
    };
  }

  /**
   * Tells whether there is a value.
   *
   * @param key The key.
   * @param options A time of its own.
   * @returns Whether there is one.
   */
  has(key: Key<T>, options?: CallOptions): boolean {
    return this.#bridge.run(() => this.#items.has(key, options));
  }

  /**
   * Writes a value, whatever was there. Without `ttl` and `keepTtl` it does not expire.
   *
   * @param key The key.
   * @param value The value.
   * @param options Whether it expires.
   */
  set<K extends Key<T>>(key: K, value: At<T, K>, options?: SetOptions): void {
    this.#bridge.run(() => this.#items.set(key, value, options));
  }

  /**
   * Removes a value.
   *
   * @param key The key.
   * @param options A time of its own.
   * @returns Whether there was one.
   */
  delete(key: Key<T>, options?: CallOptions): boolean {
    return this.#bridge.run(() => this.#items.delete(key, options));
  }

  /**
   * Removes a value and returns it; of many callers one gets it.
   *
   * @param key The key.
   * @param options A time of its own.
   * @returns The value that was removed; `undefined` if there was none.
   */
  pop<K extends Key<T>>(key: K, options?: CallOptions): At<T, K> | undefined {
    return this.#bridge.run(() => this.#items.pop(key, options)) as At<T, K> | undefined;
  }

  /**
   * Removes some value and returns it with its key.
   *
   * @param options A time of its own.
   * @returns The key and the value; `undefined` if the dictionary is empty.
   */
  popItem(options?: CallOptions): Entry<T> | undefined {
    return this.#bridge.run(() => this.#items.popItem(options)) as Entry<T> | undefined;
  }

  /**
   * Reads a value, or writes it if there is none: one of many callers writes, all get the same.
   *
   * @param key The key.
   * @param value What to write if there is none.
   * @param options Whether it expires if it is written.
   * @returns The value that is there now.
   */
  getOrInsert<K extends Key<T>>(key: K, value: At<T, K>, options?: ExpiryOptions): At<T, K> {
    return this.#bridge.run(() => this.#items.getOrInsert(key, value, options)) as At<T, K>;
  }

  /**
   * Gives a value another key.
   *
   * @param from The key.
   * @param to The other key.
   * @param options Whether a value that is there is replaced.
   * @returns Whether it was done.
   */
  rename(from: Key<T>, to: Key<T>, options?: ReplaceOptions): boolean {
    return this.#bridge.run(() => this.#items.rename(from, to, options));
  }

  /**
   * Writes a value to another key, too.
   *
   * @param from The key.
   * @param to The other key.
   * @param options Whether a value that is there is replaced.
   * @returns Whether it was done.
   */
  copy(from: Key<T>, to: Key<T>, options?: ReplaceOptions): boolean {
    return this.#bridge.run(() => this.#items.copy(from, to, options));
  }

  /**
   * Applies a JSON Patch (RFC 6902) to a value, all of it or nothing.
   *
   * @param key The key.
   * @param operations The operations.
   * @param options A time of its own.
   */
  patch(key: Key<T>, operations: readonly PatchOperation[], options?: CallOptions): void {
    this.#bridge.run(() => this.#items.patch(key, operations, options));
  }

  /**
   * Applies a JSON Merge Patch (RFC 7396) to a value, all of it or nothing.
   *
   * @param key The key.
   * @param patch What to merge.
   * @param options A time of its own.
   */
  merge<K extends Key<T>>(key: K, patch: MergePatch<At<T, K>>, options?: CallOptions): void {
    this.#bridge.run(() => this.#items.merge(key, patch, options));
  }

  /**
   * Changes any number of values, all at once or not at all; see `RedisJsonDict.edit`. The recipe uses its draft and no
   * value of the facade that the draft has, too: that would wait for the edit.
   *
   * @typeParam R What the recipe returns.
   * @param recipe Changes the draft; it may run more than once.
   * @param options How often it may run, and what to read before.
   * @returns What the recipe returned, as plain data.
   */
  edit<R>(recipe: (draft: Draft<T>) => Synchronous<R>, options?: DictEditOptions): R {
    return this.#bridge.run(() => this.#items.edit(recipe, options)) as R;
  }

  /**
   * Tells what an edit would send now, without sending it.
   *
   * @param recipe Changes the draft.
   * @param options What to read before.
   * @returns The guards and the ops.
   */
  explain<R>(recipe: (draft: Draft<T>) => Synchronous<R>, options?: DictEditOptions): Group {
    return this.#bridge.run(() => this.#items.explain(recipe, options));
  }

  /**
   * Tells in how many milliseconds a value expires: `Infinity` for never, `undefined` if there is none.
   *
   * @param key The key.
   * @param options A time of its own.
   * @returns Milliseconds from now; `Infinity` if it does not expire, `undefined` if there is none.
   */
  ttl(key: Key<T>, options?: CallOptions): number | undefined {
    return this.#bridge.run(() => this.#items.ttl(key, options));
  }

  /**
   * Lets a value expire in so many milliseconds.
   *
   * @param key The key.
   * @param ttl From now, in milliseconds.
   * @param options A time of its own.
   * @returns Whether there is a value.
   */
  expire(key: Key<T>, ttl: number, options?: CallOptions): boolean {
    return this.#bridge.run(() => this.#items.expire(key, ttl, options));
  }

  /**
   * Ends the expiry of a value.
   *
   * @param key The key.
   * @param options A time of its own.
   * @returns Whether it had an expiry.
   */
  persist(key: Key<T>, options?: CallOptions): boolean {
    return this.#bridge.run(() => this.#items.persist(key, options));
  }

  /**
   * Writes several values, all at once.
   *
   * @param values The values by key, or pairs.
   * @param options Whether they expire.
   */
  update(
    values: { readonly [K in Key<T>]?: At<T, K> } | Iterable<Readonly<Entry<T>>>,
    options?: ExpiryOptions,
  ): void {
    this.#bridge.run(() => this.#items.update(values, options));
  }

  /**
   * Goes through the keys, all of them at once.
   *
   * @param options Which keys.
   * @returns The keys, in no order.
   */
  keys(options?: KeysOptions): Key<T>[] {
    return [...this.#bridge.run(() => this.#items.keys(options))] as Key<T>[];
  }

  /**
   * Goes through the values, all of them at once.
   *
   * @param options A time of its own.
   * @returns The values, in no order.
   */
  values(options?: CallOptions): At<T, Key<T>>[] {
    const entries = this.#bridge.run(() => this.#items.entries("values", options));
    return entries.map(([, value]) => value as At<T, Key<T>>);
  }

  /**
   * Goes through the keys with their values, all of them at once.
   *
   * @param options A time of its own.
   * @returns Pairs, in no order.
   */
  entries(options?: CallOptions): Entry<T>[] {
    return this.#bridge.run(() => this.#items.entries("entries", options)) as Entry<T>[];
  }

  /** The same as {@linkcode BlockingDict.entries}, one after the other. */
  [Symbol.iterator](): Iterator<Entry<T>> {
    return this.entries()[Symbol.iterator]();
  }

  /**
   * Counts the keys.
   *
   * @param options A time of its own.
   * @returns How many there are.
   */
  size(options?: CallOptions): number {
    return this.#bridge.run(() => this.#items.size(options));
  }

  /**
   * Removes all values, each by itself.
   *
   * @param options A time of its own.
   * @returns How many were removed.
   */
  clear(options?: CallOptions): number {
    return this.#bridge.run(() => this.#items.clear(options));
  }

  /**
   * Reads everything.
   *
   * @param options A time of its own.
   * @returns A plain object.
   */
  toObject(options?: CallOptions): { [K in Key<T>]?: At<T, K> } {
    return this.#bridge.run(() => this.#items.toObject(options)) as { [key: string]: Json } as {
      [K in Key<T>]?: At<T, K>;
    };
  }

  /**
   * A place inside a value, by a selector. No I/O.
   *
   * @param selector Names a member of its argument, as in `(lab) => lab.sample.positions`.
   * @returns A ref to it, with the methods that fit the type of the value there.
   */
  at<V>(selector: (dict: Selection<T>) => Selected<V> | undefined): BlockingRef<V>;
  /** A whole value. */
  at<A extends KeyOf<T>>(a: A): BlockingRef<At<T, A>>;
  /** A place by its key and one segment. */
  at<A extends KeyOf<T>, B extends KeyOf<At<T, A>>>(a: A, b: B): BlockingRef<At<At<T, A>, B>>;
  /** A place by its key and any number of segments. */
  at<A extends KeyOf<T>, B extends KeyOf<At<T, A>>, C extends readonly [Segment, ...Segment[]]>(
    a: A,
    b: B,
    ...others: C & PathOf<AtPath<T, [A, B]>, C>
  ): BlockingRef<AtPath<T, [A, B, ...C]>>;
  /** A place by a path in a variable, its key first. The ref has all methods. */
  at<P extends readonly Segment[]>(...path: AnyPath<P>): BlockingRef<unknown>;
  at(...args: readonly (string | number | ((root: never) => unknown))[]): unknown {
    return new WaitingRef(this.#bridge, new Place(this.#local, readPath(args), false, {}));
  }

  /**
   * Finds out whether the call was applied whose answer was lost, and settles it; as the method `resolve` of the error, which
   * returns the same when it comes from here, but is typed as a promise.
   *
   * @param error What the call threw.
   * @returns Whether it was applied.
   * @throws {TimeoutError} If there is no answer in time.
   * @throws {TypeError} If there is no record of the call.
   */
  resolve(error: AmbiguousResultError): Verdict {
    if (error.callId === undefined) {
      throw new TypeError("Cannot resolve: there is no record of the call; read the value instead");
    }
    return error.resolve() as unknown as Verdict; // the worker has been waited for
  }

  /**
   * Ends the connection and the worker, after which nothing can be read or written.
   *
   * @param options How long it may take.
   */
  close(options: CloseOptions = {}): void {
    this.#bridge.close(readCloseTimeout(options, this.#bridge.settings.timeout));
  }

  /** The same as {@linkcode BlockingDict.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Names the dictionary, for messages. */
  toString(): string {
    return `BlockingDict(prefix ${formatPlace([this.prefix])})`;
  }
}
