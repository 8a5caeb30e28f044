/**
 * The errors that a caller may want to catch.
 *
 * @module
 */

import type { Json } from "./json.ts";
import { formatPath, formatPlace, type Path } from "./path.ts";

/** The type of a JSON value, as JSON names it. */
export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

/** What every {@linkcode JsonDictError} is made of. */
export interface JsonDictErrorData {
  /** The method that failed, for the message. */
  readonly operation: string;
  /** Where: the dictionary key first; empty if the call concerned no single key. */
  readonly path: Path;
  /** The error that lies behind this one. */
  readonly cause?: unknown;
}

/**
 * The base of all errors of this library, apart from `TypeError` and `RangeError` for wrong arguments.
 *
 * Unless a subclass says otherwise, the call that failed changed nothing.
 *
 * @example Catching what a wrong value in Redis causes
 * ```ts
 * import { JsonDictError, TypeMismatchError } from "@json-dict/redis";
 *
 * const error: unknown = new TypeMismatchError({
 *   operation: "push",
 *   path: ["sample", "color"],
 *   expected: ["array"],
 *   found: "string",
 *   at: 2,
 * });
 * if (error instanceof JsonDictError) {
 *   console.log(error.code, error.key, error.path); // TYPE_MISMATCH sample [ "sample", "color" ]
 * }
 * ```
 */
export abstract class JsonDictError extends Error {
  static {
    // On the prototype, where it is in time for the first line of the stack and survives a minifier.
    this.prototype.name = "JsonDictError";
  }

  /** Tells the subclasses apart, also between copies of the library. */
  abstract readonly code: string;
  /** The method that failed. */
  readonly operation: string;
  /** The key in the dictionary, without its prefix; empty if {@linkcode JsonDictError.path} is. */
  readonly key: string;
  /** The place: the dictionary key first; empty if the call concerned no single key. */
  readonly path: Path;

  /**
   * Creates an error.
   *
   * @param data What failed, and where.
   * @param message The whole message.
   */
  constructor(data: JsonDictErrorData, message: string) {
    super(message, "cause" in data ? { cause: data.cause } : undefined);
    this.operation = data.operation;
    this.path = data.path;
    this.key = data.path.length === 0 ? "" : String(data.path[0]);
  }
}

/** Thrown when the dictionary has no such key. */
export class KeyNotFoundError extends JsonDictError {
  static {
    this.prototype.name = "KeyNotFoundError";
  }

  /** Always `"KEY_NOT_FOUND"`. */
  readonly code: "KEY_NOT_FOUND" = "KEY_NOT_FOUND";

  /**
   * Creates an error.
   *
   * @param data What failed, and where.
   */
  constructor(data: JsonDictErrorData) {
    const key = formatPlace(data.path.slice(0, 1));
    super(data, `${cannot(data)}: the dictionary has no key ${key}; create it with set first`);
  }
}

/** What a {@linkcode PathNotFoundError} is made of. */
export interface PathNotFoundErrorData extends JsonDictErrorData {
  /** How many segments of the path do exist. */
  readonly at: number;
}

/** Thrown when the key exists, but a member or an element on the way does not. */
export class PathNotFoundError extends JsonDictError {
  static {
    this.prototype.name = "PathNotFoundError";
  }

  /** Always `"PATH_NOT_FOUND"`. */
  readonly code: "PATH_NOT_FOUND" = "PATH_NOT_FOUND";
  /** How many segments of the path do exist; `path[at]` is the first that does not. */
  readonly at: number;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and how far the path leads.
   */
  constructor(data: PathNotFoundErrorData) {
    const { path, at } = data;
    const missing = formatPath(path.slice(at, at + 1));
    const advice = at < path.length - 1
      ? "create it first, or set with { parents: true }"
      : "create it with set first";
    super(data, `${cannot(data)}: there is no ${missing} in ${formatPlace(path.slice(0, at))}; ${advice}`);
    this.at = at;
  }
}

/** What a {@linkcode TypeMismatchError} is made of. */
export interface TypeMismatchErrorData extends JsonDictErrorData {
  /** The types with which the call would have worked. */
  readonly expected: readonly JsonType[];
  /** The type of the value in Redis. */
  readonly found: JsonType;
  /** How many segments of the path lead to that value. */
  readonly at: number;
}

/** Thrown when a value on the way, or at its end, has another type than the call needs. */
export class TypeMismatchError extends JsonDictError {
  static {
    this.prototype.name = "TypeMismatchError";
  }

  /** Always `"TYPE_MISMATCH"`. */
  readonly code: "TYPE_MISMATCH" = "TYPE_MISMATCH";
  /** The types with which the call would have worked. */
  readonly expected: readonly JsonType[];
  /** The type of the value in Redis. */
  readonly found: JsonType;
  /** How many segments of the path lead to that value. */
  readonly at: number;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and what was found there.
   */
  constructor(data: TypeMismatchErrorData) {
    const { path, at, expected, found } = data;
    const value = at === path.length ? "the value" : formatPlace(path.slice(0, at));
    const wanted = expected.map(withArticle).join(" or ");
    super(data, `${cannot(data)}: ${value} is ${withArticle(found)}, expected ${wanted}`);
    this.expected = expected;
    this.found = found;
    this.at = at;
  }
}

