/**
 * Opening: the client that the library makes itself. All that needs ioredis is here.
 *
 * @module
 */

import { Cluster, type ClusterNode, Redis, type RedisOptions } from "ioredis";
import type { RedisClient } from "./client.ts";
import { Connection } from "./connection.ts";

/** A client that the library made, with how to end it. */
export interface OwnClient {
  /** The client. */
  readonly client: RedisClient;
  /** Ends the connection once all that was sent is answered, or so many milliseconds are over. */
  readonly quit: (ms?: number) => Promise<void>;
}

/** How a connection is made safe, in the words of Node's `tls.connect`. */
export interface TlsOptions {
  /** The certificates of the authorities that count, in PEM, instead of those that the runtime knows. */
  readonly ca?: string | readonly string[];
  /** The certificate of the client, in PEM, where the server asks for one. */
  readonly cert?: string;
  /** The private key to it, in PEM. */
  readonly key?: string;
  /** The name that the certificate of the server must be for, where it is not the one of the address. */
  readonly servername?: string;
}

/**
 * Makes a client that sends no change twice by itself.
 *
 * @param url Where the server is, as `redis://localhost:6379/0`; for a cluster, a list with some of its nodes.
 * @param timeout How long ending may take by default, in milliseconds.
 * @param tls How TLS is done, for addresses that start with `rediss://`.
 * @returns The client; it connects at once and again after a loss.
 * @throws {TypeError} If the address is not one of Redis, or not one with TLS although `tls` is given.
 */
export function openClient(
  url: string | URL | readonly (string | URL)[],
  timeout: number,
  tls?: TlsOptions,
): OwnClient {
  const ending = new AbortController();
  const settings = readTls(url, tls);
  const client = Array.isArray(url)
    ? openCluster(url, settings)
    : openServer(url as string | URL, settings, ending.signal);
  const { parts, add } = partsOf(client);
  Connection.of(client as RedisClient).suspect = client instanceof Cluster
    ? () => void client.nodes().forEach((node) => replaceIfSilent(node))
    : () => void replaceIfSilent(client, add);
  // Without a listener ioredis writes each failed attempt to the console. The calls report the failure.
  client.on("error", () => {});
  const quit = async (ms: number = timeout): Promise<void> => {
    const endsAt = performance.now() + ms;
    ending.abort();
    // A server that no longer answers must not keep anyone waiting, and one that is gone already is no failure.
    if (client.status === "ready" && ms > 0) {
      await within(Math.min(ms, QUIT_TIMEOUT), client.quit().catch(() => {}));
    }
    // case: between two attempts to connect nothing is open, and ioredis emits no "end".
    const open = [client, ...parts].filter(({ status }) => !/^(?:close|reconnecting|end)$/.test(status));
    const isOver = open.map((it) => new Promise((resolve) => it.once("end", resolve)));
    client.disconnect();
    for (const part of open) part.disconnect();
    await within(Math.max(endsAt - performance.now(), DISCONNECT_TIMEOUT), Promise.all(isOver));
  };
  return { client: client as RedisClient, quit };
}

/**
 * The open connections of the client of a cluster. It says that it is over when the first of them is, and those over
 * which it asks who has which slots it leaves to themselves, with their timers.
 */
function partsOf(client: Redis | Cluster): Parts {
  const parts = new Set<Redis>();
  const add = (part: Redis): void => {
    parts.add(part);
    part.once("end", () => parts.delete(part));
    const { disconnect } = part;
    // case: ioredis ends it once more when it is over already. That would only start a timer.
    part.disconnect = (reconnect) => part.status === "end" ? undefined : disconnect.call(part, reconnect);
  };
  client.on("+node", (member: Redis) => {
    add(member);
    Connection.of(member as RedisClient).suspect = () => void replaceIfSilent(member);
    const { duplicate } = member;
    member.duplicate = (options) => {
      const part = duplicate.call(member, options);
      add(part);
      return part;
    };
  });
  return { parts, add };
}

/** Connections that end with a client. */
interface Parts {
  readonly parts: ReadonlySet<Redis>;
  /** Takes one more, until it ends by itself. */
  readonly add: (part: Redis) => void;
}

/** A server that does not answer QUIT has nothing else to answer, and is left after a while, in milliseconds. */
const QUIT_TIMEOUT = 1000;
/** A server that does not close its side is left after a short time, in milliseconds. */
const DISCONNECT_TIMEOUT = 100;

/** The TLS settings for ioredis; none where the defaults hold. */
type TlsSettings = Pick<RedisOptions, "tls">;

