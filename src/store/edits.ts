/**
 * Edits: the places that they take in what is sent behind all that was issued earlier on their keys.
 *
 * @module
 */

import type { Outcome } from "../call/answer.ts";
import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import type { Cancellation } from "../run/cancellation.ts";
import { NoAnswer } from "../run/failure.ts";
import type { Lanes, Part } from "../run/lanes.ts";
import type { Seat } from "../run/seat.ts";

/** Longer texts are compared by their SHA-1. */
const MAX_GUARD_LENGTH = 128;

/** The edits of one dictionary that have a place. */
export class Edits {
  readonly #lanes: Lanes;
  readonly #parts: Map<number, Part> = new Map();
  #next = 0;

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** Takes a place on some keys. Returns the number of the edit. */
  join(keys: readonly string[], places: readonly Path[], timeout: number | undefined): number {
    const edit = this.#next++;
    this.#parts.set(edit, this.#lanes.join(keys, places, timeout));
    return edit;
  }

  /** Which of some keys an edit has not taken yet, and all that it would have with them. */
  lateOf(edit: number, keys: readonly string[]): { readonly late: string[]; readonly all: string[] } {
    const part = this.#parts.get(edit)!;
    const late = keys.filter((key) => !part.keys.includes(key));
    return { late, all: [...part.keys, ...late] };
  }

  /**
   * Takes more keys for an edit. It must not wait for one place while it holds another, so where it would have to, it
   * gives up all of them and queues again. Returns whether it still has its turn.
   */
  extend(
    edit: number,
    late: readonly string[],
    places: readonly Path[],
    timeout: number | undefined,
  ): boolean {
    const part = this.#parts.get(edit)!;
    const all = [...part.keys, ...late];
    if (part.extend(late)) return true;
    part.seat.leave();
    this.#parts.set(edit, this.#lanes.join(all, places, timeout));
    return false;
  }

  /** Waits for the turn of an edit, and reads what is at its places. */
  look(edit: number, places: readonly Path[]): ReturnType<Seat["look"]> {
    return this.#parts.get(edit)!.seat.look(places);
  }

  /** Applies a group of an edit. */
  async commit(edit: number, group: Group, cancellation: Cancellation | undefined): Promise<Outcome> {
    const { seat } = this.#parts.get(edit)!;
    const shortened = await shorten(group);
    if (cancellation?.isCancelled) throw new NoAnswer(false, false);
    return await seat.commit(shortened, cancellation);
  }

  /** Gives up the place of an edit. */
  leave(edit: number): void {
    this.#parts.get(edit)?.seat.leave();
    this.#parts.delete(edit);
  }
}

/** Guards of long texts by their SHA-1 instead. */
export async function shorten(group: Group): Promise<Group> {
  const isLong = (op: Op): boolean => op.kind === "test" && op.value.length > MAX_GUARD_LENGTH;
  if (!group.some(isLong)) return group;
  return Object.freeze(
    await Promise.all(group.map(async (op) => {
      if (op.kind !== "test" || op.by !== "bytes" || !isLong(op)) return op;
      const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(op.value));
      const value = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return Object.freeze({ ...op, value, by: "sha1" as const });
    })),
  );
}
