/**
 * Places: what can be done at one place inside a value, as tasks.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import { encodeName } from "../data/encoder.ts";
import type { Json } from "../data/json.ts";
import type { Group, Op } from "../data/op.ts";
import { formatPlace, nameOf, type Path } from "../data/path.ts";
import type { CallOptions } from "../run/cancellation.ts";
import { checkOptions, type OptionName } from "../run/option.ts";
import { ask, type Steps } from "../store/request.ts";
import { edit, type EditOptions, explain, FragmentScope, type Local } from "./edit.ts";
import { merge, patch, type PatchOperation } from "./patch.ts";
import { applied, applyOp, findOp, readOp, type Task } from "./task.ts";

/** How a write treats missing parents. */
export interface WriteOptions extends CallOptions {
  /**
   * Create what is missing on the way: objects, or an array where the next segment is the integer 0.
   *
   * It never replaces a value. Ops that need something to work on get it too: `push` an empty array, `increment`
   * a 0, `append` an empty string.
   *
   * @default {false}
   */
  readonly parents?: boolean;
}

/** How `compareAndSet` writes. */
export interface CompareOptions extends CallOptions {
  /**
   * For whole values only: the new value expires after so many milliseconds (not seconds). Without it, the expiry of the
   * key stays.
   */
  readonly ttl?: number;
}

/** The methods of a ref. Wrong arguments are thrown before there is a task. */
export class Place {
  readonly path: Path;
  readonly #local: Local;
  readonly #parents: boolean;
  readonly #call: CallOptions;

  /**
   * A place.
   *
   * @param local How values are read and written.
   * @param path Where it is.
   * @param parents Whether writes create what is missing on their way.
   * @param call What calls take that do not say it themselves.
   */
  constructor(local: Local, path: Path, parents: boolean, call: CallOptions) {
    this.path = path;
    this.#local = local;
    this.#parents = parents;
    this.#call = call;
  }

  /** A place inside of it. */
  inside(segments: Path): Place {
    return new Place(this.#local, Object.freeze([...this.path, ...segments]), this.#parents, this.#call);
  }

  /** The same place for writes that create what is missing on their way. */
  parents(): Place {
    return new Place(this.#local, this.path, true, this.#call);
  }

  /** The same place for calls that take other options. */
  with(options: CallOptions): Place {
    checkOptions("make a ref", options, ["timeout", "signal"]);
    const { signal, timeout } = options;
    return new Place(this.#local, this.path, this.#parents, { signal, timeout });
  }

  // ---- Reads ----

  get(options?: CallOptions): Task<Json | undefined> {
    return this.#task("get", options, [], this.#get());
  }

  *#get(): Steps<Json | undefined> {
    const text = yield* findOp({ kind: "get", path: this.path });
    return text === undefined ? undefined : this.#decode(text, "get");
  }

  getOrThrow(options?: CallOptions): Task<Json> {
    return this.#task("getOrThrow", options, [], this.#getOrThrow());
  }

  *#getOrThrow(): Steps<Json> {
    return this.#decode(yield* readOp({ kind: "get", path: this.path }, "getOrThrow"), "getOrThrow");
  }

  exists(options?: CallOptions): Task<boolean> {
    return this.#task("exists", options, [], this.#exists());
  }

  *#exists(): Steps<boolean> {
    return (yield* readOp({ kind: "exists", path: this.path })) === "true";
  }

  type(options?: CallOptions): Task<string | undefined> {
    return this.#task("type", options, [], findOp({ kind: "type", path: this.path }));
  }

  length(options?: CallOptions): Task<number | undefined> {
    return this.#task("length", options, [], this.#length());
  }

