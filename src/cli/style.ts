/**
 * How output looks: JSON with colours on a terminal, tables, and plain text elsewhere.
 *
 * @module
 */

import { styleText } from "node:util";
import { encode } from "../data/encoder.ts";
import type { Terminal } from "./terminal.ts";

/** What a colour stands for. */
export type Role = "name" | "string" | "number" | "word" | "good" | "warning" | "bad" | "dim";

const COLOURS = {
  name: "cyan",
  string: "green",
  number: "yellow",
  word: "magenta",
  good: "green",
  warning: "yellow",
  bad: "red",
  dim: "gray",
} as const;

/** Colours a text. */
export type Paint = (role: Role, text: string) => string;

/**
 * Colours for a stream: none unless a person reads it, and none with NO_COLOR.
 *
 * @param terminal The terminal.
 * @param isPerson Whether a person reads it.
 * @returns Colours a text.
 */
export function paintFor(terminal: Terminal, isPerson: boolean): Paint {
  const { NO_COLOR, TERM } = terminal.env;
  if (!isPerson || NO_COLOR || TERM === "dumb") return (_, text) => text;
  return (role, text) => styleText(COLOURS[role], text, { validateStream: false });
}

/**
 * Writes a value for a person, indented.
 *
 * @param value The value; integers of any length as `bigint`.
 * @param paint Colours a text.
 * @param indent What stands before each line but the first.
 * @returns Lines.
 */
export function formatJson(value: unknown, paint: Paint, indent: string = ""): string {
  if (value === null || typeof value === "boolean") return paint("word", String(value));
  if (typeof value === "string") return paint("string", visible(JSON.stringify(value)));
  if (typeof value !== "object") return paint("number", encode(value, { bigints: true }));
  const deeper = `${indent}  `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Array.isArray(value)
    ? value.map((item) => formatJson(item, paint, deeper))
    : Object.entries(value).map(([name, item]) =>
      `${paint("name", visible(JSON.stringify(name)))}: ${formatJson(item, paint, deeper)}`
    );
  if (parts.length === 0) return open + close;
  return `${open}\n${parts.map((part) => deeper + part).join(",\n")}\n${indent}${close}`;
}

/**
 * Makes control characters visible that JSON does not escape: a value must not drive the terminal.
 *
 * @param text The text.
 * @returns The text with escapes.
 */
export function visible(text: string): string {
  // deno-lint-ignore no-control-regex -- these are meant
  const characters = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
  return text.replace(
    characters,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Writes a table; numbers stand right.
 *
 * @param head The names of the columns.
 * @param rows The cells.
 * @param right Which columns stand right.
 * @param paint Colours a text.
 * @returns Lines.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[],
  paint: Paint,
): string {
  const widths = head.map((name, column) =>
    rows.reduce((width, row) => Math.max(width, row[column].length), name.length)
  );
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) =>
      right.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])
    ).join("  ").trimEnd();
  return [paint("dim", line(head)), ...rows.map(line)].map((text) => `${text}\n`).join("");
}
