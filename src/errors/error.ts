/**
 * The base of all errors that a caller may want to catch.
 *
 * @module
 */

import { formatPlace, type Path } from "../data/path.ts";

/** The data of every {@linkcode JsonDictError}. */
export interface JsonDictErrorData {
  /** The method that failed, for the message. */
  readonly operation: string;
  /** The path, dictionary key first; empty if the call concerned no single key. */
  readonly path: Path;
  /** The error that caused this one. */
  readonly cause?: unknown;
}

/**
 * The base of all errors of this library, apart from `TypeError` and `RangeError` for wrong arguments.
 *
 * Unless a subclass says otherwise, the call that failed changed nothing.
 *
 * @example Catch the error of a wrong value in Redis
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
 *   console.log(error.code, error.key, error.path); // => TYPE_MISMATCH sample [ "sample", "color" ]
 * }
 * ```
 */
export abstract class JsonDictError extends Error {
  static {
    // On the prototype, so that the stack starts with it, and a minifier does not change it.
    this.prototype.name = "JsonDictError";
  }

  /** Identifies the subclass, also between copies of the library. */
  abstract readonly code: string;
  /** The method that failed. */
  readonly operation: string;
  /** The key in the dictionary, without its prefix; empty if {@linkcode JsonDictError.path} is. */
  readonly key: string;
  /** The path, dictionary key first; empty if the call concerned no single key. */
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

/** The message of the cause in parentheses; empty if there is none. */
export function because({ cause }: JsonDictErrorData): string {
  return cause instanceof Error && cause.message !== "" ? ` (${cause.message.replace(/\.$/, "")})` : "";
}

/** The start of a message: the operation and the place. */
export function cannot(data: JsonDictErrorData): string {
  return `Cannot ${data.operation} at ${formatPlace(data.path)}`;
}
