/**
 * The dictionary.
 *
 * @module
 */

import type { Draft } from "./draft.ts";
import { type DictEditOptions, DictScope, edit, explain } from "./edit.ts";
import { checkClient, openClient, type RedisClient } from "./client.ts";
import { KeyNotFoundError, WrongTypeError } from "./errors.ts";
import { formatPlace, type Json } from "./json.ts";
import type { Group, Op } from "./op.ts";
import { type At, type KeyOf, readKey, type Selected, type Selection } from "./path.ts";
import { merge, type MergePatch, patch, type PatchOperation } from "./patch.ts";
import { createRef, type Ref } from "./ref.ts";
import { RECORD_MARKER } from "./record.ts";
import { type Delivery, type Durability, Store, type StoreOptions } from "./store.ts";
import type { DictWatchOptions, Ready, Watch } from "./feed.ts";
import { watchItems } from "./watch_items.ts";

/** How a dictionary works. */
export interface DictOptions {
  /**
   * Put before each key, so that several dictionaries and other data share a server. Usually it ends with a
   * separator, as `"lab:"`. A prefix that is the beginning of another one shares its keys.
   *
   * @default {""}
   */
  readonly prefix?: string;
  /**
   * Read integers beyond 2^53 - 1 as `bigint`, exactly, and write `bigint`. Without it they read as the nearest
   * number, as `JSON.parse` does, and `bigint` is refused.
   *
   * @default {false}
   */
  readonly bigints?: boolean;
  /**
   * How long one call may take, in milliseconds: waiting for a connection and all attempts to get an answer count,
   * waiting behind earlier changes of the same key does not.
   *
   * @default {10000}
   */
  readonly timeout?: number;
  /**
   * How often a change is applied when a connection is lost. With `"exactly-once"` it is sent again until there is an
   * answer, and the server keeps a record of it for a while, 2 * `timeout` + 60 seconds, by which a request that
   * arrives twice is applied once. With `"at-most-once"` it is sent once and there are no records: a lost answer is an
   * {@linkcode AmbiguousResultError} at once. The client must not send it again either, see
   * {@linkcode RedisJsonDict.constructor}.
   *
   * @default {"exactly-once"}
   */
  readonly delivery?: Delivery;
  /**
   * How often a connection that watches is asked whether it is still there, in milliseconds. One that has gone without a
   * word is noticed within `heartbeat` + `timeout`.
   *
   * @default {5000}
   */
  readonly heartbeat?: number;
  /**
   * What the names of records begin with. Where it does not end with `json-dict:op:`, that is added, so that no
   * dictionary takes the records of another one for its own keys; a hash tag and an id follow. Users of the server who
   * may not use all keys need the right to it.
   *
   * @default {"json-dict:op:"}
   */
  readonly recordPrefix?: string;
  /**
   * Lets a change count only when so many replicas have it, waiting for them for `timeout` milliseconds (half of that of
   * the dictionary by default). If they do not, it is a {@linkcode DurabilityError}: the change was applied all the same.
   * This time comes on top of `timeout`. One round trip more for each change, two in a cluster; nothing else is answered on the connection meanwhile. It
   * makes the loss of a change with its server unlikely, not impossible: Redis may promote a replica without it.
   */
  readonly durability?: { readonly replicas: number; readonly timeout?: number };
}

/** How a dictionary is closed. */
export interface CloseOptions {
  /**
   * How long closing may take, in milliseconds.
   *
   * @default The `timeout` of the dictionary.
   */
  readonly timeout?: number;
}

/** How a whole value is written. */
export interface SetOptions {
  /** The value expires after so many milliseconds. Without `ttl` and `keepTtl` it does not expire. */
  readonly ttl?: number;
  /** The expiry of the value before it stays. */
  readonly keepTtl?: boolean;
}

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
 * An item of a dictionary that has changed; its value is `undefined` if it is gone.
 *
 * @typeParam T The types of the values by key.
 */
export type Change<T> = {
  [K in Key<T>]: { readonly key: K; readonly value: At<T, K> | undefined };
}[Key<T>];

