/**
 * The terminal, or the pipes: all that a command reads and writes, so that a test can take its place.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline/promises";

/** Where a command reads and writes. */
export interface Terminal {
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a person types what is read. */
  readonly isInput: boolean;
  /** Whether a person reads what is written. */
  readonly isOutput: boolean;
  /** Whether a person reads messages. */
  readonly isError: boolean;
  /** How many characters fit in a line. */
  readonly columns: number;
  /** Aborts with Ctrl-C. */
  readonly signal: AbortSignal;
  /** Writes output; resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** Writes a message. */
  tell(text: string): Promise<void>;
  /** Reads the input as text, in pieces. */
  read(): AsyncIterable<string>;
  /** Asks a person, and returns the line. */
  ask(question: string): Promise<string>;
  /** Opens the editor on a file, and returns its exit code; Ctrl-C is its own meanwhile. */
  edit(file: string): Promise<number>;
}

/**
 * The terminal of this process. From here on Ctrl-C no longer ends the process; a second one does, at once.
 *
 * @returns The terminal.
 */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  const interruption = new AbortController();
  const { signal } = interruption;
  let isLent = false;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (isLent && name === "SIGINT") return;
      if (signal.aborted) process.exit(130);
      interruption.abort();
    });
  }
  const write = (stream: NodeJS.WriteStream, text: string): Promise<void> =>
    new Promise((resolve, reject) => stream.write(text, (error) => error ? reject(error) : resolve()));
  // A write reports the failure, as to a pipe that nobody reads any more.
  for (const stream of [stdout, stderr]) stream.on("error", () => {});
  return {
    env,
    signal,
    isInput: stdin.isTTY === true,
    isOutput: stdout.isTTY === true,
    isError: stderr.isTTY === true,
    columns: stdout.columns || 80,
    write: (text) => write(stdout, text),
    tell: (text) => write(stderr, text),
    async *read() {
      const decoder = new TextDecoder("utf-8", { fatal: true });
      for await (const bytes of stdin) yield decoder.decode(bytes, { stream: true });
      yield decoder.decode();
    },
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        return await lines.question(question, { signal });
      } finally {
        lines.close();
      }
    },
    async edit(file) {
      isLent = true;
      try {
        return await runEditor(env.VISUAL || env.EDITOR || "vi", file);
      } finally {
        isLent = false;
      }
    },
  };
}

/** Runs an editor; what the user has named may have arguments, as `code --wait`, so a shell reads it. */
function runEditor(editor: string, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = process.platform === "win32"
      ? spawn(`${editor} "${file}"`, { shell: true, stdio: "inherit" })
      : spawn("sh", ["-c", `${editor} "$@"`, editor, file], { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/**
 * Reads the whole input.
 *
 * @param terminal Where from.
 * @returns The text.
 */
export async function readAll(terminal: Terminal): Promise<string> {
  let text = "";
  for await (const piece of terminal.read()) text += piece;
  return text;
}
