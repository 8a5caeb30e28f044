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

/** The script without its short way for one op on a short value. */
export function withoutShortWay(text: string): string {
  const changed = text.replace(/^local single, prefix = .*$/m, "local single, prefix");
  if (changed === text) throw new Error("Cannot find `local single` in the script");
  return changed.replace(/^local function at_once\(.*?^end\n/ms, "");
}

/** A script that reads only so many bytes of a value at first, as one that was told where its target was. */
export function readingFirst(text: string, bytes: number): string {
  const changed = text.replace(/^ *local hint = .*$/m, `local hint = ${bytes}`);
  if (changed === text) throw new Error("Cannot find `local hint` in the script");
  return changed;
}

/** A script that takes two like members or elements for a row that may be crossed at once. */
export function inShortRows(text: string): string {
  const changes = [
    [`'^' .. rep('%b{},%b"":', 8)`, `'^' .. rep('%b{},%b"":', 2)`],
    ["flat(p, e, 9)", "flat(p, e, 3)"],
    ["rep(one, 16)", "rep(one, 2)"],
    ["flat_elements(p, e, 17)", "flat_elements(p, e, 3)"],
    ["k = k + 15", "k = k + 1"],
    ["n - k >= 16", "n - k >= 2"],
    ["wait = #text + 1, partial, 4", "wait = #text + 1, partial, 0"],
    ["k, wait = 0, 4", "k, wait = 0, 0"],
    ["else wait = 4 end", "else wait = 1 end"],
  ];
  return changes.reduce((made, [from, to]) => {
    if (made.split(from).length !== 2) throw new Error(`Cannot find one \`${from}\` in the script`);
    return made.replace(from, () => to);
  }, text);
}
