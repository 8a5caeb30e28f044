/**
 * Identity: whether a part of another value is still the part that somebody holds.
 *
 * Nobody tells what was done to a value, only what it is now. A name in an object says what is meant; an index in an
 * array does not.
 *
 * @module
 */

import type { Json } from "../data/json.ts";
import type { Segment } from "../data/path.ts";

type Container = Json[] | { [name: string]: Json };

/**
 * Which objects and arrays of a value stay what they are in a later one, in their place. Equal parts of the two are
 * identical, as `share` leaves them.
 *
 * A member of an object stays what it is, whatever changes in it, as long as it is an object, or an array. An element
 * of an array does so only if it is equal; or else if neither of the two stood elsewhere in the array, and most of what
 * they hold is equal. What only the later one has does not count, nor do objects and arrays in both.
 *
 * @param before The earlier value.
 * @param after The later one.
 * @returns Tells whether a part of the earlier value stays what it is.
 */
export function staysFrom(before: Json, after: Json): (segment: Segment) => boolean {
  if (kindOf(before) === undefined || kindOf(before) !== kindOf(after)) return () => false;
  const [earlier, later] = [before as Record<Segment, Json>, after as Record<Segment, Json>];
  const isSameKind = (segment: Segment): boolean => {
    const kind = Object.hasOwn(earlier, segment) ? kindOf(earlier[segment]) : undefined;
    return kind !== undefined && Object.hasOwn(later, segment) && kind === kindOf(later[segment]);
  };
  if (!Array.isArray(before)) return isSameKind;
  let elements: { readonly earlier: ReadonlySet<Json>; readonly later: ReadonlySet<Json> } | undefined;
  return (segment) => {
    if (!isSameKind(segment)) return false;
    const [element, other] = [earlier[segment], later[segment]];
    if (element === other) return true;
    elements ??= { earlier: new Set(before), later: new Set(after as Json[]) };
    if (elements.earlier.has(other) || elements.later.has(element)) return false; // one of them has moved
    return isMostlySame(element as Container, other as Container);
  };
}

function isMostlySame(element: Container, other: Container): boolean {
  const [before, after] = [element as Record<string, Json>, other as Record<string, Json>];
  let same = 0;
  for (const name of Object.keys(before)) {
    const [part, later] = [before[name], Object.hasOwn(after, name) ? after[name] : undefined];
    if (Object.is(part, later)) same++;
    else if (later === undefined || kindOf(part) === undefined || kindOf(part) !== kindOf(later)) same--;
  }
  return same > 0;
}

function kindOf(value: Json): "array" | "object" | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return Array.isArray(value) ? "array" : "object";
}
