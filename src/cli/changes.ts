/**
 * Changes: in what two values differ.
 *
 * @module
 */

import type { Segment } from "../data/path.ts";

/** One difference, at the deepest place that holds it. */
export interface Change {
  readonly kind: "add" | "remove" | "replace" | "push";
  /** Where, from the value on. */
  readonly path: readonly Segment[];
  /** What was there; for `push` the array as it was. Left out for `add`. */
  readonly before?: unknown;
  /** What is there; for `push` the elements that were added. Left out for `remove`. */
  readonly after?: unknown;
}

/**
 * Whether two values are the same JSON: the order of members does not count.
 *
 * @param a A value.
 * @param b Another one.
 * @returns Whether they are.
 */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  }
  const names = Object.keys(a);
  return names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSame(memberOf(a, name), memberOf(b, name)));
}

/** A member by its name, `__proto__` too. */
export function memberOf(value: object, name: Segment): unknown {
  return (value as Record<Segment, unknown>)[name];
}

/**
 * Finds out in what a value differs from another one.
 *
 * Elements of arrays of one length are compared one by one. Of a longer array that begins like the other, the rest was
 * pushed. Every other array was replaced as a whole.
 *
 * @param before The one.
 * @param after The other.
 * @param path Where they stand.
 * @returns The differences; none if they are the same.
 */
export function changesOf(before: unknown, after: unknown, path: readonly Segment[] = []): Change[] {
  if (isSame(before, after)) return [];
  const whole: Change = { kind: "replace", path, before, after };
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length === after.length) {
      return before.flatMap((item, index) => changesOf(item, after[index], [...path, index]));
    }
    const isLonger = before.length < after.length &&
      before.every((item, index) => isSame(item, after[index]));
    return isLonger ? [{ kind: "push", path, before, after: after.slice(before.length) }] : [whole];
  }
  if (!isObject(before) || !isObject(after)) return [whole];
  const removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  return [
    ...removed.map((name): Change => ({
      kind: "remove",
      path: [...path, name],
      before: memberOf(before, name),
    })),
    ...Object.keys(after).flatMap((name): Change[] => {
      const place = [...path, name];
      const value = memberOf(after, name);
      return Object.hasOwn(before, name)
        ? changesOf(memberOf(before, name), value, place)
        : [{ kind: "add", path: place, after: value }];
    }),
  ];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
