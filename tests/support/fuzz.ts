/**
 * How long property tests run: a fixed small share by default, as many random cases as JSON_DICT_FUZZ says otherwise.
 *
 * @module
 */

const DEFAULT_CASES = 300;
const SEED = 20;

/**
 * The parameters of `fc.assert` for one property.
 *
 * @param share Weight of the property: 0.1 for one whose cases are ten times as slow as most.
 */
export function fuzz(share = 1): { numRuns: number; seed?: number } {
  const wanted = Deno.env.get("JSON_DICT_FUZZ");
  const cases = wanted ? Number(wanted) : DEFAULT_CASES;
  if (!Number.isInteger(cases) || cases < 1) {
    throw new RangeError(`Cannot read JSON_DICT_FUZZ: "${wanted}" is not a number of cases`);
  }
  const numRuns = Math.max(1, Math.round(cases * share));
  const seed = Deno.env.get("JSON_DICT_SEED") ?? (wanted ? undefined : SEED);
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) };
}
