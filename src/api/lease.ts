/**
 * Leases: values that one holder keeps for as long as it is there.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import { readKey } from "../data/path.ts";
import { DurabilityError, UnavailableError } from "../errors/delivery.ts";
import { JsonDictError } from "../errors/error.ts";
import { type LeaseEnd, LeaseEndedError } from "../errors/lease.ts";
import type { CallOptions } from "../run/cancellation.ts";
import { Deferred } from "../run/deferred.ts";
import { checkOptions, checkTtl, MAX_TIMEOUT } from "../run/option.ts";
import { newOwner } from "../run/record.ts";
import { listen, unlisten } from "../run/signal.ts";
import type { Tracked } from "../run/tracking.ts";
import type { Store } from "../store/store.ts";
import { isPassing } from "./feed.ts";

/** How a lease is taken. */
export interface LeaseOptions extends CallOptions {
  /**
   * The value expires so many milliseconds (not seconds) after it was last renewed, which is done by itself each third of
   * that time. So it is how long others wait when the process of the holder dies, and how long a connection may be lost
   * before the lease is. Some seconds are a good choice; 100 is the least.
   */
  readonly ttl: number;
  /**
   * How long to wait for a lease that somebody else has, in milliseconds; `true` is for ever. Who waits is woken when the
   * value changes or expires, and asks from time to time. Those of one dictionary have it in the order of issue; beyond that there is no queue.
   * A call that is under way at the end is waited for, so that it may take `timeout` more.
   *
   * @default {false}
   */
  readonly wait?: number | boolean;
  /** Ends the wait, and gives back what is taken meanwhile. It does not end the lease. */
  readonly signal?: AbortSignal;
}

/**
 * A value that only its holder has, renewed by itself until it is released. A lease that is held keeps the process alive,
 * as its connection does.
 *
 * @typeParam V The type of the value.
 */
export interface Lease<V> extends AsyncDisposable {
  /** The key. */
  readonly key: string;
  /**
   * The fencing number: greater than that of every earlier lease of the key. What is changed under the lease can remember
   * it, and refuse a smaller one; only that stops a holder that was paused at the wrong moment. It is at least the time of
   * the server in microseconds since 1970, and below 2^53.
   */
  readonly fence: number;
  /**
   * Aborted when the lease is over, at the latest when nine tenths of `ttl` have passed since it was last renewed, so
   * before anybody else can have it. Its reason is a {@linkcode LeaseEndedError}. To read this property also compares the
   * clock: that counts where a process was stopped, and its timers have not run yet.
   */
  readonly signal: AbortSignal;

  /**
   * Writes another value, and renews the lease. One round trip.
   *
   * @param value The value.
   * @throws {LeaseEndedError} If the lease is over; nothing is changed.
   * @throws {TypeError} If JSON cannot hold the value.
   */
  update(value: V): Promise<void>;

  /**
   * Ends the lease: aborts its signal and removes the value, if it is still the one that this holder wrote. One round
   * trip; none if the lease is over already. Without an answer, the value ends by its expiry. `await using` does the same,
   * but does not report that.
   *
   * @returns Whether the lease was held until now.
   */
  release(): Promise<boolean>;
}

/** A lease that is shorter would often be over before the answer is here, in milliseconds. */
const MIN_TTL = 100;
/** Of the ttl, how much a holder counts on: the rest is for clocks that run differently, and for late timers. */
const SURE = 0.9;
/** How often a lease is renewed in its ttl. */
const BEATS = 3;
/** After a renewal that was refused the next one comes after this part of the ttl. */
const RETRY = 0.1;
/** The pauses between looks at a lease that somebody else has, in milliseconds, where nobody tells of changes. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;
/** How much later than a key expires it is looked at, in milliseconds: the time left is rounded. */
const GRACE = 2;

/** A lease that was taken. It knows only the time since its last renewal was sent, by the clock that never jumps. */
class HeldLease implements Lease<unknown> {
  readonly key: string;
  readonly fence: number;
  readonly #store: Store;
  readonly #owner: string;
  readonly #ttl: number;
  readonly #controller: AbortController = new AbortController();
  /** Until when it is sure to be held, by `performance.now()`. */
  #sureUntil: number;
  /** Why it is over, if it is. */
  #end: LeaseEnd | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #beat: ReturnType<typeof setTimeout> | undefined;
  #forget: () => void = () => {};
  #released: Promise<boolean> | undefined;
  /** Why it was not renewed the last time. */
  #failure: unknown;

