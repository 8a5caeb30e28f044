/**
 * Moments: how long what was read may stand for what is there.
 *
 * One operation of the language, such as spread, comes as many calls of traps. What its first one has read answers the
 * others, so that it is one fetch, and shows one moment. A moment ends with the next change, whoever of this thread
 * makes it.
 *
 * @module
 */

import type { Json } from "../data/json.ts";

/** How many changes this thread has begun, through whatever facade. */
let changes = 0;

/** A change begins: what was read before it is over. */
export function countChange(): void {
  changes++;
}

/** How often this thread went on to something else. */
let turns = 0;
let isCounting = false;

/** The turn in which this is called. One callback for all: a program that waits may never let it run. */
function currentTurn(): number {
  if (!isCounting) {
    isCounting = true;
    queueMicrotask(() => {
      isCounting = false;
      turns++;
    });
  }
  return turns;
}

/** For how long the engine may be between two traps of one operation, in milliseconds. */
const PAUSE = 1;

/** The time in which the engine calls the traps of one operation, one right after the other. */
export class Operation {
  readonly #changes: number = changes;
  readonly #turn: number = currentTurn();
  #last: number = performance.now();

  /** Whether nothing was changed since it began, and the program has not gone on to something else. */
  get holds(): boolean {
    return this.#changes === changes && this.#turn === turns;
  }

  /** Whether it holds, and this comes right after the last time that it was asked for. */
  goesOn(): boolean {
    const now = performance.now();
    const isLate = now - this.#last > PAUSE;
    this.#last = now;
    return this.holds && !isLate;
  }
}

/** What is seen at one place, and when. */
export interface Glimpsed {
  glimpse: { readonly value: Json; readonly moment: Moment } | undefined;
}

/** The time of one call of an Array method, in which its callbacks see what the method has read. */
export class Moment {
  readonly #changes: number = changes;
  readonly #places: Glimpsed[] = [];
  #isOver: boolean = false;

  /** Whether what was read in it still counts. */
  get holds(): boolean {
    return !this.#isOver && this.#changes === changes;
  }

  /** Shows at a place what was read. */
  glimpse(place: Glimpsed, value: Json): void {
    place.glimpse = { value, moment: this };
    this.#places.push(place);
  }

  /** Ends it. */
  end(): void {
    this.#isOver = true;
    for (const place of this.#places) if (place.glimpse?.moment === this) place.glimpse = undefined;
  }
}

/**
 * One walk of the engine over the members of an object: their names, then for each its descriptor, and for spread,
 * `Object.entries` and the like its value.
 *
 * A program may call the same traps in the same order by itself, so a walk lasts only while they follow each other at
 * once. Whoever is late, or asks for something else, reads afresh.
 */
export class Walk {
  /** What is walked over. */
  readonly names: readonly string[];
  readonly #operation: Operation = new Operation();
  /** How many names were described. */
  #described: number = 0;
  /** How many values were read. */
  #read: number = 0;
  #isLoop: boolean = false;

  /** @param names The names in their order. */
  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** It is one of `for in`: between its names the program runs, and what it reads there it reads by itself. */
  loop(): void {
    this.#isLoop = true;
  }

  /** The engine asks for a descriptor. Returns whether the walk answers. */
  describe(name: string): boolean {
    if (this.names[this.#described] !== name || !this.#operation.goesOn()) return false;
    this.#described++;
    return true;
  }

  /**
   * The engine asks for a value.
   *
   * @returns `"read"` if what was read answers, `"late"` if it must be read once more for this name and those that follow;
   * nothing if it is not the walk that asks, or something was changed since it began.
   */
  read(name: string): "read" | "late" | undefined {
    const isNext = this.names[this.#described - 1] === name && this.#read === this.#described - 1;
    if (!isNext || this.#isLoop || !this.#operation.holds) return undefined;
    this.#read++;
    return this.#operation.goesOn() ? "read" : "late";
  }
}
