/**
 * Following changes: watch.
 *
 * @module
 */

import { encode } from "../data/encoder.ts";
import { changesOf } from "./changes.ts";
import type { Command } from "./commander.ts";
import type { Connection } from "./connection.ts";
import { ended, wrongUsage } from "./failure.ts";
import { parsePlace, toPointer } from "./place.ts";
import { paintFor, type Role, visible } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { onServer, optionsOf, type Verb } from "./verb.ts";

const EXACT = { bigints: true };

/** One step of a value: what it is now, nothing if it is gone. */
interface Step {
  /** The place as a JSON Pointer, key first. */
  readonly place: string;
  readonly value: unknown;
}

/** Prints values as they change. */
export const addWatch: Verb = (program, terminal) => {
  program.command("watch [path]")
    .summary("print values as they change")
    .description(
      "Prints a value, or a part of one, and then each other value that it has, whoever writes it. Without a path it " +
        "prints each item of the dictionary that changes. It ends with Ctrl-C, or with --count. Of several changes in a " +
        "moment it may show only the last. In a pipe, each step is one JSON object in a line, without a value if there " +
        "is none; on a terminal it is what has changed since the step before.",
    )
    .option("-n, --count <number>", "end after so many steps")
    .addHelpText("after", "\nExample:\n  json-dict watch sample.positions")
    .action(async (place: string | undefined, options: { count?: string }, command: Command) => {
      const count = readCount(options.count);
      const path = place === undefined ? undefined : parsePlace(place);
      const isJson = optionsOf(command).json === true || !terminal.isOutput;
      await onServer(command, terminal, async (connection) => {
        const steps = path === undefined
          ? itemSteps(connection, terminal.signal)
          : placeSteps(connection, path, terminal.signal);
        const before = new Map<string, unknown>();
        let left = count;
        // Nothing may come for a long time: say that it waits.
        if (path === undefined && !isJson && terminal.isError) {
          await terminal.tell(`${paintFor(terminal, true)("dim", "Waiting for changes; Ctrl-C ends it")}\n`);
        }
        for await (const step of steps) {
          await terminal.write(isJson ? lineOf(step) : show(step, before, terminal));
          if (--left === 0) return;
        }
        if (terminal.signal.aborted) throw ended();
      });
    });
};

function readCount(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw wrongUsage(`Cannot watch: --count is ${JSON.stringify(text)}, expected a positive integer`);
}

async function* placeSteps(
  { dict }: Connection,
  path: ReturnType<typeof parsePlace>,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  for await (const value of dict.at(...path).watch({ signal })) yield { place: toPointer(path), value };
}

async function* itemSteps({ dict }: Connection, signal: AbortSignal): AsyncGenerator<Step> {
  for await (const { key, value } of dict.watch({ signal })) yield { place: toPointer([key]), value };
}

function lineOf({ place, value }: Step): string {
  const text = value === undefined ? "" : `,"value":${encode(value, EXACT)}`;
  return `{"path":${JSON.stringify(place)}${text}}\n`;
}

/** What has changed at a place since it was shown last; all of it the first time. */
function show({ place, value }: Step, before: Map<string, unknown>, terminal: Terminal): string {
  const paint = paintFor(terminal, terminal.isOutput);
  const old = before.get(place);
  const line = (role: Role, sign: string, inside: string, detail: string): string => {
    const text = visible(`${sign} ${place}${inside}  ${detail}`);
    const { columns } = terminal;
    return `${paint(role, text.length < columns ? text : `${text.slice(0, columns - 4)}...`)}\n`;
  };
  if (value === undefined) {
    before.delete(place);
    return line("bad", "-", "", "gone");
  }
  before.set(place, value);
  if (old === undefined) return line("good", "+", "", encode(value, EXACT));
  return changesOf(old, value).map(({ kind, path, before, after }) => {
    const inside = path.length === 0 ? "" : toPointer(path);
    if (kind === "remove") return line("bad", "-", inside, encode(before, EXACT));
    if (kind === "replace") {
      return line("warning", "~", inside, `${encode(before, EXACT)} -> ${encode(after, EXACT)}`);
    }
    return line("good", "+", inside, encode(after, EXACT));
  }).join("");
}
