/**
 * Seats: how edits take part in a batch. An edit must read before it knows its group, so the batch asks it only when the
 * groups before it are known.
 *
 * @module
 */

import type { Outcome } from "../call/answer.ts";
import type { Group } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import type { Cancellation } from "./cancellation.ts";
import { Deferred } from "./deferred.ts";
import { NoAnswer } from "./failure.ts";
import type { View } from "./speculation.ts";

/** The decision of an edit that has seen its view: send a group; look again, perhaps at other paths; or leave. */
export type Decision = { readonly group: Group } | "again" | "left";

/** The place of an edit in a batch. The edit looks, decides, and looks again if its group was refused. */
export class Seat {
  #places: readonly Path[];
  #isLeft: boolean = false;
  readonly #left: Deferred<void> = new Deferred();
  #cancellation: Cancellation | undefined;
  #view: Deferred<View> = new Deferred();
  #outcome: Deferred<Outcome> = new Deferred();
  #decide: ((decision: Decision) => void) | undefined;

  /** How long what is done for the edit may take, in milliseconds; the time of the dictionary when left out. */
  readonly timeout: number | undefined;

  /**
   * A place for an edit.
   *
   * @param places The paths that the edit reads.
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
   * @param places The paths that it reads from now on.
   * @returns What is at these paths.
   */
  look(places: readonly Path[] = this.#places): Promise<View> {
    this.#places = places;
    this.#settle("again");
    return this.#view.promise;
  }

  /**
   * Sends a group, together with others of the batch.
   *
   * @returns The outcome. If the group was refused, the edit may look again.
   */
  commit(group: Group, cancellation?: Cancellation): Promise<Outcome> {
    this.#cancellation = cancellation;
    const { promise } = this.#outcome = new Deferred();
    this.#settle({ group });
    return promise;
  }

  /** Takes the edit out of the batch. */
  leave(): void {
    this.#setLeft();
    this.#view.reject(new NoAnswer(false, false)); // nobody shows it a view any more
    this.#settle("left");
  }

  // ---- For the batch ----

  /** The paths that the edit reads. */
  get places(): readonly Path[] {
    return this.#places;
  }

  /** What may end the group before its answer. */
  get cancellation(): Cancellation | undefined {
    return this.#cancellation;
  }

  /** Whether the edit has left, or has failed. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** Resolves when the edit leaves, or fails. */
  get left(): Promise<void> {
    return this.#left.promise;
  }

  /** Shows the edit its view, and waits for its decision. */
  ask(view: View): Promise<Decision> {
    return new Promise((resolve) => {
      this.#decide = resolve;
      const { resolve: show } = this.#view;
      this.#view = new Deferred();
      show(view);
      if (this.#isLeft) this.#settle("left");
    });
  }

  /** Reports the outcome of the group. */
  answer(outcome: Outcome): void {
    this.#outcome.resolve(outcome);
  }

  /** Reports a failure: of the group, or of the view. The edit takes no part any more. */
  fail(error: unknown): void {
    this.#setLeft();
    this.#outcome.reject(error);
    this.#view.reject(error);
  }

  #setLeft(): void {
    this.#isLeft = true;
    this.#left.resolve();
  }

  #settle(decision: Decision): void {
    const decide = this.#decide;
    this.#decide = undefined;
    decide?.(decision);
  }
}
