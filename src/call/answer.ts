/**
 * Answers: the replies of the scripts, as outcomes and errors.
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
  /** The code of the script. */
  readonly code: RefusalCode;
  /** The index of the refused op in its group. */
  readonly index: number;
  /** How many segments of its path exist, not counting the key. */
  readonly segment: number;
  /** The data of the code, such as a type, a length or a byte offset. */
  readonly found: string;
}

/** The codes of the scripts for a refusal; `lua/README.md` explains them. */
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
 * The first word of an error of the script if a write failed after another one of the same call: part of the call was
 * applied.
 */
export const PARTIAL = "PARTIAL";

/** A code of the scripts for a refusal. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/**
 * The outcome of a group: a result for each op, `""` if an op has none; or the refusal of the whole group, with the
 * answer of each of its `fresh` ops.
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
 * @throws {Error} If it is no answer of the script, as from a proxy that garbles replies.
 */
export function readOutcomes(groups: readonly Group[], slots: unknown): readonly Outcome[] {
  const expected = groups.reduce((sum, group) => sum + group.length, 0);
  const hasNear = readNear(groups, slots) !== undefined;
  const texts = readSlots(hasNear ? (slots as readonly unknown[]).slice(0, 1) : slots, expected);
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
 * Reads from the answer to a call of one op how much of the value the next call of its key should read first.
 *
 * @param groups The groups that were compiled.
 * @param slots The answer of the script.
 * @returns Bytes; `undefined` if the answer does not tell, as of a short value.
 */
export function readNear(groups: readonly Group[], slots: unknown): number | undefined {
  if (!isSingle(groups) || !Array.isArray(slots) || slots.length !== 2) return undefined;
  return typeof slots[1] === "string" && /^[1-9]\d{0,9}$/.test(slots[1]) ? Number(slots[1]) : undefined;
}

/** Whether a call does only one op. */
export function isSingle(groups: readonly Group[]): boolean {
  return groups.length === 1 && groups[0].length === 1;
}

/**
 * Splits the answer to a call of reads.
 *
 * @param reads The reads that were compiled.
 * @param slots The answer of the script: one string for each read.
 * @returns For each read its result, or the refusal.
 * @throws {Error} If it is no answer of the script.
 */
export function readResults(reads: readonly Read[], slots: unknown): readonly (string | Refusal)[] {
  return readSlots(slots, reads.length).map(readResult);
}

/**
 * Reads the answer to a call that has one string for an answer.
 *
 * @param slots The answer of the script.
 * @returns The result, or the refusal.
 * @throws {Error} If it is no answer of the script.
 */
export function readOne(slots: unknown): string | Refusal {
  return readResult(readSlots(slots, 1)[0], 0);
}

function readResult(text: string, index: number): string | Refusal {
  return text.startsWith("!") ? readRefusal(text, index) : text;
}

/**
 * Reads from the record of a call whether one of its groups was applied.
 *
 * @param groups The groups that were compiled.
 * @param index The index of the group.
 * @param slots The answer to the call of no groups that asked for the record.
 * @returns Whether it was applied. A refused group was not; a call that had not arrived yet never will be.
 * @throws {Error} If it is no answer of the script.
 */
export function readVerdict(groups: readonly Group[], index: number, slots: unknown): boolean {
  if (Array.isArray(slots) && slots.length === 0) return false; // there was no record, so it left an empty one
  return "results" in readOutcomes(groups, slots)[index];
}

/** What the short way of the script replies. */
const SHORT_REPLY = /^(?:|true|-?\d+)$/;

function readSlots(slots: unknown, expected: number): readonly string[] {
  if (expected === 1 && typeof slots === "string" && SHORT_REPLY.test(slots)) return [slots];
  if (Array.isArray(slots) && slots.length === expected && slots.every((slot) => typeof slot === "string")) {
    return slots;
  }
  throw new Error(
    `Cannot read the answer of the script: expected ${expected} strings, received something else`,
  );
}

/** The plain commands about one key, and what each answers. */
export interface CommandAnswers {
  /** The text, if there is one. */
  readonly GET: string | null;
  /** Milliseconds; -1 if it does not expire, -2 if there is none. */
  readonly PTTL: number;
  /** The Redis type. */
  readonly TYPE: string;
}

/**
 * Reads the answer to a plain command about one key.
 *
 * @param name The command.
 * @param answer What the client returned.
 * @returns The answer.
 * @throws {Error} If that is no answer of this command, as from a proxy that garbles replies.
 */
export function readCommand<N extends keyof CommandAnswers>(name: N, answer: unknown): CommandAnswers[N] {
  const isText = typeof answer === "string";
  if (name === "PTTL") {
    // Some clients return numbers as texts.
    if (Number.isInteger(isText ? Number(answer) : answer)) return Number(answer) as CommandAnswers[N];
    throw unreadable(name, "a number");
  }
  if (isText || name === "GET" && answer === null) return answer as CommandAnswers[N];
  throw unreadable(name, "a text");
}

/**
 * Reads the answer to MGET.
 *
 * @param count How many keys were asked for.
 * @param answer What the client returned.
 * @returns For each key its text, `null` where there is none.
 * @throws {Error} If that is no answer of MGET.
 */
export function readTexts(count: number, answer: unknown): readonly (string | null)[] {
  const isText = (text: unknown): boolean => typeof text === "string" || text === null;
  if (Array.isArray(answer) && answer.length === count && answer.every(isText)) return answer;
  throw unreadable("MGET", `${count} texts`);
}

/**
 * Reads the answer to SCAN.
 *
 * @param answer What the client returned.
 * @returns The next cursor, and names of keys.
 * @throws {Error} If that is no answer of SCAN.
 */
export function readPage(answer: unknown): readonly [next: string, names: readonly string[]] {
  if (Array.isArray(answer) && answer.length === 2 && /^\d+$/.test(String(answer[0])) && isTexts(answer[1])) {
    return [String(answer[0]), answer[1]];
  }
  throw unreadable("SCAN", "a cursor and names");
}

/**
 * Reads an answer that is a list of texts.
 *
 * @param name The command.
 * @param answer What the client returned.
 * @param least How many texts there are at least.
 * @returns The texts.
 * @throws {Error} If that is no list of texts.
 */
export function readList(name: string, answer: unknown, least: number = 0): readonly string[] {
  if (isTexts(answer) && answer.length >= least) return answer;
  throw unreadable(name, "a list of texts");
}

const isTexts = (list: unknown): list is readonly string[] =>
  Array.isArray(list) && list.every((text) => typeof text === "string");

function unreadable(name: string, expected: string): Error {
  return new Error(`Cannot read the answer to ${name}: expected ${expected}, received something else`);
}

function readRefusal(text: string, index: number): Refusal {
  const [word, segment, found = ""] = text.slice(1).split(" ");
  const code = REFUSAL_CODES.find((known) => known === word);
  if (code === undefined) throw new Error(`Cannot read the answer of the script: unknown refusal ${word}`);
  return { code, index, segment: Number(segment), found };
}

/**
 * The error that a caller gets for a refusal.
 *
 * @param target The op or the read that was refused.
 * @param refusal The refusal.
 * @param operation The method that the caller used, if it has another name than the op.
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
        `Cannot make an error of a failed guard at ${target.kind}: its caller must handle it`,
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
