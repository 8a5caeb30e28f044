/**
 * The connection: what is needed of a Redis client, and the client that the library makes itself.
 *
 * @module
 */

import { Cluster, type ClusterNode, Redis, type RedisOptions } from "ioredis";

/**
 * What the library needs of a Redis client.
 *
 * The `Redis` and the `Cluster` of ioredis and of iovalkey fit it, and so does anything with such a `call`. Commands
 * must go to the server in the order of the calls, and an error that the server answers must be named `ReplyError`.
 */
export interface RedisClient {
  /**
   * Sends one command.
   *
   * @param command The name of the command.
   * @param args Its arguments.
   * @returns What the server answered, with strings for bulk strings.
   */
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  /** The state of the connection, `"ready"` when a command would be sent at once. */
  readonly status?: string;
  /** The settings the client was made with. */
  readonly options?: {
    readonly keyPrefix?: string;
    readonly maxRetriesPerRequest?: number | null;
    readonly autoResendUnfulfilledCommands?: boolean;
    readonly retryDelayOnFailover?: number;
    readonly redisOptions?: { readonly keyPrefix?: string };
  };
  /** Listens to changes of the connection. */
  on?(event: "ready" | "close" | "end" | "error", listener: (error?: Error) => void): unknown;
  /** Stops listening. */
  off?(event: "ready" | "close" | "end" | "error", listener: (error?: Error) => void): unknown;
  /** Starts to connect a client that waits for its first command. */
  connect?(): Promise<unknown>;
  /** The clients of single nodes; only that of a cluster has it. */
  nodes?(role: "master"): readonly RedisClient[];
}

/** A client that the library made, with how to end it. */
export interface OwnClient {
  /** The client. */
  readonly client: RedisClient;
  /** Ends the connection once all that was sent is answered, or so many milliseconds are over. */
  readonly quit: (ms?: number) => Promise<void>;
}

/**
 * Checks a client that a user brought.
 *
 * @param client What the user gave.
 * @returns The same.
 * @throws {TypeError} If it has no `call`, or has a `keyPrefix`.
 */
export function checkClient(client: unknown): RedisClient {
  if (
    client === null || typeof client !== "object" || !("call" in client) || typeof client.call !== "function"
  ) {
    throw new TypeError(
      "Cannot use the client: it has no method call(command, ...args); pass a Redis of ioredis, or use RedisJsonDict.connect(url)",
    );
  }
  const checked = client as RedisClient;
  const keyPrefix = checked.options?.keyPrefix || checked.options?.redisOptions?.keyPrefix;
  if (keyPrefix) {
    // It would be put before the keys of scripts but not before the pattern of SCAN, nor taken off its answer.
    throw new TypeError(
      `Cannot use the client: it has keyPrefix ${
        JSON.stringify(keyPrefix)
      }; give the dictionary a prefix instead`,
    );
  }
  return checked;
}

/**
 * Whether a client sends a command again by itself when a connection is lost before the answer.
 *
 * @param client The client. One that does not tell its settings is taken not to.
 * @returns Whether it does.
 */
export function isResending({ options, nodes }: RedisClient): boolean {
  if (options === undefined) return false;
  if (nodes !== undefined) return options.retryDelayOnFailover !== 0;
  if (options.autoResendUnfulfilledCommands === false || options.maxRetriesPerRequest === undefined) {
    return false;
  }
  return options.maxRetriesPerRequest !== 0;
}

/**
 * Makes a client that sends no change twice by itself.
 *
 * @param url Where the server is, as `redis://localhost:6379/0`; for a cluster, a list with some of its nodes.
 * @param timeout How long ending may take by default, in milliseconds.
 * @returns The client; it connects at once and again after a loss.
 * @throws {TypeError} If the address is not one of Redis.
 */
export function openClient(url: string | URL | readonly (string | URL)[], timeout: number): OwnClient {
  const client = Array.isArray(url) ? openCluster(url) : openServer(url as string | URL);
  // Without a listener ioredis writes each failed attempt to the console. What failed is told by the calls.
  client.on("error", () => {});
  const quit = async (ms: number = timeout): Promise<void> => {
    const endsAt = performance.now() + ms;
    // A server that answers no more must not keep anyone waiting; nor is it a failure if it is gone already.
    if (client.status === "ready" && ms > 0) await within(ms, client.quit().catch(() => {}));
    const isOver = new Promise((resolve) => client.once("end", resolve));
    const { status } = client;
    client.disconnect();
    // case: between two attempts to connect nothing is open, and ioredis will not tell of an end.
    if (status === "end" || status === "close" || status === "reconnecting") return;
    await within(Math.max(endsAt - performance.now(), DISCONNECT_TIMEOUT), isOver);
  };
  return { client: client as RedisClient, quit };
}

/** A server that does not close its side is left after a short time, in milliseconds. */
const DISCONNECT_TIMEOUT = 100;

function openServer(url: string | URL): Redis {
  // With more retries ioredis sends a command again whose answer was lost, and the server applies it twice.
  checkAddress(url);
  return new Redis(String(url), { maxRetriesPerRequest: 0, disconnectTimeout: DISCONNECT_TIMEOUT });
}

function openCluster(urls: readonly (string | URL)[]): Cluster {
  if (urls.length === 0) throw new TypeError("Cannot connect to a cluster: the list of addresses is empty");
  const addresses = urls.map(checkAddress);
  const [{ protocol, username, password }] = addresses;
  if (addresses.some(({ pathname }) => !/^\/?0?$/.test(pathname))) {
    throw new TypeError(
      "Cannot connect to a cluster: it has no databases but 0, so the addresses must name no other",
    );
  }
  const nodes = addresses.map(({ hostname, port }): ClusterNode => ({
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || 6379),
  }));
  const redisOptions: RedisOptions = { disconnectTimeout: DISCONNECT_TIMEOUT };
  if (username) redisOptions.username = decodeURIComponent(username);
  if (password) redisOptions.password = decodeURIComponent(password);
  if (protocol === "rediss:") redisOptions.tls = {};
  return new Cluster(nodes, {
    redisOptions,
    retryDelayOnFailover: 0, // else it sends a command again whose answer was lost
    clusterRetryStrategy: (attempt) => Math.min(100 + attempt * 10, 2000),
    slotsRefreshTimeout: 2000,
  });
}

function checkAddress(url: string | URL): URL {
  const address = String(url);
  if (!/^rediss?:/.test(address) || !URL.canParse(address)) {
    throw new TypeError(
      `Cannot connect to ${JSON.stringify(address)}: the address must start with redis:// or rediss://`,
    );
  }
  return new URL(address);
}

/** Waits for a promise, but no longer than that. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([promise, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}
