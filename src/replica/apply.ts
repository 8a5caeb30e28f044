/**
 * Applying: one op on one document, with the effect and the reply of `lua/apply.lua`.
 *
 * @module
 */

import { sameValue } from "./compare.ts";
import { type Document, type Gap, indexOf, type Place, Refused } from "./document.ts";
import type { JsonType } from "../data/json.ts";
import { encodeName } from "../data/encoder.ts";
import { addNumbers, isNumber } from "./number.ts";
import type { AddOp, Op, TestOp } from "../data/op.ts";
import type { Segment } from "../data/path.ts";
import { namesOf, unitsOf } from "./place.ts";
import { type Container, Item, type Value } from "./text.ts";
import { afterSpace } from "./token.ts";

/** The op needs what only the server knows. */
export class Unknown {}

/** What the last `copy` of a group has found, and the last `pick`. */
export interface Clipboard {
  copied?: string;
  /** The expiry is `undefined` where only the server knows it. */
  picked?: { readonly text: string; readonly expiry: number | undefined };
}

type ArrayOp = Extract<Op, { kind: "push" | "unshift" | "pop" | "shift" | "splice" }>;

/**
 * Applies an op.
 *
 * @param document The value of the key. Its changes can be rolled back.
 * @param op The op.
 * @param clipboard Shared by the ops of a group.
 * @returns The reply.
 * @throws {Refused} If the script refuses the op; then nothing has changed.
 * @throws {Unknown} If the reply depends on what only the server knows.
 */
export function applyOp(document: Document, op: Op, clipboard: Clipboard): string {
  const isAtEnd = op.kind === "add" && endsInDash(op);
  const segments = op.path.slice(1, isAtEnd ? -1 : undefined);
  if (segments.length === 0 && !isAtEnd) {
    const reply = applyToKey(document, op, clipboard);
    if (reply !== undefined) return reply;
  }
  const place = document.isThere ? document.walk(segments) : undefined;
  if (place === undefined || "at" in place) return applyToNothing(document, op, segments, clipboard, place);
  const { value, parent, index } = place;
  switch (op.kind) {
    case "set":
      if (op.when === "absent") return value.text;
      if (op.when === "not-object" && value.type === "object") return "";
      document.set(place, op.value);
      return op.when === "present" ? "true" : "";
    case "add": {
      const text = addition(op, clipboard);
      if (isAtEnd) addAtEnd(document, value, text);
      else if (parent!.isArray) parent!.insert(index, [Item.of(text)], document.change());
      else document.set(place, text);
      return "";
    }
    case "copy":
      clipboard.copied = value.text;
      return "";
    case "delete":
    case "take": {
      const reply = op.kind === "take" ? value.text : "true";
      parent!.remove(index, 1, document.change());
      return reply;
    }
    case "increment": {
      const text = textOf("number", value);
      if (!isNumber(text)) throw value.damage();
      const sum = addNumbers(text, op.by, op.exact === true);
      if (typeof sum !== "string") throw new Refused("NUMBER", sum.beyond);
      document.set(place, sum);
      return sum;
    }
    case "toggle": {
      const flipped = String(textOf("boolean", value) === "false");
      document.set(place, flipped);
      return flipped;
    }
    case "append": {
      const text = textOf("string", value);
      const length = unitsOf(text) + unitsOf(op.text);
      document.set(place, text.slice(0, -1) + op.text.slice(1));
      return String(length);
    }
    case "push":
    case "unshift":
    case "pop":
    case "shift":
    case "splice":
      if (value.type !== "array") throw new Refused("TYPE", value.type);
      return applyToArray(document, value.open(), op);
    case "test":
      return hold(equals(document, place, op));
    case "type":
      return hold(value.type === op.value);
    case "length":
      return hold(value.type === "array" && value.open().count() === op.value);
    case "keys":
      return hold(value.type === "object" && namesOf(value) === op.value);
    case "exists":
      return "";
    case "absent":
      return hold(false);
    case "fresh":
      return value.text;
    case "expire":
    case "persist":
    case "pick":
    case "put":
      throw new RangeError(`Cannot apply ${op.kind}: its path leads inside a value; name a key only`);
  }
}

/** Ops on a key that do not look at its text; `undefined` for those that do. */
function applyToKey(document: Document, op: Op, clipboard: Clipboard): string | undefined {
  const { isThere } = document;
  switch (op.kind) {
    case "set":
      if (isThere && op.when === "absent") return document.reply;
      if (!isThere && op.when === "present") return "false";
      if (isThere && op.when === "not-object" && isObject(document.text!)) return "";
      document.put(op.value, op.ttl);
      return op.when === "present" ? "true" : "";
    case "add":
      document.put(addition(op, clipboard));
      return "";
    case "delete":
    case "take": {
      const reply = op.kind === "delete" ? String(isThere) : isThere ? document.reply : "";
      if (isThere) document.put(null);
      return reply;
    }
    case "pick":
      if (!isThere) throw new Refused("NO_KEY");
      clipboard.picked = { text: document.text!, expiry: document.expiry };
      return "";
    case "put": {
      const { text, expiry } = clipboard.picked!;
      if (expiry === undefined) throw new Unknown();
      document.put(text, expiry);
      return "";
    }
    case "fresh":
      if (!isThere) throw new Refused("NO_KEY");
      return document.reply;
    case "expire":
      if (isThere) document.expire(op.ttl);
      return String(isThere);
    case "persist":
      if (!isThere || document.expiry === 0) return "false";
      if (document.expiry === undefined) throw new Unknown();
      document.expire(0);
      return "true";
  }
}

