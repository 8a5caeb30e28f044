/**
 * The base of all errors that a caller may want to catch.
 *
 * @module
 */

import { formatPlace, type Path } from "../data/path.ts";

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

/** The reason, where one is known. */
export function because({ cause }: JsonDictErrorData): string {
  return cause instanceof Error && cause.message !== "" ? ` (${cause.message.replace(/\.$/, "")})` : "";
}

/** How a message begins. */
export function cannot(data: JsonDictErrorData): string {
  return `Cannot ${data.operation} at ${formatPlace(data.path)}`;
}
