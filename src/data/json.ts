/**
 * Values that JSON can hold, and how they are named.
 *
 * @module
 */

/**
 * A value that JSON can hold.
 *
 * The type is mutable, because a value that was read belongs to the reader: nothing else refers to it. With
 * {@linkcode JsonOptions.bigints} a value may also hold `bigint`; name it in your own type then.
 */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** How values are read and written. */
export interface JsonOptions {
  /**
   * Read integers beyond `Number.MAX_SAFE_INTEGER` as `bigint`, digit for digit, and write `bigint` likewise.
   *
   * The text does not distinguish the two: a `bigint` that a number can hold safely reads back as a number, and a number
   * such as `2 ** 60`, whose text is a long integer, reads back as a `bigint`.
   *
   * @default {false}
   */
  readonly bigints?: boolean;
}

/** The type of a JSON value, as JSON names it. */
export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

/** How many arrays and objects may be nested in one another; other JSON readers stop at about this depth. */
export const MAX_DEPTH = 1000;
