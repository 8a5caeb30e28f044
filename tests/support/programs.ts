/**
 * Random programs over plain data: the same code runs on a plain value and on a draft of it.
 *
 * @module
 */

import fc from "fast-check";
import type { Json } from "../../src/data/json.ts";

/** One statement: where, what, and with what. */
export interface Step {
  /** Which container: at each number, one of those inside is entered; fewer are left when there are none. */
  readonly where: readonly number[];
  readonly action: number;
  readonly numbers: readonly number[];
  readonly name: string;
  readonly value: Json;
  /** Another container, for moves and copies. */
  readonly other: readonly number[];
}

/** Names that mean something to JavaScript, integer-like ones, and ordinary ones. */
export const NAMES = [
  "a",
  "b",
  "c",
  "__proto__",
  "constructor",
  "toString",
  "then",
  "toJSON",
  "0",
  "1",
  "-1",
  "",
  'q"\\n',
];

const name = fc.constantFrom(...NAMES);

/** A random JSON value with such names. */
export const json: fc.Arbitrary<Json> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.oneof(
      fc.integer({ min: -9, max: 9 }),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom("", "x", 'é"\\'),
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 4 }).map((members) =>
      objectOf(members as [string, Json][])
    ),
  ),
})).value as fc.Arbitrary<Json>;

function objectOf(members: readonly (readonly [string, Json])[]): Json {
  const object = {};
  for (const [name, value] of members) {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  }
  return object;
}

/** Random statements. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    where: fc.array(fc.nat(5), { maxLength: 3 }),
    action: fc.nat(999),
    numbers: fc.array(fc.integer({ min: -3, max: 5 }), { minLength: 3, maxLength: 3 }),
    name,
    value: json,
    other: fc.array(fc.nat(5), { maxLength: 3 }),
  }),
  { maxLength: 8 },
);

type Container = Record<string, unknown> | unknown[];

const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null;

/**
 * A copy whose objects have no prototype: what drafts are like, whose members are their data and nothing else.
 *
 * @param value Any JSON.
 */
export function bare(value: Json): Json {
  if (!isContainer(value)) return value;
  if (Array.isArray(value)) return value.map((part) => bare(part as Json));
  const copy = Object.create(null);
  for (const [name, part] of Object.entries(value)) copy[name] = bare(part as Json);
  return copy;
}

const copy = bare;

function enter(root: Container, where: readonly number[]): Container {
  let at = root;
  for (const number of where) {
    const inside: Container[] = [];
    for (const value of Array.isArray(at) ? at : Object.values(at)) {
      if (isContainer(value)) inside.push(value);
    }
    if (inside.length === 0) break;
    at = inside[number % inside.length];
  }
  return at;
}

function contains(outer: unknown, inner: unknown): boolean {
  if (outer === inner) return true;
  if (!isContainer(outer)) return false;
  return (Array.isArray(outer) ? outer : Object.values(outer)).some((value) => contains(value, inner));
}

const order = (a: unknown, b: unknown): number => {
  const [x, y] = [JSON.stringify(a) ?? "", JSON.stringify(b) ?? ""];
  return x < y ? -1 : x > y ? 1 : 0;
};

/** An assignment that does not stumble over `__proto__`, which a plain object takes for its prototype. */
function put(target: Container, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}

const get = (target: Container, name: string): unknown =>
  Object.hasOwn(target, name) ? (target as Record<string, unknown>)[name] : undefined;

type Action<C> = (at: C, step: Step, other: Container) => unknown;

/** What can be done to an object. Each answers what it saw. */
const OBJECT_ACTIONS: readonly Action<Record<string, unknown>>[] = [
  (at, { name, value }) => put(at, name, copy(value)),
  (at, { name, value }) => put(at, name, copy(value)),
  (at, { name }) => delete at[name],
  (at, { name }) => get(at, name),
  (at, { name }) => name in at,
  (at) => Object.keys(at),
  (at) => JSON.stringify(at),
  (at) => ({ ...at }),
  (at, { value }) => {
    Object.assign(at, isContainer(value) ? copy(value) : { a: 1 });
  },
  (at, { name, numbers }) => {
    const was = get(at, name);
    put(at, name, (typeof was === "number" ? was : 0) + numbers[0]);
  },
  (at, { name }, other) => contains(other, at) ? 0 : put(at, name, other),
  (at, { name, value }) => {
    const twice = copy(value);
    put(at, name, twice);
    put(at, "c", twice);
  },
  (at, { name }) => {
    const moved = get(at, "a");
    delete at.a;
    if (moved !== undefined) put(at, name, moved);
  },
  (at) => {
    const seen: unknown[] = [];
    for (const name in at) seen.push(name, at[name]);
    return seen;
  },
  (at, { name }) => {
    const descriptor = Object.getOwnPropertyDescriptor(at, name);
    return descriptor?.get ? descriptor.get() : descriptor?.value;
  },
  (at, { name, value }, other) =>
    contains(other, at) ? 0 : put(at, name, { inner: other, list: [other, copy(value)] }),
  (at) => Object.entries(at).length,
];

