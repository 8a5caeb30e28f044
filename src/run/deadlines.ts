/**
 * Deadlines: one timer for all calls that may take the same time.
 *
 * @module
 */

import { MAX_TIMEOUT } from "./option.ts";
import { type Entry, Roster } from "./roster.ts";

/** So many turns of microtasks after a call the next one may begin. A new timer takes Deno longer than all of them. */
const REST = 16;

/** What has a deadline. */
export interface Timed {
  /** When its time is over, by `performance.now()`. */
  readonly endsAt: number;
  /** Its time is over; it is not waited for any longer. */
  timeout(): void;
}

/** The deadlines of calls that may take the same time: they end in the order in which they began. */
export class Deadlines {
  readonly #timed: Roster<Timed> = new Roster();
  /** For the first deadline, or for an earlier one. None where nothing waits: it would keep a program alive. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether nothing waits, and the timer is there for what may come at once. */
  #isResting: boolean = false;

  /** Waits for a deadline that is not before any of those that wait. */
  add(timed: Timed): Entry<Timed> {
    if (this.#timed.isEmpty) this.#timer ??= this.#wait(timed);
    return this.#timed.add(timed);
  }

  /** Waits for it no longer. */
  remove(entry: Entry<Timed>): void {
    this.#timed.remove(entry);
    if (this.#timed.isEmpty && !this.#isResting) this.#rest();
  }

  /** Ends the timer, if nobody comes in this turn of the event loop: where calls are awaited the next one does. */
  async #rest(): Promise<void> {
    this.#isResting = true;
    for (let turn = 0; turn < REST && this.#timed.isEmpty; turn++) await undefined;
    this.#isResting = false;
    if (!this.#timed.isEmpty) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait({ endsAt }: Timed): ReturnType<typeof setTimeout> {
    const ms = Math.ceil(endsAt - performance.now());
    return setTimeout(this.#end, Math.min(Math.max(0, ms), MAX_TIMEOUT)); // rounded up, it may be one too many
  }

  readonly #end = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    try {
      for (let first = this.#timed.first; first && first.endsAt <= now; first = this.#timed.first) {
        this.#timed.shift();
        first.timeout();
      }
    } finally {
      // Also where one of them has thrown: no call may be left without a deadline.
      if (this.#timed.first) this.#timer ??= this.#wait(this.#timed.first);
    }
  };
}
