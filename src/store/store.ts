/**
 * What the front ends hold: one place to send ops and reads to, and to get results or errors from.
 *
 * @module
 */

import { type Outcome, type Refusal, toError } from "../call/answer.ts";
import type { Group, Op, Read } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { WrongTypeError } from "../errors/value.ts";
import { isResending, type RedisClient } from "../run/client.ts";
import { Courier } from "../run/delivery.ts";
import { toChangeError, toReadError } from "../run/failure.ts";
import { Lanes, type Part } from "../run/lanes.ts";
import type { Settings } from "../run/options.ts";
import { Runner } from "../run/runner.ts";
import type { View } from "../run/speculation.ts";
import { Bursts } from "./bursts.ts";
import { Codec } from "./codec.ts";
import { Keyspace } from "./keyspace.ts";
import { Reader } from "./reader.ts";
import { Searches } from "./searches.ts";

/** Runs ops and reads on the values behind one prefix of one client. */
export class Store {
  /** How it works. */
  readonly settings: Settings;
  /** Reads and writes texts. */
  readonly codec: Codec;
  /** The changes of live documents. */
  readonly bursts: Bursts = new Bursts();
  readonly #runner: Runner;
  readonly #lanes: Lanes;
  readonly #keyspace: Keyspace;
  readonly #reader: Reader;
  readonly #searches: Searches;
  #isClosed: boolean = false;
  /** How many calls were taken and are not settled. */
  #taken: number = 0;
  /** Resolves when the last call that was taken is settled; only while the store closes. */
  #onSettled: (() => void) | undefined;

