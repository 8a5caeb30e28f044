/**
 * Reads of one place in a document, as `lua/read.lua` answers them.
 *
 * @module
 */

import { type Document, Refused } from "./document.ts";
import type { Read } from "../data/op.ts";
import type { Value } from "./text.ts";
import { charactersOf } from "./token.ts";

/**
 * Reads a place.
 *
 * @param document The value of the key.
 * @param read What to read, and where.
 * @returns The reply.
 * @throws {Refused} If the script refuses the read.
 */
export function readPlace(document: Document, { kind, path }: Read): string {
  if (!document.isThere) {
    if (kind === "exists") return "false";
    throw new Refused("NO_KEY");
  }
  if (kind === "get" && path.length === 1) return document.reply;
  if (kind === "size") return String(new TextEncoder().encode(document.text!).length);
  const place = document.walk(path.slice(1));
  if ("at" in place) {
    if (kind === "exists") return "false";
    throw new Refused("NOT_FOUND");
  }
  const { value } = place;
  const { type } = value;
  switch (kind) {
    case "get":
      return value.text;
    case "type":
      return type;
    case "exists":
      return "true";
    case "keys":
      if (type !== "object") throw new Refused("TYPE", type);
      return namesOf(value);
    case "length":
      if (type === "string") return String(unitsOf(value.text));
      if (type !== "array" && type !== "object") throw new Refused("TYPE", type);
      return String(value.open().count());
  }
}

/** The names of an object as a JSON array, as they are spelled. */
export function namesOf(object: Value): string {
  return `[${object.open().names().join(",")}]`;
}

/** The length of a string in UTF-16 code units. */
export function unitsOf(string: string): number {
  return charactersOf(string).length;
}
