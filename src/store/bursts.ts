/**
 * Bursts: the changes of live documents, which leave together, and the writes that come of them.
 *
 * @module
 */

/** The bursts of one dictionary. */
export class Bursts {
  /** Sends what live documents hold back until the end of the turn. */
  readonly #held: Set<() => void> = new Set();
  /** The writes that are under way, or have failed and nobody was told, with their owner. */
  readonly #writes: Map<Promise<void>, object> = new Map();

  /** Holds a burst of changes back until the end of the turn, or until the next use of the dictionary. */
  hold(send: () => void): void {
    if (this.#held.size === 0) queueMicrotask(() => this.send());
    this.#held.add(send);
  }

  /** Sends what is held back. */
  send(): void {
    if (this.#held.size === 0) return;
    const bursts = [...this.#held];
    this.#held.clear(); // each of them will use the dictionary
    for (const send of bursts) send();
  }

  /** Follows a write that nobody awaits. If it fails and `settled` is not asked, the rejection is unhandled. */
  follow(write: Promise<void>, owner: object): void {
    const followed: Promise<void> = write.then(() => {
      this.#writes.delete(followed);
    });
    this.#writes.set(followed, owner);
  }

  /**
   * Waits for the writes that are followed: all of them, or those of one owner.
   *
   * @throws The first failure that nobody was told of.
   */
  async settled(owner?: object): Promise<void> {
    this.send();
    let failure: { readonly reason: unknown } | undefined;
    while (true) {
      const writes = [...this.#writes].filter(([, whose]) => owner === undefined || whose === owner);
      if (writes.length === 0) break;
      const results = await Promise.allSettled(writes.map(([write]) => write));
      results.forEach((result, index) => {
        this.#writes.delete(writes[index][0]);
        if (result.status === "rejected") failure ??= { reason: result.reason };
      });
    }
    if (failure) throw failure.reason;
  }
}
