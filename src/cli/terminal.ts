/**
 * The terminal, or the pipes: all that a command reads and writes, so that a test can take its place.
 *
 * @module
 */

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
}

/**
 * The terminal of this process.
 *
 * @param signal Aborts with Ctrl-C.
 * @returns The terminal.
 */
export function processTerminal(signal: AbortSignal): Terminal {
  const { stdin, stdout, stderr, env } = process;
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
  };
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
