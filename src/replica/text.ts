/**
 * Splicing: the text of a JSON value, changed in places, with every other character kept.
 *
 * A container is read up to the item that is looked for, and what has been read is remembered. So a change costs its
 * depth and the text that nobody looked at before, and many changes of one text cost little more than one. Which white
 * space goes with an item and which stays is decided as `lua/apply.lua` does.
 *
 * Nothing here checks text that it jumps over. On valid JSON every answer is exact. On anything else an answer may be
 * wrong, but every loop ends; damage that the walk meets is thrown as {@linkcode Damage}.
 *
 * @module
 */

import type { JsonType } from "../data/json.ts";
import {
  afterSpace,
  afterString,
  afterValue,
  beforeSpace,
  BRACE,
  BRACKET,
  charactersOf,
  COLON,
  COMMA,
  Damage,
  QUOTE,
  TO_CLOSE,
} from "./token.ts";

/** Undo steps, to be run last one first. */
export type Undo = (() => void)[];

// ---- Values ----

/** A value: a range of a text. It is opened when something inside it is needed. */
export class Value {
  readonly #source: string;
  readonly #from: number;
  /** The position behind it in the source, once it is known. */
  #to: number | undefined;
  #inside: Container | undefined;

  constructor(source: string, from: number, to?: number) {
    this.#source = source;
    this.#from = from;
    this.#to = to;
  }

