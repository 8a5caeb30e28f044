/**
 * Random programs that use a draft in every way there is: each trap of a proxy, each method of an array, on parts that
 * are still in the value and on parts that are not, with errors that are caught and looked at.
 *
 * @module
 */

import fc from "fast-check";
import type { Json } from "../../src/data/json.ts";
import { json } from "./programs.ts";

/** One use: of which container that was met so far, what, and with what. */
export interface Use {
  readonly on: number;
  readonly action: number;
  readonly name: string;
  readonly numbers: readonly number[];
  readonly value: Json;
  readonly other: number;
}

const name = fc.constantFrom(
  "a",
  "b",
  "list",
  "items",
  "id",
  "0",
  "1",
  "2",
  "__proto__",
  "toString",
  "length",
);
const small = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(null, true, "x", ""));

/** A random program. */
export const uses: fc.Arbitrary<Use[]> = fc.array(
  fc.record({
    on: fc.nat(9),
    action: fc.nat(9999),
    name,
    numbers: fc.array(fc.integer({ min: -2, max: 4 }), { minLength: 3, maxLength: 3 }),
    value: fc.oneof({ weight: 3, arbitrary: small as fc.Arbitrary<Json> }, { weight: 1, arbitrary: json }),
    other: fc.nat(9),
  }),
  { minLength: 1, maxLength: 9 },
);

/** A value with lists, objects and lists of objects. */
export const document: fc.Arbitrary<Json> = fc.record({
  list: fc.array(small, { maxLength: 4 }),
  items: fc.array(fc.oneof(fc.record({ id: small }), small), { maxLength: 3 }),
  a: fc.oneof(json, fc.record({ list: fc.array(small, { maxLength: 3 }), b: json }) as fc.Arbitrary<Json>),
}) as fc.Arbitrary<Json>;

type Members = Record<string, unknown>;

/** The state of a program: the parts that it can go on with, and how it reports what it sees. */
interface Sight {
  readonly parts: object[];
  /** Tells one value: of an object or array only which of both it is. */
  tell(value: unknown): string;
}

type Action<A> = (at: A, use: Use, sight: Sight) => unknown;

const valueOf = (descriptor: PropertyDescriptor | undefined): unknown =>
  descriptor?.get ? descriptor.get() : descriptor?.value;
const other = ({ parts }: Sight, use: Use): object => parts[use.other % parts.length];
const rank = (value: unknown): number =>
  typeof value === "object" && value !== null ? Number((value as Members).id) : Number(value);
const byRank = (a: unknown, b: unknown): number => rank(a) - rank(b);

