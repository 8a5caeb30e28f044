/**
 * Rosters: who is there, in the order in which they came.
 *
 * @module
 */

/** The place of somebody in a roster. */
export interface Entry<T> {
  /** Who it is. */
  readonly value: T;
  previous: Entry<T> | undefined;
  next: Entry<T> | undefined;
}

/**
 * Who is there, in order; they come and go at each call.
 *
 * A `Set` would say the same. But where its table was replaced, the old one still leads to the new one, so that one old
 * table keeps alive all that came later, until the next full collection of garbage: half of what a call costs the client.
 * Here nothing leads on from who has left.
 */
export class Roster<T> {
  #first: Entry<T> | undefined;
  #last: Entry<T> | undefined;

  /** Who came first of those who are there. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  /** Whether nobody is there. */
  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Adds somebody at the end. */
  add(value: T): Entry<T> {
    const entry: Entry<T> = { value, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    return this.#last = entry;
  }

  /** Removes somebody, if still there. */
  remove(entry: Entry<T>): void {
    const { previous, next } = entry;
    if (previous === undefined && this.#first !== entry) return;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    entry.previous = entry.next = undefined;
  }

  /** Removes who came first. */
  shift(): void {
    if (this.#first !== undefined) this.remove(this.#first);
  }

  /** All who are there now, in the order in which they came. */
  all(): T[] {
    const all: T[] = [];
    for (let entry = this.#first; entry !== undefined; entry = entry.next) all.push(entry.value);
    return all;
  }
}
