/**
 * What the front ends hold: one place to send ops and reads to, and to get results or errors from.
 *
 * @module
 */

import { type CommandAnswers, type Outcome, type Refusal, toError } from "../call/answer.ts";
import { type Group, keysOf, type Read } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { AmbiguousResultError } from "../errors/delivery.ts";
import { WrongTypeError } from "../errors/value.ts";
import { isResending, type RedisClient } from "../run/client.ts";
import type { LeaseOp } from "../call/lease.ts";
import { type CallOptions, Cancellation } from "../run/cancellation.ts";
import { ChangeSender, type LeaseAnswer } from "../run/delivery.ts";
import { NoAnswer, toChangeError, toReadError } from "../run/failure.ts";
import { Lanes } from "../run/lanes.ts";
import type { Settings } from "../run/options.ts";
import { Runner } from "../run/runner.ts";
import type { Line } from "../run/sitting.ts";
import { type Tracked, Tracking, type TrackingListener } from "../run/tracking.ts";
import { Bursts } from "./bursts.ts";
import { Codec } from "./codec.ts";
import { Edits, shorten } from "./edits.ts";
import { Intake } from "./intake.ts";
import { Keyspace } from "./keyspace.ts";
import { Leases } from "./leases.ts";
import { Places } from "./places.ts";
import { Reader } from "./reader.ts";
import { drive, type Request, type Steps } from "./request.ts";
import { Searches } from "./searches.ts";
import { type WriteListener, Writes } from "./writes.ts";

/** What is at some places of one key, and for how long. */
export interface Glance {
  /** For each place its text, or why there is none. */
  readonly found: readonly (string | Refusal)[];
  /** Milliseconds until the key expires, `undefined` if it does not. */
  readonly ttl: number | undefined;
  /** Whether it was sent once, so that nothing which was issued later is in it. */
  readonly isCertain: boolean;
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
  readonly settings: Settings;
  /** Reads and writes texts. */
  readonly codec: Codec;
  /** The changes of live documents. */
  readonly bursts: Bursts;
  readonly #client: RedisClient;
  readonly #runner: Runner;
  readonly #lanes: Lanes;
  readonly #keyspace: Keyspace;
  readonly #reader: Reader;
  /** For watches: closing ends what they read, and does not wait for it. */
  readonly #watching: { readonly runner: Runner; readonly reader: Reader };
  readonly #searches: Searches;
  readonly #leases: Leases;
  readonly #edits: Edits;
  readonly #intake: Intake;
  readonly #writes: Writes;
  /** What the calls of this view of the store take. */
  readonly #call: CallOptions;