  /** Its text, without white space around it. */
  get text(): string {
    if (this.#inside === undefined) return this.#source.slice(this.#from, this.end());
    const out: string[] = [];
    const rest = this.write(out);
    if (rest >= 0) out.push(this.#source.slice(rest, this.end()));
    return out.join("");
  }

  get type(): JsonType {
    switch (this.#source.charCodeAt(this.#from)) {
      case QUOTE:
        return "string";
      case BRACE:
        return "object";
      case BRACKET:
        return "array";
    }
    const word = this.text;
    if (word === "true" || word === "false") return "boolean";
    if (word === "null") return "null";
    if (/^-?\d/.test(word)) return "number";
    throw this.damage();
  }

  /** Opens the object or array. */
  open(): Container {
    return this.#inside ??= new Container(this.#source, this.#from);
  }

  /** The position after it in the source; changes inside do not move it. */
  end(): number {
    return this.#to ??= this.#inside?.end ?? afterValue(this.#source, this.#from);
  }

  damage(): Damage {
    return new Damage(this.#source, this.#from);
  }

  /**
   * Writes its text.
   *
   * @param out Takes the pieces.
   * @returns -1, or where the source goes on unchanged, if the end of this value has not been looked for.
   */
  write(out: string[]): number {
    const rest = this.#inside === undefined ? this.#from : this.#inside.write(out);
    if (rest < 0 || this.#to === undefined) return rest;
    out.push(this.#source.slice(rest, this.#to));
    return -1;
  }
}

/** An element or a member: everything between two commas. A whole value is one too. */
export class Item {
  /** White space before it. */
  lead: string;
  /** The name of a member as it is spelled, with its quotes; `""` for an element. */
  readonly name: string;
  /** What stands between the name and the value of a member. */
  gap: string;
  value: Value;
  /** White space behind it; `undefined` while its end has not been looked for. */
  trail: string | undefined;
  /** Its place among the items of the source, -1 if it is new. */
  readonly origin: number;

  constructor(lead: string, name: string, gap: string, value: Value, trail?: string, origin = -1) {
    this.lead = lead;
    this.name = name;
    this.gap = gap;
    this.value = value;
    this.trail = trail;
    this.origin = origin;
  }

  /** Makes an item from the text of a value, with or without white space around it, and the name of a member. */
  static of(text: string, name = ""): Item {
    const from = afterSpace(text, 0);
    const to = Math.max(beforeSpace(text, text.length), from);
    const space = text.slice(0, from);
    const value = new Value(text, from, to);
    return name === ""
      ? new Item(space, "", "", value, text.slice(to))
      : new Item("", name, `:${space}`, value, text.slice(to));
  }

  /** Replaces the value. The end of the item must be known. */
  set(text: string, undo: Undo): void {
    const other = Item.of(text);
    this.save(undo);
    if (this.name === "") this.lead += other.lead;
    else this.gap += other.lead;
    this.value = other.value;
    this.trail = other.trail! + this.trail!;
  }

  /** Adds the undo step for the changes that follow. */
  save(undo: Undo): void {
    const { lead, gap, value, trail } = this;
    undo.push(() => Object.assign(this, { lead, gap, value, trail }));
  }

  text(): string {
    return this.lead + this.name + this.gap + this.value.text + this.trail!;
  }
}

// ---- Containers ----

/**
 * An object or an array that was opened.
 *
 * Its items are numbers as long as nothing has to be known of them: the item `k` of the source stands between
 * `#marks[k]` and `#marks[k + 1]`. The last one that was read may have no mark behind it yet: its end is looked for
 * only when that is needed, so that a path leads to a value without a look at what comes after it.
 */
export class Container {
  readonly isArray: boolean;
  readonly #source: string;
  /** The positions of the opening bracket, of the commas, and of the closing bracket once that was read. */
  readonly #marks: number[];
  /** How many items of the source were read. */
  #read = 0;
  /** Where the value of the last one starts. */
  #valueAt = 0;
  #isComplete = false;
  #items: (number | Item)[] = [];
  /** The white space inside if there is no item. */
  #blank = "";
  /** The first member of each spelling of a name, by its place in the source or, if it is new, itself. */
  #names: Map<string, number | Item> | undefined = new Map();
  /** The same by the characters of the names; made when a spelling is not found. */
  #decoded: Map<string, number | Item> | undefined;
  /** Whether a name is spelled with an escape. */
  #hasEscapes = false;
  /** Whether two members have one name, so that the second is the first when that is removed. */
  #hasTwins = false;

  constructor(source: string, from: number) {
    this.isArray = source.charCodeAt(from) === BRACKET;
    this.#source = source;
    this.#marks = [from];
  }

  /** The position behind it in the source; `undefined` while that was not read. */
  get end(): number | undefined {
    return this.#isComplete ? this.#marks.at(-1)! + 1 : undefined;
  }

  /** How many items there are. Reads all of them. */
  count(): number {
    while (this.#readNext());
    return this.#items.length;
  }

  /** Whether there is an item at this index. Reads no further. */
  has(index: number): boolean {
    while (index >= this.#items.length && this.#readNext());
    return index < this.#items.length;
  }

  /**
   * Finds a member, of several with one name the first that is spelled so, else the first whose name has these
   * characters.
   *
   * @param name The name as JSON text.
   * @returns Its index, -1 if there is none; then all items were read.
   */
  find(name: string): number {
    let id = this.#index().get(name);
    while (id === undefined && this.#readNext()) id = this.#index().get(name);
    if (id === undefined && this.#hasEscapes) id = this.#decodedIndex().get(charactersOf(name));
    return id === undefined ? -1 : this.#position(id);
  }

  /** The names of the members, as they are spelled. */
  names(): string[] {
    this.count();
    return this.#items.map((item) => this.#nameOf(item));
  }

  /** The value of an item that is there. */
  value(index: number): Value {
    return this.#open(index).value;
  }

  /** An item that is there. It may be changed after {@linkcode Item.save}. */
  at(index: number): Item {
    const item = this.#open(index);
    if (item.trail === undefined) this.#readEnd();
    return item;
  }

  /** The text from the value of one item to that of a later one. */
  between(first: number, last: number): string {
    if (first === last) return this.value(first).text;
    const items = Array.from({ length: last - first + 1 }, (_, index) => this.at(first + index));
    const text = items.map((item) => item.text()).join(",");
    return text.slice(items[0].lead.length, text.length - items.at(-1)!.trail!.length);
  }

  /** Inserts items directly before the value at an index, or after the last value. White space there stays outside. */
  insert(index: number, items: readonly Item[], undo: Undo): void {
    if (items.length === 0) return;
    const last = items.at(-1)!;
    if (this.has(index)) {
      const next = this.at(index);
      next.save(undo);
      items[0].lead = next.lead + items[0].lead;
      next.lead = "";
    } else if (index === 0) {
      last.trail += this.#setBlank("", undo);
    } else {
      const before = this.at(index - 1);
      before.save(undo);
      last.trail += before.trail!;
      before.trail = "";
    }
    this.#splice(index, 0, items, undo);
  }

  /** Inserts items directly after the opening bracket. */
  prepend(items: readonly Item[], undo: Undo): void {
    if (this.has(0)) this.#splice(0, 0, items, undo);
    else this.insert(0, items, undo);
  }

  /**
   * Removes items that are there, and one comma with the white space behind it: the comma behind them or, where nothing
   * follows, the one before them.
   */
  remove(index: number, count: number, undo: Undo): void {
    const { lead } = this.at(index);
    const trail = this.at(index + count - 1).trail!;
    if (this.has(index + count)) {
      const next = this.at(index + count);
      next.save(undo);
      next.lead = lead;
    } else if (index > 0) {
      const before = this.at(index - 1);
      before.save(undo);
      before.trail! += trail;
    } else {
      this.#setBlank(lead + trail, undo);
    }
    this.#splice(index, count, [], undo);
  }

  /** Replaces existing items. */
  replace(index: number, count: number, items: readonly Item[], undo: Undo): void {
    items[0].lead = this.at(index).lead + items[0].lead;
    items.at(-1)!.trail += this.at(index + count - 1).trail!;
    this.#splice(index, count, items, undo);
  }

  /** Writes its text, as {@linkcode Value.write} does. */
  write(out: string[]): number {
    const source = this.#source;
    const marks = this.#marks;
    const items = this.#items;
    out.push(source[marks[0]]);
    for (let index = 0; index < items.length;) {
      if (index > 0) out.push(",");
      const item = items[index++];
      if (typeof item === "number") {
        let last = item;
        while (items[index] === last + 1) last++, index++; // neighbours in the source still are
        if (last + 1 === marks.length) return marks[item] + 1;
        out.push(source.slice(marks[item] + 1, marks[last + 1]));
      } else {
        out.push(item.lead, item.name, item.gap);
        const rest = item.value.write(out);
        if (rest >= 0) return rest;
        if (item.trail === undefined) return item.value.end();
        out.push(item.trail);
      }
    }
    if (!this.#isComplete) return this.#read === 0 ? marks[0] + 1 : marks[this.#read];
    if (items.length === 0) out.push(this.#blank);
    out.push(this.isArray ? "]" : "}");
    return -1;
  }

  // ---- Reading the source ----

  /** Reads one more item up to its value. Returns whether there was one. */
  #readNext(): boolean {
    if (this.#isComplete) return false;
    this.#readEnd();
    if (this.#isComplete) return false;
    const source = this.#source;
    let p = afterSpace(source, this.#marks[this.#read] + 1);
    if (this.#read === 0 && source.charCodeAt(p) === this.#closing()) {
      this.#blank = source.slice(this.#marks[0] + 1, p);
      this.#marks.push(p);
      this.#isComplete = true;
      return false;
    }
    if (!this.isArray) {
      const [name, gapEnd] = this.#readName(p);
      if (name.includes("\\")) this.#hasEscapes = true;
      this.#note(name, this.#read);
      p = gapEnd;
    }
    this.#valueAt = p;
    this.#items.push(this.#read++);
    return true;
  }

  /** Reads on to the comma or the bracket behind the last item that was read. */
  #readEnd(): void {
    if (this.#marks.length > this.#read) return;
    const source = this.#source;
    const item = this.#items.at(-1);
    const end = item instanceof Item ? item.value.end() : afterValue(source, this.#valueAt);
    const mark = afterSpace(source, end);
    const code = source.charCodeAt(mark);
    if (code !== COMMA && code !== this.#closing()) throw new Damage(source, Math.min(mark, source.length));
    if (item instanceof Item) item.trail = source.slice(end, mark);
    this.#marks.push(mark);
    this.#isComplete = code !== COMMA;
  }

  #closing(): number {
    return (this.isArray ? BRACKET : BRACE) + TO_CLOSE;
  }

  /** The name of the member at a position, and where its value starts. */
  #readName(at: number): [string, number] {
    const source = this.#source;
    if (source.charCodeAt(at) !== QUOTE) throw new Damage(source, at);
    const end = afterString(source, at);
    const colon = afterSpace(source, end);
    if (source.charCodeAt(colon) !== COLON) throw new Damage(source, colon);
    return [source.slice(at, end), afterSpace(source, colon + 1)];
  }

  /** Makes an item of the number that stands for it. */
  #open(index: number): Item {
    const known = this.#items[index];
    if (typeof known !== "number") return known;
    const source = this.#source;
    const at = afterSpace(source, this.#marks[known] + 1);
    const [name, from] = this.isArray ? ["", at] : this.#readName(at);
    const mark = this.#marks[known + 1];
    const to = mark === undefined ? undefined : beforeSpace(source, mark);
    const item = new Item(
      source.slice(this.#marks[known] + 1, at),
      name,
      source.slice(at + name.length, from),
      new Value(source, from, to),
      to === undefined ? undefined : source.slice(to, mark),
      known,
    );
    this.#items[index] = item;
    return item;
  }

  // ---- Names ----

  #nameOf(item: number | Item): string {
    return typeof item === "number"
      ? this.#readName(afterSpace(this.#source, this.#marks[item] + 1))[0]
      : item.name;
  }

  /** The first members by name, of all that were read. */
  #index(): Map<string, number | Item> {
    if (this.#names !== undefined) return this.#names;
    this.#names = new Map();
    for (const item of this.#items) this.#note(this.#nameOf(item), idOf(item));
    return this.#names;
  }

  #decodedIndex(): Map<string, number | Item> {
    if (this.#decoded !== undefined) return this.#decoded;
    this.#decoded = new Map();
    for (const item of this.#items) {
      const name = charactersOf(this.#nameOf(item));
      if (this.#decoded.has(name)) this.#hasTwins = true;
      else this.#decoded.set(name, idOf(item));
    }
    return this.#decoded;
  }

  /** Notes a member that stands behind all others. */
  #note(name: string, id: number | Item): void {
    if (this.#names?.has(name)) this.#hasTwins = true;
    else this.#names?.set(name, id);
    // This name was looked up before it was added, so no other has the same characters.
    if (typeof id !== "number") this.#decoded?.set(charactersOf(name), id);
  }

  /** Where a member is now: removals move it towards the start, and new ones stand behind all others. */
  #position(id: number | Item): number {
    if (typeof id !== "number") return this.#items.lastIndexOf(id);
    let index = Math.min(id, this.#items.length - 1);
    while (idOf(this.#items[index]) !== id) index--;
    return index;
  }

  // ---- Changing ----

  #setBlank(blank: string, undo: Undo): string {
    const before = this.#blank;
    undo.push(() => this.#blank = before);
    this.#blank = blank;
    return before;
  }

  #splice(index: number, count: number, items: readonly (number | Item)[], undo: Undo): void {
    const removed = this.#items.slice(index, index + count);
    this.#exchange(index, count, items);
    if (!this.isArray) {
      for (const item of removed) this.#forget(this.#nameOf(item));
      for (const item of items) this.#note(this.#nameOf(item), idOf(item));
    }
    undo.push(() => {
      this.#exchange(index, items.length, removed);
      this.#names = this.#decoded = undefined;
    });
  }

  #exchange(index: number, count: number, items: readonly (number | Item)[]): void {
    // case: a call takes only so many arguments.
    if (items.length < 1000) this.#items.splice(index, count, ...items);
    else this.#items = this.#items.slice(0, index).concat(items, this.#items.slice(index + count));
  }

  #forget(name: string): void {
    if (this.#hasTwins) this.#names = this.#decoded = undefined;
    this.#names?.delete(name);
    this.#decoded?.delete(charactersOf(name));
  }
}

/** What stands for an item in the index of names, and goes on to when the item is opened. */
function idOf(item: number | Item): number | Item {
  return typeof item === "number" || item.origin < 0 ? item : item.origin;
}
