/**
 * Deadlines: one timer for all calls that may take the same time.
 *
 * @module
 */

import { type Entry, Roster } from "./roster.ts";

/** What has a deadline. */
export interface Timed {
  /** When its time is over, by `performance.now()`. */
  readonly endsAt: number;
  /** Its time is over. It must leave then. */
  timeout(): void;
}

/** The deadlines of calls that may take the same time: they end in the order in which they began. */
export class Deadlines {
  readonly #timed: Roster<Timed> = new Roster();
  /** Set for the first deadline, or for an earlier one; none where nothing is under way, for it would keep a program alive. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Waits for a deadline that is not before any of those that wait. It must leave. */
  add(timed: Timed): Entry<Timed> {
    this.#timer ??= this.#wait(timed);
    return this.#timed.add(timed);
  }

  /** Waits for it no longer. */
  remove(entry: Entry<Timed>): void {
    this.#timed.remove(entry);
    if (!this.#timed.isEmpty) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait({ endsAt }: Timed): ReturnType<typeof setTimeout> {
    return setTimeout(this.#end, Math.max(0, Math.ceil(endsAt - performance.now())));
  }

  readonly #end = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const timed of this.#timed.all()) {
      if (timed.endsAt > now) break;
      timed.timeout();
    }
    const next = this.#timed.first;
    if (next !== undefined) this.#timer ??= this.#wait(next);
  };
}