  /**
   * Sends to the client; sends nothing yet.
   *
   * @throws {TypeError} If a change must arrive at most once, and the client would send it again.
   */
  constructor(client: RedisClient, settings: Settings) {
    if (settings.delivery === "at-most-once" && isResending(client)) {
      const setting = client.nodes ? "retryDelayOnFailover: 0" : "maxRetriesPerRequest: 0";
      throw new TypeError(
        `Cannot deliver at most once: the client sends a command again when its answer is lost; make it with ${setting}`,
      );
    }
    this.settings = settings;
    this.codec = new Codec(settings);
    this.#runner = new Runner(client, settings.timeout);
    this.#keyspace = new Keyspace(settings.prefix, this.#runner.isCluster);
    const reader = this.#reader = new Reader(this.#runner, this.#keyspace, settings.timeout);
    const courier = new Courier(this.#runner, settings);
    this.#lanes = new Lanes({
      apply: (groups, after) => courier.apply(groups, after),
      read: (places) => reader.places(places),
    });
    this.#searches = new Searches(this.#lanes, reader, this.#keyspace, settings.timeout);
  }

  // ---- Changes ----

  /**
   * Applies a group of ops, all of them or none, behind all earlier groups of the same keys. One round trip, shared
   * with other groups of the key that wait meanwhile.
   *
   * @returns The result of each op, or why the group was refused.
   */
  async attempt(group: Group, operation: string = group[0].kind): Promise<Outcome> {
    this.check();
    const keys = [...new Set(group.map((op) => String(op.path[0])))];
    this.#checkKeys(keys, operation);
    return await this.#change(operation, group[0].path, () => {
      this.#searches.goAhead(keys);
      return this.#lanes.commit(group);
    });
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
    const groups = this.#keyspace.bySlot(group, (op) => String(op.path[0]));
    const outcomes = await Promise.allSettled(groups.map((part) => this.attempt(part)));
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "rejected") throw outcome.reason;
      if (!("refusal" in outcome.value)) return;
      const { refusal } = outcome.value;
      throw toError(groups[index][refusal.index], refusal);
    });
  }

  /** Removes all keys that are there. Returns how many there were. */
  async clear(): Promise<number> {
    this.check();
    return await this.#change("clear", [], () => this.#searches.clear());
  }

  /** Removes some item. Returns its key and text, nothing if there is none. */
  async popItem(): Promise<readonly [string, string] | undefined> {
    this.check();
    return await this.#change("popItem", [], () => this.#searches.popItem());
  }

  // ---- Edits ----

  /**
   * Takes part, for an edit, in what is sent behind all that was issued earlier on some keys. The seat must be left.
   *
   * @param places What the edit looks at.
   * @throws {CrossSlotError} If a cluster keeps the keys apart.
   */
  join(keys: readonly string[], places: readonly Path[], operation: string): Part {
    this.#checkKeys(keys, operation);
    this.#searches.goAhead(keys);
    return this.#lanes.join(keys, places);
  }

  /** Takes more keys for an edit, if nobody is in the way. */
  extend(part: Part, keys: readonly string[], operation: string): boolean {
    this.#checkKeys([...part.keys, ...keys], operation);
    this.#searches.goAhead(keys);
    return part.extend(keys);
  }

  /** Waits for the turn of an edit, and gives what is at its places then. */
  look({ seat }: Part, places: readonly Path[], operation: string): Promise<View> {
    return this.#read(operation, places.length === 1 ? places[0] : [], () => seat.look(places));
  }

  /** Applies a group of an edit. */
  commit({ seat }: Part, group: Group, operation: string): Promise<Outcome> {
    return this.#change(operation, group[0].path, () => seat.commit(group));
  }

  // ---- Reads ----

  /**
   * What is at some places, at one moment, behind all earlier changes of their keys. One round trip, two if a whole
   * value is not there.
   *
   * @returns For each place its text, or why there is none.
   */
  async readAll(places: readonly Path[], operation: string): Promise<readonly (string | Refusal)[]> {
    this.check();
    const keys = [...new Set(places.map(([key]) => String(key)))];
    this.#checkKeys(keys, operation);
    return await this.#readBehind(keys, operation, [], () => this.#reader.places(places));
  }

  /**
   * Reads one place. One round trip.
   *
   * @returns The result, or why there is none.
   */
  async tryRead(read: Read): Promise<string | Refusal> {
    this.check();
    const key = String(read.path[0]);
    this.#keyspace.check([key]);
    return await this.#readBehind([key], read.kind, read.path, () => this.#reader.place(read));
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
    this.check();
    this.#keyspace.check([key]);
    return await this.#readBehind([key], operation, [key], () => this.#reader.command(name, key, ...args));
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
    this.#keyspace.check(keys);
    const places = keys.map((key): Path => [key]);
    const path = keys.length === 1 ? places[0] : [];
    const answers = await this.#readBehind(keys, operation, path, () => this.#reader.places(places));
    return answers.map((answer, index) => {
      if (typeof answer === "string") return answer;
      if (answer.code === "NO_KEY") return undefined;
      throw new WrongTypeError({ operation, path: places[index], found: answer.found });
    });
  }

  /** Does a read behind all earlier changes of some keys. */
  #readBehind<R>(keys: readonly string[], operation: string, path: Path, read: () => Promise<R>): Promise<R> {
    return this.#read(operation, path, () => {
      this.#searches.goAhead(keys);
      return this.#lanes.after(keys, read);
    });
  }

  // ---- Iteration ----

  /** The keys, page by page, without the prefix. Each page is read after all changes that were issued before it. */
  async *keys(operation: string): AsyncGenerator<readonly string[], void> {
    for await (const { keys } of this.#taking(operation, this.#scan())) yield keys;
  }

  /** The keys and texts of all values, page by page. A round trip for each 1000 keys of the server, and one more. */
  items(operation: string): AsyncGenerator<readonly (readonly [string, string])[], void> {
    return this.#taking(operation, this.#items());
  }

  /** How many keys there are. */
  async count(operation: string): Promise<number> {
    this.check();
    return await this.#read(operation, [], async () => {
      let count = 0;
      for await (const { keys } of this.#scan()) count += keys.length;
      return count;
    });
  }

  /** The keys and texts of all values. */
  async all(operation: string): Promise<(readonly [string, string])[]> {
    this.check();
    return await this.#read(operation, [], async () => {
      const items: (readonly [string, string])[] = [];
      for await (const page of this.#items()) for (const item of page) items.push(item);
      return items;
    });
  }

  async *#scan(): AsyncGenerator<{ readonly keys: readonly string[] }, void> {
    await this.#searches.earlier();
    yield* this.#reader.scan("0", this.#lanes);
  }

  async *#items(): AsyncGenerator<readonly (readonly [string, string])[], void> {
    for await (const { keys } of this.#scan()) {
      yield await this.#lanes.after(keys, () => this.#reader.items(keys));
    }
  }

  /** Takes each step of an iteration as a call of its own, for its user may never ask for the next one. */
  async *#taking<P>(operation: string, pages: AsyncGenerator<P, void>): AsyncGenerator<P, void> {
    try {
      while (true) {
        this.check();
        const page = await this.#read(operation, [], () => pages.next());
        if (page.done) return;
        yield page.value;
      }
    } finally {
      await pages.return();
    }
  }

  // ---- What is taken, and closing ----

  /** Throws once the store is closed. Sends first what live documents hold back, which was issued earlier. */
  check(): void {
    this.bursts.send();
    if (this.#isClosed) throw new TypeError("Cannot use the dictionary: it is closed");
  }

  #checkKeys(keys: readonly string[], operation: string): void {
    this.#keyspace.check(keys);
    this.#keyspace.checkSlots(keys, operation);
  }

  /** Runs a call of several steps: it is taken as a whole, and goes on when the store is closed meanwhile. */
  async run<R>(call: () => Promise<R>): Promise<R> {
    this.check();
    return await this.#take(call);
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

  #read<R>(operation: string, path: Path, call: () => Promise<R>): Promise<R> {
    return this.#take(async () => {
      try {
        return await call();
      } catch (error) {
        throw toReadError(error, { operation, path, timeout: this.settings.timeout });
      }
    });
  }

  #change<R>(operation: string, path: Path, call: () => Promise<R>): Promise<R> {
    return this.#take(async () => {
      try {
        return await call();
      } catch (error) {
        throw toChangeError(error, { operation, path, timeout: this.settings.timeout });
      }
    });
  }

  /**
   * Takes nothing more, and waits for what it took; what is not settled then ends as at its deadline.
   *
   * @param ms How long it waits, in milliseconds.
   * @returns Whether it was open.
   */
  async close(ms: number): Promise<boolean> {
    this.bursts.send();
    const wasOpen = !this.#isClosed;
    this.#isClosed = true;
    if (this.#taken === 0) return wasOpen;
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
    return wasOpen;
  }
}
