/**
 * Searches: calls that do something to keys which they have yet to find, as `clear` and `popItem` do.
 *
 * A call that is issued meanwhile comes after the search, and must not wait until it has looked everywhere. So at each
 * key that a later call touches, the search acts at once, ahead of that call, and leaves the key alone afterwards.
 *
 * @module
 */

import { Deferred } from "../run/deferred.ts";

/** One search, from when it is issued until it has looked everywhere. */
export class Search {
  readonly #act: (key: string) => Promise<void>;
  /** The keys at which it has acted. */
  readonly #met: Set<string> = new Set();
  /** What it does ahead of later calls. */
  readonly #acts: Set<Promise<void>> = new Set();
  #failure: { readonly reason: unknown } | undefined;
  /** Resolves when it is over. */
  readonly isOver: Promise<void>;
  /** Ends it. */
  readonly end: () => void;

  /** @param act What it does at a key; it takes its place there before it returns. */
  constructor(act: (key: string) => Promise<void>) {
    this.#act = act;
    ({ promise: this.isOver, resolve: this.end } = new Deferred<void>());
  }

  /** A call that is issued now touches a key: acts there, ahead of it. */
  meet(key: string): void {
    if (!this.claim(key)) return;
    const act: Promise<void> = this.#act(key).catch((reason) => {
      this.#failure ??= { reason };
    }).finally(() => this.#acts.delete(act));
    this.#acts.add(act);
  }

  /** Whether a key is new to it. From now on it is not. */
  claim(key: string): boolean {
    if (this.#met.has(key)) return false;
    this.#met.add(key);
    return true;
  }

  /**
   * Waits for what it does ahead of later calls.
   *
   * @throws What one of these acts failed with.
   */
  async settled(): Promise<void> {
    while (this.#acts.size > 0) await Promise.all(this.#acts);
    if (this.#failure) throw this.#failure.reason;
  }
}
