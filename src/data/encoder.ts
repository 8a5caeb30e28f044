/**
 * The one place where values become JSON text.
 *
 * @module
 */

import { type JsonOptions, MAX_DEPTH } from "./json.ts";
import { formatPath, formatPlace } from "./path.ts";

/** Recognises objects that have a JSON text of their own, such as drafts. */
export interface TextSource {
  /** Whether an object is one of them. */
  has(value: object): boolean;
  /** The text of one of them, which will stand at that path. */
  textOf(value: object, where: readonly (string | number)[]): string;
}

/**
 * Writes a value as JSON text.
 *
 * The text is that of `JSON.stringify` wherever that is faithful to the value: `toJSON` is honoured, a member
 * that is `undefined` is left out, `-0` is `0`, members named by symbols are not data. What `JSON.stringify` would
 * silently change is refused. The text of `JSON.rawJSON` is written as it is. A getter may be called
 * twice; the last value is the one that is checked and written.
 *
 * Linear in the size of the value.
 *
 * @param value What to write.
 * @param options Whether `bigint` may be written.
 * @param where The path at which the value will stand, dictionary key first. It is named in messages and counts
 * towards the depth.
 * @param source Recognises the objects that have a text of their own.
 * @returns The text, without white space between tokens.
 * @throws {TypeError} If the value holds what JSON cannot: NaN, an infinity, a function, a symbol, a cycle, a
 * Map and the like, a lone `undefined` or one inside an array, a `bigint` without the option, or more than
 * {@linkcode MAX_DEPTH} levels.
 */
export function encode(
  value: unknown,
  options: JsonOptions = {},
  where: readonly (string | number)[] = [],
  source?: TextSource,
): string {
  const plain = copyPlain(value, Math.max(where.length - 1, 0), source);
  if (plain !== NOT_PLAIN) return JSON.stringify(plain);
  const text = new Writer(options.bigints === true, where, source).write(value, "");
  return text ??
    refuse(where, "undefined is not JSON", "use null for an empty value, or delete to remove one");
}

/**
 * Writes the name of a member as JSON text, quotes included.
 *
 * @param name The name, any string at all.
 * @returns ASCII-safe text for lone surrogates, otherwise the name itself between quotes.
 */
export function encodeName(name: string): string {
  return JSON.stringify(name);
}

/** Deeper values go to the careful writer. Low, so that a cycle is found early. */
const PLAIN_DEPTH = 64;

const NOT_PLAIN: unique symbol = Symbol("not plain");

/**
 * Copies a value that `JSON.stringify` is certain to write faithfully.
 *
 * Every property is read once, and the copy is what is written: a getter or a proxy that answers differently the next
 * time changes nothing. `NOT_PLAIN` is no refusal: the careful writer then decides, with the path at hand.
 */
function copyPlain(value: unknown, depth: number, source: TextSource | undefined): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : NOT_PLAIN;
    case "object":
      break;
    default:
      return NOT_PLAIN;
  }
  if (value === null) return null;
  if (depth >= PLAIN_DEPTH || source?.has(value) || "toJSON" in value) return NOT_PLAIN;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    const { length } = value;
    for (let index = 0; index < length; index++) {
      const part = copyPlain(value[index], depth + 1, source);
      if (part === NOT_PLAIN) return NOT_PLAIN;
      copy.push(part);
    }
    return copy;
  }
  if (!isOrdinary(value) || isRawJson(value)) return NOT_PLAIN;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    const part = copyPlain(member, depth + 1, source);
    // case: to assign to __proto__ would set the prototype.
    if (part === NOT_PLAIN || name === "__proto__") return NOT_PLAIN;
    copy[name] = part;
  }
  return copy;
}

/** Whether an object comes from `JSON.rawJSON`. Not every runtime has it. */
function isRawJson(value: object): value is { readonly rawJSON: string } {
  const { isRawJSON } = JSON as { isRawJSON?: (value: unknown) => boolean };
  return isRawJSON !== undefined && isRawJSON(value);
}

/** Writes text part by part, reading every property once, and names the path of what it has to refuse. */
class Writer {
  readonly #bigints: boolean;
  readonly #where: readonly (string | number)[];
  readonly #source: TextSource | undefined;
  /** The way from the value to the part being written. */
  readonly #inside: (string | number)[] = [];
  /** The containers on that way, to notice cycles. */
  readonly #ancestors: object[] = [];

  constructor(bigints: boolean, where: readonly (string | number)[], source: TextSource | undefined) {
    this.#bigints = bigints;
    this.#where = where;
    this.#source = source;
  }

