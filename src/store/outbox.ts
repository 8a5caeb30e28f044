/**
 * Outboxes: the bursts of one live document that are under way, and the error of the first that failed.
 *
 * @module
 */

import type { Line } from "../run/sitting.ts";

/** The bursts of one live document. It knows nothing of the document, which may be dropped meanwhile. */
export class Outbox {
  /** No burst behind a failed one is applied. */
  readonly line: Line = { isBroken: false };
  /** What is under way: writes, which resolve with nothing, and waits, which do so with why they failed. */
  readonly #underWay: Set<Promise<{ readonly reason: unknown } | void>> = new Set();
  #failure: { readonly reason: unknown } | undefined;
  #isReported: boolean = false;
  /** Whether nobody holds the document any more. */
  #isDropped: boolean = false;
  /** How many callers wait for the failure. */
  #asking: number = 0;

  /** The error of the first burst that failed. */
  get failure(): { readonly reason: unknown } | undefined {
    return this.#failure;
  }

  /** Whether its failure was reported. */
  get isReported(): boolean {
    return this.#isReported;
  }

  /** Whether there is nothing to wait for, and nothing to report. */
  get isQuiet(): boolean {
    return this.#underWay.size === 0 && (this.#failure === undefined || this.#isReported);
  }

  /** Follows a burst. Resolves when it is settled, however it ends. */
  follow(write: Promise<void>): Promise<unknown> {
    return this.#await(write.catch((reason) => this.#fail(reason)));
  }

  /** Lets those who ask meanwhile wait for something more. If it fails, only they are told. */
  wait(something: Promise<void>): Promise<unknown> {
    return this.#await(something.catch((reason) => ({ reason })));
  }

  #await(something: Promise<{ readonly reason: unknown } | void>): Promise<unknown> {
    const awaited: typeof something = something.then((end) => {
      this.#underWay.delete(awaited);
      return end;
    });
    this.#underWay.add(awaited);
    return awaited;
  }

  /** Waits for what is under way. Returns the failure, if it was not reported yet. */
  async ask(): Promise<{ readonly reason: unknown } | undefined> {
    this.#asking++;
    const ends = await Promise.all(this.#underWay);
    this.#asking--;
    return this.take() ?? (ends.find((end) => end !== undefined) || undefined);
  }

  /** The failure, if it was not reported yet. From here on it counts as reported. */
  take(): { readonly reason: unknown } | undefined {
    if (this.#failure === undefined || this.#isReported) return undefined;
    this.#isReported = true;
    return this.#failure;
  }

  /** The document was dropped, so nobody can ask for a failure: one that was not reported is an unhandled rejection. */
  drop(): void {
    this.#isDropped = true;
    this.#surface();
  }

  #fail(reason: unknown): void {
    this.line.isBroken = true;
    this.#failure ??= { reason };
    if (this.#isDropped) this.#surface();
  }

  #surface(): void {
    if (this.#asking > 0) return;
    const failure = this.take();
    if (failure) Promise.reject(failure.reason);
  }
}
