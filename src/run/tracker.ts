/**
 * Trackers: a connection over which one server tells which keys change, whoever changes them.
 *
 * @module
 */

import type { Line, LineListener, RedisClient } from "./client.ts";
import { answerOf, isTransient, Refused, toCause, toHopeless, toRefused } from "./failure.ts";
import { checkListening, openLine } from "./line.ts";
import { setIdleTimer, type Timer } from "./timer.ts";

/** How a tracker watches over its connection. */
export interface TrackerSettings {
  /** How long nothing need come before the server is asked whether it is there, in milliseconds. */
  readonly heartbeat: number;
  /** How long any answer may take, in milliseconds. */
  readonly timeout: number;
}

/** Who hears of what the server tells. */
export interface TrackerEvents {
  /** From now on nothing is missed. What was changed before may have been. */
  on(): void;
  /** A name may have another value; without a name, any of them may. */
  changed(name: string | undefined): void;
  /** The server does not track for us, nor will it. */
  failed(refused: Refused): void;
}

/** Where a server tells of changes to clients of the older protocol. */
const CHANNEL = "__redis__:invalidate";
/** The first pause before a server is asked again, and the longest one, in milliseconds. */
const PAUSE = 20;
const MAX_PAUSE = 1000;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A connection that tracks all names with a prefix, and comes back by itself. It speaks the older protocol, in which a
 * connection hears of changes as a subscriber, and is redirected to itself: every client can do that. Where the server
 * refuses to redirect, it speaks the newer one. It does not keep the process alive.
 */
export class Tracker {
  readonly #source: RedisClient;
  readonly #prefix: string;
  readonly #settings: TrackerSettings;
  readonly #events: TrackerEvents;
  #protocol: 2 | 3 = 2;
  /** Why the server does not redirect. */
  #refusal: Refused | undefined;
  #line: Line | undefined;
  /** Connections that are given up, while they are being closed. */
  readonly #closing: Set<Promise<void>> = new Set();
  #isOn: boolean = false;
  /** When the last question was sent that the server has answered since. */
  #heardAt: number = -Infinity;
  #wasOn: boolean = false;
  #failure: unknown;
  /** Counts connections and their ends, so that what belongs to an earlier one is known. */
  #epoch: number = 0;
  /** How many connections in a row did not come to track. */
  #failures: number = 0;
  #timer: Timer | undefined;
  #abandon: ((reason: Error) => void) | undefined;

  /**
   * Connects.
   *
   * @param source The client of the server; it stays as it is.
   * @param prefix What the names begin with.
   * @param settings How it watches over the connection.
   * @param events Who hears of it.
   * @throws {Refused} If the client cannot make another connection.
   */
  constructor(source: RedisClient, prefix: string, settings: TrackerSettings, events: TrackerEvents) {
    checkListening(source);
    this.#source = source;
    this.#prefix = prefix;
    this.#settings = settings;
    this.#events = events;
    this.#connect();
  }

  /** Whether nothing is missed at present. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Whether it was on until a moment ago, at most as long ago as a silent connection goes unnoticed. */
  get isFresh(): boolean {
    const { heartbeat, timeout } = this.#settings;
    return this.#isOn && performance.now() - this.#heardAt <= heartbeat + timeout;
  }

  /** Why it is not on, as far as that is known. */
  get failure(): unknown {
    return this.#failure;
  }

