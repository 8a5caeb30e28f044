/**
 * What the demo writes on the screen: headings, aligned rows, texts with their changed part marked.
 *
 * @module
 */

import { styleText } from "node:util";

/** How many characters of the unchanged text are shown on either side. */
const AROUND = 30;
/** How long a line of a paragraph may be. */
const LINE = 84;
const isColoured = Deno.stdout.isTerminal() && !Deno.noColor;

/** How a piece of text looks on a terminal; elsewhere it stays as it is. */
export type Style = "bold" | "dim" | "reset" | "green" | "red" | "yellow" | "cyan";

/** The text in a style. */
export function paint(style: Style, text: string): string {
  return isColoured ? styleText(style, text, { validateStream: false }) : text;
}

/** Starts a part of the demo. */
export function heading(title: string, remark: string = ""): void {
  console.log(`\n${paint("bold", paint("cyan", title))}${remark && paint("dim", `  ${remark}`)}`);
}

/** One line of a part: what, then what came of it. */
export function row(label: string, text: string): void {
  console.log(`  ${label.padEnd(26)} ${text}`);
}

/** Rows for a text before and after a change: what differs, marked, with a little of what stands around it. */
export function change(before: string, after: string): void {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  let end = 0;
  const room = Math.min(before.length, after.length) - start;
  while (end < room && before.at(-1 - end) === after.at(-1 - end)) end++;
  const excerpt = (text: string, style: Style): string => {
    const head = start > AROUND ? `…${text.slice(start - AROUND, start)}` : text.slice(0, start);
    const part = text.slice(start, text.length - end);
    const tail = end > AROUND ? `${text.slice(-end).slice(0, AROUND)}…` : text.slice(text.length - end);
    // Without colours, signs that JSON does not have show the place.
    return head + (isColoured ? paint(style, part) : `«${part}»`) + tail;
  };
  row("raw JSON before", excerpt(before, "red"));
  row("raw JSON after", excerpt(after, "green"));
}

/** A row whose text goes on in the lines below: at its own line breaks, else between words. */
export function paragraph(label: string, text: string, style: Style): void {
  const lines = text.includes("\n") ? text.split("\n") : wrap(text);
  lines.forEach((line, index) => row(index === 0 ? label : "", paint(style, line)));
}

function wrap(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + word.length < LINE) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A number with its thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}
