/**
 * The part of `@std/assert` that the tests use, over `node:assert`, for machines that cannot reach JSR.
 *
 * A test that passes with one passes with the other: what counts as equal is the same, with its surprises: 0 equals -0,
 * and an object without a prototype equals a plain one. `assertSame` in `tests/support/same.ts` is strict.
 *
 * @module
 */

import { AssertionError, deepStrictEqual } from "node:assert/strict";

export { AssertionError };

// `never[]` lets a class with any constructor in.
type ErrorClass<E extends Error> = new (...args: never[]) => E;

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = "Expected a truthy value"): asserts expr {
  if (!expr) fail(msg);
}

/** Fails unless the two are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isEqual(actual, expected, new Map())) return;
  deepStrictEqual(actual, expected, msg); // shows the difference
  fail(msg ?? `Expected ${Deno.inspect(expected)}, received ${Deno.inspect(actual)}`);
}

/** Fails if the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isEqual(actual, expected, new Map())) {
    fail(msg ?? `Expected something else than ${Deno.inspect(actual)}`);
  }
}

/** Fails unless the two are the same by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    throw new AssertionError({ message: msg, actual, expected, operator: "strictEqual" });
  }
}

/** Fails if `actual` is null or undefined. */
export function assertExists<T>(actual: T, msg = "Expected a value"): asserts actual is NonNullable<T> {
  if (actual === null || actual === undefined) fail(msg);
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T extends abstract new (...args: never[]) => unknown>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expectedType)) {
    fail(msg ?? `Expected a ${expectedType.name}, received ${describe(actual)}`);
  }
}

/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) fail(msg ?? `Expected ${JSON.stringify(actual)} to match ${expected}`);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    fail(msg ?? `Expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`);
  }
}

/** Fails. */
export function fail(msg = "Failed"): never {
  throw new AssertionError({ message: msg, operator: "fail" });
}

type Members = Record<PropertyKey, unknown>;

/** @param pairs What is being compared further out, so that cycles end. */
function isEqual(a: unknown, b: unknown, pairs: Map<unknown, unknown>): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  const prototypes = [a, b].map((it) => Object.getPrototypeOf(it) ?? Object.prototype);
  if (prototypes[0] !== prototypes[1]) return false;
  if ([RegExp, URL].some((type) => a instanceof type)) return String(a) === String(b);
  if (pairs.get(a) === b) return true;
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  pairs.set(a, b);
  if (a instanceof Map && b instanceof Map || a instanceof Set && b instanceof Set) {
    const others = [...b.entries()];
    return a.size === b.size && [...a.entries()].every((entry) => {
      const [key] = entry;
      // What is looked up is found at once; only objects as keys are searched for.
      if (typeof key !== "object" || key === null) {
        return b.has(key) && (a instanceof Set || isEqual(a.get(key), (b as typeof a).get(key), pairs));
      }
      return others.some((other) => isEqual(entry, other, pairs));
    });
  }
  return [...new Set([...namesOf(a), ...namesOf(b)])].every((name) =>
    name in a === name in b && isEqual((a as Members)[name], (b as Members)[name], pairs)
  );
}

/** What is compared: of a plain object or array what is enumerable; of others everything, and that of their class. */
function namesOf(value: object): PropertyKey[] {
  const isPlain = (it: object | null) => it === null || it === Object.prototype || it === Array.prototype;
  if (isPlain(Object.getPrototypeOf(value))) {
    return Reflect.ownKeys(value).filter((name) => Object.prototype.propertyIsEnumerable.call(value, name));
  }
  const names: PropertyKey[] = [];
  for (let it = value; !isPlain(it); it = Object.getPrototypeOf(it)) names.push(...Reflect.ownKeys(it));
  return names;
}

/** Fails unless `fn` throws; returns what was thrown. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  errorClassOrMsg?: ErrorClass<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const outcome = { thrown: false, error: undefined as unknown };
  try {
    fn();
  } catch (error) {
    outcome.thrown = true;
    outcome.error = error;
  }
  return checkThrown(outcome, "throw", errorClassOrMsg, msgIncludes, msg);
}

/** Fails unless the promise of `fn` rejects; returns the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorClass<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const outcome = { thrown: false, error: undefined as unknown };
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    fail(`Expected a promise that rejects, but the function threw at once: ${describe(error)}`);
  }
  if (typeof promise?.then !== "function") {
    fail(`Expected a promise that rejects, but the function returned ${describe(promise)}`);
  }
  try {
    await promise;
  } catch (error) {
    outcome.thrown = true;
    outcome.error = error;
  }
  return checkThrown(outcome, "reject", errorClassOrMsg, msgIncludes, msg);
}

function checkThrown(
  outcome: { readonly thrown: boolean; readonly error: unknown },
  verb: "throw" | "reject",
  errorClassOrMsg: ErrorClass<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): unknown {
  const note = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  const suffix = note === undefined ? "" : `: ${note}`;
  if (!outcome.thrown) fail(`Expected the function to ${verb}${suffix}`);
  if (typeof errorClassOrMsg === "function") {
    const { error } = outcome;
    if (!(error instanceof errorClassOrMsg)) {
      fail(`Expected a ${errorClassOrMsg.name}, received ${describe(error)}${suffix}`);
    }
    if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
      fail(
        `Expected the message to contain ${JSON.stringify(msgIncludes)}, received ${
          describe(error)
        }${suffix}`,
      );
    }
  }
  return outcome.error;
}

function describe(value: unknown): string {
  return value instanceof Error ? `${value.name}: ${value.message}` : Deno.inspect(value);
}
