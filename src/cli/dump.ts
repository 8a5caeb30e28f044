/**
 * Copies in files: dump and restore.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import { toError } from "../call/answer.ts";
import type { SetOp } from "../data/op.ts";
import type { Command } from "./commander.ts";
import type { Connection } from "./connection.ts";
import { type DumpItem, headOf, lineOf, linesOf, readDump, Seal } from "./dump_format.ts";
import { Failure, failureOf, interrupted, wrongUsage } from "./failure.ts";
import { Progress } from "./progress.ts";
import { snapshot } from "./snapshot.ts";
import type { Terminal } from "./terminal.ts";
import { confirm, type GlobalOptions, onServer, optionsOf, type Verb } from "./verb.ts";

/** Writes a dump. */
export const addDump: Verb = (program, terminal) => {
  program.command("dump [file]")
    .summary("copy all values to a file, byte for byte")
    .description(
      "Writes all values of the dictionary, byte for byte, with what is left of their expiry: one JSON object in each " +
        "line, and at the end how many there are and a checksum. It goes to the file, which appears when it is whole, " +
        "or else to the output. Memory does not grow with the values; only the names of the keys are remembered.",
    )
    .option("-f, --force", "replace a file that is there")
    .addHelpText("after", "\nExample:\n  json-dict dump lab.ndjson")
    .action(async (file: string | undefined, options: { force?: boolean }, command: Command) => {
      const target = file === undefined ? undefined : await targetOf(file, options.force === true);
      await onServer(command, terminal, async (connection) => {
        if (target === undefined) await dump(connection, terminal, (text) => writeOut(terminal, text));
        else await dumpTo(target, options.force === true, connection, terminal);
      });
    });
};

/** Writes output. Where nobody reads it any more, the copy is not whole, unlike a list that was long enough. */
async function writeOut(terminal: Terminal, text: string): Promise<void> {
  try {
    await terminal.write(text);
  } catch (error) {
    if ((Object(error) as { code?: string }).code !== "EPIPE") throw error;
    throw new Failure("Cannot dump: nobody reads the output any more, so the copy is not whole");
  }
}

/** The file to write; with `force` the one that a link leads to. */
async function targetOf(file: string, force: boolean): Promise<string> {
  const found = await ifThere(lstat(file), file);
  if (found === undefined) return file;
  const state = await ifThere(stat(file), file);
  if (state !== undefined && !state.isFile()) {
    throw wrongUsage(
      `Cannot dump to ${file}: it is no regular file; leave it out, and use a pipe or > of the shell`,
    );
  }
  if (!force) throw alreadyThere(file);
  if (state === undefined) throw wrongUsage(`Cannot dump to ${file}: it is a link that leads to nothing`);
  return await realpath(file);
}

async function ifThere(work: Promise<Stats>, file: string): Promise<Stats | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((Object(error) as { code?: string }).code === "ENOENT") return undefined;
    throw unreadableFile(file, error);
  }
}

function alreadyThere(file: string): Failure {
  return wrongUsage(`Cannot dump to ${file}: there is such a file; write --force to replace it`);
}

/** Dumps into a new file beside the target, which takes its place when it is whole. */
async function dumpTo(
  target: string,
  force: boolean,
  connection: Connection,
  terminal: Terminal,
): Promise<void> {
  const part = `${target}.${randomUUID()}.part`;
  const publish = async (): Promise<void> => {
    if (!force) {
      // Renaming replaces what is there, so the name is taken first. A hard link would do both, but not on every disk.
      const taken = await open(target, "wx", 0o600).catch((error) => {
        if ((Object(error) as { code?: string }).code === "EEXIST") throw alreadyThere(target);
        throw unreadableFile(target, error);
      });
      await taken.close();
    }
    await rename(part, target).catch(async (error) => {
      if (!force) await rm(target, { force: true });
      throw unreadableFile(target, error);
    });
  };
  // Values are nobody else's business.
  const handle = await open(part, "wx", 0o600).catch((error) => {
    throw unreadableFile(target, error);
  });
  try {
    let unreadable: Unreadable | undefined;
    try {
      await dump(connection, terminal, async (text) => {
        await handle.appendFile(text);
      });
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      unreadable = error;
    }
    await handle.sync();
    await handle.close();
    await publish();
    if (unreadable !== undefined) throw unreadable;
  } finally {
    await handle.close().catch(() => {});
    await rm(part, { force: true });
  }
}

/** Values that no text can hold are not in the dump; all others are. */
class Unreadable extends Failure {}

