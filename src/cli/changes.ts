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

/**
 * Whether a change still means what it meant: the place is as it was when the change was made.
 *
 * @param change The change.
 * @param before The value that it was made of.
 * @param now The value as it is now; in a draft, what is looked at becomes a guard.
 * @returns Whether it can be applied.
 */
export function isFitting(change: Change, before: unknown, now: unknown): boolean {
  const { kind, path } = change;
  let [was, is] = [before, now];
  for (const segment of kind === "push" ? path : path.slice(0, -1)) {
    if (!isAlike(was, is) || !Object.hasOwn(is as object, segment)) return false;
    [was, is] = [memberOf(was as object, segment), memberOf(is as object, segment)];
  }
  if (kind === "push") return Array.isArray(is);
  const name = path.at(-1);
  if (name === undefined) return isSame(before, now);
  if (!isAlike(was, is)) return false;
  const isThere = Object.hasOwn(is as object, name);
  return kind === "add"
    ? !isThere
    : isThere && isSame(memberOf(is as object, name), memberOf(was as object, name));
}

/** Whether both are objects, or arrays of one length: else an index no longer names the same element. */
function isAlike(was: unknown, is: unknown): boolean {
  if (Array.isArray(was)) return Array.isArray(is) && was.length === is.length;
  return isObject(was) && isObject(is);
}

/**
 * Makes a change. An array is not replaced by another one: only the elements that differ are.
 *
 * @param root Holds the value as its member `value`; a draft, too.
 * @param change The change.
 * @returns Whether there is such a place.
 */
export function applyChange(root: { value: unknown }, { kind, path, before, after }: Change): boolean {
  let parent: unknown = root;
  let name: Segment = "value";
  for (const segment of path) {
    if (!isContainer(parent) || !Object.hasOwn(parent, name)) return false;
    parent = memberOf(parent, name);
    name = segment;
  }
  if (!isContainer(parent)) return false;
  const list = memberOf(parent, name);
  if (kind === "push") {
    if (!Array.isArray(list)) return false;
    list.push(...after as unknown[]);
    return true;
  }
  if (kind === "replace" && Array.isArray(list) && Array.isArray(before) && Array.isArray(after)) {
    list.splice(...spliceOf(before, after));
    return true;
  }
  if (Array.isArray(parent) && !(Number(name) <= parent.length)) return false;
  if (kind === "remove") return Reflect.deleteProperty(parent, name);
  const property = { value: after, enumerable: true, configurable: true, writable: true };
  return Reflect.defineProperty(parent, name, property); // case: `__proto__` is a member like any other
}

/** The arguments of the `splice` that makes one array of another. */
function spliceOf(before: readonly unknown[], after: readonly unknown[]): [number, number, ...unknown[]] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isSame(before[start], after[start])) start++;
  let end = 0;
  while (end < shorter - start && isSame(before.at(-1 - end), after.at(-1 - end))) end++;
  return [start, before.length - end - start, ...after.slice(start, after.length - end)];
}

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
