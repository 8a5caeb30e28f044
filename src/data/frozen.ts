/**
 * Frozen values: JSON that nobody can change any more, and what two of them share.
 *
 * @module
 */

import { type Json, MAX_DEPTH } from "./json.ts";

/**
 * A value that was read: the same all the way down, but nothing of it can be changed.
 *
 * @typeParam V The type of the value.
 */
export type Frozen<V> = unknown extends V ? V // any too
  : [Json] extends [V] ? FrozenJson | Frozen<Exclude<V, Json>>
  : V extends string | number | boolean | bigint | null | undefined ? V
  : { readonly [K in keyof V]: Frozen<V[K]> };

/** Any JSON that was read, of which nothing can be changed. */
export type FrozenJson = null | boolean | number | string | readonly FrozenJson[] | {
  readonly [name: string]: FrozenJson;
};

/**
 * Freezes a JSON value all the way down. What is frozen already is not looked at again.
 *
 * @param value The value.
 * @returns The same value.
 */
export function freeze<V>(value: V): V {
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== "object" || next === null || Object.isFrozen(next)) continue;
    Object.freeze(next);
    for (const part of Object.values(next)) if (typeof part === "object") pending.push(part);
  }
  return value;
}

/** Below so many levels parts are the same only if the whole is: to look at all of them again for each level takes long. */
const MAX_LEVELS = 64;

/**
 * Puts the parts of an earlier value in the place of equal parts of a later one, so that equal is also identical. In an
 * array, equal elements are found wherever they have moved.
 *
 * Linear in the length of the values, times the number of arrays that have changed and stand in one another.
 *
 * @param before The earlier value.
 * @param after The later one; it is changed.
 * @returns The earlier value if both are equal, with the order of members, else the later one.
 */
export function share(before: Json, after: Json, depth: number = 0): Json {
  if (Object.is(before, after)) return before;
  if (!isContainer(before) || !isContainer(after)) return after;
  if (depth > MAX_LEVELS) return areEqual(before, after) ? before : after;
  if (Array.isArray(before)) return Array.isArray(after) ? shareElements(before, after, depth + 1) : after;
  return Array.isArray(after) ? after : shareMembers(before, after, depth + 1);
}

type Members = { [name: string]: Json };

function shareMembers(before: Members, after: Members, depth: number): Json {
  const names = Object.keys(after);
  const earlier = Object.keys(before);
  let isSame = names.length === earlier.length;
  names.forEach((name, index) => {
    if (earlier[index] !== name) isSame = false;
    if (!Object.hasOwn(before, name)) return void (isSame = false);
    const part = share(before[name], after[name], depth);
    after[name] = part; // its own member, also if that is `__proto__`
    if (!Object.is(part, before[name])) isSame = false;
  });
  return isSame ? before : after;
}

function shareElements(before: readonly Json[], after: Json[], depth: number): Json {
  const common = Math.min(before.length, after.length);
  let start = 0;
  while (start < common && areEqual(before[start], after[start])) {
    after[start] = before[start];
    start++;
  }
  if (start === before.length && start === after.length) return before as Json[];
  let behind = 0;
  while (behind < common - start && areEqual(before.at(-1 - behind)!, after.at(-1 - behind)!)) {
    behind++;
    after[after.length - behind] = before[before.length - behind];
  }
  // What is between may have moved.
  const [last, lastAfter] = [before.length - behind, after.length - behind];
  const byText = new Map<string | undefined, Json>();
  if (lastAfter > start && last - start + lastAfter - start > 2) { // one alone has not moved
    for (const part of before.slice(start, last)) if (isContainer(part)) byText.set(textOf(part), part);
  }
  for (let index = start; index < lastAfter; index++) {
    const part = after[index];
    if (!isContainer(part)) continue;
    const text = byText.size > 0 ? textOf(part) : undefined;
    const like = text === undefined ? undefined : byText.get(text);
    const moved = like !== undefined && areEqual(like, part) ? like : undefined; // 5n and "5n", 0 and -0 have one text
    if (index < last && (moved === undefined || areEqual(before[index], part))) {
      after[index] = share(before[index], part, depth);
    } else if (moved !== undefined) after[index] = moved;
  }
  return after;
}

/** Whether two values are equal, with the order of members. No value counts as equal to another that is nested too deep. */
function areEqual(a: Json, b: Json, depth: number = 0): boolean {
  if (Object.is(a, b)) return true;
  if (!isContainer(a) || !isContainer(b) || depth > MAX_DEPTH) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length &&
      a.every((part, index) => areEqual(part, b[index], depth + 1));
  }
  if (Array.isArray(b)) return false;
  const names = Object.keys(a);
  const others = Object.keys(b);
  return names.length === others.length &&
    names.every((name, index) => others[index] === name && areEqual(a[name], b[name], depth + 1));
}

/** The same text for equal values; none for one that is nested too deep. */
function textOf(value: Json): string | undefined {
  try {
    return JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}n` : part);
  } catch {
    return undefined; // the stack is too short for it
  }
}

function isContainer(value: Json): value is Json[] | Members {
  return typeof value === "object" && value !== null;
}
