/**
 * Feeds: what all watches have in common, the iterator and the connection that tells of changes.
 *
 * @module
 */

import { TimeoutError, UnavailableError } from "../errors/delivery.ts";
import { isTransient } from "../run/failure.ts";
import { listen, unlisten } from "../run/signal.ts";
import type { Path } from "../data/path.ts";
import type { Store } from "../store/store.ts";
import { setIdleTimer, type Timer } from "../run/timer.ts";
import type { Tracked } from "../run/tracking.ts";

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
 * `return`, which leaving a `for await` calls, by its signal, by the end of the dictionary, or by an error. It keeps the
 * process alive only while somebody waits in `next`.
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

/** The methods that have a feed. */
type Operation = "watch" | "until" | "live";

/** The longest delay of a timer. */
const MAX_DELAY = 2 ** 31 - 1;
/** How much later than a key expires it is read, in milliseconds: the time left is rounded. */
const GRACE = 2;
const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** A watch without what it reads. A generator would hang in `return` while `next` waits. */
export abstract class Feed<V> implements Watch<V> {
  protected readonly store: Store;
  /** The place, empty for the whole dictionary. */
  protected readonly path: Path;
  /** The method that the caller used. */
  protected readonly operation: Operation;
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

  /**
   * Makes a watch. No I/O.
   *
   * @param store Where it reads.
   * @param path The place, empty for the whole dictionary.
   * @param options What ends it; they are checked.
   * @param operation The method that the caller used.
   */
  constructor(store: Store, path: Path, options: WatchOptions, operation: Operation = "watch") {
    store.check();
    this.operation = operation;
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
      this.#tracked?.hold(true);
      const settled = (): void => {
        this.#waiting.delete(end);
        if (this.#waiting.size === 0) this.#tracked?.hold(false);
      };
      this.#last = this.#last.then(() => this.#pull()).then((result) => {
        settled();
        resolve(result);
      }, async (error) => {
        settled();
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
    const { store, path, operation } = this;
    const refused = (error: unknown): unknown => store.readError(error, operation, path);
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
    if (this.#signal) listen(this.#signal, this.#abort);
    const { timeout } = store.settings;
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
    if (isLate) throw new TimeoutError({ operation, path, timeout, cause: tracked.failure });
  }

  readonly #abort = (): void => {
    this.#end();
  };

  #end(): Promise<void> {
    if (this.#left === undefined) {
      this.#isOver = true;
      if (this.#signal) unlisten(this.#signal, this.#abort);
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
export function isPassing(error: unknown): boolean {
  return error instanceof TimeoutError || error instanceof UnavailableError && isTransient(error);
}

/**
 * Calls back when a key has expired. Servers remove it late, and tell only then. It does not keep the process alive: that
 * is for those who wait.
 *
 * @param ttl Milliseconds until it expires.
 * @param expired Is called.
 * @returns The timer.
 */
export function atExpiry(ttl: number, expired: () => void): Timer {
  return setIdleTimer(expired, Math.min(ttl + GRACE, MAX_DELAY));
}