/** What an {@linkcode IndexOutOfRangeError} is made of. */
export interface IndexOutOfRangeErrorData extends JsonDictErrorData {
  /** The index as it was given. */
  readonly index: number;
  /** The length of the array in Redis. */
  readonly length: number;
}

/** Thrown when a write names an element beyond the end of an array. */
export class IndexOutOfRangeError extends JsonDictError {
  static {
    this.prototype.name = "IndexOutOfRangeError";
  }

  /** Always `"INDEX_OUT_OF_RANGE"`. */
  readonly code: "INDEX_OUT_OF_RANGE" = "INDEX_OUT_OF_RANGE";
  /** The index as it was given. */
  readonly index: number;
  /** The length of the array in Redis. */
  readonly length: number;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and how long the array is.
   */
  constructor(data: IndexOutOfRangeErrorData) {
    const { index, length } = data;
    const state = `index ${index} is outside an array of length ${length}`;
    super(data, `${cannot(data)}: ${state}; arrays have no holes, push adds an element at ${length}`);
    this.index = index;
    this.length = length;
  }
}

/** What a {@linkcode NumberRangeError} is made of. */
export interface NumberRangeErrorData extends JsonDictErrorData {
  /** Which bound stopped it: 2^53 - 1 for integers, the largest number, or 400 digits. */
  readonly bound: "integer" | "finite" | "digits";
}

/** Thrown when the result of an increment cannot be written without rounding, or is not finite. */
export class NumberRangeError extends JsonDictError {
  static {
    this.prototype.name = "NumberRangeError";
  }

  /** Always `"NUMBER_RANGE"`. */
  readonly code: "NUMBER_RANGE" = "NUMBER_RANGE";
  /** Which bound stopped it: 2^53 - 1 for integers, the largest number, or 400 digits. */
  readonly bound: "integer" | "finite" | "digits";

  /**
   * Creates an error.
   *
   * @param data What failed, where, and at which bound.
   */
  constructor(data: NumberRangeErrorData) {
    super(data, `${cannot(data)}: ${NUMBER_BOUNDS[data.bound]}`);
    this.bound = data.bound;
  }
}

const NUMBER_BOUNDS = {
  integer: "an integer beyond 2^53 - 1 would be rounded; use the option bigints, and integers only",
  finite: "the result is not finite; set the value instead",
  digits: "integers of more than 400 digits are not added; set the value instead",
} as const;

/** What a {@linkcode CorruptValueError} is made of. */
export interface CorruptValueErrorData extends JsonDictErrorData {
  /** The byte at which the text stops being JSON, if it is known. */
  readonly offset?: number;
  /** The text that was read, or removed by the call, if it is at hand. */
  readonly text?: string;
}

/** Thrown when the string in Redis is not JSON. */
export class CorruptValueError extends JsonDictError {
  static {
    this.prototype.name = "CorruptValueError";
  }

  /** Always `"CORRUPT_VALUE"`. */
  readonly code: "CORRUPT_VALUE" = "CORRUPT_VALUE";
  /** The byte, counted from 0, at which the text stops being JSON, if it is known. */
  readonly offset: number | undefined;
  readonly #text: string | undefined;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and at which byte.
   */
  constructor(data: CorruptValueErrorData) {
    const where = data.offset === undefined ? "" : ` at byte ${data.offset}`;
    const key = formatPlace(data.path.slice(0, 1));
    super(
      "cause" in data ? { ...data, cause: withoutText(data.cause) } : data,
      `${cannot(data)}: the text of ${key} is not JSON${where}; set or delete the key to repair it`,
    );
    this.offset = data.offset;
    this.#text = data.text;
  }

  /**
   * The text that was read if it is at hand: after `pop` and its like the only copy of what was removed. It is not shown
   * when the error is printed.
   */
  get text(): string | undefined {
    return this.#text;
  }
}

/** What a {@linkcode WrongTypeError} is made of. */
export interface WrongTypeErrorData extends JsonDictErrorData {
  /** The Redis type of the key, such as `"list"`, if it is known. */
  readonly found?: string;
}

/** Thrown when the key in Redis is no string, so it is not an item of a dictionary. */
export class WrongTypeError extends JsonDictError {
  static {
    this.prototype.name = "WrongTypeError";
  }

  /** Always `"WRONG_TYPE"`. */
  readonly code: "WRONG_TYPE" = "WRONG_TYPE";
  /** The Redis type of the key, such as `"list"`, if it is known. */
  readonly found: string | undefined;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and the type found there.
   */
  constructor(data: WrongTypeErrorData) {
    const state = data.found === undefined
      ? "is not a Redis string"
      : `is a Redis ${data.found}, not a string`;
    const key = formatPlace(data.path.slice(0, 1));
    super(data, `${cannot(data)}: ${key} ${state}; something else uses it, so choose another key or prefix`);
    this.found = data.found;
  }
}

