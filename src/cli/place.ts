/**
 * Places: how a path is written in a shell.
 *
 * @module
 */

import type { Path, Segment } from "../data/path.ts";
import { wrongUsage } from "./failure.ts";

/** A name behind a dot, an index in brackets, or a name in quotes in brackets. */
const STEP = /\.([^.[\]]+)|\[(-?\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;
/** The name at the beginning: the key of the dictionary. */
const KEY = /[^.[\]]+|\[("(?:[^"\\]|\\.)*")\]/y;
const INDEX = /^(?:0|-?[1-9]\d*)$/;

/**
 * Reads a place, key first: a JSON Pointer such as `/sample/positions/-1`, or dotted as `sample.positions[-1]`.
 *
 * In a JSON Pointer a number is an index where there is an array, and a name where there is an object. The dotted form
 * tells them apart: `[0]` is an index, `.0` is a name. A key with dots or brackets is written as a pointer, or in
 * quotes: `["a.b"].c`.
 *
 * @param text What the user wrote.
 * @returns The path.
 * @throws {Failure} If it is no place.
 */
export function parsePlace(text: string): Path {
  return text.startsWith("/") ? parsePointer(text) : parseDotted(text);
}

function parsePointer(text: string): Path {
  if (/~(?![01])/.test(text)) {
    throw wrongUsage(
      `Cannot read the path ${quote(text)}: in a JSON Pointer ~ is written ~0, and / is written ~1`,
    );
  }
  const [key, ...inside] = text.slice(1).split("/").map((part) =>
    part.replaceAll("~1", "/").replaceAll("~0", "~")
  );
  return [key, ...inside.map((part): Segment => INDEX.test(part) ? toIndex(part, text) : part)];
}

function parseDotted(text: string): Path {
  KEY.lastIndex = 0;
  const key = KEY.exec(text);
  if (!key) throw malformed(text);
  const path: Segment[] = [key[1] === undefined ? key[0] : parseName(key[1], text)];
  STEP.lastIndex = KEY.lastIndex;
  while (STEP.lastIndex < text.length) {
    const step = STEP.exec(text);
    if (!step) throw malformed(text);
    const [, name, index, quoted] = step;
    path.push(name ?? (index === undefined ? parseName(quoted, text) : toIndex(index, text)));
  }
  return path;
}

function parseName(quoted: string, text: string): string {
  try {
    return JSON.parse(quoted);
  } catch {
    throw malformed(text);
  }
}

function toIndex(digits: string, text: string): number {
  const index = Number(digits);
  if (!Number.isSafeInteger(index)) {
    throw wrongUsage(`Cannot read the path ${quote(text)}: the index ${digits} is too large`);
  }
  return index;
}

function malformed(text: string): Error {
  return wrongUsage(
    `Cannot read the path ${quote(text)}: write sample.positions[-1], or /sample/positions/-1, ` +
      `and a name with dots as ["a.b"] or in the second form`,
  );
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);
}

/**
 * Writes a place as a JSON Pointer.
 *
 * @param path Segments.
 * @returns `""` for none.
 */
export function toPointer(path: readonly Segment[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
