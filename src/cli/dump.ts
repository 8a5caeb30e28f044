/**
 * The verb `dump`: all values into a file.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import type { Command } from "./commander.ts";
import type { Connection } from "./connection.ts";
import { unreadableFile } from "./dump_file.ts";
import { headOf, lineOf, Seal } from "./dump_format.ts";
import { Failure, interrupted, wrongUsage } from "./failure.ts";
import { Progress } from "./progress.ts";
import { snapshot } from "./snapshot.ts";
import type { Terminal } from "./terminal.ts";
import { onServer, type Verb } from "./verb.ts";

/** Writes a dump. */
export const addDump: Verb = (program, terminal) => {
  program.command("dump [file]")
    .summary("copy all values to a file, byte for byte")
    .description(
      "Writes all values of the dictionary, byte for byte, with what is left of their expiry: one JSON object in each " +
        "line, and at the end how many there are and a checksum. It goes to the file, which appears when it is whole, " +
        "or else to the output. restore --dry-run checks a dump, diff compares it with the values that are there. " +
        "Memory does not grow with the values; only the names of the keys are remembered.",
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