const DEFAULT_TIMEOUT = 10_000;
const DEFAULT_HEARTBEAT = 5_000;
/** How many keys go into one command. */
const MAX_KEYS = 10_000;
/** The longest delay of a timer, and more than 24 days. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/**
 * A dictionary of JSON values that lives in Redis.
 *
 * Each item is one Redis string: its key is `prefix + key`, its value is JSON text. Nothing is cached: every read
 * asks the server. Every change, however deep, is one atomic operation on the server that touches no other byte.
 *
 * Changes of one key keep the order in which they were issued, awaited or not; those that are issued while one is
 * under way leave together as one round trip. A read sees all earlier changes of the same dictionary object.
 *
 * | method | Redis | round trips |
 * | --- | --- | --- |
 * | `get`, `getOrThrow` | GET | 1 |
 * | `getMany` | MGET | 1, or 2 if some are missing |
 * | `has`, `ttl` | TYPE; PTTL, TYPE | 1 |
 * | `set`, `delete`, `pop`, `getOrInsert`, `update`, `expire`, `persist` | EVALSHA | 1 |
 * | `at(...)` and its methods | EVALSHA | 1 |
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
export class RedisJsonDict<T extends object = Record<string, Json>> {
  /** The prefix that is put before each key. */
  readonly prefix: string;
  readonly #store: Store;
  #quit: ((ms: number) => Promise<void>) | undefined;

  static {
    // On the prototype and not in the class body, where declarations do not carry a name that is computed.
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), {
      value(this: RedisJsonDict): string {
        return `RedisJsonDict(prefix ${formatPlace([this.prefix])})`;
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
   * @throws {TypeError} If the client does not fit, has a `keyPrefix`, or sends changes again that must arrive at most
   * once, or an option has the wrong type.
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
  constructor(client: RedisClient, options: DictOptions = {}) {
    const checked = readOptions(options);
    this.prefix = checked.prefix;
    this.#store = new Store(checkClient(client), checked);
  }

  /**
   * Makes a dictionary with a connection of its own, which {@linkcode RedisJsonDict.close} ends. It connects in the
   * background, and again after a loss.
   *
   * @typeParam T The types of the values by key.
   * @param url Where the server is, as `redis://localhost:6379/0`. For a cluster, a list with the addresses of some of
   * its nodes; the user and the password of the first hold for all.
   * @param options How it works.
   * @returns The dictionary; `await using` closes it.
   * @throws {TypeError} If the address is not one of Redis, or an option has the wrong type.
   * @throws {RangeError} If the timeout or the heartbeat is not a positive number of milliseconds.
   *
   * @example Connect for as long as a block lasts
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:connect:" });
   * console.log(await lab.size());
   * ```
   */
  static connect<T extends object = Record<string, Json>>(
    url: string | URL | readonly (string | URL)[],
    options: DictOptions = {},
  ): RedisJsonDict<T> {
    const { timeout } = readOptions(options); // before there is a connection that nobody could close
    const { client, quit } = openClient(url, timeout);
    const dict = new RedisJsonDict<T>(client, options);
    dict.#quit = quit;
    return dict;
  }

  // ---- One item ----

  /**
   * Reads a value. One round trip (GET).
   *
   * @param key The key.
   * @returns The value; `undefined` if there is none.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async get<K extends Key<T>>(key: K): Promise<At<T, K> | undefined> {
    const text = await this.#store.command("get", "GET", readKey(key));
    return text === null ? undefined : this.#decode<K>(String(text), "get", key);
  }

  /**
   * Reads a value that must be there. One round trip (GET).
   *
   * @param key The key.
   * @returns The value.
   * @throws {KeyNotFoundError} If there is none.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async getOrThrow<K extends Key<T>>(key: K): Promise<At<T, K>> {
    const text = await this.#store.command("get", "GET", readKey(key));
    if (text === null) throw new KeyNotFoundError({ operation: "get", path: [key] });
    return this.#decode<K>(String(text), "get", key);
  }

  /**
   * Reads several values as they are at one moment. One round trip (MGET), two if some are missing. More than
   * 10,000 keys are read in so many steps, and in a cluster those of each slot for themselves.
   *
   * @param keys The keys.
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
  async getMany<K extends Key<T>>(keys: Iterable<K>): Promise<Map<K, At<T, K>>> {
    if (typeof keys === "string") {
      // It would be taken for the keys that its characters name.
      throw new TypeError("Cannot get many: received a string, expected an array of keys");
    }
    const wanted = [...new Set([...keys])];
    wanted.forEach(readKey);
    const found = new Map<K, At<T, K>>();
    for (let from = 0; from < wanted.length; from += MAX_KEYS) {
      const page = wanted.slice(from, from + MAX_KEYS);
      const texts = await this.#store.texts(page);
      page.forEach((key, index) => {
        const text = texts[index];
        if (text !== undefined) found.set(key, this.#decode<K>(text, "getMany", key));
      });
    }
    return found;
  }

  /**
   * Tells whether there is a value; it stays on the server. One round trip (TYPE).
   *
   * @param key The key.
   * @returns Whether there is one.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async has(key: Key<T>): Promise<boolean> {
    const type = await this.#store.command("has", "TYPE", readKey(key));
    if (type !== "string" && type !== "none") {
      throw new WrongTypeError({ operation: "has", path: [key], found: String(type) });
    }
    return type === "string";
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
    const { ttl, keepTtl = false } = options;
    if (ttl !== undefined && keepTtl) {
      throw new TypeError(`Cannot set ${formatPlace([key])}: ttl and keepTtl exclude each other`);
    }
    const expiry = ttl === undefined ? (keepTtl ? {} : { ttl: 0 }) : { ttl: checkTtl(ttl) };
    await this.#apply({ kind: "set", path: [readKey(key)], value: this.#encode(value, key), ...expiry });
  }

  /**
   * Removes a value. One round trip.
   *
   * @param key The key.
   * @returns Whether there was one.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async delete(key: Key<T>): Promise<boolean> {
    return await this.#apply({ kind: "delete", path: [readKey(key)] }) === "true";
  }

  /**
   * Removes a value and returns it. One round trip; of many callers one gets it.
   *
   * @param key The key.
   * @returns The value; `undefined` if there was none.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {CorruptValueError} If the text was not JSON; it is removed, and the error carries it.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async pop<K extends Key<T>>(key: K): Promise<At<T, K> | undefined> {
    const text = await this.#apply({ kind: "take", path: [readKey(key)] }, "pop");
    return text === "" ? undefined : this.#decode<K>(text, "pop", key);
  }

  /**
   * Removes some value and returns it with its key. One round trip where an earlier `popItem` has seen more keys than it
   * took. Else a scan up to the first key, which goes on where the last one ended: one round trip for each 1000 keys of
   * the server, whatever their prefix. That the dictionary is empty takes a scan of the whole server.
   *
   * @returns The key and the value; `undefined` if the dictionary is empty.
   * @throws {CorruptValueError} If the text was not JSON; it is removed, and the error carries it.
   */
  async popItem(): Promise<Entry<T> | undefined> {
    const item = await this.#store.popItem();
    if (item === undefined) return undefined;
    const [key, text] = item;
    return [key, this.#decode(text, "popItem", key)] as Entry<T>;
  }

  /**
   * Reads a value, or writes it if there is none: one of many callers writes, all get the same. One round trip.
   *
   * @param key The key.
   * @param value What to write if there is none.
   * @returns The value that is there now.
   * @throws {TypeError} If JSON cannot hold the value, or the key is not a well-formed string.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async getOrInsert<K extends Key<T>>(key: K, value: At<T, K>): Promise<At<T, K>> {
    const text = this.#encode(value, key);
    const op: Op = { kind: "set", path: [readKey(key)], value: text, when: "absent" };
    const found = await this.#apply(op, "getOrInsert");
    return this.#decode<K>(found || text, "getOrInsert", key);
  }

  // ---- Patches ----

  /**
   * Applies a JSON Patch (RFC 6902) to a value, all of it or nothing. One round trip.
   *
   * @param key The key.
   * @param operations The operations; the value need not be known for them.
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
  async patch(key: Key<T>, operations: readonly PatchOperation[]): Promise<void> {
    await patch(this.#store, [readKey(key)], operations);
  }

  /**
   * Applies a JSON Merge Patch (RFC 7396) to a value, all of it or nothing: members of the patch replace those of the
   * value, objects are merged, `null` removes a member. One round trip.
   *
   * @param key The key; it is created if it is not there.
   * @param patch What to merge; what is no object replaces the value.
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
  async merge<K extends Key<T>>(key: K, patch: MergePatch<At<T, K>>): Promise<void> {
    await merge(this.#store, [readKey(key)], patch, false);
  }

  // ---- Edits ----

  /**
   * Changes any number of values, as if the dictionary were a plain object, all at once or not at all.
   *
   * The recipe gets a draft of the dictionary. What it reads becomes a guard, what it writes becomes an op of the
   * same name: `push` stays a push, so pushes of many clients come together; `+= 1` becomes a write that holds
   * only if nobody else changed the number. If somebody did, nothing is changed, and the recipe runs again on the
   * fresh values. So it must be synchronous, and do nothing but change its draft. What it throws discards all of
   * it. Edits that touch different parts of a value do not hinder each other.
   *
   * Two round trips: one reads the value that the recipe touches first, one commits; one less where nothing is read
   * or nothing written. Each further key that the recipe reads costs one more, unless `keys` names them before. A
   * run that was in conflict costs one more.
   *
   * In a draft, everything works that works with plain data. What JSON cannot say throws: holes in arrays,
   * `undefined`, accessors, frozen objects. The number that `push` and `unshift` return does not count as a read,
   * `length` does. `draft.key = value` keeps the expiry of the key.
   *
   * @typeParam R What the recipe returns.
   * @param recipe Changes the draft; it may run more than once.
   * @param options How often it may run, and what to read before.
   * @returns What the recipe returned, as plain data.
   * @throws {ConflictError} If others were faster each time.
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
  async edit<R>(recipe: (draft: Draft<T>) => R, options: DictEditOptions = {}): Promise<R> {
    return await edit(this.#store, new DictScope(this.#store, options.keys), recipe, options);
  }

  /**
   * Tells what an edit would send now, without sending it: guards, then ops. It reads as the edit does.
   *
   * @param recipe Changes the draft.
   * @param options What to read before.
   * @returns The guards and the ops; nothing if the recipe changes nothing.
   * @throws {TypeError} If the recipe is async, or writes what JSON cannot hold.
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
  async explain(recipe: (draft: Draft<T>) => unknown, options: DictEditOptions = {}): Promise<Group> {
    return await explain(this.#store, new DictScope(this.#store, options.keys), recipe);
  }

  /**
   * Waits until all changes of live documents are in Redis.
   *
   * @throws {JsonDictError} If one of them failed, and this was not told yet.
   */
  settled(): Promise<void> {
    return this.#store.settled();
  }

  // ---- Expiry ----

  /**
   * Tells when a value expires. One round trip (PTTL and TYPE).
   *
   * @param key The key.
   * @returns Milliseconds from now; `Infinity` if it does not expire, `undefined` if there is none.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  async ttl(key: Key<T>): Promise<number | undefined> {
    const [left, type] = await Promise.all([
      this.#store.command("ttl", "PTTL", readKey(key)),
      this.#store.command("ttl", "TYPE", key), // PTTL answers for every type
    ]);
    if (type !== "string" && type !== "none") {
      throw new WrongTypeError({ operation: "ttl", path: [key], found: String(type) });
    }
    const ttl = Number(left);
    return ttl === -2 ? undefined : ttl === -1 ? Infinity : ttl;
  }

  /**
   * Lets a value expire. One round trip.
   *
   * @param key The key.
   * @param ttl From now, in milliseconds.
   * @returns Whether there is a value.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {RangeError} If `ttl` is not a positive number of milliseconds.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async expire(key: Key<T>, ttl: number): Promise<boolean> {
    return await this.#apply({ kind: "expire", path: [readKey(key)], ttl: checkTtl(ttl) }) === "true";
  }

  /**
   * Ends the expiry of a value. One round trip.
   *
   * @param key The key.
   * @returns Whether it had one.
   * @throws {TypeError} If the key is not a well-formed string.
   * @throws {WrongTypeError} If the key is no Redis string; it is left alone.
   */
  async persist(key: Key<T>): Promise<boolean> {
    return await this.#apply({ kind: "persist", path: [readKey(key)] }) === "true";
  }

  // ---- All items ----

  /**
   * Writes several values, all at once: no other client sees some of them. None of them expires. One round trip. In a
   * cluster this holds for the keys of each slot; each slot has a call of its own.
   *
   * @param values The values by key.
   * @throws {TypeError} If JSON cannot hold a value, or a key is not a well-formed string.
   * @throws {RangeError} If there are more than 10,000 keys.
   * @throws {WrongTypeError} If a key is no Redis string; nothing is written.
   */
  update(values: { readonly [K in Key<T>]?: At<T, K> }): Promise<void>;
  /** The same for a Map, or anything else that gives pairs. Of pairs with the same key the last counts. */
  update(entries: Iterable<Entry<T>>): Promise<void>;
  async update(values: object): Promise<void> {
    if (values === null || typeof values !== "object") {
      throw new TypeError(
        `Cannot update: received ${values === null ? "null" : typeof values}, expected an object`,
      );
    }
    const entries = Symbol.iterator in values
      ? values as Iterable<readonly [string, unknown]>
      : Object.entries(values);
    const ops = new Map<string, Op>();
    for (const [key, value] of entries) {
      ops.set(readKey(key), { kind: "set", path: [key], value: this.#encode(value, key), ttl: 0 });
    }
    if (ops.size > MAX_KEYS) {
      throw new RangeError(
        `Cannot update ${ops.size} keys at once: at most ${MAX_KEYS} fit in one atomic call`,
      );
    }
    if (ops.size > 0) await this.#store.applyAll([...ops.values()]);
  }

  /**
   * Goes through the keys. One round trip (SCAN) for each 1000 keys of the server, whatever their prefix.
   *
   * A key that is there all the while comes exactly once; one that comes or goes meanwhile at most once. In a cluster,
   * all masters are asked, and once more if slots have moved meanwhile: up to five times, so that only a key which
   * moved each time can be missed.
   *
   * @returns The keys, in no order.
   */
  async *keys(): AsyncGenerator<Key<T>, void> {
    for await (const page of this.#store.keys("keys")) yield* page as readonly Key<T>[];
  }

  /**
   * Goes through the values. Two round trips (SCAN, MGET) for each 1000 keys of the server.
   *
   * @returns The values, in no order.
   * @throws {CorruptValueError} If a text in Redis is not JSON.
   */
  async *values(): AsyncGenerator<At<T, Key<T>>, void> {
    for await (const page of this.#store.items("values")) {
      for (const [key, text] of page) yield this.#decode(text, "values", key);
    }
  }

  /**
   * Goes through the keys with their values. Two round trips (SCAN, MGET) for each 1000 keys of the server.
   *
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
  async *entries(): AsyncGenerator<Entry<T>, void> {
    for await (const page of this.#store.items("entries")) {
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
   * @returns How many there are.
   */
  async size(): Promise<number> {
    return await this.#store.count("size");
  }

  /**
   * Removes all values, each by itself. A round trip (SCAN) for each 1000 keys of the server, and one for each 500
   * that are removed; in a cluster, one for each slot.
   *
   * @returns How many were removed.
   */
  async clear(): Promise<number> {
    return await this.#store.clear();
  }

  /**
   * Reads everything. Two round trips (SCAN, MGET) for each 1000 keys of the server.
   *
   * @returns A plain object; every key is an own property, `__proto__` too.
   * @throws {CorruptValueError} If a text in Redis is not JSON.
   */
  async toObject(): Promise<{ [K in Key<T>]?: At<T, K> }> {
    const items = await this.#store.all("toObject");
    const entries = items.map(([key, text]) => [key, this.#decode(text, "toObject", key)] as Entry<T>);
    return Object.fromEntries(entries) as { [K in Key<T>]?: At<T, K> };
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
  /** A place by its key and four segments; `at` of a ref leads deeper. */
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

  // ---- Ending ----

  /**
   * Closes the dictionary. It takes no more calls, waits for all that it took, and ends the connection if `connect` made
   * it.
   *
   * What is not settled in time ends: a call that was not sent with `TimeoutError`, one that was sent with
   * {@linkcode AmbiguousResultError}. An iteration that is at a pause ends at its next step.
   *
   * @param options How long it may take.
   * @returns Resolves when nothing is under way any more.
   * @throws {JsonDictError} What a live document failed with, if nobody asked before; the dictionary is closed then, too.
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
    const ms = readCloseTimeout(options, this.#store.options.timeout);
    const endsAt = performance.now() + ms;
    const wasOpen = await this.#store.close(ms);
    if (wasOpen) await this.#quit?.(endsAt - performance.now());
    await this.#store.settled();
  }

  /** The same as {@linkcode RedisJsonDict.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #apply(op: Op, operation: string = op.kind): Promise<string> {
    return this.#store.apply(Object.freeze(op), operation);
  }

  #encode(value: unknown, key: string): string {
    return this.#store.encode(value, [key]);
  }

  /** What is in Redis is what the user says it is. */
  #decode<K extends Key<T>>(text: string, operation: string, key: string): At<T, K> {
    return this.#store.decode(text, operation, [key]) as At<T, K>;
  }
}

function readOptions(options: DictOptions): StoreOptions {
  if (options === null || typeof options !== "object") {
    // A prefix in this place would be ignored, and the keys of others used.
    throw new TypeError(
      `Cannot use the options: received ${options === null ? "null" : typeof options}, expected an object`,
    );
  }
  const {
    prefix = "",
    bigints = false,
    timeout = DEFAULT_TIMEOUT,
    delivery = "exactly-once",
    heartbeat = DEFAULT_HEARTBEAT,
    recordPrefix = RECORD_MARKER,
    durability,
  } = options;
  if (typeof prefix !== "string") {
    throw new TypeError(`Cannot use the prefix: received ${typeof prefix}, expected a string`);
  }
  if (typeof bigints !== "boolean") {
    throw new TypeError(`Cannot use the option bigints: received ${typeof bigints}, expected a boolean`);
  }
  if (typeof timeout !== "number") {
    throw new TypeError(`Cannot use the timeout: received ${typeof timeout}, expected a number`);
  }
  if (!(timeout > 0 && timeout <= MAX_TIMEOUT)) {
    throw new RangeError(`Cannot use the timeout: received ${timeout}, expected 1 to ${MAX_TIMEOUT} ms`);
  }
  if (typeof heartbeat !== "number") {
    throw new TypeError(`Cannot use the heartbeat: received ${typeof heartbeat}, expected a number`);
  }
  if (!(heartbeat >= 1 && heartbeat <= MAX_TIMEOUT)) {
    throw new RangeError(`Cannot use the heartbeat: received ${heartbeat}, expected 1 to ${MAX_TIMEOUT} ms`);
  }
  if (delivery !== "exactly-once" && delivery !== "at-most-once") {
    throw new TypeError(
      `Cannot use the delivery: received ${String(delivery)}, expected "exactly-once" or "at-most-once"`,
    );
  }
  if (typeof recordPrefix !== "string" || recordPrefix === "" || recordPrefix.includes("{")) {
    throw new TypeError("Cannot use the recordPrefix: expected a string with something in it, but no {");
  }
  return Object.freeze({
    prefix: readKey(prefix),
    bigints,
    timeout,
    delivery,
    heartbeat,
    recordPrefix: readKey(recordPrefix),
    ...(durability === undefined ? {} : { durability: readDurability(durability, delivery, timeout) }),
  });
}

function readDurability(
  durability: NonNullable<DictOptions["durability"]>,
  delivery: Delivery,
  timeout: number,
): Durability {
  if (durability === null || typeof durability !== "object") {
    throw new TypeError("Cannot use the durability: expected an object with replicas");
  }
  const { replicas, timeout: ms = Math.ceil(timeout / 2) } = durability;
  if (!Number.isInteger(replicas) || replicas < 1) {
    throw new RangeError(
      `Cannot use the durability: replicas is ${String(replicas)}, expected a positive integer`,
    );
  }
  if (typeof ms !== "number" || !(ms >= 1 && ms < timeout)) {
    throw new RangeError(
      `Cannot use the durability: its timeout is ${
        String(ms)
      }, expected 1 to less than the timeout, ${timeout} ms`,
    );
  }
  if (delivery === "at-most-once") {
    throw new TypeError('Cannot use the durability: it needs the records of delivery "exactly-once"');
  }
  return Object.freeze({ replicas, timeout: Math.floor(ms) });
}

function readCloseTimeout(options: CloseOptions, timeout: number): number {
  if (options === null || typeof options !== "object") {
    throw new TypeError(`Cannot close: received ${String(options)}, expected an object with timeout`);
  }
  const { timeout: ms = timeout } = options;
  if (typeof ms === "number" && ms > 0 && ms <= MAX_TIMEOUT) return ms;
  throw new RangeError(`Cannot close: timeout is ${String(ms)}, expected 1 to ${MAX_TIMEOUT} ms`);
}

function checkTtl(ttl: number): number {
  if (Number.isSafeInteger(ttl) && ttl > 0) return ttl;
  throw new RangeError(
    `Cannot use the ttl: received ${String(ttl)}, expected a positive integer of milliseconds`,
  );
}
