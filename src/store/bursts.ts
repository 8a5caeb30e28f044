/**
 * Bursts: the changes of live documents that leave together, and the writes that they become.
 *
 * @module
 */

import { Outbox } from "./outbox.ts";

/**
 * Notices that documents were dropped. It does not belong to a dictionary: one that is dropped together with its
 * documents would not be called any more.
 */
const drops: FinalizationRegistry<() => void> = new FinalizationRegistry((drop) => drop());

/** The bursts of one dictionary. */
export class Bursts {
  /** Sends what live documents hold back until the end of the turn. */
  readonly #held: Set<() => void> = new Set();
  /** Those with something under way, or with a failure that was not reported. */
  readonly #outboxes: Set<Outbox> = new Set();

  /**
   * Opens an outbox.
   *
   * @param document An object that lives as long as the document. When it is dropped, an unreported failure surfaces.
   */
  open(document: object): Outbox {
    const outbox = new Outbox();
    drops.register(document, () => {
      outbox.drop();
      this.#tidy(outbox);
    });
    return outbox;
  }

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

  /** Follows a write that nobody awaits. */
  follow(write: Promise<void>, outbox: Outbox): void {
    this.#outboxes.add(outbox);
    outbox.follow(write).then(() => this.#tidy(outbox));
  }

  /** Lets those who ask for the writes of a document wait for something more. If it fails, only they are told. */
  wait(something: Promise<void>, outbox: Outbox): void {
    this.#outboxes.add(outbox);
    outbox.wait(something).then(() => this.#tidy(outbox));
  }

  /** The failure of a document, as the cause of what it refuses. It counts as reported. */
  report(outbox: Outbox): unknown {
    outbox.take();
    this.#tidy(outbox);
    return outbox.failure?.reason;
  }

  /**
   * Waits for the writes that are under way: all of them, or those of one document.
   *
   * @throws The failure that was not reported; an `AggregateError` where there are several.
   */
  async settled(outbox?: Outbox): Promise<void> {
    this.send();
    const asked = outbox ? [outbox] : [...this.#outboxes];
    const answers = await Promise.all(asked.map((each) => each.ask()));
    for (const each of asked) this.#tidy(each);
    const failures = answers.filter((answer) => answer !== undefined).map(({ reason }) => reason);
    if (failures.length === 0) return;
    if (failures.length === 1) throw failures[0];
    throw new AggregateError(failures, `Cannot write ${failures.length} live documents: see errors`);
  }

  #tidy(outbox: Outbox): void {
    if (outbox.isQuiet) this.#outboxes.delete(outbox);
  }
}
