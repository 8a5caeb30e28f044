/**
 * Seats: where edits take part in a batch. An edit cannot say what it sends before it has seen what is there, so it is
 * asked when those before it have said what they send.
 *
 * @module
 */

import type { Outcome } from "../call/answer.ts";
import type { Group } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import type { Cancellation } from "./cancellation.ts";
import type { View } from "./speculation.ts";

/** What an edit wants that has seen its places: send a group; see other places; or nothing more. */
export type Decision = { readonly group: Group } | "again" | "left";

/** The place of an edit in a batch. The edit looks, decides, and looks again if it was refused. */
export class Seat {
  #places: readonly Path[];
  #isLeft: boolean = false;
  #cancellation: Cancellation | undefined;
  #view: PromiseWithResolvers<View> = newPromise();
  #outcome: PromiseWithResolvers<Outcome> = newPromise();
  #decide: ((decision: Decision) => void) | undefined;

  /** How long what is done for the edit may take, in milliseconds; the time of the dictionary when left out. */
  readonly timeout: number | undefined;

  /**
   * A place for an edit.
   *
   * @param places What the edit looks at.
   * @param timeout How long what is done for it may take, in milliseconds.
   */
  constructor(places: readonly Path[], timeout?: number) {
    this.#places = places;
    this.timeout = timeout;
  }

  // ---- For the edit ----

  /**
   * Waits until it is the turn of the edit.
   *
   * @param places What it looks at from now on.
   * @returns What is there.
   */
  look(places: readonly Path[] = this.#places): Promise<View> {
    this.#places = places;
    this.#settle("again");
    return this.#view.promise;
  }

  /**
   * Sends a group, together with others of the batch.
   *
   * @returns What became of it. If it was refused the edit may look again.
   */
  commit(group: Group, cancellation?: Cancellation): Promise<Outcome> {
    this.#cancellation = cancellation;
    const { promise } = this.#outcome = newPromise();
    this.#settle({ group });
    return promise;
  }

  /** Ends the part of the edit. */
  leave(): void {
    this.#isLeft = true;
    this.#settle("left");
  }

  // ---- For the batch ----

  /** What the edit looks at. */
  get places(): readonly Path[] {
    return this.#places;
  }

  /** What may end the group before its answer. */
  get cancellation(): Cancellation | undefined {
    return this.#cancellation;
  }

  /** Whether the edit is over. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** Shows the edit what is there, and waits for what it wants. */
  ask(view: View): Promise<Decision> {
    return new Promise((resolve) => {
      this.#decide = resolve;
      const { resolve: show } = this.#view;
      this.#view = newPromise();
      show(view);
      if (this.#isLeft) this.#settle("left");
    });
  }

  /** Reports what became of the group. */
  answer(outcome: Outcome): void {
    this.#outcome.resolve(outcome);
  }

  /** Reports a failure: of the group, or of the view. */
  fail(error: unknown): void {
    this.#outcome.reject(error);
    this.#view.reject(error);
  }

  #settle(decision: Decision): void {
    const decide = this.#decide;
    this.#decide = undefined;
    decide?.(decision);
  }
}

/** A promise that may be rejected while nobody listens yet. */
function newPromise<T>(): PromiseWithResolvers<T> {
  const made = Promise.withResolvers<T>();
  made.promise.catch(() => {});
  return made;
}