/** What can be done to an array. */
const ARRAY_ACTIONS: readonly Action<unknown[]>[] = [
  (at, { value }) => void at.push(copy(value)),
  (at, { value }) => void at.push(copy(value), 1),
  (at, { value }) => void at.unshift(copy(value), 2),
  (at) => at.pop(),
  (at) => at.shift(),
  (at, { numbers, value }) => at.splice(numbers[0], Math.abs(numbers[1]), copy(value)),
  (at, { numbers }) => at.splice(numbers[0], numbers[1]),
  (at, { numbers }) => at.splice(numbers[0]),
  (at) => void at.sort(order),
  (at) => void at.reverse(),
  (at, { numbers, value }) => void at.fill(copy(value), numbers[0], numbers[1]),
  (at, { numbers }) => void at.copyWithin(numbers[0], numbers[1], numbers[2]),
  (at, { numbers }) => {
    if (Math.abs(numbers[0]) <= at.length) at.length = Math.abs(numbers[0]);
  },
  (at, { numbers, value }) => {
    if (Math.abs(numbers[0]) <= at.length) at[Math.abs(numbers[0])] = copy(value);
  },
  (at, { numbers }) => at[Math.abs(numbers[0])],
  (at) => [...at],
  (at) => at.length,
  (at) => at.includes(at[1]),
  (at) => at.indexOf(at[at.length - 1]),
  (at) => at.map((value) => isContainer(value) ? Object.keys(value).length : value),
  (at, _, other) => contains(other, at) ? 0 : void at.push(other),
  (at) => at.filter((value) => isContainer(value)),
  (at, { numbers }) => Math.abs(numbers[0]) in at,
  (at) => at.slice(1).concat(at),
  (at) => {
    if (at.length > 1) [at[0], at[1]] = [at[1], at[0]];
  },
  (at) => {
    for (const value of at) if (isContainer(value) && !Array.isArray(value)) put(value, "seen", true);
  },
  (at) => at.at(-1),
];

/** One statement at a place that is written out, as in `draft.a.list[1].b = 1`. It reads nothing that it does not say. */
export interface Line {
  /** Where: names and indexes. */
  readonly path: readonly string[];
  readonly step: Step;
}

/**
 * Makes statements for the places of a value.
 *
 * @param value The value.
 * @param program What to do; `where` picks the places.
 */
export function linesFor(value: Json, program: readonly Step[]): Line[] {
  const places: string[][] = [];
  const collect = (at: Json, path: string[]): void => {
    if (!isContainer(at)) return;
    places.push(path);
    for (const name of Object.keys(at)) collect((at as Record<string, Json>)[name], [...path, name]);
  };
  collect(value, []);
  return program.map((step) => {
    const pick = step.where.reduce((sum, number) => sum * 6 + number + 1, 0);
    return { path: places[pick % places.length], step };
  });
}

/** Those that say by themselves what they read; each of the others may stand for any statement. */
const OBJECT_LINES: readonly Action<Record<string, unknown>>[] = [
  (at, { name, value }) => put(at, name, copy(value)),
  (at, { name }) => delete at[name],
  (at, { name }) => at[name],
  (at, { name }) => name in at,
  (at, { name }) => void (at[name] === null ? put(at, "b", 1) : put(at, "c", 2)),
  (at, { numbers }) => {
    const was = get(at, "a");
    put(at, "a", (typeof was === "number" ? was : 0) + numbers[0]);
  },
  (at) => Object.keys(at).length,
  (at) => JSON.stringify(at),
  (at) => {
    const moved = get(at, "a");
    delete at.a;
    if (moved !== undefined) put(at, "b", moved);
  },
  (at) => Array.isArray(at.a),
  (at, { name }) => {
    const inner = at[name];
    if (isContainer(inner) && Object.hasOwn(at, name)) put(inner, "0", 7);
  },
];

const ARRAY_LINES: readonly Action<unknown[]>[] = [
  ...ARRAY_ACTIONS,
  (at, { value }) => void at.push(copy(value)),
  (at, { value }) => void at.push(copy(value)),
  (at, { value }) => void at.unshift(copy(value)),
  (at, { numbers, value }) => {
    const inner = at[Math.abs(numbers[0])];
    if (isContainer(inner) && !Array.isArray(inner)) put(inner, "a", copy(value));
  },
  (at, { value }) => {
    at.push(copy(value));
    return at.shift();
  },
  (at, { value }) => {
    at.unshift(copy(value));
    return at.pop();
  },
  (at, { value, numbers }) => {
    at.push(copy(value));
    return at[Math.abs(numbers[0])];
  },
  (at, { numbers }) => {
    at.shift();
    return at[Math.abs(numbers[0])];
  },
];

/**
 * Runs statements at places that are written out.
 *
 * @returns What they saw, as text.
 */
export function executeLines(root: Container, lines: readonly Line[]): string[] {
  return lines.map(({ path, step }) => {
    let at: unknown = root;
    for (const name of path) {
      if (!isContainer(at) || !Object.hasOwn(at, name)) return "gone";
      at = (at as Record<string, unknown>)[name];
    }
    if (!isContainer(at)) return "no container";
    return show(
      Array.isArray(at)
        ? ARRAY_LINES[step.action % ARRAY_LINES.length](at, step, at)
        : OBJECT_LINES[step.action % OBJECT_LINES.length](at, step, at),
    );
  });
}

/**
 * Runs a program.
 *
 * @param root A plain object, or a draft of one.
 * @param program The statements.
 * @returns What they saw, as JSON text.
 */
export function execute(root: Container, program: readonly Step[]): string[] {
  return program.map((step) => {
    const at = enter(root, step.where);
    const other = enter(root, step.other);
    const seen = Array.isArray(at)
      ? ARRAY_ACTIONS[step.action % ARRAY_ACTIONS.length](at, step, other)
      : OBJECT_ACTIONS[step.action % OBJECT_ACTIONS.length](at, step, other);
    return show(seen);
  });
}

/** Text that distinguishes values, also those with members that `JSON.stringify` would call. */
function show(value: unknown): string {
  if (!isContainer(value)) return String(value);
  if (Array.isArray(value)) return `[${value.map(show).join()}]`;
  return `{${Object.keys(value).map((name) => `${JSON.stringify(name)}:${show(get(value, name))}`).join()}}`;
}
