/**
 * Paths: how a place inside a dictionary is named, and how the types follow.
 *
 * @module
 */

import { encodeName, formatPath } from "./json.ts";

// They live beside the encoder, whose messages name places too and which imports nothing.
export { formatPath, formatPlace } from "./json.ts";

/**
 * One step of a path.
 *
 * An object takes the string form of a segment as the name of a member, an array takes an integer as an index,
 * negative from the end.
 */
export type Segment = string | number;

/** The way to a place in a dictionary: the dictionary key, then a segment for each level. Frozen. */
export type Path = readonly Segment[];

// ---- Types ----

/**
 * The segments that may follow a value of type `T`.
 *
 * Member names for an object, `number` for an array or a tuple, those of all parts for a union, `string | number`
 * where the type says nothing, `never` for a scalar. Methods are not data, so they are no segments.
 *
 * @typeParam T The type of the value.
 */
export type KeyOf<T> = unknown extends T ? Segment // any too
  : T extends (...args: never) => unknown ? never
  : T extends readonly unknown[] ? number
  : T extends object
    ? Extract<keyof { [K in keyof T as T[K] extends (...args: never) => unknown ? never : K]: K }, Segment>
  : never;

/**
 * The type of the value behind one segment of a value of type `T`.
 *
 * An optional member loses its `undefined`, for a path that exists leads to a value. An element of an array has the
 * type of the elements, one of a tuple that of its place where the index says which.
 *
 * @typeParam T The type of the value.
 * @typeParam K The segment, one of {@linkcode KeyOf}`<T>`.
 */
export type At<T, K> = unknown extends T ? T // any stays any
  : T extends readonly unknown[] ? K extends number ? `${K}` extends keyof T ? T[K] : T[number] : never
  : T extends object ? K extends keyof T ? Exclude<T[K], undefined> : never
  : never;

/**
 * What a selector function is given: every member and element of `T`, and nothing else.
 *
 * There are no methods and no operators on it, optional members are always there, and what is returned carries its
 * own type: a selector is a function from `Selection<T>` to `Selected<V> | undefined`, from which `V` is inferred.
 *
 * @typeParam T The type of the value.
 */
export type Selection<T> = Selected<T> & { readonly [K in KeyOf<T>]: Selection<At<T, K>> };

/**
 * A place that a selector function names, with the type of the value there.
 *
 * @typeParam V The type of the value.
 */
export interface Selected<V> {
  /** Only for the compiler; it has no value. */
  readonly "~type": V;
}

// ---- Reading ----

/**
 * Checks the key of a dictionary.
 *
 * @param key What the caller gave.
 * @returns The same string; the empty string is a key like any other.
 * @throws {TypeError} If it is no string, or holds a lone surrogate, which UTF-8 cannot carry.
 */
export function readKey(key: unknown): string {
  if (typeof key !== "string") {
    throw new TypeError(`Cannot use ${nameOf(key)} as a key: a key of a dictionary is a string`);
  }
  if (LONE_SURROGATE.test(key)) {
    throw new TypeError(
      `Cannot use ${encodeName(key)} as a key: it holds a lone surrogate, which UTF-8 cannot carry`,
    );
  }
  return key;
}

/**
 * Reads the arguments of `at(...)`.
 *
 * Either segments, or one selector function, which is called once, at once, with a stand-in that records what is
 * read from it.
 *
 * @param args The arguments: strings and safe integers, or one function.
 * @returns The path: at least one segment, the first of them a string.
 * @throws {TypeError} If there is no argument, one is neither a string nor a number, the key is not well formed, or
 * the selector does anything but read one member of another.
 * @throws {RangeError} If a number is not a safe integer.
 */
export function readPath(args: readonly unknown[]): Path {
  if (args.length === 0) {
    throw new TypeError('Cannot read the path: it is empty; name a key first, as in at("sample")');
  }
  return toPath(readSegments(args));
}

/**
 * Reads the arguments of `at(...)` of a ref, which go on from a place inside the dictionary. The first one is a
 * segment like the others, so a number stays an index.
 *
 * @param args The arguments: strings and safe integers, or one function.
 * @returns The segments, frozen.
 * @throws {TypeError} As {@linkcode readPath} does.
 * @throws {RangeError} If a number is not a safe integer.
 */
export function readSegments(args: readonly unknown[]): readonly Segment[] {
  const [first, ...others] = args;
  if (typeof first !== "function") return Object.freeze(args.map(readSegment));
  if (others.length === 0) return readSelector(first as (root: unknown) => unknown);
  throw new TypeError("Cannot read the path: a selector stands alone, received more arguments after it");
}

/** Whether JavaScript would write this integer so. */
const CANONICAL_INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;

