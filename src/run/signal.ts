/**
 * Signals: one listener of an `AbortSignal` for everything that it ends.
 *
 * @module
 */

/**
 * Who listens to each signal. A signal gets one listener for all: it would look through its own each time that one is
 * removed, and Node warns of more than ten.
 */
const listeners: WeakMap<AbortSignal, Set<() => void>> = new WeakMap();

function abortAll(this: AbortSignal): void {
  for (const abort of listeners.get(this) ?? []) abort();
}

/**
 * Calls a listener when a signal is aborted.
 *
 * @param abort The listener. A signal calls it once, however often it was added.
 */
export function listen(signal: AbortSignal, abort: () => void): void {
  let all = listeners.get(signal);
  if (!all) listeners.set(signal, all = new Set());
  if (all.size === 0) signal.addEventListener("abort", abortAll);
  all.add(abort);
}

/** Removes a listener. A signal that has none may be forgotten. */
export function unlisten(signal: AbortSignal, abort: () => void): void {
  const all = listeners.get(signal);
  if (!all?.delete(abort)) return;
  if (all.size === 0) signal.removeEventListener("abort", abortAll); // some signals live as long as they have one
}
