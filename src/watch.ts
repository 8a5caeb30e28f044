/**
 * Watching: values as they change, whoever changes them.
 *
 * @module
 */

import { toError } from "./call.ts";
import { canonicalText, sameValue } from "./compare.ts";
import { JsonDictError, TimeoutError, UnavailableError } from "./errors.ts";
import { isTransient } from "./failure.ts";
import type { Json } from "./json.ts";
import { formatPlace, type Path } from "./path.ts";
import type { Glance, KeptText, Store } from "./store.ts";
import type { Tracked } from "./tracking.ts";

/** How something is watched. */
export interface WatchOptions {
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** How a dictionary is watched. */
export interface DictWatchOptions extends WatchOptions {
  /**
   * Begin with what is there, then a {@linkcode Ready}, then what changes, without a gap.
   *
   * @default {false}
   */
  readonly initial?: boolean;
}

/** What a watch with `initial` gives once, between what was there and what changes. */
export interface Ready {
  /** No key: all items that were there have come. */
  readonly key: undefined;
  /** No value. */
  readonly value: undefined;
}

/**
 * The values of something that is watched. It starts with the first `next`, and holds a connection until it ends: by
 * `return`, which leaving a `for await` calls, by its signal, by the end of the dictionary, or by an error.
 *
 * @typeParam V The type of the values.
 */
export interface Watch<V> extends AsyncDisposable {
  /** Waits for the next value. */
  next(): Promise<IteratorResult<V, undefined>>;
  /** Ends it at once, also for those that wait in `next`. */
  return(): Promise<IteratorResult<V, undefined>>;
  /** It is its own iterator: all loops over it share what comes. */
  [Symbol.asyncIterator](): Watch<V>;
  /** Ends it, and waits until its connection is closed if it was the last. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The longest delay of a timer. */
const MAX_DELAY = 2 ** 31 - 1;
/** How much later than a key expires it is read, in milliseconds: the time left is rounded. */
const GRACE = 2;
/** How many items one call reads. Their values may wait for a slow consumer. */
const PAGE = 200;
/** How many names that are not known may have changed before all is read again instead, so that memory has a bound. */
const MAX_STRANGERS = 10_000;

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** What all watches share: the iterator and the connection. A generator would hang in `return` while `next` waits. */
abstract class Feed<V> implements Watch<V> {
  protected readonly store: Store;
  /** The place, empty for the whole dictionary. */
  protected readonly path: Path;
  readonly #signal: AbortSignal | undefined;
  #tracked: Tracked | undefined;
  #isOver: boolean = false;
  /** Whether it has read what was there at first. After that, it outlives that the server is away. */
  #hasRead: boolean = false;
  #failure: { readonly error: unknown } | undefined;
  /** Grows with all that is heard. */
  #news: number = 0;
  /** Ends the wait for news, or for the connection. */
  #wake: (() => void) | undefined;
  /** Ends the calls of `next` that wait. */
  readonly #waiting: Set<() => void> = new Set();
  /** When all calls of `next` so far are settled. */
  #last: Promise<void> | undefined;
  #left: Promise<void> | undefined;

  constructor(store: Store, path: Path, options: WatchOptions) {
    store.check();
    this.store = store;
    this.path = path;
    this.#signal = options.signal;
  }

  /** Notes that a key may have another value, or all of them. */
  protected abstract note(key: string | undefined): void;

  /** The next value; nothing if there is no news. */
  protected abstract find(): Promise<{ readonly value: V } | undefined>;

  /** Frees what it holds. */
  protected abstract free(): void;

  protected get isOver(): boolean {
    return this.#isOver;
  }

  /** Notes something, and goes on with it. */
  protected hear(key: string | undefined): void {
    if (this.#isOver) return;
    this.note(key);
    this.#news++;
    this.#wake?.();
  }

  next(): Promise<IteratorResult<V, undefined>> {
    if (this.#signal?.aborted || this.store.isClosed) this.#end();
    if (this.#isOver) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      const end = (): void => resolve(DONE);
      this.#waiting.add(end);
      this.#last ??= this.#start();
      this.#last = this.#last.then(() => this.#pull()).then((result) => {
        this.#waiting.delete(end);
        resolve(result);
      }, async (error) => {
        this.#waiting.delete(end);
        await this.#end(); // nobody else would wait for it
        reject(error);
      });
    });
  }

