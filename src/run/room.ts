/**
 * Room: how much goes into one request.
 *
 * @module
 */

import type { Group, Op } from "../data/op.ts";

/** Some servers take no more than 3,999 arguments in a request (ElastiCache Serverless). */
const MAX_TOKENS = 3000;
/** A larger request is no faster, holds the server for longer, and does not fit into one string at some size. */
const MAX_LENGTH = 1024 * 1024;
/** What a call takes of a request. */
export class Room {
  #tokens: number = 1;
  /** Characters of JSON text. */
  #length: number = 0;

  /** What a group takes. */
  constructor(group: Group) {
    for (const op of group) {
      this.#tokens += op.path.length + 9;
      this.#length += lengthOf(op);
    }
  }

  /** Adds what another one takes. */
  add(other: Room): void {
    this.#tokens += other.#tokens;
    this.#length += other.#length;
  }

  /** Whether there is room for another one. */
  fits(other: Room): boolean {
    return this.#tokens + other.#tokens <= MAX_TOKENS && this.#length + other.#length <= MAX_LENGTH;
  }
}

/** How many characters of values an op sends. */
function lengthOf(op: Op): number {
  if ("items" in op) return op.items.reduce((sum, item) => sum + item.length, 0);
  if ("text" in op) return op.text.length;
  return "value" in op && typeof op.value === "string" ? op.value.length : 0;
}
