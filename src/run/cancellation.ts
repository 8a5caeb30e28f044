/**
 * Cancellations: what ends one call before its answer, a signal of the caller or a time of its own.
 *
 * A call may share a request with others, so a cancellation ends only what its own caller waits for. What was not sent
 * yet is left out of the request; what was sent can only be reported as lost.
 *
 * @module
 */

import { Deferred } from "./deferred.ts";
import { NoAnswer } from "./failure.ts";
import { listen, unlisten } from "./signal.ts";

/** What every call takes. */
export interface CallOptions {
  /**
   * Ends the call when it is aborted. A call that was not sent rejects with the reason of the signal, and changes nothing.
   * A change that was sent rejects with {@linkcode AmbiguousResultError}.
   */
  readonly signal?: AbortSignal;
  /**
   * How long the call may take, in milliseconds, in place of the `timeout` of the dictionary: waiting for a connection and
   * all attempts to get an answer count. Waiting behind earlier calls of the same key does not, but for an edit. Changes
   * of one key that may take different times leave in different requests.
   */
  readonly timeout?: number;
}

/** The error for a caller whose change may have been applied. */
export type Lose = (cause: unknown) => Error;

/** What may end one call. */
export class Cancellation {
  /** How long the call may take, in milliseconds; the time of the dictionary when left out. */
  readonly timeout: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #rejected: Deferred<never> = new Deferred();
  readonly #listeners: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lose: Lose | undefined;
  #isCancelled: boolean = false;
  /** Whether nobody waits any more. */
  #isOver: boolean = false;

  /** What may end a call with such options. */
  constructor({ signal, timeout }: CallOptions) {
    this.timeout = timeout;
    this.#signal = signal;
  }

  /** Whether the caller no longer waits. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /**
   * Waits for a call, until it is cancelled.
   *
   * @param call Begins it.
   * @returns What the call returned.
   * @throws The reason of the signal, or what says that the answer is lost.
   */
  async wait<R>(call: () => Promise<R>): Promise<R> {
    const signal = this.#signal;
    if (signal?.aborted) throw signal.reason;
    const abort = (): void => this.#cancel(signal!.reason, signal!.reason);
    if (signal) listen(signal, abort);
    try {
      return await Promise.race([call(), this.#rejected.promise]);
    } finally {
      this.#isOver = true;
      clearTimeout(this.#timer);
      if (signal) unlisten(signal, abort);
    }
  }

  /** From now on its own time counts, if it has one. Not needed where the request itself ends then. */
  start(): void {
    if (this.timeout === undefined || this.#isOver) return;
    this.#timer ??= setTimeout(() => {
      const cause = new Error("the time of this call is over");
      this.#cancel(new NoAnswer(false, true, cause), cause);
    }, this.timeout);
  }

  /** The call is sent. What was sent in several requests has no single record, so that only the fact is known. */
  send(lose: Lose): void {
    const isFirst = this.#lose === undefined || this.#lose === lose;
    this.#lose = isFirst ? lose : (cause) => new NoAnswer(true, false, cause);
  }

  /** Calls a listener when it is cancelled. */
  onCancel(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #cancel(reason: unknown, cause: unknown): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#rejected.reject(this.#lose === undefined ? reason : this.#lose(cause));
    for (const listener of this.#listeners) listener();
  }
}
