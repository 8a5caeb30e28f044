/**
 * What the front ends hold: one place to send ops and reads to, and to get results or errors from.
 *
 * @module
 */

import {
  compile,
  compileReads,
  type Once,
  type Outcome,
  readOutcomes,
  readResults,
  readVerdict,
  type Refusal,
  toError,
} from "./call.ts";
import { isResending, type RedisClient } from "./client.ts";
import {
  AmbiguousResultError,
  CorruptValueError,
  CrossSlotError,
  DurabilityError,
  LimitError,
  TimeoutError,
  UnavailableError,
  type Verdict,
  WrongTypeError,
} from "./errors.ts";
import { MAX_TEXT, NoAnswer, Partial, Refused, Unusable } from "./failure.ts";
import { Fragment } from "./fragment.ts";
import { decode, encode, type Json } from "./json.ts";
import { Lanes, type Part, type Turn } from "./lanes.ts";
import type { Group, Op, Read } from "./op.ts";
import { formatPlace, type Path } from "./path.ts";
import { isRecord, maxDelay, type RecordName, Records, recordTtl } from "./record.ts";
import { Runner } from "./runner.ts";
import { type Page, scanKeys } from "./scan.ts";
import { Search } from "./search.ts";
import { slotOf } from "./slot.ts";
import { type Tracked, Tracking, type TrackingListener } from "./tracking.ts";
import type { View } from "./speculation.ts";

/** How a store works, all decided. */
export interface StoreOptions {
  /** Put before each key. */
  readonly prefix: string;
  /** Whether integers beyond 2^53 - 1 are read as `bigint`. */
  readonly bigints: boolean;
  /** How long one call may take, in milliseconds. */
  readonly timeout: number;
  /** Whether a change is sent again when its answer is lost, under the protection of a record. */
  readonly delivery: Delivery;
  /** How often a connection that hears of changes is asked whether it is there, in milliseconds. */
  readonly heartbeat: number;
  /** What records are called, before marker, tag and id. */
  readonly recordPrefix: string;
  /** Which changes are taken for safe; all when left out. */
  readonly durability?: Durability;
}

/** When a change is taken for safe. */
export interface Durability {
  /** How many replicas must have it. */
  readonly replicas: number;
  /** How long to wait for them, in milliseconds. */
  readonly timeout: number;
}

/** How often a change arrives at the server, as far as the caller can tell. */
export type Delivery = "exactly-once" | "at-most-once";

/** The longest text that Redis takes in one piece (`proto-max-bulk-len`), in bytes. */
const MAX_BYTES = 512 * 1024 * 1024;
/** Records that are longer are made short once their answer is here, in characters. */
const MAX_RECORD = 4096;

/** How many keys one call removes: with their tokens they stay below what some servers take in a request. */
const MAX_REMOVED = 500;

/** A change whose answer was lost, with what is known of its record. */
class Lost extends Error {
  readonly record: { readonly id: string; readonly resolve: () => Promise<Verdict> };

  constructor(cause: unknown, id: string, resolve: () => Promise<Verdict>) {
    super("There is no answer", { cause });
    this.record = { id, resolve };
  }
}

/** A change that was applied, but has not reached enough replicas. */
class Unsafe extends Error {
  readonly acknowledged: number;
  readonly result: Json | undefined;

  constructor(cause: unknown, acknowledged: number, result: Json | undefined) {
    super("Too few replicas have it", { cause });
    this.acknowledged = acknowledged;
    this.result = result;
  }
}

/** What is at some places of one key, and for how long. */
export interface Glance {
  /** For each place its text, or why there is none. */
  readonly found: readonly (string | Refusal)[];
  /** Milliseconds until the key expires, `undefined` if it does not. */
  readonly ttl: number | undefined;
}

/** The text of a key, and for how long. */
export interface KeptText {
  /** Its text, `undefined` if it is no item. */
  readonly text: string | undefined;
  /** Milliseconds until the key expires, `undefined` if it does not. */
  readonly ttl: number | undefined;
}

