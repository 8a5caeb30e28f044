/**
 * Compiling: groups of ops to one call of one script, and the script's answer back to results.
 *
 * Pure: no client, no clock, no randomness. The same ops give the same call, byte for byte. `lua/README.md` is the
 * contract between this file and the scripts.
 *
 * @module
 */

import {
  CorruptValueError,
  IndexOutOfRangeError,
  type JsonDictError,
  KeyNotFoundError,
  LimitError,
  NumberRangeError,
  PathNotFoundError,
  TypeMismatchError,
  UnavailableError,
  WrongTypeError,
} from "../errors/errors.ts";
import type { JsonType } from "../data/json.ts";
import { encodeName } from "../data/encoder.ts";
import type { Group, Op, Read } from "../data/op.ts";
import type { Path, Segment } from "../data/path.ts";
import { APPLY, type APPLY_MODIFIERS, APPLY_OPS, READ, type Script } from "./scripts.gen.ts";

/** One call of one script. */
export interface Call {
  /** The script. */
  readonly script: Script;
  /** The names in Redis of all keys it touches, each once. */
  readonly keys: readonly string[];
  /** Its token stream. */
  readonly args: readonly string[];
}

/** Why a script refused a group, or a read. */
export interface Refusal {
  /** The script's word for it. */
  readonly code: RefusalCode;
  /** The op that was refused, by its place in the group. */
  readonly index: number;
  /** How many segments of its path exist, not counting the key. */
  readonly segment: number;
  /** What was found: a type, a length or a byte offset, by code. */
  readonly found: string;
}

/** The words of the scripts for a refusal; `lua/README.md` says what they mean. */
const REFUSAL_CODES = [
  "NO_KEY",
  "NOT_FOUND",
  "TYPE",
  "RANGE",
  "NUMBER",
  "CORRUPT",
  "WRONG_TYPE",
  "TEST",
  "LIMIT",
  "AFTER",
  "OOM",
] as const;

/**
 * The word that an error of the script starts with if a write failed behind another one of the same call: part of the
 * call was applied.
 */
export const PARTIAL = "PARTIAL";

/** A word of the scripts for a refusal. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/**
 * What became of a group: a result for each op, `""` where an op has none, or the refusal of all of it, with the answer
 * of each of its `fresh` ops.
 */
export type Outcome =
  | { readonly results: readonly string[] }
  | { readonly refusal: Refusal; readonly fresh: readonly (string | Refusal)[] };

/** Where a call leaves what it answers, so that it is applied once however often it arrives. */
export interface Once {
  /** The whole name of the record in Redis; in a cluster, in the slot of the other keys. */
  readonly record: string;
  /** How long the record is kept, in milliseconds. */
  readonly ttl: number;
  /** Until when the call may come, by the clock of the server, in milliseconds since 1970. */
  readonly until: number;
}

/**
 * Compiles groups of ops to one call. Each group is applied as a whole or not at all, in the order given.
 *
 * @param prefix The prefix of the dictionary, put before each key.
 * @param groups The groups, each of at least one op. A call of none asks for a record, and leaves an empty one where
 * there is none.
 * @param once Its record; none if it is sent once only.
 * @param after For each group the places, from 0, of those before it that must be applied, if it is to be.
 * @returns The call.
 */
