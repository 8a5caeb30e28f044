/**
 * The result of a recipe: plain data, because its drafts cannot be used after it has returned.
 *
 * @module
 */

import { Fragment } from "../data/fragment.ts";
import type { JsonOptions } from "../data/json.ts";
import { define, draftOf, isContainer } from "./proxy.ts";

/**
 * Replaces the drafts in the result of a recipe by plain data. A result without drafts is returned as it is.
 *
 * @param value What the recipe returned.
 * @param options How numbers are read.
 * @returns The same, or a copy.
 * @throws {TypeError} If anything but a plain object or an array holds a draft: such a holder cannot be copied.
 */
export function toPlain(value: unknown, options: JsonOptions): unknown {
  const { mustCopy, holder } = survey(value);
  if (holder !== undefined) {
    throw new TypeError(
      `Cannot return a draft inside ${holder}: the draft is of no use when the edit is over; ` +
        "return a plain object or an array",
    );
  }
  return mustCopy ? copyOf(value, options, new Map()) : value;
}

/** Copies a value, with plain data instead of drafts. */
function copyOf(value: unknown, options: JsonOptions, copies: Map<object, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (copies.has(value)) return copies.get(value);
  const draft = draftOf(value);
  if (draft) {
    const plain = Fragment.read(draft.text([]), options).value;
    copies.set(value, plain);
    return plain;
  }
  if (!isContainer(value)) return value;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    copies.set(value, copy);
    for (const part of value) copy.push(copyOf(part, options, copies));
    return copy;
  }
  const copy: object = Object.create(Object.getPrototypeOf(value));
  copies.set(value, copy);
  for (const name of Reflect.ownKeys(value)) {
    if (!Object.prototype.propertyIsEnumerable.call(value, name)) continue;
    define(copy, name, copyOf((value as Record<string | symbol, unknown>)[name], options, copies));
  }
  return copy;
}

/** The contents of a value that a recipe returned. */
interface Survey {
  /** Whether it must be copied: it holds drafts, or accessors that may read drafts. */
  readonly mustCopy: boolean;
  /** Something that holds a draft and cannot be copied, as a message names it. */
  readonly holder: string | undefined;
  readonly promises: readonly object[];
}

/** Inspects a value and all that it holds. No getter runs. */
function survey(value: unknown): Survey {
  const promises: object[] = [];
  let mustCopy = false;
  let holder: string | undefined;
  const seen = new Set<object>();
  const left: { readonly part: unknown; readonly inside: string | undefined }[] = [];
  const look = (part: unknown, inside: string | undefined): void => {
    if (typeof part === "object" && part !== null) left.push({ part, inside });
  };
  look(value, undefined);
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const part = next.part as object;
    if (draftOf(part)) {
      if (next.inside === undefined) mustCopy = true;
      else holder ??= next.inside;
      continue;
    }
    if (seen.has(part) || ArrayBuffer.isView(part)) continue;
    seen.add(part);
    if (Array.isArray(part)) {
      for (const element of part) look(element, next.inside);
      continue;
    }
    if (isPromise(part)) promises.push(part);
    const isCopied = isContainer(part);
    const inside = isCopied ? next.inside : nameOf(part);
    if (part instanceof Map) {
      for (const [key, member] of part) {
        look(key, inside);
        look(member, inside);
      }
    }
    if (part instanceof Set) { for (const member of part) look(member, inside); }
    for (const name of Reflect.ownKeys(part)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(part, name);
      if (descriptor === undefined || !descriptor.enumerable) continue;
      if ("value" in descriptor) look(descriptor.value, inside);
      else if (isCopied) mustCopy = true;
    }
  }
  return { mustCopy, holder, promises };
}

function nameOf(value: object): string {
  const { constructor } = value;
  const name = typeof constructor === "function" && constructor.name !== "" ? constructor.name : "object";
  return `${/^[AEIO]/i.test(name) ? "an" : "a"} ${name}`;
}

/** Whether it is a promise, of whatever realm. */
function isPromise(value: object): boolean {
  return value instanceof Promise || Object.prototype.toString.call(value) === "[object Promise]";
}

/**
 * Whether a recipe returned promises. Their rejections are marked as handled: without their draft they must fail, and
 * the edit is refused anyway.
 */
export function disarmPromises(returned: unknown): boolean {
  const { promises } = survey(returned);
  for (const promise of promises) {
    try {
      Promise.prototype.then.call(promise, undefined, () => {});
    } catch {
      // It only looks like one.
    }
  }
  return promises.length > 0;
}
