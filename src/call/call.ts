/**
 * Compiling: groups of ops, or reads, become one call of one script.
 *
 * Pure: no client, no clock, no randomness. The same ops give the same call, byte for byte. `lua/README.md` is the
 * contract between this folder and the scripts.
 *
 * @module
 */

import { encodeName } from "../data/encoder.ts";
import type { Group, Op, Read } from "../data/op.ts";
import type { Path, Segment } from "../data/path.ts";
import { APPLY, type APPLY_MODIFIERS, APPLY_OPS, READ, type Script } from "./scripts.gen.ts";

/** One call of one script. */
export interface Call {
  /** The script. */
  readonly script: Script;
  /** The names in Redis of all keys that it touches, each once. */
  readonly keys: readonly string[];
  /** The tokens for the script. */
  readonly args: readonly string[];
}

/** The record of a call: by it the script applies the call once, however often it arrives. */
export interface Once {
  /** The whole name of the record in Redis; in a cluster, in the slot of the other keys. */
  readonly record: string;
  /** How long the record is kept, in milliseconds. */
  readonly ttl: number;
  /** The last time at which the call may arrive, by the clock of the server, in milliseconds since 1970. */
  readonly until: number;
}

/**
 * Compiles groups of ops to one call. Each group is applied as a whole or not at all, in the order given.
 *
 * @param prefix The prefix of the dictionary, put before each key.
 * @param groups The groups, each of at least one op. A call without groups asks for a record, and leaves an empty one if
 * there is none.
 * @param once The record; none if the call is never sent again.
 * @param after For each group the indexes of the earlier groups that must be applied for it to be applied.
 * @param near How many bytes of the first value to read first, as an earlier answer has told; only a hint.
 * @returns The call.
 */
export function compile(
  prefix: string,
  groups: readonly Group[],
  once?: Once,
  after: readonly (readonly number[])[] = [],
  near?: number,
): Call {
  const writer = new TokenWriter(prefix, once);
  if (near !== undefined) writer.modifier("near", String(near));
  groups.forEach((group, index) => {
    if (index > 0) writer.startGroup();
    for (const place of after[index] ?? []) writer.modifier("after", String(place + 1));
    for (const op of group) writeOp(writer, op);
  });
  return writer.finish(APPLY);
}

/**
 * Compiles reads to one call.
 *
 * @param prefix The prefix of the dictionary, put before each key.
 * @param reads The reads, at least one.
 * @returns The call.
 */
export function compileReads(prefix: string, reads: readonly Read[]): Call {
  const writer = new TokenWriter(prefix);
  for (const read of reads) {
    writer.select(read.path);
    writer.op(read.kind, read.path, []);
  }
  return writer.finish(READ);
}

class TokenWriter {
  readonly #prefix: string;
  readonly #keys: string[] = [];
  readonly #numbers: Map<string, number> = new Map();
  readonly #args: string[] = [];
  readonly #once: Once | undefined;
  #current: string | undefined;

  constructor(prefix: string, once?: Once) {
    this.#prefix = prefix;
    this.#once = once;
    if (once) this.modifier("once", "", String(once.ttl), String(once.until)); // the key of the record has no number yet
  }

  startGroup(): void {
    this.#args.push(";");
    this.#current = this.#keys[0]; // each group starts at the first key
  }

  modifier(name: keyof typeof APPLY_MODIFIERS, ...args: readonly string[]): void {
    this.#args.push(name, ...args);
  }

  op(kind: string, path: Path, args: readonly string[]): void {
    const at = this.#args.push(kind, "");
    let isPlain = path.length > 1;
    for (let index = 1; index < path.length; index++) {
      const segment = encodeSegment(path[index]);
      isPlain &&= isPlainName(segment);
      this.#args.push(segment);
    }
    this.#args[at - 1] = `${isPlain ? "+" : ""}${path.length - 1}`;
    for (const arg of args) this.#args.push(arg);
  }

  select(path: Path): void {
    const key = this.#prefix + path[0];
    if (key === this.#current) return;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#keys.push(key);
      this.#numbers.set(key, number);
    }
    if (this.#current !== undefined) this.#args.push("@", String(number));
    this.#current = key;
  }

  finish(script: Script): Call {
    if (this.#once) this.#args[1] = String(this.#keys.push(this.#once.record));
    return Object.freeze({ script, keys: Object.freeze(this.#keys), args: Object.freeze(this.#args) });
  }
}

/** Whether a segment is a name with a first character that cannot stand behind the closing quote of a string. */
function isPlainName(segment: string): boolean {
  const first = segment.charCodeAt(1);
  return segment.charCodeAt(0) === 0x22 && first > 0x20 && !'",:]}'.includes(segment[1]);
}

function encodeSegment(segment: Segment): string {
  return typeof segment === "number" ? String(segment) : encodeName(segment);
}

const WHEN = { "absent": "ifAbsent", "present": "ifPresent", "not-object": "unlessObject" } as const;

/** The arguments after the path of an op, by name. Their order is that of the header of lua/apply.lua. */
type Arguments<K extends Op["kind"]> = Readonly<Record<(typeof APPLY_OPS)[K][number], string>>;

function writeOp(writer: TokenWriter, op: Op): void {
  writer.select(op.path);
  const write = <K extends Op["kind"]>(kind: K, args: Arguments<K>): void => {
    const names: readonly (typeof APPLY_OPS)[K][number][] = APPLY_OPS[kind];
    writer.op(kind, op.path, names.map((name) => args[name]));
  };
  if ("parents" in op && op.parents) writer.modifier("parents");
  switch (op.kind) {
    case "set":
      if (op.when !== undefined) writer.modifier(WHEN[op.when]);
      if (op.ttl !== undefined) writer.modifier("ttl", String(op.ttl));
      return write("set", { value: op.value });
    case "add": {
      if (op.value === undefined) writer.modifier("copied");
      const isAtEnd = op.path.length > 1 && op.path.at(-1) === "-";
      if (isAtEnd) writer.modifier("last");
      return writer.op("add", isAtEnd ? op.path.slice(0, -1) : op.path, [op.value ?? ""]);
    }
    case "push":
    case "unshift":
      return write(op.kind, { items: op.items.join(","), count: String(op.items.length) });
    case "splice":
      return write("splice", {
        start: String(op.start),
        deleteCount: String(op.deleteCount),
        items: op.items.join(","),
        count: String(op.items.length),
      });
    case "increment":
      if (op.exact) writer.modifier("exact");
      return write("increment", { by: op.by });
    case "append":
      return write("append", { string: op.text });
    case "test":
      if (op.by !== undefined) writer.modifier(op.by);
      return write("test", { value: op.value });
    case "type":
      return write("type", { type: op.value });
    case "length":
      return write("length", { count: String(op.value) });
    case "keys":
      return write("keys", { names: op.value });
    case "expire":
      return write("expire", { ms: String(op.ttl) });
    default:
      return write(op.kind, {});
  }
}
