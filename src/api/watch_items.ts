/**
 * Watching all items of a dictionary, whoever changes them.
 *
 * @module
 */

import { canonicalText } from "../replica/compare.ts";
import { JsonDictError } from "../errors/error.ts";
import { checkOptions } from "../run/option.ts";
import { atExpiry, type DictWatchOptions, Feed, type Ready, type Watch } from "./feed.ts";
import type { Json } from "../data/json.ts";
import type { KeptText, Store } from "../store/store.ts";

/** How many items one call reads. Their values may wait for a slow consumer. */
const PAGE = 200;
/** How many names that are not known may have changed before all is read again instead, so that memory has a bound. */
const MAX_STRANGERS = 10_000;

/** What is remembered of an item, instead of its text. */
interface Item {
  /** Of the text. */
  readonly hash: number;
  /** Of the text that is the same for equal values. */
  readonly value: number;
  readonly timer: ReturnType<typeof setTimeout> | undefined;
  /** When it was seen last. */
  readonly round: number;
}

/** An item that has changed. */
type ItemChange = { readonly key: string; readonly value: Json | undefined };

/** Watches all items. What it holds grows with the items that there are, not with what happens. */
class ItemsFeed extends Feed<ItemChange | Ready> {
  readonly #isInitial: boolean;
  readonly #known: Map<string, Item> = new Map();
  #dirty: Set<string> = new Set();
  #isAllDirty: boolean = true;
  /** Pages of keys, while all are read. */
  #sweep: AsyncGenerator<readonly string[], void> | undefined;
  #round: number = 0;
  /** Whether what was there at first is known. */
  #hasBase: boolean = false;
  /** What was found and not given yet, the last one first. */
  #found: ItemChange[] = [];

  constructor(store: Store, options: DictWatchOptions) {
    super(store, [], options);
    this.#isInitial = options.initial === true;
  }

  protected override note(key: string | undefined): void {
    if (key !== undefined && !this.#isAllDirty) this.#dirty.add(key);
    if (key !== undefined && this.#dirty.size <= this.#known.size + MAX_STRANGERS) return;
    this.#isAllDirty = true;
    this.#dirty.clear();
  }

  protected override async find(): Promise<{ readonly value: ItemChange | Ready } | undefined> {
    while (!this.isOver) {
      const change = this.#found.pop();
      if (change) return { value: change };
      if (this.#sweep === undefined && this.#isAllDirty) {
        this.#isAllDirty = false; // before anything is read: what changes from now on is noted
        this.#sweep = this.#pages();
      }
      if (this.#sweep) {
        const page = await this.#nextPage(this.#sweep);
        if (page) await this.#read(page);
        else if (this.#endSweep()) return { value: { key: undefined, value: undefined } };
        continue;
      }
      if (this.#dirty.size === 0) return undefined;
      const page = [...take(this.#dirty, PAGE)];
      for (const key of page) this.#dirty.delete(key); // before the read, like the mark of a place
      await this.#read(page);
    }
    return undefined;
  }

  async #nextPage(sweep: AsyncGenerator<readonly string[], void>): Promise<readonly string[] | undefined> {
    try {
      return (await sweep.next()).value ?? undefined;
    } catch (error) {
      this.#sweep = undefined;
      throw error;
    }
  }

  /** Returns whether it was the first, and its end is to be told. */
  #endSweep(): boolean {
    this.#sweep = undefined;
    const isFirst = !this.#hasBase;
    this.#hasBase = true;
    return isFirst && this.#isInitial;
  }

  /** All keys that are there, then those that were there. */
  async *#pages(): AsyncGenerator<readonly string[], void> {
    const round = ++this.#round;
    for await (const keys of this.store.watchedKeys()) yield* pagesOf(keys);
    yield* pagesOf([...this.#known].filter((entry) => entry[1].round < round).map(([key]) => key));
  }

  async #read(keys: readonly string[]): Promise<void> {
    let texts: readonly KeptText[];
    try {
      texts = await this.store.keptTexts(keys);
    } catch (error) {
      throw error instanceof JsonDictError ? error : this.store.readError(error, "watch", []);
    }
    if (this.isOver) return;
    const changes = keys.flatMap((key, index) => this.#compare(key, texts[index]));
    if (this.#hasBase || this.#isInitial) this.#found.push(...changes.reverse());
  }

  /** Remembers what is there. Returns the change, if it is another value. */
  #compare(key: string, { text, ttl }: KeptText): readonly ItemChange[] {
    const before = this.#known.get(key);
    clearTimeout(before?.timer);
    if (text === undefined) return this.#known.delete(key) ? [{ key, value: undefined }] : [];
    const timer = ttl === undefined ? undefined : atExpiry(ttl, () => this.hear(key));
    const hash = hashOf(text);
    const round = this.#round;
    if (before?.hash === hash) {
      this.#known.set(key, { ...before, timer, round });
      return [];
    }
    let decoded: { readonly value: Json } | undefined;
    try {
      decoded = { value: this.store.codec.decode(text, "watch", [key]) };
    } catch (error) {
      clearTimeout(timer);
      if (this.#hasBase || this.#isInitial) throw error;
    }
    const value = decoded === undefined ? hash : hashOf(canonicalText(text) ?? text);
    this.#known.set(key, { hash, value, timer, round });
    return decoded === undefined || before?.value === value ? [] : [{ key, value: decoded.value }];
  }

  protected override free(): void {
    for (const { timer } of this.#known.values()) clearTimeout(timer);
    this.#known.clear();
    this.#dirty.clear();
    this.#found = [];
    this.#sweep?.return().catch(() => {});
  }
}

function* pagesOf(keys: readonly string[]): Generator<readonly string[], void> {
  for (let from = 0; from < keys.length; from += PAGE) yield keys.slice(from, from + PAGE);
}

function* take<I>(items: Iterable<I>, count: number): Generator<I, void> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}

/** Nobody can know which texts have the same hash. */
const SEEDS = crypto.getRandomValues(new Uint32Array(2));

/** 53 bits that are the same for the same text (cyrb53). Two texts have the same by chance once in 10^16 times. */
function hashOf(text: string): number {
  let [a, b] = SEEDS;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 4_294_967_296 * (b & 0x1fffff) + (a >>> 0);
}

/**
 * Watches all items. No I/O before the first `next`.
 *
 * @param store Where they are.
 * @param options What it begins with, and what ends it.
 * @returns Each item that has another value.
 * @throws {TypeError} If the options are wrong, or the store is closed.
 */
export function watchItems(store: Store, options: DictWatchOptions): Watch<ItemChange | Ready> {
  checkOptions("watch", options, ["initial", "signal"]);
  return new ItemsFeed(store, options);
}
