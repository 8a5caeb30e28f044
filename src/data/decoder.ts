/**
 * The one place where JSON text becomes values.
 *
 * @module
 */

import type { Json, JsonOptions } from "./json.ts";

/**
 * Reads JSON text.
 *
 * Follows `JSON.parse`: the last of several members with one name counts, and a member named `__proto__` is an
 * ordinary one. Linear in the length of the text; several times slower for text with escapes in the name of a member,
 * or with long integers when they become `bigint`.
 *
 * @param text The JSON text.
 * @param options Whether long integers become `bigint`.
 * @returns The value, which nothing else refers to.
 * @throws {SyntaxError} If the text is not JSON.
 */
export function decode(text: string, options: JsonOptions = {}): Json {
  const value: Json = JSON.parse(text);
  const bigints = options.bigints === true && LONG_RUN.test(text);
  return bigints || hasEscapedName(text) ? readValid(text, bigints) : value;
}

/** The shortest run of digits that can be beyond the safe integers; most doubles have as many after the point. */
const LONG_RUN = /(?<![.\d])\d{16}/;
const BACKSLASH = 0x5c;

/**
 * Whether valid text spells the name of a member with an escape.
 *
 * V8 from 12.8 on (Node 24, Deno 2) sometimes reads such names wrong: after a text with a member `a\` it can read the
 * name `"a\n"` as `a\`, because it compares the text with known names before it decodes the escape.
 */
function hasEscapedName(text: string): boolean {
  let escape = text.indexOf("\\");
  while (escape !== -1) {
    let after = endOfString(text, escape);
    escape = text.indexOf("\\", after);
    while (isSpace(text[after])) after++;
    if (text[after] === ":") return true;
  }
  return false;
}

/**
 * Reads text that is known to be valid, token by token.
 *
 * Without recursion, because deep nesting would overflow the stack.
 */
function readValid(text: string, bigints: boolean): Json {
  const root: Json[] = [];
  const outer: (Json[] | { [name: string]: Json })[] = [];
  let container: Json[] | { [name: string]: Json } = root;
  let name: string | undefined;
  const put = (value: Json): void => {
    if (Array.isArray(container)) {
      container.push(value);
    } else if (name === "__proto__") {
      // case: an assignment would set the prototype.
      Object.defineProperty(container, name, { value, writable: true, enumerable: true, configurable: true });
    } else {
      container[name!] = value;
    }
    name = undefined;
  };
  for (let at = 0; at < text.length;) {
    const start = at++;
    switch (text[start]) {
      case " ":
      case "\n":
      case "\r":
      case "\t":
      case ",":
      case ":":
        break;
      case "{":
      case "[": {
        const inner = text[start] === "{" ? {} : [];
        put(inner);
        outer.push(container);
        container = inner;
        break;
      }
      case "}":
      case "]":
        container = outer.pop()!;
        break;
      case '"': {
        at = endOfString(text, at);
        // A copy, not a slice: a slice would keep the whole text in memory.
        const string: string = JSON.parse(text.slice(start, at));
        if (name === undefined && !Array.isArray(container)) name = string;
        else put(string);
        break;
      }
      default:
        while (at < text.length && !isDelimiter(text[at])) at++;
        put(readScalar(text.slice(start, at), bigints));
    }
  }
  return root[0]!;
}

function readScalar(literal: string, bigints: boolean): Json {
  const value: Json = JSON.parse(literal);
  const isLong = bigints && typeof value === "number" && !Number.isSafeInteger(value) &&
    !/[.eE]/.test(literal);
  // Json has no bigint, so that the type is right without the option.
  return isLong ? BigInt(literal) as unknown as Json : value;
}

/**
 * Finds the end of a string in valid JSON text.
 *
 * @param text The text.
 * @param from A position inside the string, or the escape before it.
 * @returns The position after its closing quote.
 */
export function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from);; end = text.indexOf('"', end + 1)) {
    let backslash = end;
    while (text.charCodeAt(backslash - 1) === BACKSLASH) backslash--;
    if ((end - backslash) % 2 === 0) return end + 1;
  }
}

function isSpace(char: string | undefined): boolean {
  return char === " " || char === "\n" || char === "\r" || char === "\t";
}

function isDelimiter(char: string | undefined): boolean {
  return char === "," || char === "]" || char === "}" || isSpace(char);
}
