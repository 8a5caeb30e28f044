/**
 * Tokens: where strings, white space and values end in JSON text.
 *
 * Nothing here checks the text that it skips. On valid JSON every position is exact. On anything else a position may be
 * wrong, but it is in the text or at its end; if there is none, a {@linkcode Damage} is thrown.
 *
 * @module
 */

import { decode, endOfString } from "../data/decoder.ts";

/** The text is not JSON at a position. */
export class Damage {
  /** The text. */
  readonly source: string;
  /** The position in it. */
  readonly position: number;

  constructor(source: string, position: number) {
    this.source = source;
    this.position = position;
  }
}

/** Codes of characters. */
export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const BRACKET = 0x5b;
export const BRACE = 0x7b;
/** From an opening bracket or brace to the closing one. */
export const TO_CLOSE = 2;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** The first position from `at` on that holds no white space. */
export function afterSpace(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** The position after the last character before `at` that is no white space. */
export function beforeSpace(text: string, at: number): number {
  while (at > 0 && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

/** The position after the string whose opening quote is at `at`. */
export function afterString(text: string, at: number): number {
  const end = endOfString(text, at + 1);
  if (end <= at) throw new Damage(text, at); // no closing quote
  return end;
}

/** The position after the value that starts at `at`. */
export function afterValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return afterString(text, at);
  if (first === BRACE || first === BRACKET) return afterContainer(text, at, first);
  let end = at;
  while (isWord(text.charCodeAt(end))) end++;
  if (end === at) throw new Damage(text, at);
  return end;
}

/** The characters of a string, from its text with the quotes. */
export function charactersOf(string: string): string {
  try {
    return decode(string) as string;
  } catch {
    throw new Damage(string, 0);
  }
}

/** Letters, digits, `.`, `+` and `-`: the characters of numbers, `true`, `false` and `null`. */
function isWord(code: number): boolean {
  return code >= 0x30 && code <= 0x39 || code === 0x2e || code === 0x2d || code === 0x2b ||
    code >= 0x61 && code <= 0x7a || code >= 0x41 && code <= 0x5a;
}

function afterContainer(text: string, at: number, open: number): number {
  let depth = 0;
  for (let p = at; p < text.length; p++) {
    const code = text.charCodeAt(p);
    if (code === QUOTE) p = afterString(text, p) - 1;
    else if (code === open) depth++;
    else if (code === open + TO_CLOSE && --depth === 0) return p + 1;
  }
  throw new Damage(text, at);
}
