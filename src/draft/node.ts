/**
 * Nodes: the objects and arrays among the drafts.
 *
 * A node keeps the value as it was read (a {@linkcode Fragment}) and as it is now (its target, a plain object or array).
 * A change is made in the target and recorded as an op. In an edit, reads are recorded too and become guards: ops that
 * hold as long as nobody else has changed what was read.
 *
 * @module
 */

import { Fragment } from "../data/fragment.ts";
import { freeze } from "../data/frozen.ts";
import type { Json } from "../data/json.ts";
import type { Op } from "../data/op.ts";
import { formatPlace, type Path, type Segment } from "../data/path.ts";
import { staysFrom } from "./identity.ts";
import { isName, Reads } from "./reads.ts";
import { type Change, Session, Written } from "./session.ts";
import { createProxy, define, type Draftable, draftOf, isContainer, missingMember } from "./proxy.ts";

/** What is wrong with an array index beyond the end. */
const NO_HOLES = "arrays in JSON have no holes";
/** As `deleteCount`: all that follow. */
const ALL = Number.MAX_SAFE_INTEGER;

/** An object or an array. */
export class Node implements Draftable {
  /** Says whether it may be used. Another one where it is over before the document is. */
  session: Session;
  readonly proxy: object;
  #fragment: Fragment;
  /** Where it was when it was fetched. */
  #path: Path;
  #reads: Reads;
  /** The value as it is now, as far as it was asked for, frozen or not. If it is not known, nor is that of the parent. */
  #snapshot: Json | undefined;
  /**
   * What it is now: scalars, proxies of drafts, and in an edit what the recipe has placed. Filled when needed. An object
   * or array stands there as it was read, until somebody looks at it and it becomes a draft.
   */
  readonly #target: unknown[] | Record<string, unknown>;
  #isFilled = false;
  /** Its parts that are drafts, by the segment from which they were fetched. */
  readonly #children: Map<Segment, Node> = new Map();
  /** Objects: members that were assigned or removed. */
  readonly #replaced: Set<string> = new Set();
  /** Arrays: for each element the place that it was fetched from, -1 for none. */
  #origins: number[] = [];
  /** Arrays: elements were inserted or removed, so that an index no longer says where an element came from. */
  #isShifted = false;
  #isChanged = false;
  #isWriting = false;
  /** The node whose ops lead here. A node without one, apart from the root, is written by an op of another. */
  #parent: Node | undefined;
  #isRoot = false;
  /** A root: whether nothing else stands in its place. */
  #isInPlace: () => boolean = () => true;
  /** Where in the parent it was seen last. */
  #hint: Segment = "";
  /** Arrays: how far the element that was last looked for had gone from where it was seen before. */
  #drift = 0;
  /** What it was in when it was fetched. */
  #origin: Node | undefined;
  /** No name on the way to it stands twice. */
  #isAddressable = false;