  /** Returns `undefined` for `undefined`: the container decides what it means. */
  write(value: unknown, name: string): string | undefined {
    if (value === null) return "null";
    if (typeof value !== "object" && typeof value !== "function") return this.#writeScalar(value);
    if (this.#source?.has(value)) return this.#source.textOf(value, [...this.#where, ...this.#inside]);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON !== "function") return this.#writeObject(value);
    const replaced: unknown = toJSON.call(value, name);
    if (replaced === null && tagOf(value) === "Date") {
      return this.#refuse("an invalid Date is not JSON", "use null");
    }
    // case: toJSON is called once, so its result is written without a second call.
    return isObject(replaced) ? this.#writeObject(replaced) : this.write(replaced, name);
  }

  #writeScalar(value: unknown): string | undefined {
    switch (typeof value) {
      case "undefined":
        return undefined;
      case "number":
        if (Number.isFinite(value)) break;
        return this.#refuse(`${value} is not JSON`, "use null or a string");
      case "bigint":
        if (this.#bigints) return String(value);
        return this.#refuse(
          `the bigint ${shorten(String(value))} is not JSON here`,
          "pass { bigints: true } to the dictionary, or use a number or a string",
        );
      case "symbol":
        return this.#refuse("a symbol is not JSON", "use a string");
    }
    return JSON.stringify(value);
  }

  #writeObject(value: object): string | undefined {
    if (typeof value === "function") {
      return this.#refuse("a function is not JSON", "leave it out, or call it and use its result");
    }
    // case: JSON.rawJSON(text) has checked all but lone surrogates, which UTF-8 cannot carry.
    if (isRawJson(value)) return value.rawJSON.replace(LONE_SURROGATES, escape);
    if (this.#ancestors.includes(value)) {
      return this.#refuse("it contains itself, and JSON has no cycles", "write a copy without the cycle");
    }
    if (Math.max(this.#where.length - 1, 0) + this.#ancestors.length >= MAX_DEPTH) {
      return this.#refuse(`it is nested more than ${MAX_DEPTH} deep`, "use a flatter value");
    }
    this.#ancestors.push(value);
    const text = Array.isArray(value) ? this.#writeArray(value) : this.#writeMembers(value);
    this.#ancestors.pop();
    return text;
  }

  #writeArray(values: readonly unknown[]): string {
    const parts: string[] = [];
    const { length } = values;
    for (let index = 0; index < length; index++) {
      this.#inside.push(index);
      parts.push(
        this.write(values[index], String(index)) ??
          this.#refuse("an array cannot hold undefined or a hole", "use null, or leave the element out"),
      );
      this.#inside.pop();
    }
    return `[${parts.join(",")}]`;
  }

  #writeMembers(value: object): string | undefined {
    const tag = tagOf(value);
    if (tag !== "Object" && !isOrdinary(value)) return this.#writeTagged(value, tag);
    const parts: string[] = [];
    for (const name of Object.keys(value)) {
      this.#inside.push(name);
      const text = this.write((value as Record<string, unknown>)[name], name);
      if (text !== undefined) parts.push(`${JSON.stringify(name)}:${text}`);
      this.#inside.pop();
    }
    return `{${parts.join(",")}}`;
  }

  /** Objects whose content is not in their properties: `JSON.stringify` writes most of them as `{}`. */
  #writeTagged(value: object, tag: string): string | undefined {
    if (BOXED.has(tag)) {
      // case: new Number(1) and the like are written as the scalar inside.
      const primitive = unbox(value, tag);
      if (primitive !== undefined) return this.write(primitive, "");
    }
    return this.#refuse(
      `${article(tag)} is not JSON`,
      ALTERNATIVES.get(tag) ?? "use a plain object, or give it toJSON()",
    );
  }

  #refuse(state: string, advice: string): never {
    return refuse([...this.#where, ...this.#inside], state, advice, this.#where.length === 0);
  }
}

/** With the `u` flag a pair is one character, so that only a lone one is left to match. */
const LONE_SURROGATES = /\p{Surrogate}/gu;

function escape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16)}`;
}

const BOXED: ReadonlySet<string> = new Set(["Number", "String", "Boolean", "BigInt"]);

/** A Map, because the tag comes from the value and may be any name. */
const ALTERNATIVES: ReadonlyMap<string, string> = new Map([
  ["Map", "use Object.fromEntries(map), or an array of its entries"],
  ["Set", "use an array: [...set]"],
  ["RegExp", "use its source, a string"],
  ["Error", "use its message, a string"],
  ["Promise", "await it first"],
  ["ArrayBuffer", "use an array of numbers, or base64 text"],
]);

function isObject(value: unknown): value is object {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}

/** What kind of object it says it is: "Object", "Map", "Error"... */
function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** An object as a literal makes it, whatever its Symbol.toStringTag claims. */
function isOrdinary(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function unbox(value: object, tag: string): unknown {
  try {
    switch (tag) {
      case "Number":
        return Number.prototype.valueOf.call(value);
      case "String":
        return String.prototype.valueOf.call(value);
      case "Boolean":
        return Boolean.prototype.valueOf.call(value);
      default:
        return BigInt.prototype.valueOf.call(value);
    }
  } catch {
    return undefined; // it only claims the tag
  }
}

function article(tag: string): string {
  return /^[AEIO]/i.test(tag) ? `an ${shorten(tag)}` : `a ${shorten(tag)}`;
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}...`;
}

function refuse(
  path: readonly (string | number)[],
  state: string,
  advice: string,
  keyless: boolean = false,
): never {
  const place = keyless ? formatPath(path) || "the value" : formatPlace(path);
  throw new TypeError(`Cannot write ${place}: ${state}; ${advice}`);
}
