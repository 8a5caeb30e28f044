/**
 * Progress: one line on a terminal, nothing elsewhere.
 *
 * @module
 */

import type { Terminal } from "./terminal.ts";

/** How often the line is written, in milliseconds. */
const PERIOD = 200;

/** Tells how far something is. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #verb: string;
  readonly #total: number | undefined;
  readonly #startedAt = performance.now();
  #writtenAt = 0;
  #width = 0;

  /**
   * @param terminal Where to tell it.
   * @param verb What is done, as "dumped".
   * @param total How many there are, where that is known.
   */
  constructor(terminal: Terminal, verb: string, total?: number) {
    this.#terminal = terminal;
    this.#verb = verb;
    this.#total = total;
  }

  /** So many are done. */
  async at(count: number): Promise<void> {
    const now = performance.now();
    if (!this.#terminal.isError || now - this.#writtenAt < PERIOD) return;
    this.#writtenAt = now;
    const rate = count / Math.max((now - this.#startedAt) / 1000, 0.001);
    const left = this.#total === undefined || rate === 0
      ? ""
      : `, ${Math.ceil((this.#total - count) / rate)} s left`;
    const of = this.#total === undefined ? "" : ` of ${this.#total}`;
    const line = `${count}${of} ${this.#verb}, ${Math.round(rate)}/s${left}`.slice(
      0,
      this.#terminal.columns - 1,
    );
    await this.#terminal.tell(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }

  /** Removes the line. */
  async end(): Promise<void> {
    if (this.#width > 0) await this.#terminal.tell(`\r${" ".repeat(this.#width)}\r`);
    this.#width = 0;
  }
}
