/**
 * Sessions: one run of a recipe, or one live document, and the proxies that the user's code works with.
 *
 * @module
 */

import { Fragment } from "./fragment.ts";
import { encode, type JsonOptions, type TextSource } from "./json.ts";
import type { Group, Op } from "./op.ts";
import type { Path } from "./path.ts";

/** Thrown through a recipe that asks for what was not read yet; the recipe runs again when it was. */
const SUSPENDED: unknown = Object.freeze(new Error("The recipe waits for a value that it read"));

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The drafts by the proxies that stand for them, and by the targets of these. */
const proxies: WeakMap<object, Draftable> = new WeakMap();
const targets: WeakMap<object, Draftable> = new WeakMap();

/** An op whose values are not written as text yet, because the recipe may go on to change them. */
export interface Change {
  readonly kind: "set" | "delete" | "push" | "unshift" | "pop" | "shift" | "splice";
  readonly path: Path;
  readonly start?: number;
  readonly deleteCount?: number;
  values: readonly unknown[];
}

/** How a session of drafts works. */
export interface DraftOptions extends JsonOptions {
  /** Told of each change as soon as it was made. Reads are not remembered then. */
  readonly onChange?: () => void;
}

/** One run of a recipe, or one live document: what was changed, and whether its drafts may still be used. */
export class Session implements TextSource {
  /** Whether reads become guards. Otherwise changes are written as text at once, and what they write is copied. */
  readonly isEdit: boolean;
  readonly options: JsonOptions;
  readonly #onChange: (() => void) | undefined;
  #changes: Change[] = [];
  #isOver: (() => Error) | undefined;
  #isRefusing: (() => Error) | undefined;
  /** The key whose value the recipe needs and has not, once there is one. */
  missing: string | undefined;
  /** The names that `Object.keys` and its like list now, and then ask to be described, one after the other. */
  listed: { readonly draft: Draftable; readonly names: readonly string[]; next: number } | undefined;

  /** Opens it; no draft yet. */
  constructor(options: DraftOptions) {
    this.options = options;
    this.isEdit = options.onChange === undefined;
    this.#onChange = options.onChange;
  }