  #connect(): void {
    const epoch = ++this.#epoch;
    const { timeout } = this.#settings;
    // Not every client watches over what it sends first.
    const late = (): void => this.#lost(new Error(`There was no connection within ${timeout} ms`));
    this.#timer = setIdleTimer(late, timeout);
    const listener: LineListener = {
      protocol: this.#protocol,
      timeout,
      ready: () => {
        if (epoch !== this.#epoch) return;
        clearTimeout(this.#timer);
        this.#start();
      },
      told: (names) => {
        if (epoch === this.#epoch) this.#tell(names);
      },
      lost: (reason) => {
        if (epoch === this.#epoch) this.#lost(reason);
      },
    };
    try {
      this.#line = openLine(this.#source, listener);
    } catch (error) {
      queueMicrotask(() => listener.lost(error));
    }
  }

  #tell(names: readonly (string | Uint8Array)[] | undefined): void {
    if (names === undefined) return this.#events.changed(undefined); // a flush
    for (const name of names) this.#events.changed(typeof name === "string" ? name : decoder.decode(name));
  }

  async #start(): Promise<void> {
    const epoch = this.#epoch;
    try {
      await this.#track();
    } catch (error) {
      if (epoch === this.#epoch) this.#refused(error);
      return;
    }
    if (epoch !== this.#epoch) return;
    this.#isOn = this.#wasOn = true;
    this.#failures = 0;
    this.#failure = undefined;
    this.#events.on();
    if (epoch === this.#epoch) this.#timer = setIdleTimer(() => this.#beat(epoch), this.#settings.heartbeat);
  }

  async #track(): Promise<void> {
    const names = this.#prefix === "" ? ["BCAST"] : ["BCAST", "PREFIX", this.#prefix];
    let askedAt = performance.now();
    if (this.#protocol === 3) {
      await this.#call("CLIENT", "TRACKING", "OFF"); // node-redis has turned it on, in the way of its own cache
      await this.#call("CLIENT", "TRACKING", "ON", ...names);
    } else {
      const id = await this.#call("CLIENT", "ID");
      await this.#call("CLIENT", "TRACKING", "ON", "REDIRECT", String(id), ...names);
      askedAt = performance.now();
      await this.#within((line) => line.subscribe(CHANNEL));
    }
    this.#heardAt = askedAt;
  }

  #refused(error: unknown): void {
    const refused = toRefused(error);
    // It would come back at once, for it did connect.
    if (refused === undefined || isTransient(refused)) return this.#lost(error);
    this.#failure = error;
    // A server without tracking says only that it does not understand.
    if (refused.reason !== "ERR") return this.#events.failed(refused);
    if (this.#protocol === 2) {
      this.#refusal = refused;
      this.#protocol = 3;
      this.#giveUp(error);
      this.#connect();
    } else this.#events.failed(new Refused("TRACKING", this.#bothRefusals(refused)));
  }

  #bothRefusals({ cause }: Refused): Error {
    const [first, second] = [this.#refusal?.cause, cause].map((it) => toCause(it).message);
    return new Error(first === second ? first : `by REDIRECT: ${first}; by RESP3: ${second}`);
  }

  /** Asks a connection whether it is there. One that is half open tells nothing by itself. */
  async #beat(epoch: number): Promise<void> {
    const askedAt = performance.now();
    try {
      await this.#call("ping");
    } catch (error) {
      if (epoch !== this.#epoch) return;
      if (answerOf(error) === undefined) return this.#lost(error);
    }
    if (epoch !== this.#epoch) return;
    this.#heardAt = askedAt;
    this.#timer = setIdleTimer(() => this.#beat(epoch), this.#settings.heartbeat);
  }

  /** Gives up the connection, and makes another one after a pause. */
  #lost(reason: unknown): void {
    this.#failure = reason;
    const hopeless = this.#wasOn ? undefined : toHopeless(reason);
    this.#giveUp(reason);
    if (hopeless) return this.#events.failed(hopeless);
    const refused = reason instanceof Refused ? reason : toRefused(reason);
    if (this.#protocol === 3 && !this.#wasOn && refused && !mayPass(refused)) {
      return this.#events.failed(new Refused("TRACKING", this.#bothRefusals(refused)));
    }
    this.#timer = setIdleTimer(() => this.#connect(), pauseAfter(++this.#failures));
  }

  #giveUp(reason: unknown): void {
    this.#epoch++;
    this.#isOn = false;
    clearTimeout(this.#timer);
    // The client may never settle what it was given.
    this.#abandon?.(reason instanceof Error ? reason : new Error(String(reason)));
    const closing = this.#line?.close().then(() => void this.#closing.delete(closing!));
    if (closing) this.#closing.add(closing);
    this.#line = undefined;
  }

  #call(command: string, ...args: string[]): Promise<unknown> {
    return this.#within((line) => line.call(command, ...args));
  }

  /** Asks for something; one after the other. */
  async #within(ask: (line: Line) => Promise<unknown>): Promise<unknown> {
    const { timeout } = this.#settings;
    const line = this.#line;
    if (line === undefined) throw new Error("The connection was lost");
    let timer: Timer | undefined;
    const abandoned = new Promise<never>((_, reject) => {
      this.#abandon = reject;
      timer = setIdleTimer(() => reject(new Error(`There was no answer within ${timeout} ms`)), timeout);
    });
    try {
      return await Promise.race([ask(line), abandoned]);
    } finally {
      clearTimeout(timer);
      this.#abandon = undefined;
    }
  }

  /** Ends it. Resolves when the connection is closed. */
  async close(): Promise<void> {
    this.#giveUp(new Error("It was ended"));
    await Promise.all(this.#closing);
  }
}

/** Whether a server may let in later whom it has refused. */
function mayPass(refused: Refused): boolean {
  return isTransient(refused) || toCause(refused.cause).message.includes("max number of clients");
}

function pauseAfter(attempts: number): number {
  return Math.min(PAUSE * 2 ** Math.min(attempts, 10), MAX_PAUSE);
}
