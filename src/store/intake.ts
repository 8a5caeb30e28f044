/**
 * What a store has taken: the calls that are not settled, what ends with it, and its closing.
 *
 * @module
 */

/** What one dictionary has taken. */
export class Intake {
  /** Ends what goes on until then, such as watches. */
  readonly #ends: Set<() => Promise<void>> = new Set();
  #isClosed = false;
  /** How many calls were taken and are not settled. */
  #taken = 0;
  /** Resolves when the last call that was taken is settled; only while it closes. */
  #onSettled: (() => void) | undefined;

  /** Whether it takes nothing more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes a call: closing waits until it is settled. */
  async take<R>(call: () => Promise<R>): Promise<R> {
    this.begin();
    try {
      return await call();
    } finally {
      this.end();
    }
  }

  /** A call begins, for which closing waits until {@linkcode end}. For those that are made too often for a promise more. */
  begin(): void {
    this.#taken++;
  }

  /** A call is settled. */
  end(): void {
    if (--this.#taken === 0) this.#onSettled?.();
  }

  /**
   * Ends something when it closes.
   *
   * @param end Ends it. Closing waits until it resolves.
   * @returns What stops that.
   */
  onClose(end: () => Promise<void>): () => void {
    this.#ends.add(end);
    return () => void this.#ends.delete(end);
  }

  /**
   * Takes nothing more, ends what goes on, and waits for what it took.
   *
   * @param ms How long it waits before it ends the calls, in milliseconds.
   * @param endReads Ends what nobody waits for.
   * @param endCalls Ends all calls as their deadlines would.
   * @returns Whether it was open.
   */
  async close(ms: number, endReads: () => void, endCalls: () => void): Promise<boolean> {
    const wasOpen = !this.#isClosed;
    this.#isClosed = true;
    const ended = Promise.all([...this.#ends].map((end) => end()));
    endReads();
    if (this.#taken > 0) {
      const settled = new Promise<void>((resolve) => {
        const before = this.#onSettled;
        this.#onSettled = () => {
          before?.();
          resolve();
        };
      });
      const timer = setTimeout(endCalls, ms);
      await settled;
      clearTimeout(timer);
    }
    await ended;
    return wasOpen;
  }
}
