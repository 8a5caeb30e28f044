/**
 * What the scripts must do, said in a second way: ops on JSON text by the positions that a tokenizer finds.
 *
 * Slow and plain on purpose. It shares no idea with lua/: each op locates everything, then builds the new text.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Group, Op, Read } from "../../src/data/op.ts";
import type { Segment } from "../../src/data/path.ts";
import { locate, type Node } from "./json_text.ts";

/** A refusal, spelled as the scripts spell it. */
export class Refused extends Error {}

function refuse(code: string, segment: number, found: string | number = ""): never {
  throw new Refused(`!${code} ${segment} ${found}`);
}

/** Texts by key in the dictionary. */
export type Texts = Map<string, string>;

/** Applies a group to the texts: all of it, or nothing. Returns the reply for each op. */
export function applyGroup(texts: Texts, group: Group): string[] {
  const replies: string[] = [];
  const before = new Map(texts);
  for (const op of group) {
    try {
      const key = String(op.path[0]);
      const [text, reply] = applyOp(texts.get(key), op);
      if (text === undefined) texts.delete(key);
      else texts.set(key, text);
      replies.push(reply);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      texts.clear();
      for (const [key, text] of before) texts.set(key, text);
      replies.push(error.message);
      break;
    }
  }
  while (replies.length < group.length) replies.push("");
  return replies;
}