async function dump(
  connection: Connection,
  terminal: Terminal,
  write: (text: string) => Promise<void>,
): Promise<void> {
  const seal = new Seal();
  const progress = new Progress(terminal, "dumped");
  let unreadable = 0;
  let first = "";
  let lines = headOf(connection.prefix);
  try {
    for await (const found of snapshot(connection, terminal.signal)) {
      if (terminal.signal.aborted) throw interrupted("the dump is not whole");
      if ("unreadable" in found) {
        if (unreadable++ === 0) first = found.unreadable;
        continue;
      }
      const line = lineOf(found.item);
      seal.add(line);
      lines += line;
      if (lines.length < 65_536) continue;
      await write(lines);
      lines = "";
      await progress.at(seal.count);
    }
  } catch (error) {
    if (terminal.signal.aborted) throw interrupted("the dump is not whole");
    throw error;
  } finally {
    await progress.end();
  }
  await write(lines + seal.end());
  if (terminal.isError) await terminal.tell(`${seal.count} dumped\n`);
  if (unreadable === 0) return;
  throw new Unreadable(
    `Dumped ${seal.count} values, but not ${unreadable}, whose bytes are not UTF-8, such as ${
      JSON.stringify(first)
    }`,
  );
}

interface RestoreOptions {
  readonly dryRun?: boolean;
  readonly missing?: boolean;
  readonly unchecked?: boolean;
  readonly skip?: string;
}

/** Reads a dump back. */
export const addRestore: Verb = (program, terminal) => {
  program.command("restore [file]")
    .summary("write the values of a dump")
    .description(
      "Writes the values of a dump, byte for byte, with what was left of their expiry. Values that are there are " +
        "replaced, others stay; it asks first, or needs --yes where nobody can answer. A file is checked as a whole " +
        "before anything is written; what comes from the input is checked at its end. To write the same dump twice " +
        "does no harm.",
    )
    .option("-n, --dry-run", "check the dump, and count what would be written")
    .option("--missing", "write only values that are not there; nothing is replaced")
    .option("--unchecked", "take lines made by hand, without count and checksum")
    .option("--skip <number>", "leave out so many items: to go on where an earlier restore was interrupted")
    .addHelpText("after", "\nExample:\n  json-dict restore lab.ndjson --dry-run")
    .action(async (file: string | undefined, options: RestoreOptions, command: Command) => {
      const skip = readSkip(options.skip);
      const isChecked = !options.unchecked;
      const total = file === undefined ? undefined : await countItems(file, isChecked, terminal.signal);
      if (total !== undefined && skip > total) {
        throw wrongUsage(`Cannot skip ${skip} items: the dump has ${total}`);
      }
      if (!options.dryRun && !options.missing) {
        const what = total === undefined ? "the values of the input" : `${total - skip} values`;
        await confirm(command, terminal, `write ${what}, and replace those that are there`);
      }
      const source = (): AsyncIterable<string> => file === undefined ? terminal.read() : piecesOf(file);
      await onServer(command, terminal, async (connection) => {
        const items = readDump(linesOf(source()), isChecked);
        const again = againWith(file, optionsOf<RestoreOptions>(command));
        const restore = new Restore(connection, terminal, options, total, again);
        await restore.run(items, skip);
      });
    });
};

/** The command that goes on, for a shell. An address that may hold a password is not in it. */
function againWith(
  file: string | undefined,
  { missing, unchecked, prefix, url }: RestoreOptions & GlobalOptions,
): (skip: number) => string {
  const address = url === undefined ? [] : ["--url", /^[\w.:/,-]+$/.test(url) ? url : "(the same address)"];
  const options = [
    ...missing ? ["--missing"] : [],
    ...unchecked ? ["--unchecked"] : [],
    ...prefix === undefined ? [] : ["--prefix", quote(prefix)],
    ...address,
  ];
  const source = file === undefined ? ["< (the same input)"] : [];
  const from = file === undefined ? [] : [quote(file.startsWith("-") ? `./${file}` : file)];
  return (skip) => ["json-dict restore", ...from, "--skip", skip, ...options, ...source].join(" ");
}

/** Quotes a text for a shell. */
function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function readSkip(text: string = "0"): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw wrongUsage(`Cannot skip ${JSON.stringify(text)} items: it is no number`);
  }
  return Number(text);
}

/** How many values, and about how many characters, are written at once. */
const BATCH = 200;
const BATCH_CHARACTERS = 500_000;

/** One run of `restore`. */
class Restore {
  readonly #connection: Connection;
  readonly #terminal: Terminal;
  readonly #options: RestoreOptions;
  readonly #progress: Progress;
  readonly #total: number | undefined;
  readonly #again: (skip: number) => string;
  #replaced = 0;
  #kept = 0;
  /** All items before this one are done. */
  #done = 0;

  constructor(
    connection: Connection,
    terminal: Terminal,
    options: RestoreOptions,
    total: number | undefined,
    again: (skip: number) => string,
  ) {
    this.#connection = connection;
    this.#terminal = terminal;
    this.#options = options;
    this.#total = total;
    this.#again = again;
    this.#progress = new Progress(terminal, options.dryRun ? "checked" : "restored", total);
  }

