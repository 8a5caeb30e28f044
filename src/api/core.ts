/**
 * The dictionary, on a client that a user brings.
 *
 * @module
 */

import type { Draft } from "../draft/draft.ts";
import type { DictEditOptions, Synchronous } from "./edit.ts";
import { checkClient, type RedisClient } from "../run/client.ts";
import { formatPlace } from "../data/path.ts";
import type { HoldsJson, Json, OnlyJson } from "../data/json.ts";
import type { Group } from "../data/op.ts";
import {
  type AnyPath,
  type At,
  type AtPath,
  type KeyOf,
  type PathOf,
  readKey,
  type Segment,
} from "../data/path.ts";
import type { Selected, Selection } from "../data/selector.ts";
import {
  type ExpiryOptions,
  type GetOptions,
  Items,
  type KeysOptions,
  type ReplaceOptions,
  type SetOptions,
} from "./items.ts";
import { type Lease, type LeaseOptions, takeLease } from "./lease.ts";
import type { MergePatch, PatchOperation } from "./patch.ts";
import { type AnyRef, createRef, pathsOf, type Ref } from "./ref.ts";
import { type CloseOptions, type DictOptions, readCloseTimeout, readOptions } from "../run/options.ts";
import type { CallOptions } from "../run/cancellation.ts";
import { checkOptions, type OptionName } from "../run/option.ts";
import { Store } from "../store/store.ts";
import type { DictWatchOptions, Ready, Watch } from "./feed.ts";
import type { Task } from "./task.ts";
import { watchItems } from "./watch_items.ts";

/**
 * The keys of a dictionary.
 *
 * @typeParam T The types of the values by key.
 */
export type Key<T> = KeyOf<T> & string;

/**
 * A key of a dictionary with its value.
 *
 * @typeParam T The types of the values by key.
 */
export type Entry<T> = { [K in Key<T>]: [key: K, value: At<T, K>] }[Key<T>];

/**
 * The options of a dictionary: `bigints` must be among them if a value may be a `bigint`.
 *
 * @typeParam T The types of the values by key.
 */
export type OptionsFor<T> = {
  readonly yes: DictOptions;
  readonly [no: number]: DictOptions & { readonly bigints: true };
}[HoldsJson<T>];

/**
 * An item of a dictionary that has changed; its value is `undefined` if it is gone.
 *
 * @typeParam T The types of the values by key.
 */
export type Change<T> = {
  [K in Key<T>]: { readonly key: K; readonly value: At<T, K> | undefined };
}[Key<T>];

/** Ends the connection of a dictionary, in so many milliseconds. */
type Quit = (ms: number) => Promise<void>;

let setQuit: <T extends object>(dict: RedisJsonDict<T>, quit: Quit) => void;
let getStore: <T extends object>(dict: RedisJsonDict<T>) => Store;

/**
 * Makes a dictionary end its connection when it is closed. Only for `connect`: a client of a user stays theirs.
 *
 * @param dict The dictionary.
 * @param quit Ends the connection.
 * @returns The dictionary.
 */
export function owning<T extends object>(dict: RedisJsonDict<T>, quit: Quit): RedisJsonDict<T> {
  setQuit(dict, quit);
  return dict;
}

/**
 * What is behind a dictionary.
 *
 * @param dict The dictionary.
 * @returns Its store.
 * @throws {TypeError} If it is none.
 */
export function storeOf<T extends object>(dict: RedisJsonDict<T>): Store {
  return getStore(dict);
}

/**
 * A dictionary of JSON values that lives in Redis.
 *
 * Each item is one Redis string: its key is `prefix + key`, its value is JSON text. Nothing is cached: every read
 * asks the server. Every change, however deep, is one atomic operation on the server that touches no other byte.
 *
 * Changes of one key keep the order in which they were issued, awaited or not; those that are issued while one is
 * under way leave together as one round trip. A read sees all earlier changes of the same dictionary object.
 *
 * Every call may reject with {@linkcode TimeoutError} or {@linkcode UnavailableError}, which changed nothing; a change
 * also with {@linkcode AmbiguousResultError} and, with the option `durability`, with {@linkcode DurabilityError}. The
 * methods list only the other errors.
 *
 * | method | Redis | round trips |
 * | --- | --- | --- |
 * | `get`, `getOrThrow` | GET; EVALSHA with `ttl` | 1 |
 * | `getMany` | MGET | 1, or 2 if some are missing |
 * | `readMany` | EVALSHA | 1 |
 * | `has`, `ttl` | TYPE; PTTL, TYPE | 1 |
 * | `set`, `delete`, `pop`, `getOrInsert`, `update`, `rename`, `copy`, `expire`, `persist` | EVALSHA | 1 |
 * | `at(...)` and its methods | EVALSHA | 1 |
 * | `lease` | EVALSHA; PTTL while it waits | 1, and 1 each third of `ttl` |
 * | `ready` | EVAL, EVALSHA | 2 |
 * | `keys`, `size` | SCAN | 1 for each 1000 keys of the server |
 * | `clear` | SCAN, script | 2 for each 1000 keys of the server |
 * | `values`, `entries`, `toObject` | SCAN, MGET | 2 for each 1000 keys of the server |
 *
 * @typeParam T The types of the values by key: an interface, or `Record<string, V>`.
 *
 * @example A dictionary shared by many processes
 * ```ts
 * import { RedisJsonDict } from "@json-dict/redis";
 * import { assertEquals } from "@std/assert";
 *
 * interface Lab {
 *   sample: { color: string; positions: number[] };
 *   scan_id: number;
 * }
 *
 * await using lab = RedisJsonDict.connect<Lab>("redis://localhost:6379", { prefix: "doc:dict:" });
 * await lab.set("sample", { color: "red", positions: [] });
 * await lab.at("sample", "positions").push(1.5);
 * await lab.at((lab) => lab.sample.color).set("blue");
 * assertEquals(await lab.get("sample"), { color: "blue", positions: [1.5] });
 * await lab.clear();
 * ```
 */
