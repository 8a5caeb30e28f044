/**
 * The part of `@std/assert` that the tests use, over `node:assert`, for machines that cannot reach JSR.
 *
 * Where the two differ this one is the stricter: a test that passes here passes there.
 *
 * @module
 */

import { AssertionError, deepStrictEqual, notDeepStrictEqual } from "node:assert/strict";

export { AssertionError };

// `never[]` lets a class with any constructor in.
type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = "Expected a truthy value"): asserts expr {
  if (!expr) fail(msg);
}

/** Fails unless the two are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  deepStrictEqual(actual, expected, msg);
}

/** Fails if the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  notDeepStrictEqual(actual, expected, msg);
}

/** Fails unless the two are the same by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    throw new AssertionError({ message: msg, actual, expected, operator: "strictEqual" });
  }
}

/** Fails if the two are the same by `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) {
    throw new AssertionError({ message: msg, actual, expected, operator: "notStrictEqual" });
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
