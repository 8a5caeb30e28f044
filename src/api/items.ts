/**
 * Items: what can be done with the values of a dictionary, as tasks.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import type { Json } from "../data/json.ts";
import type { Group, Op } from "../data/op.ts";
import { formatPlace, nameOf, type Path, readKey } from "../data/path.ts";
import { KeyNotFoundError, WrongTypeError } from "../errors/value.ts";
import type { CallOptions } from "../run/cancellation.ts";
import { checkKeys, checkOptions, checkTtl, type OptionName } from "../run/option.ts";
import { ask, type Steps } from "../store/request.ts";
import { type DictEditOptions, DictScope, edit, explain, type Local } from "./edit.ts";
import { merge, patch, type PatchOperation } from "./patch.ts";
import { applied, applyOp, isMiss, type Task } from "./task.ts";

/** How a whole value is read. */
export interface GetOptions extends CallOptions {
  /**
   * The value expires after so many milliseconds (not seconds) from now, moved in the same call. It makes the read a
   * change: it has its place among the other changes of the key, and is applied once.
   */
  readonly ttl?: number;
}

/** Which keys an iteration returns. */
export interface KeysOptions extends CallOptions {
  /** Only keys that start with this. Any text is taken literally, `*` too. */
  readonly startsWith?: string;
  /** At most this many keys; which ones is not defined. */
  readonly limit?: number;
}

/** How a value is written where there may be another one. */
export interface ReplaceOptions extends CallOptions {
  /**
   * Whether to replace a value that is already there. Otherwise nothing is changed then.
   *
   * @default {false}
   */
  readonly replace?: boolean;
}

/** How values are written that had no expiry before. */
export interface ExpiryOptions extends CallOptions {
  /** What is written expires after so many milliseconds (not seconds). Without it, it does not expire. */
  readonly ttl?: number;
}

/** How a whole value is written. */
export interface SetOptions extends CallOptions {
  /** The value expires after so many milliseconds (not seconds). Without `ttl` and `keepTtl` it does not expire. */
  readonly ttl?: number;
  /** Keep the expiry of the value that was there. */
  readonly keepTtl?: boolean;
}

/** How many keys go into one command. */
const MAX_KEYS = 10_000;

/** How many refs are read in one call. */
const MAX_READS = 1000;

/** The methods of a dictionary. Wrong options are thrown before there is a task, other wrong arguments by its first step. */
export class Items {
  readonly #local: Local;

  /**
   * The values of a dictionary.
   *
   * @param local How values are read and written.
   */
  constructor(local: Local) {
    this.#local = local;
  }

  ready(options?: CallOptions): Task<void> {
    return task("ready", options, [], ask("ready", {}));
  }

  // ---- One item ----

  get(key: string, options?: GetOptions): Task<Json | undefined> {
    return task("get", options, ["ttl"], this.#get(key, options?.ttl));
  }

  *#get(key: string, ttl: number | undefined, operation: string = "get"): Steps<Json | undefined> {
    readKey(key);
    const text = ttl === undefined
      ? yield* ask("command", { operation, name: "GET", key })
      : yield* touch(key, ttl, operation);
    return text === null ? undefined : this.#decode(text, operation, key);
  }

  getOrThrow(key: string, options?: GetOptions): Task<Json> {
    return task("getOrThrow", options, ["ttl"], this.#getOrThrow(key, options?.ttl));
  }

  *#getOrThrow(key: string, ttl: number | undefined): Steps<Json> {
    const value = yield* this.#get(key, ttl, "getOrThrow");
    if (value === undefined) throw new KeyNotFoundError({ operation: "getOrThrow", path: [key] });
    return value;
  }