export class RedisJsonDict<T extends OnlyJson<T, bigint> = Record<string, Json>> {
  /** The prefix that is put before each key. */
  readonly prefix: string;
  readonly #store: Store;
  readonly #items: Items;
  #quit: Quit | undefined;

  static {
    setQuit = (dict, quit) => {
      dict.#quit = quit;
    };
    getStore = (dict) => {
      if (#store in Object(dict)) return dict.#store;
      throw new TypeError("Cannot use what is given as the dictionary: it is none; pass a RedisJsonDict");
    };
    // On the prototype and not in the class body, where declarations do not carry a name that is computed.
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), {
      value(this: RedisJsonDict): string {
        return this.toString();
      },
    });
  }

  /**
   * Makes a dictionary on a client that stays yours. No I/O.
   *
   * @param client A `Redis` or `Cluster` of ioredis with any settings, or what fits {@linkcode RedisClient}. For
   * `delivery: "at-most-once"` it needs `maxRetriesPerRequest: 0`, or `retryDelayOnFailover: 0` for a cluster, as
   * ioredis by default sends commands again.
   * @param options How it works.
   * @throws {TypeError} If the client does not fit, has a `keyPrefix`, or resends changes that must arrive at most once;
   * or if there is no `prefix`, no such option, or one of the wrong type.
   * @throws {RangeError} If the timeout or the heartbeat is not a positive number of milliseconds.
   *
   * @example Bring a client
   * ```ts
   * import { Redis } from "ioredis";
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * const client = new Redis("redis://localhost:6379", { maxRetriesPerRequest: 0 });
   * const settings = new RedisJsonDict<Record<string, string>>(client, { prefix: "doc:new:" });
   * await settings.set("theme", "dark");
   * assertEquals(await client.get("doc:new:theme"), '"dark"');
   * await settings.clear();
   * await client.quit();
   * ```
   */
  constructor(client: RedisClient, options: OptionsFor<T>) {
    const checked = readOptions(options);
    this.prefix = checked.prefix;
    this.#store = new Store(checkClient(client), checked);
    this.#items = new Items(this.#store);
  }

  /**
   * Connects, and finds out whether calls will work: the address, TLS, the user and the password, the number of the
   * database, the version, the rights of the user on the keys and the records, and whether the server takes changes.
   * No call needs it: each connects by itself. Two round trips; it changes nothing, but leaves a record as every change
   * does. Redis 6 reports only those missing rights that this needs. In a cluster one node is asked.
   *
   * @param options A signal, or a time of its own.
   * @returns Resolves when calls will work.
   * @throws {UnavailableError} If something is wrong that waiting does not mend; `reason` and the message say what. At
   * once for a user, a password, a database, a certificate, a version, or rights; else at the deadline.
   * @throws {TimeoutError} If there is no connection in time; the message says why.
   *
   * @example Before a service takes requests
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:ready:" });
   * await lab.ready({ timeout: 5_000 });
   * ```
   */
  async ready(options?: CallOptions): Promise<void> {
    await this.#do(this.#items.ready(options));
  }

  // ---- One item ----

  /**
   * Reads a value. One round trip: GET, or with `ttl` a script, whose record holds the value until the answer is here.
   *
   * @param key The key.
   * @param options Whether its expiry is moved.
   * @returns The value; `undefined` if there is none.
   * @throws {TypeError} If the key is not a well-formed string, or there is no such option.
   * @throws {RangeError} If `ttl` is not a positive number of milliseconds.
   * @throws {CorruptValueError} If the text in Redis is not JSON; its expiry is not moved.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example A session that ends a minute after it was last used
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assert, assertEquals } from "@std/assert";
   *
   * await using sessions = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:get:" });
   * await sessions.set("ada", { cart: [] }, { ttl: 1_000 });
   * assertEquals(await sessions.get("ada", { ttl: 60_000 }), { cart: [] });
   * assert((await sessions.ttl("ada"))! > 1_000);
   * await sessions.clear();
   * ```
   */
  async get<K extends Key<T>>(key: K, options?: GetOptions): Promise<At<T, K> | undefined> {
    return await this.#do(this.#items.get(key, options)) as At<T, K> | undefined;
  }

  /**
   * Reads a value that must be there. One round trip, as {@linkcode RedisJsonDict.get}.
   *
   * @param key The key.
   * @param options Whether its expiry is moved.
   * @returns The value.
   * @throws {KeyNotFoundError} If there is none.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async getOrThrow<K extends Key<T>>(key: K, options?: GetOptions): Promise<At<T, K>> {
    return await this.#do(this.#items.getOrThrow(key, options)) as At<T, K>;
  }

  /**
   * Reads several values as they are at one moment. One round trip (MGET), two if some are missing. More than 10,000
   * keys are read in several steps, and in a cluster those of each slot separately, each at a moment of its own.
   *
   * @param keys The keys.
   * @param options A signal, or a time of its own.
   * @returns A map of those that are there, in the order of the keys.
   * @throws {TypeError} If a key is not a well-formed string.
   * @throws {CorruptValueError} If a text in Redis is not JSON.
   * @throws {WrongTypeError} If a key is no Redis string.
   *
   * @example Read two of three
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:getMany:" });
   * await lab.update({ a: 1, b: [2] });
   * assertEquals([...await lab.getMany(["b", "nothing", "a"])], [["b", [2]], ["a", 1]]);
   * await lab.clear();
   * ```
   */
  async getMany<K extends Key<T>>(keys: Iterable<K>, options?: CallOptions): Promise<Map<K, At<T, K>>> {
    return await this.#do(this.#items.getMany(keys, options)) as Map<K, At<T, K>>;
  }

  /**
   * Reads several places at one moment; only these fragments leave the server. One round trip for each 1000 refs, and in
   * a cluster for each slot.
   *
   * @typeParam R The types of the refs.
   * @param refs Refs of this dictionary.
   * @param options A signal, or a time of its own.
   * @returns Their values in the same order; `undefined` where the value or anything on the way is missing.
   * @throws {TypeError} If one of them is no ref of this dictionary.
   * @throws {TypeMismatchError} If a path leads through a scalar.
   * @throws {CorruptValueError} If the text on the way or of a value is not JSON.
   * @throws {WrongTypeError} If a key is no Redis string.
   *
   * @example Some numbers out of large values
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:readMany:" });
   * await lab.update({ run: { frames: [1, 2, 3] }, sample: { color: "red" } });
   * const refs = [lab.at("run", "frames", -1), lab.at("sample", "color"), lab.at("sample", "size")];
   * assertEquals(await lab.readMany(refs), [3, "red", undefined]);
   * await lab.clear();
   * ```
   */
  async readMany<const R extends readonly Pick<AnyRef<unknown>, "path" | "getOrThrow">[]>(
    refs: R,
    options?: CallOptions,
  ): Promise<{ -readonly [I in keyof R]: Awaited<ReturnType<R[I]["getOrThrow"]>> | undefined }> {
    const read = this.#items.readMany(() => pathsOf(this.#store, refs), options);
    return await this.#do(read) as {
      -readonly [I in keyof R]: Awaited<ReturnType<R[I]["getOrThrow"]>> | undefined;
    };
  }

  /**
   * Reports whether there is a value; it stays on the server. One round trip (TYPE).
   *
   * @param key The key.
   * @param options A signal, or a time of its own.
   * @returns Whether there is one.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async has(key: Key<T>, options?: CallOptions): Promise<boolean> {
    return await this.#do(this.#items.has(key, options));
  }

  /**
   * Writes a value, whatever was there. One round trip.
   *
   * @param key The key.
   * @param value The value.
   * @param options Whether it expires.
   * @throws {TypeError} If JSON cannot hold the value, the key is not a well-formed string, or both `ttl` and
   * `keepTtl` are given.
   * @throws {RangeError} If `ttl` is not a positive number of milliseconds.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   *
   * @example Write a value that expires in a minute
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assert } from "@std/assert";
   *
   * await using sessions = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:set:" });
   * await sessions.set("ada", { cart: [] }, { ttl: 60_000 });
   * await sessions.at("ada", "cart").push("book"); // keeps the expiry
   * assert((await sessions.ttl("ada") ?? Infinity) <= 60_000);
   * await sessions.clear();
   * ```
   */
  async set<K extends Key<T>>(key: K, value: At<T, K>, options: SetOptions = {}): Promise<void> {
    await this.#do(this.#items.set(key, value, options));
  }

  /**
   * Removes a value. One round trip.
   *
   * @param key The key.
   * @param options A signal, or a time of its own.
   * @returns Whether there was one.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async delete(key: Key<T>, options?: CallOptions): Promise<boolean> {
    return await this.#do(this.#items.delete(key, options));
  }

  /**
   * Removes a value and returns it. One round trip; of many callers one gets it.
   *
   * @param key The key.
   * @param options A signal, or a time of its own.
   * @returns The value; `undefined` if there was none.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {CorruptValueError} If the text was not JSON; it is removed, and the error carries it.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async pop<K extends Key<T>>(key: K, options?: CallOptions): Promise<At<T, K> | undefined> {
    return await this.#do(this.#items.pop(key, options)) as At<T, K> | undefined;
  }

  /**
   * Removes some value and returns it with its key. One round trip if an earlier `popItem` has seen more keys than it
   * took. Otherwise a scan up to the first key, which goes on where the last one ended: one round trip for each 1000
   * keys of the server, whatever their prefix. To find that the dictionary is empty takes a scan of the whole server.
   *
   * @param options A signal, or a time of its own.
   * @returns The key and the value; `undefined` if the dictionary is empty.
   * @throws {CorruptValueError} If the text was not JSON; it is removed, and the error carries it.
   */
  async popItem(options?: CallOptions): Promise<Entry<T> | undefined> {
    return await this.#do(this.#items.popItem(options)) as Entry<T> | undefined;
  }

  /**
   * Reads a value, or writes it if there is none: one of many callers writes, all get the same. One round trip.
   *
   * @param key The key.
   * @param value What to write if there is none.
   * @param options Whether it expires if it is written; the expiry of a value that is there stays.
   * @returns The value that is there now.
   * @throws {TypeError} If JSON cannot hold the value, the key is not a well-formed string, or there is no such option.
   * @throws {RangeError} If `ttl` is not a positive number of milliseconds.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async getOrInsert<K extends Key<T>>(key: K, value: At<T, K>, options?: ExpiryOptions): Promise<At<T, K>> {
    return await this.#do(this.#items.getOrInsert(key, value, options)) as At<T, K>;
  }

  /**
   * Gives a value another key, text and expiry included; the value stays on the server. One round trip, atomic. In a
   * cluster both keys must be in one slot.
   *
   * @param from The key.
   * @param to The other key.
   * @param options Whether a value that is there is replaced.
   * @returns Whether it was done; `false` if there is a value at `to`, and nothing was changed.
   * @throws {TypeError} If a key is not a well-formed string, or there is no such option.
   * @throws {KeyNotFoundError} If there is no value at `from`.
   * @throws {CrossSlotError} If a cluster keeps the keys in different slots; before any I/O.
   * @throws {WrongTypeError} If a key is no Redis string; it is left alone, with `replace` too.
   *
   * @example A draft is published
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using pages = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:rename:" });
   * await pages.update({ draft: { title: "new" }, home: { title: "old" } });
   * assertEquals(await pages.rename("draft", "home"), false); // there is one
   * assertEquals(await pages.rename("draft", "home", { replace: true }), true);
   * assertEquals(await pages.toObject(), { home: { title: "new" } });
   * await pages.clear();
   * ```
   */
  async rename(from: Key<T>, to: Key<T>, options?: ReplaceOptions): Promise<boolean> {
    return await this.#do(this.#items.rename(from, to, options));
  }

  /**
   * Writes a value to another key as well, text and expiry included; the value stays on the server. One round trip,
   * atomic. In a cluster both keys must be in one slot.
   *
   * @param from The key.
   * @param to The other key.
   * @param options Whether a value that is there is replaced.
   * @returns Whether it was done; `false` if there is a value at `to`, and nothing was changed.
   * @throws {TypeError} If a key is not a well-formed string, or there is no such option.
   * @throws {KeyNotFoundError} If there is no value at `from`.
   * @throws {CrossSlotError} If a cluster keeps the keys in different slots; before any I/O.
   * @throws {WrongTypeError} If a key is no Redis string; it is left alone, with `replace` too.
   *
   * @example Keep what was there
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:copy:" });
   * await lab.set("run", { frames: [1] });
   * assertEquals(await lab.copy("run", "run.before"), true);
   * await lab.at("run", "frames").push(2);
   * assertEquals(await lab.get("run.before"), { frames: [1] });
   * await lab.clear();
   * ```
   */
  async copy(from: Key<T>, to: Key<T>, options?: ReplaceOptions): Promise<boolean> {
    return await this.#do(this.#items.copy(from, to, options));
  }

  // ---- Patches ----

  /**
   * Applies a JSON Patch (RFC 6902) to a value, all of it or nothing. One round trip.
   *
   * @param key The key.
   * @param operations The operations; the value need not be known for them.
   * @param options A signal, or a time of its own.
   * @throws {TypeError} If the operations are no JSON Patch, or JSON cannot hold a value.
   * @throws {PatchError} If an operation cannot be applied, or a test does not hold.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example Change what has not changed meanwhile
   * ```ts
   * import { PatchError, RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:patch:" });
   * await lab.set("sample", { color: "red", positions: [1, 3] });
   * await lab.patch("sample", [
   *   { op: "test", path: "/color", value: "red" },
   *   { op: "replace", path: "/color", value: "blue" },
   *   { op: "add", path: "/positions/1", value: 2 },
   * ]);
   * assertEquals(await lab.get("sample"), { color: "blue", positions: [1, 2, 3] });
   * await assertRejects(() => lab.patch("sample", [{ op: "remove", path: "/size" }]), PatchError);
   * await lab.clear();
   * ```
   */
  async patch(key: Key<T>, operations: readonly PatchOperation[], options?: CallOptions): Promise<void> {
    await this.#do(this.#items.patch(key, operations, options));
  }

  /**
   * Applies a JSON Merge Patch (RFC 7396) to a value, all of it or nothing: members of the patch replace those of the
   * value, objects are merged, `null` removes a member. One round trip.
   *
   * @param key The key; it is created if it is not there.
   * @param patch What to merge; anything but an object replaces the value.
   * @param options A signal, or a time of its own.
   * @throws {TypeError} If JSON cannot hold the patch.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   *
   * @example Change some settings
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using users = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:merge:" });
   * await users.set("ada", { theme: { dark: true, size: 12 }, beta: 1 });
   * await users.merge("ada", { theme: { size: 14 }, beta: null });
   * assertEquals(await users.get("ada"), { theme: { dark: true, size: 14 } });
   * await users.clear();
   * ```
   */
  async merge<K extends Key<T>>(key: K, patch: MergePatch<At<T, K>>, options?: CallOptions): Promise<void> {
    await this.#do(this.#items.merge(key, patch, options));
  }

  // ---- Edits ----

  /**
   * Changes any number of values, as if the dictionary were a plain object, all at once or not at all.
   *
   * The recipe gets a draft of the dictionary. What it reads becomes a guard, what it writes becomes an op of the
   * same name: `push` stays a push, so pushes of many clients come together; `+= 1` becomes a write that holds
   * only if nobody else changed the number. If somebody did, nothing is changed, and the recipe runs again on the
   * fresh values. So it must be synchronous, and do nothing but change its draft. If it throws, all of it
   * is discarded. Edits that touch different parts of a value do not conflict.
   *
   * Two round trips: one reads the value that the recipe touches first, one commits; one less if nothing is read or
   * nothing is written. Each further key that the recipe reads costs one more, unless `keys` names it. Each run that
   * was in conflict costs one more.
   *
   * In a draft, everything works that works with plain data. What JSON cannot represent throws: holes in arrays,
   * `undefined`, accessors, frozen objects. The number that `push` and `unshift` return does not count as a read,
   * `length` does. `draft.key = value` keeps the expiry of the key; a key that was not there expires after `ttl`.
   *
   * @typeParam R What the recipe returns.
   * @param recipe Changes the draft; it may run more than once.
   * @param options How often it may run, and what to read before.
   * @returns What the recipe returned, as plain data.
   * @throws {ConflictError} If others changed what the recipe reads, every time it ran.
   * @throws {TypeError} If the recipe is async, or writes what JSON cannot hold.
   * @throws {RangeError} If the recipe writes beyond the end of an array, or reads more than 1000 keys.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If a key is no Redis string.
   *
   * @example Move money
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using bank = RedisJsonDict.connect<Record<string, { money: number; log: string[] }>>(
   *   "redis://localhost:6379",
   *   { prefix: "doc:edit:" },
   * );
   * await bank.update({ ada: { money: 10, log: [] }, ben: { money: 0, log: [] } });
   * const left = await bank.edit((draft) => {
   *   if (draft.ada.money < 5) throw new Error("not enough"); // changes nothing
   *   draft.ada.money -= 5;
   *   draft.ben.money += 5;
   *   draft.ben.log.push("5 from ada");
   *   return draft.ada.money;
   * });
   * assertEquals(left, 5);
   * assertEquals(await bank.get("ben"), { money: 5, log: ["5 from ada"] });
   * await bank.clear();
   * ```
   */
  async edit<R>(recipe: (draft: Draft<T>) => Synchronous<R>, options: DictEditOptions = {}): Promise<R> {
    return await this.#do(this.#items.edit(recipe, options));
  }

  /**
   * Returns what an edit would send now, without sending it: guards, then ops. It reads as the edit does.
   *
   * @typeParam R What the recipe returns.
   * @param recipe Changes the draft.
   * @param options What to read before.
   * @returns The guards and the ops; none if the recipe changes nothing.
   * @throws {TypeError} If the recipe is async, or writes what JSON cannot hold.
   * @throws {RangeError} If the recipe writes beyond the end of an array, or reads more than 1000 keys.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If a key is no Redis string.
   *
   * @example See what goes over the wire
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:explain:" });
   * await lab.set("sample", { positions: [1] });
   * assertEquals(await lab.explain((draft) => draft.sample.positions.push(2)), [
   *   { kind: "push", path: ["sample", "positions"], items: ["2"] },
   * ]);
   * await lab.clear();
   * ```
   */
  async explain<R>(
    recipe: (draft: Draft<T>) => Synchronous<R>,
    options: DictEditOptions = {},
  ): Promise<Group> {
    return await this.#do(this.#items.explain(recipe, options));
  }

  /**
   * Waits until all changes of live documents are in Redis, and shown by those that follow.
   *
   * @returns Resolves when all of them are applied.
   * @throws {JsonDictError} If one of them failed, and that was not reported yet.
   * @throws {TimeoutError} If one that follows could not be read in time; its changes are in Redis.
   * @throws {AggregateError} If several did; `errors` has all of them.
   */
  settled(): Promise<void> {
    return this.#store.bursts.settled();
  }

  // ---- Expiry ----

  /**
   * Reports when a value expires. One round trip (PTTL and TYPE).
   *
   * @param key The key.
   * @param options A signal, or a time of its own.
   * @returns Milliseconds from now; `Infinity` if it does not expire, `undefined` if there is none.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async ttl(key: Key<T>, options?: CallOptions): Promise<number | undefined> {
    return await this.#do(this.#items.ttl(key, options));
  }

  /**
   * Sets when a value expires. One round trip.
   *
   * @param key The key.
   * @param ttl Milliseconds from now (not seconds).
   * @param options A signal, or a time of its own.
   * @returns Whether there is a value.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {RangeError} If `ttl` is not a positive number of milliseconds.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async expire(key: Key<T>, ttl: number, options?: CallOptions): Promise<boolean> {
    return await this.#do(this.#items.expire(key, ttl, options));
  }

  /**
   * Ends the expiry of a value. One round trip.
   *
   * @param key The key.
   * @param options A signal, or a time of its own.
   * @returns Whether it had one.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async persist(key: Key<T>, options?: CallOptions): Promise<boolean> {
    return await this.#do(this.#items.persist(key, options));
  }

  // ---- All items ----

  /**
   * Writes several values, all at once: no other client sees only some of them. They expire after `ttl`, or never
   * without it. One round trip. In a cluster this holds for the keys of each slot; each slot has a call of its own.
   *
   * @param values The values by key.
   * @param options Whether they expire.
   * @throws {TypeError} If JSON cannot hold a value, or a key is not a well-formed string.
   * @throws {RangeError} If there are more than 10,000 keys.
   * @throws {WrongTypeError} If a key is no Redis string; nothing is written.
   */
  update(values: { readonly [K in Key<T>]?: At<T, K> }, options?: ExpiryOptions): Promise<void>;
  /** The same for a Map, or anything else that gives pairs. Of pairs with the same key the last counts. */
  update(entries: Iterable<Readonly<Entry<T>>>, options?: ExpiryOptions): Promise<void>;
  async update(values: object, options?: ExpiryOptions): Promise<void> {
    await this.#do(this.#items.update(values, options));
  }

  /**
   * Iterates over the keys. One round trip (SCAN) for each 1000 keys of the server, whatever their prefix.
   *
   * A key that is there all the time comes exactly once; one that comes or goes meanwhile at most once. In a cluster,
   * all masters are asked, and again if slots have moved meanwhile: up to five times, so that only a key that moved
   * each time can be missed.
   *
   * @param options Which keys.
   * @returns The keys, in no order.
   * @throws {TypeError} If there is no such option, or `startsWith` is not a well-formed string.
   * @throws {RangeError} If `limit` is a negative number, or no integer.
   *
   * @example At most ten runs of July
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using runs = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:keys:" });
   * await runs.update({ "2031-07-01": 1, "2031-07-02": 2, "2031-08-01": 3 });
   * const july = await Array.fromAsync(runs.keys({ startsWith: "2031-07-", limit: 10 }));
   * assertEquals(july.sort(), ["2031-07-01", "2031-07-02"]);
   * await runs.clear();
   * ```
   */
  keys(options?: KeysOptions): AsyncGenerator<Key<T>, void> {
    const store = this.#within("iterate over the keys", options, ["startsWith", "limit"]);
    const { startsWith = "", limit = Infinity } = options ?? {};
    return this.#keys(store, readKey(startsWith), limit);
  }

  async *#keys(store: Store, startsWith: string, limit: number): AsyncGenerator<Key<T>, void> {
    if (limit === 0) return;
    let left = limit;
    for await (const page of store.keys("keys", startsWith)) {
      yield* page.slice(0, left) as readonly string[] as readonly Key<T>[];
      left -= page.length;
      if (left <= 0) return;
    }
  }

  /**
   * Iterates over the values. Two round trips (SCAN, MGET) for each 1000 keys of the server.
   *
   * @param options A signal, or a time of its own.
   * @returns The values, in no order.
   * @throws {CorruptValueError} If a text in Redis is not JSON.
   */
  values(options?: CallOptions): AsyncGenerator<At<T, Key<T>>, void> {
    return this.#values(this.#within("iterate over the values", options));
  }

  async *#values(store: Store): AsyncGenerator<At<T, Key<T>>, void> {
    for await (const page of store.items("values")) {
      for (const [key, text] of page) yield this.#decode(text, "values", key);
    }
  }

  /**
   * Iterates over the keys with their values. Two round trips (SCAN, MGET) for each 1000 keys of the server.
   *
   * @param options A signal, or a time of its own.
   * @returns Pairs, in no order.
   * @throws {CorruptValueError} If a text in Redis is not JSON.
   *
   * @example Everything with this prefix
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<Record<string, number>>("redis://localhost:6379", {
   *   prefix: "doc:entries:",
   * });
   * await lab.update({ a: 1, b: 2 });
   * let sum = 0;
   * for await (const [_key, value] of lab) sum += value;
   * assertEquals(sum, 3);
   * assertEquals(await lab.clear(), 2);
   * ```
   */
  entries(options?: CallOptions): AsyncGenerator<Entry<T>, void> {
    return this.#entries(this.#within("iterate over the entries", options));
  }

  async *#entries(store: Store): AsyncGenerator<Entry<T>, void> {
    for await (const page of store.items("entries")) {
      for (const [key, text] of page) yield [key, this.#decode(text, "entries", key)] as Entry<T>;
    }
  }

  /** The same as {@linkcode RedisJsonDict.entries}. */
  [Symbol.asyncIterator](): AsyncGenerator<Entry<T>, void> {
    return this.entries();
  }

  /**
   * Counts the keys. One round trip (SCAN) for each 1000 keys of the server.
   *
   * @param options A signal, or a time of its own.
   * @returns How many there are.
   */
  async size(options?: CallOptions): Promise<number> {
    return await this.#do(this.#items.size(options));
  }

  /**
   * Removes all values, but not as one atomic change. One round trip (SCAN) for each 1000 keys of the server, and one
   * for each 500 that are removed; in a cluster, one for each slot.
   *
   * @param options A signal, or a time of its own.
   * @returns How many were removed.
   */
  async clear(options?: CallOptions): Promise<number> {
    return await this.#do(this.#items.clear(options));
  }

  /**
   * Reads everything. Two round trips (SCAN, MGET) for each 1000 keys of the server.
   *
   * @param options A signal, or a time of its own.
   * @returns A plain object; every key is an own property, `__proto__` too.
   * @throws {CorruptValueError} If a text in Redis is not JSON.
   */
  async toObject(options?: CallOptions): Promise<{ [K in Key<T>]?: At<T, K> }> {
    return await this.#do(this.#items.toObject(options)) as { [K in Key<T>]?: At<T, K> };
  }

  // ---- Watching ----

  /**
   * Watches all items: gives each that has another value, whoever writes it, and `undefined` for the value of one that
   * is gone, also where it expired, was evicted or flushed.
   *
   * Values that are replaced soon may be skipped, the last one of an item never is. It begins by reading all items, as
   * `entries` does: what changes after that is told. With `initial` it gives these, too, then a {@linkcode Ready} whose
   * `key` is `undefined`, then what changes, without a gap. It remembers about 100 bytes for each item, whatever the
   * consumer does. Keys that are no Redis strings are no items.
   *
   * @param options What it begins with, and what ends it.
   * @returns The changes, each by itself. It ends by `break`, `return()`, its signal, and {@linkcode RedisJsonDict.close}.
   * @throws {TypeError} If the options are wrong, or the dictionary is closed.
   *
   * The iteration fails with:
   *
   * - `UnavailableError` if the server or the client cannot tell of changes, or the user has not got the right.
   * - `TimeoutError` if the items cannot be read in time at first.
   * - `CorruptValueError` if the text of an item that is to be given is not JSON.
   *
   * @example Keep a copy up to date
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<Record<string, number>>("redis://localhost:6379", {
   *   prefix: "doc:watch:",
   * });
   * await lab.update({ a: 1, b: 2 });
   * const copy = new Map<string, number>();
   * for await (const { key, value } of lab.watch({ initial: true })) {
   *   if (key === undefined) await lab.delete("a"); // all that was there has come
   *   else if (value !== undefined) copy.set(key, value);
   *   else if (copy.delete(key)) break;
   * }
   * assertEquals([...copy], [["b", 2]]);
   * await lab.clear();
   * ```
   */
  watch(options: DictWatchOptions & { readonly initial: true }): Watch<Change<T> | Ready>;
  /** Without what is there first. */
  watch(options?: DictWatchOptions & { readonly initial?: false }): Watch<Change<T>>;
  /** With what is there first, perhaps. */
  watch(options?: DictWatchOptions): Watch<Change<T> | Ready>;
  watch(options: DictWatchOptions = {}): Watch<Change<T> | Ready> {
    return watchItems(this.#store, options) as Watch<Change<T> | Ready>; // what is in Redis is what the user says it is
  }

  // ---- Leases ----

  /**
   * Takes a lease: writes a value that only this holder keeps, and renews it until it is released. It is taken where
   * there is no value; one that is there, whoever wrote it, is left alone. When its process dies, it ends by `ttl`.
   *
   * One round trip. Then one each third of `ttl`, which does not wait for other calls; a wait takes some more. What a
   * lease promises, and what it cannot, says docs/guarantees.md.
   *
   * @param key The key.
   * @param value The value, for others to see.
   * @param options For how long, and whether to wait for a lease that somebody else has.
   * @returns The lease; `undefined` if somebody else has it, at the end of the wait, or if the answer came so late that
   * the lease was over. Never `undefined` with `wait: true`.
   * @throws {TypeError} If JSON cannot hold the value, the key is not a well-formed string, or an option is missing or
   * wrong.
   * @throws {RangeError} If `ttl` is not an integer from 100 milliseconds to 24 days, or `wait` is negative.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   * @throws {AmbiguousResultError} If the answer was lost. If it was taken, nobody renews it, and it ends by `ttl`.
   * @throws {UnavailableError} With the reason `"CLOSED"` if the dictionary is closed during the wait.
   *
   * @example Only one at a time
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assert, assertEquals } from "@std/assert";
   *
   * await using lab = RedisJsonDict.connect<{ beam: { by: string } }>("redis://localhost:6379", {
   *   prefix: "doc:lease:",
   * });
   * {
   *   await using lease = await lab.lease("beam", { by: "ada" }, { ttl: 10_000 });
   *   assert(lease !== undefined); // else somebody else has it
   *   assertEquals(await lab.get("beam"), { by: "ada" });
   *   assertEquals(await lab.lease("beam", { by: "bob" }, { ttl: 10_000 }), undefined);
   *   lease.signal.throwIfAborted(); // before each step that needs it
   * }
   * assertEquals(await lab.has("beam"), false);
   * ```
   */
  lease<K extends Key<T>>(
    key: K,
    value: At<T, K>,
    options: LeaseOptions & { readonly wait: true },
  ): Promise<Lease<At<T, K>>>;
  /** Without waiting, or for some time. */
  lease<K extends Key<T>>(
    key: K,
    value: At<T, K>,
    options: LeaseOptions,
  ): Promise<Lease<At<T, K>> | undefined>;
  async lease<K extends Key<T>>(
    key: K,
    value: At<T, K>,
    options: LeaseOptions,
  ): Promise<Lease<At<T, K>> | undefined> {
    return await takeLease(this.#store, key, value, options) as Lease<At<T, K>> | undefined;
  }

  // ---- Inside a value ----

  /**
   * A place inside a value. No I/O.
   *
   * @param selector Names a member of its argument, as in `(lab) => lab.sample.positions`.
   * @returns A ref to it, with the methods that fit the type of the value there.
   * @throws {TypeError} If the selector does anything else, or a segment is neither a string nor an integer.
   *
   * @example Two ways to say the same
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   * import { assertEquals } from "@std/assert";
   *
   * interface Lab {
   *   sample: { positions: number[] };
   * }
   * await using lab = RedisJsonDict.connect<Lab>("redis://localhost:6379", { prefix: "doc:at:" });
   * await lab.set("sample", { positions: [1, 2] });
   * assertEquals(await lab.at("sample", "positions", -1).get(), 2);
   * assertEquals(await lab.at((lab) => lab.sample.positions[0]).increment(), 2);
   * await lab.clear();
   * ```
   */
  at<V>(selector: (dict: Selection<T>) => Selected<V> | undefined): Ref<V>;
  /**
   * A place by a path in a variable, as `at(...path)`, its key first. The type of the value there is unknown, so the
   * ref has all methods.
   */
  at<P extends readonly Segment[]>(...path: AnyPath<P>): Ref<unknown>;
  /** A place by its key and any number of segments. */
  at<
    A extends KeyOf<T>,
    B extends KeyOf<At<T, A>>,
    C extends KeyOf<At<At<T, A>, B>>,
    D extends KeyOf<At<At<At<T, A>, B>, C>>,
    E extends KeyOf<At<At<At<At<T, A>, B>, C>, D>>,
    F extends readonly [Segment, ...Segment[]],
  >(
    a: A,
    b: B,
    c: C,
    d: D,
    e: E,
    ...others: F & PathOf<AtPath<T, [A, B, C, D, E]>, F>
  ): Ref<AtPath<T, [A, B, C, D, E, ...F]>>;
  /** A whole value. */
  at<A extends KeyOf<T>>(a: A): Ref<At<T, A>>;
  /** A place by its key and one segment. */
  at<A extends KeyOf<T>, B extends KeyOf<At<T, A>>>(a: A, b: B): Ref<At<At<T, A>, B>>;
  /** A place by its key and two segments. */
  at<A extends KeyOf<T>, B extends KeyOf<At<T, A>>, C extends KeyOf<At<At<T, A>, B>>>(
    a: A,
    b: B,
    c: C,
  ): Ref<At<At<At<T, A>, B>, C>>;
  /** A place by its key and three segments. */
  at<
    A extends KeyOf<T>,
    B extends KeyOf<At<T, A>>,
    C extends KeyOf<At<At<T, A>, B>>,
    D extends KeyOf<At<At<At<T, A>, B>, C>>,
  >(a: A, b: B, c: C, d: D): Ref<At<At<At<At<T, A>, B>, C>, D>>;
  /** A place by its key and four segments. */
  at<
    A extends KeyOf<T>,
    B extends KeyOf<At<T, A>>,
    C extends KeyOf<At<At<T, A>, B>>,
    D extends KeyOf<At<At<At<T, A>, B>, C>>,
    E extends KeyOf<At<At<At<At<T, A>, B>, C>, D>>,
  >(a: A, b: B, c: C, d: D, e: E): Ref<At<At<At<At<At<T, A>, B>, C>, D>, E>>;
  at(...args: readonly (string | number | ((root: never) => unknown))[]): unknown {
    this.#store.check();
    return createRef(this.#store, args);
  }

  /**
   * Names the dictionary, for messages.
   *
   * @returns For example `RedisJsonDict(prefix "lab:")`.
   */
  toString(): string {
    return `RedisJsonDict(prefix ${formatPlace([this.prefix])})`;
  }

  // ---- Ending ----

  /**
   * Closes the dictionary: it accepts no more calls, waits for those that it accepted, and ends the connection if
   * `connect` made it.
   *
   * A call that is not settled in time rejects: with {@linkcode TimeoutError} if it was not sent, or else with
   * {@linkcode AmbiguousResultError}. An iteration ends at its next step.
   *
   * @param options How long it may take.
   * @returns Resolves when nothing is under way any more.
   * @throws {JsonDictError} If a live document failed, and that was not reported yet; the dictionary is closed all the
   * same.
   * @throws {AggregateError} If several failed.
   * @throws {RangeError} If `timeout` is not a positive number of milliseconds.
   *
   * @example In a function that is stopped soon
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   *
   * const counters = RedisJsonDict.connect<Record<string, number>>("redis://localhost:6379", {
   *   prefix: "close:",
   * });
   * counters.at("visits").increment(1, { parents: true }).catch(console.error); // not awaited
   * await counters.close({ timeout: 4_000 }); // but waited for here
   * ```
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const ms = readCloseTimeout(options, this.#store.settings.timeout);
    const endsAt = performance.now() + ms;
    const wasOpen = await this.#store.close(ms);
    if (wasOpen) await this.#quit?.(endsAt - performance.now());
    await this.#store.bursts.settled();
  }

  /** The same as {@linkcode RedisJsonDict.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #do<R>({ options, steps }: Task<R>): Promise<R> {
    return this.#store.within(options).drive(steps);
  }

  /** Where a call with such options goes. */
  #within(operation: string, options: CallOptions | undefined, names: readonly OptionName[] = []): Store {
    checkOptions(operation, options, [...names, "timeout", "signal"]);
    return this.#store.within(options);
  }

  /** What is in Redis is what the user says it is. */
  #decode<K extends Key<T>>(text: string, operation: string, key: string): At<T, K> {
    return this.#store.codec.decode(text, operation, [key]) as At<T, K>;
  }
}
