/**
 * One option: what it takes, and which one is meant by a name that does not exist.
 *
 * @module
 */

import { nameOf } from "../data/path.ts";

/** The longest delay of a timer, and more than 24 days. */
export const MAX_TIMEOUT: number = 2 ** 31 - 1;

/** Options of single calls. */
const OPTIONS = {
  ttl: { check: checkTtl, hint: ", in milliseconds", example: "5000" },
  keepTtl: { check: checkBoolean, hint: "", example: "true" },
  parents: { check: checkBoolean, hint: "", example: "true" },
  replace: { check: checkBoolean, hint: "", example: "true" },
  attempts: { check: () => {}, hint: "", example: "10" }, // the edit checks it
  keys: {
    check: (keys: unknown, operation: string) => checkKeys(operation, keys),
    hint: "",
    example: '["a"]',
  },
  startsWith: { check: checkString, hint: "", example: '"a"' },
  wait: { check: checkWait, hint: ", in milliseconds", example: "true" },
  initial: { check: checkBoolean, hint: "", example: "true" },
  follow: { check: checkBoolean, hint: "", example: "true" },
  limit: { check: checkCount, hint: "", example: "10" },
  timeout: { check: checkTimeout, hint: ", in milliseconds", example: "5000" },
  signal: { check: checkSignal, hint: "", example: "AbortSignal.timeout(5000)" },
} as const;

/** The name of an option of a call. */
export type OptionName = keyof typeof OPTIONS;

/** Names of options in other libraries and in the commands of Redis. */
const ALIASES: Readonly<Record<string, string>> = {
  ex: "ttl",
  px: "ttl",
  expire: "ttl",
  expires: "ttl",
  expiresin: "ttl",
  expiry: "ttl",
  maxage: "ttl",
  abort: "signal",
  abortsignal: "signal",
  deadline: "timeout",
  retries: "attempts",
  overwrite: "replace",
  namespace: "prefix",
  keyprefix: "prefix",
  max: "limit",
  count: "limit",
  match: "startsWith",
  prefix: "startsWith",
  pattern: "startsWith",
};

/**
 * Checks the options of one call, before any I/O.
 *
 * @param operation The method, for messages.
 * @param options What the caller gave; may be `undefined`.
 * @param known The options that the method has.
 * @throws {TypeError} If they are no object, if there is no such option, or if one is of the wrong type.
 * @throws {RangeError} If a number is out of its range.
 */
export function checkOptions(operation: string, options: unknown, known: readonly OptionName[]): void {
  if (options === undefined) return;
  const [first] = known;
  checkNames(operation, options, known, `{ ${first}: ${OPTIONS[first].example} }`);
  for (const name of known) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined) OPTIONS[name].check(value, operation, name);
  }
}

/**
 * Checks that options are an object with names that exist.
 *
 * @param operation What the options are for, as in `Cannot <operation>`.
 * @param options What the caller gave.
 * @param known The names that exist.
 * @param example What to write instead of something that is no object.
 * @throws {TypeError} If they are no object, or if there is no such option; the message names the nearest one.
 */
export function checkNames(
  operation: string,
  options: unknown,
  known: readonly string[],
  example: string,
): void {
  if (options === null || typeof options !== "object" || Array.isArray(options)) {
    throw new TypeError(
      `Cannot ${operation}: received ${nameOf(options)} for the options; write an object, as ${example}`,
    );
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const nearest = findNearest(name, known);
    const others = known.filter((other) => other !== nearest);
    const hint = Object.hasOwn(OPTIONS, nearest) ? OPTIONS[nearest as OptionName].hint : "";
    throw new TypeError(
      `Cannot ${operation}: there is no option ${JSON.stringify(name)}; use ${nearest}${hint}${
        others.length === 0 ? "" : `, or one of ${others.join(", ")}`
      }`,
    );
  }
}

/** The name that is most likely meant. */
function findNearest(name: string, known: readonly string[]): string {
  const wanted = name.toLowerCase();
  const alias = Object.hasOwn(ALIASES, wanted) ? ALIASES[wanted] : undefined;
  if (alias !== undefined && known.includes(alias)) return alias;
  const distances = known.map((other) => distance(wanted, other.toLowerCase()));
  return known[distances.indexOf(Math.min(...distances))];
}

/** How many letters must be put in, left out or replaced to make one word of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= Math.min(a.length, 40); i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

/**
 * Checks how long a value lives.
 *
 * @param ttl What the caller gave.
 * @returns Milliseconds.
 * @throws {RangeError} If it is no positive integer.
 */
export function checkTtl(ttl: unknown): number {
  if (Number.isSafeInteger(ttl) && ttl as number > 0) return ttl as number;
  throw new RangeError(
    `Cannot use the ttl: received ${nameOf(ttl)}, expected a positive integer of milliseconds`,
  );
}

/**
 * Checks how long a call may take.
 *
 * @param timeout What the caller gave.
 * @returns Milliseconds.
 * @throws {TypeError} If it is no number.
 * @throws {RangeError} If it is out of its range.
 */
export function checkTimeout(timeout: unknown): number {
  if (typeof timeout !== "number") {
    throw new TypeError(`Cannot use the timeout: received ${typeof timeout}, expected a number`);
  }
  if (timeout > 0 && timeout <= MAX_TIMEOUT) return timeout;
  throw new RangeError(`Cannot use the timeout: received ${timeout}, expected 1 to ${MAX_TIMEOUT} ms`);
}

/**
 * Checks a list of keys, as far as that it is a list.
 *
 * @param operation The method, for messages.
 * @param keys What the caller gave.
 * @throws {TypeError} If it is none. A text would be taken for the keys that its characters name.
 */
export function checkKeys(operation: string, keys: unknown): asserts keys is Iterable<unknown> {
  if (typeof keys === "object" && keys !== null && Symbol.iterator in keys) return;
  throw new TypeError(`Cannot ${operation}: received ${nameOf(keys)}, expected an array of keys`);
}

function checkBoolean(value: unknown, operation: string, name: OptionName): void {
  if (typeof value === "boolean") return;
  throw new TypeError(`Cannot ${operation}: ${name} is ${nameOf(value)}, expected true or false`);
}

function checkWait(value: unknown, operation: string): void {
  if (typeof value === "boolean") return;
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot ${operation}: wait is ${nameOf(value)}, expected milliseconds, true or false`,
    );
  }
  if (value >= 0 && value <= MAX_TIMEOUT) return;
  throw new RangeError(`Cannot ${operation}: wait is ${value}, expected 0 to ${MAX_TIMEOUT} ms`);
}

function checkString(value: unknown, operation: string): void {
  if (typeof value === "string") return;
  throw new TypeError(`Cannot ${operation}: startsWith is ${nameOf(value)}, expected a string`);
}

function checkCount(value: unknown, operation: string): void {
  if (Number.isSafeInteger(value) && value as number >= 0) return;
  throw new RangeError(
    `Cannot ${operation}: limit is ${nameOf(value)}, expected an integer that is not negative`,
  );
}

function checkSignal(value: unknown, operation: string): void {
  if (typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value) {
    return;
  }
  throw new TypeError(`Cannot ${operation}: signal is ${nameOf(value)}, expected an AbortSignal`);
}
