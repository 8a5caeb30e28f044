/**
 * Caches: values that were read and are kept here, until the server tells that they have changed.
 *
 * @module
 */

import { TimeoutError } from "../errors/delivery.ts";
import { KeyNotFoundError } from "../errors/value.ts";
import { freeze, type Frozen } from "../data/frozen.ts";
import type { OnlyJson } from "../data/json.ts";
import { type At, readKey } from "../data/path.ts";
import type { Store } from "../store/store.ts";
import { Deferred } from "../run/deferred.ts";
import type { Tracked } from "../run/tracking.ts";
import { type Key, type RedisJsonDict, storeOf } from "./core.ts";

/** What stands in a cache. Only who put it there can read it. */
export interface CacheEntry {
  /** The length of the JSON text in UTF-16 units, at least 1: what a cache with a limit of size may count. */
  readonly size: number;
}

/** A cache: a `Map`, or anything that has these methods of it, as `lru-cache` and `@isaacs/ttlcache` do. */
export interface CacheMap {
  /** Returns what was set, or nothing: a cache may forget whatever it wants whenever it wants. */
  get(key: string): CacheEntry | undefined;
  /** Keeps something. */
  set(key: string, entry: CacheEntry): unknown;
  /** Forgets something. */
  delete(key: string): unknown;
  /** Forgets all. */
  clear(): unknown;
}

/** What a cached dictionary has done so far. */
export interface CacheStatistics {
  /** Reads that were answered from the cache. */
  readonly hits: number;
  /** Reads that were sent to the server, or waited for one that was under way, because there was no entry. */
  readonly misses: number;
  /** Reads that were sent because the cache could not be used: while it was not told of changes, and during own writes. */
  readonly bypasses: number;
  /** How often the server told that something has changed: a key, or all of them. */
  readonly invalidations: number;
}

/**
 * The reads of a dictionary, from a cache.
 *
 * @typeParam T The types of the values by key.
 */
export interface CachedDict<T extends object> extends AsyncDisposable {
  /**
   * Reads a value. No round trip for what is in the cache, else one.
   *
   * @param key The key.
   * @returns The value, frozen; `undefined` if there is none.
   * @throws {TypeError} If the key is not a well-formed string, or the dictionary is closed.
   * @throws {CorruptValueError} If the text in Redis is not JSON.
   * @throws {WrongTypeError} If the key is no Redis string.
   */
  get<K extends Key<T>>(key: K): Promise<Frozen<At<T, K>> | undefined>;
  /**
   * Reads a value that must be there.
   *
   * @param key The key.
   * @returns The value, frozen.
   * @throws {KeyNotFoundError} If there is none.
   */
  getOrThrow<K extends Key<T>>(key: K): Promise<Frozen<At<T, K>>>;
  /**
   * Reads several values, each at a moment of its own.
   *
   * @param keys The keys.
   * @returns A map of those that are there, in the order of the keys.
   */
  getMany<K extends Key<T>>(keys: Iterable<K>): Promise<Map<K, Frozen<At<T, K>>>>;
  /**
   * Reads whether there is a value, and the value with it.
   *
   * @param key The key.
   * @returns Whether there is one.
   */
  has(key: Key<T>): Promise<boolean>;
  /**
   * Waits until the server tells of changes. Reads need not wait for it; until then they go to the server.
   *
   * @throws {UnavailableError} If the server, or the client, cannot.
   * @throws {TimeoutError} If there is no connection in time.
   */
  ready(): Promise<void>;
  /** What it has done so far. */
  readonly statistics: CacheStatistics;
  /** Empties the cache, and uses it no more: reads go to the server. The dictionary stays open. */
  close(): Promise<void>;
}

/** A value in a cache. The cache may be shared or filled by others, so an entry knows whose it is. */
class Entry implements CacheEntry {
  readonly size: number;
  readonly #owner: object;
  readonly #value: unknown;
  readonly #endsAt: number;

  /** @param owner What stands for the reader, and for all that it was told until then. */
  constructor(owner: object, value: unknown, size: number, endsAt: number) {
    this.#owner = owner;
    this.#value = value;
    this.size = size;
    this.#endsAt = endsAt;
  }

