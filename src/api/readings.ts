/**
 * Readings: what is at a place, each time that it may have changed, behind the changes of the program itself.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import type { Path } from "../data/path.ts";
import type { Store } from "../store/store.ts";
import { atExpiry, Feed, type WatchOptions } from "./feed.ts";
import { readPlace } from "./place_reads.ts";

/** What was read. */
export interface Reading {
  /** The text, `undefined` if there is none, or why it cannot be told. */
  readonly found: { readonly text: string | undefined } | { readonly error: unknown };
  /** How many bursts it is behind. */
  readonly covers: number;
  /** Whether later ones are not in it. */
  readonly isCertain: boolean;
}

/** Who takes what is read. */
export interface Reader {
  /** A read is issued. Returns how many bursts it is behind. */
  begin(): number;
  /** A read has failed, and is tried again. */
  missed(covers: number, error: unknown): void;
}

/** Reads a place as long as it changes: never more than one read at a time, and one more when that is over. */
export class Readings extends Feed<Reading> {
  readonly #reader: Reader;
  /** Whether the server has told of a change. */
  #isDirty: boolean = true;
  /** Whether there are bursts that no read is behind. */
  #isWanted: boolean = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Until when it reads nothing, and what ends that. */
  #restsUntil: number = 0;
  #rest: { readonly timer: ReturnType<typeof setTimeout>; readonly end: () => void } | undefined;

  /**
   * Readings of a place. No I/O before the first `next`.
   *
   * @param store Where it is.
   * @param path The place.
   * @param options What ends them.
   * @param reader Hears of them.
   */
  constructor(store: Store, path: Path, options: WatchOptions, reader: Reader) {
    super(store, path, options, "live");
    this.#reader = reader;
  }

  /** Reads once more, behind all that was issued. */
  again(): void {
    this.#isWanted = true;
    this.hear(undefined);
  }

  /** Reads nothing for some milliseconds. */
  rest(ms: number): void {
    this.#restsUntil = performance.now() + ms;
  }

  protected override note(): void {
    this.#isDirty = true;
  }

  protected override async find(): Promise<{ readonly value: Reading } | undefined> {
    if (!this.#isDirty && !this.#isWanted) return undefined;
    const ms = this.#restsUntil - performance.now();
    if (ms > 0) await new Promise<void>((end) => this.#rest = { timer: setTimeout(end, ms), end });
    if (this.isOver) return undefined;
    clearTimeout(this.#timer);
    let covers = 0;
    try {
      const { found, ttl, isCertain } = await readPlace(this.store, this.path, this.operation, {
        issued: () => {
          this.#isWanted = false;
          covers = this.#reader.begin();
        },
        sent: () => this.#isDirty = false, // what is told from here on may not be in it
      });
      if (this.isOver) return undefined;
      if (typeof found === "string" && ttl !== undefined) {
        this.#timer = atExpiry(ttl, () => this.hear(undefined));
      }
      return { value: { found: this.#read(found), covers, isCertain } };
    } catch (error) {
      this.#reader.missed(covers, error);
      throw error;
    }
  }

  #read(found: Awaited<ReturnType<typeof readPlace>>["found"]): Reading["found"] {
    if (typeof found === "string") return { text: found };
    if (found.code === "NO_KEY" || found.code === "NOT_FOUND") return { text: undefined };
    return { error: toError({ kind: "get", path: this.path }, found, this.operation) };
  }

  protected override free(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#rest?.timer);
    this.#rest?.end();
  }
}
