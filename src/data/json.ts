/**
 * Values that JSON can hold, and how they are named.
 *
 * @module
 */

/**
 * A value that JSON can hold.
 *
 * The type is mutable, because a value that was read belongs to the reader: nothing else refers to it. With
 * {@linkcode DictOptions.bigints} a value may also hold `bigint`; name it in your own type then.
 */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** How values are read and written. */
export interface JsonOptions {
  /**
   * Read integers beyond `Number.MAX_SAFE_INTEGER` as `bigint`, digit for digit, and write `bigint` likewise.
   *
   * The text does not distinguish the two: a `bigint` that a number can hold safely reads back as a number, and a number
   * such as `2 ** 60`, whose text is a long integer, reads back as a `bigint`.
   *
   * @default {false}
   */
  readonly bigints?: boolean;
}

/** The type of a JSON value, as JSON names it. */
export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

/** How many arrays and objects may be nested in one another; other JSON readers stop at about this depth. */
export const MAX_DEPTH = 1000;

/**
 * What the compiler names where a type says that JSON holds what it cannot. No value has this type.
 *
 * @typeParam Reason What is not JSON, and what to use.
 */
export interface NotJson<Reason extends string> {
  /** Only for the compiler; it has no value. */
  readonly "~reason": Reason;
}

/**
 * The same type where JSON can hold it, `never` where it cannot. Quick, and so it does not say why.
 *
 * @typeParam V The type of a value.
 */
export type PlainJson<V> = V extends null | undefined | string | number | boolean ? V
  : V extends readonly unknown[] ? readonly PlainJson<V[number]>[]
  : V extends ((...args: never) => unknown) | (abstract new (...args: never) => unknown) ? never
  : V extends object ? { [K in keyof V]: PlainJson<V[K]> } // the methods of a Date and the like are functions
  : unknown extends V ? V
  : never;

/**
 * The members of a type, with {@linkcode NotJson} for each one that JSON cannot hold.
 *
 * @typeParam T The type.
 * @typeParam More What else may stand in it: `bigint`, which is up to an option.
 */
export type JsonMembers<T, More = never> = { [K in keyof T]: JsonMember<T[K], K, More> };

/**
 * The type of a member, or {@linkcode NotJson} if JSON cannot hold it.
 *
 * @typeParam V The type of the member.
 * @typeParam K The name of the member.
 * @typeParam More What else may stand in it: `bigint`, which is up to an option.
 */
export type JsonMember<V, K, More = never> = V extends null | undefined | string | number | boolean | More ? V
  : K extends symbol ? V // the brand of a type; it is not written
  : V extends readonly unknown[] ? readonly JsonMember<V[number], K, More>[]
  : V extends bigint ? NotJson<`${K & (string | number)}: a bigint needs the option bigints`>
  : V extends symbol ? NotJson<`${K & (string | number)}: a symbol is not JSON; use a string`>
  : V extends Date ? NotJson<`${K & (string | number)}: a Date is not JSON; use a string or a number`>
  : V extends ReadonlyMap<unknown, unknown>
    ? NotJson<`${K & (string | number)}: a Map is not JSON; use an object`>
  : V extends ReadonlySet<unknown> ? NotJson<`${K & (string | number)}: a Set is not JSON; use an array`>
  : V extends PromiseLike<unknown>
    ? NotJson<`${K & (string | number)}: a promise is not JSON; await it before`>
  : V extends ArrayBufferView | ArrayBufferLike
    ? NotJson<`${K & (string | number)}: bytes are not JSON; use a string, such as base64`>
  : V extends ((...args: never) => unknown) | (abstract new (...args: never) => unknown)
    ? NotJson<`${K & (string | number)}: a function is not JSON; leave it out`>
  : V extends { toJSON(...args: never): unknown }
    ? NotJson<`${K & (string | number)}: what toJSON returns is written and read; use the type of that`>
  : V extends object ? JsonMembers<V, More>
  : V; // unknown

/**
 * What a type must extend to hold nothing but JSON: `object` if it does, else its {@linkcode JsonMembers}, so
 * that the compiler names the member at fault. A type that is not known yet, as in generic code, passes.
 *
 * @typeParam T The type.
 * @typeParam More What else may stand in it: `bigint`, which is up to an option.
 */
export type OnlyJson<T, More = never> = {
  readonly yes: object;
  readonly [no: number]: JsonMembers<T, More>;
}[HoldsJson<T, More>];

/**
 * `"yes"` for a type that holds nothing but JSON, else `any`.
 *
 * It serves as an index: `"yes"` picks the member of this name, `any` the one under `[no: number]`. While `T` is not
 * known, as in generic code, the compiler takes `"yes"`, since the branch `any` does not constrain the result.
 *
 * @typeParam T The type.
 * @typeParam More What else may stand in it: `bigint`, which is up to an option.
 */
export type HoldsJson<T, More = never> = [T] extends [PlainJson<T>] ? "yes"
  : [T] extends [JsonMembers<T, More>] ? "yes"
  // deno-lint-ignore no-explicit-any -- as said
  : any;