  /** The value, if the entry is one of such an owner and has not expired. */
  static read(entry: unknown, owner: object): { readonly value: unknown } | undefined {
    if (!(entry instanceof Entry) || entry.#owner !== owner) return undefined;
    return performance.now() < entry.#endsAt ? { value: entry.#value } : undefined;
  }
}

/** A read that is under way to fill the cache. */
interface Fill {
  readonly value: Promise<unknown>;
}

class Reads {
  readonly #store: Store;
  readonly #cache: CacheMap;
  /** Whose entries count; another one after each loss of all. */
  #owner: object = {};
  /** The reads that may fill the cache: nothing was told of their keys since they were sent. */
  readonly #fills: Map<string, Fill> = new Map();
  /** How many own writes of a key are under way, and of any key. */
  readonly #writes: Map<string, number> = new Map();
  #writesOfAll: number = 0;
  #tracked: Tracked | undefined;
  #stopWrites: (() => void) | undefined;
  #failure: unknown;
  /** Resolves when it is over, or will not be told of changes. */
  readonly #ended: Deferred<void> = new Deferred();
  #isOver: boolean = false;
  readonly #counts = { hits: 0, misses: 0, bypasses: 0, invalidations: 0 };

  constructor(store: Store, cache: CacheMap) {
    this.#store = store;
    this.#cache = cache;
  }

