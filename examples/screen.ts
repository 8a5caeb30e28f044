/**
 * What the demo writes on the screen: headings, aligned rows, code beside what came of it, texts with their changed part
 * marked. All of it fits the width of the terminal.
 *
 * @module
 */

import { styleText } from "node:util";
import wrapAnsi from "wrap-ansi";

const isTerminal = Deno.stdout.isTerminal();
const isColoured = isTerminal && !Deno.noColor;
/** How many characters fit on a line: of the terminal, or as COLUMNS says, or 80. */
const width = Math.max(40, isTerminal ? Deno.consoleSize().columns : Number(Deno.env.get("COLUMNS")) || 80);
/** Where the texts of rows start. */
const column = width < 80 ? 17 : 26;
const INDENT = "  ";
/** How much room what came of it needs beside the code. */
const RESULT = 40;

/** How a piece of text looks on a terminal; elsewhere it stays as it is. */
export type Style = "bold" | "dim" | "reset" | "green" | "red" | "yellow" | "cyan";

/** The text in a style. */
export function paint(style: Style, text: string): string {
  return isColoured ? styleText(style, text, { validateStream: false }) : text;
}

/** Breaks a text into lines that fit; the first keeps how far it is moved in. */
function wrap(text: string, room: number): string[] {
  const [indent] = /^ */.exec(text)!;
  return (indent + wrapAnsi(text.slice(indent.length), room - indent.length, { hard: true })).split("\n");
}

/** Starts a part of the demo. */
export function heading(title: string, remark: string = ""): void {
  const text = `${paint("bold", paint("cyan", title))}${remark && paint("dim", `  ${remark}`)}`;
  console.log(`\n${wrap(text, width).join("\n")}`);
}

/** A remark between rows, or a statement whose rows follow. */
export function line(text: string): void {
  for (const piece of wrap(text, width - INDENT.length)) console.log(INDENT + piece);
}

/** One line of a part: what, then what came of it, which goes on in the lines below if it is long. */
export function row(label: string, text: string, style: Style = "reset"): void {
  const room = width - INDENT.length - column - 1;
  const lines = text.split("\n").flatMap((each) => wrap(each, room));
  if (label.length > column) {
    line(label);
    label = "";
  }
  lines.forEach((each, index) => {
    console.log(`${INDENT}${(index === 0 ? label : "").padEnd(column)} ${paint(style, each)}`.trimEnd());
  });
}

/** Code, and what came of it: beside it where there is room, else above. */
export function codeAndResult(code: readonly string[], result: readonly string[]): void {
  const longest = Math.max(...code.map((each) => each.length));
  const room = width - INDENT.length - longest - 3;
  if (room < RESULT) {
    line(result.join("  "));
    for (const each of code) {
      for (const piece of wrap(INDENT + each, width - INDENT.length)) {
        console.log(INDENT + paint("dim", piece));
      }
    }
    return;
  }
  const right = result.flatMap((each) => wrap(each, room));
  for (let index = 0; index < Math.max(code.length, right.length); index++) {
    const left = paint("dim", (code[index] ?? "").padEnd(longest));
    console.log(`${INDENT}${left}   ${right[index] ?? ""}`.trimEnd());
  }
}

/** Rows for a text before and after a change: what differs, marked, with a little of what stands around it. */
export function change(before: string, after: string): void {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
  const room = width - INDENT.length - column - 1;
  const excerpt = (text: string, style: Style): string => {
    const part = shorten(text.slice(start, text.length - end), Math.floor(room / 2));
    const around = Math.floor((room - part.length - 4) / 2);
    const head = start > around ? `…${text.slice(start - around + 1, start)}` : text.slice(0, start);
    const tail = end > around
      ? `${text.slice(text.length - end, text.length - end + around - 1)}…`
      : text.slice(text.length - end);
    // Without colours, signs that JSON does not have show the place.
    return head + (isColoured ? paint(style, part) : `«${part}»`) + tail;
  };
  row(column < 20 ? "JSON before" : "raw JSON before", excerpt(before, "red"));
  row(column < 20 ? "JSON after" : "raw JSON after", excerpt(after, "green"));
}

/** A text that is too long without its middle. */
function shorten(text: string, room: number): string {
  const half = Math.floor((room - 1) / 2);
  return text.length <= room ? text : `${text.slice(0, half)}…${text.slice(-half)}`;
}

/** A number with its thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}