  constructor(session: Session, fragment: Fragment, path: Path, origin?: Node) {
    this.session = session;
    this.#origin = origin;
    this.#fragment = fragment;
    this.#path = path;
    this.#reads = new Reads(fragment, path);
    this.#snapshot = fragment.value;
    this.#target = Array.isArray(fragment.value) ? [] : {};
    this.proxy = createProxy(this, this.#target);
  }

  /**
   * The topmost node of a value, at the path where it was fetched.
   *
   * @param isInPlace Whether the value of that path still comes from it.
   */
  static createRoot(session: Session, fragment: Fragment, path: Path, isInPlace?: () => boolean): Node {
    const root = new Node(session, fragment, path);
    root.#isRoot = true;
    if (isInPlace) root.#isInPlace = isInPlace;
    return root;
  }

  /** Gives the value a member named by a symbol, which is no data. */
  attach(symbol: symbol, value: unknown): void {
    Object.defineProperty(this.#target, symbol, { value, configurable: true });
  }

  get place(): string {
    return formatPlace(this.#path);
  }

  /** The ops that write below its old place no longer lead to it. */
  detach(): void {
    this.#isRoot = false;
    this.#parent = undefined;
  }

  peek(): unknown {
    this.#reads.seeAll();
    this.#fillAll();
    const copy: unknown[] | Record<string, unknown> = Array.isArray(this.#target) ? [] : {};
    if (this.#isWriting) return copy; // contains itself
    this.#isWriting = true;
    for (const [name, value] of Object.entries(this.#target)) {
      define(copy, name, draftOf(value)?.peek() ?? value);
    }
    this.#isWriting = false;
    return copy;
  }

  // ---- Traps ----

  get(name: string): unknown {
    this.#fill();
    if (Array.isArray(this.#target)) {
      if (name === "length") return this.#length();
      const index = toIndex(name);
      if (index !== undefined) return this.#element(index);
      if (Object.hasOwn(ARRAY_METHODS, name)) return ARRAY_METHODS[name];
      if (Object.hasOwn(Array.prototype, name)) return Reflect.get(Array.prototype, name);
      return missingMember(this, name);
    }
    const value = this.#part(name);
    this.#seeMember(name, "values");
    return Object.hasOwn(this.#target, name) ? value : missingMember(this, name);
  }

  set(name: string, value: unknown): void {
    this.#fill();
    if (!Array.isArray(this.#target)) return this.#setMember(name, value);
    if (name === "length") return this.#setLength(value);
    const index = toIndex(name);
    if (index === undefined) {
      throw new TypeError(
        `Cannot write ${JSON.stringify(name)} of ${this.place}: it is an array; it has no members in JSON`,
      );
    }
    this.#replace(index, value);
  }

  has(name: string): boolean {
    return this.hasOwn(name) || (Array.isArray(this.#target) && Object.hasOwn(Array.prototype, name));
  }

  hasOwn(name: string): boolean {
    this.#fill();
    if (!Array.isArray(this.#target)) {
      this.#seeMember(name, "present");
    } else {
      const index = toIndex(name);
      if (index !== undefined) this.#seeElement(index, "present");
    }
    return Object.hasOwn(this.#target, name);
  }

  delete(name: string): void {
    this.#fill();
    if (Array.isArray(this.#target)) {
      const index = toIndex(name);
      if (index === undefined) return;
      throw new TypeError(
        `Cannot delete element ${index} of ${this.place}: ${NO_HOLES}; use splice(${index}, 1)`,
      );
    }
    this.#checkPlace(name);
    this.#forget(name);
    this.#replaced.add(name);
    this.#change();
    Reflect.deleteProperty(this.#target, name);
    this.#record("delete", [name], []);
  }

  readNames(): void {
    this.#fill();
    this.#reads.seeShape();
  }

  // ---- What was read ----

  /** Fills the target with what was read. */
  #fill(): void {
    if (this.#isFilled) return;
    this.#isFilled = true;
    const { value } = this.#fragment;
    if (Array.isArray(value)) this.#origins = value.map((_, index) => index);
    for (const name of Object.keys(value as object)) {
      define(this.#target, name, (value as Record<string, Json>)[name]);
    }
  }

  /** Fills the target, with a draft for each object and array. */
  #fillAll(): void {
    this.#fill();
    for (const name of Object.keys(this.#target)) {
      this.#part(Array.isArray(this.#target) ? Number(name) : name);
    }
  }

  /** A part of the target; an object or an array that was read becomes a draft. */
  #part(segment: Segment): unknown {
    if (!Object.hasOwn(this.#target, segment)) return undefined;
    const target = this.#target as Record<Segment, unknown>;
    const value = target[segment];
    if (typeof value !== "object" || value === null || draftOf(value)) return value;
    const origin = this.#originOf(segment);
    if (origin === undefined) return value;
    const child = new Node(this.session, this.#fragment.child(origin), [...this.#path, origin], this);
    this.#adopt(child, segment);
    this.#children.set(origin, child);
    target[segment] = child.proxy; // its own member, so no setter of the prototype is in the way
    return child.proxy;
  }

  #adopt(child: Node, segment: Segment): void {
    child.#parent = this;
    child.#hint = segment;
  }

  #seeMember(name: string, what: "values" | "present"): void {
    if (this.#replaced.has(name)) return;
    this.#see(name, what, this.#fragment.has(name));
  }

  #seeElement(index: number, what: "values" | "present"): void {
    if (what === "values") this.#part(index);
    const origin = index < this.#origins.length ? this.#origins[index] : -1;
    if (origin >= 0) return this.#see(origin, what, true);
    const { size } = this.#fragment;
    if (!this.#isShifted && index < size) return; // what was assigned there
    // Beyond the end it is enough to be sure of that place, unless elements were added here: then it counts how
    // many there were before.
    if (!this.#isShifted && this.#origins.length === size) this.#see(index, what, false);
    else this.#reads.seeShape();
  }

  #see(segment: Segment, what: "values" | "present", isThere: boolean): void {
    if (!isThere) return this.#reads.seeNothing(segment);
    if (what === "present") return this.#reads.seePresence(segment);
    const child = this.#children.get(segment);
    this.#reads.seeValue(segment, child && child.#reads);
  }

  #length(): number {
    this.#reads.seeShape();
    return (this.#target as unknown[]).length;
  }

  #element(index: number): unknown {
    this.#seeElement(index, "values");
    return (this.#target as unknown[])[index];
  }

  /** The guards for all that was read here. */
  guards(): readonly Op[] {
    return this.#reads.guards().ops;
  }

  // ---- What it is now ----

  text(where: Path): string {
    this.#reads.seeAll();
    if (!this.#isTouched()) return this.#fragment.text.trim();
    if (this.#isWriting) {
      throw new TypeError(
        `Cannot write ${
          formatPlace(where)
        }: it contains itself, and JSON has no cycles; write a copy without the cycle`,
      );
    }
    this.#isWriting = true;
    try {
      const part = (segment: Segment, value: unknown): string => {
        const origin = this.#originOf(segment);
        const isOriginal = origin !== undefined && !this.#children.has(origin);
        return isOriginal
          ? this.#fragment.child(origin).text
          : this.session.write(value, [...where, segment]);
      };
      if (Array.isArray(this.#target)) {
        return `[${this.#target.map((value, index) => part(index, value)).join(",")}]`;
      }
      const members = Object.entries(this.#target).map(([name, value]) =>
        `${JSON.stringify(name)}:${part(name, value)}`
      );
      return `{${members.join(",")}}`;
    } finally {
      this.#isWriting = false;
    }
  }

  /** The place that a part was fetched from, if it is still the same. */
  #originOf(segment: Segment): Segment | undefined {
    if (Array.isArray(this.#target)) {
      const origin = this.#origins[segment as number];
      return origin >= 0 ? origin : undefined;
    }
    return this.#replaced.has(segment as string) || !this.#fragment.has(segment) ? undefined : segment;
  }

  #isTouched(): boolean {
    if (this.#isChanged) return true;
    for (const child of this.#children.values()) if (child.#isTouched()) return true;
    return false;
  }

  /** Where ops reach it, `undefined` where they do not. */
  #where(): Path | undefined {
    if (this.#isRoot) return this.#path;
    const above = this.#parent === undefined ? undefined : this.#parent.#where();
    const place = above && this.#parent!.#find(this);
    return place === undefined ? undefined : [...above!, place];
  }

  /** The place of a child, if it is there. */
  #find(child: Node): Segment | undefined {
    const target = this.#target;
    const hint = child.#hint;
    if (this.#isAt(child, hint)) return hint;
    if (!Array.isArray(target)) return undefined;
    // Elements mostly move together, so it is near where the last one that was looked for would be.
    const guess = Math.min(Math.max(hint as number + this.#drift, 0), target.length);
    for (let step = 0; step <= target.length; step++) {
      const place = this.#isAt(child, guess - step)
        ? guess - step
        : this.#isAt(child, guess + step)
        ? guess + step
        : undefined;
      if (place === undefined) continue;
      this.#drift = place - (hint as number);
      child.#hint = place;
      return place;
    }
    return undefined;
  }

  /** Whether a child is at a place and belongs there. In an edit it may stand elsewhere too, as a value like others. */
  #isAt(child: Node, segment: Segment): boolean {
    return (this.#target as Record<Segment, unknown>)[segment] === child.proxy &&
      (!this.session.isEdit || this.#originOf(segment) !== undefined);
  }

  // ---- Following ----

  /** The value as it is now, frozen. Whatever has not changed since it was asked for last is identical. */
  snapshot(): Json {
    if (this.#snapshot !== undefined) return freeze(this.#snapshot);
    const part = (value: unknown): Json => {
      const draft = draftOf(value);
      return draft instanceof Node ? draft.snapshot() : freeze(value as Json);
    };
    const target = this.#target;
    let copy: Json;
    if (Array.isArray(target)) copy = target.map(part);
    else {
      copy = {};
      for (const name of Object.keys(target)) define(copy, name, part(target[name]));
    }
    return this.#snapshot = Object.freeze(copy) as Json;
  }

  /**
   * Takes another value in place of the one that it shows, after a `snapshot`. The drafts of its parts go on if these
   * stay what they are, else they are over.
   *
   * @param session The session that it belongs to.
   * @param fragment The value, frozen, of the same kind, which shares what is equal with the snapshot.
   * @param path Where it is.
   * @param over Makes what the drafts throw that are over, for a place.
   */
  rebase(session: Session, fragment: Fragment, path: Path, over: (path: Path) => Error): void {
    const stays = staysFrom(this.#snapshot!, fragment.value);
    const kept: [Segment, Node][] = [];
    for (const [segment, child] of this.#parts()) {
      if (stays(segment)) kept.push([segment, child]);
      else child.retire(over);
    }
    this.session = session;
    this.#fragment = fragment;
    this.#path = path;
    this.#reads = new Reads(fragment, path);
    this.#snapshot = fragment.value;
    this.#isChanged = false;
    this.#isShifted = false;
    this.#isAddressable = false;
    this.#replaced.clear();
    this.#children.clear();
    this.#drift = 0;
    this.#isFilled = false;
    const target = this.#target;
    if (Array.isArray(target)) target.length = 0;
    else for (const name of Object.keys(target)) Reflect.deleteProperty(target, name);
    if (kept.length > 0) this.#fill();
    for (const [segment, child] of kept) {
      this.#adopt(child, segment);
      child.#origin = this;
      this.#children.set(segment, child);
      (target as Record<Segment, unknown>)[segment] = child.proxy;
      child.rebase(session, fragment.child(segment), [...path, segment], over);
    }
  }

  /** Ends it, and the drafts of its parts: each use throws. A root goes on with `rebase`. */
  retire(over: (path: Path) => Error): void {
    for (const [, child] of this.#parts()) child.retire(over);
    const path = this.#path;
    this.session = new Session(this.session.options);
    this.session.end(() => over(path));
    this.#parent = undefined;
  }

  /** The drafts of its parts, where they stand. */
  #parts(): [Segment, Node][] {
    const parts: [Segment, Node][] = [];
    const add = (segment: Segment, value: unknown): void => {
      const child = draftOf(value);
      if (child instanceof Node && child.#parent === this) parts.push([segment, child]);
    };
    const target = this.#target;
    if (Array.isArray(target)) target.forEach((value, index) => add(index, value));
    else for (const name of Object.keys(target)) add(name, target[name]);
    return parts;
  }

  // ---- Changes ----

  /**
   * Records a change of what the segments lead to from here.
   *
   * @returns Whether there is an op. Otherwise whoever holds it is written as a whole, if anyone does.
   */
  #record(
    kind: Change["kind"],
    inside: readonly Segment[],
    values: unknown[],
    more: { readonly start?: number; readonly deleteCount?: number } = {},
  ): boolean {
    const where = this.#where();
    if (where === undefined) return false;
    const holds = (value: unknown): boolean => this.#holds(value);
    this.session.record({ kind, path: [...where, ...inside], values, holds, ...more });
    if (kind !== "delete") this.#imply(inside);
    return true;
  }

  /** Whether a value stands in it, and it stands where ops reach it. */
  #holds(value: unknown): boolean {
    return this.#where() !== undefined && Object.values(this.#target).includes(value);
  }

  /** Refuses what the server would do elsewhere: of members with one name it finds the first, JSON.parse the last. */
  #checkPlace(name?: string): void {
    if (!this.#isRoot && this.#parent === undefined) return; // no op leads there
    if (name !== undefined && this.#fragment.twins.has(name)) this.#refuseTwin(name);
    if (this.#isAddressable) return;
    if (this.#origin !== undefined) this.#origin.#checkPlace(String(this.#path.at(-1)));
    this.#isAddressable = true;
  }

  #refuseTwin(name: string): never {
    throw new TypeError(
      `Cannot change ${formatPlace([...this.#path, name])}: the name stands twice in the text; ` +
        `set ${this.place} as a whole to repair it`,
    );
  }

  /** The server refuses an op that leads through anything else, so no guard has to say what is on the way. */
  #imply(inside: readonly Segment[]): void {
    if (inside.length === 0 || isName(inside[0])) this.#reads.imply();
    let below: Segment = this.#hint;
    for (let node = this.#parent; node !== undefined; node = node.#parent) {
      if (isName(below)) node.#reads.imply();
      below = node.#hint;
    }
  }

  /** It is about to be changed. */
  #change(): void {
    this.#isChanged = true;
    if (this.#snapshot === undefined) return;
    this.#snapshot = undefined;
    for (let node = this.#parent; node !== undefined && node.#snapshot !== undefined; node = node.#parent) {
      node.#snapshot = undefined;
    }
  }

  /** A part is there no longer: ops stop leading to it. */
  #forget(segment: Segment): void {
    const child = draftOf((this.#target as Record<Segment, unknown>)[segment]);
    if (child instanceof Node && child.#parent === this && this.#isAt(child, segment)) {
      child.#parent = undefined;
    }
  }

  #setMember(name: string, value: unknown): void {
    this.#checkPlace(name);
    const { kept, change, child } = place(this.session, value, [...this.#path, name]);
    this.#forget(name);
    this.#replaced.add(name);
    this.#change();
    define(this.#target, name, kept);
    if (child) this.#adopt(child, name);
    this.#record("set", [name], [change]);
  }

  #replace(index: number, value: unknown): void {
    this.#checkPlace();
    const target = this.#target as unknown[];
    // Before the length is compared: otherwise the choice between two errors would reveal the length.
    const { kept, change, child } = place(this.session, value, [...this.#path, index]);
    if (index > target.length) {
      throw new RangeError(
        `Cannot write element ${index} of ${this.place}: its length is ${this.#length()}, and ${NO_HOLES}`,
      );
    }
    if (index < target.length) this.#forget(index);
    this.#change();
    target[index] = kept;
    this.#origins[index] = -1;
    if (child) this.#adopt(child, index);
    // The server refuses the op if the array is too short; where there is none, the recipe has seen that it is not.
    if (!this.#record("set", [index], [change])) this.#length();
  }

  #setLength(value: unknown): void {
    const length = Number(value);
    if (!Number.isInteger(length) || length < 0) throw new RangeError("Invalid array length");
    this.#checkPlace();
    const target = this.#target as unknown[];
    if (length > 0) this.#length(); // whether it is that long
    if (length > target.length) {
      throw new RangeError(
        `Cannot make ${this.place} longer: its length is ${target.length}, and ${NO_HOLES}; use push`,
      );
    }
    this.#cut(length, target.length - length, []);
    this.#record("splice", [], [], { start: length, deleteCount: ALL });
  }

  /** Replaces elements of the target, as `splice`. */
  #cut(start: number, deleteCount: number, items: readonly unknown[]): unknown[] {
    for (let index = start; index < start + deleteCount; index++) this.#forget(index);
    this.#change();
    this.#isShifted = true;
    exchange(this.#origins, start, deleteCount, items.map(() => -1));
    return exchange(this.#target as unknown[], start, deleteCount, items);
  }

  /** As `splice`, with the values placed. Returns what was removed and what the op has to write. */
  #insert(start: number, deleteCount: number, values: readonly unknown[]): [unknown[], unknown[]] {
    const placed = values.map((value, index) => place(this.session, value, [...this.#path, start + index]));
    const removed = this.#cut(start, deleteCount, placed.map(({ kept }) => kept));
    placed.forEach(({ child }, index) => child && this.#adopt(child, start + index));
    return [removed, placed.map(({ change }) => change)];
  }

  // ---- Methods of arrays ----

  push(values: readonly unknown[]): number {
    this.#fill();
    this.#checkPlace();
    const target = this.#target as unknown[];
    if (values.length === 0) return this.#length();
    const wasShifted = this.#isShifted;
    const [, changes] = this.#insert(target.length, 0, values);
    this.#isShifted = wasShifted; // what is before stays where it is
    this.#record("push", [], changes);
    return target.length;
  }

  unshift(values: readonly unknown[]): number {
    this.#fill();
    this.#checkPlace();
    if (values.length === 0) return this.#length();
    const [, changes] = this.#insert(0, 0, values);
    this.#record("unshift", [], changes);
    return (this.#target as unknown[]).length;
  }

  pop(): unknown {
    this.#fill();
    this.#checkPlace();
    const length = this.#length(); // which element is the last one
    if (length === 0) return undefined;
    const last = this.#element(length - 1);
    this.#cut(length - 1, 1, []);
    this.#record("pop", [], []);
    return last;
  }

  shift(): unknown {
    this.#fill();
    this.#checkPlace();
    const target = this.#target as unknown[];
    if (target.length === 0) {
      this.#length();
      return undefined;
    }
    const first = this.#element(0);
    this.#cut(0, 1, []);
    this.#record("shift", [], []);
    return first;
  }

  splice(args: readonly unknown[]): unknown[] {
    this.#fill();
    this.#checkPlace();
    const target = this.#target as unknown[];
    const { length } = target;
    const [from, count, ...items] = args;
    const relative = toInteger(from);
    const start = relative < 0 ? Math.max(length + relative, 0) : Math.min(relative, length);
    const wanted = args.length === 0 ? 0 : args.length === 1 ? Infinity : Math.max(toInteger(count), 0);
    const deleteCount = Math.min(wanted, length - start);
    if (relative < 0 || relative > length || wanted > deleteCount) this.#length();
    for (let index = start; index < start + deleteCount; index++) this.#seeElement(index, "values");
    if (deleteCount === 0 && items.length === 0) return [];
    const [removed, changes] = this.#insert(start, deleteCount, items);
    this.#record("splice", [], changes, { start, deleteCount });
    return removed;
  }

  /** Does what moves elements to a copy, and writes the array as a whole. */
  rearrange(change: (slots: Slot[]) => void): object {
    this.#fillAll();
    this.#checkPlace();
    const target = this.#target as unknown[];
    this.#length();
    const before = target.map((value, index): Slot => ({
      value,
      origin: this.#origins[index],
      isNew: false,
      isTaken: false,
    }));
    const slots = [...before];
    change(slots);
    const after = slots.map((slot, index) => {
      const isFirst = !slot.isNew && !slot.isTaken;
      slot.isTaken = true;
      // case: what is new, or stands twice, is a copy where there are only trees.
      if (isFirst || (!slot.isNew && (this.session.isEdit || !isContainer(slot.value)))) return slot;
      return { value: place(this.session, slot.value, [...this.#path, index]).kept, origin: -1 };
    });
    this.#change();
    this.#isShifted = true;
    this.#origins = after.map(({ origin }) => origin);
    target.length = after.length;
    after.forEach(({ value }, index) => target[index] = value);
    if (this.session.isEdit) {
      const where = this.#where();
      if (where === undefined) return this.proxy;
      const [parent, isInPlace] = [this.#parent, this.#isInPlace];
      const holds = (): boolean => parent === undefined ? isInPlace() : parent.#holds(this.proxy);
      this.session.record({ kind: "set", path: where, values: [this.proxy], holds });
      this.detach(); // the op above writes all that comes of it
      return this.proxy;
    }
    for (const { value, isTaken } of before) {
      const child = isTaken ? undefined : draftOf(value);
      if (child instanceof Node) child.#parent = undefined;
    }
    after.forEach(({ value }, index) => {
      const child = draftOf(value);
      if (child instanceof Node) this.#adopt(child, index);
    });
    this.#record("set", [], [new Written(this.text(this.#path))]);
    return this.proxy;
  }

  /** Does it by the values, which the comparison sees. */
  sort(order: (a: unknown, b: unknown) => number): object {
    // Whatever becomes of the array then: it may be assigned, deleted, or stand nowhere.
    this.#reads.seeAll();
    return this.rearrange((slots) => slots.sort((a, b) => order(a.value, b.value)));
  }
}

/** An element with the place that it was fetched from, -1 for none. */
interface Slot {
  readonly value: unknown;
  readonly origin: number;
  /** It is an argument, no element. */
  readonly isNew: boolean;
  /** It stands somewhere in the new order. */
  isTaken: boolean;
}

/** Methods of arrays that are ops of their own, or would be many. All others work by what they read and assign. */
const ARRAY_METHODS: Readonly<Record<string, (this: unknown, ...args: unknown[]) => unknown>> = {
  push(...items) {
    return nodeOf(this, "push").push(items);
  },
  unshift(...items) {
    return nodeOf(this, "unshift").unshift(items);
  },
  pop() {
    return nodeOf(this, "pop").pop();
  },
  shift() {
    return nodeOf(this, "shift").shift();
  },
  splice(...args) {
    return nodeOf(this, "splice").splice(args);
  },
  sort(compare) {
    const order = (compare ?? byText) as (a: unknown, b: unknown) => number;
    if (typeof order !== "function") throw new TypeError("Cannot sort: the comparison is no function");
    return nodeOf(this, "sort").sort(order);
  },
  reverse() {
    return nodeOf(this, "reverse").rearrange((slots) => slots.reverse());
  },
  fill(value, start, end) {
    const slot: Slot = { value, origin: -1, isNew: true, isTaken: false };
    return nodeOf(this, "fill").rearrange((slots) => slots.fill(slot, start as number, end as number));
  },
  copyWithin(target, start, end) {
    return nodeOf(this, "copyWithin").rearrange((slots) =>
      slots.copyWithin(target as number, start as number, end as number)
    );
  },
};

/** As `splice`, for any number of items: a call takes only so many arguments. */
function exchange<T>(list: T[], start: number, deleteCount: number, items: readonly T[]): T[] {
  // case: queues. A spread, even of nothing, is several times slower.
  if (items.length === 0) return list.splice(start, deleteCount);
  if (items.length === 1) return list.splice(start, deleteCount, items[0]);
  if (items.length < 1000) return list.splice(start, deleteCount, ...items);
  const removed = list.splice(start);
  const behind = removed.splice(deleteCount);
  for (const item of items) list.push(item);
  for (const item of behind) list.push(item);
  return removed;
}

/** The order of `sort()`. */
function byText(a: unknown, b: unknown): number {
  const [x, y] = [String(a), String(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function nodeOf(value: unknown, method: string): Node {
  const draft = draftOf(value);
  if (!(draft instanceof Node)) throw new TypeError(`Cannot ${method}: it must be called on a draft`);
  draft.session.checkChange();
  return draft;
}

/** A value that is assigned: what goes into the target, and into the change. */
interface Placed {
  readonly kept: unknown;
  readonly change: unknown;
  readonly child?: Node;
}

/** Places a value that is assigned: in an edit as it is, in a live document as a copy. */
export function place(session: Session, value: unknown, where: Path): Placed {
  if (value === undefined) {
    throw new TypeError(
      `Cannot write ${
        formatPlace(where)
      }: undefined is not JSON; use null for an empty value, or delete to remove one`,
    );
  }
  const isObject = typeof value === "object" && value !== null;
  if (isObject) draftOf(value)?.session.check(); // a draft that is over is of no use anywhere
  if (session.isEdit) {
    // As in plain code, what is placed stays the same object; it is written when the recipe is over.
    if (!isObject) session.write(value, where);
    return { kept: value, change: value };
  }
  const text = session.write(value, where);
  const fragment = Fragment.read(text, session.options);
  if (!isContainer(fragment.value)) return { kept: fragment.value, change: new Written(text) };
  const child = new Node(session, fragment, where);
  return { kept: child.proxy, change: new Written(text), child };
}

/** The index that the name of a property is. */
function toIndex(name: string): number | undefined {
  const index = Number(name);
  return Number.isInteger(index) && index >= 0 && index < 2 ** 32 - 1 && String(index) === name
    ? index
    : undefined;
}

/** As `Array` reads the numbers it is given. */
function toInteger(value: unknown): number {
  const number = Math.trunc(Number(value));
  return Number.isNaN(number) ? 0 : number;
}
