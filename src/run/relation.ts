/**
 * Relations: how an op and a place may affect each other.
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

/** Whether an op only checks. */
export function isGuard(op: Op): boolean {
  return GUARDS.has(op.kind);
}

/** How the path of an op relates to a place: inside it, apart from it, or unclear: the op may do anything to it. */
export function relate(op: Op, place: Path): "inside" | "apart" | "unclear" {
  const { path } = op;
  const common = Math.min(path.length, place.length);
  for (let index = 0; index < common; index++) {
    if (isSame(path[index], place[index])) continue;
    // An index that counts from the end, or one behind an element that is added or removed.
    const isLast = index === path.length - 1;
    const mayShift = isLast && SHIFTS.has(op.kind) && isIndex(path[index]) && isIndex(place[index]);
    return mayShift || isFromEnd(path[index]) || isFromEnd(place[index]) ? "unclear" : "apart";
  }
  if (path.length < place.length) return "unclear";
  // An op that shifts at the place itself may move another element there.
  const isRoot = path.length === place.length && place.length > 1;
  return isRoot && SHIFTS.has(op.kind) ? "unclear" : "inside";
}

/** Whether two segments mean the same member or element. */
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
