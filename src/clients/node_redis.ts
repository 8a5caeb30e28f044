/**
 * Clients of node-redis, the npm package `redis`.
 *
 * @example A client that the program has already
 * ```ts
 * import { createClient } from "redis";
 * import { RedisJsonDict } from "@json-dict/redis/core";
 * import { fromNodeRedis } from "@json-dict/redis/node-redis";
 *
 * const client = createClient({ url: "redis://localhost:6379" });
 * const lab = new RedisJsonDict(fromNodeRedis(client), { prefix: "doc:node-redis:" });
 * await lab.set("sample", { color: "red" }); // connects, too
 * await lab.clear();
 * await client.close();
 * ```
 *
 * @module
 */

import type { Line, LineListener, RedisClient } from "../run/client.ts";
import { Listeners } from "./listeners.ts";
import { ReplyError } from "./reply_error.ts";

export type { Line, LineListener, RedisClient } from "../run/client.ts";

/** How a single command is sent; only what we set. */
interface CommandOptions {
  readonly abortSignal: AbortSignal;
  readonly timeout: undefined;
  readonly typeMapping: Record<never, never>;
  readonly asap: false;
}

/** What is used of a client of node-redis 5 or 6, as `createClient` makes it. */
export interface NodeRedisClient {
  /** Whether it is, or tries to be, connected. */
  readonly isOpen: boolean;
  /** Whether it is connected. */
  readonly isReady: boolean;
  /** Connects. */
  connect(): Promise<unknown>;
  /** Sends a command. */
  sendCommand(args: string[], options?: never): Promise<unknown>;
  /** Listens to an event. */
  on(event: string, listener: (error: Error) => void): unknown;
  /** Makes another client of the same server; to watch. */
  duplicate(settings: never): unknown;
}

/** What is used of a cluster of node-redis from 6.3 on, as `createCluster` makes it. */
export interface NodeRedisCluster {
  /** Whether it is, or tries to be, connected. */
  readonly isOpen: boolean;
  /** Whether it knows the nodes of the cluster. */
  readonly isReady: boolean;
  /** The masters that it knows of. */
  readonly masters: readonly unknown[];
  /** The replicas that it knows of; none unless it reads from them. */
  readonly replicas: readonly unknown[];
  /** Connects. */
  connect(): Promise<unknown>;
  /** Sends a command to the node that has a key. */
  sendCommand(
    key: string | undefined,
    isReadonly: boolean | undefined,
    args: string[],
    options?: never,
  ): Promise<unknown>;
  /** The client of one node. */
  nodeClient(master: never): unknown;
  /** Listens to an event. */
  on(event: string, listener: (error: Error) => void): unknown;
}

/** How long to wait after an attempt to connect to a cluster that has failed, in milliseconds. */
const PAUSE = 100;

/** Dictionaries on one client must share one connection: it has the order of their calls. */
const adapters = new WeakMap<object, RedisClient>();

/**
 * Makes a client of node-redis one that a dictionary can use. No I/O; the first call connects it if necessary.
 *
 * Everything that {@link RedisClient} promises holds, with both kinds of delivery: node-redis does not resend commands.
 * The command timeout and the type mapping of the client do not apply to the dictionary, whose own `timeout` does.
 * The client stays yours, and you may use it for anything else. To watch, it is duplicated; in a cluster, the client of
 * each master, and of each replica that it knows.
 *
 * @param client What `createClient` of node-redis 5 or 6 returned, or `createCluster` of node-redis from 6.3 on.
 * @returns The client for the dictionary; the same one each time.
 * @throws {TypeError} If it is another kind of client, such as a pool, whose commands have no order; or it has a
 * `keyPrefix`.
 */
export function fromNodeRedis(client: NodeRedisClient | NodeRedisCluster): RedisClient {
  check(client);
  let adapter = adapters.get(client);
  if (adapter === undefined) {
    adapter = "masters" in client ? new ClusterAdapter(client) : new Adapter(client);
    adapters.set(client, adapter);
  }
  return adapter;
}

