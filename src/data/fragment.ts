/**
 * Fragments: pieces of a JSON text that was read, each with its own text, byte for byte, and its value.
 *
 * @module
 */

import { decode, endOfString } from "./decoder.ts";
import type { Json, JsonOptions } from "./json.ts";
import type { Segment } from "./path.ts";

const NONE: ReadonlySet<string> = new Set();

/** A piece of valid JSON text, and its value. The texts of its parts are found when first needed. */
export class Fragment {
  /** The value. It must not be changed. */
  readonly value: Json;
  readonly #source: string | (() => string);
  #parts: Map<Segment, string> | undefined;
  readonly #twins: Set<string> = new Set();

  private constructor(value: Json, source: string | (() => string)) {
    this.value = value;
    this.#source = source;
  }

  /**
   * Reads a text. Linear in its length.
   *
   * @throws {SyntaxError} If the text is not JSON.
   */
  static read(text: string, options: JsonOptions): Fragment {
    return new Fragment(decode(text, options), text);
  }

  /** The same text with an equal value, such as one that shares its parts with others. */
  with(value: Json): Fragment {
    return new Fragment(value, this.#source);
  }

  /** The text, as it was read. */
  get text(): string {
    return typeof this.#source === "string" ? this.#source : this.#source();
  }

  /** How many members or elements it has. */
  get size(): number {
    return Array.isArray(this.value) ? this.value.length : Object.keys(this.value as object).length;
  }

  /** Whether there is such a member or element. */
  has(segment: Segment): boolean {
    return Object.hasOwn(this.value as object, segment);
  }

  /** A member or an element that is there. */
  child(segment: Segment): Fragment {
    const value = (this.value as Record<Segment, Json>)[segment];
    return new Fragment(value, () => this.#split().get(segment)!);
  }

  /** The names of the members as a JSON array, as they are spelled and in the order of the text. */
  get names(): string {
    const names: string[] = [];
    walk(this.text, (name) => names.push(name));
    return `[${names.join(",")}]`;
  }

  /** The names that occur more than once. */
  get twins(): ReadonlySet<string> {
    if (Array.isArray(this.value)) return NONE;
    this.#split();
    return this.#twins;
  }

  #split(): Map<Segment, string> {
    if (this.#parts === undefined) {
      const parts = new Map<Segment, string>();
      const isArray = Array.isArray(this.value);
      walk(this.text, (name, text) => {
        const segment: Segment = isArray ? parts.size : JSON.parse(name);
        if (!isArray && parts.has(segment)) this.#twins.add(segment as string);
        parts.set(segment, text); // of members with one name the last counts, as for the value
      });
      this.#parts = parts;
    }
    return this.#parts;
  }
}

/** The characters that matter for nesting. */
const STRUCTURE = /["{}[\]]/g;

/** Visits every member or element of a valid text with its name as it is spelled, `""` in an array, and its text. */
function walk(text: string, visit: (name: string, text: string) => void): void {
  let at = afterSpace(text, 0);
  const isObject = text[at] === "{";
  for (at = afterSpace(text, at + 1); text[at] !== "}" && text[at] !== "]";) {
    let name = "";
    if (isObject) {
      const end = endOfString(text, at + 1);
      name = text.slice(at, end);
      at = afterSpace(text, afterSpace(text, end) + 1);
    }
    const end = endOfValue(text, at);
    visit(name, text.slice(at, end));
    at = afterSpace(text, end);
    if (text[at] === ",") at = afterSpace(text, at + 1);
  }
}

/** Returns the position after the value that starts at `from`. */
function endOfValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return endOfString(text, from + 1);
  if (first !== "{" && first !== "[") {
    let end = from;
    while (end < text.length && !/[\s,\]}]/.test(text[end])) end++;
    return end;
  }
  let depth = 0;
  STRUCTURE.lastIndex = from;
  while (true) {
    const { index } = STRUCTURE.exec(text)!;
    switch (text[index]) {
      case '"':
        STRUCTURE.lastIndex = endOfString(text, index + 1);
        break;
      case "{":
      case "[":
        depth++;
        break;
      default:
        if (--depth === 0) return index + 1;
    }
  }
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  return at;
}
