/**
 * The inspector: inspect.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Command } from "./commander.ts";
import { ended, wrongUsage } from "./failure.ts";
import { InspectServer, readPort } from "./inspect_server.ts";
import { Inspector } from "./inspector.ts";
import { paintFor, visible } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { onServer, optionsOf, type Verb } from "./verb.ts";

interface InspectOptions {
  readonly port?: string;
  readonly open?: boolean;
  readonly readOnly?: boolean;
  readonly separator: string;
}

/** Serves a page that shows the dictionary. */
export const addInspect: Verb = (program, terminal) => {
  program.command("inspect")
    .summary("look at the dictionary, and change it, in a browser")
    .description(
      "Serves a page, to this machine only, that shows keys and values and their changes as they happen, and lets you " +
        "change values in place. Prints its address, which holds a secret: who has it can do on the page what you can. " +
        "It ends with Ctrl-C.",
    )
    .option("--open", "open the browser")
    .option("--read-only", "refuse all changes by the page")
    .option("--port <number>", "where to listen on 127.0.0.1; any port that is free by default")
    .option("--separator <text>", "what separates the parts of keys", ":")
    .addHelpText("after", "\nExample:\n  json-dict inspect --open")
    .action(async (options: InspectOptions, command: Command) => {
      const port = readPort(options.port);
      const { separator, readOnly = false } = options;
      if (separator === "") throw wrongUsage("Cannot inspect: the separator is empty");
      await onServer(command, terminal, async (connection) => {
        const { address, prefix } = connection;
        const about = { address, prefix, separator, readOnly };
        const server = new InspectServer(new Inspector(connection), about);
        const page = await server.listen(port);
        let open: Opening | undefined;
        try {
          if (options.open) open = await openBrowser(page);
          await announce(terminal, page, about, optionsOf(command).json === true);
          if (open?.problem) await terminal.tell(`${open.problem}\n`);
          await aborted(terminal.signal);
        } finally {
          await server.close();
          await open?.remove();
        }
        throw ended();
      });
    });
};

async function announce(
  terminal: Terminal,
  page: string,
  about: { readonly address: string; readonly prefix: string; readonly readOnly: boolean },
  isJson: boolean,
): Promise<void> {
  if (isJson || !terminal.isOutput) return await terminal.write(`${JSON.stringify({ url: page })}\n`);
  const paint = paintFor(terminal, true);
  const what = visible(`${about.address}, prefix ${JSON.stringify(about.prefix)}`);
  await terminal.write(
    `${paint("good", page)}\n` +
      `${paint("dim", `${what}${about.readOnly ? ", read-only" : ""}; Ctrl-C ends it`)}\n`,
  );
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** A browser that was opened. */
interface Opening {
  readonly problem?: string;
  /** Removes what led to the page. */
  remove(): Promise<void>;
}

/** Opens the browser on a file that leads to the page: a list of processes shows the arguments of the browser to all. */
async function openBrowser(page: string): Promise<Opening> {
  const folder = await mkdtemp(join(tmpdir(), "json-dict-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const file = join(folder, "inspect.html");
    const lead = `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">` +
      `<meta http-equiv="refresh" content="0;url=${page}"><title>json-dict</title>`;
    await writeFile(file, lead, { mode: 0o600 });
    const [command, ...args] = process.platform === "darwin"
      ? ["open", file]
      : process.platform === "win32"
      ? ["explorer", file]
      : ["xdg-open", file];
    const problem = await new Promise<string | undefined>((resolve) => {
      const child = spawn(command, args, { stdio: "ignore", detached: true });
      child.on(
        "error",
        () => resolve(`Cannot open a browser: ${command} does not run; open the address yourself`),
      );
      child.on("spawn", () => resolve(undefined));
      child.unref();
    });
    return { remove, ...problem === undefined ? {} : { problem } };
  } catch (error) {
    await remove();
    throw error;
  }
}
