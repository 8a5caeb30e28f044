/**
 * Numbers as JSON text: sums that never round an integer, as `lua/lib/number.lua` makes them.
 *
 * @module
 */

/** A longer integer is not added. */
const MAX_DIGITS = 400;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const INTEGER = /^-?\d+$/;

/** There is no sum: the bound that it would exceed. */
export interface Beyond {
  /** The safe integers, the finite doubles, or the longest integers that are added. */
  readonly beyond: "integer" | "finite" | "digits";
}

/** Whether a text is a number as RFC 8259 spells it. */
export function isNumber(text: string): boolean {
  return NUMBER.test(text);
}

/**
 * Adds two numbers. Integers add as integers, of any length up to a limit; anything else adds as doubles do.
 *
 * @param a The text of a number.
 * @param b The text of another one.
 * @param exact Allow a sum that is an integer beyond the safe ones.
 * @returns The text of the sum, as JavaScript writes it; or the bound that it would exceed.
 */
export function addNumbers(a: string, b: string, exact: boolean): string | Beyond {
  const isInteger = INTEGER.test(a);
  if (isInteger && INTEGER.test(b)) {
    if (a.length > MAX_DIGITS || b.length > MAX_DIGITS) return { beyond: "digits" };
    const sum = String(BigInt(a) + BigInt(b));
    return exact || !isUnsafe(sum) ? sum : { beyond: "integer" };
  }
  if (isUnsafe(isInteger ? a : b)) return { beyond: "integer" };
  const sum = Number(a) + Number(b);
  return Number.isFinite(sum) ? String(sum) : { beyond: "finite" };
}

function isUnsafe(text: string): boolean {
  return INTEGER.test(text) && !Number.isSafeInteger(Number(text));
}
