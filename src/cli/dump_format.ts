/**
 * Dumps: lines of JSON that hold values byte for byte.
 *
 * The first line says what it is, the last one how many items there are and what their lines hash to:
 *
 *     {"dump":"json-dict","version":1,"prefix":"lab:"}
 *     {"key":"sample","value":{"color":"red","positions":[1.0]}}
 *     {"key":"session","ttl":59000,"value":true}
 *     {"end":"json-dict","count":2,"sha256":"..."}
 *
 * What stands behind `"value":` is the text in Redis. A text with line breaks, or one that is no JSON, is a string
 * behind `"text":` instead. `ttl` is how many milliseconds the value had left.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { decode } from "../data/decoder.ts";
import { encode } from "../data/encoder.ts";
import { readKey } from "../data/path.ts";
import { Failure } from "./failure.ts";

/** A value as it is in Redis. */
export interface DumpItem {
  readonly key: string;
  readonly text: string;
  /** Milliseconds left; left out if it does not expire. */
  readonly ttl?: number;
}

const VERSION = 1;

/** The line that begins a dump. */
export function headOf(prefix: string): string {
  return `${JSON.stringify({ dump: "json-dict", version: VERSION, prefix })}\n`;
}

/** The line of one item. */
export function lineOf({ key, text, ttl }: DumpItem): string {
  const expiry = ttl === undefined ? "" : `"ttl":${ttl},`;
  const value = isOneLine(text) ? `"value":${text}` : `"text":${JSON.stringify(text)}`;
  return `{"key":${JSON.stringify(key)},${expiry}${value}}\n`;
}

/** Whether a text can stand in a line as it is. White space around it would not be kept by every tool. */
function isOneLine(text: string): boolean {
  if (/[\r\n]|^\s|\s$/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Counts and hashes the lines of items. */
export class Seal {
  readonly #hash: Hash = createHash("sha256");
  /** How many there were. */
  count = 0;

  /** Takes a line, line break included. */
  add(line: string): void {
    this.count++;
    this.#hash.update(line, "utf8");
  }

  /** The line that ends a dump; nothing can be added after it. */
  end(): string {
    return `${JSON.stringify({ end: "json-dict", count: this.count, sha256: this.#hash.digest("hex") })}\n`;
  }
}

/** What is in a dump, with where its line stands. */
export interface Placed {
  readonly item: DumpItem;
  /** The number of the item, from 0. */
  readonly index: number;
  /** The line, without its line break. */
  readonly line: string;
}

/**
 * Reads a dump, and checks that it is whole.
 *
 * @param lines Its lines, without line breaks.
 * @param isChecked Whether the first and the last line must be there and be true; else lines of items are enough.
 * @returns The items, one after the other.
 * @throws {Failure} If a line is none of a dump; at the end, if items are missing or were changed.
 */
export async function* readDump(lines: AsyncIterable<string>, isChecked: boolean): AsyncGenerator<Placed> {
  const seal = new Seal();
  let number = 0;
  let isEnded = false;
  for await (const line of lines) {
    number++;
    if (line === "" && !isChecked) continue;
    if (isEnded) throw new Failure(`Cannot read the dump: line ${number} stands behind the end`);
    if (number === 1 && /^\{"dump":/.test(line)) {
      checkHead(line);
      continue;
    }
    if (number === 1 && isChecked) {
      throw new Failure(
        "Cannot read the dump: its first line is not that of a dump; lines made by hand need --unchecked",
      );
    }
    if (/^\{"end":/.test(line)) {
      isEnded = true;
      const { count } = seal;
      if (!isChecked || `${line}\n` === seal.end()) continue;
      const { count: expected } = JSON.parse(line) as { count: unknown };
      throw new Failure(
        expected === count
          ? "Cannot trust the dump: its checksum is wrong, so its lines were changed"
          : `Cannot trust the dump: it has ${count} items, and its last line says ${expected}`,
      );
    }
    const index = seal.count;
    seal.add(`${line}\n`);
    yield { item: readItem(line, number, isChecked), index, line };
  }
  if (isChecked && !isEnded) {
    throw new Failure(
      `Cannot trust the dump: its end is missing after line ${number}, so items may be missing`,
    );
  }
}

function checkHead(line: string): void {
  let head: { dump?: unknown; version?: unknown };
  try {
    head = JSON.parse(line);
  } catch {
    throw new Failure("Cannot read the dump: its first line is not JSON");
  }
  if (head.dump !== "json-dict" || head.version !== VERSION) {
    throw new Failure(
      `Cannot read the dump: it is of another program, or of another version than ${VERSION}`,
    );
  }
}

/** The line as {@linkcode lineOf} writes it. For a regular expression U+2028 ends a line; for JSON it does not. */
const LINE = /^\{"key":("(?:[^"\\]|\\.)*"),(?:"ttl":(\d+),)?"value":(.*)\}$/s;

function readItem(line: string, number: number, isChecked: boolean): DumpItem {
  try {
    const [, name, ms, text] = LINE.exec(line) ?? [];
    if (name !== undefined) {
      JSON.parse(text); // else the end of the text is not where it seems to be
      return toItem(JSON.parse(name), text, ms === undefined ? undefined : Number(ms));
    }
    const options = { bigints: true };
    const made = decode(line, options) as { key?: unknown; ttl?: unknown; value?: unknown; text?: unknown };
    if (Object.hasOwn(made, "value")) {
      // Written again a value need not have the same bytes; only lines made by hand may be read so.
      if (isChecked) throw new TypeError("it is not as dump writes it");
      return toItem(made.key, encode(made.value, options), made.ttl);
    }
    if (typeof made.text === "string") return toItem(made.key, made.text, made.ttl);
  } catch {
    // It is told below, without the value.
  }
  throw new Failure(`Cannot read the dump: line ${number} is no item such as {"key":"sample","value":1}`);
}

function toItem(key: unknown, text: string, ttl: unknown): DumpItem {
  readKey(key);
  const isPositive = typeof ttl === "number" && Number.isSafeInteger(ttl) && ttl > 0;
  if (ttl !== undefined && ttl !== null && !isPositive) throw new TypeError("it is no expiry");
  return { key: key as string, text, ...isPositive ? { ttl: ttl as number } : {} };
}

/**
 * Splits text into lines, without their line breaks.
 *
 * @param pieces The text.
 * @returns Lines; the last one need not end with a line break.
 */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let parts: string[] = [];
  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", from)) {
      parts.push(piece.slice(from, end));
      yield parts.join("");
      parts = [];
      from = end + 1;
    }
    if (from < piece.length) parts.push(piece.slice(from));
  }
  if (parts.length > 0) yield parts.join("");
}
