/**
 * The facade: objects and arrays that are places in Redis. Whatever is read of them is fetched, and whatever is assigned
 * to them is written when the assignment ends.
 *
 * @module
 */

import type { Local } from "../api/edit.ts";
import { Items } from "../api/items.ts";
import { Place } from "../api/place.ts";
import { readOp, type Task } from "../api/task.ts";
import { toError } from "../call/answer.ts";
import type { TextSource } from "../data/encoder.ts";
import type { Json } from "../data/json.ts";
import { formatPlace, type Path } from "../data/path.ts";
import { isContainer } from "../draft/proxy.ts";
import { TypeMismatchError } from "../errors/value.ts";
import type { Settings } from "../run/options.ts";
import { Codec } from "../store/codec.ts";
import { ask, type Steps } from "../store/request.ts";
import { ARRAY_METHODS, type ArraySite } from "./array.ts";
import type { Bridge } from "./bridge.ts";
import type { Moment } from "./moment.ts";
import { Site, siteOf, type Walking } from "./site.ts";

/** Facades that are written as values: as their text. */
const SOURCE: TextSource = {
  has: (value) => siteOf(value) !== undefined,
  textOf: (value) => siteOf(value)!.text(),
};

/** How many objects and arrays are remembered. */
const MAX_SITES = 1000;

/** A dictionary, as its facade sees it. */
export class Lab implements Walking {
  /** What waits. */
  readonly bridge: Bridge;
  /** How values are read and written. */
  readonly local: Local;
  /** The facade itself. */
  readonly root: object;
  walking: Site | undefined;
  /**
   * The sites that were used last. One place is one object, so that it equals itself. No weak references: a program that
   * waits never lets go of what they refer to.
   */
  readonly #sites: Map<string, InnerSite> = new Map();

  /**
   * Makes the facade of a dictionary.
   *
   * @param bridge What waits.
   * @param close Called by `using`.
   */
  constructor(bridge: Bridge, close: (lab: Lab) => void) {
    this.bridge = bridge;
    this.local = localOf(bridge.settings);
    this.root = new RootSite(this, () => close(this)).proxy;
  }

  /** What a program gets of a value that was read: a scalar as it is, an object or an array as a facade. */
  show(path: Path, value: Json | undefined, moment?: Moment): unknown {
    if (typeof value !== "object" || value === null) return value;
    const isArray = Array.isArray(value);
    const id = JSON.stringify([isArray, ...path]);
    const site = this.#sites.get(id) ?? new InnerSite(this, path, isArray);
    this.#sites.delete(id);
    this.#sites.set(id, site); // now it is the last
    if (this.#sites.size > MAX_SITES) {
      for (const oldest of this.#sites.keys()) {
        this.#sites.delete(oldest);
        break;
      }
    }
    moment?.glimpse(site, value);
    return site.proxy;
  }

  /** Does something, and waits for it. */
  run<R>(begin: () => Task<R>): R {
    return this.bridge.run(begin);
  }

  /** Takes the steps of something, and waits for it. */
  take<R>(steps: Steps<R>): R {
    return this.bridge.run(() => ({ options: undefined, steps }));
  }
}

/** How the values of a dictionary are read and written, other facades among them. */
export function localOf(settings: Settings): Local {
  return { settings, codec: new Codec(settings, SOURCE) };
}

/** The dictionary. */
class RootSite extends Site {
  readonly lab: Lab;
  readonly place: string = "the dictionary";
  readonly #items: Items;
  readonly #close: () => void;
  #names: readonly string[] = [];
  /** What a walk has read; nothing until it asks for a value. */
  #values: ReadonlyMap<string, Json> | undefined;

  constructor(lab: Lab, close: () => void) {
    super(lab, {});
    this.lab = lab;
    this.#items = new Items(lab.local);
    this.#close = close;
  }

  text(): string {
    const items = this.lab.take(ask("all", { operation: "get" }));
    // Texts that are joined must be JSON each: a damaged one could add members of its own.
    for (const [key, text] of items) this.lab.local.codec.decode(text, "get", [key]);
    return `{${items.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",")}}`;
  }

