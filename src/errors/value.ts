/**
 * Errors of the data: what a call found, or did not find, in Redis.
 *
 * @module
 */

import type { JsonType } from "../data/json.ts";
import { formatPath, formatPlace } from "../data/path.ts";
import { cannot, JsonDictError, type JsonDictErrorData } from "./error.ts";

/** Whoever reads or removes what is not there does not want to create it. */
const NEEDS_NO_ADVICE = /^(?:get|type|length|keys|exists|remove|copy|move|test|watch)$/;

function advise({ operation }: JsonDictErrorData, advice: string = "create it with set first"): string {
  return NEEDS_NO_ADVICE.test(operation) ? "" : `; ${advice}`;
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
    super(data, `${cannot(data)}: the dictionary has no key ${key}${advise(data)}`);
  }
}

/** The data of a {@linkcode PathNotFoundError}. */
export interface PathNotFoundErrorData extends JsonDictErrorData {
  /** How many segments of the path exist. */
  readonly at: number;
}

/** Thrown when the key exists, but a member or an element on the way does not. */
export class PathNotFoundError extends JsonDictError {
  static {
    this.prototype.name = "PathNotFoundError";
  }

  /** Always `"PATH_NOT_FOUND"`. */
  readonly code: "PATH_NOT_FOUND" = "PATH_NOT_FOUND";
  /** How many segments of the path exist; `path[at]` is the first that does not. */
  readonly at: number;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and how far the path leads.
   */
  constructor(data: PathNotFoundErrorData) {
    const { path, at } = data;
    const missing = formatPath(path.slice(at, at + 1));
    const isOnWay = at < path.length - 1;
    const advice = advise(data, isOnWay ? "create it first, or set with { parents: true }" : undefined);
    super(data, `${cannot(data)}: there is no ${missing} in ${formatPlace(path.slice(0, at))}${advice}`);
    this.at = at;
  }
}

/** The data of a {@linkcode TypeMismatchError}. */
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

/** The data of an {@linkcode IndexOutOfRangeError}. */
export interface IndexOutOfRangeErrorData extends JsonDictErrorData {
  /** The index as it was given. */
  readonly index: number;
  /** The length of the array in Redis. */
  readonly length: number;
}

/** Thrown when a write names an element beyond the end of an array, or before its start. */
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

/** The data of a {@linkcode NumberRangeError}. */
export interface NumberRangeErrorData extends JsonDictErrorData {
  /** Which bound stopped it: 2^53 - 1 for integers, the largest number, or 400 digits. */
  readonly bound: "integer" | "finite" | "digits";
}

/** Thrown when the result of an increment cannot be written without rounding, is not finite, or is too long. */
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

/** The data of a {@linkcode CorruptValueError}. */
export interface CorruptValueErrorData extends JsonDictErrorData {
  /** The byte at which the text stops being JSON, if it is known. */
  readonly offset?: number;
  /** The text that the call read or removed, if it is available. */
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
   * The text that was read, if it is available. After `pop` or `popItem` it is the only copy of the removed value. It is
   * not shown when the error is printed.
   */
  get text(): string | undefined {
    return this.#text;
  }
}

/** The data of a {@linkcode WrongTypeError}. */
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

/** The data of a {@linkcode LimitError}. */
export interface LimitErrorData extends JsonDictErrorData {
  /** The limit that would be exceeded. */
  readonly limit: "bytes" | "depth";
  /** The limit in bytes or levels, if it is known. */
  readonly maximum?: number;
}

/** Thrown when a value would become too long, or is nested too deeply. */
export class LimitError extends JsonDictError {
  static {
    this.prototype.name = "LimitError";
  }

  /** Always `"LIMIT"`. */
  readonly code: "LIMIT" = "LIMIT";
  /** The limit that would be exceeded. */
  readonly limit: "bytes" | "depth";
  /** The limit in bytes or levels, if it is known. */
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

/** Removes the text from an error of `JSON.parse`: V8 quotes it. */
function withoutText(cause: unknown): unknown {
  if (!(cause instanceof SyntaxError) || !cause.message.endsWith(" is not valid JSON")) return cause;
  return new SyntaxError(`${/^Unexpected token '.'/su.exec(cause.message)?.[0] ?? "It"} is not valid JSON`);
}

function withArticle(type: JsonType): string {
  if (type === "null") return type;
  return type === "array" || type === "object" ? `an ${type}` : `a ${type}`;
}