  return(): Promise<IteratorResult<V, undefined>> {
    this.#end();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #pull(): Promise<IteratorResult<V, undefined>> {
    while (!this.#isOver) {
      if (this.#failure) throw this.#failure.error;
      const heard = this.#news;
      try {
        const found = await this.find();
        if (this.#isOver) break;
        this.#hasRead = true;
        if (found) return { done: false, value: found.value };
      } catch (error) {
        if (this.#isOver || !this.#hasRead || !isPassing(error)) throw error;
        this.note(undefined);
        continue;
      }
      if (heard === this.#news && !this.#failure) await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return DONE;
  }

  /** Waits until nothing is missed any more. Only then it may read. */
  async #start(): Promise<void> {
    const { store, path } = this;
    const refused = (error: unknown): unknown => store.readError(error, "watch", path);
    const key = path.length === 0 ? undefined : String(path[0]);
    let tracked: Tracked;
    try {
      tracked = this.#tracked = store.track(key, {
        changed: (changed) => this.hear(changed),
        failed: (error) => {
          this.#failure = { error: refused(error) };
          this.#wake?.();
        },
      }, () => this.#end());
    } catch (error) {
      throw refused(error);
    }
    this.#signal?.addEventListener("abort", this.#abort);
    const { timeout } = store.options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isLate = await new Promise<boolean>((resolve) => {
      const check = (): void => {
        if (this.#isOver || this.#failure) resolve(false);
        else this.#wake = check;
      };
      check();
      timer = setTimeout(() => resolve(true), timeout);
      tracked.ready.then(() => resolve(false));
    });
    clearTimeout(timer);
    if (isLate) throw new TimeoutError({ operation: "watch", path, timeout, cause: tracked.failure });
  }

  readonly #abort = (): void => {
    this.#end();
  };

  #end(): Promise<void> {
    if (this.#left === undefined) {
      this.#isOver = true;
      this.#signal?.removeEventListener("abort", this.#abort);
      this.#left = this.#tracked?.leave() ?? Promise.resolve();
      this.free();
      this.#wake?.();
      for (const end of this.#waiting) end();
      this.#waiting.clear();
    }
    return this.#left;
  }
}

/** Whether a read may succeed later: the server is away, or not ready. */
function isPassing(error: unknown): boolean {
  return error instanceof TimeoutError || error instanceof UnavailableError && isTransient(error);
}

/** Calls back when a key has expired. Servers tell of that late, and some not at all. */
function atExpiry(ttl: number, expired: () => void): ReturnType<typeof setTimeout> {
  return setTimeout(expired, Math.min(ttl + GRACE, MAX_DELAY));
}

// ---- One place ----

/** Reads of one key: those that ask while one is under way share the next one, which is sent after they asked. */
class KeyReads {
  readonly #store: Store;
  #isBusy: boolean = false;
  #next: Map<string, Path> = new Map();
  #answer: Promise<Glance> | undefined;
  #current: Promise<unknown> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  get isIdle(): boolean {
    return !this.#isBusy && this.#answer === undefined;
  }

  async read(
    path: Path,
  ): Promise<{ readonly found: Glance["found"][number]; readonly ttl: number | undefined }> {
    const id = JSON.stringify(path);
    const places = this.#next;
    places.set(id, path);
    const index = [...places.keys()].indexOf(id);
    this.#answer ??= this.#send();
    const { found, ttl } = await this.#answer;
    return { found: found[index], ttl };
  }

  /** Sends what is asked for until the read before is over, and in this turn. */
  #send(): Promise<Glance> {
    const answer = this.#current.then(() => {
      const places = [...this.#next.values()];
      this.#next = new Map();
      this.#answer = undefined;
      this.#isBusy = true;
      return this.#store.glance(places);
    }).finally(() => this.#isBusy = false);
    this.#current = answer.catch(() => {});
    return answer;
  }
}

const readsOf = new WeakMap<Store, Map<string, KeyReads>>();

async function readPlace(store: Store, path: Path): Promise<Awaited<ReturnType<KeyReads["read"]>>> {
  const key = String(path[0]);
  let ofStore = readsOf.get(store);
  if (ofStore === undefined) readsOf.set(store, ofStore = new Map());
  let reads = ofStore.get(key);
  if (reads === undefined) ofStore.set(key, reads = new KeyReads(store));
  try {
    return await reads.read(path);
  } catch (error) {
    throw store.readError(error, "watch", path);
  } finally {
    if (reads.isIdle && ofStore.get(key) === reads) ofStore.delete(key);
  }
}

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
      const { found, ttl } = await readPlace(this.store, this.path);
      if (this.isOver) return undefined;
      const text = this.#textOf(found);
      if (text !== undefined && ttl !== undefined) this.#timer = atExpiry(ttl, () => this.hear(undefined));
      const before = this.#text;
      this.#text = text;
      if (!this.#isFirst && text === before) continue;
      const value = text === undefined ? undefined : this.store.decode(text, "watch", this.path);
      const isSame = !this.#isFirst && text !== undefined && before !== undefined && sameValue(text, before);
      this.#isFirst = false;
      if (!isSame) return { value };
    }
    return undefined;
  }

  #textOf(found: Glance["found"][number]): string | undefined {
    if (typeof found === "string") return found;
    if (found.code === "NO_KEY" || found.code === "NOT_FOUND") return undefined;
    throw toError({ kind: "get", path: this.path }, found, "watch");
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
  return new PlaceFeed(store, path, readWatchOptions(options));
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
  const { signal } = readWatchOptions(options);
  const watch = watchPlace(store, path, options);
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
    operation: "wait",
    path,
    reason: "CLOSED",
    cause: new Error("The dictionary was closed"),
  });
}

// ---- All items ----

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
    for await (const keys of this.store.keys("watch")) yield* pagesOf(keys);
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
      decoded = { value: this.store.decode(text, "watch", [key]) };
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
  const { initial } = readWatchOptions(options);
  if (initial !== undefined && typeof initial !== "boolean") {
    throw new TypeError(`Cannot watch: initial is ${typeof initial}, expected a boolean`);
  }
  return new ItemsFeed(store, options);
}

function readWatchOptions<O extends DictWatchOptions>(options: O): O {
  if (options === null || typeof options !== "object") {
    throw new TypeError(`Cannot watch: received ${String(options)}, expected an object with signal`);
  }
  const { signal } = options;
  if (signal !== undefined && (signal === null || typeof signal.addEventListener !== "function")) {
    throw new TypeError("Cannot watch: signal is no AbortSignal");
  }
  return options;
}
