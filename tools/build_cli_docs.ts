/**
 * Writes docs/cli.md from the help of the program; `--check` only compares.
 *
 * @module
 */

import { createProgram } from "../src/cli/program.ts";
import type { Terminal } from "../src/cli/terminal.ts";

const FILE = new URL("../docs/cli.md", import.meta.url);

/** A terminal that nobody uses: only the help is wanted. */
const NOBODY: Terminal = {
  env: {},
  isInput: false,
  isOutput: false,
  isError: false,
  columns: 100,
  signal: new AbortController().signal,
  write: () => Promise.resolve(),
  tell: () => Promise.resolve(),
  async *read() {},
  ask: () => Promise.resolve(""),
  edit: () => Promise.resolve(1),
};

/** The text of docs/cli.md. */
export function cliDocs(): string {
  const program = createProgram(NOBODY);
  const parts = [
    "# json-dict: the dictionary from a shell",
    "",
    "This page is the help of the program, `json-dict help VERB`. `deno task cli:docs` writes it; do not edit it.",
    "",
    "```text",
    help(program),
    "```",
  ];
  for (const command of program.commands) {
    // The options of the program stand once, above.
    const own = help(command).replace(/\nGlobal Options:\n(?: {2}.*\n)+/, "");
    parts.push("", `## ${command.name()}`, "", "```text", own, "```");
  }
  return `${parts.join("\n")}\n`;
}

function help(command: ReturnType<typeof createProgram>): string {
  let text = "";
  command.configureOutput({ writeOut: (piece) => text += piece });
  command.outputHelp();
  return text.trimEnd();
}

if (import.meta.main) {
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(FILE, cliDocs());
  else if (await Deno.readTextFile(FILE) !== cliDocs()) {
    console.error("docs/cli.md is out of step with the help: run `deno task cli:docs`");
    Deno.exit(1);
  }
}