  plain(): Json {
    return this.lab.run(() => this.#items.toObject());
  }

  has(name: string): boolean {
    return this.lab.run(() => this.#items.has(name));
  }

  set(name: string, value: unknown): void {
    this.lab.run(() => this.#items.set(name, value, { keepTtl: true }));
  }

  delete(name: string): void {
    this.lab.run(() => this.#items.delete(name));
  }

  symbol(name: symbol): unknown {
    return name === Symbol.dispose ? this.#close : undefined;
  }

  protected read(name: string): unknown {
    return this.lab.show([name], this.lab.run(() => this.#items.get(name)));
  }

  protected begin(): readonly string[] {
    this.#values = undefined;
    return this.#names = this.lab.run(() => this.#items.keys());
  }

  protected forget(): void {
    this.#names = [];
    this.#values = undefined;
  }

  protected seen(name: string, isFresh: boolean): unknown {
    if (isFresh) this.#values = undefined;
    this.#values ??= this.lab.run(() => this.#items.getMany(this.#names));
    return this.lab.show([name], this.#values.get(name));
  }
}

/** The dictionary that a facade is of; nothing for a part of one, or anything else. */
export function labOf(value: unknown): Lab | undefined {
  const site = siteOf(value);
  return site instanceof RootSite ? site.lab : undefined;
}

/** An object or an array in a value. */
export class InnerSite extends Site implements ArraySite {
  readonly lab: Lab;
  readonly path: Path;
  readonly isArray: boolean;
  /** What the callbacks of an Array method see. */
  glimpse: { readonly value: Json; readonly moment: Moment } | undefined;
  /** What a walk has read. */
  #seen: Json = null;

  constructor(lab: Lab, path: Path, isArray: boolean) {
    super(lab, isArray ? [] : {});
    this.lab = lab;
    this.path = path;
    this.isArray = isArray;
  }

  get place(): string {
    return formatPlace(this.path);
  }

  /** What can be done there. */
  get actions(): Place {
    return new Place(this.lab.local, this.path, false, {});
  }

  text(): string {
    const text = this.lab.take(readOp({ kind: "get", path: this.path }));
    this.lab.local.codec.decode(text, "get", this.path);
    return text;
  }

  plain(): Json {
    const held = this.#held;
    return held === undefined ? this.#whole() : structuredClone(held);
  }

  has(name: string): boolean {
    if (this.isArray && !isIndex(name)) return name === "length";
    const held = this.#held;
    if (held !== undefined) return Object.hasOwn(held as object, name);
    return this.lab.run(() => this.#member(name).exists());
  }

  set(name: string, value: unknown): void {
    if (this.isArray && name === "length") {
      this.edit((draft) => draft.length = value as number);
      return;
    }
    this.#checkName(name);
    this.lab.run(() => this.#member(name).set(value));
  }

  delete(name: string): void {
    if (this.isArray) {
      throw new TypeError(
        `Cannot delete ${name} of ${this.place}: it would leave a hole, and JSON has none; use splice`,
      );
    }
    this.lab.run(() => this.#member(name).delete());
  }

  /** Changes the array by plain code, as one guarded write. */
  edit(change: (draft: unknown[]) => void): void {
    this.lab.run(() => this.actions.edit((draft: never) => void change(draft)));
  }

  symbol(name: symbol): unknown {
    if (this.isArray && name === Symbol.iterator) return ARRAY_METHODS.get("values")!(this);
    return undefined;
  }

  /** The elements of an array, in which a callback sees that moment. */
  elements(moment: Moment): unknown[] {
    const value = (this.#held ?? this.#whole()) as Json[];
    return value.map((element, index) => this.lab.show([...this.path, index], element, moment));
  }

  /** The index of a value that is an element of this array, and no other place. */
  indexOf(value: unknown): number | undefined {
    const site = siteOf(value);
    if (!(site instanceof InnerSite) || site.lab !== this.lab) return undefined;
    const { path } = site;
    const isElement = path.length === this.path.length + 1 &&
      this.path.every((each, at) => each === path[at]);
    return isElement ? Number(path.at(-1)) : undefined;
  }

  spread(value: unknown, moment: Moment): unknown {
    const site = siteOf(value);
    return site instanceof InnerSite && site.isArray ? site.elements(moment) : value;
  }

  protected read(name: string): unknown {
    if (this.isArray && !isIndex(name)) {
      if (name !== "length") return ARRAY_METHODS.get(name)?.(this);
      const held = this.#held;
      return held === undefined
        ? Number(this.lab.take(readOp({ kind: "length", path: this.path })))
        : (held as Json[]).length;
    }
    const held = this.#held;
    const value = held === undefined ? this.lab.take(this.#find(name)) : ownMember(held, name);
    return this.lab.show(this.#pathOf(name), value, held === undefined ? undefined : this.glimpse!.moment);
  }

  protected begin(): readonly string[] {
    this.#seen = this.#held ?? this.#whole();
    // Of an array, the length is among them.
    return Object.getOwnPropertyNames(this.#seen);
  }

  protected forget(): void {
    this.#seen = null;
  }

  protected seen(name: string, isFresh: boolean): unknown {
    if (isFresh) this.#seen = this.#whole();
    if (this.isArray && name === "length") return (this.#seen as Json[]).length;
    return this.lab.show(this.#pathOf(name), ownMember(this.#seen, name));
  }

  /** What callbacks see, while they run. */
  get #held(): Json | undefined {
    return this.glimpse?.moment.holds ? this.glimpse.value : undefined;
  }

  /** Reads all of it. */
  #whole(): Json {
    const { path } = this;
    const text = this.lab.take(readOp({ kind: "get", path }));
    const value = this.lab.local.codec.decode(text, "get", path);
    if (isContainer(value) && Array.isArray(value) === this.isArray) return value;
    throw new TypeMismatchError({
      operation: "get",
      path,
      at: path.length,
      expected: [this.isArray ? "array" : "object"],
      found: typeOf(value),
    });
  }

  /** Reads one member. That there is none is no error, but that it is missing with all around it. */
  *#find(name: string): Steps<Json | undefined> {
    const read = { kind: "get", path: this.#pathOf(name) } as const;
    const result = yield* ask("read", { read });
    if (typeof result === "string") return this.lab.local.codec.decode(result, "get", read.path);
    if (result.code === "NOT_FOUND" && result.segment === read.path.length - 2) return undefined;
    throw toError(read, result);
  }

  #member(name: string): Place {
    return new Place(this.lab.local, this.#pathOf(name), false, {});
  }

  #pathOf(name: string): Path {
    return Object.freeze([...this.path, this.isArray ? Number(name) : name]);
  }

  #checkName(name: string): void {
    if (!this.isArray || isIndex(name)) return;
    throw new TypeError(`Cannot set ${name} of ${this.place}: an array has only elements`);
  }
}

/** Whether a name is the index of an element. */
function isIndex(name: string): boolean {
  return /^(?:0|[1-9]\d{0,9})$/.test(name);
}

function ownMember(value: Json, name: string): Json | undefined {
  return Object.hasOwn(value as object, name) ? (value as Record<string, Json>)[name] : undefined;
}

function typeOf(value: Json): "null" | "boolean" | "number" | "string" | "array" | "object" {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as "boolean" | "number" | "string" | "object";
}

/**
 * Reads what is at a place of a facade, as plain data that nothing else refers to. One fetch for each facade in it.
 *
 * @param value A facade, or an array or a plain object that holds some; anything else is returned as it is.
 * @returns Plain data.
 */
export function toPlain<V>(value: V): V {
  const site = siteOf(value);
  if (site !== undefined) return site.plain() as V; // its type says what is there
  if (!isContainer(value)) return value;
  if (Array.isArray(value)) return value.map((element) => toPlain(element)) as V;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toPlain(member)])) as V;
}
