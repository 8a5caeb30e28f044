/**
 * The program `json-dict`, which looks at and changes a dictionary from a shell.
 *
 * ```sh
 * deno run -A jsr:@json-dict/redis/cli --prefix lab: ls
 * npx @json-dict/redis --prefix lab: ls
 * ```
 *
 * @module
 */

import process from "node:process";
import { runProgram } from "./src/cli/program.ts";
import { processTerminal } from "./src/cli/terminal.ts";

/**
 * Runs the program with the arguments of this process, and ends the process.
 *
 * Ctrl-C stops it between two steps; a second one stops it at once.
 */
export async function main(): Promise<void> {
  process.title = "json-dict"; // on Node, a list of processes shows this in place of the arguments
  console.warn = () => {}; // what ioredis writes there, calls report as far as it matters
  process.exit(await runProgram(process.argv.slice(2), processTerminal()));
}

if (import.meta.main) main(); // no top-level await, so that it can be CommonJS, too
