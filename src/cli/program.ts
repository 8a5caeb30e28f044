/**
 * The program `json-dict`: its verbs, and how it ends.
 *
 * @module
 */

import { Command, CommanderError } from "./commander.ts";
import { EXIT_CODES, exitCodeOf, lineOf } from "./failure.ts";
import { addCompletion } from "./completion.ts";
import { addDiff } from "./diff.ts";
import { addDump } from "./dump.ts";
import { addDoctor } from "./doctor.ts";
import { addEdit } from "./edit.ts";
import { addInspect } from "./inspect.ts";
import { addLs } from "./list.ts";
import { addRestore } from "./restore.ts";
import { paintFor } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { addDel, addGet, addIncr, addMerge, addPatch, addPush, addSet } from "./values.ts";
import type { Verb } from "./verb.ts";
import { addWatch } from "./watch.ts";

/** All verbs, in the order of the help. */
const VERBS: readonly Verb[] = [
  ...[addGet, addSet, addDel, addLs, addPush, addIncr, addMerge, addPatch, addEdit, addWatch, addInspect],
  ...[addDump, addRestore, addDiff, addDoctor, addCompletion],
];

const DESCRIPTION = `Look at and change the JSON values of a dictionary in Redis.

A path is written sample.positions[-1], or as the JSON Pointer /sample/positions/-1.
Its first part is the key, without the prefix.`;

const ENVIRONMENT = `
Environment:
  REDIS_URL         where the server is; unlike --url it shows a password to nobody
  JSON_DICT_PREFIX  the prefix
  NO_COLOR          no colours

Exit codes:
${Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code.padEnd(5)}${meaning}`).join("\n")}`;

/**
 * Makes the program.
 *
 * @param terminal Where it reads and writes.
 * @param texts Collects what the parser writes; it writes without waiting.
 * @returns The program.
 */
export function createProgram(terminal: Terminal, texts: string[] = []): Command {
  const program = new Command("json-dict");
  program
    .description(DESCRIPTION)
    .option("--url <address>", "where the server is; several addresses with commas for a cluster")
    .option("--prefix <text>", 'what stands before each key in Redis; "" for all keys')
    .option("--timeout <duration>", "how long one call may take", "10s")
    .option("--json", "write JSON, on a terminal too")
    .option("-y, --yes", "do not ask before something is deleted or replaced")
    .addHelpText("after", ENVIRONMENT)
    .helpCommand("help [verb]", "display help for a verb");
  program.configureHelp({ showGlobalOptions: true, helpWidth: terminal.isOutput ? terminal.columns : 100 });
  for (const add of VERBS) add(program, terminal);
  for (const command of [program, ...program.commands]) {
    command.exitOverride((error) => {
      throw withHelp(error, command.name());
    }).configureOutput({
      writeOut: (text) => texts.push(text),
      writeErr: (text) => texts.push(text),
      outputError: () => {}, // it is thrown, too
    });
  }
  return program;
}

/** Says which help to read where the parser only says what is wrong. */
function withHelp(error: CommanderError, name: string): CommanderError {
  if (error.exitCode === 0 || /Did you mean/.test(error.message)) return error;
  const help = name === "json-dict" ? "json-dict help" : `json-dict help ${name}`;
  return new CommanderError(error.exitCode, error.code, `${error.message.replace(/\.$/, "")}; see ${help}`);
}

/**
 * Runs the program.
 *
 * @param args The arguments, without the name of the program.
 * @param terminal Where it reads and writes.
 * @returns The exit code.
 */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  const texts: string[] = [];
  try {
    await createProgram(terminal, texts).parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    return await end(error, args, texts, terminal);
  }
}

async function end(
  error: unknown,
  args: readonly string[],
  texts: readonly string[],
  terminal: Terminal,
): Promise<number> {
  // case: `json-dict ls | head`: nobody reads any more, which is no failure.
  if ((Object(error) as { code?: unknown }).code === "EPIPE") return 0;
  const code = exitCodeOf(error);
  try {
    if (code === 0) await terminal.write(texts.join(""));
    else if (args.length === 0) await terminal.tell(texts.join(""));
    else if (lineOf(error) !== "") {
      const paint = paintFor(terminal, terminal.isError);
      await terminal.tell(`${paint("bad", "json-dict:")} ${lineOf(error)}\n`);
    }
  } catch {
    // Nobody reads that either.
  }
  return code;
}