/** What can be done to any container. */
const ANY: readonly Action<Members>[] = [
  (at, { name }) => at[name],
  (at, { name }) => at[name],
  (at, { name }) => at[name],
  (at, { name }) => name in at,
  (at, { name }) => Object.hasOwn(at, name),
  (at, { name }) => Object.prototype.propertyIsEnumerable.call(at, name),
  (at, { name }) => Object.getOwnPropertyDescriptor(at, name) === undefined,
  (at, { name }) => valueOf(Object.getOwnPropertyDescriptor(at, name)),
  (at, { name }) => {
    const all: Record<string, PropertyDescriptor> = Object.getOwnPropertyDescriptors(at);
    return [Object.keys(all).join(), valueOf(Object.hasOwn(all, name) ? all[name] : undefined)];
  },
  (at, { numbers }) => {
    const names = Reflect.ownKeys(at);
    const seen = names.slice(0, Math.abs(numbers[0]));
    return seen.map((key) => valueOf(Reflect.getOwnPropertyDescriptor(at, key)));
  },
  (at) => Object.keys(at).length,
  (at) => Object.keys(at).join(),
  (at) => Object.values(at),
  (at) => Object.entries(at).flat(),
  (at) => Object.values({ ...at }),
  (at, { numbers }) => {
    const seen: unknown[] = [];
    for (const key in at) {
      if (seen.length > Math.abs(numbers[0])) break;
      seen.push(key, at[key]);
    }
    return seen;
  },
  (at) => JSON.stringify(at),
  (at) => Deno.inspect(at),
  (at) => String(at),
  (at, { numbers }) => (at as unknown as number) > numbers[0],
  (at) => at.hasOwnProperty,
  (at, { name }) => Object.prototype.hasOwnProperty.call(at, name),
  (at) => Object.getPrototypeOf(at) === Array.prototype,
  (at) => Object.isFrozen(at),
  (at) => Object.freeze(at),
  (at, { name, value }) => void (at[name] = value),
  (at, { name, value }) => void (at[name] = value),
  (at, { name, value }) => void (at[name] = value),
  (at, { name }) => void (at[name] = []),
  (at, { name }) => void (at[name] = {}),
  (at, { name, value }) => Reflect.set(at, name, value),
  (at, { name, value }) => Reflect.set({}, name, value, at),
  (at, { name }) => void (at[name] = undefined),
  (at, use, sight) => void (at[use.name] = other(sight, use)),
  (at, use, sight) => void (at[use.name] = [{ id: other(sight, use) }]),
  (at, { name }) => delete at[name],
  (at, { name }) => delete at[name],
  (at, { name }) => Reflect.deleteProperty(at, name),
  (at, { name, value }) => void Object.assign(at, { [name]: value, b: 1 }),
  (at, { name, value }) => {
    const full = { value, writable: true, enumerable: true, configurable: true };
    return void Object.defineProperty(at, name, full);
  },
  (at, { name, value }) => void Object.defineProperty(at, name, { value }),
  (at, { name }, { tell }) => {
    const was = at[name];
    if (typeof was !== "number") return tell(was);
    at[name] = was + 1;
  },
  (at, use, sight) => sight.tell(at === other(sight, use)),
  (at) => {
    try {
      return structuredClone(at);
    } catch (error) {
      return (error as Error).name; // the engine looks past every trap for what it calls the object in the message
    }
  },
  (at) => Array.isArray(at),
  (at, { name }) => Object.create(at)[name],
  (at, { name, value }) => void (Object.create(at)[name] = value),
];

/** Objects too: what methods of arrays do to what is none. */
const GENERIC: readonly Action<unknown[]>[] = [
  (at, { value }) => void Array.prototype.push.call(at, value),
  (at) => Array.prototype.pop.call(at),
  (at) => Array.prototype.shift.call(at),
  (at, { numbers }) => Array.prototype.splice.call(at, numbers[0], numbers[1]),
  (at) => void Array.prototype.sort.call(at, byRank),
  (at) => void Array.prototype.reverse.call(at),
  (at, { value, numbers }) => void Array.prototype.fill.call(at, value, numbers[0]),
  (at, { numbers }) => void Array.prototype.copyWithin.call(at, numbers[0], numbers[1]),
  (at) => Array.prototype.slice.call(at, 1),
  (at) => [0].concat(at as number[]),
];

