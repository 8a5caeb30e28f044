/**
 * The methods of arrays in a facade: ops where there is one, else one guarded write; those that only read fetch once.
 *
 * @module
 */

import type { Place } from "../api/place.ts";
import type { Task } from "../api/task.ts";
import { Moment } from "./moment.ts";

/** An array, as its methods see it. */
export interface ArraySite {
  readonly proxy: object;
  readonly actions: Place;
  readonly lab: { run<R>(begin: () => Task<R>): R };
  /** The elements, in which the moment is seen while it lasts. */
  elements(moment: Moment): unknown[];
  /** The index of a value that is one of the elements. */
  indexOf(value: unknown): number | undefined;
  /** The elements of another array, if a value is one of a facade; else the value. */
  spread(value: unknown, moment: Moment): unknown;
  /** Changes the array by plain code, as one guarded write. */
  edit(change: (draft: unknown[]) => void): void;
}

/** Makes a method of an array. */
type MethodOf = (site: ArraySite) => (...args: unknown[]) => unknown;

/** The methods that are ops, with arguments as Array takes them. */
const OPS: readonly (readonly [string, MethodOf])[] = [
  ["push", ({ lab, actions }) => (...items) => lab.run(() => actions.push(...items))],
  ["unshift", ({ lab, actions }) => (...items) => lab.run(() => actions.unshift(...items))],
  ["pop", ({ lab, actions }) => () => lab.run(() => actions.pop())],
  ["shift", ({ lab, actions }) => () => lab.run(() => actions.shift())],
  ["splice", ({ lab, actions }) => (...args) => {
    if (args.length === 0) return [];
    const [start, count, ...items] = args;
    const counts = args.length === 1 ? [] : [Math.max(toInteger(count), 0)];
    return lab.run(() => actions.splice(toInteger(start), ...counts, ...items));
  }],
];

/** The methods that change what is there by what is there. */
const EDITS: readonly string[] = ["sort", "reverse", "fill", "copyWithin"];

/** The methods that look for an element. */
const SEARCHES: ReadonlySet<string> = new Set(["includes", "indexOf", "lastIndexOf"]);

/** The methods by name. */
export const ARRAY_METHODS: ReadonlyMap<string, MethodOf> = new Map([
  ...Object.getOwnPropertyNames(Array.prototype)
    .filter((name) => name !== "constructor" && name !== "length")
    .map((name): [string, MethodOf] => [name, (site) => reading(site, name)]),
  ...EDITS.map((name): [string, MethodOf] => [name, (site) => editing(site, name)]),
  ...OPS,
]);

function editing(site: ArraySite, name: string): (...args: unknown[]) => unknown {
  return (...args) => {
    site.edit((draft) => call(name, draft, args));
    return site.proxy;
  };
}

function reading(site: ArraySite, name: string): (...args: unknown[]) => unknown {
  return (...args) => {
    const moment = new Moment();
    try {
      const elements = site.elements(moment);
      // What is searched for is the element, whatever object stands for it.
      const index = site.indexOf(args[0]);
      if (index !== undefined && index < elements.length && SEARCHES.has(name)) elements[index] = args[0];
      // A callback is given the array, which must be the one that it can change.
      const given = args.map((arg, index) => {
        if (name === "concat") return site.spread(arg, moment);
        if (index > 0 || typeof arg !== "function") return arg;
        return function (this: unknown, ...inner: unknown[]): unknown {
          return Reflect.apply(arg, this, inner.map((each) => each === elements ? site.proxy : each));
        };
      });
      return call(name, elements, given);
    } finally {
      moment.end();
    }
  };
}

function call(name: string, array: unknown[], args: readonly unknown[]): unknown {
  const method = array[name as keyof unknown[]] as (...args: unknown[]) => unknown;
  return Reflect.apply(method, array, args);
}

/** As Array takes an index: an integer, or an infinity. */
function toInteger(value: unknown): number {
  return Math.trunc(Number(value)) || 0;
}
