/**
 * Trackers: a connection over which one server tells which keys change, whoever changes them.
 *
 * @module
 */

import type { RedisClient } from "./client.ts";
import { answerOf, isTransient, Refused, toHopeless, toRefused } from "./failure.ts";

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

/** A client that was made for a tracker alone. */
interface TrackingClient extends Omit<RedisClient, "on"> {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Where a server tells of changes to clients of the older protocol. */
const CHANNEL = "__redis__:invalidate";
/** The first pause before a server is asked again, and the longest one, in milliseconds. */
const PAUSE = 20;
const MAX_PAUSE = 1000;
/** A server that does not close its side is left after so long, in milliseconds. */
const DISCONNECT_TIMEOUT = 100;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A connection that tracks all names with a prefix. It speaks the older protocol, in which a connection hears of changes
 * as a subscriber, and is redirected to itself. It comes back by itself.
 */
export class Tracker {
  readonly #client: TrackingClient;
  readonly #prefix: string;
  readonly #settings: TrackerSettings;
  readonly #events: TrackerEvents;
  #isOn: boolean = false;
  /** When the last question was sent that the server has answered since. */
  #heardAt: number = -Infinity;
  #wasOn: boolean = false;
  #failure: unknown;
  /** Counts connections and their ends, so that what belongs to an earlier one is known. */
  #epoch: number = 0;
  /** How many connections in a row did not come to track. */
  #failures: number = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
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
    const { duplicate } = source as { duplicate?(settings: object): unknown };
    if (typeof duplicate !== "function") {
      throw new Refused(
        "TRACKING",
        new Error("the client has no method duplicate, which makes the connection"),
      );
    }
    this.#prefix = prefix;
    this.#settings = settings;
    this.#events = events;
    const client = this.#client = duplicate.call(source, {
      ...{ protocol: 2, lazyConnect: true, enableReadyCheck: false, disableClientInfo: true, db: 0 },
      ...{
        connectTimeout: settings.timeout,
        disconnectTimeout: DISCONNECT_TIMEOUT,
        ...{ commandTimeout: undefined, socketTimeout: undefined },
      },
      // What is sent again would be sent to a connection that is in another state.
      ...{ autoResubscribe: false, maxRetriesPerRequest: 0, enableOfflineQueue: false },
      ...{ enableAutoPipelining: false, readOnly: false, monitor: false, reconnectOnError: null },
      retryStrategy: pauseAfter,
    }) as TrackingClient;
    client.on("error", (error) => {
      this.#failure = error;
      const hopeless = this.#wasOn ? undefined : toHopeless(error);
      if (hopeless) events.failed(hopeless);
    });
    client.on("ready", () => this.#start());
    client.on("close", () => this.#lost(new Error("The connection was lost")));
    client.on("messageBuffer", (_channel, names) => this.#tell(names));
    client.connect?.().catch(() => {});
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

  #tell(names: unknown): void {
    if (!Array.isArray(names)) return this.#events.changed(undefined); // a flush
    for (const name of names) this.#events.changed(typeof name === "string" ? name : decoder.decode(name));
  }

  async #start(): Promise<void> {
    const epoch = ++this.#epoch;
    const prefix = this.#prefix === "" ? [] : ["PREFIX", this.#prefix];
    try {
      const id = await this.#call("CLIENT", "ID");
      await this.#call("CLIENT", "TRACKING", "ON", "REDIRECT", String(id), "BCAST", ...prefix);
      const askedAt = performance.now();
      await this.#call("subscribe", CHANNEL); // in lower case, or ioredis does not know what it is
      this.#heardAt = askedAt;
    } catch (error) {
      if (epoch === this.#epoch) this.#refused(error);
      return;
    }
    if (epoch !== this.#epoch) return;
    this.#isOn = this.#wasOn = true;
    this.#failures = 0;
    this.#failure = undefined;
    this.#events.on();
    if (epoch === this.#epoch) this.#timer = setTimeout(() => this.#beat(epoch), this.#settings.heartbeat);
  }

  #refused(error: unknown): void {
    this.#failure = error;
    const refused = toRefused(error);
    if (refused === undefined || isTransient(refused)) {
      // It would come back at once, for it did connect.
      this.#timer = setTimeout(() => this.#drop(error), pauseAfter(++this.#failures));
      return;
    }
    // A server without tracking says only that it does not understand.
    this.#events.failed(refused.reason === "ERR" ? new Refused("TRACKING", refused.cause) : refused);
  }

  /** Asks a connection whether it is there. One that is half open tells nothing by itself. */
  async #beat(epoch: number): Promise<void> {
    const askedAt = performance.now();
    try {
      await this.#call("ping");
    } catch (error) {
      if (epoch !== this.#epoch) return;
      if (answerOf(error) === undefined) {
        this.#failure = error;
        return this.#drop(error);
      }
    }
    if (epoch !== this.#epoch) return;
    this.#heardAt = askedAt;
    this.#timer = setTimeout(() => this.#beat(epoch), this.#settings.heartbeat);
  }

  #drop(reason: unknown): void {
    this.#lost(reason);
    this.#client.disconnect?.(true);
  }

  #lost(reason: unknown): void {
    this.#epoch++;
    this.#isOn = false;
    clearTimeout(this.#timer);
    // The client may never settle what it was given.
    this.#abandon?.(reason instanceof Error ? reason : new Error(String(reason)));
  }

  /** Sends a command; they come one after the other. */
  async #call(command: string, ...args: string[]): Promise<unknown> {
    const { timeout } = this.#settings;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const abandoned = new Promise<never>((_, reject) => {
      this.#abandon = reject;
      timer = setTimeout(() => reject(new Error(`There was no answer within ${timeout} ms`)), timeout);
    });
    try {
      return await Promise.race([this.#client.call(command, ...args), abandoned]);
    } finally {
      clearTimeout(timer);
      this.#abandon = undefined;
    }
  }

  /** Ends it. Resolves when the connection is closed. */
  async close(): Promise<void> {
    const client = this.#client;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isOver = new Promise<unknown>((resolve) => {
      client.on("end", resolve);
      timer = setTimeout(resolve, 2 * DISCONNECT_TIMEOUT);
    });
    const { status } = client;
    this.#lost(new Error("It was ended"));
    client.disconnect?.();
    // case: between two attempts to connect ioredis does not tell of an end, and keeps a timer all the same.
    if (status !== "end") await isOver;
    clearTimeout(timer);
  }
}

function pauseAfter(attempts: number): number {
  return Math.min(PAUSE * 2 ** Math.min(attempts, 10), MAX_PAUSE);
}