  *#length(): Steps<number | undefined> {
    const text = yield* findOp({ kind: "length", path: this.path });
    return text === undefined ? undefined : Number(text);
  }

  keys(options?: CallOptions): Task<string[] | undefined> {
    return this.#task("keys", options, [], this.#keys());
  }

  *#keys(): Steps<string[] | undefined> {
    const text = yield* findOp({ kind: "keys", path: this.path });
    return text === undefined ? undefined : this.#decode(text, "keys") as string[];
  }

  // ---- Changes ----

  set(value: unknown, options?: WriteOptions): Task<void> {
    return this.#task("set", options, ["parents"], this.#set(value, options));
  }

  *#set(value: unknown, options: WriteOptions | undefined): Steps<void> {
    const creating = this.#creating(options);
    yield* applyOp({ kind: "set", path: this.path, value: this.#encode(value), ...creating });
  }

  delete(options?: CallOptions): Task<boolean> {
    return this.#task("delete", options, [], applied({ kind: "delete", path: this.path }));
  }

  getOrInsert(value: unknown, options?: WriteOptions): Task<Json> {
    return this.#task("getOrInsert", options, ["parents"], this.#getOrInsert(value, options));
  }

  *#getOrInsert(value: unknown, options: WriteOptions | undefined): Steps<Json> {
    const text = this.#encode(value);
    const creating = this.#creating(options);
    const op: Op = { kind: "set", path: this.path, value: text, when: "absent", ...creating };
    return this.#decode((yield* applyOp(op, "getOrInsert")) || text, "getOrInsert");
  }

  compareAndSet(expected: unknown, next: unknown, options?: CompareOptions): Task<boolean> {
    return this.#task("compareAndSet", options, ["ttl"], this.#compareAndSet(expected, next, options?.ttl));
  }

  *#compareAndSet(expected: unknown, next: unknown, ttl: number | undefined): Steps<boolean> {
    const { path } = this;
    if (ttl !== undefined && path.length > 1) {
      throw new TypeError(
        `Cannot compareAndSet ${
          formatPlace(path)
        } with a ttl: only whole values expire; use expire(key, ttl)`,
      );
    }
    const guard: Op = expected === undefined
      ? { kind: "absent", path }
      : { kind: "test", path, value: this.#encode(expected) };
    const parents = this.#parents;
    const expiry = ttl === undefined ? {} : { ttl };
    const change: Op = { kind: "set", path, value: this.#encode(next), parents, ...expiry };
    const group: Group = Object.freeze([guard, change]);
    const outcome = yield* ask("apply", { group, operation: "compareAndSet" });
    if ("results" in outcome) return true;
    if (outcome.refusal.code === "TEST") return false;
    throw toError(group[outcome.refusal.index], outcome.refusal, "compareAndSet");
  }

  increment(by: unknown = 1, options?: WriteOptions): Task<Json> {
    return this.#task("increment", options, ["parents"], this.#increment(by, options));
  }

  *#increment(by: unknown, options: WriteOptions | undefined): Steps<Json> {
    const { path } = this;
    const { bigints } = this.#local.settings;
    if (typeof by !== "number" && !(bigints && typeof by === "bigint")) {
      const what = typeof by === "bigint"
        ? "a bigint needs the option bigints of the dictionary"
        : "it is no number";
      throw new TypeError(`Cannot increment ${formatPlace(path)} by ${nameOf(by)}: ${what}`);
    }
    if (typeof by === "number" && !Number.isFinite(by)) {
      throw new RangeError(`Cannot increment ${formatPlace(path)} by ${by}: it is not finite`);
    }
    const creating = this.#creating(options);
    const op: Op = { kind: "increment", path, by: this.#encode(by), exact: bigints, ...creating };
    return this.#decode(yield* applyOp(op), "increment");
  }

  toggle(options?: CallOptions): Task<boolean> {
    return this.#task("toggle", options, [], applied({ kind: "toggle", path: this.path }));
  }

  append(text: unknown, options?: WriteOptions): Task<number> {
    return this.#task("append", options, ["parents"], this.#append(text, options));
  }

  *#append(text: unknown, options: WriteOptions | undefined): Steps<number> {
    const { path } = this;
    if (typeof text !== "string") {
      throw new TypeError(
        `Cannot append to ${formatPlace(path)}: received ${typeof text}, expected a string`,
      );
    }
    const creating = this.#creating(options);
    return Number(yield* applyOp({ kind: "append", path, text: encodeName(text), ...creating }));
  }

  push(...items: readonly unknown[]): Task<number> {
    return this.#task("push", undefined, [], this.#add("push", items));
  }

  unshift(...items: readonly unknown[]): Task<number> {
    return this.#task("unshift", undefined, [], this.#add("unshift", items));
  }

  *#add(kind: "push" | "unshift", items: readonly unknown[]): Steps<number> {
    return Number(yield* applyOp({ kind, ...this.#adding(items) }));
  }

  pop(options?: CallOptions): Task<Json | undefined> {
    return this.#task("pop", options, [], this.#remove("pop"));
  }

  shift(options?: CallOptions): Task<Json | undefined> {
    return this.#task("shift", options, [], this.#remove("shift"));
  }

  *#remove(kind: "pop" | "shift"): Steps<Json | undefined> {
    const text = yield* applyOp({ kind, path: this.path });
    return text === "" ? undefined : this.#decode(text, kind);
  }

  splice(...args: readonly unknown[]): Task<Json[]> {
    return this.#task("splice", undefined, [], this.#splice(args));
  }

  *#splice(args: readonly unknown[]): Steps<Json[]> {
    const [first, second = args.length > 1 ? 0 : Infinity, ...items] = args; // as Array counts arguments
    const start = this.#index("start", first);
    const deleteCount = this.#index("deleteCount", second);
    const text = yield* applyOp({ kind: "splice", start, deleteCount, ...this.#adding(items) });
    return this.#decode(text, "splice") as Json[];
  }

  edit<R>(recipe: (draft: never) => R, options: EditOptions = {}): Task<R> {
    const scope = new FragmentScope(this.#local, this.path);
    return this.#task("edit", options, ["attempts"], edit(this.#local, scope, recipe, this.#merge(options)));
  }

  explain(recipe: (draft: never) => unknown, options?: CallOptions): Task<Group> {
    const steps = explain(this.#local, new FragmentScope(this.#local, this.path, "explain"), recipe);
    return this.#task("explain", options, [], steps);
  }

  patch(operations: readonly PatchOperation[], options?: CallOptions): Task<void> {
    return this.#task("patch", options, [], patch(this.#local, this.path, operations));
  }

  merge(value: unknown, options?: CallOptions): Task<void> {
    return this.#task("merge", options, [], merge(this.#local, this.path, value, this.#parents));
  }

  // ---- Arguments ----

  /** What may end a call of another method, checked. */
  callOf(
    operation: string,
    options: CallOptions | undefined,
    names: readonly OptionName[] = [],
  ): CallOptions {
    checkOptions(operation, options, ["timeout", "signal", ...names]);
    return this.#merge(options);
  }

  #task<R>(
    operation: string,
    options: CallOptions | undefined,
    names: readonly OptionName[],
    steps: Steps<R>,
  ): Task<R> {
    checkOptions(operation, options, [...names, "timeout", "signal"]);
    return { options: this.#merge(options), steps };
  }

  /** The options of a call, before those of the ref. */
  #merge<O extends CallOptions>(options: O | undefined): O {
    if (options === undefined) return this.#call as O;
    const { signal, timeout } = this.#call;
    return { ...options, signal: options?.signal ?? signal, timeout: options?.timeout ?? timeout } as O;
  }

  #encode(value: unknown): string {
    return this.#local.codec.encode(value, this.path);
  }

  #decode(text: string, operation: string): Json {
    return this.#local.codec.decode(text, operation, this.path);
  }

  #creating(options: WriteOptions | undefined): { readonly parents?: boolean } {
    return this.#parents || options?.parents === true ? { parents: true } : {};
  }

  #adding(items: readonly unknown[]): { path: Path; items: readonly string[]; parents?: boolean } {
    const texts = Object.freeze(
      items.map((item, index) => this.#local.codec.encode(item, [...this.path, index])),
    );
    return { path: this.path, items: texts, ...this.#parents ? { parents: true } : {} };
  }

  #index(name: string, value: unknown): number {
    if (Number.isInteger(value)) return value as number;
    if (value === Infinity) return Number.MAX_SAFE_INTEGER;
    if (value === -Infinity) return -Number.MAX_SAFE_INTEGER;
    throw new RangeError(
      `Cannot splice ${formatPlace(this.path)}: ${name} is ${String(value)}, expected an integer`,
    );
  }
}