/** Runs ops and reads on the values behind one prefix of one client. */
export class Store {
  /** How it works. */
  readonly options: StoreOptions;
  readonly #client: RedisClient;
  readonly #runner: Runner;
  readonly #lanes: Lanes;
  readonly #records: Records;
  #isClosed: boolean = false;
  /** How many calls were taken and are not settled. */
  #taken: number = 0;
  /** Resolves when the last call that was taken is settled; only while the store closes. */
  #onSettled: (() => void) | undefined;
  /** The calls that look for their keys: later calls may have to do some of their work. */
  readonly #searches: Set<Search> = new Set();
  /** Where `popItem` goes on: keys that it has seen, and the cursor behind them. */
  #candidates: readonly string[] = [];
  #cursor: string = "0";
  /** Sends what live documents hold back until the end of the turn. */
  readonly #bursts: Set<() => void> = new Set();
  /** Ends what watches. */
  readonly #watches: Set<() => Promise<void>> = new Set();
  /** The writes of live documents that are under way, or have failed and nobody was told, with their owner. */
  readonly #writes: Map<Promise<void>, object> = new Map();

  /**
   * Sends to the client; sends nothing yet.
   *
   * @throws {TypeError} If a change must arrive at most once, and the client would send it again.
   */
  constructor(client: RedisClient, options: StoreOptions) {
    if (options.delivery === "at-most-once" && isResending(client)) {
      const setting = client.nodes ? "retryDelayOnFailover: 0" : "maxRetriesPerRequest: 0";
      throw new TypeError(
        `Cannot deliver at most once: the client sends a command again when its answer is lost; make it with ${setting}`,
      );
    }
    this.options = options;
    this.#records = new Records(options.recordPrefix);
    this.#client = client;
    this.#runner = new Runner(client, options.timeout);
    this.#lanes = new Lanes({
      apply: (groups, after) => this.#run(groups, after),
      read: (places) => this.#readPlaces(places),
    });
  }

  /**
   * Applies a group of ops, all of them or none, behind all earlier groups of the same keys. One round trip, shared
   * with other groups of the key that wait meanwhile.
   *
   * @returns The result of each op, or why the group was refused.
   */
  async attempt(group: Group, operation: string = group[0].kind): Promise<Outcome> {
    this.check();
    const keys = this.#checkGroup(group, operation);
    return await this.#take(async () => {
      this.#goAhead(keys);
      try {
        return await this.#lanes.commit(group);
      } catch (error) {
        throw this.#changeError(error, operation, group[0].path);
      }
    });
  }

  /** Checks before any I/O that a group can be sent. Returns its keys. */
  #checkGroup(group: Group, operation: string): readonly string[] {
    const keys = [...new Set(group.map((op) => String(op.path[0])))];
    this.#checkKeys(keys, operation);
    return keys;
  }

  /**
   * Takes part, for an edit, in what is sent behind all that was issued earlier on some keys. The seat must be left.
   *
   * @param places What the edit looks at.
   * @throws {CrossSlotError} If a cluster keeps the keys apart.
   */
  join(keys: readonly string[], places: readonly Path[], operation: string): Part {
    this.#checkKeys(keys, operation);
    this.#goAhead(keys);
    return this.#lanes.join(keys, places);
  }

  /** Takes more keys for an edit, if nobody is in the way. */
  extend(part: Part, keys: readonly string[], operation: string): boolean {
    this.#checkKeys([...part.keys, ...keys], operation);
    this.#goAhead(keys);
    return part.extend(keys);
  }

  #checkKeys(keys: readonly string[], operation: string): void {
    keys.forEach((key) => this.#name(key));
    this.checkSlots(keys, operation);
  }

  /** Waits for the turn of an edit, and gives what is at its places then. */
  async look({ seat }: Part, places: readonly Path[], operation: string): Promise<View> {
    try {
      return await seat.look(places);
    } catch (error) {
      throw this.#readError(error, operation, places.length === 1 ? places[0] : []);
    }
  }

  /** Applies a group of an edit. */
  async commit({ seat }: Part, group: Group, operation: string): Promise<Outcome> {
    try {
      return await seat.commit(group);
    } catch (error) {
      throw this.#changeError(error, operation, group[0].path);
    }
  }

  /** Does a read of several steps after all earlier changes of its keys. */
  async after<R>(keys: readonly string[], read: () => Promise<R>): Promise<R> {
    this.#goAhead(keys);
    return await this.#lanes.after(keys, read);
  }

  /** What is at some places, at one moment. One round trip, two if a whole value is not there. */
  async readNow(places: readonly Path[], operation: string): Promise<readonly (string | Refusal)[]> {
    try {
      return await this.#readPlaces(places);
    } catch (error) {
      throw this.#readError(error, operation, places.length === 1 ? places[0] : []);
    }
  }

  async #readPlaces(places: readonly Path[]): Promise<readonly (string | Refusal)[]> {
    if (places.some((path) => path.length > 1)) {
      const reads = places.map((path): Read => ({ kind: "get", path }));
      const call = compileReads(this.options.prefix, reads);
      return await this.#runner.run(() => call, "repeat", (answer) => readResults(reads, answer));
    }
    const keys = places.map(([key]) => String(key));
    const texts = await this.#mget(keys);
    const types = await this.#typesOf(keys.filter((_, index) => texts[index] === null));
    return texts.map((text, index): string | Refusal => {
      if (text !== null) return text;
      const found = types.get(keys[index])!;
      const isMissing = found === "none" || found === "string"; // it was not there a moment ago
      return {
        code: isMissing ? "NO_KEY" : "WRONG_TYPE",
        index: 0,
        segment: 0,
        found: isMissing ? "" : found,
      };
    });
  }

  /** The Redis types of keys. MGET answers nil for a key that is no string, which must not look like a miss. */
  async #typesOf(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const names = [...new Set(keys)];
    const types = await Promise.all(
      names.map((key) => this.#runner.command("repeat", "TYPE", this.options.prefix + key)),
    );
    return new Map(names.map((key, index) => [key, String(types[index])]));
  }

  /** Does first, on keys of a call that is issued now, what earlier calls want there that are still looking for keys. */
  #goAhead(keys: readonly string[]): void {
    for (const search of this.#searches) for (const key of keys) search.meet(key);
  }

  /** Counts a call as taken until it is settled: closing waits for it. */
  async #take<R>(call: () => Promise<R>): Promise<R> {
    this.#taken++;
    try {
      return await call();
    } finally {
      if (--this.#taken === 0) this.#onSettled?.();
    }
  }

  /** Runs a call of several steps: it is taken as a whole, and goes on when the store is closed meanwhile. */
  async run<R>(call: () => Promise<R>): Promise<R> {
    this.check();
    return await this.#take(call);
  }

  /**
   * Applies one op; `operation` is the method that the caller used, where it is not named like the op.
   *
   * @returns Its result, `""` for none.
   */
  async apply(op: Op, operation: string = op.kind): Promise<string> {
    const outcome = await this.attempt([op], operation);
    if ("refusal" in outcome) throw toError(op, outcome.refusal, operation);
    return outcome.results[0];
  }

  /** Applies ops on any number of keys, all of them or none; in a cluster, all of a slot or none of them. */
  async applyAll(group: Group): Promise<void> {
    const groups = this.#bySlot(group, (op) => String(op.path[0]));
    const outcomes = await Promise.allSettled(groups.map((part) => this.attempt(part)));
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "rejected") throw outcome.reason;
      if (!("refusal" in outcome.value)) return;
      const { refusal } = outcome.value;
      throw toError(groups[index][refusal.index], refusal);
    });
  }

  /**
   * Checks before any I/O that keys can be used in one call.
   *
   * @throws {CrossSlotError} If a cluster keeps them apart.
   */
  checkSlots(keys: readonly string[], operation: string): void {
    if (!this.#runner.isCluster) return;
    const [[first], second] = this.#bySlot(keys, (key) => key);
    if (second) throw new CrossSlotError({ operation, path: [first], keys: [first, second[0]] });
  }

  /** Parts what belongs to keys in different slots of a cluster. */
  #bySlot<I>(items: readonly I[], keyOf: (item: I) => string): readonly (readonly I[])[] {
    if (!this.#runner.isCluster) return [items];
    const slots = new Map<number, I[]>();
    for (const item of items) {
      const slot = slotOf(this.options.prefix + keyOf(item));
      const others = slots.get(slot);
      if (others) others.push(item);
      else slots.set(slot, [item]);
    }
    return [...slots.values()];
  }

  /**
   * Reads one place. One round trip.
   *
   * @returns The result, or why there is none.
   */
  async tryRead(read: Read): Promise<string | Refusal> {
    return await this.#read(read.kind, read.path, async () => {
      const reads = [read];
      const call = compileReads(this.options.prefix, reads);
      return (await this.#runner.run(() => call, "repeat", (answer) => readResults(reads, answer)))[0];
    });
  }

  /** Reads one place; refusals are thrown. */
  async read(read: Read, operation: string = read.kind): Promise<string> {
    const result = await this.tryRead(read);
    if (typeof result !== "string") throw toError(read, result, operation);
    return result;
  }

  /** Sends a plain command about one key, after all earlier changes of the key. The key comes first. */
  async command(
    operation: string,
    name: string,
    key: string,
    ...args: (string | number)[]
  ): Promise<unknown> {
    return await this.#read(
      operation,
      [key],
      () => this.#runner.command("repeat", name, this.options.prefix + key, ...args),
    );
  }

  /**
   * The texts of several values, in one round trip; two if some are not there. They are those of one moment, but for
   * keys in different slots of a cluster.
   *
   * @param keys Keys without the prefix.
   * @returns Their texts, `undefined` where there is none.
   */
  async texts(keys: readonly string[], operation: string = "get"): Promise<(string | undefined)[]> {
    this.check();
    if (keys.length === 0) return [];
    keys.forEach((key) => this.#name(key));
    return await this.#take(async () => {
      this.#goAhead(keys);
      return await this.#lanes.after(keys, () => this.#textsNow(keys, operation));
    });
  }

  // ---- Watching ----

  /**
   * Hears of changes, by whomever, from when this is ready.
   *
   * @param key Hears of it; of all keys when left out.
   * @param listener Hears of a key without its prefix; without a key, any of them may have changed.
   * @param end Ends it when the store closes. It resolves when the listener has left.
   * @throws {Refused} If the client cannot.
   */
  track(
    key: string | undefined,
    listener: Pick<TrackingListener, "changed" | "failed">,
    end: () => Promise<void>,
  ): Tracked {
    this.check();
    const { prefix, heartbeat, timeout } = this.options;
    const name = key === undefined ? undefined : this.#name(key);
    const tracked = Tracking.join(this.#client, prefix, { heartbeat, timeout }, {
      ...(name === undefined ? {} : { name }),
      changed: (changed) => listener.changed(changed?.slice(prefix.length)),
      failed: listener.failed,
    });
    this.#watches.add(end);
    return {
      ready: tracked.ready,
      get failure() {
        return tracked.failure;
      },
      leave: async () => {
        await tracked.leave();
        this.#watches.delete(end); // until then, closing waits for it
      },
    };
  }

  /** What is at some places of one key, and for how long. One round trip, two if a whole value is not there. */
  async glance(places: readonly Path[]): Promise<Glance> {
    this.check();
    const [[key]] = places;
    const name = this.#name(String(key));
    return await this.#take(async () => {
      this.#goAhead([String(key)]);
      return await this.#lanes.after([String(key)], async () => {
        const [found, ttl] = await Promise.all([
          this.#readPlaces(places),
          this.#runner.command("repeat", "PTTL", name),
        ]);
        return { found, ttl: readTtl(ttl) };
      });
    });
  }

  /** The texts of some keys, and for how long. One round trip; none of them need be an item. */
  async keptTexts(keys: readonly string[]): Promise<readonly KeptText[]> {
    this.check();
    return await this.#take(async () => {
      this.#goAhead(keys);
      return await this.#lanes.after(keys, async () => {
        const [texts, ttls] = await Promise.all([
          this.#mget(keys),
          this.#runner.ofEach("PTTL", keys.map((key) => this.options.prefix + key)),
        ]);
        return texts.map((text, index) => ({ text: text ?? undefined, ttl: readTtl(ttls[index]) }));
      });
    });
  }

  /** The error that tells a caller why a read failed. */
  readError(error: unknown, operation: string, path: Path): unknown {
    return this.#readError(error, operation, path);
  }

  async #textsNow(keys: readonly string[], operation: string): Promise<(string | undefined)[]> {
    const answers = await this.readNow(keys.map((key) => [key]), operation);
    return answers.map((answer, index) => {
      if (typeof answer === "string") return answer;
      if (answer.code === "NO_KEY") return undefined;
      throw new WrongTypeError({ operation, path: [keys[index]], found: answer.found });
    });
  }

  /** The keys, page by page, without the prefix. Each page is read after all changes that were issued before it. */
  async *keys(operation: string): AsyncGenerator<readonly string[], void> {
    for await (const { keys } of this.#taking(this.#scan(operation))) yield keys;
  }

  /** The keys and texts of all values, page by page. A round trip for each 1000 keys of the server, and one more. */
  async *items(operation: string): AsyncGenerator<readonly (readonly [string, string])[], void> {
    yield* this.#taking(this.#items(operation));
  }

  async *#items(operation: string): AsyncGenerator<readonly (readonly [string, string])[], void> {
    for await (const { keys } of this.#scan(operation)) {
      yield await this.#lanes.after(keys, () => this.#page(operation, keys));
    }
  }

  /** Takes each step of an iteration as a call of its own, for its user may never ask for the next one. */
  async *#taking<P>(pages: AsyncGenerator<P, void>): AsyncGenerator<P, void> {
    try {
      while (true) {
        const page = await this.run(() => pages.next());
        if (page.done) return;
        yield page.value;
      }
    } finally {
      await pages.return();
    }
  }

  /** How many keys there are. */
  async count(operation: string): Promise<number> {
    return await this.run(async () => {
      let count = 0;
      for await (const { keys } of this.#scan(operation)) count += keys.length;
      return count;
    });
  }

  /** The keys and texts of all values. */
  async all(operation: string): Promise<(readonly [string, string])[]> {
    return await this.run(async () => {
      const items: (readonly [string, string])[] = [];
      for await (const page of this.#items(operation)) for (const item of page) items.push(item);
      return items;
    });
  }

  /** Pages of keys, without the prefix, each read after all that was issued before it. */
  async *#scan(
    operation: string,
    from?: string,
    before?: Promise<void>,
  ): AsyncGenerator<Page, void> {
    const { prefix, timeout } = this.options;
    try {
      await (before ?? this.#earlier());
      // A search minds what is issued meanwhile by itself.
      const lanes = before ? undefined : this.#lanes;
      for await (const page of scanKeys(this.#runner, prefix, timeout, lanes, from)) {
        yield { keys: page.keys.map((name) => name.slice(prefix.length)), next: page.next };
      }
    } catch (error) {
      throw this.#readError(error, operation, []);
    }
  }

  /** Resolves when all that was issued so far is settled. */
  async #earlier(): Promise<void> {
    await Promise.all([this.#lanes.idle(), ...[...this.#searches].map((search) => search.isOver)]);
  }

  async #page(operation: string, keys: readonly string[]): Promise<(readonly [string, string])[]> {
    try {
      const texts = await this.#mget(keys);
      return keys.flatMap((key, index) => {
        const text = texts[index];
        return text === null ? [] : [[key, text] as const]; // removed since the scan saw it
      });
    } catch (error) {
      throw this.#readError(error, operation, []);
    }
  }

  async #mget(keys: readonly string[]): Promise<readonly (string | null)[]> {
    const found = new Map<string, string | null>();
    await Promise.all(
      this.#bySlot(keys, (key) => key).map(async (part) => {
        const names = part.map((key) => this.options.prefix + key);
        const texts = await this.#runner.command("repeat", "MGET", ...names);
        if (!Array.isArray(texts) || texts.length !== names.length) {
          throw new Error(
            `Cannot read the answer to MGET: expected ${names.length} values, received something else`,
          );
        }
        part.forEach((key, index) => found.set(key, texts[index]));
      }),
    );
    return keys.map((key) => found.get(key)!);
  }

  /**
   * Removes all keys that are there when it is called. A call that is issued meanwhile removes its own keys first and
   * waits for nothing else.
   *
   * @returns How many there were.
   */
  async clear(): Promise<number> {
    return await this.run(async () => {
      let count = 0;
      const before = this.#earlier();
      const search = new Search((key) => this.#remove([key]).then((removed) => void (count += removed)));
      await this.#search(search, async () => {
        for await (const { keys } of this.#scan("clear", "0", before)) {
          const removed = await this.#remove(keys.filter((key) => search.claim(key)));
          count += removed; // not in one step with the await, during which others count, too
        }
      });
      return count;
    });
  }

  /** Removes keys, each by itself. A round trip for each 500. Returns how many were there. */
  async #remove(keys: readonly string[]): Promise<number> {
    const outcomes: Promise<Outcome>[] = [];
    for (const part of this.#bySlot(keys, (key) => key)) {
      for (let from = 0; from < part.length; from += MAX_REMOVED) {
        const some = part.slice(from, from + MAX_REMOVED);
        const groups = some.map((key): Group => [{ kind: "delete", path: [key] }]);
        outcomes.push(...this.#lanes.commitAll(groups, some));
      }
    }
    try {
      const settled = await Promise.all(outcomes);
      return settled.filter((outcome) => "results" in outcome && outcome.results[0] === "true").length;
    } catch (error) {
      throw this.#changeError(error, "clear", []);
    }
  }

  /**
   * Removes some item. One round trip where an earlier call has seen more keys than it took, else those of a scan up to
   * the first key, which goes on where the last one ended. That there is none takes a scan of the whole server.
   *
   * @returns Its key and text, nothing if there is none.
   */
  async popItem(): Promise<readonly [string, string] | undefined> {
    return await this.run(async () => {
      let item: readonly [string, string] | undefined;
      const before = this.#earlier();
      // One key after the other, for it takes only one; but it has its place at each of them at once.
      let last: Promise<unknown> = Promise.resolve();
      const take = (key: string): Promise<void> => {
        if (item) return Promise.resolve();
        const turn = this.#lanes.enter([key]);
        const act = last.then(async () => {
          if (item) return;
          const text = await this.#takeText(turn, key);
          if (text !== undefined) item = [key, text];
        }).finally(() => turn.leave());
        last = act;
        return act;
      };
      const search = new Search(take);
      await this.#search(search, async () => {
        const [known] = this.#candidates;
        this.#candidates = this.#candidates.slice(1);
        if (known !== undefined) this.#goAhead([known]);
        await search.settled();
        for (let from = this.#cursor; !item;) {
          await this.#popFrom(search, from, before, () => item !== undefined);
          if (from === "0") break; // all keys were looked at
          from = "0";
        }
      });
      return item;
    });
  }

  /** Looks for an item from a cursor on, and remembers what it has not come to. */
  async #popFrom(search: Search, from: string, before: Promise<void>, isDone: () => boolean): Promise<void> {
    for await (const { keys, next } of this.#scan("popItem", from, before)) {
      for (const [index, key] of keys.entries()) {
        search.meet(key);
        await search.settled();
        if (!isDone()) continue;
        this.#candidates = keys.slice(index + 1);
        this.#cursor = next;
        return;
      }
    }
    this.#cursor = "0";
  }

  async #takeText(turn: Turn, key: string): Promise<string | undefined> {
    await turn.comes;
    try {
      const outcome = await turn.commit([{ kind: "take", path: [key] }]);
      return "results" in outcome && outcome.results[0] !== "" ? outcome.results[0] : undefined;
    } catch (error) {
      throw this.#changeError(error, "popItem", [key]);
    }
  }

  /** Does the work of a search, and until it is over that of what is issued meanwhile. */
  async #search(search: Search, work: () => Promise<void>): Promise<void> {
    this.#searches.add(search);
    try {
      await work();
      await search.settled();
    } finally {
      this.#searches.delete(search);
      search.end();
    }
  }

  /** Whether it takes nothing more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Throws once the store is closed. Sends first what live documents hold back, which was issued earlier. */
  check(): void {
    this.#sendBursts();
    if (this.#isClosed) throw new TypeError("Cannot use the dictionary: it is closed");
  }

  /** Holds a burst of changes back until the end of the turn, or until the next use of the store. */
  holdBack(send: () => void): void {
    if (this.#bursts.size === 0) queueMicrotask(() => this.#sendBursts());
    this.#bursts.add(send);
  }

  #sendBursts(): void {
    if (this.#bursts.size === 0) return;
    const bursts = [...this.#bursts];
    this.#bursts.clear(); // each of them will check the store again
    for (const send of bursts) send();
  }

  /** Watches over a write that nobody awaits. If it fails and `settled` is not asked, the rejection is unhandled. */
  watch(write: Promise<void>, owner: object): void {
    const watched: Promise<void> = write.then(() => {
      this.#writes.delete(watched);
    });
    this.#writes.set(watched, owner);
  }

  /**
   * Waits for the writes that are watched over: all of them, or those of one owner.
   *
   * @throws The first failure that nobody was told of.
   */
  async settled(owner?: object): Promise<void> {
    this.#sendBursts();
    let failure: { readonly reason: unknown } | undefined;
    while (true) {
      const writes = [...this.#writes].filter(([, whose]) => owner === undefined || whose === owner);
      if (writes.length === 0) break;
      const results = await Promise.allSettled(writes.map(([write]) => write));
      results.forEach((result, index) => {
        this.#writes.delete(writes[index][0]);
        if (result.status === "rejected") failure ??= { reason: result.reason };
      });
    }
    if (failure) throw failure.reason;
  }

  /**
   * Takes nothing more, and waits for what it took; what is not settled then ends as at its deadline.
   *
   * @param ms How long it waits, in milliseconds.
   * @returns Whether it was open.
   */
  async close(ms: number): Promise<boolean> {
    this.#sendBursts();
    const wasOpen = !this.#isClosed;
    this.#isClosed = true;
    const unwatched = Promise.all([...this.#watches].map((end) => end()));
    if (this.#taken > 0) await this.#lastCall(ms);
    await unwatched;
    return wasOpen;
  }

  /** Waits for what was taken, and ends what is not settled in time. */
  async #lastCall(ms: number): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      const before = this.#onSettled;
      this.#onSettled = () => {
        before?.();
        resolve();
      };
    });
    const timer = setTimeout(() => this.#runner.end(), ms);
    await settled;
    clearTimeout(timer);
  }

  /** JSON text of a value; `where` is for the message if it cannot be written. */
  encode(value: unknown, where: Path): string {
    const text = encode(value, this.options, where);
    // A character takes at most 3 bytes, so most texts need no count.
    if (text.length * 3 > MAX_BYTES && new TextEncoder().encode(text).length > MAX_BYTES) {
      throw new RangeError(
        `Cannot write ${text.length} characters: Redis takes at most ${MAX_BYTES} bytes in one value`,
      );
    }
    return text;
  }

  /** The value that a text holds. */
  decode(text: string, operation: string, path: Path): Json {
    try {
      return decode(text, this.options);
    } catch (cause) {
      throw new CorruptValueError({ operation, path, text, cause });
    }
  }

  /** The text with its value, to be drafted. */
  fragment(text: string, operation: string, path: Path): Fragment {
    try {
      return Fragment.read(text, this.options);
    } catch (cause) {
      throw new CorruptValueError({ operation, path, text, cause });
    }
  }

  /** The name in Redis of a key. */
  #name(key: string): string {
    const name = this.options.prefix + key;
    if (isRecord(name)) {
      throw new TypeError(
        `Cannot use the key ${formatPlace([key])}: with its prefix it is named like the records of calls`,
      );
    }
    return name;
  }

  async #run(
    groups: readonly Group[],
    after?: readonly (readonly number[])[],
  ): Promise<readonly (Outcome | Error)[]> {
    const { prefix, delivery } = this.options;
    const read = (answer: unknown): readonly Outcome[] => readOutcomes(groups, answer);
    if (delivery === "at-most-once") {
      const call = compile(prefix, groups, undefined, after);
      return await this.#runner.run(() => call, "once", read);
    }
    const record = this.#records.next(prefix + groups[0][0].path[0]);
    const endsAt = performance.now() + recordTtl(this.options.timeout);
    const onceFor = this.#once(record);
    try {
      const outcomes = await this.#runner.run(
        (ahead) => compile(prefix, groups, onceFor(ahead), after),
        "repeat",
        read,
        (ahead) => compile("", [], onceFor(ahead)),
      );
      const unsafe = await this.#replicate(record, groups, outcomes);
      // What was answered need not be said again. What remains stops a request that arrives late.
      if (lengthOf(outcomes) > MAX_RECORD) this.#runner.post("SET", record.name, "[]", "XX", "KEEPTTL");
      return unsafe ?? outcomes;
    } catch (error) {
      if (!(error instanceof NoAnswer) || !error.sent) throw error;
      return groups.map((group, index) => {
        const operation = group[0].kind;
        const resolve = (): Promise<Verdict> => this.#resolve(record, groups, index, endsAt, operation);
        return new Lost(error.cause, record.id, resolve);
      });
    }
  }

  /** Waits until enough replicas have what a call has changed. Else gives, for each group applied, what is known. */
  async #replicate(
    record: RecordName,
    groups: readonly Group[],
    outcomes: readonly Outcome[],
  ): Promise<readonly (Outcome | Error)[] | undefined> {
    const { durability, timeout } = this.options;
    if (durability === undefined || outcomes.every((outcome) => "refusal" in outcome)) return undefined;
    let cause: unknown;
    let count: number | undefined;
    try {
      const { replicas, timeout: ms } = durability;
      count = await this.#runner.replicate(record.name, recordTtl(timeout), replicas, ms);
      if (count !== undefined && count >= replicas) return undefined;
      if (count === undefined) {
        cause = new Error("the server does not know of it any more: another one took over");
      }
    } catch (error) {
      cause = error instanceof NoAnswer || error instanceof Refused ? error.cause ?? error : error;
    }
    return outcomes.map((outcome, index) => {
      if ("refusal" in outcome) return outcome;
      return new Unsafe(
        cause,
        count ?? 0,
        groups[index].length === 1 ? this.#tryDecode(outcome.results[0]) : undefined,
      );
    });
  }

  /** What an op has answered; its text if that is not JSON. */
  #tryDecode(text: string): Json | undefined {
    if (text === "") return undefined;
    try {
      return decode(text, this.options);
    } catch {
      return text;
    }
  }

  /** The record of a call that is sent now, by how far the clock of the server is ahead of ours. */
  #once({ name }: RecordName): (ahead: number) => Once {
    const { timeout } = this.options;
    // All attempts have the same time, or the last ones could come after the record of the first.
    const until = Date.now() + maxDelay(timeout);
    return (ahead) => ({ record: name, ttl: recordTtl(timeout), until: until + ahead });
  }

  /** What became of a group whose answer was lost. If it did not arrive yet, it will find that it came too late. */
  async #resolve(
    record: RecordName,
    groups: readonly Group[],
    index: number,
    endsAt: number,
    operation: string,
  ): Promise<Verdict> {
    const { timeout } = this.options;
    const path = groups[index][0].path;
    if (performance.now() + timeout > endsAt) {
      throw new TimeoutError({
        operation: `resolve ${operation}`,
        path,
        timeout,
        cause: new Error("The call was made so long ago that its record may be gone"),
      });
    }
    const onceFor = this.#once(record);
    try {
      const isApplied = await this.#runner.run(
        (ahead) => compile("", [], onceFor(ahead)),
        "repeat",
        (answer) => readVerdict(groups, index, answer),
      );
      return isApplied ? "applied" : "not-applied";
    } catch (error) {
      throw this.#readError(error, `resolve ${operation}`, path);
    }
  }

  async #read<R>(operation: string, path: Path, read: () => Promise<R>): Promise<R> {
    this.check();
    const key = String(path[0]);
    this.#name(key);
    return await this.#take(async () => {
      this.#goAhead([key]);
      try {
        return await this.#lanes.after([key], read);
      } catch (error) {
        throw this.#readError(error, operation, path);
      }
    });
  }

  #readError(error: unknown, operation: string, path: Path): unknown {
    if (error instanceof NoAnswer) return this.#notApplied(error, operation, path);
    if (!(error instanceof Refused)) return error;
    const { reason, cause } = error;
    if (reason === "LIMIT") {
      return new LimitError({ operation, path, limit: "bytes", maximum: MAX_TEXT, cause });
    }
    if (reason === "WRONGTYPE") return new WrongTypeError({ operation, path, cause });
    return new UnavailableError({ operation, path, reason, cause });
  }

  #changeError(error: unknown, operation: string, path: Path): unknown {
    if (error instanceof Lost) {
      return new AmbiguousResultError({ operation, path, cause: error.cause, record: error.record });
    }
    if (error instanceof Unsafe) {
      const { acknowledged, result, cause } = error;
      const { replicas } = this.options.durability!;
      return new DurabilityError({ operation, path, replicas, acknowledged, result, cause });
    }
    if (error instanceof Partial) {
      return new AmbiguousResultError({ operation, path, cause: error.cause, isPartial: true });
    }
    if (error instanceof NoAnswer && error.sent) {
      return new AmbiguousResultError({ operation, path, cause: error.cause });
    }
    return this.#readError(error, operation, path);
  }

  #notApplied(error: NoAnswer, operation: string, path: Path): unknown {
    const { cause } = error;
    if (cause instanceof Unusable) return cause;
    if (!error.isLate) return new UnavailableError({ operation, path, reason: "CLOSED", cause });
    return new TimeoutError({ operation, path, timeout: this.options.timeout, cause });
  }
}

/** What PTTL has answered. A key that was there a moment ago and has expired is as good as one that expires now. */
function readTtl(answer: unknown): number | undefined {
  const ttl = Number(answer);
  return ttl === -1 ? undefined : Math.max(ttl, 0);
}

/** How many characters a call has answered, about. */
function lengthOf(outcomes: readonly Outcome[]): number {
  let length = 0;
  for (const outcome of outcomes) {
    const texts = "results" in outcome ? outcome.results : outcome.fresh;
    for (const text of texts) if (typeof text === "string") length += text.length;
  }
  return length;
}