/** With the `u` flag a pair is one character, so that only a lone one is left to match. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function toPath(segments: readonly Segment[]): Path {
  const [key, ...inside] = segments;
  // case: at(5) in a dictionary with numbers for names. A key in Redis is a string.
  return Object.freeze([readKey(typeof key === "number" ? String(key) : key), ...inside]);
}

function readSegment(segment: unknown, index: number): Segment {
  if (typeof segment === "string") return segment;
  if (typeof segment !== "number") {
    throw new TypeError(
      `Cannot read segment ${index} of the path: ${nameOf(segment)} is neither a string nor an integer`,
    );
  }
  if (!Number.isSafeInteger(segment)) {
    throw new RangeError(`Cannot read segment ${index} of the path: ${segment} is not a safe integer`);
  }
  return segment === 0 ? 0 : segment; // -0 is 0
}

/** Names a value that is in the wrong place, without asking it anything. */
function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  switch (typeof value) {
    case "object":
      return "an object";
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "bigint":
      return `the bigint ${value}`;
    case "string":
      return encodeName(value);
    default:
      return String(value);
  }
}

// ---- Selectors ----

function readSelector(selector: (root: unknown) => unknown): readonly Segment[] {
  const recorder = new Recorder();
  const result = selector(recorder.root);
  const path = recorder.close(result);
  if (path !== undefined) return Object.freeze(path);
  if (typeof result === "object" && result instanceof Promise) {
    // Settling it would call `then` on a stand-in; that failure is ours to tell, and it is told here.
    result.then(undefined, () => {});
    throw refuse("it is asynchronous", "write a function that returns the member at once");
  }
  throw refuse(
    `it returns ${result === undefined ? "nothing" : nameOf(result)}`,
    "return a member of the argument, as in (lab) => lab.sample.color",
  );
}

/** Hands out stand-ins for the places of a dictionary and remembers which is which. */
class Recorder {
  readonly root: unknown;
  readonly #paths: Map<unknown, Path> = new Map();
  #isOpen: boolean = true;

  constructor() {
    this.root = this.#standIn([]);
  }

  /** Ends the recording; returns the path that the stand-in stands for, `undefined` if it is none. */
  close(standIn: unknown): Path | undefined {
    this.#isOpen = false;
    const path = this.#paths.get(standIn);
    if (path === undefined) return undefined;
    if (path.length === 0) {
      throw refuse("it returns its argument", 'return a member of it, or write at("sample")');
    }
    for (const other of this.#paths.values()) {
      // case: (lab) => lab.a || lab.b. A stand-in is always truthy: the choice would not be the one that is meant.
      if (other.some((segment, index) => segment !== path[index])) {
        throw refuse(
          `it reads ${formatPath(other)} beside ${formatPath(path)}`,
          "name one place and no conditions",
        );
      }
    }
    return path;
  }

  #standIn(path: Path): unknown {
    // The target can be called and constructed so that the traps for both are reached; nothing else of it is used.
    const standIn: unknown = new Proxy(function () {}, this.#handler(path));
    this.#paths.set(standIn, path);
    return standIn;
  }

  #handler(path: Path): Required<ProxyHandler<() => void>> {
    const place = path.length === 0 ? "its argument" : formatPath(path);
    const onlyReads = adviseRef(path);
    const no = (doing: string, advice: string = onlyReads) => (): never => {
      throw refuse(`it ${doing} ${place}`, advice);
    };
    return {
      get: (_target, name): unknown => {
        if (!this.#isOpen) {
          throw refuse(`it uses ${place} after it has returned`, `write ${formatCall(path)}`);
        }
        if (typeof name === "string") return this.#standIn([...path, toSegment(name)]);
        switch (name) {
          case Symbol.toPrimitive:
            return no("computes with")();
          case Symbol.iterator:
          case Symbol.asyncIterator:
            return no("iterates over")();
          default:
            return no(`reads ${String(name)} of`)();
        }
      },
      apply: (_target, _self, args): never => {
        const owner = path.slice(0, -1);
        const method = path.at(-1);
        if (method === undefined) return no("calls")();
        const isIndex = owner.length > 0 && method === "at" && args.length === 1 &&
          Number.isSafeInteger(args[0]);
        const advice = isIndex ? `write ${formatCall([...owner, args[0]])}` : adviseRef(owner);
        throw refuse(
          `it calls ${owner.length === 0 ? "its argument" : formatPath(owner)}.${method}(...)`,
          advice,
        );
      },
      construct: no("uses new on"),
      has: no("uses in on"),
      set: no("assigns to a member of"),
      defineProperty: no("defines a member of"),
      deleteProperty: no("deletes a member of"),
      ownKeys: no("lists the members of"),
      getOwnPropertyDescriptor: no("inspects"),
      getPrototypeOf: no("asks for the prototype of"),
      setPrototypeOf: no("changes the prototype of"),
      isExtensible: no("inspects"),
      preventExtensions: no("freezes"),
    };
  }
}

function toSegment(name: string): Segment {
  if (!CANONICAL_INTEGER.test(name)) return name;
  const index = Number(name);
  return Number.isSafeInteger(index) ? index : name;
}

/** How a path is written without a selector. */
function formatCall(path: Path): string {
  return `at(${
    path.map((segment) => typeof segment === "number" ? segment : encodeName(segment)).join(", ")
  })`;
}

function adviseRef(path: Path): string {
  return path.length === 0
    ? "return a member of it, as in (lab) => lab.sample.color"
    : `write ${formatCall(path)} and use the methods of the ref`;
}

function refuse(state: string, advice: string): TypeError {
  return new TypeError(`Cannot read a path from the selector: ${state}; ${advice}`);
}
