/**
 * Reads: what a recipe has read of one object or array, and the guards that follow.
 *
 * @module
 */

import type { Fragment } from "../data/fragment.ts";
import type { Op } from "../data/op.ts";
import type { Path, Segment } from "../data/path.ts";

/** More guards than this below one value become one guard of the whole value. */
const MAX_GUARDS = 32;

/** Guards of one object or array. */
interface Guards {
  readonly ops: readonly Op[];
  /** Whether any change in it would fail a guard. */
  readonly isFull: boolean;
}

/** What was read of an object or an array, in the places it had when it was fetched. */
export class Reads {
  readonly #fragment: Fragment;
  readonly #path: Path;
  readonly #isArray: boolean;
  /** All of it: its text was copied elsewhere. */
  #whole: boolean = false;
  /** Its length, or the names of its members. */
  #shape: boolean = false;
  /** Scalars whose value was read. */
  readonly #values: Set<Segment> = new Set();
  /** Objects and arrays that were entered, with what was read of them. */
  readonly #entered: Map<Segment, Reads> = new Map();
  /** Members and elements that were only asked for. */
  readonly #present: Set<Segment> = new Set();
  /** Members and elements that were not there. */
  readonly #absent: Set<Segment> = new Set();
  /** Whether some op already requires that it is an object, or an array. */
  #isImplied: boolean = false;

  /**
   * @param fragment The object or array, as it was fetched.
   * @param path Where it was then.
   */
  constructor(fragment: Fragment, path: Path) {
    this.#fragment = fragment;
    this.#path = path;
    this.#isArray = Array.isArray(fragment.value);
  }

  /** All of it was read. */
  seeAll(): void {
    this.#whole = true;
  }

  /** Its length, or the names of its members, were read. */
  seeShape(): void {
    this.#shape = true;
  }

  /** A part was read; `below` is what is read of it from now on, if it is an object or an array. */
  seeValue(segment: Segment, below: Reads | undefined): void {
    if (below) this.#entered.set(segment, below);
    else this.#values.add(segment);
  }

  /** It was read that a part is there. */
  seePresence(segment: Segment): void {
    this.#present.add(segment);
  }

  /** It was read that a part is not there. */
  seeNothing(segment: Segment): void {
    this.#absent.add(segment);
  }

  /** Notes that some op requires that it is an object, or an array, so no guard has to. */
  imply(): void {
    this.#isImplied = true;
  }

  /** The guards for all that was read here. */
  guards(): Guards {
    const path = this.#path;
    const fragment = this.#fragment;
    const whole: Op = { kind: "test", path, value: fragment.text, by: "bytes" };
    // case: a name occurs twice. The recipe has read the last member, the server finds the first.
    if (this.#whole || this.#hasReadTwin()) return { ops: [whole], isFull: true };
    const ops: Op[] = [];
    let full = this.#values.size;
    const at = (segment: Segment): Path => [...path, segment];
    for (const segment of this.#values) {
      ops.push({ kind: "test", path: at(segment), value: fragment.child(segment).text, by: "bytes" });
    }
    for (const below of this.#entered.values()) {
      const guards = below.guards();
      for (const op of guards.ops) ops.push(op);
      if (guards.isFull) full++;
    }
    if (!this.#shape) {
      for (const segment of this.#present) {
        if (!this.#isRead(segment)) ops.push({ kind: "exists", path: at(segment) });
      }
    }
    const isFull = this.#shape && full === fragment.size;
    if (isFull || ops.length + this.#absent.size > MAX_GUARDS) return { ops: [whole], isFull: true };
    // A guard below a name that is no index is proof enough of an object here.
    const isProven = this.#isImplied || ops.some((op) => isName(op.path[path.length]));
    if (this.#shape) {
      ops.push(
        this.#isArray
          ? { kind: "length", path, value: fragment.size }
          : { kind: "keys", path, value: fragment.names },
      );
      return { ops, isFull };
    }
    for (const segment of this.#absent) ops.push({ kind: "absent", path: at(segment) });
    if (!isProven) ops.push({ kind: "type", path, value: this.#isArray ? "array" : "object" });
    return { ops, isFull };
  }

  #isRead(segment: Segment): boolean {
    return this.#values.has(segment) || this.#entered.has(segment);
  }

  #hasReadTwin(): boolean {
    return [...this.#fragment.twins].some((name) => this.#isRead(name));
  }
}

/** Whether only an object has such a part. */
export function isName(segment: Segment | undefined): boolean {
  return typeof segment === "string" && !/^-?\d+$/.test(segment);
}
