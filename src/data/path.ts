/**
 * Paths: how a place inside a dictionary is named, and how the types follow.
 *
 * @module
 */

/**
 * One step of a path.
 *
 * An object takes the string form of a segment as the name of a member, an array takes an integer as an index,
 * negative from the end.
 */
export type Segment = string | number;

/** The way to a place in a dictionary: the dictionary key, then a segment for each level. Frozen. */
export type Path = readonly Segment[];

/**
 * The segments that may follow a value of type `T`.
 *
 * Member names for an object, `number` for an array or a tuple, those of all parts for a union, `string | number`
 * where the type says nothing, `never` for a scalar. Methods are not data, so they are no segments.
 *
 * @typeParam T The type of the value.
 */
export type KeyOf<T> = [
  unknown extends T ? Segment // any too
    : T extends (...args: never) => unknown ? never
    : T extends readonly unknown[] ? number
    : T extends object ? (
        string extends keyof T ? Segment
          : [Extract<T[keyof T], (...args: never) => unknown>] extends [never] ? keyof T // nearly always
          : keyof { [K in keyof T as T[K] extends (...args: never) => unknown ? never : K]: K }
      )
    : never,
  // An editor asks for the constraint of each parameter of `at(...)`. Without this `infer`, the compiler would find it by
  // putting every segment behind every other one.
] extends [infer K] ? K & Segment : never;

/**
 * The type of the value behind one segment of a value of type `T`.
 *
 * An optional member loses its `undefined`, because a path that exists leads to a value. An element of an array has the
 * type of the elements, one of a tuple that of its place if the index is a literal. (An intersection removes the
 * `undefined`, not `Exclude`: then the compiler sees in generic code, too, that an object `V` fits in a
 * `Record<string, V>`.)
 *
 * @typeParam T The type of the value.
 * @typeParam K The segment, one of {@linkcode KeyOf}`<T>`.
 */
export type At<T, K> = unknown extends T ? T // any stays any
  : T extends readonly unknown[] ? K extends number ? `${K}` extends keyof T ? T[K] : T[number] : never
  : T extends object
    ? K extends keyof T ? unknown extends T[K] ? T[K] : T[K] & (NonNullable<unknown> | null) : never
  : never;

/**
 * Segments whose number is known only at run time; `never` if their type gives the number.
 *
 * @typeParam P The type of the segments.
 */
export type AnyPath<P extends readonly Segment[]> = number extends P["length"] ? P : never;

/**
 * Segments that may follow a value of type `T`, each behind the one before it.
 *
 * @typeParam T The type of the value.
 * @typeParam P The type of the segments.
 */
export type PathOf<T, P extends readonly Segment[]> = P extends
  readonly [infer K, ...infer R extends Segment[]]
  ? K extends KeyOf<T> ? [K, ...PathOf<At<T, K>, R>] : [KeyOf<T>, ...R]
  : P extends readonly [] ? []
  : never;

/**
 * The type of the value behind segments.
 *
 * @typeParam T The type of the value that they start from.
 * @typeParam P The type of the segments, a {@linkcode PathOf}`<T, P>`.
 */
export type AtPath<T, P extends readonly Segment[]> = P extends
  readonly [infer K, ...infer R extends Segment[]] ? AtPath<At<T, K>, R>
  : T;

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
      `Cannot use ${JSON.stringify(key)} as a key: it holds a lone surrogate, which UTF-8 cannot carry`,
    );
  }
  return key;
}

/** With the `u` flag a pair is one character, so that only a lone one is left to match. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Describes a wrong value for a message, without running code of the value. */
export function nameOf(value: unknown): string {
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
      return JSON.stringify(value);
    default:
      return String(value);
  }
}

/**
 * Formats segments for a message.
 *
 * @param path Names and indexes.
 * @returns For example `["sample"]["positions"][-1]`; nothing for an empty path. The middle of a very long path, and
 * the end of a very long name, are left out.
 */
export function formatPath(path: readonly (string | number)[]): string {
  if (path.length > 24) return `${formatPath(path.slice(0, 12))}...${formatPath(path.slice(-12))}`;
  return path.map((segment) => `[${typeof segment === "number" ? segment : quote(segment)}]`).join("");
}

/**
 * Formats a place in a dictionary for a message.
 *
 * @param path The path, dictionary key first.
 * @returns For example `["positions"][-1] of "sample"`, or `"sample"` for a whole value.
 */
export function formatPlace(path: readonly (string | number)[]): string {
  const [key, ...inside] = path;
  if (key === undefined) return "the dictionary";
  const name = quote(String(key));
  return inside.length === 0 ? name : `${formatPath(inside)} of ${name}`;
}

/** Quotes a name for a message, and shortens a very long one. */
function quote(name: string): string {
  return name.length <= 100 ? JSON.stringify(name) : `${JSON.stringify(name.slice(0, 100))}...`;
}
