/**
 * Runs `json-dict`: in this process with a terminal that a test plays, or as a process of its own.
 *
 * @module
 */

import { runProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What a run of the program came to. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How it is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** A terminal, or pipes, that keep what is written. */
export class TestTerminal implements Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isInput: boolean;
  readonly isOutput: boolean;
  readonly isError: boolean;
  readonly columns = 80;
  readonly interruption = new AbortController();
  readonly #input: string;
  readonly #answers: string[];
  out = "";
  err = "";

  /**
   * @param env The environment.
   * @param person What a person answers who sits there; pipes when left out.
   * @param input What is piped in.
   */
  constructor(env: Readonly<Record<string, string>>, person?: readonly string[], input = "") {
    this.env = env;
    this.isInput = this.isOutput = this.isError = person !== undefined;
    this.#answers = [...person ?? []];
    this.#input = input;
  }

  get signal(): AbortSignal {
    return this.interruption.signal;
  }

  write(text: string): Promise<void> {
    this.out += text;
    return Promise.resolve();
  }

  tell(text: string): Promise<void> {
    this.err += text;
    return Promise.resolve();
  }

  async *read(): AsyncGenerator<string> {
    yield await Promise.resolve(this.#input);
  }

  ask(question: string): Promise<string> {
    this.err += question;
    const answer = this.#answers.shift();
    if (answer === undefined) return Promise.reject(new Error(`Nobody answers: ${question}`));
    return Promise.resolve(answer);
  }

  /** What a person does in the editor, one after the other: makes one text of another. */
  edits: ((text: string) => string | Promise<string>)[] = [];

  async edit(file: string): Promise<number> {
    const act = this.edits.shift();
    if (act === undefined) return 1;
    await Deno.writeTextFile(file, await act(await Deno.readTextFile(file)));
    return 0;
  }
}

/** Runs the program in this process. */
export async function runHere(terminal: TestTerminal, ...args: readonly string[]): Promise<Ended> {
  const code = await runProgram(args, terminal);
  return { code, out: terminal.out, err: terminal.err };
}

/** Runs the program as a process, with pipes. */
export async function runProcess(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = startProcess(args, options.env ?? {});
  const writer = child.stdin.getWriter();
  // A program that does not read its input may be gone already.
  await writer.write(new TextEncoder().encode(options.input ?? "")).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

/** Starts the program as a process, with pipes. */
export function startProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", ...flags, `${ROOT}cli.ts`, ...args],
    cwd: ROOT,
    clearEnv: true,
    env: { ...inherited(), ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** What a program needs to start; REDIS_URL and the like only where a test says so. */
function inherited(): Record<string, string> {
  const names = ["PATH", "HOME", "DENO_DIR", "NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG", "TMPDIR"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}
