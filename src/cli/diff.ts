/**
 * Comparing: diff.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { decode } from "../data/decoder.ts";
import { encode } from "../data/encoder.ts";
import { type Change, changesOf } from "./changes.ts";
import type { Command } from "./commander.ts";
import { countItems, piecesOf } from "./dump_file.ts";
import { type DumpItem, linesOf, readDump } from "./dump_format.ts";
import { Failure, interrupted } from "./failure.ts";
import { toPointer } from "./place.ts";
import { snapshot } from "./snapshot.ts";
import { paintFor, visible } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { onServer, optionsOf, type Verb } from "./verb.ts";

interface DiffOptions {
  readonly exact?: boolean;
  readonly unchecked?: boolean;
}

/** Compares two dumps, or a dump and the dictionary. */
export const addDiff: Verb = (program, terminal) => {
  program.command("diff <before> [after]")
    .summary("compare two dumps, or a dump and the dictionary")
    .description(
      "Compares a dump with another one, or with the values that are there now. It exits with 0 if they are the same, " +
        "and with 3 if not. Values are compared as JSON: white space, the order of members and expiry do not count. " +
        "In a pipe, each difference is one JSON object in a line.",
    )
    .option("--exact", "compare byte for byte")
    .option("--unchecked", "take lines made by hand, without count and checksum")
    .addHelpText("after", "\nExample:\n  json-dict diff lab.ndjson")
    .action(async (before: string, after: string | undefined, options: DiffOptions, command: Command) => {
      const isChecked = !options.unchecked;
      const index = await LineIndex.of(before, isChecked, terminal.signal);
      try {
        const report = new Report(terminal, optionsOf(command).json === true || !terminal.isOutput);
        const compare = async (items: AsyncIterable<DumpItem>): Promise<void> => {
          for await (const item of items) {
            if (terminal.signal.aborted) throw interrupted();
            const line = await index.take(item.key);
            if (line === undefined) await report.added(item);
            else if (line.text !== item.text) await report.compared(line, item, options.exact === true);
          }
          for (const key of index.keys()) await report.removed((await index.take(key))!);
        };
        if (after !== undefined) {
          await countItems(after, isChecked, terminal.signal); // else half of it would be reported before it fails
          await compare(itemsOf(after, isChecked));
        } else {
          await onServer(command, terminal, async (connection) => {
            await compare(liveItems(snapshot(connection, terminal.signal)));
          });
        }
        await report.end();
      } finally {
        await index.close();
      }
    });
};

async function* itemsOf(file: string, isChecked: boolean): AsyncGenerator<DumpItem> {
  for await (const { item } of readDump(linesOf(piecesOf(file)), isChecked)) yield item;
}

async function* liveItems(found: ReturnType<typeof snapshot>): AsyncGenerator<DumpItem> {
  for await (const each of found) {
    if ("unreadable" in each) {
      throw new Failure(`Cannot compare ${JSON.stringify(each.unreadable)}: its bytes are not UTF-8`);
    }
    yield each.item;
  }
}

/** Where the lines of a dump stand in its file, by key: the values stay there. */
class LineIndex {
  readonly #handle: FileHandle;
  readonly #lines: Map<string, readonly [from: number, length: number]>;

  private constructor(handle: FileHandle, lines: Map<string, readonly [number, number]>) {
    this.#handle = handle;
    this.#lines = lines;
  }

  static async of(file: string, isChecked: boolean, signal: AbortSignal): Promise<LineIndex> {
    const lines = new Map<string, readonly [number, number]>();
    let from = 0;
    async function* counted(): AsyncGenerator<string> {
      for await (const line of linesOf(piecesOf(file))) {
        yield line;
        from += Buffer.byteLength(line) + 1;
      }
    }
    for await (const { item, line } of readDump(counted(), isChecked)) {
      if (signal.aborted) throw interrupted();
      lines.set(item.key, [from, Buffer.byteLength(line)]);
    }
    return new LineIndex(await open(file, "r"), lines);
  }

  /** The keys that were not taken. */
  keys(): string[] {
    return [...this.#lines.keys()];
  }

  /** Takes an item out. */
  async take(key: string): Promise<DumpItem | undefined> {
    const place = this.#lines.get(key);
    if (place === undefined) return undefined;
    this.#lines.delete(key);
    const [from, length] = place;
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#handle.read(bytes, 0, length, from);
    if (bytesRead !== length) throw new Failure("Cannot read the dump: its file has changed meanwhile");
    async function* line(): AsyncGenerator<string> {
      yield await Promise.resolve(bytes.toString("utf8"));
    }
    for await (const { item } of readDump(line(), false)) return item;
    throw new Failure("Cannot read the dump: its file has changed meanwhile");
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Writes differences, and counts them. */
class Report {
  readonly #terminal: Terminal;
  readonly #isJson: boolean;
  readonly #counts: Record<"added" | "removed" | "changed", number> = { added: 0, removed: 0, changed: 0 };

  constructor(terminal: Terminal, isJson: boolean) {
    this.#terminal = terminal;
    this.#isJson = isJson;
  }

  async added({ key, text }: DumpItem): Promise<void> {
    this.#counts.added++;
    await this.#tell("+", "good", { key, change: "added", after: text }, text);
  }

  async removed({ key, text }: DumpItem): Promise<void> {
    this.#counts.removed++;
    await this.#tell("-", "bad", { key, change: "removed", before: text }, text);
  }

  /** Two items of one key with different texts. */
  async compared(before: DumpItem, after: DumpItem, isExact: boolean): Promise<void> {
    const { key } = before;
    let changes: Change[] | undefined;
    try {
      changes = changesOf(decode(before.text, EXACT), decode(after.text, EXACT));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      changes = undefined; // one of them is no JSON
    }
    if (changes?.length === 0 && !isExact) return;
    this.#counts.changed++;
    if (changes === undefined || changes.length === 0) {
      const detail = changes === undefined ? "no JSON" : "the same JSON in other bytes";
      await this.#tell(
        "~",
        "warning",
        { key, change: "changed", before: before.text, after: after.text },
        detail,
      );
      return;
    }
    for (const { kind, path, before, after } of changes) {
      const texts = { before: textOf(before), after: textOf(after) };
      const detail = kind === "add" || kind === "push"
        ? `+ ${texts.after}`
        : kind === "remove"
        ? `- ${texts.before}`
        : `${texts.before} -> ${texts.after}`;
      const line = { key, change: "changed", path: toPointer(path), kind, ...texts };
      await this.#tell("~", "warning", line, detail);
    }
  }

  async #tell(
    sign: string,
    role: "good" | "bad" | "warning",
    line: Readonly<Record<string, string | undefined>>,
    detail: string,
  ): Promise<void> {
    if (this.#isJson) return await this.#terminal.write(`${JSON.stringify(line)}\n`);
    const place = `${line.key}${line.path === undefined ? "" : ` ${line.path}`}`;
    const text = visible(`${sign} ${place}  ${detail}`);
    const { columns } = this.#terminal;
    const short = text.length < columns ? text : `${text.slice(0, columns - 4)}...`;
    await this.#terminal.write(`${paintFor(this.#terminal, true)(role, short)}\n`);
  }

  /** @throws {Failure} If there are differences. */
  async end(): Promise<void> {
    const { added, removed, changed } = this.#counts;
    const state = `${added} added, ${removed} removed, ${changed} changed`;
    if (added + removed + changed > 0) throw new Failure(`Not the same: ${state}`, 3);
    if (!this.#isJson) await this.#terminal.write("the same\n");
  }
}

const EXACT = { bigints: true };

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : encode(value, EXACT);
}