function check(client: NodeRedisClient | NodeRedisCluster): void {
  const refuse = (state: string): never => {
    throw new TypeError(`Cannot use the client: ${state}`);
  };
  const { sendCommand, on, options, _keyPrefix } = Object(client) as Record<string, unknown>;
  if (typeof sendCommand !== "function" || typeof on !== "function") {
    refuse(
      "it is no client of node-redis; pass what createClient or createCluster of the package redis returned",
    );
  }
  if ("totalClients" in client) {
    refuse("it is a pool, whose commands have no order; pass what createClient returned");
  }
  if ("getSentinelNode" in client) {
    refuse("it is a Sentinel client, whose commands have no order; use ioredis for that");
  }
  if ("masters" in client && !("isReady" in client)) {
    refuse("the cluster of this version does not show whether it is ready; use redis 6.3 or later");
  }
  if (!("isOpen" in client) || !("isReady" in client)) {
    refuse(
      "it is no client of node-redis 5 or 6; pass what createClient or createCluster of the package redis returned",
    );
  }
  const keyPrefix = _keyPrefix ?? Object(options).keyPrefix;
  if (keyPrefix) {
    // It is put before the keys of commands that node-redis knows, not before those that it is given as they are.
    refuse(`it has keyPrefix ${JSON.stringify(keyPrefix)}; give the dictionary a prefix instead`);
  }
}

/** One server. */
class Adapter implements RedisClient {
  readonly #client: NodeRedisClient;
  readonly #listeners: Listeners = new Listeners();
  readonly #sender: Sender = new Sender();
  /** Whether it was open: then a client that is not was closed, or has given up. */
  #wasOpen: boolean;
  #isUp: boolean;

  readonly on: Listeners["on"] = this.#listeners.on;
  readonly off: Listeners["off"] = this.#listeners.off;

  constructor(client: NodeRedisClient) {
    this.#client = client;
    this.#wasOpen = client.isOpen;
    this.#isUp = client.isReady;
    client.on("ready", () => {
      this.#wasOpen = this.#isUp = true;
      this.#listeners.emit("ready");
    });
    // It comes with each lost connection and with each failed attempt to connect.
    client.on("error", (error) => {
      this.#listeners.emit("error", this.#sender.read(error));
      this.#down();
    });
    client.on("end", () => this.#down());
  }

  #down(): void {
    const { isOpen, isReady } = this.#client;
    if (this.#isUp && !isReady) {
      this.#isUp = false;
      this.#sender.withdraw();
      this.#listeners.emit("close");
    }
    if (!isOpen) this.#listeners.emit("end");
  }

  get status(): string {
    const { isOpen, isReady } = this.#client;
    if (isOpen) this.#wasOpen = true;
    if (isOpen) return isReady ? "ready" : "connecting";
    return this.#wasOpen ? "end" : "wait";
  }

  connect(): Promise<unknown> {
    return this.#client.connect();
  }

