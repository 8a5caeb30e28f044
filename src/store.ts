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
import { Lanes } from "./lanes.ts";
import type { Group, Op, Read } from "./op.ts";
import { formatPlace, type Path } from "./path.ts";
import { maxDelay, type RecordName, Records, recordTtl } from "./record.ts";
import { Runner } from "./runner.ts";
import { scanKeys } from "./scan.ts";
import { slotOf } from "./slot.ts";

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
  /** What records are called, before tag and id. */
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

/** Runs ops and reads on the values behind one prefix of one client. */
export class Store {
  /** How it works. */
  readonly options: StoreOptions;
  readonly #runner: Runner;
  readonly #lanes: Lanes;
  readonly #records: Records;
  /** Whether a key could be named like a record. */
  readonly #mayMeet: boolean;
  #isClosed: boolean = false;
  /** Sends what live documents hold back until the end of the turn. */
  readonly #bursts: Set<() => void> = new Set();
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
    this.#mayMeet = this.#records.mayMeet(options.prefix);
    this.#runner = new Runner(client, options.timeout);
    this.#lanes = new Lanes((groups) => this.#run(groups));
  }

  /**
   * Applies a group of ops, all of them or none, behind all earlier groups of the same keys. One round trip, shared
   * with other groups of the key that wait meanwhile.
   *
   * @returns The result of each op, or why the group was refused.
   */
  async attempt(group: Group, operation: string = group[0].kind): Promise<Outcome> {
    this.check();
    if (this.#mayMeet) { for (const op of group) this.#name(String(op.path[0])); }
    this.checkSlots(group.map((op) => String(op.path[0])), operation);
    try {
      return await this.#lanes.commit(group);
    } catch (error) {
      throw this.#changeError(error, operation, group[0].path);
    }
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
    return await this.#lanes.after(keys, async () => {
      try {
        const texts = await this.#mget(keys);
        const missing = [...new Set(keys.filter((_, index) => texts[index] === null))];
        // MGET answers nil for a key that is no string, which must not look like a miss.
        const types = await Promise.all(
          missing.map((key) => this.#runner.command("repeat", "TYPE", this.options.prefix + key)),
        );
        types.forEach((type, index) => {
          if (type === "none" || type === "string") return;
          throw new WrongTypeError({ operation, path: [missing[index]], found: String(type) });
        });
        return texts.map((text) => text ?? undefined);
      } catch (error) {
        throw this.#readError(error, operation, keys.length === 1 ? [keys[0]] : []);
      }
    });
  }

  /** The keys, page by page, without the prefix, after all earlier changes. */
  async *keys(operation: string): AsyncGenerator<readonly string[], void> {
    this.check();
    const { prefix, timeout } = this.options;
    try {
      await this.idle();
      for await (const page of scanKeys(this.#runner, prefix, this.#records, timeout)) {
        yield page.map((name) => name.slice(prefix.length));
      }
    } catch (error) {
      throw this.#readError(error, operation, []);
    }
  }

  /** The keys and texts of all values, page by page. A round trip for each 1000 keys of the server, and one more. */
  async *items(operation: string): AsyncGenerator<readonly (readonly [string, string])[], void> {
    for await (const page of this.keys(operation)) yield await this.#page(operation, page);
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

  /** Removes keys, each by itself. A round trip for each 500. Returns how many were there. */
  async remove(keys: readonly string[]): Promise<number> {
    const groups = keys.map((key): Group => [{ kind: "delete", path: [key] }]);
    const calls: (readonly Group[])[] = [];
    for (const part of this.#bySlot(groups, ([op]) => String(op.path[0]))) {
      for (let from = 0; from < part.length; from += MAX_REMOVED) {
        calls.push(part.slice(from, from + MAX_REMOVED));
      }
    }
    try {
      const outcomes = (await Promise.all(calls.map((groups) => this.#run(groups)))).flat();
      return outcomes.filter((outcome) => {
        if (outcome instanceof Error) throw outcome;
        return "results" in outcome && outcome.results[0] === "true";
      }).length;
    } catch (error) {
      throw this.#changeError(error, "clear", []);
    }
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
   * Takes nothing more, and waits for what it took.
   *
   * @returns Whether it was open.
   */
  async close(): Promise<boolean> {
    this.#sendBursts();
    const wasOpen = !this.#isClosed;
    this.#isClosed = true;
    await this.idle();
    return wasOpen;
  }

  /** Waits until all changes that were issued so far are settled. */
  idle(): Promise<void> {
    return this.#lanes.after(undefined, () => Promise.resolve());
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
    if (this.#mayMeet && this.#records.has(name)) {
      throw new TypeError(
        `Cannot use the key ${formatPlace([key])}: with its prefix it is named like the records of calls`,
      );
    }
    return name;
  }

  async #run(groups: readonly Group[]): Promise<readonly (Outcome | Error)[]> {
    const { prefix, delivery } = this.options;
    const read = (answer: unknown): readonly Outcome[] => readOutcomes(groups, answer);
    if (delivery === "at-most-once") {
      const call = compile(prefix, groups);
      return await this.#runner.run(() => call, "once", read);
    }
    const record = this.#records.next(prefix + groups[0][0].path[0]);
    const endsAt = performance.now() + recordTtl(this.options.timeout);
    const onceFor = this.#once(record);
    try {
      const outcomes = await this.#runner.run(
        (ahead) => compile(prefix, groups, onceFor(ahead)),
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
    try {
      return await this.#lanes.after([key], read);
    } catch (error) {
      throw this.#readError(error, operation, path);
    }
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

/** How many characters a call has answered, about. */
function lengthOf(outcomes: readonly Outcome[]): number {
  let length = 0;
  for (const outcome of outcomes) {
    const texts = "results" in outcome ? outcome.results : outcome.fresh;
    for (const text of texts) if (typeof text === "string") length += text.length;
  }
  return length;
}
