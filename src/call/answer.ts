/**
 * Answers: what the scripts reply, as outcomes and errors.
 *
 * @module
 */

import type { JsonType } from "../data/json.ts";
import type { Group, Op, Read } from "../data/op.ts";
import { UnavailableError } from "../errors/delivery.ts";
import type { JsonDictError } from "../errors/error.ts";
import {
  CorruptValueError,
  IndexOutOfRangeError,
  KeyNotFoundError,
  LimitError,
  NumberRangeError,
  PathNotFoundError,
  TypeMismatchError,
  WrongTypeError,
} from "../errors/value.ts";
/** Why a script refused a group, or a read. */
export interface Refusal {
  /** The script's word for it. */
  readonly code: RefusalCode;
  /** The op that was refused, by its place in the group. */
  readonly index: number;
  /** How many segments of its path exist, not counting the key. */
  readonly segment: number;
  /** What was found: a type, a length or a byte offset, by code. */
  readonly found: string;
}

/** The words of the scripts for a refusal; `lua/README.md` says what they mean. */
const REFUSAL_CODES = [
  "NO_KEY",
  "NOT_FOUND",
  "TYPE",
  "RANGE",
  "NUMBER",
  "CORRUPT",
  "WRONG_TYPE",
  "TEST",
  "LIMIT",
  "AFTER",
  "OOM",
] as const;

/**
 * The word that an error of the script starts with if a write failed behind another one of the same call: part of the
 * call was applied.
 */
export const PARTIAL = "PARTIAL";

/** A word of the scripts for a refusal. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/**
 * What became of a group: a result for each op, `""` where an op has none, or the refusal of all of it, with the answer
 * of each of its `fresh` ops.
 */
export type Outcome =
  | { readonly results: readonly string[] }
  | { readonly refusal: Refusal; readonly fresh: readonly (string | Refusal)[] };

/**
 * Splits the answer to a call by its groups.
 *
 * @param groups The groups that were compiled.
 * @param slots The answer of the script: one string for each op.
 * @returns The outcome of each group.
 * @throws {Error} If the answer is not one of our script, as from a proxy that garbles replies.
 */
export function readOutcomes(groups: readonly Group[], slots: unknown): readonly Outcome[] {
  const expected = groups.reduce((sum, group) => sum + group.length, 0);
  const texts = readSlots(slots, expected);
  let from = 0;
  return groups.map((group) => {
    const results = texts.slice(from, from += group.length);
    const index = results.findIndex((text) => text.startsWith("!"));
    if (index < 0) return { results };
    const fresh = results.map(readResult).filter((_, place) => group[place].kind === "fresh");
    return { refusal: readRefusal(results[index], index), fresh };
  });
}

/**
 * Splits the answer to a call of reads.
 *
 * @param reads The reads that were compiled.
 * @param slots The answer of the script: one string for each read.
 * @returns For each read its result, or why there is none.
 * @throws {Error} If the answer is not one of our script.
 */
export function readResults(reads: readonly Read[], slots: unknown): readonly (string | Refusal)[] {
  return readSlots(slots, reads.length).map(readResult);
}

function readResult(text: string, index: number): string | Refusal {
  return text.startsWith("!") ? readRefusal(text, index) : text;
}

/**
 * Tells from the record of a call what became of one of its groups.
 *
 * @param groups The groups that were compiled.
 * @param index Which of them.
 * @param slots The answer to the call of no groups that asked for the record.
 * @returns Whether it was applied; a group that was refused was not, nor will one be that did not arrive yet.
 * @throws {Error} If the answer is not one of our script.
 */
export function readVerdict(groups: readonly Group[], index: number, slots: unknown): boolean {
  if (Array.isArray(slots) && slots.length === 0) return false; // it met no record, and left one
  return "results" in readOutcomes(groups, slots)[index];
}

function readSlots(slots: unknown, expected: number): readonly string[] {
  if (Array.isArray(slots) && slots.length === expected && slots.every((slot) => typeof slot === "string")) {
    return slots;
  }
  throw new Error(
    `Cannot read the answer of the script: expected ${expected} strings, received something else`,
  );
}

function readRefusal(text: string, index: number): Refusal {
  const [word, segment, found = ""] = text.slice(1).split(" ");
  const code = REFUSAL_CODES.find((known) => known === word);
  if (code === undefined) throw new Error(`Cannot read the answer of the script: unknown refusal ${word}`);
  return { code, index, segment: Number(segment), found };
}

/**
 * The error that tells a caller of a refusal.
 *
 * @param target The op or the read that was refused.
 * @param refusal Why.
 * @param operation The method that the caller used, where it is not named like the op.
 * @returns The error, to be thrown.
 */
export function toError(target: Op | Read, refusal: Refusal, operation: string = target.kind): JsonDictError {
  const { code, segment, found } = refusal;
  const data = { operation, path: target.path };
  const at = segment + 1; // with the key
  switch (code) {
    case "NO_KEY":
      return new KeyNotFoundError(data);
    case "NOT_FOUND":
      return new PathNotFoundError({ ...data, at });
    case "TYPE":
      return new TypeMismatchError({
        ...data,
        at,
        found: found as JsonType,
        expected: expectedTypes(target, refusal),
      });
    case "RANGE":
      return new IndexOutOfRangeError({ ...data, index: Number(target.path[at]), length: Number(found) });
    case "NUMBER":
      return new NumberRangeError({ ...data, bound: found as "integer" | "finite" | "digits" });
    case "CORRUPT":
      return new CorruptValueError(found === "" ? data : { ...data, offset: Number(found) });
    case "WRONG_TYPE":
      return new WrongTypeError({ ...data, found });
    case "LIMIT":
      return new LimitError({ ...data, limit: found === "depth" ? "depth" : "bytes" });
    case "OOM":
      return new UnavailableError({ ...data, reason: "OOM" });
    case "TEST":
    case "AFTER":
      throw new Error(
        `Cannot tell of a failed guard at ${target.kind}: its caller must decide what it means`,
      );
  }
}

function expectedTypes(target: Op | Read, refusal: Refusal): readonly JsonType[] {
  if (refusal.segment < target.path.length - 1) {
    return refusal.found === "array" ? ["object"] : ["object", "array"];
  }
  switch (target.kind) {
    case "increment":
      return ["number"];
    case "toggle":
      return ["boolean"];
    case "append":
      return ["string"];
    case "keys":
      return ["object"];
    case "length":
      return ["string", "array", "object"];
    default:
      return ["array"];
  }
}