  getMany(keys: Iterable<string>, options?: CallOptions): Task<Map<string, Json>> {
    return task("getMany", options, [], this.#getMany(keys));
  }

  *#getMany(keys: Iterable<string>): Steps<Map<string, Json>> {
    checkKeys("getMany", keys);
    const wanted = [...new Set(keys)];
    wanted.forEach(readKey);
    const found = new Map<string, Json>();
    for (let from = 0; from < wanted.length; from += MAX_KEYS) {
      const page = wanted.slice(from, from + MAX_KEYS);
      const texts = yield* ask("texts", { keys: page, operation: "getMany" });
      page.forEach((key, index) => {
        const text = texts[index];
        if (text !== undefined) found.set(key, this.#decode(text, "getMany", key));
      });
    }
    return found;
  }

  /** Reads places whose paths are known when the first step is made. */
  readMany(paths: () => readonly Path[], options?: CallOptions): Task<(Json | undefined)[]> {
    return task("readMany", options, [], this.#readMany(paths));
  }

  *#readMany(paths: () => readonly Path[]): Steps<(Json | undefined)[]> {
    const values: (Json | undefined)[] = [];
    const wanted = paths();
    for (let from = 0; from < wanted.length; from += MAX_READS) {
      const places = wanted.slice(from, from + MAX_READS);
      const answers = yield* ask("fragments", { places, operation: "readMany" });
      answers.forEach((answer, index) => {
        const path = places[index];
        if (typeof answer === "string") {
          values.push(this.#local.codec.decode(answer, "readMany", path));
        } else if (isMiss(answer)) values.push(undefined);
        else throw toError({ kind: "get", path }, answer, "readMany");
      });
    }
    return values;
  }

  has(key: string, options?: CallOptions): Task<boolean> {
    return task("has", options, [], this.#has(key));
  }

  *#has(key: string): Steps<boolean> {
    const type = yield* ask("command", { operation: "has", name: "TYPE", key: readKey(key) });
    return isString(type, "has", key);
  }

  set(key: string, value: unknown, options?: SetOptions): Task<void> {
    return task("set", options, ["ttl", "keepTtl"], this.#set(key, value, options));
  }

  *#set(key: string, value: unknown, options: SetOptions = {}): Steps<void> {
    const { ttl, keepTtl = false } = options;
    if (ttl !== undefined && keepTtl) {
      throw new TypeError(`Cannot set ${formatPlace([key])}: ttl and keepTtl exclude each other`);
    }
    const expiry = ttl === undefined ? (keepTtl ? {} : { ttl: 0 }) : { ttl: checkTtl(ttl) };
    yield* applyOp({ kind: "set", path: [readKey(key)], value: this.#encode(value, key), ...expiry });
  }

  delete(key: string, options?: CallOptions): Task<boolean> {
    return task("delete", options, [], applied({ kind: "delete", path: [readKey(key)] }));
  }

  pop(key: string, options?: CallOptions): Task<Json | undefined> {
    return task("pop", options, [], this.#pop(key));
  }

  *#pop(key: string): Steps<Json | undefined> {
    const text = yield* applyOp({ kind: "take", path: [readKey(key)] }, "pop");
    return text === "" ? undefined : this.#decode(text, "pop", key);
  }

  popItem(options?: CallOptions): Task<[key: string, value: Json] | undefined> {
    return task("popItem", options, [], this.#popItem());
  }

  *#popItem(): Steps<[key: string, value: Json] | undefined> {
    const item = yield* ask("popItem", {});
    if (item === undefined) return undefined;
    const [key, text] = item;
    return [key, this.#decode(text, "popItem", key)];
  }

  getOrInsert(key: string, value: unknown, options?: ExpiryOptions): Task<Json> {
    return task("getOrInsert", options, ["ttl"], this.#getOrInsert(key, value, options?.ttl));
  }

  *#getOrInsert(key: string, value: unknown, ttl: number | undefined): Steps<Json> {
    const text = this.#encode(value, key);
    const expiry = ttl === undefined ? {} : { ttl };
    const op: Op = { kind: "set", path: [readKey(key)], value: text, when: "absent", ...expiry };
    return this.#decode((yield* applyOp(op, "getOrInsert")) || text, "getOrInsert", key);
  }

  rename(from: string, to: string, options?: ReplaceOptions): Task<boolean> {
    return task("rename", options, ["replace"], move("rename", from, to, options?.replace));
  }

  copy(from: string, to: string, options?: ReplaceOptions): Task<boolean> {
    return task("copy", options, ["replace"], move("copy", from, to, options?.replace));
  }

  // ---- Patches and edits ----

  patch(key: string, operations: readonly PatchOperation[], options?: CallOptions): Task<void> {
    return task("patch", options, [], patch(this.#local, [readKey(key)], operations));
  }

  merge(key: string, value: unknown, options?: CallOptions): Task<void> {
    return task("merge", options, [], merge(this.#local, [readKey(key)], value, false));
  }

  edit<R>(recipe: (draft: never) => R, options: DictEditOptions = {}): Task<R> {
    return task("edit", options, ["ttl", "keys", "attempts"], this.#edit(recipe, options));
  }

  *#edit<R>(recipe: (draft: never) => R, options: DictEditOptions): Steps<R> {
    return yield* edit(this.#local, this.#scope(options), recipe, options);
  }

  explain(recipe: (draft: never) => unknown, options: DictEditOptions = {}): Task<Group> {
    return task("explain", options, ["ttl", "keys", "attempts"], this.#explain(recipe, options));
  }

  *#explain(recipe: (draft: never) => unknown, options: DictEditOptions): Steps<Group> {
    return yield* explain(this.#local, this.#scope(options, "explain"), recipe);
  }

  #scope({ keys, ttl }: DictEditOptions, operation?: string): DictScope {
    return new DictScope(this.#local, keys, ttl, operation);
  }

  // ---- Expiry ----

  ttl(key: string, options?: CallOptions): Task<number | undefined> {
    return task("ttl", options, [], this.#ttl(key));
  }

  *#ttl(key: string): Steps<number | undefined> {
    // PTTL answers for every type.
    const names = ["PTTL", "TYPE"] as const;
    const [left, type] = yield* ask("commands", { operation: "ttl", names, key: readKey(key) });
    isString(type, "ttl", key);
    const ttl = Number(left);
    return ttl === -2 ? undefined : ttl === -1 ? Infinity : ttl;
  }

  expire(key: string, ttl: number, options?: CallOptions): Task<boolean> {
    return task(
      "expire",
      options,
      [],
      applied({ kind: "expire", path: [readKey(key)], ttl: checkTtl(ttl) }),
    );
  }

  persist(key: string, options?: CallOptions): Task<boolean> {
    return task("persist", options, [], applied({ kind: "persist", path: [readKey(key)] }));
  }

  // ---- All items ----

  update(values: object, options?: ExpiryOptions): Task<void> {
    return task("update", options, ["ttl"], this.#update(values, options?.ttl));
  }

  *#update(values: object, ttl: number = 0): Steps<void> {
    if (values === null || typeof values !== "object") {
      throw new TypeError(
        `Cannot update: received ${values === null ? "null" : typeof values}, expected an object`,
      );
    }
    const entries = Symbol.iterator in values
      ? values as Iterable<readonly [string, unknown]>
      : Object.entries(values);
    const ops = new Map<string, Op>();
    for (const [key, value] of entries) {
      ops.set(readKey(key), { kind: "set", path: [key], value: this.#encode(value, key), ttl });
    }
    if (ops.size > MAX_KEYS) {
      throw new RangeError(
        `Cannot update ${ops.size} keys at once: at most ${MAX_KEYS} fit in one atomic call`,
      );
    }
    if (ops.size > 0) yield* ask("applyAll", { group: [...ops.values()], operation: "update" });
  }

  /** All keys at once. */
  keys(options?: KeysOptions): Task<readonly string[]> {
    const { startsWith = "", limit = Infinity } = options ?? {};
    const known: readonly OptionName[] = ["startsWith", "limit"];
    return task("iterate over the keys", options, known, ask("keys", { startsWith, limit }));
  }

  /** All keys with their values at once. */
  entries(operation: string, options?: CallOptions): Task<[key: string, value: Json][]> {
    return task(operation, options, [], this.#entries(operation));
  }

  *#entries(operation: string): Steps<[key: string, value: Json][]> {
    const items = yield* ask("all", { operation });
    return items.map(([key, text]) => [key, this.#decode(text, operation, key)]);
  }

  toObject(options?: CallOptions): Task<{ [key: string]: Json }> {
    return task("toObject", options, [], this.#toObject());
  }

  *#toObject(): Steps<{ [key: string]: Json }> {
    return Object.fromEntries(yield* this.#entries("toObject"));
  }

  size(options?: CallOptions): Task<number> {
    return task("size", options, [], ask("count", { operation: "size" }));
  }

  clear(options?: CallOptions): Task<number> {
    return task("clear", options, [], ask("clear", {}));
  }

  #encode(value: unknown, key: string): string {
    return this.#local.codec.encode(value, [key]);
  }

  #decode(text: string, operation: string, key: string): Json {
    return this.#local.codec.decode(text, operation, [key]);
  }
}

function task<R>(
  operation: string,
  options: CallOptions | undefined,
  names: readonly OptionName[],
  steps: Steps<R>,
): Task<R> {
  checkOptions(operation, options, [...names, "timeout", "signal"]);
  return { options, steps };
}

/**
 * Reads the places of refs.
 *
 * @param refs What the caller gave.
 * @param pathOf The path of a ref of this dictionary; nothing for anything else.
 * @returns Their paths.
 * @throws {TypeError} If one of them is no ref of this dictionary.
 */
export function readRefs(
  refs: Iterable<unknown>,
  pathOf: (ref: unknown) => Path | undefined,
): readonly Path[] {
  if (refs === null || typeof refs !== "object" || !(Symbol.iterator in refs)) {
    throw new TypeError(`Cannot readMany: received ${nameOf(refs)}, expected an array of refs`);
  }
  return [...refs].map((ref, index) => {
    const path = pathOf(ref);
    if (path !== undefined) return path;
    throw new TypeError(
      `Cannot readMany: element ${index} is no ref of this dictionary; make it with its method at(...)`,
    );
  });
}

/** Whether a key holds a value, by its Redis type. */
function isString(type: unknown, operation: string, key: string): boolean {
  if (type === "string") return true;
  if (type === "none") return false;
  throw new WrongTypeError({ operation, path: [key], found: String(type) });
}

/**
 * Reads a whole value and moves its expiry. GETEX would do the same without a record, but a copy of it that arrives late
 * could set an expiry that a later `persist` has removed.
 */
function* touch(key: string, ttl: number, operation: string): Steps<string | null> {
  const path = [key];
  const group: Group = Object.freeze([
    { kind: "exists", path },
    { kind: "set", path, value: "null", when: "absent" }, // it is there, so nothing is written, and its text returned
    { kind: "expire", path, ttl },
  ]);
  const outcome = yield* ask("apply", { group, operation });
  if ("results" in outcome) return outcome.results[1];
  if (outcome.refusal.code === "TEST") return null;
  throw toError({ kind: "get", path }, outcome.refusal, operation);
}

/** Gives a value another key, or one more. */
function* move(
  operation: "rename" | "copy",
  from: string,
  to: string,
  replace: boolean = false,
): Steps<boolean> {
  const [source, target] = [[readKey(from)], [readKey(to)]];
  const ops: Op[] = [{ kind: "pick", path: source }];
  if (!replace) ops.push({ kind: "absent", path: target });
  if (from !== to) ops.push({ kind: "put", path: target });
  if (from !== to && operation === "rename") ops.push({ kind: "delete", path: source });
  const outcome = yield* ask("apply", { group: Object.freeze(ops), operation });
  if ("results" in outcome) return true;
  const { refusal } = outcome;
  if (refusal.code === "TEST") return false;
  throw toError(ops[refusal.index], refusal, operation);
}
