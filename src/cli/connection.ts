/**
 * The connection of a command: the dictionary, and the client below it for plain reads.
 *
 * @module
 */

import { RedisJsonDict } from "../api/core.ts";
import type { RedisClient } from "../run/client.ts";
import { openClient } from "../run/open.ts";
import { readOptions } from "../run/options.ts";
import { Store } from "../store/store.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { Failure, interrupted, wrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** What the user said about the server. */
export interface ServerOptions {
  readonly url?: string;
  readonly prefix?: string;
  readonly timeout?: string;
}

/** An open connection. */
export interface Connection extends AsyncDisposable {
  readonly prefix: string;
  readonly dict: RedisJsonDict<Record<string, unknown>>;
  /** The same dictionary by texts: a value goes in and comes out byte for byte. */
  readonly store: Store;
  readonly client: RedisClient;
  /** Where it leads, without a name or a password. */
  readonly address: string;
  /** How long a call may take, in milliseconds. */
  readonly timeout: number;
  /** Waits for plain commands of the client, which has no deadline of its own. */
  answerOf<T>(work: Promise<T>): Promise<T>;
}

const DEFAULT_URL = "redis://localhost:6379";

/** Failures to connect that do not go away in a moment. */
const HOPELESS = /^(?:ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|EACCES)$/;

/**
 * Connects.
 *
 * @param options What the user said; else REDIS_URL and JSON_DICT_PREFIX hold.
 * @param terminal For the environment, and for Ctrl-C.
 * @returns The connection, to be disposed.
 * @throws {Failure} If there is no prefix, or nothing listens there.
 */
export async function connect(options: ServerOptions, terminal: Terminal): Promise<Connection> {
  // An empty variable is as good as none: all keys of a database must be asked for by name.
  const prefix = options.prefix ?? (terminal.env.JSON_DICT_PREFIX || undefined);
  if (prefix === undefined) {
    throw wrongUsage(
      'Cannot connect: there is no prefix; write --prefix lab:, or --prefix "" for all keys of the database, ' +
        "or set JSON_DICT_PREFIX",
    );
  }
  const timeout = parseDuration(options.timeout ?? "10s");
  const settings = { prefix, timeout, bigints: true };
  const checked = readOptions(settings);
  const url = options.url ?? (terminal.env.REDIS_URL || DEFAULT_URL);
  const urls = url.split(/,(?=rediss?:\/\/)/);
  const { client, quit } = openClient(urls.length === 1 ? url : urls, timeout);
  try {
    const address = urls.map(addressOf).join(", ");
    await reach(client, address, terminal.signal);
    return {
      ...{ prefix, client, address, timeout },
      answerOf: (work) => within(work, address, timeout, terminal.signal),
      dict: new RedisJsonDict<Record<string, unknown>>(client, settings),
      store: new Store(client, checked),
      [Symbol.asyncDispose]: () => quit(),
    };
  } catch (error) {
    await quit(0);
    throw error;
  }
}

function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Waits for the connection, but not where nothing listens. What else is wrong, the first call reports. */
async function reach(client: RedisClient, address: string, signal: AbortSignal): Promise<void> {
  if (client.nodes !== undefined || client.status === "ready") return;
  const { promise, resolve, reject } = withResolvers();
  const failed = (error?: Error): void => {
    const { code } = Object(error) as { code?: string };
    if (code !== undefined && HOPELESS.test(code)) {
      reject(
        new Failure(`Cannot connect to ${address}: ${code}; is the address right, and a server running?`),
      );
    } else resolve();
  };
  const stop = (): void => reject(interrupted());
  client.on?.("ready", resolve);
  client.on?.("error", failed);
  signal.addEventListener("abort", stop);
  try {
    if (signal.aborted) stop();
    await promise;
  } finally {
    client.off?.("ready", resolve);
    client.off?.("error", failed);
    signal.removeEventListener("abort", stop);
  }
}

/**
 * Waits for answers of the server.
 *
 * @throws {Failure} If they do not come in time, the connection is lost, or the user does not want to wait.
 */
async function within<T>(
  work: Promise<T>,
  address: string,
  timeout: number,
  signal: AbortSignal,
): Promise<T> {
  const { promise, reject } = withResolvers();
  const stop = (): void => reject(interrupted());
  const giveUp = (): void =>
    reject(new Failure(`Cannot read from ${address}: no answer in ${formatDuration(timeout)}`));
  const timer = setTimeout(giveUp, timeout);
  signal.addEventListener("abort", stop);
  try {
    if (signal.aborted) stop();
    return await Promise.race([work, promise as Promise<never>]);
  } catch (error) {
    if (error instanceof Failure) throw error;
    const isReply = error instanceof Error && error.name === "ReplyError";
    const reason = isReply ? `the server replied ${error.message}` : "the connection was lost";
    throw new Failure(`Cannot read from ${address}: ${reason}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** Node 20 has no `Promise.withResolvers`. */
function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => [resolve, reject] = [yes, no]);
  return { promise, resolve, reject };
}
