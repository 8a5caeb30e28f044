/**
 * Tasks: what a method does, before anybody has decided how to wait for it.
 *
 * @module
 */

import { type Refusal, toError } from "../call/answer.ts";
import type { Op, Read } from "../data/op.ts";
import type { CallOptions } from "../run/cancellation.ts";
import { ask, type Steps } from "../store/request.ts";

/** One call of a method, with checked arguments. A dictionary drives its steps by promises, a blocking one by waiting. */
export interface Task<R> {
  /** What may end the call. */
  readonly options: CallOptions | undefined;
  /** What it does. */
  readonly steps: Steps<R>;
}

/** Applies one op; `operation` is the method that the caller used. Returns its result, `""` for none. */
export function* applyOp(op: Op, operation: string = op.kind): Steps<string> {
  const outcome = yield* ask("apply", { group: [op], operation });
  if ("refusal" in outcome) throw toError(op, outcome.refusal, operation);
  return outcome.results[0];
}

/** Applies one op that tells whether it did something. */
export function* applied(op: Op): Steps<boolean> {
  return (yield* applyOp(op)) === "true";
}

/** Reads one place; refusals are thrown. `operation` is the method that the caller used. */
export function* readOp(read: Read, operation: string = read.kind): Steps<string> {
  const result = yield* ask("read", { read, operation });
  if (typeof result !== "string") throw toError(read, result, operation);
  return result;
}

/** Reads one place that may be missing. */
export function* findOp(read: Read): Steps<string | undefined> {
  const result = yield* ask("read", { read });
  if (typeof result === "string") return result;
  if (isMiss(result)) return undefined;
  throw toError(read, result);
}

/** Whether a read found nothing: no such key, or nothing at the place. */
export function isMiss({ code }: Refusal): boolean {
  return code === "NO_KEY" || code === "NOT_FOUND";
}
