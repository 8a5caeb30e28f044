/**
 * Errors of calls that got no answer, or that the server or the client refused to run.
 *
 * @module
 */

import type { Json } from "../data/json.ts";
import { formatPlace } from "../data/path.ts";
import { because, cannot, JsonDictError, type JsonDictErrorData } from "./error.ts";

/** Whether a call whose answer was lost was applied. */
export type Verdict = "applied" | "not-applied";

/** The data of an {@linkcode AmbiguousResultError}. */
export interface AmbiguousResultErrorData extends JsonDictErrorData {
  /** The id of the call, and the function that finds out whether it was applied; none without records. */
  readonly record?: { readonly callId: string; readonly resolve: () => Promise<Verdict> };
  /** Whether some of the call is known to be applied. */
  readonly isPartial?: boolean;
}

/**
 * Thrown when a change was sent and got no answer by its deadline: it may have been applied, or not, or may be later.
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
  /** The id of the call, which ends the name of its record; `undefined` if there is no record. */
  readonly callId: string | undefined;
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
    this.callId = data.record?.callId;
    this.#resolve = data.record?.resolve;
  }

  /**
   * Finds out whether the call was applied, and settles it: if it was not, it never will be, even if its request is
   * still on its way. One round trip; retried until the timeout of the dictionary if there is no answer.
   *
   * @returns Whether it was applied. A call that the script refused was not.
   * @throws {TimeoutError} If there is no answer in time, or so much time has passed that the record may be gone.
   * @throws {UnavailableError} If the server refuses to run the call that asks.
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

/** The data of a {@linkcode DurabilityError}. */
export interface DurabilityErrorData extends JsonDictErrorData {
  /** How many replicas should have the change. */
  readonly replicas: number;
  /** How many are known to have it. */
  readonly acknowledged: number;
  /** The result of the call, if it has one. */
  readonly result?: Json;
}

/**
 * Thrown, with the option `durability`, when a change was applied but too few replicas are known to have it. It may
 * still reach them, or be lost if the master fails first.
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
   * The result of the call, such as a popped value; `undefined` for an edit, or if there is none. It is not shown when
   * the error is printed.
   */
  get result(): Json | undefined {
    return this.#result;
  }
}

/** The data of a {@linkcode CrossSlotError}. */
export interface CrossSlotErrorData extends JsonDictErrorData {
  /** Keys in different slots. */
  readonly keys: readonly string[];
}

/** Thrown before any I/O when one atomic call would use keys that a cluster keeps in different slots. */
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

/** The data of an {@linkcode UnavailableError}. */
export interface UnavailableErrorData extends JsonDictErrorData {
  /** The reason of the refusal; see {@linkcode UnavailableError.reason}. */
  readonly reason: string;
}

/** Advice for each reason of a refusal. */
const ADVICE: Readonly<Record<string, string>> = {
  BUSY: "another script keeps the server busy; end it with SCRIPT KILL",
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
  SIZE: "the server accepts no value that long; see its proto-max-bulk-len",
  TLS: "check the address, the certificate and who has signed it",
  TRACKING:
    "to watch, the server needs CLIENT TRACKING, and the client a way to hear of it; see docs/guarantees.md",
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
   * The reason, in the word of the server, such as `"OOM"`, `"READONLY"`, `"BUSY"`, `"LOADING"`, `"NOPERM"`, `"NOAUTH"`,
   * `"CLUSTERDOWN"`, or `"ERR"` for any other error. A word of ours if the server did not refuse the call: `"CLOSED"` if
   * the client was ended, `"TLS"` if there can be no safe connection, `"MODE"` if the client subscribes or monitors,
   * `"VERSION"` if `ready` met a server that is too old, `"SIZE"` if the server ends each connection over which the
   * value is sent, `"TRACKING"` if the server or the client cannot report changes.
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

/** The data of a {@linkcode TimeoutError}. */
export interface TimeoutErrorData extends JsonDictErrorData {
  /** How long the call waited, in milliseconds. */
  readonly timeout: number;
}

/** Thrown when there was no answer in time and the call is certain to have changed nothing, such as a read. */
export class TimeoutError extends JsonDictError {
  static {
    this.prototype.name = "TimeoutError";
  }

  /** Always `"TIMEOUT"`. */
  readonly code: "TIMEOUT" = "TIMEOUT";
  /** How long the call waited, in milliseconds. */
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
