/**
 * Connections: what is known of the connection of a client, for all that use the client.
 *
 * @module
 */

import type { RedisClient } from "./client.ts";
import {
  answerOf,
  isUnrecognised,
  type Refused,
  toCause,
  toHopeless,
  toRefused,
  unrecognised,
  Unusable,
} from "./failure.ts";
import { type Entry, Roster } from "./roster.ts";

/** What happened to a connection: it was made; it was lost; it ended for good; it could not be made. */
export type ConnectionEvent = "ready" | "close" | "end" | "error";

/** Who hears what happens to a connection. */
export interface ConnectionListener {
  /** Something happened to it. */
  changed(event: ConnectionEvent): void;
}

const CHANGES = ["ready", "close", "end"] as const;

const connections = new WeakMap<RedisClient, Connection>();

/** The connection of one client. All dictionaries on a client share it, and one set of listeners. */
export class Connection {
  /** The client. */
  readonly client: RedisClient;
  /** Is called when a call had no answer in time. Only who made the client may do something about it. */
  suspect: (() => void) | undefined;
  readonly #listeners: Roster<ConnectionListener> = new Roster();
  /** Whether it listens to errors all the time, not only during calls. */
  readonly #hears: boolean;
  /** The last failure to connect; none while there is a connection. */
  #failure: unknown;
  /** Whether there ever was a connection. */
  #wasConnected: boolean;
  /** Whether a command could ever be sent over one. */
  #wasUsable: boolean = false;
  /** Whether a command can be sent without any preparation. */
  #isPrepared: boolean = false;
  #preparing: Promise<unknown> | undefined;
  #abandon: ((reason: Error) => void) | undefined;
  #isUnderstood: boolean;

  /**
   * The connection of a client.
   *
   * @param client The client.
   * @returns The same one each time.
   */
  static of(client: RedisClient): Connection {
    let connection = connections.get(client);
    if (connection === undefined) connections.set(client, connection = new Connection(client));
    return connection;
  }

