/**
 * Garbage collection on demand, and rejections that nobody handles.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Collects all garbage. Finalizers run in a later turn. */
export const collectGarbage: () => void = runInNewContext("gc");

/** Listens for rejections that nobody handles, instead of ending the process. */
export class Unhandled implements Disposable {
  /** The reasons so far. */
  readonly reasons: unknown[] = [];
  readonly #listen = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    this.reasons.push(event.reason);
  };

  /** Begins. */
  constructor() {
    globalThis.addEventListener("unhandledrejection", this.#listen);
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("unhandledrejection", this.#listen);
  }
}
