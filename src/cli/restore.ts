/**
 * The verb `restore`: the values of a dump into Redis.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import type { SetOp } from "../data/op.ts";
import type { Command } from "./commander.ts";
import type { Connection } from "./connection.ts";
import { countItems, piecesOf } from "./dump_file.ts";
import { type DumpItem, linesOf, readDump } from "./dump_format.ts";
import { Failure, failureOf, interrupted, wrongUsage } from "./failure.ts";
import { Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";
import { confirm, type GlobalOptions, onServer, optionsOf, type Verb } from "./verb.ts";

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
    .option("-n, --dry-run", "check that the dump is whole, and count what would be written")
    .option("--missing", "write only values that are not there; nothing is replaced")
    .option("--unchecked", "take lines made by hand, without count and checksum")
    .option("--skip <number>", "leave out so many items: to go on where an earlier restore was interrupted")
    .addHelpText("after", "\nExample:\n  json-dict restore lab.ndjson --dry-run")
    .action(async (file: string | undefined, options: RestoreOptions, command: Command) => {
      const skip = readSkip(options.skip);
      if (file === undefined && terminal.isInput) {
        throw wrongUsage("Cannot restore: no file is named, and nothing is piped in");
      }
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
    const whole = dryRun && !this.#options.unchecked ? "the dump is whole: " : "";
    await this.#terminal.write(
      `${whole}${count - this.#kept} ${dryRun ? "would be written" : "written"}${kept}${replaced}\n`,
    );
  }
}
