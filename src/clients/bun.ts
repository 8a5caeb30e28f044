/**
 * The Redis client that is built into Bun.
 *
 * @example The client that Bun makes of REDIS_URL
 * ```
 * import { redis } from "bun";
 * import { RedisJsonDict } from "@json-dict/redis/core";
 * import { fromBun } from "@json-dict/redis/bun";
 *
 * const lab = new RedisJsonDict(fromBun(redis), { prefix: "lab:" });
 * await lab.set("sample", { color: "red" }); // connects, too
 * ```
 *
 * @module
 */

import type { RedisClient } from "../run/client.ts";
import { Listeners } from "./listeners.ts";
import { ReplyError } from "./reply_error.ts";

export type { Line, LineListener, RedisClient } from "../run/client.ts";

/** What is used of `Bun.RedisClient`. */
export interface BunRedisClient {
  /** Whether it is connected. */
  readonly connected: boolean;
  /** Connects. */
  connect(): Promise<unknown>;
  /** Sends a command. */
  send(command: string, args: string[]): Promise<unknown>;
}

/** How long to wait after an attempt to connect that has failed, in milliseconds. */
const PAUSE = 100;

/** Dictionaries on one client must share one connection: it has the order of their calls. */
const adapters = new WeakMap<object, RedisClient>();

/**
 * Makes the Redis client of Bun one that a dictionary can use. No I/O; the first call connects it if necessary.
 *
 * Everything that {@link RedisClient} promises holds, with both kinds of delivery: Bun does not resend commands. The
 * client stays yours, and you may use it for anything else; `onconnect` and `onclose` are yours, too. The next call of a
 * dictionary reconnects a client that you have closed, so close the dictionary first. Watching is not possible: this
 * client drops what a server tells by itself. That of ioredis, which runs in Bun, can watch.
 *
 * @param client The `redis` of Bun, or a `Bun.RedisClient`.
 * @returns The client for the dictionary; the same one each time.
 * @throws {TypeError} If it is another kind of client.
 */
export function fromBun(client: BunRedisClient): RedisClient {
  const { send, connected } = Object(client) as Partial<BunRedisClient>;
  if (typeof send !== "function" || typeof connected !== "boolean") {
    throw new TypeError(
      "Cannot use the client: it is no client of Bun; pass its redis, or a RedisClient of it",
    );
  }
  let adapter = adapters.get(client);
  if (adapter === undefined) adapters.set(client, adapter = new Adapter(client));
  return adapter;
}

class Adapter implements RedisClient {
  readonly deaf: string =
    "the client of Bun drops what the server tells by itself; to watch, use ioredis in Bun";
  readonly #client: BunRedisClient;
  readonly #listeners: Listeners = new Listeners();
  #connecting: Promise<void> | undefined;

  readonly on: Listeners["on"] = this.#listeners.on;
  readonly off: Listeners["off"] = this.#listeners.off;

  constructor(client: BunRedisClient) {
    this.#client = client;
  }

  /** Bun has one `onconnect`, which is the user's. So a caller that waits for the connection calls `connect`. */
  get status(): string {
    if (this.#client.connected) return "ready";
    return this.#connecting ? "connecting" : "wait";
  }

  connect(): Promise<void> {
    return this.#connecting ??= this.#connect();
  }

  async #connect(): Promise<void> {
    let failure: Error | undefined;
    try {
      await this.#client.connect();
    } catch (error) {
      failure = read(error);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.#connecting = undefined;
    if (failure === undefined) this.#listeners.emit("ready");
    else this.#listeners.emit("error", failure);
  }

  call(command: string, ...args: (string | number)[]): Promise<unknown> {
    // Otherwise it would silently keep the command until it is connected again.
    if (!this.#client.connected) throw new Error("The client is not connected");
    return this.#client.send(command, args.map(String)).catch((error) => {
      throw read(error);
    });
  }
}

/** The error as the dictionary knows it. */
function read(error: unknown): Error {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  if (code === "ERR_REDIS_SERVER_ERROR") return new ReplyError(String(message), { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}
