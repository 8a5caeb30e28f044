/**
 * What ops do, said in plain JavaScript on plain values.
 *
 * @module
 */

import type { Op } from "../../src/data/op.ts";
import type { Json } from "../../src/data/json.ts";
import type { Segment } from "../../src/data/path.ts";
import { parseText } from "./json_text.ts";

type Container = Json[] | { [name: string]: Json };

function isContainer(value: Json | undefined): value is Container {
  return typeof value === "object" && value !== null;
}

function slot(container: Container, segment: Segment): string {
  if (!Array.isArray(container)) return String(segment);
  const index = Number(segment);
  return String(index < 0 ? container.length + index : index);
}

function read(container: Container, segment: Segment): Json | undefined {
  const name = slot(container, segment);
  return Object.hasOwn(container, name) ? (container as Record<string, Json>)[name] : undefined;
}

/** Unlike an assignment, this does not stumble over `__proto__`. */
function write(container: Container, segment: Segment, value: Json): void {
  const own = { value, enumerable: true, writable: true, configurable: true };
  Object.defineProperty(container, slot(container, segment), own);
}

function remove(container: Container, segment: Segment): void {
  const name = slot(container, segment);
  if (Array.isArray(container)) container.splice(Number(name), 1);
  else delete container[name];
}

/** An empty value of the type that an op works on. */
function startOf(op: Op): Json {
  switch (op.kind) {
    case "push":
    case "unshift":
    case "splice":
      return [];
    case "append":
      return "";
    default:
      return 0;
  }
}

const parse = (texts: readonly string[]): Json[] => texts.map(parseText);

/**
 * Does an op that is known to be possible, as a program would that has the values in hand.
 *
 * @param values The values by key; changed in place.
 * @returns What JavaScript returns for it; `undefined` where the scripts answer nothing.
 */
export function applyJs(values: Record<string, Json>, op: Op): Json | undefined {
  const last = op.path.length - 1;
  let parent: Container = values;
  for (let k = 0; k < last; k++) {
    let next = read(parent, op.path[k]);
    if (
      next === undefined && "parents" in op && op.parents && !(op.kind === "set" && op.when === "present")
    ) {
      next = op.path[k + 1] === 0 ? [] : {};
      write(parent, op.path[k], next);
    }
    if (!isContainer(next)) return op.kind === "delete" || op.kind === "set" ? false : undefined;
    parent = next;
  }
  const segment = op.path[last];
  const old = read(parent, segment);
  switch (op.kind) {
    case "set":
      if (op.when === "absent" && old !== undefined) return old;
      if (op.when === "present" && old === undefined) return false;
      if (op.when === "not-object" && isContainer(old) && !Array.isArray(old)) return undefined;
      write(parent, segment, parseText(op.value));
      return op.when === "present" ? true : undefined;
    case "delete":
      if (old !== undefined) remove(parent, segment);
      return old !== undefined;
    case "take":
      if (old !== undefined) remove(parent, segment);
      return old;
    case "toggle":
      write(parent, segment, !old);
      return !old;
    case "add":
      if (Array.isArray(parent)) parent.splice(Number(slot(parent, segment)), 0, parseText(op.value!));
      else write(parent, segment, parseText(op.value!));
      return undefined;
    case "copy":
    case "test":
    case "type":
    case "length":
    case "keys":
    case "fresh":
    case "exists":
    case "absent":
    case "expire":
    case "persist":
      return undefined;
  }
  if (old === undefined) write(parent, segment, startOf(op));
  const value = read(parent, segment);
  if (op.kind === "increment") {
    const sum = Number(value) + Number(op.by);
    write(parent, segment, sum);
    return sum;
  }
  if (op.kind === "append") {
    const text = String(value) + JSON.parse(op.text);
    write(parent, segment, text);
    return text.length;
  }
  const list = value as Json[];
  switch (op.kind) {
    case "push":
      return list.push(...parse(op.items));
    case "unshift":
      return list.unshift(...parse(op.items));
    case "pop":
      return list.pop();
    case "shift":
      return list.shift();
    case "splice":
      return list.splice(op.start, op.deleteCount, ...parse(op.items));
  }
}
