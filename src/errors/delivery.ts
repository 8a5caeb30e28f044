/**
 * Errors of calls that were not answered, or that the server or the client would not run.
 *
 * @module
 */

import type { Json } from "../data/json.ts";
import { formatPlace } from "../data/path.ts";
import { because, cannot, JsonDictError, type JsonDictErrorData } from "./error.ts";

/** What became of a call whose answer was lost. */
export type Verdict = "applied" | "not-applied";

/** What an {@linkcode AmbiguousResultError} is made of. */
export interface AmbiguousResultErrorData extends JsonDictErrorData {
  /** The name of the call, and how to find out what became of it; none where the dictionary keeps no records. */
  readonly record?: { readonly id: string; readonly resolve: () => Promise<Verdict> };
  /** Whether it is known that some of it was applied. */
  readonly isPartial?: boolean;
}

/**
 * Thrown when the answer to a write was lost until its deadline: it may have been applied, or not, or be applied yet.
 *
 * This is the one error after which the value may have changed. {@linkcode AmbiguousResultError.resolve} finds out.
 *
 * @example Find out, and try again if it is safe
 * ```ts
 * import { AmbiguousResultError, RedisJsonDict } from "@json-dict/redis";
 *
 * await using lab = RedisJsonDict.connect<{ log: string[] }>("redis://localhost:6379", { prefix: "doc:ambiguous:" });
 * await lab.set("log", []);
 * try {
 *   await lab.at("log").push("started");
 * } catch (error) {
 *   if (!(error instanceof AmbiguousResultError)) throw error;
 *   if (await error.resolve() === "not-applied") await lab.at("log").push("started");
 * }
 * await lab.clear();
 * ```
 */
export class AmbiguousResultError extends JsonDictError {
  static {
    this.prototype.name = "AmbiguousResultError";
  }

  /** Always `"AMBIGUOUS_RESULT"`. */
  readonly code: "AMBIGUOUS_RESULT" = "AMBIGUOUS_RESULT";
  /** The name of the call, as in the name of its record; `undefined` where the dictionary keeps none. */
  readonly opId: string | undefined;
  readonly #resolve: (() => Promise<Verdict>) | undefined;

  /**
   * Creates an error.
   *
   * @param data What was tried, where, and why there is no answer.
   */
  constructor(data: AmbiguousResultErrorData) {
    const what = `${data.operation} at ${formatPlace(data.path)}`;
    const advice = data.record ? "resolve() of this error finds out" : "read the value before trying again";
    const state = data.isPartial ? "the server stopped it half-way" : "its answer was lost";
    super(data, `Cannot tell whether ${what} was applied: ${state}${because(data)}; ${advice}`);
    this.opId = data.record?.id;
    this.#resolve = data.record?.resolve;
  }

  /**
   * Finds out what became of the call, and settles it: where it was not applied, it never will be, even if its request
   * is still on its way. One round trip; repeated until the timeout of the dictionary if there is no answer.
   *
   * @returns Whether it was applied. A call that the script refused was not.
   * @throws {TimeoutError} If there is no answer in time, or so much time has passed that the record may be gone.
   * @throws {UnavailableError} If the server refuses to tell.
   * @throws {TypeError} If there is no record: with `delivery: "at-most-once"`, or if some of the call was applied.
   */
  async resolve(): Promise<Verdict> {
    if (this.#resolve === undefined) {
      throw new TypeError(
        'Cannot resolve: there is no record of the call, as delivery is "at-most-once" or it stopped half-way; read the value instead',
      );
    }
    return await this.#resolve();
  }
}

/** What a {@linkcode DurabilityError} is made of. */
export interface DurabilityErrorData extends JsonDictErrorData {
  /** How many replicas should have the change. */
  readonly replicas: number;
  /** How many are known to have it. */
  readonly acknowledged: number;
  /** What the call would have returned. */
  readonly result?: Json;
}

/**
 * Thrown when a change was applied, but not enough replicas are known to have it, with the option `durability`. It may
 * reach them yet, or be lost if the master fails before.
 */
export class DurabilityError extends JsonDictError {
  static {
    this.prototype.name = "DurabilityError";
  }

  /** Always `"DURABILITY"`. */
  readonly code: "DURABILITY" = "DURABILITY";
  /** How many replicas should have the change. */
  readonly replicas: number;
  /** How many are known to have it. */
  readonly acknowledged: number;
  readonly #result: Json | undefined;

  /**
   * Creates an error.
   *
   * @param data What was applied, where, and how many replicas have it.
   */
  constructor(data: DurabilityErrorData) {
    const { replicas, acknowledged, result } = data;
    const why = data.cause instanceof Error ? `; ${data.cause.message}` : "";
    super(
      data,
      `Applied ${data.operation} at ${formatPlace(data.path)}, but cannot tell that it is safe: ` +
        `${acknowledged} of ${replicas} replicas are known to have it${why}`,
    );
    this.replicas = replicas;
    this.acknowledged = acknowledged;
    this.#result = result;
  }

