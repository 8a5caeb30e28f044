/**
 * JSON equality of two texts, as `lua/lib/compare.lua` defines it.
 *
 * @module
 */

import { encodeName } from "../data/encoder.ts";
import { MAX_DEPTH } from "../data/json.ts";
import { afterSpace, afterString, afterValue, charactersOf } from "./token.ts";

/**
 * Whether two texts hold the same value. The order of members and the spelling of characters and numbers do not count;
 * of several members with one name the last counts.
 *
 * @param a Valid JSON text without white space around it.
 * @param b The other one.
 * @returns `undefined` if a value is nested deeper than {@linkcode MAX_DEPTH}.
 */
export function sameValue(a: string, b: string): boolean | undefined {
  if (a === b) return true;
  const mine = canonicalText(a);
  const theirs = canonicalText(b);
  return mine === undefined || theirs === undefined ? undefined : mine === theirs;
}

/**
 * The text that is the same for equal values.
 *
 * @param text Valid JSON text.
 * @returns `undefined` if a value is nested deeper than {@linkcode MAX_DEPTH}.
 */
export function canonicalText(text: string): string | undefined {
  return new Canonical(text).write();
}

/**
 * The decimal that a number stands for. Digits alone stand for themselves, however many. A number with a point or an
 * exponent is a double, and stands for the fewest digits that read back as this double.
 */
function decimalOf(word: string): string {
  if (/^-?\d+$/.test(word)) return word === "-0" ? "0" : word;
  const value = Number(word);
  if (!Number.isFinite(value)) return word;
  const shortest = String(value);
  const [, int, frac = "", zeros] = /^(-?\d)(?:\.(\d+))?e\+(\d+)$/.exec(shortest) ?? [];
  return int === undefined ? shortest : int + frac + "0".repeat(Number(zeros) - frac.length);
}

/** Writes the text that is the same for equal values. */
class Canonical {
  readonly #text: string;
  #at: number = 0;

  constructor(text: string) {
    this.#text = text;
  }

  write(): string | undefined {
    this.#skip();
    return this.#value(1);
  }

  #value(depth: number): string | undefined {
    if (depth > MAX_DEPTH) return undefined;
    const text = this.#text;
    const open = text[this.#at];
    if (open === "{" || open === "[") return this.#items(open, depth);
    const from = this.#at;
    this.#at = afterValue(text, from);
    const word = text.slice(from, this.#at);
    if (open === '"') return encodeName(charactersOf(word));
    return word === "true" || word === "false" || word === "null" ? word : decimalOf(word);
  }

  #items(open: "{" | "[", depth: number): string | undefined {
    const close = open === "{" ? "}" : "]";
    const items: string[] = [];
    const members = new Map<string, string>();
    this.#at++;
    for (this.#skip(); this.#text[this.#at] !== close; this.#skip()) {
      const name = open === "{" ? this.#name() : undefined;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      if (name === undefined) items.push(value);
      else members.set(name, value);
      this.#skip();
      if (this.#text[this.#at] === ",") this.#at++;
    }
    this.#at++;
    for (const name of [...members.keys()].sort()) items.push(`${name}:${members.get(name)}`);
    return open + items.join(",") + close;
  }

  #name(): string {
    const from = this.#at;
    this.#at = afterString(this.#text, from);
    const name = encodeName(charactersOf(this.#text.slice(from, this.#at)));
    this.#skip();
    this.#at++; // the colon
    this.#skip();
    return name;
  }

  #skip(): void {
    this.#at = afterSpace(this.#text, this.#at);
  }
}
