/**
 * Replicas: what the scripts would make of known values, computed here.
 *
 * Given texts that `decode` accepts, each op and each read gives the reply, the refusal and the text that
 * `lua/apply.lua` and `lua/read.lua` give, byte for byte; `tests/replica_fuzz_test.ts` holds them to it. On a text that is
 * not JSON a replica may refuse where a script would not, or elsewhere. So it is for texts that were decoded.
 *
 * A text is a JavaScript string. One that was not UTF-8 holds U+FFFD where the server has other bytes; only the caller
 * can know that. The limit of 512 MB for a value is not looked at.
 *
 * @module
 */

import { sameValue } from "./compare.ts";
import type { JsonType } from "./errors.ts";
import { encodeName } from "./json.ts";
import { addNumbers, isNumber } from "./number.ts";
import type { Group, Op, Read } from "./op.ts";
import type { Path, Segment } from "./path.ts";
import {
  afterSpace,
  afterValue,
  beforeSpace,
  charactersOf,
  type Container,
  Damage,
  Item,
  type Undo,
  Value,
} from "./text.ts";

/** An op refused: the word and the data of `lua/README.md`; the segment is known to who ran it. */
class Refused {
  readonly code: string;
  readonly found: string | number;

  constructor(code: string, found: string | number = "") {
    this.code = code;
    this.found = found;
  }
}

/** What only the server knows was asked for. */
class Unknown {}

/** One key. */
interface Entry {
  /** Its text, `null` if there is no such key, `undefined` where `root` was changed since. */
  text: string | null | undefined;
  /** The value, where something was looked for in it. */
  root: Item | undefined;
  /** What becomes of the expiry: `undefined` stays as it is on the server, 0 is none, else milliseconds. */
  expiry: number | undefined;
}

/** Where a path leads. */
interface Place {
  readonly value: Value;
  /** What holds it; `undefined` for a whole value. */
  readonly parent: Container | undefined;
  /** Its place there. */
  readonly index: number;
}

/** What a path does not find: an item of `parent`; a whole value where that is `undefined`. */
interface Gap {
  readonly parent: Container | undefined;
  /** Which of the segments leads nowhere. */
  readonly at: number;
}

/**
 * Values of some keys, to which groups of ops are applied as the server would.
 *
 * A group costs the bytes that it is the first to look at, and for each op its depth; `append` also costs the length of
 * its string, `test` the length of what it compares, and an op on a text that was asked for the writing of that text.
 */
export class Replica {
  readonly #entries: Map<string, Entry> = new Map();
  #undo: Undo = [];
  /** What the last `copy` of the group has found. */
  #copied: string | undefined;
  /** How many segments of its path the current op has behind it, for refusals. */
  #segment: number = 0;

  /** @param texts The values that are known, by the key in the dictionary: JSON text, or `null` for no such key. */
  constructor(texts: Iterable<readonly [key: string, text: string | null]> = []) {
    for (const [key, text] of texts) this.put(key, text);
  }

  /**
   * Takes what the server has.
   *
   * @param key The dictionary key.
   * @param text JSON text, or `null` for no such key.
   */
  put(key: string, text: string | null): void {
    this.#entries.set(key, { text, root: undefined, expiry: undefined });
  }

  /**
   * The text of a value, after all groups that were applied.
   *
   * @param key The dictionary key.
   * @returns The text, `null` if there is no such key, `undefined` if nothing is known of it.
   */
  text(key: string): string | null | undefined {
    const entry = this.#entries.get(key);
    return entry && textOf(entry);
  }

  /**
   * What has become of the expiry of a value.
   *
   * @param key The dictionary key.
   * @returns Milliseconds, 0 if it has none, `undefined` if it is what it was on the server.
   */
  expiry(key: string): number | undefined {
    return this.#entries.get(key)?.expiry;
  }

  /**
   * Applies a group: all of it, or nothing.
   *
   * @param group The ops.
   * @returns For each op what the script replies; `readOutcomes` makes results and refusals of it. `undefined` if the
   * group asks for what only the server knows, and then nothing is applied: a key that was not put, whether a key had an
   * expiry (`persist`), a SHA-1 (`test`; apply the guards as they were before they were shortened).
   */
  apply(group: Group): readonly string[] | undefined {
    this.#undo = [];
    this.#copied = undefined;
    let isRefused = false;
    const replies: string[] = [];
    for (const op of group) {
      let reply = "";
      // What is asked for afresh is told only where the group was refused.
      if (isRefused === (op.kind === "fresh")) {
        try {
          reply = this.#run(this.#entry(op.path), op);
        } catch (problem) {
          const refusal = this.#refusal(problem, op.path);
          this.#rollBack();
          if (problem instanceof Unknown) return undefined;
          if (refusal === undefined) throw problem;
          reply = refusal;
          isRefused = true;
        }
      }
      replies.push(reply);
    }
    return replies;
  }