  call(command: string, ...args: (string | number)[]): Promise<unknown> {
    // Otherwise it would silently keep the command until it is connected again.
    if (!this.#client.isReady) throw new Error("The client is not connected");
    const all = [command, ...args.map(String)];
    return this.#sender.send(command, (options) => this.#client.sendCommand(all, options));
  }

  listen(listener: LineListener): Line {
    return new NodeLine(Promise.resolve(this.#client), this.#sender, listener);
  }
}

/** What is used of a client that was made to listen. */
interface ListeningClient extends NodeRedisClient {
  subscribe(channel: string, listener: (names: unknown) => void, isBytes: true): Promise<unknown>;
  unref(): void;
  destroy(): void;
}

/** A client that listens, and does not connect again. */
class NodeLine implements Line {
  readonly #sender: Sender;
  readonly #listener: LineListener;
  readonly #opening: Promise<ListeningClient>;
  /** The client, from when it has a socket: before that node-redis does not let go of what it makes. */
  #connected: ListeningClient | undefined;
  #isClosed: boolean = false;

  /** @param source The client of the same server, when it is there. */
  constructor(source: Promise<NodeRedisClient>, sender: Sender, listener: LineListener) {
    this.#sender = sender;
    this.#listener = listener;
    this.#opening = source.then((client) => this.#open(client));
    this.#opening.then(() => listener.ready(), (error) => listener.lost(sender.read(error)));
  }

  async #open(source: NodeRedisClient): Promise<ListeningClient> {
    if (this.#isClosed) throw new Error("It was closed");
    const { protocol, timeout } = this.#listener;
    const { socket } = Object((source as { options?: unknown }).options) as { socket?: object };
    const client = source.duplicate({
      ...{ RESP: protocol, emitInvalidate: protocol === 3, clientSideCache: undefined, url: undefined },
      ...{ database: undefined, readonly: false, pingInterval: undefined, commandsQueueMaxLength: undefined },
      ...{ maintNotifications: "disabled", disableClientInfo: true, disableOfflineQueue: false },
      // What is sent again would be sent to a connection that is in another state.
      socket: { ...socket, connectTimeout: timeout, socketTimeout: undefined, reconnectStrategy: false },
    } as never) as ListeningClient;
    client.unref();
    client.on("error", (error) => {
      if (!client.isOpen) this.#listener.lost(this.#sender.read(error));
    });
    client.on("connect", () => {
      this.#connected = client;
      if (this.#isClosed) this.close();
    });
    client.on("invalidate", (name: unknown) => this.#tell(name === null ? null : [name]));
    await client.connect();
    return client;
  }

  #tell(names: unknown): void {
    this.#listener.told(Array.isArray(names) ? names as Uint8Array[] : undefined);
  }

  async call(command: string, ...args: string[]): Promise<unknown> {
    const client = await this.#opening;
    return await this.#sender.send(command, (options) => client.sendCommand([command, ...args], options));
  }

  async subscribe(channel: string): Promise<unknown> {
    const client = await this.#opening;
    try {
      return await client.subscribe(channel, (names) => this.#tell(names), true);
    } catch (error) {
      throw this.#sender.read(error);
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#connected?.isOpen) this.#connected.destroy();
    return Promise.resolve();
  }
}

/** A cluster. What happens to a single node shows in the commands that were sent to it. */
class ClusterAdapter implements RedisClient {
  readonly #cluster: NodeRedisCluster;
  readonly #listeners: Listeners = new Listeners();
  readonly #sender: Sender = new Sender();
  readonly #nodes: WeakMap<object, RedisClient> = new WeakMap();
  #isConnecting: boolean = false;
  #wasReady: boolean;
  /** For each slot the address of its master, as a node said last; node-redis itself looks only when it must. */
  #slots: readonly (readonly string[])[] | undefined;
  readonly #asked: WeakSet<NodeRedisClient> = new WeakSet();

  readonly on: Listeners["on"] = this.#listeners.on;
  readonly off: Listeners["off"] = this.#listeners.off;

  constructor(cluster: NodeRedisCluster) {
    this.#cluster = cluster;
    this.#wasReady = cluster.isReady;
    cluster.on("connect", () => {
      this.#wasReady = true;
      this.#listeners.emit("ready");
    });
    for (const event of ["error", "node-error"]) {
      cluster.on(event, (error) => this.#listeners.emit("error", this.#sender.read(error)));
    }
    // A node that is gone keeps what it was given until it is back.
    for (const event of ["node-error", "node-disconnect", "node-reconnecting"]) {
      cluster.on(event, () => this.#sender.withdraw());
    }
    for (const event of ["node-ready", "node-disconnect"]) {
      cluster.on(event, () => this.#listeners.emit("refresh"));
    }
    cluster.on("disconnect", () => {
      this.#listeners.emit("close");
      this.#listeners.emit("end");
    });
  }

  get status(): string {
    const { isOpen, isReady } = this.#cluster;
    if (isOpen && isReady) return "ready";
    if (isOpen || this.#isConnecting) return "connecting";
    return this.#wasReady ? "end" : "wait";
  }

  /** Connects. Unlike a client of one server it gives up at the first failure; then whoever waits asks for it again. */
  async connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    let failure: Error | undefined;
    try {
      await this.#cluster.connect();
    } catch (error) {
      failure = this.#sender.read(error);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.#isConnecting = false;
    if (failure !== undefined) this.#listeners.emit("error", failure);
  }

  call(command: string, ...args: (string | number)[]): Promise<unknown> {
    const all = [command, ...args.map(String)];
    return this.#sender.send(
      command,
      (options) => this.#cluster.sendCommand(keyOf(all), false, all, options),
    );
  }

  get slots(): readonly (readonly string[])[] | undefined {
    return this.#slots;
  }

  /** Asks a node who has which slots. One that has not answered yet is not asked again. */
  async refreshSlotsCache(): Promise<void> {
    const clients = (this.#cluster.masters as readonly ClusterNode[]).map(({ client }) => client);
    const client = clients.find((it) => it?.isReady && !this.#asked.has(it));
    if (client === undefined) return;
    this.#asked.add(client);
    const ranges = await client.sendCommand(["CLUSTER", "SLOTS"]).catch(() => undefined);
    this.#asked.delete(client);
    if (!Array.isArray(ranges)) return;
    const slots: (readonly string[])[] = [];
    for (const [from, to, [host, port]] of ranges as [number, number, [string, number]][]) {
      for (let slot = from; slot <= to; slot++) slots[slot] = [`${host}:${port}`];
    }
    this.#slots = slots;
    this.#listeners.emit("refresh");
  }

  nodes(role: "master" | "all"): readonly RedisClient[] {
    const { masters, replicas } = this.#cluster;
    const nodes = role === "all" ? [...masters, ...replicas] : masters;
    return nodes.map((node) => this.#node(node as ClusterNode));
  }

  #node(member: ClusterNode): RedisClient {
    let client = this.#nodes.get(member);
    if (client === undefined) {
      const connect = async (): Promise<NodeRedisClient> =>
        await this.#cluster.nodeClient(member as never) as NodeRedisClient;
      const call: RedisClient["call"] = async (command, ...args) => {
        const inner = await connect();
        const all = [command, ...args.map(String)];
        return await this.#sender.send(command, (options) => inner.sendCommand(all, options));
      };
      const listen: RedisClient["listen"] = (listener) => new NodeLine(connect(), this.#sender, listener);
      const { host, port, readonly } = member;
      const options: object = { host, port, readOnly: readonly }; // as ioredis has them
      this.#nodes.set(member, client = { call, listen, options });
    }
    return client;
  }
}

/** What node-redis knows of a node of a cluster. */
interface ClusterNode {
  readonly host: string;
  readonly port: number;
  /** Whether it is a replica. */
  readonly readonly: boolean;
  readonly client?: NodeRedisClient;
}

/** The key that says which node a command is for. */
function keyOf([command, first, count, key]: readonly string[]): string | undefined {
  if (command === "EVAL" || command === "EVALSHA") return Number(count) > 0 ? key : undefined;
  return /^(?:CLIENT|CLUSTER|INFO|PING|SCAN|SCRIPT|WAIT)$/.test(command) ? undefined : first;
}

/** Sends commands as the dictionary needs it, whatever the client was made with, and reads what comes back. */
class Sender {
  /** The base class of errors that a server has answered; minified, it has any name. */
  #base: unknown;
  /** One for each command that is not answered. Node warns of one signal for many. */
  readonly #endings: Set<AbortController> = new Set();

  /** Sends a command, and waits for the reply. */
  async send(command: string, by: (options: never) => Promise<unknown>): Promise<unknown> {
    const ending = new AbortController();
    this.#endings.add(ending);
    const options: CommandOptions = {
      abortSignal: ending.signal,
      timeout: undefined, // the dictionary has a deadline of its own
      typeMapping: {},
      asap: false,
    };
    try {
      return await by(options as never); // node-redis 5 and 6 have different types for it
    } catch (error) {
      // Only a server says this, so it shows the class.
      if (command === "EVALSHA" && error instanceof Error && error.message.startsWith("NOSCRIPT ")) {
        this.#base = baseOf(error);
      }
      throw this.read(error);
    } finally {
      this.#endings.delete(ending);
    }
  }

  /**
   * Takes back what node-redis has not written yet. Over the next connection it would arrive too late, and behind what
   * was sent again meanwhile. It has no effect on commands that were written.
   */
  withdraw(): void {
    for (const ending of this.#endings) ending.abort();
    this.#endings.clear();
  }

  /** The error as the dictionary knows it. */
  read(error: unknown): Error {
    if (!(error instanceof Error)) return new Error(String(error));
    // The client of a cluster has tried more than once. What counts is the last answer.
    const { cause } = error;
    const answered = [error, cause].find((it) => it instanceof Error && this.#isReply(it)) as
      | Error
      | undefined;
    return answered === undefined ? error : new ReplyError(answered.message, { cause: error });
  }

  #isReply(error: Error): boolean {
    const base = baseOf(error);
    return base !== undefined && (base === this.#base || base.name === "ErrorReply");
  }
}

/** The class of an error that comes directly after `Error` in the chain. */
function baseOf(error: Error): { readonly name: string } | undefined {
  let found: { readonly name: string } | undefined;
  for (let at = Object.getPrototypeOf(error); at && at !== Error.prototype; at = Object.getPrototypeOf(at)) {
    found = at.constructor;
  }
  return found;
}
