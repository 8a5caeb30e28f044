/**
 * Proxies: what the user's code works with. Each stands for a draft.
 *
 * @module
 */

import type { Path } from "../data/path.ts";

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The drafts by the proxies that stand for them, and by the targets of these. */
const proxies: WeakMap<object, Draftable> = new WeakMap();
const targets: WeakMap<object, Draftable> = new WeakMap();

/** What the one handler of all proxies asks. */
export interface Draftable {
  /** Says whether it may be used. */
  readonly session: { check(): void; checkChange(): void };
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
    const draft = checkedDraft(target);
    if (typeof name !== "symbol") return draft.get(name);
    if (name === Symbol.toPrimitive && !Array.isArray(target)) return () => refuseText(draft);
    return Reflect.get(target, name);
  },
  set(target, name, value, receiver) {
    const draft = checkedDraft(target);
    draft.session.checkChange();
    // case: an object that has the draft as its prototype; the member becomes its own.
    if (proxies.get(receiver) !== draft) return Reflect.defineProperty(receiver, name, dataDescriptor(value));
    draft.set(dataName(draft, name), value);
    return true;
  },
  has(target, name) {
    const draft = checkedDraft(target);
    return typeof name === "symbol" ? Reflect.has(target, name) : draft.has(name);
  },
  deleteProperty(target, name) {
    const draft = checkedDraft(target);
    draft.session.checkChange();
    if (typeof name === "string") draft.delete(name);
    return true;
  },
  ownKeys(target) {
    checkedDraft(target).readNames();
    return Reflect.ownKeys(target).filter((name) => typeof name === "string");
  },
  getOwnPropertyDescriptor(target, name) {
    const draft = checkedDraft(target);
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
    const draft = checkedDraft(target);
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
    throw new TypeError(`Cannot change the prototype of ${checkedDraft(target).place}: JSON has none`);
  },
  isExtensible(target) {
    return Reflect.isExtensible(target);
  },
  preventExtensions(target) {
    throw new TypeError(
      `Cannot freeze ${checkedDraft(target).place}: JSON cannot say that; use Object.freeze on a copy`,
    );
  },
  apply(target) {
    throw new TypeError(`Cannot call ${checkedDraft(target).place}: it is data`);
  },
  construct(target) {
    throw new TypeError(`Cannot call ${checkedDraft(target).place}: it is data`);
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

function checkedDraft(target: object): Draftable {
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

/** A plain member of an object. */
export function dataDescriptor(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

/** Assigns without looking at the prototype, where `__proto__` is a setter. */
export function define(target: object, name: string | symbol, value: unknown): void {
  if (name in target) Object.defineProperty(target, name, dataDescriptor(value));
  else (target as Record<string | symbol, unknown>)[name] = value; // much faster
}
