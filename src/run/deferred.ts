/**
 * Deferred promises: a promise with what settles it, as `Promise.withResolvers` makes it, which Node 20 lacks.
 *
 * @module
 */

/** A promise that somebody else settles. It may be rejected while nobody listens yet. */
export class Deferred<T> {
  /** The promise. */
  readonly promise: Promise<T>;
  /** Fulfils it. */
  readonly resolve: (value: T) => void;
  /** Rejects it. */
  readonly reject: (reason: unknown) => void;

  /** Makes a promise that is pending. */
  constructor() {
    let settle: { readonly resolve: (value: T) => void; readonly reject: (reason: unknown) => void };
    this.promise = new Promise<T>((resolve, reject) => settle = { resolve, reject });
    ({ resolve: this.resolve, reject: this.reject } = settle!);
    this.promise.catch(() => {});
  }
}
