/**
 * Proxies: the objects that user code works with. Each stands for a draft.
 *
 * @module
 */

import type { Path } from "../data/path.ts";

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The drafts by their proxies, and by the targets of the proxies. */
const proxies: WeakMap<object, Draftable> = new WeakMap();
const targets: WeakMap<object, Draftable> = new WeakMap();

/** A draft, as the handler of the proxies sees it. */
export interface Draftable {
  /** Checks whether the draft may be used or changed. */
  readonly session: { check(): void; checkChange(): void };
  readonly proxy: object;
  /** The text of the value as it is now. Reads all of it. */
  text(where: Path): string;
  /** Reads the value of a member. */
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  /** The result of `in`. Reads whether the member exists, not its value. */
  has(name: string): boolean;
  /** The result of `Object.hasOwn`. The same read. */
  hasOwn(name: string): boolean;
  delete(name: string): void;
  /** Reads the names of the members, or the number of elements. */
  readNames(): void;
  /** A plain copy for the console. Reads all of it, because a program can see what the console would show. */
  peek(): unknown;
  /** Its name in messages. */
  readonly place: string;
}

/**
 * Every trap is written on purpose: data goes to the draft, symbols and prototypes to the plain target.
 *
 * Whatever reveals something about the data is a read. A descriptor with the value would reveal too much: the engine
 * asks for the descriptor of each member even when only names are needed (`Object.keys`, `for in`, spread), and the
 * trap cannot distinguish that from a program that inspects it. So a member is described as an accessor: the descriptor
 * reveals that the member exists, its getter reads the value. `Object.assign`, spread, `Object.entries` and the like
 * call `get` themselves.
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
      // The engine requires a plain property here, as on the target.
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
  // It distinguishes an array from an object, as `Array.isArray` does without a trap. So whoever has the draft has read
  // its type.
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

/** The value of a missing member. Refuses `hasOwnProperty`, which plain objects would inherit. */
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

/** The property descriptor of a plain member. */
function dataDescriptor(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

/** Assigns without looking at the prototype, where `__proto__` is a setter. */
export function define(target: object, name: string | symbol, value: unknown): void {
  if (name in target) Object.defineProperty(target, name, dataDescriptor(value));
  else (target as Record<string | symbol, unknown>)[name] = value; // much faster
}