/** What can be done to an array. `push` and `unshift` do not look at what they return: that is no guard. */
const ARRAY: readonly Action<unknown[]>[] = [
  (at) => at.length,
  (at, { value }) => void at.push(value),
  (at, { value }) => void at.push(value, 1),
  (at, use, sight) => void at.push(other(sight, use)),
  (at, { value }) => void at.unshift(value),
  (at) => at.pop(),
  (at) => at.pop(),
  (at) => at.shift(),
  (at) => at.shift(),
  (at, { numbers, value }) => at.splice(numbers[0], Math.abs(numbers[1]), value),
  (at, { numbers }) => at.splice(numbers[0], numbers[1]),
  (at, { numbers }) => at.splice(numbers[0]),
  (at, { numbers, value }) => at.splice(Math.abs(numbers[0]), 0, value, value),
  (at) => void at.sort(),
  (at) => void at.sort(byRank),
  (at) => void at.sort(byRank),
  (at, _, { tell }) => {
    const seen: string[] = [];
    at.sort((a, b) => {
      seen.push(tell(a), tell(b));
      return byRank(a, b);
    });
    return seen.join();
  },
  (at) => void at.reverse(),
  (at) => void at.reverse(),
  (at, { numbers, value }) => void at.fill(value, numbers[0], numbers[1]),
  (at) => void at.fill(at[0]),
  (at, { numbers }) => void at.fill(at[Math.abs(numbers[0])], numbers[1]),
  (at, { numbers }) => void at.copyWithin(numbers[0], numbers[1], numbers[2]),
  (at, { numbers }) => void at.copyWithin(numbers[0], numbers[1]),
  (at, { numbers }) => void (at.length = Math.abs(numbers[0])),
  (at, { numbers }) => void (at.length = Math.abs(numbers[0])),
  (at) => void (at.length = 0),
  (at, { numbers, value }) => void (at[Math.abs(numbers[0])] = value),
  (at, { numbers, value }) => void (at[Math.abs(numbers[0])] = value),
  (at, { numbers }) => void (at[0] = at[Math.abs(numbers[0])]),
  (at, { numbers }) => void (at[Math.abs(numbers[0])] = undefined),
  (at, { numbers }) => delete at[Math.abs(numbers[0])],
  (at, { numbers }) => at[Math.abs(numbers[0])],
  (at, { numbers }) => at[Math.abs(numbers[0])],
  (at, { numbers }) => Math.abs(numbers[0]) in at,
  (at, { numbers }) => at.at(numbers[0]),
  (at, { value }) => at.includes(value),
  (at, { value }) => at.indexOf(value),
  (at, { value }) => at.lastIndexOf(value),
  (at, { numbers }) => at.slice(numbers[0], numbers[1]),
  (at) => at.concat(at),
  (at) => at.toSorted(byRank),
  (at) => at.toReversed(),
  (at, { numbers, value }) => at.with(numbers[0], value),
  (at, { numbers }) => at.toSpliced(numbers[0], numbers[1]),
  (at) => at.join(),
  (at) => [...at],
  (at) => [...at.keys()].length,
  (at) => at.values().next().value,
  (at) => at.find((value) => rank(value) > 0),
  (at) => at.findLast((value) => rank(value) > 0),
  (at) => at.some((value) => rank(value) > 1),
  (at) => at.every((value) => rank(value) > 1),
  (at) => at.map(rank),
  (at) => at.reduce((sum: number, value) => sum + rank(value), 0),
  (at) => at.flat(),
  (at) => Array.from(at),
  (at) => {
    const [first, second] = at;
    return [first, second];
  },
  (at, { numbers }) => {
    const index = Math.abs(numbers[0]);
    [at[0], at[index]] = [at[index], at[0]];
  },
  (at, { numbers }) => {
    const kept = at[0];
    at.copyWithin(0, 1);
    at[Math.abs(numbers[0])] = kept;
    at[Math.abs(numbers[1])] = 5;
  },
  (at) => {
    for (const item of at) if (typeof item === "object" && item !== null) (item as Members).id = 9;
  },
];

/** What can be done to the dictionary itself. */
const DICTIONARY: readonly Action<Members>[] = [
  (at, { other }) => at[KEYS[other % 3]],
  (at, { other }) => at[KEYS[other % 3]],
  (at, { other }) => KEYS[other % 3] in at,
  (at, { other }) => Object.hasOwn(at, KEYS[other % 3]),
  (at, { other }) => valueOf(Object.getOwnPropertyDescriptor(at, KEYS[other % 3])),
  (at, { other, value }) => void (at[KEYS[other % 3]] = value),
  (at, { other }) => delete at[KEYS[other % 3]],
  (at, { other, numbers }) => void (at[KEYS[other % 3]] = at[KEYS[Math.abs(numbers[0]) % 3]]),
  (at) => Object.keys(at),
  (at) => at.hasOwnProperty,
  (at) => String(at),
];

/** Actions on the dictionary that take a value out of its place. */
export const DICTIONARY_SET = 5;
/** The other one. */
export const DICTIONARY_DELETE = 6;

