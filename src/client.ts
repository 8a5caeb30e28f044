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
  /** Ends the connection, and begins again with `true`. */
  disconnect?(reconnect?: boolean): void;
  /** The clients of single nodes; only that of a cluster has it. */
  nodes?(role: "master" | "all"): readonly RedisClient[];
  /**
   * Makes another client of the same server, given settings to change, as those of ioredis and iovalkey do. Watching
   * needs it: the new client speaks RESP2, subscribes by `call("subscribe", channel)`, and emits `messageBuffer` with the
   * channel and what was published.
   */
  duplicate?(...settings: never[]): unknown;
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
  const ending = new AbortController();
  const client = Array.isArray(url) ? openCluster(url) : openServer(url as string | URL, ending.signal);
  // Without a listener ioredis writes each failed attempt to the console. What failed is told by the calls.
  client.on("error", () => {});
  const quit = async (ms: number = timeout): Promise<void> => {
    const endsAt = performance.now() + ms;
    ending.abort();
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

function openServer(url: string | URL, signal: AbortSignal): Redis {
  checkAddress(url);
  // With more retries ioredis sends a command again whose answer was lost, and the server applies it twice.
  const client = new Redis(String(url), { maxRetriesPerRequest: 0, disconnectTimeout: DISCONNECT_TIMEOUT });
  diagnose(client, signal);
  return client;
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

/** The parts of an address. What is wrong is said without quoting it: it may hold a password, and not only in its place. */
function checkAddress(url: string | URL): URL {
  const text = String(url);
  const refuse = (state: string): never => {
    throw new TypeError(
      `Cannot connect: ${state}; an address is like redis://user:password@localhost:6379/0`,
    );
  };
  if (!/^rediss?:\/\//i.test(text)) {
    const scheme = /^[a-z][a-z+]{1,9}:\/\//i.exec(text)?.[0];
    return refuse(
      `the address must start with redis:// or rediss://${
        scheme === undefined ? "" : `, not with ${scheme}`
      }`,
    );
  }
  if (!URL.canParse(text)) {
    const port = Number(/:(\d+)(?:[/?#]|$)/.exec(text)?.[1]);
    return refuse(
      port > 65535
        ? "the address has a port above 65535"
        : "the address has no host that can be read; in names and passwords, : / ? # @ and % are written %3A and so on",
    );
  }
  const address = new URL(text);
  for (const part of [address.username, address.password]) {
    try {
      decodeURIComponent(part);
    } catch {
      refuse("the name or the password in the address has a % that is none of its escapes; write %25");
    }
  }
  if (!/^\/?\d{0,9}$/.test(address.pathname)) {
    refuse("what follows the host in the address is no database number");
  }
  return address;
}

/** How long a server may take to answer the greeting of TLS before it is asked without, in milliseconds. */
const HANDSHAKE_TIMEOUT = 1000;

/** Finds out why a server ends new connections, or does not answer them, and has the client tell it as its error. */
function diagnose(client: Redis, signal: AbortSignal): void {
  let isAsking = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => clearTimeout(timer);
  const find = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    const reason = await askServer(client, signal);
    isAsking = false;
    if (reason !== undefined && !signal.aborted && client.status !== "ready") client.emit("error", reason);
  };
  signal.addEventListener("abort", stop);
  for (const event of ["connect", "close", "end"]) client.on(event, stop);
  client.on("connecting", () => {
    stop();
    if (client.options.tls && !signal.aborted) timer = setTimeout(find, HANDSHAKE_TIMEOUT);
  });
  client.on("error", (error: Error & { code?: string }) => {
    if (/^(?:EPIPE|ECONNRESET)$/.test(error.code ?? "") && client.status === "connect") find();
  });
}

/** Asks a server that does not take a connection, by connections that tell no name and no password. */
async function askServer(client: Redis, signal: AbortSignal): Promise<Error | undefined> {
  const { tls } = client.options;
  const switched = ask(client, { tls: tls ? undefined : { rejectUnauthorized: false } }, signal);
  const refused = tls ? undefined : ask(client, {}, signal);
  if (await switched === undefined) return await refused;
  const reason = tls
    ? "the server speaks no TLS on this port, so the address must start with redis://"
    : "the server speaks TLS on this port, so the address must start with rediss://";
  return Object.assign(new Error(reason), { code: "ERR_TLS_PORT" });
}

/** What a server says to a connection: its refusal, or where TLS is switched anything at all. */
async function ask(client: Redis, options: RedisOptions, signal: AbortSignal): Promise<Error | undefined> {
  const probe = client.duplicate({
    ...options,
    ...{ username: undefined, password: undefined, db: 0, connectionName: undefined },
    ...{ protocol: 2, enableReadyCheck: false, disableClientInfo: true }, // it says nothing of its own
    ...{ lazyConnect: true, retryStrategy: () => null, disconnectTimeout: 0 },
  });
  const ended = new Promise<void>((resolve) => probe.once("end", () => resolve()));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const answer = await new Promise<Error | undefined>((resolve) => {
    const giveUp = (): void => resolve(undefined);
    timer = setTimeout(giveUp, HANDSHAKE_TIMEOUT);
    signal.addEventListener("abort", giveUp);
    ended.then(giveUp);
    probe.on("error", ({ message }: Error) => {
      // ioredis has no command that this could be the answer to.
      const refusal = / Last error: (ERR .*)$/s.exec(message)?.[1];
      if (refusal !== undefined) resolve(Object.assign(new Error(refusal), { name: "ReplyError" }));
    });
    probe.connect().catch(() => {});
    if ("tls" in options) {
      probe.ping().then(
        () => resolve(new Error("PONG")),
        (error) => error.name === "ReplyError" && resolve(error),
      );
    }
  });
  clearTimeout(timer);
  probe.disconnect();
  await ended;
  return answer;
}

/** Waits for a promise, but no longer than that. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([promise, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}
