/**
 * The list of keys: ls.
 *
 * @module
 */

import type { Command } from "./commander.ts";
import type { Connection } from "./connection.ts";
import { formatBytes, formatDuration } from "./duration.ts";
import { wrongUsage } from "./failure.ts";
import { formatTable, paintFor, visible } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { onServer, optionsOf, type Verb } from "./verb.ts";

/** One key. */
interface Item {
  readonly key: string;
  readonly bytes: number;
  /** Milliseconds left; `null` for no expiry. */
  readonly ttl: number | null;
}

/** Keys that have the beginning of their names in common. */
interface Branch {
  readonly name: string;
  keys: number;
  bytes: number;
  readonly children: Map<string, Branch>;
}

/** How many levels a tree has; what follows is one name. */
const MAX_LEVELS = 32;

/** How many keys are asked for at once. */
const PAGE = 500;

interface ListOptions {
  readonly tree?: boolean;
  readonly separator: string;
  readonly limit?: string;
}

/** Lists keys. */
export const addLs: Verb = (program, terminal) => {
  program.command("ls [start]")
    .summary("list the keys, with sizes and expiry")
    .description(
      "Lists the keys that begin with a text, all of them without one. In a pipe, one JSON object in each line, in no " +
        "order, as they are found.",
    )
    .option("--tree", `group them by the parts of their names, ${MAX_LEVELS} at most, with sums`)
    .option("--separator <text>", "what separates these parts", ":")
    .option("--limit <number>", "at most so many keys")
    .addHelpText("after", "\nExample:\n  json-dict ls user: --tree")
    .action(async (start: string = "", options: ListOptions, command: Command) => {
      const limit = readLimit(options.limit);
      if (options.separator === "") throw wrongUsage("Cannot list: the separator is empty");
      const isJson = optionsOf(command).json === true || !terminal.isOutput;
      await onServer(command, terminal, async (connection) => {
        const items = itemsOf(connection, terminal, start, limit);
        if (options.tree) await showTree(items, terminal, options.separator, isJson);
        else if (isJson) {
          for await (const item of items) await terminal.write(`${JSON.stringify(item)}\n`);
        } else await showTable(items, terminal, connection.prefix + start);
      });
    });
};

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw wrongUsage(`Cannot list: the limit ${JSON.stringify(text)} is no positive integer`);
  }
  return Number(text);
}

async function* itemsOf(
  connection: Connection,
  { signal }: Terminal,
  startsWith: string,
  limit: number | undefined,
): AsyncGenerator<Item> {
  const keys = connection.dict.keys({ startsWith, signal, ...limit === undefined ? {} : { limit } });
  let page: string[] = [];
  for await (const key of keys) {
    page.push(key);
    if (page.length < PAGE) continue;
    yield* await measure(connection, page);
    page = [];
  }
  yield* await measure(connection, page);
}

async function measure(connection: Connection, keys: readonly string[]): Promise<Item[]> {
  const { client, prefix } = connection;
  const items = await connection.answerOf(Promise.all(keys.map(async (key): Promise<Item> => {
    const [bytes, ttl] = await Promise.all([
      client.call("STRLEN", prefix + key),
      client.call("PTTL", prefix + key),
    ]);
    return { key, bytes: Number(bytes), ttl: Number(ttl) === -1 ? null : Number(ttl) };
  })));
  return items.filter(({ ttl }) => ttl !== -2); // it went meanwhile
}

async function showTable(items: AsyncIterable<Item>, terminal: Terminal, start: string): Promise<void> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  all.sort((a, b) => a.key < b.key ? -1 : 1);
  const paint = paintFor(terminal, true);
  const rows = all.map(({ key, bytes, ttl }) => [
    formatBytes(bytes),
    ttl === null ? "-" : formatDuration(ttl),
    visible(key),
  ]);
  const bytes = all.reduce((sum, item) => sum + item.bytes, 0);
  if (all.length > 0) await terminal.write(formatTable(["size", "expires in", "key"], rows, [0, 1], paint));
  const sum = all.length > 0 || start === ""
    ? `${countKeys(all.length)}, ${formatBytes(bytes)}`
    : `no key in Redis begins with ${visible(JSON.stringify(start))}`;
  await terminal.write(`${paint("dim", sum)}\n`);
}

function countKeys(count: number): string {
  return count === 1 ? "1 key" : `${count} keys`;
}

async function showTree(
  items: AsyncIterable<Item>,
  terminal: Terminal,
  separator: string,
  isJson: boolean,
): Promise<void> {
  const root: Branch = { name: "", keys: 0, bytes: 0, children: new Map() };
  for await (const { key, bytes } of items) {
    let branch = root;
    branch.keys++;
    branch.bytes += bytes;
    const parts = partsOf(key, separator);
    parts.forEach((part, index) => {
      const name = index < parts.length - 1 ? part + separator : part;
      let child = branch.children.get(name);
      if (!child) branch.children.set(name, child = { name, keys: 0, bytes: 0, children: new Map() });
      child.keys++;
      child.bytes += bytes;
      branch = child;
    });
  }
  if (isJson) return await terminal.write(`${JSON.stringify(toJson(root))}\n`);
  const paint = paintFor(terminal, true);
  const draw = async (branch: Branch, indent: string): Promise<void> => {
    const children = sorted(branch);
    for (const [index, child] of children.entries()) {
      const isLast = index === children.length - 1;
      const sum = child.children.size === 0
        ? formatBytes(child.bytes)
        : `${countKeys(child.keys)}, ${formatBytes(child.bytes)}`;
      await terminal.write(
        `${indent}${isLast ? "└── " : "├── "}${visible(child.name)}  ${paint("dim", sum)}\n`,
      );
      await draw(child, `${indent}${isLast ? "    " : "│   "}`);
    }
  };
  await draw(root, "");
  await terminal.write(`${paint("dim", `${countKeys(root.keys)}, ${formatBytes(root.bytes)}`)}\n`);
}

function partsOf(key: string, separator: string): string[] {
  const parts = key.split(separator);
  return [...parts.splice(0, MAX_LEVELS - 1), ...parts.length > 0 ? [parts.join(separator)] : []];
}

function sorted({ children }: Branch): Branch[] {
  return [...children.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

function toJson(branch: Branch): unknown {
  const { name, keys, bytes } = branch;
  return branch.children.size === 0
    ? { name, keys, bytes }
    : { name, keys, bytes, children: sorted(branch).map(toJson) };
}
