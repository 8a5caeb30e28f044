/**
 * Outboxes: the bursts of one live document on their way, and what the first that failed has failed with.
 *
 * @module
 */

import type { Line } from "../run/sitting.ts";

/** The bursts of one live document. It knows nothing of the document, which may be dropped meanwhile. */
export class Outbox {
  /** No burst behind a failed one is applied. */
  readonly line: Line = { isBroken: false };
  readonly #underWay: Set<Promise<void>> = new Set();
  #failure: { readonly reason: unknown } | undefined;
  #isTold: boolean = false;
  /** Whether nobody holds the document any more. */
  #isDropped: boolean = false;
  /** How many wait to be told. */
  #asking: number = 0;

  /** What the first burst that failed has failed with. */
  get failure(): { readonly reason: unknown } | undefined {
    return this.#failure;
  }

  /** Whether there is nothing to wait for, and nothing to tell. */
  get isQuiet(): boolean {
    return this.#underWay.size === 0 && (this.#failure === undefined || this.#isTold);
  }

  /** Follows a burst. Resolves when it is settled, however it ends. */
  follow(write: Promise<void>): Promise<void> {
    const followed: Promise<void> = write.catch((reason) => this.#fail(reason)).then(() => {
      this.#underWay.delete(followed);
    });
    this.#underWay.add(followed);
    return followed;
  }

  /** Waits for the bursts that are under way. Returns the failure, if nobody was told of it. */
  async ask(): Promise<{ readonly reason: unknown } | undefined> {
    this.#asking++;
    await Promise.all(this.#underWay);
    this.#asking--;
    return this.take();
  }

  /** The failure, if nobody was told of it. From here on it counts as told. */
  take(): { readonly reason: unknown } | undefined {
    if (this.#failure === undefined || this.#isTold) return undefined;
    this.#isTold = true;
    return this.#failure;
  }

  /** The document was dropped, so nobody can ask it: what nobody was told of is an unhandled rejection. */
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
