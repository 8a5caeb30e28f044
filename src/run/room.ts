/**
 * Room: how much fits into one request.
 *
 * @module
 */

import { APPLY_OPS } from "../call/scripts.gen.ts";
import type { Group, Op } from "../data/op.ts";

/** Some servers accept no more than 3,999 arguments in a request (ElastiCache Serverless). */
const MAX_TOKENS = 3000;
/** A larger request is no faster, blocks the server for longer, and at some size does not fit into one string. */
const MAX_LENGTH = 1024 * 1024;

/** The room that a call takes in a request. */
export class Room {
  #tokens: number;
  /** Characters of JSON text. */
  #length: number = 0;

  /**
   * @param group The first group; empty for none.
   * @param links On how many groups before it it builds.
   */
  constructor(group: Group, links: number = 0) {
    this.#tokens = 1 + 2 * links;
    let key = group[0]?.path[0];
    for (const op of group) {
      this.#tokens += tokensOf(op) + (op.path[0] === key ? 0 : 2);
      this.#length += lengthOf(op);
      key = op.path[0];
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

/** How many tokens an op is, with its modifiers: no less than that, and seldom more. */
function tokensOf(op: Op): number {
  const modifiers = op.kind === "set" || op.kind === "add" ? 3 : op.kind === "push" ? 0 : 1;
  return op.path.length + 1 + APPLY_OPS[op.kind].length + modifiers + ("parents" in op && op.parents ? 1 : 0);
}

/** The length of the values that an op sends, in characters. */
function lengthOf(op: Op): number {
  if ("items" in op) return op.items.reduce((sum, item) => sum + item.length, 0);
  if ("text" in op) return op.text.length;
  return "value" in op && typeof op.value === "string" ? op.value.length : 0;
}