  /**
   * Reads a place.
   *
   * @param read What to read.
   * @returns What the script replies, which may be a refusal; `undefined` if nothing is known of the key.
   */
  read(read: Read): string | undefined {
    try {
      return this.#read(this.#entry(read.path), read);
    } catch (problem) {
      const refusal = this.#refusal(problem, read.path);
      if (refusal === undefined && !(problem instanceof Unknown)) throw problem;
      return refusal;
    }
  }

  #entry(path: Path): Entry {
    this.#segment = 0;
    const entry = this.#entries.get(String(path[0]));
    if (entry === undefined) throw new Unknown();
    return entry;
  }

  #refusal(problem: unknown, path: Path): string | undefined {
    if (problem instanceof Refused) return `!${problem.code} ${this.#segment} ${problem.found}`;
    if (!(problem instanceof Damage)) return undefined;
    const { source, position } = problem;
    // The place in a text that was changed since, or that came with an op, would say nothing.
    const isWhole = source === this.#entries.get(String(path[0]))?.text;
    const offset = isWhole ? String(new TextEncoder().encode(source.slice(0, position)).length) : "";
    return `!CORRUPT ${this.#segment} ${offset}`;
  }

  #rollBack(): void {
    while (this.#undo.length > 0) this.#undo.pop()!();
  }

  // ---- Finding ----

  #walk(entry: Entry, segments: readonly Segment[]): Place | Gap {
    let value = rootOf(entry).value;
    let parent: Container | undefined;
    let index = -1;
    for (const segment of segments) {
      const type = value.type;
      if (type !== "object" && type !== "array") throw new Refused("TYPE", type);
      parent = value.open();
      index = type === "object" ? parent.find(encodeName(String(segment))) : locate(parent, segment);
      if (index < 0) return { parent, at: this.#segment };
      value = parent.value(index);
      this.#segment++;
    }
    return { value, parent, index };
  }

  #read(entry: Entry, { kind, path }: Read): string {
    const text = textOf(entry);
    if (text === null) {
      if (kind === "exists") return "false";
      throw new Refused("NO_KEY");
    }
    if (kind === "get" && path.length === 1) return text.startsWith("!") ? ` ${text}` : text;
    const place = this.#walk(entry, path.slice(1));
    if ("at" in place) {
      if (kind === "exists") return "false";
      throw new Refused("NOT_FOUND");
    }
    const { value } = place;
    const type = value.type;
    switch (kind) {
      case "get":
        return value.text;
      case "type":
        return type;
      case "exists":
        return "true";
      case "keys":
        return namesOf(expect("object", value));
      case "length":
        if (type === "string") return String(unitsOf(value.text));
        if (type !== "array" && type !== "object") throw new Refused("TYPE", type);
        return String(value.open().count());
    }
  }

  // ---- Applying ----

  #run(entry: Entry, op: Op): string {
    // case: the last segment of an add can name the end of an array, whose path leads to the array then.
    const isAtEnd = op.kind === "add" && op.path.length > 1 && op.path.at(-1) === "-";
    const segments = op.path.slice(1, isAtEnd ? -1 : undefined);
    if (segments.length === 0 && !isAtEnd) {
      const reply = this.#runWhole(entry, op);
      if (reply !== undefined) return reply;
    }
    if (entry.text === null) return this.#create(entry, op, segments, { parent: undefined, at: 0 });
    const place = this.#walk(entry, segments);
    if ("at" in place) return this.#create(entry, op, segments, place);
    const { value, parent, index } = place;
    switch (op.kind) {
      case "set":
        if (op.when === "absent") return value.text;
        if (op.when === "not-object" && value.type === "object") return "";
        this.#replace(entry, place, op.value);
        return op.when === "present" ? "true" : "";
      case "add":
        if (isAtEnd) return this.#addAtEnd(entry, value, this.#addition(op.value));
        if (!parent!.isArray) return this.#replace(entry, place, this.#addition(op.value));
        parent!.insert(index, [Item.of(this.#addition(op.value))], this.#change(entry));
        return "";
      case "copy":
        this.#copied = value.text;
        return "";
      case "delete":
      case "take": {
        const text = op.kind === "take" ? value.text : "true";
        parent!.remove(index, 1, this.#change(entry));
        return text;
      }
      case "increment": {
        const text = expect("number", value).text;
        if (!isNumber(text)) throw value.damage();
        const sum = addNumbers(text, op.by, op.exact === true);
        if (typeof sum !== "string") throw new Refused("NUMBER", sum.beyond);
        return this.#replace(entry, place, sum, sum);
      }
      case "toggle": {
        const flipped = String(expect("boolean", value).text === "false");
        return this.#replace(entry, place, flipped, flipped);
      }
      case "append": {
        const text = expect("string", value).text;
        const length = unitsOf(text) + unitsOf(op.text);
        return this.#replace(entry, place, text.slice(0, -1) + op.text.slice(1), String(length));
      }
      case "push":
      case "unshift":
      case "pop":
      case "shift":
      case "splice":
        return this.#runOnArray(entry, expect("array", value).open(), op);
      case "test":
        return hold(this.#equals(entry, place, op.value, op.by));
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
        throw new RangeError(`Cannot apply ${op.kind}: its path leads inside a value; name a key only`);
    }
  }

  /** Ops on a key that do not look at its text; `undefined` for those that do. */
  #runWhole(entry: Entry, op: Op): string | undefined {
    const isThere = entry.text !== null;
    switch (op.kind) {
      case "set":
        if (isThere && op.when === "absent") return wholeText(entry);
        if (!isThere && op.when === "present") return "false";
        if (isThere && op.when === "not-object" && isObject(textOf(entry)!)) return "";
        this.#putWhole(entry, op.value, op.ttl);
        return op.when === "present" ? "true" : "";
      case "add":
        this.#putWhole(entry, this.#addition(op.value));
        return "";
      case "delete":
      case "take": {
        const text = op.kind === "delete" ? String(isThere) : isThere ? wholeText(entry) : "";
        if (isThere) this.#putWhole(entry, null);
        return text;
      }
      case "fresh":
        if (!isThere) throw new Refused("NO_KEY");
        return wholeText(entry);
      case "expire":
        if (isThere) this.#setExpiry(entry, op.ttl);
        return String(isThere);
      case "persist":
        if (!isThere || entry.expiry === 0) return "false";
        if (entry.expiry === undefined) throw new Unknown();
        this.#setExpiry(entry, 0);
        return "true";
    }
  }

  /** The op finds nothing: answers, or creates what is missing. */
  #create(entry: Entry, op: Op, segments: readonly Segment[], { parent, at }: Gap): string {
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
    const isLast = parent !== undefined && at === segments.length - 1;
    const isAtEnd = op.kind === "add" && segments.length < op.path.length - 1;
    const mayCreate = "parents" in op && op.parents ||
      isLast && (op.kind === "set" || op.kind === "add" && !isAtEnd);
    const made = mayCreate ? this.#initial(op) : undefined;
    if (made === undefined) throw new Refused(parent === undefined ? "NO_KEY" : "NOT_FOUND");
    const [text, reply] = made;
    const nest = (from: number): string =>
      segments.slice(from).reduceRight<string>(
        (inner, segment) => segment === 0 ? `[${inner}]` : `{${encodeName(String(segment))}:${inner}}`,
        text,
      );
    if (parent === undefined) {
      this.#putWhole(entry, nest(0), op.kind === "set" ? op.ttl : undefined);
      return reply;
    }
    const segment = segments[at];
    const count = parent.count();
    if (parent.isArray && indexOf(segment) !== count) throw new Refused("RANGE", count);
    const item = Item.of(nest(at + 1), parent.isArray ? "" : encodeName(String(segment)));
    parent.insert(count, [item], this.#change(entry));
    return reply;
  }

  /** What an op makes of a value that is not there, and its reply. */
  #initial(op: Op): [text: string, reply: string] | undefined {
    switch (op.kind) {
      case "set":
        return [op.value, ""];
      case "add":
        return [this.#addition(op.value), ""];
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

  #runOnArray(
    entry: Entry,
    array: Container,
    op: Extract<Op, { kind: "push" | "unshift" | "pop" | "shift" | "splice" }>,
  ): string {
    const itemsOf = (texts: readonly string[]): Item[] => texts.map((text) => Item.of(text));
    switch (op.kind) {
      case "push":
      case "unshift": {
        const count = array.count();
        if (op.items.length > 0) {
          const items = itemsOf(op.items);
          if (op.kind === "push") array.insert(count, items, this.#change(entry));
          else array.prepend(items, this.#change(entry));
        }
        return String(count + op.items.length);
      }
      case "pop":
      case "shift": {
        if (!array.has(0)) return "";
        const index = op.kind === "pop" ? array.count() - 1 : 0;
        const text = array.value(index).text;
        array.remove(index, 1, this.#change(entry));
        return text;
      }
      case "splice": {
        const count = array.count();
        const start = Math.min(op.start < 0 ? Math.max(op.start + count, 0) : op.start, count);
        const removed = Math.min(op.deleteCount, count - start);
        if (removed <= 0) {
          if (op.items.length > 0) array.insert(start, itemsOf(op.items), this.#change(entry));
          return "[]";
        }
        const text = `[${array.between(start, start + removed - 1)}]`;
        if (op.items.length === 0) array.remove(start, removed, this.#change(entry));
        else array.replace(start, removed, itemsOf(op.items), this.#change(entry));
        return text;
      }
    }
  }

  #addAtEnd(entry: Entry, value: Value, text: string): string {
    const type = value.type;
    if (type !== "array" && type !== "object") throw new Refused("TYPE", type);
    const container = value.open();
    const index = type === "array" ? -1 : container.find('"-"');
    if (index >= 0) container.at(index).set(text, this.#change(entry));
    else {container.insert(
        container.count(),
        [Item.of(text, type === "array" ? "" : '"-"')],
        this.#change(entry),
      );}
    return "";
  }

  #addition(value: string | undefined): string {
    const text = value ?? this.#copied;
    if (text === undefined) throw new RangeError("Cannot apply add: it has no value and follows no copy");
    return text;
  }

  #equals(entry: Entry, { value, parent }: Place, other: string, by: "bytes" | "sha1" | undefined): boolean {
    if (by === "sha1") throw new Unknown();
    if (by === "bytes") return (parent === undefined ? textOf(entry) : value.text) === other;
    const same = sameValue(value.text, other);
    if (same === undefined) throw new Refused("LIMIT", "depth");
    return same;
  }

  // ---- Changing ----

  /** Must be asked for before a change inside a value: what takes it back. */
  #change(entry: Entry): Undo {
    const { text } = entry;
    this.#undo.push(() => entry.text = text);
    entry.text = undefined;
    return this.#undo;
  }

  #replace(entry: Entry, { parent, index }: Place, text: string, reply: string = ""): string {
    const item = parent === undefined ? entry.root! : parent.at(index);
    item.set(text, this.#change(entry));
    return reply;
  }

  #putWhole(entry: Entry, text: string | null, ttl?: number): void {
    this.#save(entry);
    // A key that is not there has no expiry, nor has one that is made anew.
    const isNew = entry.text === null;
    entry.expiry = text === null ? 0 : ttl ?? (isNew ? entry.expiry ?? 0 : entry.expiry);
    entry.text = text;
    entry.root = undefined;
  }

  #setExpiry(entry: Entry, expiry: number): void {
    this.#save(entry);
    entry.expiry = expiry;
  }

  #save(entry: Entry): void {
    const before = { ...entry };
    this.#undo.push(() => Object.assign(entry, before));
  }
}

function rootOf(entry: Entry): Item {
  if (entry.root !== undefined) return entry.root;
  const text = entry.text!;
  const from = afterSpace(text, 0);
  const to = Math.max(beforeSpace(text, text.length), from);
  const value = new Value(text, from, to);
  const open = text[from];
  // A cheap look that finds most values cut short, and most that are followed by something else.
  const isWhole = open === "{"
    ? text[to - 1] === "}"
    : open === "["
    ? text[to - 1] === "]"
    : from < to && afterValue(text, from) === to;
  if (!isWhole) throw new Damage(text, text.length);
  return entry.root = new Item(text.slice(0, from), "", "", value, text.slice(to));
}

function textOf(entry: Entry): string | null {
  return entry.text === undefined ? entry.text = entry.root!.text() : entry.text;
}

/** The whole text as a reply. What looks like a refusal or like "none" is no JSON, and is none behind a space. */
function wholeText(entry: Entry): string {
  const text = textOf(entry)!;
  return text === "" || text.startsWith("!") ? ` ${text}` : text;
}

function isObject(text: string): boolean {
  return text[afterSpace(text, 0)] === "{";
}

/** The index of an element that a segment names, -1 if it is not there. */
function locate(array: Container, segment: Segment): number {
  let index = indexOf(segment);
  if (index < 0) index += array.count();
  return index >= 0 && array.has(index) ? index : -1;
}

/** The index that a segment means to an array. */
function indexOf(segment: Segment): number {
  if (typeof segment === "number") return segment;
  if (!/^(?:0|-?[1-9]\d*)$/.test(segment) || segment.length > 16) throw new Refused("TYPE", "array");
  return Number(segment);
}

function expect(type: JsonType, value: Value): Value {
  if (value.type !== type) throw new Refused("TYPE", value.type);
  return value;
}

/** The reply of a guard. */
function hold(isTrue: boolean): string {
  if (!isTrue) throw new Refused("TEST");
  return "";
}

function namesOf(object: Value): string {
  return `[${object.open().names().join(",")}]`;
}

/** The length of a string in UTF-16 code units. */
function unitsOf(text: string): number {
  return charactersOf(text).length;
}