/** What a {@linkcode LimitError} is made of. */
export interface LimitErrorData extends JsonDictErrorData {
  /** What there would be too much of. */
  readonly limit: "bytes" | "depth";
  /** How much there may be, if it is known. */
  readonly maximum?: number;
}

/** Thrown when a value would become too long, or is nested too deeply. */
export class LimitError extends JsonDictError {
  static {
    this.prototype.name = "LimitError";
  }

  /** Always `"LIMIT"`. */
  readonly code: "LIMIT" = "LIMIT";
  /** What there would be too much of. */
  readonly limit: "bytes" | "depth";
  /** How much there may be, if it is known. */
  readonly maximum: number | undefined;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and which limit stopped it.
   */
  constructor(data: LimitErrorData) {
    const { limit, maximum } = data;
    const state = limit === "bytes" ? "the text of the value is too long" : "the value is nested too deeply";
    const unit = limit === "bytes" ? "bytes" : "levels";
    const allowed = maximum === undefined ? "" : `, at most ${maximum} ${unit} are allowed`;
    const advice = limit === "bytes" ? "spread it over several keys" : "use a flatter value";
    super(data, `${cannot(data)}: ${state}${allowed}; ${advice}`);
    this.limit = limit;
    this.maximum = maximum;
  }
}

/** What a {@linkcode ConflictError} is made of. */
export interface ConflictErrorData extends JsonDictErrorData {
  /** The places that others had changed, each once. */
  readonly paths: readonly Path[];
  /** How often the recipe has run. */
  readonly attempts: number;
}

/** Thrown when others changed what an edit had read, each time that its recipe ran. */
export class ConflictError extends JsonDictError {
  static {
    this.prototype.name = "ConflictError";
  }

  /** Always `"CONFLICT"`. */
  readonly code: "CONFLICT" = "CONFLICT";
  /** The places that others had changed, each once. */
  readonly paths: readonly Path[];
  /** How often the recipe has run. */
  readonly attempts: number;

  /**
   * Creates an error.
   *
   * @param data What failed, where others were faster, and how often it was tried.
   */
  constructor(data: ConflictErrorData) {
    const { paths, attempts } = data;
    const places = paths.slice(0, 3).map(formatPlace).join(", ") + (paths.length > 3 ? ", ..." : "");
    super(
      data,
      `${
        cannot(data)
      }: others changed ${places} each of the ${attempts} times that the recipe ran; read less, or allow more attempts`,
    );
    this.paths = paths;
    this.attempts = attempts;
  }
}

/** What a {@linkcode PatchError} is made of. */
export interface PatchErrorData extends JsonDictErrorData {
  /** The index of the operation in the patch. */
  readonly index: number;
  /** Its `op`. */
  readonly patchOperation: string;
  /** Its `path`, a JSON Pointer. */
  readonly pointer: string;
}

/** Thrown when an operation of a JSON Patch cannot be applied, or its test does not hold. Nothing was changed. */
export class PatchError extends JsonDictError {
  static {
    this.prototype.name = "PatchError";
  }

  /** Always `"PATCH"`. */
  readonly code: "PATCH" = "PATCH";
  /** The index of the operation in the patch. */
  readonly index: number;
  /** Its `op`. */
  readonly patchOperation: string;
  /** Its `path`, a JSON Pointer. */
  readonly pointer: string;

  /**
   * Creates an error.
   *
   * @param data What failed, where, which operation; as `cause` why, if it is no test that does not hold.
   */
  constructor(data: PatchErrorData) {
    const { index, patchOperation, pointer, cause } = data;
    const reason = cause instanceof Error ? cause.message : "the value there is another one";
    super(
      data,
      `${cannot(data)}: operation ${index}, ${patchOperation} ${formatPlace([pointer])}: ${reason}`,
    );
    this.index = index;
    this.patchOperation = patchOperation;
    this.pointer = pointer;
  }
}

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
  WRONGPASS: "the user name or the password in the address is wrong",
  SIZE: "the server takes no value that long; see its proto-max-bulk-len",
  TRACKING: "to watch, the server needs CLIENT TRACKING and the client duplicate(); see docs/guarantees.md",
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
   * was ended, `"TLS"` if there can be no safe connection, `"MODE"` if the client only listens, `"SIZE"` if the server
   * ends each connection over which the value is sent, `"TRACKING"` if the server or the client cannot tell of changes.
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

/** The reason, where one is known. */
function because({ cause }: JsonDictErrorData): string {
  return cause instanceof Error && cause.message !== "" ? ` (${cause.message.replace(/\.$/, "")})` : "";
}

/** V8 quotes the text that it could not read. */
function withoutText(cause: unknown): unknown {
  if (!(cause instanceof SyntaxError) || !cause.message.endsWith(" is not valid JSON")) return cause;
  return new SyntaxError(`${/^Unexpected token '.'/su.exec(cause.message)?.[0] ?? "It"} is not valid JSON`);
}

function cannot(data: JsonDictErrorData): string {
  return `Cannot ${data.operation} at ${formatPlace(data.path)}`;
}

function withArticle(type: JsonType): string {
  if (type === "null") return type;
  return type === "array" || type === "object" ? `an ${type}` : `a ${type}`;
}