  private constructor(client: RedisClient) {
    this.client = client;
    this.#wasConnected = client.status === "ready";
    // Only ioredis and iovalkey have callBuffer, and their errors and replies are known.
    this.#isUnderstood = "callBuffer" in client;
    for (const event of CHANGES) client.on?.(event, () => this.#changed(event));
    // Without a listener ioredis writes errors to the console. That must stay so while no call of ours reports them.
    const { listenerCount } = client as { listenerCount?(event: string): number };
    this.#hears = (listenerCount?.call(client, "error") ?? 0) > 0;
    if (this.#hears) client.on?.("error", this.#failed);
  }

  /** Whether a command would be sent at once. A client without a status or events counts as connected. */
  get isReady(): boolean {
    const { status, on } = this.client;
    return status === undefined || status === "ready" || on === undefined;
  }

  /** Whether `call` accepts all arguments as one list. A long list does not fit on the stack when it is spread. */
  get flattens(): boolean {
    return "callBuffer" in this.client;
  }

  /** Why there is no connection, as far as the client has reported. */
  get failure(): Error | undefined {
    if (this.#failure !== undefined) {
      const cause = toCause(this.#failure);
      if (/^(?:EPIPE|ECONNRESET)$/.test(String((cause as { code?: unknown }).code))) {
        cause.message += ", as by a server that has reached maxclients or expects TLS";
      }
      return cause;
    }
    const { status, options } = this.client as RedisClient & { options?: { tls?: unknown } };
    return status === "connecting" && options?.tls
      ? new Error("the TLS handshake was not answered, as by a port that speaks no TLS")
      : undefined;
  }

  /** The refusal of the server that keeps the client from connecting. */
  get refusal(): Refused | undefined {
    return toRefused(this.#failure);
  }

  /** Whether a command could ever be sent over one. */
  get wasUsable(): boolean {
    return this.#wasUsable;
  }

  /** Why there will be no connection, if there never was one and waiting does not help. */
  get hopeless(): Refused | undefined {
    return this.#wasConnected ? undefined : toHopeless(this.#failure);
  }

  /** Tells somebody what happens to it, from now on. */
  join(listener: ConnectionListener): Entry<ConnectionListener> {
    if (this.#listeners.isEmpty && !this.#hears) this.client.on?.("error", this.#failed);
    return this.#listeners.add(listener);
  }

  /** Tells somebody no longer. */
  leave(entry: Entry<ConnectionListener>): void {
    this.#listeners.remove(entry);
    if (this.#listeners.isEmpty && !this.#hears) this.client.off?.("error", this.#failed);
  }

  /**
   * Calls a listener each time that the connection is lost, made, or ended for good, or that connecting has failed.
   *
   * @returns Ends it.
   */
  onChange(listener: (event: ConnectionEvent) => void): () => void {
    const entry = this.join({ changed: listener });
    return () => this.leave(entry);
  }

  readonly #failed = (error?: Error): void => {
    // The refusal of a server says more than the socket error that follows it.
    if (answerOf(this.#failure) === undefined || answerOf(error) !== undefined) this.#failure = error;
    const { client } = this;
    const { command } = Object(error) as { command?: { name?: unknown } };
    // ioredis would go on with database 0 and send its queued commands there. So it must connect again.
    if (command?.name === "select" && client.status === "connect") client.disconnect?.(true);
    this.#notify("error");
  };

  #changed(event: ConnectionEvent): void {
    if (event === "ready") {
      this.#failure = undefined;
      this.#wasConnected = true;
    } else {
      this.#isPrepared = false;
      this.#abandon?.(new Error("The connection was lost")); // the client may never settle its pending promises
    }
    this.#notify(event);
  }

  #notify(event: ConnectionEvent): void {
    for (const listener of this.#listeners.all()) listener.changed(event);
  }

  /**
   * Prepares each new connection once: probes an unknown client, and selects the database. No round trip for ioredis
   * with database 0, else one.
   *
   * @returns `undefined` if a command can be sent at once. Else a promise; callers that wait for it go on in order.
   */
  prepare(): Promise<unknown> | undefined {
    if (this.#isPrepared) return undefined;
    if (this.#preparing) return this.#preparing;
    const tasks: Promise<void>[] = [];
    if (!this.#isUnderstood) tasks.push(this.#understand());
    if (this.#hasDatabase()) tasks.push(this.#select());
    const prepared = (): void => {
      this.#isPrepared = this.#wasUsable = true;
      this.#preparing = undefined;
    };
    if (tasks.length === 0) {
      prepared();
      return undefined;
    }
    const lost = new Promise<never>((_, reject) => this.#abandon = reject);
    const preparing = this.#preparing = Promise.race([Promise.all(tasks), lost]);
    // This handler is registered first, so it runs directly before the waiting callers: no later one may overtake them.
    preparing.then(prepared, () => this.#preparing = undefined);
    return preparing;
  }

  /**
   * Checks that replies and errors of the client are as {@linkcode RedisClient} requires, before a change depends on it.
   *
   * @throws {TypeError} If it does not.
   */
  async #understand(): Promise<void> {
    const { client } = this;
    const [error, texts] = await Promise.all([
      client.call("EVALSHA", "0".repeat(40), 0).catch((error) => error), // no script has this hash
      client.call("EVAL", "return {'a'}", 0).catch((error) => error),
    ]);
    for (const answer of [error, texts]) {
      if (!(answer instanceof Error) || answerOf(answer) !== undefined) continue;
      throw isUnrecognised(answer) ? unrecognised() : answer;
    }
    if (Array.isArray(texts) && texts[0] instanceof Uint8Array) {
      throw new Unusable("it returns bytes", "make it return strings for bulk strings");
    }
    this.#isUnderstood = true;
  }

  /** Whether commands are for another database than 0. Only ioredis and iovalkey report that. */
  #hasDatabase(): boolean {
    return this.client.nodes === undefined && this.#database > 0;
  }

  get #database(): number {
    return Number((this.client as { condition?: { select?: unknown } }).condition?.select ?? 0);
  }

  /** Selects the database again: ioredis ignores a SELECT that the server refused, and goes on with database 0. */
  async #select(): Promise<void> {
    await this.client.call("SELECT", this.#database);
  }
}