  /**
   * What the server answered, as a value that was popped; `undefined` for an edit, or if it answered nothing. It is not
   * shown when the error is printed.
   */
  get result(): Json | undefined {
    return this.#result;
  }
}

/** What a {@linkcode CrossSlotError} is made of. */
export interface CrossSlotErrorData extends JsonDictErrorData {
  /** Keys in different slots. */
  readonly keys: readonly string[];
}

/** Thrown when keys that a cluster keeps in different slots were to be used in one atomic call; before any I/O. */
export class CrossSlotError extends JsonDictError {
  static {
    this.prototype.name = "CrossSlotError";
  }

  /** Always `"CROSS_SLOT"`. */
  readonly code: "CROSS_SLOT" = "CROSS_SLOT";
  /** Keys in different slots. */
  readonly keys: readonly string[];

  /**
   * Creates an error.
   *
   * @param data What failed, and which keys are apart.
   */
  constructor(data: CrossSlotErrorData) {
    const places = data.keys.map((key) => formatPlace([key])).join(" and ");
    super(
      data,
      `Cannot ${data.operation} ${places} in one call: the cluster keeps them in different slots; give the ` +
        `dictionary a prefix with a hash tag, as "{lab}:", or the keys one of their own`,
    );
    this.keys = Object.freeze([...data.keys]);
  }
}

/** What an {@linkcode UnavailableError} is made of. */
export interface UnavailableErrorData extends JsonDictErrorData {
  /** The word of the server for it. */
  readonly reason: string;
}

/** What to do about a refusal of the server, by its word. */
const ADVICE: Readonly<Record<string, string>> = {
  BUSY: "a script of somebody keeps the server busy; end it with SCRIPT KILL",
  CLOSED: "the client was ended; make a new one",
  CLUSTERDOWN: "part of the cluster is down; see CLUSTER INFO",
  LOADING: "the server reads its data set after a start; wait, or raise the timeout",
  MASTERDOWN: "the replica has lost its master; see INFO replication",
  MODE: "a client that subscribes or monitors sends nothing else; give the dictionary one of its own",
  MISCONF: "the server cannot save to its disk; see its log",
  NOAUTH: "pass a user name and a password in the address",
  NOPERM:
    "the user needs the rights that docs/guarantees.md lists, on the keys of the dictionary and of the records",
  NOREPLICAS: "the server has too few replicas to accept writes; see INFO replication",
  OOM: "the server has used up its maxmemory; delete something, or raise it",
  READONLY: "the server is a replica; connect to its master",
  VERSION: "use Redis 6.2.7 or later, or Valkey 7.2 or later",
  WRONGPASS: "the user name or the password in the address is wrong",
  SIZE: "the server takes no value that long; see its proto-max-bulk-len",
  TLS: "check the address, the certificate and who has signed it",
  TRYAGAIN: "a slot is on its way to another node; wait, or raise the timeout",
};

const NO_DATABASE = "choose another number in the address, or raise the option databases of the server";

/** Thrown when the server, or the client, refused to run the call, which changed nothing. */
export class UnavailableError extends JsonDictError {
  static {
    this.prototype.name = "UnavailableError";
  }

  /** Always `"UNAVAILABLE"`. */
  readonly code: "UNAVAILABLE" = "UNAVAILABLE";
  /**
   * Why, in the word of the server, as `"OOM"`, `"READONLY"`, `"BUSY"`, `"LOADING"`, `"NOPERM"`, `"NOAUTH"`,
   * `"CLUSTERDOWN"`, or `"ERR"` for any other error; a word of ours where it was not the server: `"CLOSED"` if the client
   * was ended, `"TLS"` if there can be no safe connection, `"MODE"` if the client only listens, `"VERSION"` if `ready` met a
   * server that is too old, `"SIZE"` if the server
   * ends each connection over which the value is sent.
   */
  readonly reason: string;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and what the server said.
   */
  constructor(data: UnavailableErrorData) {
    const said = data.cause instanceof Error ? data.cause.message.replace(/\.$/, "") : data.reason;
    const advice = /\bDB index\b/.test(said)
      ? NO_DATABASE
      : Object.hasOwn(ADVICE, data.reason) && ADVICE[data.reason];
    super(data, `${cannot(data)}: ${said}${advice ? `; ${advice}` : ""}`);
    this.reason = data.reason;
  }
}

/** What a {@linkcode TimeoutError} is made of. */
export interface TimeoutErrorData extends JsonDictErrorData {
  /** How long the call has waited, in milliseconds. */
  readonly timeout: number;
}

/** Thrown when there was no answer in time and the call is certain to have changed nothing, such as a read. */
export class TimeoutError extends JsonDictError {
  static {
    this.prototype.name = "TimeoutError";
  }

  /** Always `"TIMEOUT"`. */
  readonly code: "TIMEOUT" = "TIMEOUT";
  /** How long the call has waited, in milliseconds. */
  readonly timeout: number;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and after how long.
   */
  constructor(data: TimeoutErrorData) {
    const state = `Redis has not answered within ${data.timeout} ms${because(data)}`;
    super(data, `${cannot(data)}: ${state}; check the connection, or raise the timeout`);
    this.timeout = data.timeout;
  }
}
