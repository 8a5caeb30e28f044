/**
 * The script of another threshold, for tests: what it does with long values and many ops it does with short ones and two.
 *
 * @module
 */

/**
 * Makes a script that works on every value in pieces from the second op on.
 *
 * @param text The text of `apply`.
 * @returns Another text.
 * @throws {Error} If it has no such threshold.
 */
export function inPieces(text: string): string {
  const changed = text.replace(/^local few = \d+$/m, "local few = 0");
  if (changed === text) throw new Error("Cannot find `local few` in the script");
  return changed;
}