  get statistics(): CacheStatistics {
    return { ...this.#counts };
  }

  async get(key: string): Promise<unknown> {
    const store = this.#store;
    store.check(); // sends what live documents hold back: those are own writes
    this.#start();
    if (!this.#tracked?.isFresh || this.#writesOfAll > 0 || this.#writes.has(key)) {
      this.#counts.bypasses++;
      return (await this.#read(key)).value;
    }
    const hit = Entry.read(this.#cache.get(key), this.#owner);
    if (hit) {
      this.#counts.hits++;
      return hit.value;
    }
    this.#counts.misses++;
    let fill = this.#fills.get(key);
    if (fill === undefined) {
      fill = { value: this.#fill(key, () => this.#fills.get(key) === fill) };
      this.#fills.set(key, fill);
    }
    return await fill.value;
  }

  /** @param isUntold Whether nothing was told of the key since this began. */
  async #fill(key: string, isUntold: () => boolean): Promise<unknown> {
    const owner = this.#owner;
    const askedAt = performance.now();
    try {
      const { value, size, ttl } = await this.#read(key);
      // case: what is there only since PTTL was answered may have an expiry.
      const endsAt = value === undefined || ttl === -1 ? Infinity : askedAt + Math.max(ttl, 0);
      if (isUntold() && this.#tracked?.isFresh) this.#cache.set(key, new Entry(owner, value, size, endsAt));
      return value;
    } finally {
      if (isUntold()) this.#fills.delete(key);
    }
  }

  async #read(
    key: string,
  ): Promise<{ readonly value: unknown; readonly size: number; readonly ttl: number }> {
    const { text, ttl } = await this.#store.expiring(key);
    const value = text === undefined ? undefined : this.#store.codec.decode(text, "get", [key]);
    return { value: freeze(value), size: Math.max(text?.length ?? 0, 1), ttl };
  }

  async ready(): Promise<void> {
    this.#store.check();
    this.#start();
    const { timeout } = this.#store.settings;
    const tracked = this.#tracked;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(true), timeout));
    const isLate = await Promise.race([late, this.#ended.promise, tracked?.ready]);
    clearTimeout(timer);
    if (this.#failure !== undefined) throw this.#failure;
    if (isLate) throw new TimeoutError({ operation: "cache", path: [], timeout, cause: tracked?.failure });
  }

  #start(): void {
    if (this.#tracked || this.#failure !== undefined || this.#isOver) return;
    const failed = (error: unknown): void => {
      this.#failure = this.#store.readError(error, "cache", []);
      this.#drop(undefined);
      this.#ended.resolve();
    };
    try {
      this.#tracked = this.#store.track(undefined, {
        changed: (key) => {
          this.#counts.invalidations++;
          this.#drop(key);
        },
        failed,
      }, () => this.close());
    } catch (error) {
      return failed(error);
    }
    // An own write is told by another connection than the one that answers it, perhaps later.
    this.#stopWrites = this.#store.onWrite({
      begin: (keys) => this.#countWrites(keys, 1),
      end: (keys) => this.#countWrites(keys, -1),
    });
  }

  #countWrites(keys: readonly string[] | undefined, step: 1 | -1): void {
    if (keys === undefined) {
      this.#writesOfAll += step;
      return this.#drop(undefined);
    }
    for (const key of keys) {
      const count = (this.#writes.get(key) ?? 0) + step;
      if (count === 0) this.#writes.delete(key);
      else this.#writes.set(key, count);
      this.#drop(key);
    }
  }

  /** Forgets a key, or all. What is being read is not kept. */
  #drop(key: string | undefined): void {
    if (key !== undefined) {
      this.#fills.delete(key);
      this.#cache.delete(key);
      return;
    }
    this.#owner = {}; // even if the cache cannot forget
    this.#fills.clear();
    this.#cache.clear();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#stopWrites?.();
    this.#stopWrites = undefined;
    this.#drop(undefined);
    this.#ended.resolve();
    const tracked = this.#tracked;
    this.#tracked = undefined;
    await tracked?.leave();
  }
}

/**
 * Reads a dictionary through a cache. The server tells which keys change, whoever changes them, and they are forgotten.
 *
 * A value from the cache is never older than `heartbeat` + `timeout`; mostly it is as old as the news of a change is on
 * its way, which is less than a millisecond. What this dictionary itself writes, by whatever method, edit or live
 * document, is read anew as soon as the write has begun. Writes of other dictionaries are those of others. While the
 * connection that tells of changes is away, all is read from the server. Keys that are not there are kept, too.
 *
 * It needs what `watch` needs, on the server and in the client. No I/O before the first read.
 *
 * @typeParam T The types of the values by key.
 * @param dict The dictionary.
 * @param cache Where values are kept: a `Map`, or a cache of a library that forgets what is not used.
 * @returns Its reads. `await using`, or {@linkcode CachedDict.close}, ends the connection; so does closing the dictionary.
 * @throws {TypeError} If it is no cache, if the dictionary is closed, or if its client reads from replicas.
 *
 * @example Read often what changes rarely
 * ```ts
 * import { cached, RedisJsonDict } from "@json-dict/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using lab = RedisJsonDict.connect<Record<string, { gain: number }>>(
 *   "redis://localhost:6379",
 *   { prefix: "doc:cached:" },
 * );
 * await using calibrations = cached(lab, new Map());
 * await calibrations.ready();
 *
 * await lab.set("camera", { gain: 3 });
 * assertEquals(await calibrations.get("camera"), { gain: 3 });
 * assertEquals((await calibrations.get("camera"))?.gain, 3); // no round trip
 * await lab.at("camera", "gain").set(4); // or whoever
 * assertEquals((await calibrations.get("camera"))?.gain, 4);
 * assertEquals(calibrations.statistics.hits, 1);
 * await lab.clear();
 * ```
 */
export function cached<T extends OnlyJson<T, bigint>>(
  dict: RedisJsonDict<T>,
  cache: CacheMap,
): CachedDict<T> {
  const store = storeOf(dict);
  for (const method of ["get", "set", "delete", "clear"] as const) {
    if (typeof (cache as Partial<CacheMap> | undefined)?.[method] !== "function") {
      throw new TypeError(`Cannot cache: the cache has no method ${method}; pass a Map, or what is like one`);
    }
  }
  store.check();
  if (store.readsReplicas) {
    throw new TypeError(
      'Cannot cache: the client reads from replicas, which may be behind; make it with scaleReads: "master"',
    );
  }
  const reads = new Reads(store, cache);
  // What is in Redis is what the user says it is.
  const get = (key: string): Promise<never> => reads.get(readKey(key)) as Promise<never>;
  return Object.freeze(
    {
      get: async (key) => await get(key),
      async getOrThrow(key) {
        const value = await get(key);
        if (value === undefined) throw new KeyNotFoundError({ operation: "get", path: [key] });
        return value;
      },
      async getMany(keys) {
        if (typeof keys === "string") {
          throw new TypeError("Cannot get many: received a string, expected an array of keys");
        }
        const all = [...new Set(keys)];
        const values = await Promise.all(all.map((key) => get(key)));
        const entries = all.map((key, index) => [key, values[index]] as const);
        return new Map(entries.filter(([, value]) => value !== undefined));
      },
      has: async (key) => await get(key) !== undefined,
      ready: () => reads.ready(),
      get statistics() {
        return reads.statistics;
      },
      close: () => reads.close(),
      [Symbol.asyncDispose]: () => reads.close(),
    } satisfies CachedDict<T>,
  );
}
