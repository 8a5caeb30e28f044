/**
 * Chains: which groups of one call depend on which others.
 *
 * @module
 */

import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { isGuard, isIndex, relate } from "./relation.ts";

/** Groups that depend on one another; the last one depends on all others. */
interface Chain {
  readonly ops: Op[];
  last: number;
}

/** The groups of one call, each with the earlier groups that it depends on. */
export class Chains {
  /** The chains that touch a scope: a key, one member of its value, or anything in it. */
  readonly #index: Map<string, Set<Chain>> = new Map();

  /**
   * Adds a group.
   *
   * @param number Its index in the call.
   * @param group Its ops.
   * @param isFirm Whether it is final: a refused group is not sent again, so later groups need not depend on it.
   * @returns The indexes of the groups that must be applied for it to be applied.
   */
  add(number: number, group: Group, isFirm: boolean): readonly number[] {
    const links = [...this.#near(group)].filter(({ ops }) => {
      // The latest first: where each group depends on the one before it, that is found at once.
      for (let index = ops.length - 1; index >= 0; index--) {
        if (group.some((op) => interfere(op, ops[index]))) return true;
      }
      return false;
    });
    if (links.length === 0 && isFirm) return [];
    const after = links.map(({ last }) => last);
    const [chain = { ops: [], last: number }, ...others] = links;
    chain.last = number;
    for (const other of others) this.#move(other, chain);
    for (const op of group) this.#put(chain, op);
    return after;
  }

  /** The chains that may interfere with a group. */
  #near(group: Group): Set<Chain> {
    const near = new Set<Chain>();
    for (const { path } of group) {
      const [key, name] = scopeOf(path);
      for (const chain of this.#index.get(name ?? `${key} all`) ?? []) near.add(chain);
      // A chain that touches the whole value touches each member.
      for (const chain of name === undefined ? [] : this.#index.get(key) ?? []) near.add(chain);
    }
    return near;
  }

  #put(chain: Chain, op: Op): void {
    const [key, name] = scopeOf(op.path);
    for (const scope of [name ?? key, `${key} all`]) {
      const chains = this.#index.get(scope);
      if (chains) chains.add(chain);
      else this.#index.set(scope, new Set([chain]));
    }
    chain.ops.push(op);
  }

  #move(from: Chain, to: Chain): void {
    for (const chains of this.#index.values()) if (chains.delete(from)) chains.add(to);
    for (const op of from.ops) to.ops.push(op);
  }
}

/** The scopes of a path: its key, and the member of the value, if the second segment can only be a name. */
function scopeOf([key, name]: Path): [key: string, name?: string] {
  const text = JSON.stringify(key);
  return name === undefined || isIndex(name) ? [text] : [text, `${text} ${JSON.stringify(name)}`];
}

/** Whether the order of two ops may matter. */
function interfere(a: Op, b: Op): boolean {
  if (isGuard(a) && isGuard(b)) return false;
  return mayReach(a, b.path) || mayReach(b, a.path);
}

/** Whether an op may touch or move a place inside the value at its path. */
function mayReach(op: Op, place: Path): boolean {
  // A change inside a value changes neither its type nor that it exists.
  if (op.path.length < place.length && (op.kind === "type" || op.kind === "exists")) return false;
  return op.path.length <= place.length && relate(op, place) !== "apart";
}