/** The path leads to nothing; without a gap the key itself is missing. Replies, or creates the value and its parents. */
function applyToNothing(
  document: Document,
  op: Op,
  segments: readonly Segment[],
  clipboard: Clipboard,
  gap: Gap | undefined,
): string {
  switch (op.kind) {
    case "absent":
    case "take":
      return "";
    case "delete":
      return "false";
    case "exists":
    case "test":
    case "type":
    case "length":
    case "keys":
      throw new Refused("TEST");
  }
  if (op.kind === "set" && op.when === "present") return "false";
  const isLast = gap?.at === segments.length - 1 &&
    (op.kind === "set" || op.kind === "add" && !endsInDash(op));
  const made = isLast || "parents" in op && op.parents ? initial(op, clipboard) : undefined;
  if (made === undefined) throw new Refused(gap === undefined ? "NO_KEY" : "NOT_FOUND");
  const [value, reply] = made;
  if (gap === undefined) {
    document.put(nest(segments, value), op.kind === "set" ? op.ttl : undefined);
    return reply;
  }
  const { parent, at } = gap;
  const count = parent.count();
  if (parent.isArray && indexOf(segments[at]) !== count) throw new Refused("RANGE", count);
  const name = parent.isArray ? "" : encodeName(String(segments[at]));
  parent.insert(count, [Item.of(nest(segments.slice(at + 1), value), name)], document.change());
  return reply;
}

/** The value that an op creates where none is, and its reply. */
function initial(op: Op, clipboard: Clipboard): [text: string, reply: string] | undefined {
  switch (op.kind) {
    case "set":
      return [op.value, ""];
    case "add":
      return [addition(op, clipboard), ""];
    case "increment":
      return [op.by, op.by];
    case "push":
    case "unshift":
      return [`[${op.items.join(",")}]`, String(op.items.length)];
    case "splice":
      return [`[${op.items.join(",")}]`, "[]"];
    case "append":
      return [op.text, String(unitsOf(op.text))];
  }
}

/** Puts a value into new containers, one for each segment. */
function nest(segments: readonly Segment[], value: string): string {
  return segments.reduceRight<string>(
    (inner, segment) => segment === 0 ? `[${inner}]` : `{${encodeName(String(segment))}:${inner}}`,
    value,
  );
}

function applyToArray(document: Document, array: Container, op: ArrayOp): string {
  switch (op.kind) {
    case "push":
    case "unshift": {
      const count = array.count();
      const items = op.items.map((text) => Item.of(text));
      if (items.length === 0) return String(count);
      if (op.kind === "push") array.insert(count, items, document.change());
      else array.prepend(items, document.change());
      return String(count + items.length);
    }
    case "pop":
    case "shift": {
      if (!array.has(0)) return "";
      const index = op.kind === "pop" ? array.count() - 1 : 0;
      const reply = array.value(index).text;
      array.remove(index, 1, document.change());
      return reply;
    }
    case "splice": {
      const count = array.count();
      const start = Math.min(op.start < 0 ? Math.max(op.start + count, 0) : op.start, count);
      const removed = Math.max(Math.min(op.deleteCount, count - start), 0);
      const items = op.items.map((text) => Item.of(text));
      if (removed === 0 && items.length === 0) return "[]";
      const reply = removed === 0 ? "[]" : `[${array.between(start, start + removed - 1)}]`;
      if (removed === 0) array.insert(start, items, document.change());
      else if (items.length === 0) array.remove(start, removed, document.change());
      else array.replace(start, removed, items, document.change());
      return reply;
    }
  }
}

/** As in a JSON Patch, `-` names the end of an array; the path of the op is that of the container then. */
function endsInDash({ path }: AddOp): boolean {
  return path.length > 1 && path.at(-1) === "-";
}

/** Adds after the last element of an array, or as the member `-` of an object. */
function addAtEnd(document: Document, value: Value, text: string): void {
  const { type } = value;
  if (type !== "array" && type !== "object") throw new Refused("TYPE", type);
  const container = value.open();
  const index = type === "array" ? -1 : container.find('"-"');
  const item = Item.of(text, type === "array" ? "" : '"-"');
  if (index >= 0) document.set({ value, parent: container, index }, text);
  else container.insert(container.count(), [item], document.change());
}

function addition(op: AddOp, clipboard: Clipboard): string {
  const text = op.value ?? clipboard.copied;
  if (text === undefined) throw new RangeError("Cannot apply add: it has no value and follows no copy");
  return text;
}

function textOf(type: JsonType, value: Value): string {
  if (value.type !== type) throw new Refused("TYPE", value.type);
  return value.text;
}

function isObject(text: string): boolean {
  return text[afterSpace(text, 0)] === "{";
}

/** The reply of a guard. */
function hold(isTrue: boolean): string {
  if (!isTrue) throw new Refused("TEST");
  return "";
}

function equals(document: Document, { value, parent }: Place, { value: other, by }: TestOp): boolean {
  if (by === "sha1") throw new Unknown();
  if (by === "bytes") return (parent === undefined ? document.text : value.text) === other;
  const isSame = sameValue(value.text, other);
  if (isSame === undefined) throw new Refused("LIMIT", "depth");
  return isSame;
}