  constructor(store: Store, key: string, owner: string, fence: number, ttl: number, sentAt: number) {
    this.#store = store;
    this.key = key;
    this.#owner = owner;
    this.fence = fence;
    this.#ttl = ttl;
    this.#sureUntil = sentAt + ttl * SURE;
    this.#forget = store.onClose(() => this.#close());
    this.#watchDeadline();
    this.#renewAt(sentAt + ttl / BEATS);
  }

  get #isOver(): boolean {
    return this.#end !== undefined;
  }

  get signal(): AbortSignal {
    this.#checkClock();
    return this.#controller.signal;
  }

  async update(value: unknown): Promise<void> {
    const text = this.#store.codec.encode(value, [this.key]);
    this.signal.throwIfAborted();
    const op = { kind: "replace", key: this.key, owner: this.#owner, ttl: this.#ttl, text } as const;
    // case: it waits behind other calls of the key until the time is over. It must not begin a time that nobody ends.
    const answer = await this.#store.changeLease(op, "update", () => {
      this.#checkClock();
      return this.#end !== "expired";
    });
    if (typeof answer?.outcome === "string") return this.#renewed(answer.sentAt);
    if (answer !== undefined) this.#lose(answer.outcome.found as LeaseEnd);
    throw this.#controller.signal.reason;
  }

  release(): Promise<boolean> {
    return this.#released ??= this.#release();
  }

  async #release(): Promise<boolean> {
    this.#checkClock();
    if (this.#isOver) return false;
    this.#endBy("released");
    return await this.#giveBack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch((error) => {
      if (!(error instanceof JsonDictError)) throw error; // what could not be removed ends by its expiry
    });
  }

  async #giveBack(): Promise<boolean> {
    return await giveBack(this.#store, this.key, this.#owner);
  }

  /** Closing waits until it is given back. */
  async #close(): Promise<void> {
    this.#endBy("closed");
    await this.#giveBack().catch(() => {}); // it ends by its expiry
  }

  /** The server has begun its time anew. */
  #renewed(sentAt: number): void {
    if (this.#end === "expired") this.#giveBack().catch(() => {}); // renewed for nobody
    if (this.#isOver) return;
    this.#failure = undefined;
    this.#sureUntil = Math.max(this.#sureUntil, sentAt + this.#ttl * SURE);
    this.#watchDeadline();
    this.#renewAt(sentAt + this.#ttl / BEATS);
  }

  #checkClock(): void {
    if (!this.#isOver && performance.now() >= this.#sureUntil) this.#endBy("expired");
  }

  #watchDeadline(): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      this.#checkClock();
      if (!this.#isOver) this.#watchDeadline(); // timers may be early
    }, this.#sureUntil - performance.now());
  }

  #renewAt(time: number): void {
    clearTimeout(this.#beat);
    this.#beat = setTimeout(() => this.#renew(), Math.max(time - performance.now(), 0));
  }

  /** Renews it. One try takes no longer than the pause before it: a connection that is silent is replaced after that. */
  async #renew(): Promise<void> {
    this.#checkClock();
    if (this.#isOver) return;
    try {
      const time = Math.min(this.#sureUntil - performance.now(), this.#ttl / BEATS);
      const { outcome, sentAt } = await this.#store.renewLease(this.key, this.#owner, this.#ttl, time);
      if (typeof outcome !== "string") this.#lose(outcome.found as LeaseEnd);
      else this.#renewed(sentAt);
    } catch (error) {
      this.#failure = error;
      if (!this.#isOver) this.#renewAt(performance.now() + this.#ttl * RETRY);
    }
  }

  /** The server says that it is over. What is left of it there is removed, so that nobody waits for it. */
  #lose(end: LeaseEnd): void {
    if (this.#isOver) return;
    this.#endBy(end);
    if (end !== "expired") this.#giveBack().catch(() => {});
  }

  #endBy(end: LeaseEnd): void {
    if (this.#isOver) return;
    this.#end = end;
    clearTimeout(this.#deadline);
    clearTimeout(this.#beat);
    this.#forget();
    const cause = end === "expired" && this.#failure !== undefined ? { cause: this.#failure } : {};
    const { fence } = this;
    this.#controller.abort(
      new LeaseEndedError({ operation: "lease", path: [this.key], end, fence, ...cause }),
    );
  }
}

/** Removes a lease, and its value if nobody else changed that. Whether it was whole. */
async function giveBack(store: Store, key: string, owner: string): Promise<boolean> {
  const answer = await store.changeLease({ kind: "release", key, owner }, "release");
  return answer?.outcome === "true";
}

/** Those of one dictionary that wait for one key, in order of issue. Only the first asks the server. */
type Line = (() => void)[];
const lines: WeakMap<Store, Map<string, Line>> = new WeakMap();

function lineOf(store: Store, key: string): Line {
  const ofStore = lines.get(store) ?? new Map<string, Line>();
  lines.set(store, ofStore);
  const line = ofStore.get(key) ?? [];
  ofStore.set(key, line);
  return line;
}

/** One call that takes a lease: it tries, and waits while somebody else has it. */
class Acquisition {
  readonly #store: Store;
  /** What ends each try. */
  readonly #timed: Store;
  /** What ends each look, in milliseconds. */
  readonly #timeout: number;
  readonly #key: string;
  readonly #text: string;
  readonly #ttl: number;
  readonly #waits: boolean;
  /** Until when it waits, by `performance.now()`. */
  readonly #endsAt: number;
  #isOver: boolean = false;
  /** How long it is busy if nobody renews it, in milliseconds. */
  #left: number | undefined;
  /** Why it is not known whether it is busy. */
  #failure: unknown;
  #tracked: Tracked | undefined;
  #cannotTrack: boolean = false;
  #hasNews: boolean = false;
  #wake: (() => void) | undefined;

  constructor(store: Store, key: string, text: string, { ttl, wait = false, timeout }: LeaseOptions) {
    this.#store = store;
    this.#timed = store.within({ timeout });
    this.#timeout = timeout ?? store.settings.timeout;
    this.#key = key;
    this.#text = text;
    this.#ttl = ttl;
    this.#waits = wait !== false && wait !== 0;
    this.#endsAt = wait === true ? Infinity : performance.now() + Number(wait);
  }

  async run(signal: AbortSignal | undefined): Promise<HeldLease | undefined> {
    const ended = new Deferred<never>();
    const abort = (): void => ended.reject(signal!.reason);
    const close = async (): Promise<void> => {
      const cause = new Error("The dictionary was closed");
      ended.reject(new UnavailableError({ operation: "lease", path: [this.#key], reason: "CLOSED", cause }));
      await this.#stop();
    };
    signal?.throwIfAborted();
    if (signal) listen(signal, abort);
    const forget = this.#store.onClose(close);
    const taking = this.#take();
    try {
      return await Promise.race([ended.promise, taking]);
    } catch (error) {
      taking.then((lease) => lease?.release()).catch(() => {}); // nobody will have it
      throw error;
    } finally {
      if (signal) unlisten(signal, abort);
      forget();
      this.#stop();
    }
  }

  /** Ends it, and hears of nothing any more. */
  async #stop(): Promise<void> {
    this.#isOver = true;
    this.#wake?.();
    await this.#tracked?.leave();
  }

  async #take(): Promise<HeldLease | undefined> {
    if (!this.#waits) return await this.#try();
    const line = lineOf(this.#store, this.#key);
    const go = (): void => this.#wake?.();
    line.push(go);
    try {
      // At the end of its time it asks once, whose turn it may be.
      if (line[0] !== go) await this.#sleep(this.#endsAt - performance.now());
      return await this.#await();
    } finally {
      const [first] = line;
      line.splice(line.indexOf(go), 1);
      if (line.length === 0) lines.get(this.#store)?.delete(this.#key);
      else if (first === go) line[0]();
    }
  }

  /** Tries until it has it, or its time is over. */
  async #await(): Promise<HeldLease | undefined> {
    do {
      try {
        const lease = await this.#try();
        if (lease !== undefined) return lease;
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#failure = error;
      }
    } while (await this.#untilFree());
    return undefined;
  }

  /** Tries once. Closing waits for it, and until what came too late is given back. */
  #try(): Promise<HeldLease | undefined> {
    return this.#store.take(async () => {
      const [store, key, ttl, owner] = [this.#store, this.#key, this.#ttl, newOwner()];
      const op = { kind: "acquire", key, owner, ttl, text: this.#text } as const;
      let answer;
      try {
        answer = await this.#timed.changeLease(op, "lease", () => !this.#isOver);
      } catch (error) {
        if (error instanceof DurabilityError) await giveBack(store, key, owner).catch(() => {});
        throw error;
      }
      if (answer === undefined) return undefined;
      const { outcome, sentAt } = answer;
      if (typeof outcome !== "string") {
        if (outcome.code !== "TEST") throw toError({ kind: "get", path: [key] }, outcome, "lease");
        this.#left = outcome.found === "-1" ? Infinity : Number(outcome.found);
        return undefined;
      }
      if (!this.#isOver && performance.now() < sentAt + ttl * SURE) {
        return new HeldLease(store, key, owner, Number(outcome), ttl, sentAt);
      }
      await giveBack(store, key, owner).catch(() => {}); // nobody waits for it, or it came too late to be sure
      this.#left = 0;
      return undefined;
    });
  }

  /** Waits until it seems to be free. `false` at the end of the time. */
  async #untilFree(): Promise<boolean> {
    const { heartbeat } = this.#store.settings;
    for (let pause = FIRST_PAUSE; !this.#isOver; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
      this.#track();
      const next = this.#tracked?.isFresh ? heartbeat : pause * (0.5 + Math.random() / 2);
      await this.#sleep(Math.min(next, (this.#left ?? Infinity) + GRACE, this.#endsAt - performance.now()));
      if (this.#isOver) return false;
      if (performance.now() >= this.#endsAt) break;
      try {
        // With all its time: that the wait ends meanwhile does not mean that the server does not answer.
        this.#left = await this.#store.leftOfLease(this.#key, this.#timeout);
        this.#failure = undefined;
        if (this.#left === undefined) return true;
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#left = undefined;
        this.#failure = error;
      }
    }
    if (!this.#isOver && this.#failure !== undefined) throw this.#failure;
    return false;
  }

  /** Hears of changes of the value, where client and server can tell. */
  #track(): void {
    if (this.#tracked !== undefined || this.#cannotTrack || this.#isOver) return;
    const hear = (): void => {
      this.#hasNews = true;
      this.#wake?.();
    };
    const fail = (): void => {
      this.#cannotTrack = true;
      this.#tracked?.leave();
      this.#tracked = undefined;
    };
    try {
      this.#tracked = this.#store.track(this.#key, { changed: hear, failed: fail }, () => this.#stop());
    } catch {
      fail();
    }
  }

  /** Waits, or less if there is news. */
  async #sleep(ms: number): Promise<void> {
    if (!this.#hasNews) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(Math.max(ms, 0), MAX_TIMEOUT));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#hasNews = false;
  }
}

/**
 * Takes a lease.
 *
 * @param store Where.
 * @param key The key.
 * @param value What is written.
 * @param options For how long, and whether it waits.
 * @returns The lease; `undefined` if somebody else has it.
 * @throws {TypeError} If the options or the key are wrong, or JSON cannot hold the value.
 * @throws {RangeError} If a time is out of its range.
 */
export async function takeLease(
  store: Store,
  key: string,
  value: unknown,
  options: LeaseOptions,
): Promise<Lease<unknown> | undefined> {
  checkOptions("lease", options, ["ttl", "wait", "timeout", "signal"]);
  if (options?.ttl === undefined) {
    throw new TypeError("Cannot lease: there is no ttl; write { ttl: 10_000 } for ten seconds");
  }
  if (checkTtl(options.ttl) < MIN_TTL || options.ttl > MAX_TIMEOUT) {
    throw new RangeError(
      `Cannot use the ttl: received ${options.ttl}, expected ${MIN_TTL} to ${MAX_TIMEOUT} ms for a lease`,
    );
  }
  const text = store.codec.encode(value, [readKey(key)]);
  store.check();
  return await new Acquisition(store, key, text, options).run(options.signal);
}
