/**
 * Names that mean something to JavaScript, and are ordinary names in JSON.
 *
 * @module
 */

/** Members of `Object.prototype` and its like. Not `hasOwnProperty`, which drafts refuse by name. */
export const HOSTILE_NAMES: readonly string[] = [
  "__proto__",
  "constructor",
  "toString",
  "toLocaleString",
  "valueOf",
  "isPrototypeOf",
  "propertyIsEnumerable",
  "__defineGetter__",
  "__lookupGetter__",
  "prototype",
  "then",
  "toJSON",
  "length",
  "map",
];
