/**
 * Lines: connections for what a server tells by itself, made by whatever client there is.
 *
 * @module
 */

import type { Line, LineListener, RedisClient } from "./client.ts";
import { Refused } from "./failure.ts";
import { Pushes } from "./pushes.ts";
import { setIdleTimer } from "./timer.ts";

/** What is used of the clients of ioredis and iovalkey, beside the rest. */
interface IoClient extends Omit<RedisClient, "on"> {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  readonly stream?: {
    unref?(): void;
    on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  };
  /** What the connection speaks; only from ioredis 6 on. */
  readonly condition?: { readonly protocol?: number } | null;
}

/** A server that does not close its side is left after so long, in milliseconds. */
const DISCONNECT_TIMEOUT = 100;

/**
 * Checks that a client can make lines.
 *
 * @param source The client.
 * @throws {Refused} If it cannot.
 */
export function checkListening(source: RedisClient): void {
  if (source.deaf !== undefined) throw new Refused("TRACKING", new Error(source.deaf));
  if (typeof source.listen === "function" || typeof source.duplicate === "function") return;
  throw new Refused(
    "TRACKING",
    new Error("the client has no method duplicate or listen, which makes the connection"),
  );
}

/**
 * Makes a line. It does not keep the process alive once it is connected.
 *
 * @param source The client of the server; it stays as it is.
 * @param listener How it is made, and who hears of it.
 * @returns The line, which is being made.
 */
export function openLine(source: RedisClient, listener: LineListener): Line {
  return source.listen?.(listener) ?? new IoLine(source, listener);
}

/** A client of ioredis or iovalkey that does not connect again. */
class IoLine implements Line {
  readonly #client: IoClient;
  /** Why it is lost, as far as the client has said. */
  #failure: unknown;

  constructor(source: RedisClient, listener: LineListener) {
    const { protocol, timeout } = listener;
    const duplicate = source.duplicate as (settings: object) => IoClient;
    const client = this.#client = duplicate.call(source, {
      ...{ protocol, lazyConnect: true, enableReadyCheck: false, disableClientInfo: true, db: 0 },
      ...{ connectTimeout: timeout, disconnectTimeout: DISCONNECT_TIMEOUT },
      ...{ commandTimeout: undefined, socketTimeout: undefined, replyMapping: "legacy" },
      ...{ autoResubscribe: false, maxRetriesPerRequest: 0, enableOfflineQueue: false },
      ...{ enableAutoPipelining: false, readOnly: false, monitor: false, reconnectOnError: null },
      retryStrategy: () => null,
    });
    client.on("error", (error) => this.#failure = error);
    client.on("connect", () => {
      client.stream?.unref?.();
      if (protocol === 3) this.#tap(listener);
    });
    client.on("ready", () => {
      if (protocol === 2 || client.condition?.protocol === 3) return listener.ready();
      listener.lost(new Refused("TRACKING", new Error("the client speaks no RESP3")));
    });
    client.on("close", () => listener.lost(this.#failure ?? new Error("The connection was lost")));
    client.on("messageBuffer", (_channel, names) => listener.told(Array.isArray(names) ? names : undefined));
    client.connect?.().catch(() => {});
    setIdleTimer(() => client.stream?.unref?.(), 0); // it makes its socket a moment later
  }

  /** Reads along: ioredis itself drops what it does not know. */
  #tap(listener: LineListener): void {
    const pushes = new Pushes((names) => listener.told(names));
    this.#client.stream?.on("data", (bytes) => pushes.read(bytes));
  }

  call(command: string, ...args: string[]): Promise<unknown> {
    return this.#client.call(command, ...args);
  }

  subscribe(channel: string): Promise<unknown> {
    return this.#client.call("subscribe", channel); // in lower case, or ioredis does not know what it is
  }

  async close(): Promise<void> {
    const client = this.#client;
    if (client.status === "end") return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isOver = new Promise<unknown>((resolve) => {
      client.on("end", resolve);
      timer = setTimeout(resolve, 2 * DISCONNECT_TIMEOUT);
    });
    client.disconnect?.();
    await isOver;
    clearTimeout(timer);
  }
}