  /**
   * Sends to the client; sends nothing yet.
   *
   * @param client The client.
   * @param settings How it works.
   * @param origin A store of which this is to be a view.
   * @param call What the calls of this view take.
   * @throws {TypeError} If a change must arrive at most once, and the client would send it again.
   */
  constructor(client: RedisClient, settings: Settings, origin?: Store, call: CallOptions = {}) {
    this.#call = call;
    this.#client = client;
    this.settings = settings;
    if (origin) {
      this.codec = origin.codec;
      this.bursts = origin.bursts;
      this.#runner = origin.#runner;
      this.#lanes = origin.#lanes;
      this.#keyspace = origin.#keyspace;
      this.#reader = call.timeout === undefined ? origin.#reader : origin.#reader.within(call.timeout);
      this.#watching = origin.#watching;
      this.#searches = origin.#searches;
      this.#leases = origin.#leases;
      this.#edits = origin.#edits;
      this.#intake = origin.#intake;
      this.#writes = origin.#writes;
      return;
    }
    this.bursts = new Bursts();
    this.#intake = new Intake();
    this.#writes = new Writes();
    if (settings.delivery === "at-most-once" && isResending(client)) {
      const setting = client.nodes ? "retryDelayOnFailover: 0" : "maxRetriesPerRequest: 0";
      throw new TypeError(
        client.resends === undefined
          ? `Cannot deliver at most once: the client sends a command again when its answer is lost; make it with ${setting}`
          : `Cannot deliver at most once: ${client.resends}; use delivery "exactly-once"`,
      );
    }
    this.codec = new Codec(settings);
    this.#runner = new Runner(client, settings.timeout);
    this.#keyspace = new Keyspace(settings.prefix, this.#runner.isCluster);
    const places = new Places(this.#runner, this.#keyspace, settings.readWhole);
    const reader = this.#reader = new Reader(this.#runner, this.#keyspace, places, settings.timeout);
    const runner = new Runner(client, settings.timeout);
    this.#watching = {
      runner,
      reader: new Reader(runner, this.#keyspace, places.by(runner), settings.timeout),
    };
    const sender = new ChangeSender(this.#runner, settings);
    this.#lanes = new Lanes({
      apply: (groups, after, cancellations) => sender.apply(groups, after, cancellations),
      read: (places, ms) => (ms === undefined ? reader : reader.within(ms)).places(places),
    });
    this.#edits = new Edits(this.#lanes);
    this.#searches = new Searches(this.#lanes, reader, this.#keyspace, settings.timeout);
    this.#leases = new Leases({
      lanes: this.#lanes,
      searches: this.#searches,
      keyspace: this.#keyspace,
      sender,
      renewer: new ChangeSender(runner, settings),
      runner,
      recordPrefix: settings.recordPrefix,
    });
  }

  /** A view of the store whose calls take other options. */
  within(call: CallOptions | undefined): Store {
    if (call?.signal === undefined && call?.timeout === undefined) return this;
    return new Store(this.#client, this.settings, this, { signal: call.signal, timeout: call.timeout });
  }

  /** Whether another one is a view of the same store. */
  isSame(other: Store): boolean {
    return this.#intake === other.#intake;
  }

  // ---- Changes ----

  /**
   * Applies a group of ops, all of them or none, behind all earlier groups of the same keys. One round trip, shared
   * with other groups of the key that wait meanwhile.
   *
   * @param group The ops.
   * @param operation The method that the caller used.
   * @param line If an earlier group of this line is not applied, this one is refused with `AFTER`.
   * @returns The result of each op, or why the group was refused.
   */
  attempt(group: Group, operation: string = group[0].kind, line?: Line): Promise<Outcome> {
    this.check();
    const keys = keysOf(group);
    this.#checkKeys(keys, operation);
    return this.#writes.write(keys, () =>
      this.#change(operation, group[0].path, (cancellation) => {
        this.#searches.goAhead(keys);
        return this.#lanes.commit(group, cancellation, line);
      }));
  }

  /** Applies ops on any number of keys, all of them or none; in a cluster, those of each slot for themselves. */
  async applyAll(group: Group, operation: string): Promise<void> {
    const groups = this.#keyspace.bySlot(group, (op) => String(op.path[0]));
    const outcomes = await Promise.allSettled(
      groups.map(async (part) => await this.attempt(part, operation)),
    );
    for (const outcome of outcomes) {
      // What may have been applied says more than what was not sent.
      if (outcome.status === "rejected" && outcome.reason instanceof AmbiguousResultError) {
        throw outcome.reason;
      }
    }
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "rejected") throw outcome.reason;
      if (!("refusal" in outcome.value)) return;
      const { refusal } = outcome.value;
      throw toError(groups[index][refusal.index], refusal, operation);
    });
  }

  /** Removes all keys that are there. Returns how many there were. */
  async clear(): Promise<number> {
    this.check();
    return await this.#writes.write(
      undefined,
      () => this.#change("clear", [], (cancellation) => this.#searches.clear(cancellation)),
    );
  }

  /** Removes some item. Returns its key and text, nothing if there is none. */
  async popItem(): Promise<readonly [string, string] | undefined> {
    this.check();
    return await this.#writes.write(
      undefined,
      () => this.#change("popItem", [], (cancellation) => this.#searches.popItem(cancellation)),
    );
  }

  // ---- Methods that are written as steps ----

  /** Runs a method: it is taken as a whole, and goes on when the store is closed meanwhile. */
  drive<R>(steps: Steps<R>): Promise<R> {
    this.check();
    return drive(this, steps);
  }

  /**
   * Runs a method from its arguments on. It never throws: wrong arguments reject, too.
   *
   * @param begin Checks the arguments, and makes the steps.
   * @returns What the steps return.
   */
  run<R>(begin: () => { readonly options: CallOptions | undefined; readonly steps: Steps<R> }): Promise<R> {
    try {
      const { options, steps } = begin();
      return this.within(options).drive(steps);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Performs one request of a method. Where it takes a place, it has done so when this returns.
   *
   * @returns The answer, or a promise of it.
   */
  perform(request: Request): unknown {
    switch (request.kind) {
      case "read":
        return this.tryRead(request.read, request.operation);
      case "readAll":
        return this.#readAll(request.places, request.operation);
      case "command":
        return this.command(request.operation, request.name, request.key);
      case "commands": {
        const { operation, names, key } = request;
        return Promise.all(names.map((name) => this.command(operation, name, key)));
      }
      case "fragments":
        return this.fragments(request.places, request.operation);
      case "texts":
        return this.texts(request.keys, request.operation);
      case "ready":
        return this.ready();
      case "keys":
        return this.#list(request.startsWith, request.limit);
      case "all":
        return this.all(request.operation);
      case "count":
        return this.count(request.operation);
      case "clear":
        return this.clear();
      case "popItem":
        return this.popItem();
      case "apply":
        return this.attempt(request.group, request.operation);
      case "applyAll":
        return this.applyAll(request.group, request.operation);
      case "shorten":
        return shorten(request.group);
      case "join":
        return this.#join(request.keys, request.places);
      case "extend":
        return this.#extend(request.edit, request.keys, request.places);
      case "look": {
        const { edit, places } = request;
        const path = places.length === 1 ? places[0] : [];
        return this.#read("edit", path, (cancellation) => {
          cancellation?.start();
          return this.#edits.look(edit, places);
        });
      }
      case "commit": {
        const { edit, group } = request;
        const keys = group.map((op) => String(op.path[0]));
        return this.#writes.write(
          keys,
          () =>
            this.#change(
              "edit",
              group[0].path,
              (cancellation) => this.#edits.commit(edit, group, cancellation),
            ),
        );
      }
      case "leave":
        return this.#edits.leave(request.edit);
    }
  }

  // ---- Edits ----

  #join(keys: readonly string[], places: readonly Path[]): number {
    this.#checkKeys(keys, "edit");
    this.#searches.goAhead(keys);
    this.#call.signal?.throwIfAborted();
    return this.#edits.join(keys, places, this.#call.timeout);
  }

  #extend(edit: number, keys: readonly string[], places: readonly Path[]): boolean {
    const { late, all } = this.#edits.lateOf(edit, keys);
    if (late.length === 0) return true;
    this.#checkKeys(all, "edit");
    this.#searches.goAhead(late);
    return this.#edits.extend(edit, late, places, this.#call.timeout);
  }

  // ---- Reads ----

  /**
   * What is at some places, at one moment, behind all earlier changes of their keys. One round trip, two if a whole
   * value is not there.
   *
   * @returns For each place its text, or why there is none.
   */
  async #readAll(places: readonly Path[], operation: string): Promise<readonly (string | Refusal)[]> {
    this.check();
    const keys = [...new Set(places.map(([key]) => String(key)))];
    this.#checkKeys(keys, operation);
    return await this.#readBehind(keys, operation, [], () => this.#reader.places(places));
  }

  /**
   * What is at some places, in one round trip. It is that of one moment, but for keys in different slots of a cluster.
   *
   * @returns For each place its text, or why there is none.
   */
  async fragments(places: readonly Path[], operation: string): Promise<readonly (string | Refusal)[]> {
    this.check();
    if (places.length === 0) return [];
    const keys = [...new Set(places.map(([key]) => String(key)))];
    this.#keyspace.check(keys);
    return await this.#readBehind(keys, operation, [], () => this.#reader.fragments(places));
  }

  /**
   * Reads one place. One round trip.
   *
   * @returns The result, or why there is none.
   */
  tryRead(read: Read, operation: string = read.kind): Promise<string | Refusal> {
    this.check();
    const key = String(read.path[0]);
    this.#keyspace.check([key]);
    return this.#readBehind([key], operation, read.path, () => this.#reader.place(read));
  }

  /** Reads one place; refusals are thrown. */
  async read(read: Read, operation: string = read.kind): Promise<string> {
    const result = await this.tryRead(read, operation);
    if (typeof result !== "string") throw toError(read, result, operation);
    return result;
  }

  /** Sends a plain command about one key, after all earlier changes of the key. The key comes first. */
  command<N extends keyof CommandAnswers>(
    operation: string,
    name: N,
    key: string,
  ): Promise<CommandAnswers[N]> {
    this.check();
    this.#keyspace.check([key]);
    return this.#readBehind([key], operation, [key], () => this.#reader.command(name, key));
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
    return this.#read(operation, path, (cancellation) => {
      this.#searches.goAhead(keys);
      return this.#lanes.after(
        keys,
        () => cancellation?.isCancelled ? Promise.reject(new NoAnswer(false, false)) : read(),
      );
    });
  }

  // ---- The server ----

  /** Finds out whether calls will work: by asking, and by a change that changes nothing. Two round trips. */
  async ready(): Promise<void> {
    this.check();
    const { recordPrefix, durability } = this.settings;
    const key = "ready";
    await this.#read("ready", [], () => this.#reader.ready(key, recordPrefix, durability !== undefined));
    const group: Group = [{ kind: "exists", path: [key] }];
    await this.#change("ready", [], (cancellation) => this.#lanes.commit(group, cancellation));
  }

  // ---- Iteration ----

  /**
   * The keys that start with something, page by page, without the prefix. Each page is read after all changes that were
   * issued before it.
   */
  async *keys(operation: string, startsWith: string = ""): AsyncGenerator<readonly string[], void> {
    for await (const { keys } of this.#taking(operation, this.#scan(startsWith))) yield keys;
  }

  async #list(startsWith: string, limit: number): Promise<readonly string[]> {
    const list: string[] = [];
    if (limit === 0) return list;
    for await (const page of this.keys("keys", startsWith)) {
      for (const key of page) list.push(key);
      if (list.length >= limit) return list.slice(0, limit);
    }
    return list;
  }

  /** The keys and texts of all values, page by page. A round trip for each 1000 keys of the server, and one more. */
  items(operation: string): AsyncGenerator<readonly (readonly [string, string])[], void> {
    return this.#taking(operation, this.#items());
  }

  /** How many keys there are. */
  async count(operation: string): Promise<number> {
    this.check();
    return await this.#read(operation, [], async (cancellation) => {
      let count = 0;
      for await (const { keys } of this.#scan("", cancellation)) {
        if (cancellation?.isCancelled) break;
        count += keys.length;
      }
      return count;
    });
  }

  /** The keys and texts of all values. */
  async all(operation: string): Promise<(readonly [string, string])[]> {
    this.check();
    return await this.#read(operation, [], async (cancellation) => {
      const items: (readonly [string, string])[] = [];
      for await (const page of this.#items(cancellation)) {
        if (cancellation?.isCancelled) break;
        for (const item of page) items.push(item);
      }
      return items;
    });
  }

  /** Pages of keys, behind all that was issued before. From then on the time of the call counts. */
  async *#scan(
    startsWith?: string,
    cancellation?: Cancellation,
    reader: Reader = this.#reader,
  ): AsyncGenerator<{ readonly keys: readonly string[] }, void> {
    await this.#searches.earlier();
    cancellation?.start();
    yield* reader.scan("0", this.#lanes, startsWith);
  }

  async *#items(cancellation?: Cancellation): AsyncGenerator<readonly (readonly [string, string])[], void> {
    for await (const { keys } of this.#scan("", cancellation)) {
      yield await this.#lanes.after(keys, () => this.#reader.items(keys));
    }
  }

  /** Takes each step of an iteration as a call of its own, for its user may never ask for the next one. */
  async *#taking<P>(operation: string, pages: AsyncGenerator<P, void>): AsyncGenerator<P, void> {
    let isUnderWay = false;
    try {
      while (true) {
        this.check();
        isUnderWay = true;
        const page = await this.#read(operation, [], () => pages.next());
        isUnderWay = false;
        if (page.done) return;
        yield page.value;
      }
    } finally {
      const isOver = pages.return().catch(() => {});
      // Nothing waits for what was cancelled, nor for a page ahead where the caller has given up.
      if (!isUnderWay && !this.#call.signal?.aborted) await isOver;
    }
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
    const { prefix, heartbeat, timeout } = this.settings;
    const name = key === undefined ? undefined : this.#keyspace.nameOf(key);
    const tracked = Tracking.join(this.#client, prefix, { heartbeat, timeout }, {
      ...(name === undefined ? {} : { name }),
      changed: (changed) => listener.changed(changed?.slice(prefix.length)),
      failed: listener.failed,
    });
    const forget = this.#intake.onClose(end);
    return {
      ready: tracked.ready,
      get isFresh() {
        return tracked.isFresh;
      },
      get failure() {
        return tracked.failure;
      },
      hold: tracked.hold,
      leave: async () => {
        await tracked.leave();
        forget(); // until then, closing waits for it
      },
    };
  }

  /** All keys, page by page, for a watch. */
  async *watchedKeys(): AsyncGenerator<readonly string[], void> {
    const pages = this.#scan(undefined, undefined, this.#watching.reader);
    for await (const { keys } of this.#taking("watch", pages)) yield keys;
  }

  /** Whether reads may go to replicas, which may be behind what is told of changes. */
  get readsReplicas(): boolean {
    const { scaleReads = "master" } = { ...this.#client.options } as { readonly scaleReads?: unknown };
    return scaleReads !== "master";
  }

  /** Tells when writes of this dictionary begin and end, by whatever handle. Returns what ends that. */
  onWrite(listener: WriteListener): () => void {
    return this.#writes.onWrite(listener);
  }

  /** The text of a key behind all earlier changes of it, and what PTTL said just before. One round trip, two for no text. */
  async expiring(key: string): Promise<{ readonly text: string | undefined; readonly ttl: number }> {
    const path = [key];
    this.check();
    this.#checkKeys([key], "get");
    const [ttl, [found]] = await this.#readBehind([key], "get", path, () =>
      // In this order: what has an expiry only after that is another value, and its news is on the way.
      Promise.all([this.#reader.command("PTTL", key), this.#reader.places([path])]));
    if (typeof found !== "string" && found.code !== "NO_KEY") {
      throw toError({ kind: "get", path }, found);
    }
    return { text: typeof found === "string" ? found : undefined, ttl: Number(ttl) };
  }

  /**
   * What is at some places of one key, and for how long, behind all earlier changes of the key. One round trip, two if a
   * whole value is not there.
   *
   * @param sent Called when it is sent: news of changes that came before are answered by it.
   */
  async glance(places: readonly Path[], sent: () => void = () => {}): Promise<Glance> {
    this.check();
    const key = String(places[0][0]);
    this.#keyspace.check([key]);
    return await this.take(() => {
      this.#searches.goAhead([key]);
      const { runner, reader } = this.#watching;
      return this.#lanes.after([key], async () => {
        sent();
        const { repeats } = runner;
        const [found, ttl] = await Promise.all([reader.places(places), reader.command("PTTL", key)]);
        return { found, ttl: readTtl(ttl), isCertain: runner.repeats === repeats };
      });
    });
  }

  /** The texts of some keys, and for how long. One round trip; none of them need be an item. */
  async keptTexts(keys: readonly string[]): Promise<readonly KeptText[]> {
    this.check();
    return await this.take(() => {
      this.#searches.goAhead(keys);
      return this.#lanes.after(keys, async () => {
        const kept = await this.#watching.reader.kept(keys);
        return kept.map(([text, ttl]) => ({ text: text ?? undefined, ttl: readTtl(ttl) }));
      });
    });
  }

  /** The error that tells a caller why a read failed. */
  readError(error: unknown, operation: string, path: Path): unknown {
    return toReadError(error, { operation, path, timeout: this.#timeout });
  }

  // ---- Leases ----

  /**
   * Does something with a lease, behind all earlier changes of its key. One round trip. It can be given back also while
   * the store closes.
   *
   * @param op The op.
   * @param operation The method that the caller used.
   * @param isWanted Asked when it has its turn: otherwise nothing is sent.
   * @returns The answer; nothing if nothing was sent.
   */
  async changeLease(
    op: LeaseOp,
    operation: string,
    isWanted?: () => boolean,
  ): Promise<LeaseAnswer | undefined> {
    if (op.kind === "release") this.bursts.send();
    else this.check();
    this.#checkKeys([op.key], operation);
    return await this.#writes.write(
      [op.key],
      () => this.#change(operation, [op.key], () => this.#leases.change(op, this.#call.timeout, isWanted)),
    );
  }

  /** Renews a lease, or tries to for so many milliseconds. It waits for nothing, and closing does not wait for it. */
  async renewLease(key: string, owner: string, ttl: number, timeout: number): Promise<LeaseAnswer> {
    try {
      return await this.#leases.renew(key, owner, ttl, timeout);
    } catch (error) {
      throw toChangeError(error, { operation: "renew", path: [key], timeout });
    }
  }

  /**
   * For how long a key is taken, if nobody renews it. One round trip. Closing does not wait for it.
   *
   * @param timeout How long the call may take, in milliseconds.
   * @returns Milliseconds; `Infinity` if what is there does not expire, nothing if the key is free.
   */
  async leftOfLease(key: string, timeout: number): Promise<number | undefined> {
    try {
      return await this.#leases.left(key, timeout);
    } catch (error) {
      throw toReadError(error, { operation: "lease", path: [key], timeout });
    }
  }

  // ---- What is taken, and closing ----

  /** Whether it takes nothing more. */
  get isClosed(): boolean {
    return this.#intake.isClosed;
  }

  /** A call begins: closing waits for its end. */
  begin(): void {
    this.#intake.begin();
  }

  /** A call is settled. */
  end(): void {
    this.#intake.end();
  }

  /** Takes a piece of work as one call: closing waits for all of it. */
  take<R>(work: () => Promise<R>): Promise<R> {
    return this.#intake.take(work);
  }

  /**
   * Ends something when the store closes.
   *
   * @param end Ends it. Closing waits until it resolves.
   * @returns What stops that.
   */
  onClose(end: () => Promise<void>): () => void {
    return this.#intake.onClose(end);
  }

  /** Throws once the store is closed. Sends first what live documents hold back, which was issued earlier. */
  check(): void {
    this.bursts.send();
    if (this.#intake.isClosed) throw new TypeError("Cannot use the dictionary: it is closed");
  }

  #checkKeys(keys: readonly string[], operation: string): void {
    this.#keyspace.check(keys);
    this.#keyspace.checkSlots(keys, operation);
  }

  async #read<R>(operation: string, path: Path, call: Cancellable<R>): Promise<R> {
    this.begin();
    try {
      return await this.#run(call);
    } catch (error) {
      throw this.readError(error, operation, path);
    } finally {
      this.end();
    }
  }

  async #change<R>(operation: string, path: Path, call: Cancellable<R>): Promise<R> {
    this.begin();
    try {
      return await this.#run(call);
    } catch (error) {
      throw toChangeError(error, { operation, path, timeout: this.#timeout });
    } finally {
      this.end();
    }
  }

  get #timeout(): number {
    return this.#call.timeout ?? this.settings.timeout;
  }

  /** Does a call until it is cancelled. Closing waits for what is left of it. */
  #run<R>(call: Cancellable<R>): Promise<R> {
    const { signal, timeout } = this.#call;
    if (signal === undefined && timeout === undefined) return call();
    const cancellation = new Cancellation(this.#call);
    return cancellation.wait(() => this.take(() => call(cancellation)));
  }

  /**
   * Takes nothing more, ends the watches, and waits for what it took; what is not settled then ends as at its deadline.
   *
   * @param ms How long it waits, in milliseconds.
   * @returns Whether it was open.
   */
  async close(ms: number): Promise<boolean> {
    this.bursts.send();
    return await this.#intake.close(ms, () => this.#watching.runner.end(), () => this.#runner.end());
  }
}

/** A call, and what may end it. */
type Cancellable<R> = (cancellation?: Cancellation) => Promise<R>;

/** What PTTL has answered. A key that was there a moment ago and has expired is as good as one that expires now. */
function readTtl(answer: unknown): number | undefined {
  const ttl = Number(answer);
  return ttl === -1 ? undefined : Math.max(ttl, 0);
}