/** The reply to a read. */
export function applyRead(texts: Texts, read: Read): string {
  const text = texts.get(String(read.path[0]));
  try {
    if (text === undefined) return read.kind === "exists" ? "false" : refuse("NO_KEY", 0);
    if (read.path.length === 1 && read.kind === "get") return text;
    if (read.kind === "size") return String(new TextEncoder().encode(text).length);
    const place = walk(text, read.path);
    if (!place.node) return read.kind === "exists" ? "false" : refuse("NOT_FOUND", place.depth);
    const { node, depth } = place;
    switch (read.kind) {
      case "get":
        return text.slice(node.start, node.end);
      case "type":
        return node.type;
      case "exists":
        return "true";
      case "keys":
        if (node.type !== "object") refuse("TYPE", depth, node.type);
        return `[${node.children.map((it) => firstString(text, it.at)).join(",")}]`;
      case "length":
        if (node.type === "string") return String(JSON.parse(text.slice(node.start, node.end)).length);
        if (node.type !== "array" && node.type !== "object") refuse("TYPE", depth, node.type);
        return String(node.children.length);
    }
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

function firstString(text: string, at: number): string {
  return text.slice(at).match(/^"(?:[^"\\]|\\.)*"/)![0];
}

interface Place {
  /** The value, if it is there. */
  readonly node?: Node;
  /** What holds it, or what it is missing from; undefined for a whole value. */
  readonly parent?: Node;
  /** Its place among the children of the parent. */
  readonly index: number;
  /** How many segments lead to something. */
  readonly depth: number;
}

/** The index that a segment means to an array. */
function indexOf(segment: Segment, depth: number): number {
  if (typeof segment === "number") return segment;
  if (!/^(?:0|-?[1-9]\d*)$/.test(segment) || segment.length > 16) refuse("TYPE", depth, "array");
  return Number(segment);
}

function walk(text: string, path: readonly Segment[]): Place {
  let node = locate(text);
  let place: Place = { node, index: -1, depth: 0 };
  for (let depth = 0; depth < path.length - 1; depth++) {
    const parent = node;
    const segment = path[depth + 1];
    let index: number;
    if (parent.type === "object") {
      const name = String(segment);
      index = parent.children.findIndex((child) => firstString(text, child.at) === JSON.stringify(name));
      if (index < 0) index = parent.children.findIndex((child) => child.name === name);
    } else if (parent.type === "array") {
      index = indexOf(segment, depth);
      if (index < 0) index += parent.children.length;
    } else {
      refuse("TYPE", depth, parent.type);
    }
    const child = parent.children[index];
    if (!child) return { parent, index, depth };
    node = child.node;
    place = { node, parent, index, depth: depth + 1 };
  }
  return place;
}

function splice(text: string, start: number, end: number, middle: string): string {
  return text.slice(0, start) + middle + text.slice(end);
}

/** Puts a fragment behind the last child, or right behind the opening bracket of an empty parent. */
function add(text: string, parent: Node, fragment: string): string {
  const last = parent.children.at(-1);
  return last
    ? splice(text, last.node.end, last.node.end, `,${fragment}`)
    : splice(text, parent.start + 1, parent.start + 1, fragment);
}

/** Takes the children first..last out, with the comma and the white space up to the next one, else the comma before. */
function remove(text: string, parent: Node, first: number, last: number): string {
  const { children } = parent;
  if (last + 1 < children.length) return splice(text, children[first].at, children[last + 1].at, "");
  const end = children[last].node.end;
  if (first === 0) return splice(text, children[first].at, end, "");
  const comma = text.indexOf(",", children[first - 1].node.end);
  return splice(text, comma, end, "");
}

const asName = (segment: Segment): string => JSON.stringify(String(segment));

function nest(segments: readonly Segment[], fragment: string): string {
  return segments.reduceRight<string>(
    (inner, segment) => segment === 0 ? `[${inner}]` : `{${asName(segment)}:${inner}}`,
    fragment,
  );
}

/** What an op makes of nothing: the value and the reply. */
function fromNothing(op: Op): [string, string] | undefined {
  switch (op.kind) {
    case "set":
      return [op.value, ""];
    case "add":
      return [op.value!, ""];
    case "increment":
      return [op.by, op.by];
    case "push":
    case "unshift":
      return [`[${op.items.join(",")}]`, String(op.items.length)];
    case "append":
      return [op.text, String(JSON.parse(op.text).length)];
    case "splice":
      return [`[${op.items.join(",")}]`, "[]"];
  }
}

function applyMissing(text: string | undefined, op: Op, place: Place): [string | undefined, string] {
  const { depth, parent } = place;
  if (op.kind === "absent" || op.kind === "take") return [text, ""];
  if (op.kind === "delete" || op.kind === "expire" || op.kind === "persist") return [text, "false"];
  if (op.kind === "set" && op.when === "present") return [text, "false"];
  if (["exists", "test", "type", "length", "keys"].includes(op.kind)) refuse("TEST", depth);
  if (op.kind === "copy") refuse(text === undefined ? "NO_KEY" : "NOT_FOUND", depth);
  const made = fromNothing(op);
  const isLast = depth === op.path.length - (text === undefined ? 1 : 2);
  const mayCreate = "parents" in op && op.parents || (op.kind === "set" || op.kind === "add") && isLast;
  if (!made || !mayCreate) refuse(text === undefined ? "NO_KEY" : "NOT_FOUND", depth);
  if (text === undefined) return [nest(op.path.slice(1), made[0]), made[1]];
  const segment = op.path[depth + 1];
  const fragment = nest(op.path.slice(depth + 2), made[0]);
  if (parent!.type === "object") return [add(text, parent!, `${asName(segment)}:${fragment}`), made[1]];
  const count = parent!.children.length;
  if (indexOf(segment, depth) !== count) refuse("RANGE", depth, count);
  return [add(text, parent!, fragment), made[1]];
}

function applyOp(text: string | undefined, op: Op): [string | undefined, string] {
  if (text === undefined) return applyMissing(text, op, { index: -1, depth: 0 });
  const place = walk(text, op.path);
  if (!place.node) return applyMissing(text, op, place);
  const { node, parent, index, depth } = place;
  const source = parent ? text.slice(node.start, node.end) : text;
  const replaceBy = (fragment: string): string => splice(text, node.start, node.end, fragment);
  const expectType = (type: Node["type"]): void => {
    if (node.type !== type) refuse("TYPE", depth, node.type);
  };
  switch (op.kind) {
    case "set":
      if (op.when === "absent") return [text, source];
      if (op.when === "not-object" && node.type === "object") return [text, ""];
      return [parent ? replaceBy(op.value) : op.value, op.when === "present" ? "true" : ""];
    case "delete":
      return [parent && remove(text, parent, index, index), "true"];
    case "take":
      return [parent && remove(text, parent, index, index), source];
    case "exists":
      return [text, ""];
    case "absent":
      return refuse("TEST", depth);
    case "test": {
      const isEqual = op.by === "bytes"
        ? source === op.value
        : op.by === "sha1"
        ? createHash("sha1").update(source).digest("hex") === op.value
        : equalTexts(source, op.value);
      return isEqual ? [text, ""] : refuse("TEST", depth);
    }
    case "type":
      return node.type === op.value ? [text, ""] : refuse("TEST", depth);
    case "length":
    case "keys": {
      const shape = applyRead(new Map([["", text]]), { kind: op.kind, path: ["", ...op.path.slice(1)] });
      const isKind = node.type === (op.kind === "length" ? "array" : "object");
      return isKind && shape === String(op.value) ? [text, ""] : refuse("TEST", depth);
    }
    case "increment": {
      expectType("number");
      const sum = addNumbers(source.trim(), op.by, op.exact === true);
      if (sum.startsWith("!")) refuse("NUMBER", depth, sum.slice(1));
      return [replaceBy(sum), sum];
    }
    case "toggle": {
      expectType("boolean");
      const flipped = String(source.trim() === "false");
      return [replaceBy(flipped), flipped];
    }
    case "append":
      expectType("string");
      return [
        splice(text, node.end - 1, node.end - 1, op.text.slice(1, -1)),
        String(JSON.parse(source).length + JSON.parse(op.text).length),
      ];
    case "add":
      if (!parent) return [op.value, ""];
      return [
        parent.type === "array" ? splice(text, node.start, node.start, `${op.value},`) : replaceBy(op.value!),
        "",
      ];
    case "copy":
    case "fresh":
      return [text, ""];
    case "expire":
    case "persist":
    case "pick":
    case "put":
      throw new Error("Cannot apply this op: the model knows no time");
    default:
      expectType("array");
      return applyToArray(text, node, op);
  }
}

type ArrayOp = Extract<Op, { kind: "push" | "unshift" | "pop" | "shift" | "splice" }>;

function applyToArray(text: string, node: Node, op: ArrayOp): [string, string] {
  const { children } = node;
  const count = children.length;
  switch (op.kind) {
    case "pop":
    case "shift": {
      if (count === 0) return [text, ""];
      const index = op.kind === "pop" ? count - 1 : 0;
      const gone = children[index].node;
      return [remove(text, node, index, index), text.slice(gone.start, gone.end)];
    }
    case "push":
      return [
        op.items.length === 0 ? text : add(text, node, op.items.join(",")),
        String(count + op.items.length),
      ];
    case "unshift": {
      if (op.items.length === 0) return [text, String(count)];
      const fragment = op.items.join(",") + (count === 0 ? "" : ",");
      return [splice(text, node.start + 1, node.start + 1, fragment), String(count + op.items.length)];
    }
    case "splice": {
      const start = op.start < 0 ? Math.max(op.start + count, 0) : Math.min(op.start, count);
      const deleted = Math.max(Math.min(op.deleteCount, count - start), 0);
      const items = op.items.join(",");
      if (deleted === 0) {
        if (items === "") return [text, "[]"];
        if (start === count) return [add(text, node, items), "[]"];
        return [splice(text, children[start].at, children[start].at, `${items},`), "[]"];
      }
      const from = children[start].node.start;
      const to = children[start + deleted - 1].node.end;
      const gone = `[${text.slice(from, to)}]`;
      if (items === "") return [remove(text, node, start, start + deleted - 1), gone];
      return [splice(text, from, to, items), gone];
    }
  }
}

/** The sum as text; `"!..."` where it is refused. Integers add as integers, anything else as doubles do. */
export function addNumbers(a: string, b: string, exact: boolean): string {
  const isInteger = (text: string): boolean => /^-?\d+$/.test(text);
  const isUnsafe = (text: string): boolean => isInteger(text) && !Number.isSafeInteger(Number(text));
  if (isInteger(a) && isInteger(b)) {
    if (a.length > 400 || b.length > 400) return "!digits";
    const sum = String(BigInt(a) + BigInt(b));
    return exact || !isUnsafe(sum) ? sum : "!integer";
  }
  if (isUnsafe(a) || isUnsafe(b)) return "!integer";
  const sum = Number(a) + Number(b);
  return Number.isFinite(sum) ? String(sum) : "!finite";
}

/**
 * The decimal that a number stands for. Digits alone stand for themselves; anything else is a double, and stands for
 * the fewest digits that read back as it.
 */
export function decimalOf(text: string): string {
  if (/^-?\d+$/.test(text)) return String(BigInt(text));
  const value = Number(text);
  if (!Number.isFinite(value)) return text;
  const [, digits, fraction = "", power] = /^(-?\d)(?:\.(\d+))?e\+(\d+)$/.exec(String(value)) ?? [];
  if (digits === undefined) return String(value);
  return digits + fraction.padEnd(Number(power), "0");
}

/** JSON equality. Not by `JSON.parse`, which misreads some names in V8 15.0 (see `parseText`). */
function equalTexts(a: string, b: string): boolean {
  const marked = (text: string): string => {
    const read = ({ type, start, end, children }: Node): unknown => {
      if (type === "array") return children.map(({ node }) => read(node));
      if (type === "object") return Object.fromEntries(children.map(({ name, node }) => [name, read(node)]));
      const spelled = text.slice(start, end);
      return type === "number" ? `number ${decimalOf(spelled)}` : `${type} ${JSON.parse(spelled)}`;
    };
    return canonical(read(locate(text)));
  };
  return marked(a) === marked(b);
}

/** A text that is the same for equal values, whatever the order of their members. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) =>
    `${JSON.stringify(name)}:${canonical(member)}`
  );
  return `{${members.sort().join(",")}}`;
}
