/**
 * Verbs: what all commands have in common.
 *
 * @module
 */

import { decode } from "../data/decoder.ts";
import { KeyNotFoundError } from "../errors/value.ts";
import type { Command } from "./commander.ts";
import { connect, type Connection, type ServerOptions } from "./connection.ts";
import { exitCodeOf, Failure, failureOf, interrupted, wrongUsage } from "./failure.ts";
import { readAll, type Terminal } from "./terminal.ts";

/** The options that every command takes. */
export interface GlobalOptions extends ServerOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** Adds one or more commands to the program. */
export type Verb = (program: Command, terminal: Terminal) => void;

/**
 * The options of a command, with those of the program.
 *
 * @typeParam O The options of the command itself.
 * @param command The command.
 * @returns What the user gave.
 */
export function optionsOf<O>(command: Command): O & GlobalOptions {
  return command.optsWithGlobals() as O & GlobalOptions;
}

/**
 * Runs something on a connection, and closes it.
 *
 * @param command The command, for its options.
 * @param terminal The terminal.
 * @param act What to do.
 */
export async function onServer(
  command: Command,
  terminal: Terminal,
  act: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await connect(optionsOf(command), terminal);
  try {
    await act(connection);
  } catch (error) {
    throw failureOf(withoutPrefix(error, connection.prefix), terminal.signal);
  } finally {
    await connection[Symbol.asyncDispose]();
  }
}

/** Helps those who write the name that the key has in Redis. */
function withoutPrefix(error: unknown, prefix: string): unknown {
  const isLikely = error instanceof KeyNotFoundError && prefix !== "" && error.key.startsWith(prefix);
  if (!isLikely) return error;
  const problem = error.message.replace(/; create it with set first$/, "");
  return new Failure(
    `${problem}; write keys without the prefix ${JSON.stringify(prefix)}`,
    exitCodeOf(error),
  );
}

/**
 * Asks before something is destroyed.
 *
 * @param command The command, for `--yes`.
 * @param terminal The terminal.
 * @param act What would be done, as "delete 3 values".
 * @throws {Failure} If the answer is not yes, or nobody can be asked.
 */
export async function confirm(command: Command, terminal: Terminal, act: string): Promise<void> {
  if (optionsOf(command).yes) return;
  if (!terminal.isInput || !terminal.isError) {
    throw wrongUsage(`Cannot ${act} without asking: nobody can answer here; write --yes`);
  }
  const answer = await terminal.ask(`${act[0].toUpperCase()}${act.slice(1)}? [y/N] `).catch((error) => {
    throw terminal.signal.aborted ? interrupted() : error;
  });
  if (!/^y(?:es)?$/i.test(answer.trim())) throw wrongUsage(`Did not ${act}: the answer was not yes`);
}

/**
 * Takes a value from the command line, or from the input.
 *
 * @param terminal The terminal.
 * @param text What the user wrote; `-`, or nothing in a pipe, is the input.
 * @param isString Whether the text itself is the value.
 * @returns The value; long integers as `bigint`.
 * @throws {Failure} If there is none, or it is not JSON.
 */
export async function takeValue(
  terminal: Terminal,
  text: string | undefined,
  isString: boolean = false,
): Promise<unknown> {
  if (text === undefined && terminal.isInput) {
    throw wrongUsage("Cannot read the value: there is none; write it behind the path, or pipe it in");
  }
  const isPiped = text === undefined || text === "-";
  const whole = isPiped ? await readAll(terminal) : text;
  return isString ? whole.replace(isPiped ? /\n$/ : /$^/, "") : parseValue(whole);
}

/**
 * Reads JSON that a user wrote.
 *
 * @param text The text.
 * @returns The value; long integers as `bigint`.
 * @throws {Failure} If it is not JSON.
 */
export function parseValue(text: string): unknown {
  try {
    return decode(text, { bigints: true });
  } catch {
    throw wrongUsage(
      `Cannot read the value: it is not JSON; a string is written '"text"', or as text with --string`,
    );
  }
}