  /** Throws where drafts may not be used any more, or must wait for a value. */
  check(): void {
    if (this.#isOver) throw this.#isOver();
    if (this.missing !== undefined) throw SUSPENDED;
  }

  /** Throws where drafts may not be changed any more. */
  checkChange(): void {
    this.check();
    if (this.#isRefusing) throw this.#isRefusing();
  }

  /** Stops the recipe until the value of a key was read. */
  suspend(key: string): never {
    this.missing = key;
    throw SUSPENDED;
  }

  /** Refuses every use of its drafts from now on. */
  end(why: () => Error): void {
    this.#isOver ??= why;
  }

  /** Refuses changes of its drafts from now on. */
  refuseChanges(why: () => Error): void {
    this.#isRefusing ??= why;
  }

  /** Writes down a change, together with the one before it where the two are one. */
  record(change: Change): void {
    const last = this.#changes.at(-1);
    if (last !== undefined && last.kind === change.kind && samePath(last.path, change.path)) {
      if (change.kind === "push") last.values = [...last.values, ...change.values];
      else if (change.kind === "set") last.values = change.values;
      else this.#changes.push(change);
    } else {
      this.#changes.push(change);
    }
    this.#onChange?.();
  }

  /** The keys of what was changed so far. */
  get changed(): readonly string[] {
    return [...new Set(this.#changes.map(({ path }) => String(path[0])))];
  }

  /** The ops for what was changed so far, and forgets it. */
  takeOps(): Group {
    const changes = this.#changes;
    this.#changes = [];
    return changes.map((change) => Object.freeze(this.#toOp(change)));
  }

  #toOp(change: Change): Op {
    const { kind, path } = change;
    const texts = (base: Path): readonly string[] =>
      Object.freeze(change.values.map((value, index) => this.write(value, [...base, index])));
    switch (kind) {
      case "set":
        return { kind, path, value: this.write(change.values[0], path) };
      case "push":
      case "unshift":
        return { kind, path, items: texts(path) };
      case "splice":
        return {
          kind,
          path,
          start: change.start!,
          deleteCount: change.deleteCount!,
          items: texts(path),
        };
      default:
        return { kind, path };
    }
  }

  /** JSON text of a value, which may hold drafts or be one. */
  write(value: unknown, where: Path): string {
    return value instanceof Written ? value.text : encode(value, this.options, where, this);
  }

  /** Whether an object is a draft whose text is known here. */
  has(value: object): boolean {
    const draft = proxies.get(value);
    return draft !== undefined && draft.session === this;
  }

  /** The text of a draft. */
  textOf(value: object, where: Path): string {
    return proxies.get(value)!.text(where);
  }

  /** Plain data instead of drafts, in what a recipe returned. */
  toPlain(value: unknown): unknown {
    return holdsDraft(value, new Set()) ? this.#copy(value, new Map()) : value;
  }

  #copy(value: unknown, copies: Map<object, unknown>): unknown {
    if (typeof value !== "object" || value === null) return value;
    const draft = proxies.get(value);
    if (draft) return Fragment.read(draft.text([]), this.options).value;
    if (!isContainer(value)) return value;
    if (copies.has(value)) return copies.get(value);
    const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {};
    copies.set(value, copy);
    for (const name of Object.keys(value)) {
      define(copy, name, this.#copy((value as Record<string, unknown>)[name], copies));
    }
    return copy;
  }
}

/** A value that was already written as text. */
export class Written {
  constructor(readonly text: string) {}
}

/** What the one handler of all proxies asks. */
export interface Draftable {
  readonly session: Session;
  /** The text of the value as it is now. */
  text(where: Path): string;
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  has(name: string): boolean;
  delete(name: string): void;
  names(): void;
  descriptor(name: string): PropertyDescriptor | undefined;
  /** A plain copy for the console. It does not count as a read. */
  peek(): unknown;
  /** How a message names it. */
  readonly place: string;
}

/** Every trap on purpose: data goes to the draft, symbols and prototypes to the plain target. */
const HANDLER: Required<ProxyHandler<object>> = {
  get(target, name) {
    const draft = use(target);
    return typeof name === "symbol" ? Reflect.get(target, name) : draft.get(name);
  },
  set(target, name, value, receiver) {
    const draft = use(target);
    draft.session.checkChange();
    // case: an object that has the draft as its prototype; the member becomes its own.
    if (proxies.get(receiver) !== draft) return Reflect.defineProperty(receiver, name, full(value));
    draft.set(dataName(draft, name), value);
    return true;
  },
  has(target, name) {
    const draft = use(target);
    return typeof name === "symbol" ? Reflect.has(target, name) : draft.has(name);
  },
  deleteProperty(target, name) {
    const draft = use(target);
    draft.session.checkChange();
    if (typeof name === "string") draft.delete(name);
    return true;
  },
  ownKeys(target) {
    use(target).names();
    return Reflect.ownKeys(target).filter((name) => typeof name === "string");
  },
  getOwnPropertyDescriptor(target, name) {
    const draft = use(target);
    return typeof name === "symbol" ? undefined : draft.descriptor(name);
  },
  defineProperty(target, name, descriptor) {
    const draft = use(target);
    draft.session.checkChange();
    const { value, writable, enumerable, configurable } = descriptor;
    if (!("value" in descriptor) || !writable || !enumerable || !configurable) {
      throw new TypeError(
        `Cannot define ${String(name)} of ${draft.place}: JSON has only plain members; assign to it instead`,
      );
    }
    draft.set(dataName(draft, name), value);
    return true;
  },
  getPrototypeOf(target) {
    return Reflect.getPrototypeOf(target);
  },
  setPrototypeOf(target, prototype) {
    if (prototype === Reflect.getPrototypeOf(target)) return true;
    throw new TypeError(`Cannot change the prototype of ${use(target).place}: JSON has none`);
  },
  isExtensible(target) {
    return Reflect.isExtensible(target);
  },
  preventExtensions(target) {
    throw new TypeError(
      `Cannot freeze ${use(target).place}: JSON cannot say that; use Object.freeze on a copy`,
    );
  },
  apply(target) {
    throw new TypeError(`Cannot call ${use(target).place}: it is data`);
  },
  construct(target) {
    throw new TypeError(`Cannot call ${use(target).place}: it is data`);
  },
};

function use(target: object): Draftable {
  const draft = targets.get(target)!;
  draft.session.check();
  return draft;
}

function dataName(draft: Draftable, name: string | symbol): string {
  if (typeof name === "string") return name;
  throw new TypeError(`Cannot write ${String(name)} to ${draft.place}: a symbol is not JSON; use a string`);
}

export function createProxy<D extends Draftable>(draft: D, target: object): object {
  const proxy = new Proxy(target, HANDLER);
  // The console looks at the target, which may not be filled yet.
  Object.defineProperty(target, INSPECT, { value: () => draft.peek(), configurable: true });
  targets.set(target, draft);
  proxies.set(proxy, draft);
  return proxy;
}

/** The draft that a proxy stands for. */
export function draftOf(value: unknown): Draftable | undefined {
  return typeof value === "object" && value !== null ? proxies.get(value) : undefined;
}

/** Whether a value is an object or an array as JSON has them, drafts included. */
export function isContainer(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function holdsDraft(value: unknown, seen: Set<object>): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  if (proxies.has(value)) return true;
  if (!isContainer(value)) return false;
  seen.add(value);
  return Object.values(value).some((part) => holdsDraft(part, seen));
}

/** A plain member of an object. */
export function full(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

/** Assigns without looking at the prototype, where `__proto__` is a setter. */
export function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, full(value));
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((segment, index) => segment === b[index]);
}