export function compile(
  prefix: string,
  groups: readonly Group[],
  once?: Once,
  after: readonly (readonly number[])[] = [],
): Call {
  const writer = new TokenWriter(prefix, once);
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
    if (once) this.modifier("once", "", String(once.ttl), String(once.until)); // the key has no number yet
  }

  startGroup(): void {
    this.#args.push(";");
    this.#current = this.#keys[0]; // each group starts at the first key
  }

  modifier(name: keyof typeof APPLY_MODIFIERS, ...args: readonly string[]): void {
    this.#args.push(name, ...args);
  }

  op(kind: string, path: Path, args: readonly string[]): void {
    this.#args.push(kind, String(path.length - 1));
    for (let index = 1; index < path.length; index++) this.#args.push(encodeSegment(path[index]));
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

function encodeSegment(segment: Segment): string {
  return typeof segment === "number" ? String(segment) : encodeName(segment);
}

const WHEN = { "absent": "ifAbsent", "present": "ifPresent", "not-object": "unlessObject" } as const;

/** The words after the path of an op, by name; the header of lua/apply.lua says which and in which order. */
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

/**
 * Splits the answer to a call by its groups.
 *
 * @param groups The groups that were compiled.
 * @param slots The answer of the script: one string for each op.
 * @returns The outcome of each group.
 * @throws {Error} If the answer is not one of our script, as from a proxy that garbles replies.
 */
export function readOutcomes(groups: readonly Group[], slots: unknown): readonly Outcome[] {
  const expected = groups.reduce((sum, group) => sum + group.length, 0);
  const texts = readSlots(slots, expected);
  let from = 0;
  return groups.map((group) => {
    const results = texts.slice(from, from += group.length);
    const index = results.findIndex((text) => text.startsWith("!"));
    if (index < 0) return { results };
    const fresh = results.map(readResult).filter((_, place) => group[place].kind === "fresh");
    return { refusal: readRefusal(results[index], index), fresh };
  });
}

/**
 * Splits the answer to a call of reads.
 *
 * @param reads The reads that were compiled.
 * @param slots The answer of the script: one string for each read.
 * @returns For each read its result, or why there is none.
 * @throws {Error} If the answer is not one of our script.
 */
export function readResults(reads: readonly Read[], slots: unknown): readonly (string | Refusal)[] {
  return readSlots(slots, reads.length).map(readResult);
}

function readResult(text: string, index: number): string | Refusal {
  return text.startsWith("!") ? readRefusal(text, index) : text;
}

/**
 * Tells from the record of a call what became of one of its groups.
 *
 * @param groups The groups that were compiled.
 * @param index Which of them.
 * @param slots The answer to the call of no groups that asked for the record.
 * @returns Whether it was applied; a group that was refused was not, nor will one be that did not arrive yet.
 * @throws {Error} If the answer is not one of our script.
 */
export function readVerdict(groups: readonly Group[], index: number, slots: unknown): boolean {
  if (Array.isArray(slots) && slots.length === 0) return false; // it met no record, and left one
  return "results" in readOutcomes(groups, slots)[index];
}

function readSlots(slots: unknown, expected: number): readonly string[] {
  if (Array.isArray(slots) && slots.length === expected && slots.every((slot) => typeof slot === "string")) {
    return slots;
  }
  throw new Error(
    `Cannot read the answer of the script: expected ${expected} strings, received something else`,
  );
}

function readRefusal(text: string, index: number): Refusal {
  const [word, segment, found = ""] = text.slice(1).split(" ");
  const code = REFUSAL_CODES.find((known) => known === word);
  if (code === undefined) throw new Error(`Cannot read the answer of the script: unknown refusal ${word}`);
  return { code, index, segment: Number(segment), found };
}

/**
 * The error that tells a caller of a refusal.
 *
 * @param target The op or the read that was refused.
 * @param refusal Why.
 * @param operation The method that the caller used, where it is not named like the op.
 * @returns The error, to be thrown.
 */
export function toError(target: Op | Read, refusal: Refusal, operation: string = target.kind): JsonDictError {
  const { code, segment, found } = refusal;
  const data = { operation, path: target.path };
  const at = segment + 1; // with the key
  switch (code) {
    case "NO_KEY":
      return new KeyNotFoundError(data);
    case "NOT_FOUND":
      return new PathNotFoundError({ ...data, at });
    case "TYPE":
      return new TypeMismatchError({
        ...data,
        at,
        found: found as JsonType,
        expected: expectedTypes(target, refusal),
      });
    case "RANGE":
      return new IndexOutOfRangeError({ ...data, index: Number(target.path[at]), length: Number(found) });
    case "NUMBER":
      return new NumberRangeError({ ...data, bound: found as "integer" | "finite" | "digits" });
    case "CORRUPT":
      return new CorruptValueError(found === "" ? data : { ...data, offset: Number(found) });
    case "WRONG_TYPE":
      return new WrongTypeError({ ...data, found });
    case "LIMIT":
      return new LimitError({ ...data, limit: found === "depth" ? "depth" : "bytes" });
    case "OOM":
      return new UnavailableError({ ...data, reason: "OOM" });
    case "TEST":
    case "AFTER":
      throw new Error(
        `Cannot tell of a failed guard at ${target.kind}: its caller must decide what it means`,
      );
  }
}

function expectedTypes(target: Op | Read, refusal: Refusal): readonly JsonType[] {
  if (refusal.segment < target.path.length - 1) {
    return refusal.found === "array" ? ["object"] : ["object", "array"];
  }
  switch (target.kind) {
    case "increment":
      return ["number"];
    case "toggle":
      return ["boolean"];
    case "append":
      return ["string"];
    case "keys":
      return ["object"];
    case "length":
      return ["string", "array", "object"];
    default:
      return ["array"];
  }
}
