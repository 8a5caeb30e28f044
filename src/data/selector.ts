/**
 * Selectors: reading the arguments of `at(...)`, segments or a function that names a place.
 *
 * @module
 */

import { encodeName } from "./encoder.ts";
import { type At, formatPath, type KeyOf, nameOf, type Path, readKey, type Segment } from "./path.ts";

/**
 * What a selector function is given: every member and element of `T`, and nothing else.
 *
 * It has no methods and takes no operators, optional members are always there, and each member carries the type of its
 * place: a selector is a function from `Selection<T>` to `Selected<V> | undefined`, from which `V` is inferred.
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
 * Reads the arguments of `at(...)` of a ref, which start from a place inside the dictionary. The first one is a
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

/** An integer as JavaScript writes it. */
const CANONICAL_INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;

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

function readSelector(selector: (root: unknown) => unknown): readonly Segment[] {
  const recorder = new Recorder();
  const result = selector(recorder.root);
  const path = recorder.close(result);
  if (path !== undefined) return Object.freeze(path);
  if (typeof result === "object" && result instanceof Promise) {
    // It may reject, as resolving calls `then` on a stand-in. The error below reports the failure.
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
