/**
 * Equality to the letter, which `assertEquals` is not: that takes 0 for -0, and an object without a prototype for a plain
 * one. Earlier versions of it take values with a member named `constructor` for different ones.
 *
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";

/** Fails unless the two hold the same values, by `Object.is`, in objects of the same prototypes. */
export function assertSame(actual: unknown, expected: unknown, message?: string): void {
  deepStrictEqual(actual, expected, message);
}
