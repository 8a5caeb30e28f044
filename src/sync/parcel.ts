/**
 * Parcels: errors as plain data, which cross from the worker to the caller and are errors of the same class again.
 *
 * @module
 */

import {
  AmbiguousResultError,
  CrossSlotError,
  DurabilityError,
  TimeoutError,
  UnavailableError,
} from "../errors/delivery.ts";
import type { Verdict } from "../errors/delivery.ts";
import { ConflictError, PatchError, StaleError } from "../errors/edit.ts";
import { JsonDictError } from "../errors/error.ts";
import {
  CorruptValueError,
  IndexOutOfRangeError,
  KeyNotFoundError,
  LimitError,
  NumberRangeError,
  PathNotFoundError,
  TypeMismatchError,
  WrongTypeError,
} from "../errors/value.ts";

/** An error as plain data. */
export interface Parcel {
  /** The name of its class. */
  readonly name: string;
  readonly message: string;
  /** What its class is made from; nothing for errors of the runtime. */
  readonly data: Readonly<Record<string, unknown>> | undefined;
  readonly cause: Parcel | undefined;
  /** The number under which the worker keeps it, if it can be resolved. */
  readonly kept: number | undefined;
}

/** The classes that are made from one object. */
const CLASSES: ReadonlyMap<string, new (data: never) => JsonDictError> = new Map(
  [
    ...[AmbiguousResultError, CrossSlotError, DurabilityError, TimeoutError, UnavailableError],
    ...[ConflictError, PatchError, CorruptValueError, IndexOutOfRangeError, KeyNotFoundError, LimitError],
    ...[NumberRangeError, PathNotFoundError, StaleError, TypeMismatchError, WrongTypeError],
  ].map((Class) => [Class.prototype.name, Class as new (data: never) => JsonDictError]),
);

/** The classes of the runtime that a caller may tell apart. */
const NATIVE: ReadonlyMap<string, new (message: string, options?: ErrorOptions) => Error> = new Map(
  [TypeError, RangeError, SyntaxError].map((Class) => [Class.name, Class]),
);

/**
 * Packs an error.
 *
 * @param error What was thrown.
 * @param keep Keeps an error that can be resolved, and returns its number.
 * @returns Plain data.
 */
export function pack(error: unknown, keep: (error: AmbiguousResultError) => number): Parcel {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), data: undefined, cause: undefined, kept: undefined };
  }
  const { name, message } = error;
  const cause = error.cause === undefined ? undefined : pack(error.cause, keep);
  const canResolve = error instanceof AmbiguousResultError && error.callId !== undefined;
  const kept = canResolve ? keep(error) : undefined;
  return { name, message, data: error instanceof JsonDictError ? dataOf(error) : undefined, cause, kept };
}

/** What an error was made from. Some of it is not shown when it is printed, and so stands in no property of its own. */
function dataOf(error: JsonDictError): Record<string, unknown> {
  const data: Record<string, unknown> = { ...error };
  delete data.code;
  delete data.key;
  if (error instanceof CorruptValueError) data.text = error.text;
  if (error instanceof DurabilityError) data.result = error.result;
  return data;
}

/**
 * Unpacks an error.
 *
 * @param parcel What `pack` returned.
 * @param resolve Finds out what became of the call whose error has that number.
 * @returns An error of the same class, with the stack of the caller.
 */
export function unpack(parcel: Parcel, resolve: (kept: number) => Verdict): Error {
  const { name, message, data, kept } = parcel;
  const cause = parcel.cause === undefined ? {} : { cause: unpack(parcel.cause, resolve) };
  const Class = CLASSES.get(name);
  if (Class !== undefined && data !== undefined) {
    const whole: Record<string, unknown> = { ...data, ...cause };
    if (kept !== undefined) {
      whole.record = { callId: data.callId, resolve: () => Promise.resolve().then(() => resolve(kept)) };
    }
    const error = reword(new Class(whole as never), message);
    if (kept !== undefined) defineHidden(error, "resolve", () => resolve(kept));
    return error;
  }
  const Native = NATIVE.get(name);
  if (Native !== undefined) return new Native(message, cause);
  const error = new Error(message, cause);
  if (name !== "Error") defineHidden(error, "name", name);
  return error;
}

/** Lets an error say what the other one said, where its class would word it in another way. */
function reword(error: Error, message: string): Error {
  if (error.message === message) return error;
  const stack = error.stack?.replace(error.message, () => message);
  defineHidden(error, "message", message);
  defineHidden(error, "stack", stack);
  return error;
}

function defineHidden(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, configurable: true, writable: true });
}
