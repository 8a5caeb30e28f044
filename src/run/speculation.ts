/**
 * Speculation: what the places that edits read will look like once the changes before them are applied.
 *
 * Edits that wait for one key are computed one after the other without waiting for answers. What each of them sees is
 * what the ones before it leave, as the server would write it. If others change the value meanwhile, the guards of an
 * edit fail on the server, so a wrong guess costs time and never data.
 *
 * @module
 */

import type { Refusal } from "../call/answer.ts";
import type { Group, Op } from "../data/op.ts";
import type { Path, Segment } from "../data/path.ts";
import { Replica } from "../replica/replica.ts";

/** What is at some places. */
export interface View {
  /** For each place its text, or why there is none. */
  readonly answers: readonly (string | Refusal)[];
  /** Whether the server said so, at one moment after the question; else it is a guess. */
  readonly isCertain: boolean;
}

/** One place: its text is in the replica, under its id, unless there is a refusal. */
interface Place {
  readonly id: string;
  readonly path: Path;
  readonly refusal: Refusal | undefined;
}

/** Guards change nothing. */
const GUARDS: ReadonlySet<Op["kind"]> = new Set(["test", "type", "length", "keys", "exists", "absent"]);
/** Ops that move the elements behind the one that they are about. */
const SHIFTS: ReadonlySet<Op["kind"]> = new Set(["add", "delete", "take"]);

/** The places that edits of some keys read. */
export class Speculation {
  readonly #replica: Replica = new Replica();
  /** The places of which something is known, by id. */
  readonly #places: Map<string, Place> = new Map();
  #isCertain: boolean = true;

  /** Takes what the server has at some places, all of the same moment, and forgets all others. */
  take(places: readonly Path[], answers: readonly (string | Refusal)[]): void {
    this.#places.clear();
    this.#isCertain = true;
    places.forEach((path, index) => {
      const id = idOf(path);
      const answer = answers[index];
      const isText = typeof answer === "string";
      const isMissing = !isText && answer.code === "NO_KEY" && path.length === 1;
      if (isText || isMissing) this.#replica.put(id, isText ? answer : null);
      this.#places.set(id, { id, path, refusal: isText || isMissing ? undefined : answer });
    });
  }

  /** What is at some places; nothing if one of them is not known. */
  view(places: readonly Path[]): View | undefined {
    const answers: (string | Refusal)[] = [];
    for (const path of places) {
      const place = this.#places.get(idOf(path));
      if (place === undefined) return undefined;
      const answer = place.refusal ?? this.#replica.text(place.id);
      answers.push(answer ?? { code: "NO_KEY", index: 0, segment: 0, found: "" });
    }
    return { answers, isCertain: this.#isCertain };
  }

  /** Does what the server will do with a group. */
  apply(group: Group): void {
    this.#isCertain = false;
    const lost = new Set<string>();
    const inside: Op[] = [];
    for (const op of group) {
      // Whether a key has an expiry, and what a SHA-1 stands for, is not known here, nor does it change a text.
      if (op.kind === "expire" || op.kind === "persist" || op.kind === "test" && op.by === "sha1") continue;
      for (const place of this.#places.values()) {
        const relation = relate(op, place.path);
        if (relation === "inside" && !place.refusal) {
          inside.push({ ...op, path: [place.id, ...op.path.slice(place.path.length)] });
        } else if (relation !== "apart" && !GUARDS.has(op.kind)) {
          lost.add(place.id);
        }
      }
    }
    if (this.#replica.apply(inside) === undefined) this.#places.clear();
    for (const id of lost) this.#places.delete(id);
  }

  /** The server has applied, or refused for good, all groups so far as expected. */
  confirm(): void {
    this.#isCertain = true;
  }

  /** Nothing is known any more. */
  forget(): void {
    this.#places.clear();
  }
}

/** How what an op is about lies to a place: in it; elsewhere; or so that the op could do anything to it. */
function relate(op: Op, place: Path): "inside" | "apart" | "unclear" {
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

function isIndex(segment: Segment): boolean {
  return /^-?\d+$|^-$/.test(String(segment));
}

function isFromEnd(segment: Segment): boolean {
  return /^-\d*$/.test(String(segment));
}

/** A name for a place. */
export function idOf(path: Path): string {
  return JSON.stringify(path);
}

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
  const [isGuardA, isGuardB] = [GUARDS.has(a.kind), GUARDS.has(b.kind)];
  if (isGuardA && isGuardB) return false;
  return mayReach(a, b.path, isGuardA) || mayReach(b, a.path, isGuardB);
}

/** Whether what an op is about contains a place, or its change moves it. */
function mayReach(op: Op, place: Path, isGuard: boolean): boolean {
  // The type of a value, and that it is there, do not change with what is in it.
  if (isGuard && op.path.length < place.length && (op.kind === "type" || op.kind === "exists")) return false;
  return op.path.length <= place.length && relate(op, place) !== "apart";
}
