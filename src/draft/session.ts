/**
 * Sessions: one run of a recipe, or one live document, and the proxies that the user's code works with.
 *
 * @module
 */

import { Fragment } from "../data/fragment.ts";
import { encode, type TextSource } from "../data/encoder.ts";
import type { JsonOptions } from "../data/json.ts";
import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";

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
  /** What is written. The session adds to it, so no one else may hold it. */
  values: unknown[];
  /** Whether one of the values still stands where the change has put it. */
  readonly holds: (value: unknown) => boolean;
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
      if (change.kind === "push") { for (const value of change.values) last.values.push(value); }
      else if (change.kind === "set") this.#changes[this.#changes.length - 1] = change;
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
    const { kind, path, holds } = change;
    const text = (value: unknown, where: Path): string => {
      try {
        return this.write(value, where);
      } catch (error) {
        if (holds(value)) throw error;
        // case: a cycle or the like that is gone again. As in plain code, only what stands at the end counts; an op
        // further on removes what is written here.
        return "null";
      }
    };
    const texts = (): readonly string[] =>
      Object.freeze(change.values.map((value, index) => text(value, [...path, index])));
    switch (kind) {
      case "set":
        return { kind, path, value: text(change.values[0], path) };
      case "push":
      case "unshift":
        return { kind, path, items: texts() };
      case "splice":
        return {
          kind,
          path,
          start: change.start!,
          deleteCount: change.deleteCount!,
          items: texts(),
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

  /**
   * Plain data instead of drafts, in what a recipe returned. What holds no draft comes back as it is.
   *
   * @throws {TypeError} If something else than a plain object or an array holds a draft: the draft would be of no use
   * there, and what it stands in cannot be copied.
   */
  toPlain(value: unknown): unknown {
    const { mustCopy, holder } = survey(value);
    if (holder !== undefined) {
      throw new TypeError(
        `Cannot return a draft inside ${holder}: the draft is of no use when the edit is over; ` +
          "return a plain object or an array",
      );
    }
    return mustCopy ? this.#copy(value, new Map()) : value;
  }

  #copy(value: unknown, copies: Map<object, unknown>): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (copies.has(value)) return copies.get(value);
    const draft = proxies.get(value);
    if (draft) {
      const plain = Fragment.read(draft.text([]), this.options).value;
      copies.set(value, plain);
      return plain;
    }
    if (!isContainer(value)) return value;
    if (Array.isArray(value)) {
      const copy: unknown[] = [];
      copies.set(value, copy);
      for (const part of value) copy.push(this.#copy(part, copies));
      return copy;
    }
    const copy: object = Object.create(Object.getPrototypeOf(value));
    copies.set(value, copy);
    for (const name of Reflect.ownKeys(value)) {
      if (!Object.prototype.propertyIsEnumerable.call(value, name)) continue;
      define(copy, name, this.#copy((value as Record<string | symbol, unknown>)[name], copies));
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
  readonly proxy: object;
  /** The text of the value as it is now. A read of all of it. */
  text(where: Path): string;
  /** A read of the value. */
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  /** What `in` says. A read of whether it is there, not of its value. */
  has(name: string): boolean;
  /** What `Object.hasOwn` says. The same read. */
  hasOwn(name: string): boolean;
  delete(name: string): void;
  /** A read of which names there are, or how many elements. */
  readNames(): void;
  /** A plain copy for the console. A read of all of it, for a program can look at what the console would show. */
  peek(): unknown;
  /** How a message names it. */
  readonly place: string;
}

/**
 * Every trap on purpose: data goes to the draft, symbols and prototypes to the plain target.
 *
 * Whatever tells something about the data is a read. A descriptor would tell too much: the engine asks for one of each
 * member also where only names are wanted (`Object.keys`, `for in`, spread), and cannot be told from a program that
 * looks at them. So a member is described as an accessor: the descriptor tells that there is such a member, its
 * getter reads the value. `Object.assign`, spread, `Object.entries` and their like go on to `get` by themselves.
 */
const HANDLER: Required<ProxyHandler<object>> = {
  get(target, name) {
    const draft = use(target);
    if (typeof name !== "symbol") return draft.get(name);
    if (name === Symbol.toPrimitive && !Array.isArray(target)) return () => refuseText(draft);
    return Reflect.get(target, name);
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
    use(target).readNames();
    return Reflect.ownKeys(target).filter((name) => typeof name === "string");
  },
  getOwnPropertyDescriptor(target, name) {
    const draft = use(target);
    if (typeof name === "symbol") return undefined;
    if (name === "length" && Array.isArray(target)) {
      // The engine insists on what it is: a plain property.
      return { value: draft.get(name), writable: true, enumerable: false, configurable: false };
    }
    if (!draft.hasOwn(name)) return undefined;
    const members = draft.proxy as Record<string, unknown>;
    return {
      get: () => members[name],
      set: (value) => void (members[name] = value),
      enumerable: true,
      configurable: true,
    };
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
  // It tells an array from an object, as `Array.isArray` does without any trap: to hand out a draft is to read its type.
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

function refuseText(draft: Draftable): never {
  throw new TypeError(
    `Cannot make a string or a number of ${draft.place}: it is an object; use JSON.stringify, or one of its members`,
  );
}

/** What a member is that only a method of `Object.prototype` would be elsewhere. */
export function missingMember(draft: Draftable, name: string): undefined {
  if (name !== "hasOwnProperty") return undefined;
  throw new TypeError(
    `Cannot use hasOwnProperty of ${draft.place}: a draft has no members but its data; use Object.hasOwn(draft, name)`,
  );
}

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

/** What stands in a value that a recipe returned. */
interface Survey {
  /** It holds drafts, or accessors that may look at drafts, and is copied therefore. */
  readonly mustCopy: boolean;
  /** What holds a draft and cannot be copied, as a message names it. */
  readonly holder: string | undefined;
  readonly promises: readonly object[];
}

/** Looks through a value and all that it holds. No getter runs. */
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
    if (proxies.has(part)) {
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
 * Whether a recipe returned promises. If one of them fails, it is no unhandled rejection: without its draft it must
 * fail, and the edit is refused anyway.
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

/** A plain member of an object. */
export function full(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

/** Assigns without looking at the prototype, where `__proto__` is a setter. */
export function define(target: object, name: string | symbol, value: unknown): void {
  if (name in target) Object.defineProperty(target, name, full(value));
  else (target as Record<string | symbol, unknown>)[name] = value; // much faster
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((segment, index) => segment === b[index]);
}
