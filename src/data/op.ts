/**
 * Op descriptors: a change or a read as plain data, with a kind, a path and fragments of JSON text.
 *
 * Every API method makes these and nothing else. The call stage compiles each {@linkcode Op} to tokens. A `path` begins
 * with the dictionary key.
 *
 * @module
 */

import type { JsonType } from "./json.ts";
import type { Path } from "./path.ts";

/** Writes a value: a member, an element, one more element at the length of an array, or a whole value. */
export interface SetOp {
  /** The kind of this op. */
  readonly kind: "set";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
  /** JSON text of the value. */
  readonly value: string;
  /** Write only if there is no value yet, only if there is one, or only if there is no object. */
  readonly when?: "absent" | "present" | "not-object";
  /** Create the missing parents. */
  readonly parents?: boolean;
  /** Whole values only: the new expiry in milliseconds, 0 for none; the expiry stays when left out. */
  readonly ttl?: number;
}

/**
 * Adds a value as a JSON Patch does (RFC 6902, section 4.1): before an element, at the end of an array, as a member or
 * in its place, or as the whole value.
 */
export interface AddOp {
  /** The kind of this op. */
  readonly kind: "add";
  /** Where. In an array, the last segment `"-"` means the end. */
  readonly path: Path;
  /** JSON text of the value; when left out, the text that the last `copy` of the group remembered. */
  readonly value?: string;
}

/** Remembers the text of a value for an `add` of the same group. */
export interface CopyOp {
  /** The kind of this op. */
  readonly kind: "copy";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
}

/** Remembers a whole value and its expiry for a `put` of the same group. */
export interface PickOp {
  /** The kind of this op. */
  readonly kind: "pick";
  /** The dictionary key. */
  readonly path: Path;
}

/** Writes the whole value that the last `pick` of the group remembered, with its expiry. */
export interface PutOp {
  /** The kind of this op. */
  readonly kind: "put";
  /** The dictionary key. */
  readonly path: Path;
}

/** Removes a value: a member, an element (the following ones move up), or a whole value with its key. */
export interface DeleteOp {
  /** The kind of this op; `take` also returns the removed value. */
  readonly kind: "delete" | "take";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
}

/** Adds elements to an array, behind the last or before the first one. */
export interface PushOp {
  /** The kind of this op. */
  readonly kind: "push" | "unshift";
  /** Where the array is. */
  readonly path: Path;
  /** JSON texts of the elements. */
  readonly items: readonly string[];
  /** Create the missing parents and the array. */
  readonly parents?: boolean;
}

/** Removes the last or the first element of an array and returns it. */
export interface PopOp {
  /** The kind of this op. */
  readonly kind: "pop" | "shift";
  /** Where the array is. */
  readonly path: Path;
}

/** Replaces elements of an array, as `Array.prototype.splice` does. */
export interface SpliceOp {
  /** The kind of this op. */
  readonly kind: "splice";
  /** Where the array is. */
  readonly path: Path;
  /** The index of the first element to remove, negative from the end. */
  readonly start: number;
  /** How many elements to remove. */
  readonly deleteCount: number;
  /** JSON texts of the elements to put in their place. */
  readonly items: readonly string[];
  /** Create the missing parents and the array. */
  readonly parents?: boolean;
}

/** Adds to a number. */
export interface IncrementOp {
  /** The kind of this op. */
  readonly kind: "increment";
  /** Where the number is. */
  readonly path: Path;
  /** JSON text of the number to add. */
  readonly by: string;
  /** Allow integers that a double cannot hold; they are added exactly. Else they are refused. */
  readonly exact?: boolean;
  /** Create the missing parents and the number, from 0. */
  readonly parents?: boolean;
}

/** Turns `true` into `false` and back. */
export interface ToggleOp {
  /** The kind of this op. */
  readonly kind: "toggle";
  /** Where the boolean is. */
  readonly path: Path;
}

/** Adds text at the end of a string. */
export interface AppendOp {
  /** The kind of this op. */
  readonly kind: "append";
  /** Where the string is. */
  readonly path: Path;
  /** JSON text of the string to add. */
  readonly text: string;
  /** Create the missing parents and the string. */
  readonly parents?: boolean;
}

/** Guard: refuses the group unless the value equals another one. */
export interface TestOp {
  /** The kind of this op. */
  readonly kind: "test";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
  /** JSON text of the value to compare with. */
  readonly value: string;
  /** Compare the bytes of the text, not the values; with `sha1`, `value` is their SHA-1 in hexadecimal digits. */
  readonly by?: "bytes" | "sha1";
}

/** Guard: refuses the group unless the value is of a type. */
export interface TypeOp {
  /** The kind of this op. */
  readonly kind: "type";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
  /** The type, as JSON names it. */
  readonly value: JsonType;
}

/** Guard: refuses the group unless the value is an array of a length. */
export interface LengthOp {
  /** The kind of this op. */
  readonly kind: "length";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
  /** How many elements. */
  readonly value: number;
}

/** Guard: refuses the group unless the value is an object whose members have these names, in this order. */
export interface KeysOp {
  /** The kind of this op. */
  readonly kind: "keys";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
  /** JSON text of an array of the names, without white space, each as the text spells it. */
  readonly value: string;
}

/** Guard: refuses the group unless there is a value, or unless there is none. */
export interface ExistsOp {
  /** The kind of this op. */
  readonly kind: "exists" | "absent";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
}

/** Lets a whole value expire. */
export interface ExpireOp {
  /** The kind of this op. */
  readonly kind: "expire";
  /** The dictionary key. */
  readonly path: Path;
  /** From now, in milliseconds. */
  readonly ttl: number;
}

/** Ends the expiry of a whole value. */
export interface PersistOp {
  /** The kind of this op. */
  readonly kind: "persist";
  /** The dictionary key. */
  readonly path: Path;
}

/**
 * Returns the text of the value as a read would, but only if its group or an earlier one was refused. It comes after all
 * other ops of the group.
 */
export interface FreshOp {
  /** The kind of this op. */
  readonly kind: "fresh";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
}

/** One change, or one guard, at one place. */
export type Op =
  | SetOp
  | AddOp
  | CopyOp
  | PickOp
  | PutOp
  | DeleteOp
  | PushOp
  | PopOp
  | SpliceOp
  | IncrementOp
  | ToggleOp
  | AppendOp
  | TestOp
  | TypeOp
  | LengthOp
  | KeysOp
  | ExistsOp
  | ExpireOp
  | PersistOp
  | FreshOp;

/** Ops on one or more keys that are applied together or not at all. */
export type Group = readonly Op[];

/** One read of one place. */
export interface Read {
  /** What to read: the fragment, its type, its length, its member names, whether it is there; the bytes of the whole value. */
  readonly kind: "get" | "type" | "length" | "keys" | "exists" | "size";
  /** Where; only the dictionary key for a whole value. */
  readonly path: Path;
}

/** The keys of a group, each once. */
export function keysOf(group: Group): readonly string[] {
  const first = String(group[0].path[0]);
  if (group.every((op) => op.path[0] === first)) return [first];
  return [...new Set(group.map((op) => String(op.path[0])))];
}
