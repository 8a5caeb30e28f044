/**
 * Who is told of the writes of one dictionary, by whatever handle.
 *
 * @module
 */

/** Who is told of writes. Without keys, any of them may be written. */
export interface WriteListener {
  /** A write begins; nothing of it is applied yet. */
  begin(keys: readonly string[] | undefined): void;
  /** It is over, however it ended. */
  end(keys: readonly string[] | undefined): void;
}

/** The writes of one dictionary. */
export class Writes {
  readonly #listeners: Set<WriteListener> = new Set();

  /** Tells when writes begin and end. Returns what stops that. */
  onWrite(listener: WriteListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Does what may write to some keys, or to any. */
  write<R>(keys: readonly string[] | undefined, write: () => Promise<R>): Promise<R> {
    return this.#listeners.size === 0 ? write() : this.#writeBefore([...this.#listeners], keys, write);
  }

  async #writeBefore<R>(
    listeners: readonly WriteListener[],
    keys: readonly string[] | undefined,
    write: () => Promise<R>,
  ): Promise<R> {
    for (const listener of listeners) listener.begin(keys);
    try {
      return await write();
    } finally {
      for (const listener of listeners) listener.end(keys);
    }
  }
}
