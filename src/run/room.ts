/**
 * Room: how much fits into one request.
 *
 * @module
 */

import type { Group, Op } from "../data/op.ts";

/** Some servers accept no more than 3,999 arguments in a request (ElastiCache Serverless). */
const MAX_TOKENS = 3000;
/** A larger request is no faster, blocks the server for longer, and at some size does not fit into one string. */
const MAX_LENGTH = 1024 * 1024;

/** The room that a call takes in a request. */
export class Room {
  #tokens: number = 1;
  /** Characters of JSON text. */
  #length: number = 0;

  /** @param group The first group; empty for none. */
  constructor(group: Group) {
    for (const op of group) {
      this.#tokens += op.path.length + 9;
      this.#length += lengthOf(op);
    }
  }

  /** Adds another one. */
  add(other: Room): void {
    this.#tokens += other.#tokens;
    this.#length += other.#length;
  }

  /** Whether there is room for another one. */
  fits(other: Room): boolean {
    return this.#tokens + other.#tokens <= MAX_TOKENS && this.#length + other.#length <= MAX_LENGTH;
  }
}

/** The length of the values that an op sends, in characters. */
function lengthOf(op: Op): number {
  if ("items" in op) return op.items.reduce((sum, item) => sum + item.length, 0);
  if ("text" in op) return op.text.length;
  return "value" in op && typeof op.value === "string" ? op.value.length : 0;
}
