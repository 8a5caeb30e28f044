/**
 * Watching one place: its values as they change, whoever changes them.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import { sameValue } from "../replica/compare.ts";
import { UnavailableError } from "../errors/delivery.ts";
import { checkOptions } from "../run/option.ts";
import { atExpiry, Feed, type Watch, type WatchOptions } from "./feed.ts";
import type { Json } from "../data/json.ts";
import { formatPlace, type Path } from "../data/path.ts";
import { readPlace } from "./place_reads.ts";
import type { Glance, Store } from "../store/store.ts";

/** Watches one place. Its state is a mark, the last text and a timer, however much happens. */
class PlaceFeed extends Feed<Json | undefined> {
  #isDirty: boolean = true;
  #isFirst: boolean = true;
  #text: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  protected override note(): void {
    this.#isDirty = true;
  }

  protected override async find(): Promise<{ readonly value: Json | undefined } | undefined> {
    while (this.#isDirty && !this.isOver) {
      this.#isDirty = false; // before the read: what changes during it is read again
      clearTimeout(this.#timer);
      const { found, ttl } = await readPlace(this.store, this.path, this.operation);
      if (this.isOver) return undefined;
      const text = this.#textOf(found);
      if (text !== undefined && ttl !== undefined) this.#timer = atExpiry(ttl, () => this.hear(undefined));
      const before = this.#text;
      this.#text = text;
      if (!this.#isFirst && text === before) continue;
      const value = text === undefined ? undefined : this.store.codec.decode(text, this.operation, this.path);
      const isSame = !this.#isFirst && text !== undefined && before !== undefined && sameValue(text, before);
      this.#isFirst = false;
      if (!isSame) return { value };
    }
    return undefined;
  }

  #textOf(found: Glance["found"][number]): string | undefined {
    if (typeof found === "string") return found;
    if (found.code === "NO_KEY" || found.code === "NOT_FOUND") return undefined;
    throw toError({ kind: "get", path: this.path }, found, this.operation);
  }

  protected override free(): void {
    clearTimeout(this.#timer);
  }
}

/**
 * Watches a place. No I/O before the first `next`.
 *
 * @param store Where it is.
 * @param path The place.
 * @param options What ends it.
 * @returns The value that is there, then each other one.
 * @throws {TypeError} If the options are wrong, or the store is closed.
 */
export function watchPlace(store: Store, path: Path, options: WatchOptions): Watch<Json | undefined> {
  checkOptions("watch", options, ["signal"]);
  return new PlaceFeed(store, path, options);
}

/**
 * Waits until the value at a place fits.
 *
 * @param store Where it is.
 * @param path The place.
 * @param predicate Tells whether a value fits.
 * @param options What ends it.
 * @returns The first value that fits.
 * @throws {TypeError} If the predicate is no function, or asynchronous.
 * @throws {UnavailableError} If the store closes before.
 */
export async function untilFits(
  store: Store,
  path: Path,
  predicate: (value: Json | undefined) => unknown,
  options: WatchOptions,
): Promise<Json | undefined> {
  if (typeof predicate !== "function") {
    throw new TypeError(
      `Cannot wait for ${
        formatPlace(path)
      }: received ${typeof predicate}, expected a function that tells whether a value fits`,
    );
  }
  checkOptions("until", options, ["signal"]);
  const { signal } = options;
  const watch = new PlaceFeed(store, path, options, "until");
  try {
    for await (const value of watch) {
      const fits = predicate(value);
      if (fits instanceof Promise) {
        fits.catch(() => {});
        throw new TypeError(
          `Cannot wait for ${
            formatPlace(path)
          }: the function is asynchronous; it must tell at once whether a value fits`,
        );
      }
      if (fits) return value;
    }
  } finally {
    await watch[Symbol.asyncDispose]();
  }
  if (signal?.aborted) throw signal.reason;
  throw new UnavailableError({
    operation: "until",
    path,
    reason: "CLOSED",
    cause: new Error("The dictionary was closed"),
  });
}
