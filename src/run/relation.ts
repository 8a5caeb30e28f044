/**
 * Relations: what an op can have to do with a place.
 *
 * @module
 */

import type { Op } from "../data/op.ts";
import type { Path, Segment } from "../data/path.ts";

/** Guards change nothing. */
const GUARDS: ReadonlySet<Op["kind"]> = new Set([
  "test",
  "type",
  "length",
  "keys",
  "exists",
  "absent",
  "pick",
]);
/** Ops that move the elements behind the one that they are about. */
const SHIFTS: ReadonlySet<Op["kind"]> = new Set(["add", "delete", "take"]);

/** Whether an op only looks. */
export function isGuard(op: Op): boolean {
  return GUARDS.has(op.kind);
}

/** How what an op is about lies to a place: in it; elsewhere; or so that the op could do anything to it. */
export function relate(op: Op, place: Path): "inside" | "apart" | "unclear" {
  const { path } = op;
  const common = Math.min(path.length, place.length);
  for (let index = 0; index < common; index++) {
    if (isSame(path[index], place[index])) continue;
    // A place in an array that is counted from the end, or behind an element that comes or goes.
    const isLast = index === path.length - 1;
    const mayShift = isLast && SHIFTS.has(op.kind) && isIndex(path[index]) && isIndex(place[index]);
    return mayShift || isFromEnd(path[index]) || isFromEnd(place[index]) ? "unclear" : "apart";
  }
  if (path.length < place.length) return "unclear";
  // What a part of a value is replaced by may not be its last word: it may come before an element.
  const isRoot = path.length === place.length && place.length > 1;
  return isRoot && SHIFTS.has(op.kind) ? "unclear" : "inside";
}

/** Whether an object or an array takes two segments for the same. */
function isSame(a: Segment, b: Segment): boolean {
  return a === b || String(a) === String(b);
}

/** Whether a segment may be the index of an element. */
export function isIndex(segment: Segment): boolean {
  return /^-?\d+$|^-$/.test(String(segment));
}

function isFromEnd(segment: Segment): boolean {
  return /^-\d*$/.test(String(segment));
}
