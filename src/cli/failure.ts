/**
 * How a command ends other than well: its exit code, and one line for a person.
 *
 * @module
 */

import { JsonDictError } from "../errors/error.ts";
import { KeyNotFoundError, PathNotFoundError } from "../errors/value.ts";
import { CommanderError } from "./commander.ts";

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
  if (error instanceof JsonDictError) return 1;
  return error instanceof TypeError || error instanceof RangeError ? 2 : 1;
}

/**
 * One line for what was thrown.
 *
 * @param error What was thrown.
 * @returns Its message without line breaks and without what may be a password.
 */
export function lineOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return withoutSecrets(message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ").trim());
}

/** An address that was typed in the wrong place may hold a password. */
function withoutSecrets(text: string): string {
  return text.replace(/:\/\/\S*@/g, "://***@");
}
