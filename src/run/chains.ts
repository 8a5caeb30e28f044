/**
 * Chains: which groups of one call build on which others.
 *
 * @module
 */

import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { isGuard, isIndex, relate } from "./relation.ts";

/** Groups that build on one another; the last one builds on all others. */
interface Chain {
  readonly ops: Op[];
  last: number;
}

/** The groups of one call, each with those before it on which it builds. */
export class Chains {
  /** The chains that have to do with a key, and those with a member of its value, by what they have to do with. */
  readonly #index: Map<string, Set<Chain>> = new Map();

  /**
   * Adds a group.
   *
   * @param number Its place in the call.
   * @param group Its ops.
   * @param isFirm Whether it is refused only for good; what comes behind it need not wait for it then.
   * @returns The places of the groups that must be applied, if it is to be.
   */
  add(number: number, group: Group, isFirm: boolean): readonly number[] {
    const links = [...this.#near(group)].filter(({ ops }) => {
      // The latest first: where each group builds on the one before it, that is found at once.
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

  /** The chains that may have to do with the places of a group. */
  #near(group: Group): Set<Chain> {
    const near = new Set<Chain>();
    for (const { path } of group) {
      const [key, name] = scopeOf(path);
      for (const chain of this.#index.get(name ?? `${key} all`) ?? []) near.add(chain);
      // What has to do with the whole value has to do with each member.
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

/** The key of a path, and the member of its value that the path leads into, if it is certain to be one. */
function scopeOf([key, name]: Path): [key: string, name?: string] {
  const text = JSON.stringify(key);
  return name === undefined || isIndex(name) ? [text] : [text, `${text} ${JSON.stringify(name)}`];
}

/** Whether two ops in another order could do, or see, something else. */
function interfere(a: Op, b: Op): boolean {
  if (isGuard(a) && isGuard(b)) return false;
  return mayReach(a, b.path) || mayReach(b, a.path);
}

/** Whether what an op is about contains a place, or its change moves it. */
function mayReach(op: Op, place: Path): boolean {
  // The type of a value, and that it is there, do not change with what is in it.
  if (op.path.length < place.length && (op.kind === "type" || op.kind === "exists")) return false;
  return op.path.length <= place.length && relate(op, place) !== "apart";
}