function readTls(url: string | URL | readonly (string | URL)[], tls: TlsOptions | undefined): TlsSettings {
  if (tls === undefined) return {};
  if (tls === null || typeof tls !== "object") {
    throw new TypeError("Cannot use the option tls: expected an object such as { ca }");
  }
  const [first] = [url].flat();
  // Otherwise the connection would not be encrypted.
  if (!/^rediss:/i.test(String(first))) {
    throw new TypeError("Cannot use the option tls: the address must start with rediss://");
  }
  const { ca, cert, key, servername } = tls;
  const given = Object.entries({ ca: typeof ca === "object" ? [...ca] : ca, cert, key, servername });
  return { tls: Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}

function openServer(url: string | URL, settings: TlsSettings, signal: AbortSignal): Redis {
  checkAddress(url);
  // With more retries ioredis sends a command again whose answer was lost, and the server applies it twice.
  const client = new Redis(String(url), {
    maxRetriesPerRequest: 0,
    disconnectTimeout: DISCONNECT_TIMEOUT,
    ...settings,
  });
  diagnose(client, signal);
  return client;
}

function openCluster(urls: readonly (string | URL)[], settings: TlsSettings): Cluster {
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
  if (protocol === "rediss:") redisOptions.tls = settings.tls ?? {};
  return new Cluster(nodes, {
    redisOptions,
    retryDelayOnFailover: 0, // else it sends a command again whose answer was lost
    retryDelayOnClusterDown: 0, // we try again ourselves; its timer would outlive the end of the client
    clusterRetryStrategy: (attempt) => Math.min(100 + attempt * 10, 2000),
    slotsRefreshTimeout: 2000,
  });
}

/** The parts of an address. Errors never quote it: it may hold a password, and not only where one belongs. */
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
      refuse("the name or the password in the address has a % that starts no escape; write %25");
    }
  }
  if (!/^\/?\d{0,9}$/.test(address.pathname)) {
    refuse("what follows the host in the address is no database number");
  }
  return address;
}

/** How long a connection may be silent when it is asked after a call had no answer, in milliseconds. */
const SILENCE_TIMEOUT = 1000;
const asked = new WeakSet<Redis>();

/**
 * Replaces a connection that is open here only, as when a router has forgotten it. Nothing reports that for many minutes.
 * A server that is only slow answers over a new connection no sooner, and keeps the old one with all calls in it.
 *
 * @param add Takes the connection that is made for it, where that does not end with the client anyway.
 */
async function replaceIfSilent(client: Redis, add?: (part: Redis) => void): Promise<void> {
  const isOpen = (): boolean => /^(?:connect|ready)$/.test(client.status);
  if (asked.has(client) || !isOpen()) return;
  asked.add(client);
  const { stream } = client;
  let isSilent = true;
  const hear = (): void => void (isSilent = false);
  stream.once("data", hear);
  await within(SILENCE_TIMEOUT, client.ping().then(hear, hear)); // it rejects when the connection is lost meanwhile
  // Else it is busy with a large value.
  const mayBeDead = (): boolean =>
    isSilent && isOpen() && client.stream === stream && stream.writableLength === 0;
  if (mayBeDead() && await answersAnew(client, add) && mayBeDead()) client.disconnect(true);
  stream.off("data", hear);
  asked.delete(client);
}

/** Whether the server of a client answers over a new connection. */
async function answersAnew(client: Redis, add?: (part: Redis) => void): Promise<boolean> {
  const probe = client.duplicate({
    ...{ lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0, disconnectTimeout: 0 },
  });
  add?.(probe);
  probe.on("error", () => {});
  const isOver = new Promise((resolve) => probe.once("end", resolve));
  let answers = false;
  const asking = probe.connect().then(() => probe.ping()).then(() => void (answers = true), () => {});
  await within(SILENCE_TIMEOUT, Promise.race([asking, isOver]));
  probe.disconnect();
  await isOver;
  return answers;
}

/** How long a server may take to answer a TLS handshake before it is asked without TLS, in milliseconds. */
const HANDSHAKE_TIMEOUT = 1000;

/** Finds out why a server ends new connections, or does not answer them, and makes the client emit that as its error. */
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

/** Asks a server that does not accept a connection, over connections that send no name and no password. */
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

/** The error that a server replies to a connection; where TLS is switched, any reply counts. */
async function ask(client: Redis, options: RedisOptions, signal: AbortSignal): Promise<Error | undefined> {
  const probe = client.duplicate({
    ...options,
    ...{ username: undefined, password: undefined, db: 0, connectionName: undefined },
    ...{ protocol: 2, enableReadyCheck: false, disableClientInfo: true }, // so that it sends nothing by itself
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
  try {
    await Promise.race([promise, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  } finally {
    clearTimeout(timer);
  }
}
