/**
 * The scripts of other thresholds, for tests: one that does with short values and two ops what it does with long values
 * and many, and one that never does.
 *
 * @module
 */

/** A script whose ops go on where others have been, from the first one on if another one follows. */
export const inPieces = (text: string): string => withFew(text, "0");

/** A script whose ops search each by itself. */
export const oneByOne = (text: string): string => withFew(text, "math.huge");

function withFew(text: string, few: string): string {
  const changed = text.replace(/^local few = \d+$/m, `local few = ${few}`);
  if (changed === text) throw new Error("Cannot find `local few` in the script");
  return changed;
}

/** A script that reads only so many bytes of a value at first, as one that was told where its target was. */
export function readingFirst(text: string, bytes: number): string {
  const changed = text.replace(/^ *local most = .*$/m, `local most = ${bytes}`);
  if (changed === text) throw new Error("Cannot find `local most` in the script");
  return changed;
}
