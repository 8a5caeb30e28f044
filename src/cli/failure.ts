/**
 * How a command ends other than well: its exit code, and one line for a person.
 *
 * @module
 */

import { AmbiguousResultError } from "../errors/delivery.ts";
import { JsonDictError } from "../errors/error.ts";
import { KeyNotFoundError, PathNotFoundError } from "../errors/value.ts";
import { CommanderError } from "./commander.ts";
import { visible } from "./style.ts";

/** What the exit codes mean; the help shows it. */
export const EXIT_CODES: Readonly<Record<string, string>> = {
  0: "done",
  1: "failed: the server, the data, or a conflict; the message says what was changed, if anything",
  2: "wrong arguments; nothing was sent",
  3: "not found, or not the same (diff)",
  130: "ended by Ctrl-C",
};

/** A command that failed for a reason of its own. */
export class Failure extends Error {
  /** The exit code. */
  readonly code: number;

  /**
   * @param message One line.
   * @param code The exit code.
   */
  constructor(message: string, code: number = 1) {
    super(message);
    this.code = code;
  }
}

/** Wrong arguments. */
export function wrongUsage(message: string): Failure {
  return new Failure(message, 2);
}

/** Ended by Ctrl-C. */
export function interrupted(state: string = "nothing was changed"): Failure {
  return new Failure(`Interrupted: ${state}`, 130);
}

/** Ended by Ctrl-C, where that is the only end: nothing is said of it. */
export function ended(): Failure {
  return new Failure("", 130);
}

/**
 * What was thrown, with what was done before.
 *
 * @param error What was thrown.
 * @param signal That of the terminal.
 * @param done What was done, or nothing if that is said already.
 * @returns A failure; it is one by Ctrl-C if the signal is aborted.
 */
export function failureOf(error: unknown, signal: AbortSignal, done?: string): unknown {
  if (error instanceof Failure && done === undefined) return error;
  const isByUser = signal.aborted && error === signal.reason;
  if (isByUser || error instanceof Failure && error.code === 130) return interrupted(done);
  const isLost = signal.aborted && error instanceof AmbiguousResultError; // the call was in flight
  if (!isLost && done === undefined) return error;
  const state = [messageOf(error), ...done === undefined ? [] : [done]].join("; ");
  const code = exitCodeOf(error);
  return isLost ? interrupted(state) : new Failure(state, code === 2 ? 1 : code); // 2: nothing was sent
}

/** The message of what was thrown, with advice that is of use in a shell. */
export function messageOf(error: unknown): string {
  if (isTooDeep(error)) return "Cannot go on: the data is nested too deeply for this command";
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof AmbiguousResultError
    ? message.replace(/; resolve\(\) of this error finds out$/, "; read the value before trying again")
    : message;
}

/** Whether the stack of calls has overflown. */
function isTooDeep(error: unknown): boolean {
  return error instanceof RangeError && /call stack/.test(error.message);
}

/**
 * The exit code for what was thrown.
 *
 * @param error What was thrown.
 * @returns A key of {@linkcode EXIT_CODES}.
 */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Failure) return error.code;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof KeyNotFoundError || error instanceof PathNotFoundError) return 3;
  if (error instanceof JsonDictError || isTooDeep(error)) return 1;
  return error instanceof TypeError || error instanceof RangeError ? 2 : 1;
}

/**
 * One line for what was thrown.
 *
 * @param error What was thrown.
 * @returns Its message without line breaks, without what drives a terminal, and without what may be a password.
 */
export function lineOf(error: unknown): string {
  const line = messageOf(error).replace(/^error: /, "").replace(/\s*\n\s*/g, " ").trim();
  return withoutSecrets(visible(line));
}

/** An address that was typed in the wrong place may hold a password. */
function withoutSecrets(text: string): string {
  return text.replace(/:\/\/\S*@/g, "://***@");
}
