/**
 * Timers that do not keep the process alive.
 *
 * @module
 */

/** A timer. */
export type Timer = ReturnType<typeof setTimeout>;

/**
 * Calls back later, unless the process has nothing else to do and ends before.
 *
 * @param act Is called.
 * @param ms After so many milliseconds.
 * @returns The timer. Where timers are plain numbers, as in old versions of Deno, it does keep the process.
 */
export function setIdleTimer(act: () => void, ms: number): Timer {
  const timer = setTimeout(act, ms);
  holdBy(timer, false);
  return timer;
}

/**
 * Lets a timer keep the process alive, or not.
 *
 * @param timer The timer.
 * @param isHeld Whether it does.
 */
export function holdBy(timer: Timer | undefined, isHeld: boolean): void {
  const { ref, unref } = Object(timer) as { ref?(): void; unref?(): void };
  (isHeld ? ref : unref)?.call(timer);
}