/** How many actions there are, so that each can be tried. */
export const ACTION_COUNT = 3 * Math.max(ANY.length + GENERIC.length, ARRAY.length);

/** The keys that a program knows of. */
export const KEYS = ["one", "two", "none"];

/**
 * Runs a program over a draft of a dictionary.
 *
 * @returns What it saw, which is all that it knows.
 */
export function use(draft: unknown, program: readonly Use[]): string[] {
  const root = draft as Members;
  const parts: object[] = [];
  const tell = (value: unknown): string => {
    if (typeof value !== "object" || value === null) return `${typeof value} ${String(value)}`;
    if (parts.length < 30) parts.push(value);
    return Array.isArray(value) ? "array" : "object";
  };
  tell(root.one);
  // A copy, since a value that was assigned is changed in place, as in plain code.
  return structuredClone(program as Use[]).map((step) => {
    const sight: Sight = { parts, tell };
    try {
      let seen: unknown;
      const at = parts[step.on % (parts.length + 1)];
      if (at === undefined) seen = pick(DICTIONARY, step)(root, step, sight);
      else seen = actionFor(Array.isArray(at), step)(at as never, step, sight);
      // What an action returns as an array was made by it, out of what it saw.
      return Array.isArray(seen) && !parts.includes(seen) && isPlain(seen)
        ? seen.map(tell).join()
        : tell(seen);
    } catch (error) {
      return String(error);
    }
  });
}

const pick = <A>(actions: readonly Action<A>[], { action }: Use): Action<A> =>
  actions[Math.floor(action / 3) % actions.length];

const actionFor = (isArray: boolean, step: Use): Action<never> =>
  isArray && step.action % 3 > 0 ? pick<never>(ARRAY, step) : pick<never>([...ANY, ...GENERIC], step);

/** One use as a reader of a failure needs it. */
export function describeUse(text: string, step: Use): string {
  const { name, numbers, value } = step;
  return `${actionFor(text.startsWith("["), step)} of ${text} with ${
    JSON.stringify({ name, numbers, value })
  }`;
}

/** Whether an array is no draft. Only a failed clone reveals one. */
function isPlain(value: unknown[]): boolean {
  const mark = Symbol();
  try {
    return Reflect.set(value, mark, 1) && Reflect.deleteProperty(value, mark);
  } catch {
    return false;
  }
}

/**
 * What somebody else does to a value meanwhile.
 *
 * @param value Changed in place.
 * @param step Says where and what.
 */
export function meddle(value: Json, step: Use): void {
  const places: (Json[] | { [name: string]: Json })[] = [];
  const collect = (part: Json): void => {
    if (typeof part !== "object" || part === null) return;
    places.push(part);
    Object.values(part).forEach(collect);
  };
  collect(value);
  const at = places[(step.on + 3 * step.other) % places.length];
  const index = Math.abs(step.numbers[0]);
  const put = (name: string, part: Json): void =>
    void Object.defineProperty(at, name, {
      value: part,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  if (!Array.isArray(at)) {
    const names = Object.keys(at);
    const known = names[index % (names.length || 1)];
    switch (step.action % 5) {
      case 0:
        return put(step.name, step.value);
      case 1:
        if (known !== undefined) delete at[known];
        return;
      case 2:
        return known === undefined ? undefined : put(known, step.value);
      case 3:
        return known === undefined ? undefined : put(known, []);
      default: // another order of the names
        if (known === undefined) return;
        {
          const part = at[known];
          delete at[known];
          put(known, part);
        }
        return;
    }
  }
  switch (step.action % 7) {
    case 0:
      return void at.push(step.value);
    case 1:
      return void at.unshift(step.value);
    case 2:
      return void at.pop();
    case 3:
      return void at.splice(index, 1);
    case 4:
      return void at.splice(index, 0, step.value);
    case 5:
      return void at.reverse();
    default:
      if (index < at.length) at[index] = step.value;
  }
}
