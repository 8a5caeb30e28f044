/**
 * The client: what is needed of it.
 *
 * @module
 */

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
  /** The state of the connection; `"ready"` if a command would be sent at once. */
  readonly status?: string;
  /** The settings of the client. */
  readonly options?: {
    readonly keyPrefix?: string;
    readonly maxRetriesPerRequest?: number | null;
    readonly autoResendUnfulfilledCommands?: boolean;
    readonly retryDelayOnFailover?: number;
    readonly redisOptions?: { readonly keyPrefix?: string };
  };
  /**
   * Why the client, or something behind it, may resend a command by itself without reporting it. Left out if it does not,
   * or if `options` show it. A client with this is refused for `delivery: "at-most-once"`.
   */
  readonly resends?: string;
  /** Listens to changes of the connection. */
  on?(event: "ready" | "close" | "end" | "error", listener: (error?: Error) => void): unknown;
  /** Stops listening. */
  off?(event: "ready" | "close" | "end" | "error", listener: (error?: Error) => void): unknown;
  /** Starts to connect a client that waits for its first command. */
  connect?(): Promise<unknown>;
  /** Ends the connection; with `true` the client connects again. */
  disconnect?(reconnect?: boolean): void;
  /** The clients of the single nodes; only the client of a cluster has this method. */
  nodes?(role: "master" | "all"): readonly RedisClient[];
  /**
   * Makes another client of the same server, given settings to change, as those of ioredis and iovalkey do. Watching
   * needs it, or `listen`: the new client subscribes by `call("subscribe", channel)`, and emits `messageBuffer` with the
   * channel and what was published.
   */
  duplicate?(...settings: never[]): unknown;
  /**
   * Makes a connection to the same server for what the server tells by itself. Watching needs it where the client is not
   * one of ioredis or iovalkey. It must not keep the process alive.
   *
   * @param listener How it is made, and who hears of it; not before this has returned.
   * @returns The connection, which is being made.
   */
  listen?(listener: LineListener): Line;
  /** Why nobody can be told of changes over this client, for the error of those who watch. */
  readonly deaf?: string;
}

/** A connection that is used by one who listens, and by nobody else. It is made once, and never again. */
export interface Line {
  /**
   * Sends one command, once the connection is ready.
   *
   * @param command The name of the command.
   * @param args Its arguments.
   * @returns What the server answered.
   */
  call(command: string, ...args: string[]): Promise<unknown>;
  /**
   * Subscribes, by the older protocol.
   *
   * @param channel The channel on which the server tells which names have changed.
   */
  subscribe(channel: string): Promise<unknown>;
  /** Ends it. Resolves when that is done, or soon after if the other side does not answer. */
  close(): Promise<void>;
}

/** How a {@linkcode Line} is made, and who hears of it. */
export interface LineListener {
  /** The version of the protocol: `2`, where one hears as a subscriber, or `3`, in which the server tells by itself. */
  readonly protocol: 2 | 3;
  /** How long connecting may take, in milliseconds. */
  readonly timeout: number;
  /** The connection is ready. */
  ready(): void;
  /** The names that the server has told, as texts or as their bytes; without them it told of all. */
  told(names: readonly (string | Uint8Array)[] | undefined): void;
  /** The connection was lost or could not be made. It may be told more than once. */
  lost(reason: unknown): void;
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
      `Cannot use the client: it has no method call(command, ...args); ${adviceFor(client)}`,
    );
  }
  const checked = client as RedisClient;
  const keyPrefix = checked.options?.keyPrefix || checked.options?.redisOptions?.keyPrefix;
  if (keyPrefix) {
    // ioredis adds it to the keys of scripts, but not to the pattern of SCAN, and does not remove it from the reply.
    throw new TypeError(
      `Cannot use the client: it has keyPrefix ${
        JSON.stringify(keyPrefix)
      }; give the dictionary a prefix instead`,
    );
  }
  return checked;
}

/** What to do with another kind of client, recognized by the methods that only it has. */
function adviceFor(client: unknown): string {
  const has = (...names: readonly string[]): boolean => names.every((name) => name in Object(client));
  if (has("sendCommand", "isOpen")) {
    return "for node-redis, pass fromNodeRedis(client) of @json-dict/redis/node-redis";
  }
  if (has("send", "connected")) return "for the client of Bun, pass fromBun(client) of @json-dict/redis/bun";
  if (has("createScript", "evalsha")) {
    return "for Upstash, pass fromUpstash({ url, token }) of @json-dict/redis/upstash";
  }
  return "pass a Redis of ioredis, or use RedisJsonDict.connect(url)";
}

/**
 * Whether a client sends a command again by itself when a connection is lost before the answer.
 *
 * @param client The client. A client without settings counts as not resending.
 * @returns Whether it resends.
 */
export function isResending({ options, nodes, resends }: RedisClient): boolean {
  if (resends !== undefined) return true;
  if (options === undefined) return false;
  if (nodes !== undefined) return options.retryDelayOnFailover !== 0;
  if (options.autoResendUnfulfilledCommands === false || options.maxRetriesPerRequest === undefined) {
    return false;
  }
  return options.maxRetriesPerRequest !== 0;
}
