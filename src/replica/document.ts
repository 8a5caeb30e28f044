/**
 * Documents: the value of one key, walked and changed as text.
 *
 * @module
 */

import { encodeName } from "../data/encoder.ts";
import type { Segment } from "../data/path.ts";
import { type Container, Item, type Undo, Value } from "./text.ts";
import { afterSpace, afterValue, beforeSpace, Damage } from "./token.ts";

/** The refusal of an op or a read: its code and its data, as in `lua/README.md`, without the segment. */
export class Refused {
  readonly code: string;
  readonly found: string | number;

  constructor(code: string, found: string | number = "") {
    this.code = code;
    this.found = found;
  }
}

/** Where a path leads. */
export interface Place {
  readonly value: Value;
  /** The container that holds it; `undefined` for a whole value. */
  readonly parent: Container | undefined;
  /** Its index in the container. */
  readonly index: number;
}

/** Where a path ends because a container has no such item. */
export interface Gap {
  readonly parent: Container;
  /** The index of the segment that leads nowhere. */
  readonly at: number;
}

/** The value of one key, which may be missing. */
export class Document {
  /** Undoes the changes since the last commit. */
  readonly #undo: Undo = [];
  /** How many segments of the last path exist, for refusals. */
  depth: number = 0;
  /** `undefined` after a change inside `#root`. */
  #text: string | null | undefined;
  /** The value, once it was opened. */
  #root: Item | undefined;
  #expiry: number | undefined;

  /** @param text The text on the server; `null` for no such key. */
  constructor(text: string | null) {
    this.#text = text;
  }

  get isThere(): boolean {
    return this.#text !== null;
  }

  get text(): string | null {
    if (this.#text === undefined) this.#text = this.#root!.text();
    return this.#text;
  }

  /** The whole text as a reply. A space marks one that would look like a refusal or like no value; neither is JSON. */
  get reply(): string {
    const text = this.text!;
    return text === "" || text.startsWith("!") ? ` ${text}` : text;
  }

  /** The expiry in milliseconds; 0 for none, `undefined` for the expiry that the key has on the server. */
  get expiry(): number | undefined {
    return this.#expiry;
  }

  /**
   * Follows a path.
   *
   * @param segments The path without the key.
   * @returns The place, or the gap where the path ends.
   * @throws {Refused} If the path leads into a scalar, or names an element by anything but an index.
   */
  walk(segments: readonly Segment[]): Place | Gap {
    this.depth = 0;
    let { value } = this.#open();
    let parent: Container | undefined;
    let index = -1;
    for (const segment of segments) {
      const { type } = value;
      if (type !== "object" && type !== "array") throw new Refused("TYPE", type);
      parent = value.open();
      index = type === "object" ? parent.find(encodeName(String(segment))) : locate(parent, segment);
      if (index < 0) return { parent, at: this.depth };
      value = parent.value(index);
      this.depth++;
    }
    return { value, parent, index };
  }

  /** Begins a change of a container. Returns the list to which the change must add its undo step. */
  change(): Undo {
    const text = this.#text;
    this.#undo.push(() => this.#text = text);
    this.#text = undefined;
    return this.#undo;
  }

  /** Replaces the value at a place. */
  set({ parent, index }: Place, text: string): void {
    const item = parent === undefined ? this.#root! : parent.at(index);
    item.set(text, this.change());
  }

  /**
   * Replaces the whole text, white space around it and all.
   *
   * @param text The text; `null` removes the key.
   * @param ttl The expiry; it stays when left out.
   */
  put(text: string | null, ttl?: number): void {
    this.#save();
    // A key that is not there has no expiry, so one that is made has none.
    if (!this.isThere) this.#expiry ??= 0;
    this.#expiry = text === null ? 0 : ttl ?? this.#expiry;
    this.#text = text;
    this.#root = undefined;
  }

  expire(ttl: number): void {
    this.#save();
    this.#expiry = ttl;
  }

  /** Keeps the changes. */
  commit(): void {
    this.#undo.length = 0;
  }

  /** Undoes the changes since the last commit. */
  rollBack(): void {
    while (this.#undo.length > 0) this.#undo.pop()!();
  }

  #save(): void {
    const [text, root, expiry] = [this.#text, this.#root, this.#expiry];
    this.#undo.push(() => [this.#text, this.#root, this.#expiry] = [text, root, expiry]);
  }

  #open(): Item {
    if (this.#root !== undefined) return this.#root;
    const text = this.text!;
    const from = afterSpace(text, 0);
    const to = Math.max(beforeSpace(text, text.length), from);
    // A cheap check that finds most truncated values, and most with text behind them.
    const isWhole = text[from] === "{"
      ? text[to - 1] === "}"
      : text[from] === "["
      ? text[to - 1] === "]"
      : from < to && afterValue(text, from) === to;
    if (!isWhole) throw new Damage(text, text.length);
    return this.#root = new Item(text.slice(0, from), "", "", new Value(text, from, to), text.slice(to));
  }
}

/** The index of the element that a segment names, -1 if there is none. */
function locate(array: Container, segment: Segment): number {
  let index = indexOf(segment);
  if (index < 0) index += array.count();
  return index >= 0 && array.has(index) ? index : -1;
}

/**
 * The index that a segment names in an array, negative from the end.
 *
 * @throws {Refused} If it is a name that is no index as JavaScript writes it.
 */
export function indexOf(segment: Segment): number {
  if (typeof segment === "number") return segment;
  if (!/^(?:0|-?[1-9]\d*)$/.test(segment) || segment.length > 16) throw new Refused("TYPE", "array");
  return Number(segment);
}