  async run(items: ReturnType<typeof readDump>, skip: number): Promise<void> {
    let batch: DumpItem[] = [];
    let characters = 0;
    this.#done = skip;
    try {
      for await (const { item, index } of items) {
        if (index < skip) continue;
        batch.push(item);
        characters += item.text.length;
        if (batch.length < BATCH && characters < BATCH_CHARACTERS) continue;
        await this.#write(batch);
        batch = [];
        characters = 0;
      }
      await this.#write(batch);
    } catch (error) {
      throw this.#explain(error, skip);
    } finally {
      await this.#progress.end();
    }
    await this.#report(skip);
  }

  async #write(batch: readonly DumpItem[]): Promise<void> {
    if (this.#terminal.signal.aborted) throw interrupted();
    if (batch.length === 0) return;
    // Of a key that comes twice the last item counts, as one after the other they would.
    const items = [...new Map(batch.map((item) => [item.key, item])).values()];
    if (this.#options.dryRun) {
      const { dict } = this.#connection;
      const found = await Promise.all(items.map(({ key }) => dict.has(key)));
      const there = found.filter((it) => it).length;
      if (this.#options.missing) this.#kept += there;
      else this.#replaced += there;
    } else {
      const { client } = this.#connection;
      const groups = client.nodes === undefined ? [items] : items.map((item) => [item]);
      await Promise.all(groups.map((group) => this.#apply(group)));
    }
    this.#done += batch.length;
    await this.#progress.at(this.#done);
  }

  async #apply(items: readonly DumpItem[]): Promise<void> {
    const when = this.#options.missing ? { when: "absent" as const } : {};
    const ops = items.map(({ key, text, ttl = 0 }): SetOp => ({
      ...{ kind: "set", path: [key], value: text, ...when },
      ...this.#options.missing && ttl === 0 ? {} : { ttl },
    }));
    const outcome = await this.#connection.store.attempt(Object.freeze(ops), "restore");
    if ("refusal" in outcome) {
      throw toError(ops[outcome.refusal.index], outcome.refusal, "restore");
    }
    if (this.#options.missing) this.#kept += outcome.results.filter((text) => text !== "").length;
  }

  /** What failed, and how to go on. */
  #explain(error: unknown, skip: number): unknown {
    if (this.#options.dryRun) return error;
    const isInterrupted = error instanceof Failure && error.code === 130;
    const written = this.#done - skip;
    if (written === 0 && !isInterrupted) return error;
    const of = this.#total === undefined ? "" : ` of ${this.#total - skip}`;
    const state = `${written}${of} items are written; go on with: ${this.#again(this.#done)}`;
    return failureOf(error, this.#terminal.signal, state);
  }

  async #report(skip: number): Promise<void> {
    const count = this.#done - skip;
    const { dryRun, missing } = this.#options;
    const counts = {
      items: count,
      [dryRun ? "wouldWrite" : "written"]: count - this.#kept,
      ...missing ? { kept: this.#kept } : {},
      ...dryRun && !missing ? { wouldReplace: this.#replaced } : {},
    };
    if (!this.#terminal.isOutput) return await this.#terminal.write(`${JSON.stringify(counts)}\n`);
    const kept = missing ? `, ${this.#kept} kept that ${dryRun ? "are" : "were"} there` : "";
    const replaced = dryRun && !missing ? `, ${this.#replaced} of them in place of others` : "";
    await this.#terminal.write(
      `${count - this.#kept} ${dryRun ? "would be written" : "written"}${kept}${replaced}\n`,
    );
  }
}

/** Reads a file in pieces. */
export async function* piecesOf(file: string): AsyncGenerator<string> {
  // A text that was cut in the middle of a character, or is none, is no dump.
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for await (const bytes of createReadStream(file)) yield decoder.decode(bytes, { stream: true });
    yield decoder.decode();
  } catch (error) {
    throw unreadableFile(file, error);
  }
}

/** Reads a whole dump, which shows whether it is one; returns how many items it has. */
export async function countItems(file: string, isChecked: boolean, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const _ of readDump(linesOf(piecesOf(file)), isChecked)) {
    if (signal.aborted) throw interrupted();
    count++;
  }
  return count;
}

function unreadableFile(file: string, error: unknown): Error {
  const { code } = Object(error) as { code?: string };
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA" || error instanceof TypeError && code === undefined) {
    return new Failure(`Cannot read ${file}: it is no text in UTF-8`);
  }
  if (code === undefined) return error as Error;
  const reason = code === "ENOENT" ? "there is no such file or folder" : code;
  return new Failure(`Cannot open ${file}: ${reason}`, 2);
}
