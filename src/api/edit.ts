/**
 * Edits: a recipe that changes values as if they were plain objects, run until nobody was in its way.
 *
 * @module
 */

import { type Outcome, type Refusal, toError } from "../call/answer.ts";
import { draftDictionary, draftFragment, type DraftRoot } from "../draft/draft.ts";
import { AmbiguousResultError, DurabilityError, TimeoutError } from "../errors/delivery.ts";
import { ConflictError } from "../errors/edit.ts";
import { CorruptValueError, TypeMismatchError } from "../errors/value.ts";
import type { Fragment } from "../data/fragment.ts";
import type { Group, Op } from "../data/op.ts";
import { nameOf, type Path, readKey } from "../data/path.ts";
import { disarmPromises, toPlain } from "../draft/returned.ts";
import { draftOf, isContainer } from "../draft/proxy.ts";
import { Session } from "../draft/session.ts";
import type { CallOptions } from "../run/cancellation.ts";
import { ask, type Steps } from "../store/request.ts";
import type { Store } from "../store/store.ts";

/** How an edit works. */
export interface EditOptions extends CallOptions {
  /**
   * How often the recipe may run while others change what it reads; then the edit fails with a `ConflictError`.
   * Runs that only find out what to read, and those for another edit of this dictionary, do not count. Without it, the
   * recipe runs until the `timeout` of the dictionary is over.
   */
  readonly attempts?: number;
}

/** How an edit of the dictionary works. */
export interface DictEditOptions extends EditOptions {
  /**
   * Keys that the recipe is going to read. They are all read at once; without them, one round trip more for each key
   * that the recipe reads after the first.
   */
  readonly keys?: Iterable<string>;
  /** The keys that the edit creates expire after so many milliseconds (not seconds); the expiry of others stays. */
  readonly ttl?: number;
}

/**
 * What a recipe returns: anything but a promise. A type that is not known yet, as in generic code, passes.
 *
 * @typeParam R What it returns.
 */
export type Synchronous<R> =
  & R
  & {
    readonly yes: unknown;
    readonly [no: number]: NotSynchronous<"a recipe must be synchronous: await before the edit">;
  }[IsSynchronous<R>];

/**
 * `"yes"` for what is no promise, else `any`, as in {@linkcode HoldsJson}.
 *
 * @typeParam R What a recipe returns.
 */
export type IsSynchronous<R> = 0 extends 1 & R ? "yes" // any
  : [Extract<R, PromiseLike<unknown>>] extends [never] ? "yes"
  // deno-lint-ignore no-explicit-any -- see HoldsJson
  : any;

/**
 * What the compiler names where a recipe is asynchronous. No value has this type.
 *
 * @typeParam Reason What to do.
 */
export interface NotSynchronous<Reason extends string> {
  /** Only for the compiler; it has no value. */
  readonly "~reason": Reason;
}

/** How many keys an edit may touch. */
const MAX_EDIT_KEYS = 1000;

/** How values are read and written, without asking anybody. */
export type Local = Pick<Store, "settings" | "codec">;

/** What a recipe works on: where its values come from. */
export interface Scope {
  /** The method that the caller used. */
  readonly operation: string;
  /** The keys that are known before the recipe runs. */
  readonly keys: readonly string[];
  /** Whether a run without values finds more keys. */
  readonly isOpen: boolean;
  /** What is read. */
  readonly places: readonly Path[];
  /** Of a dictionary, reads the value of one key more. */
  want(key: string): void;
  /** Takes what is at the places. */
  take(answers: readonly (string | Refusal)[]): void;
  /** Drafts what was taken. */
  draft(session: Session): DraftRoot;
  /** How long the keys live that an edit creates, in milliseconds. */
  readonly ttl?: number;
}

/** The whole dictionary; values are read when the recipe asks for them. */
export class DictScope implements Scope {
  readonly keys: readonly string[];
  readonly isOpen: boolean = true;
  readonly #local: Local;
  /** The keys that are read. */
  readonly #wanted: Set<string>;
  #fetched: ReadonlyMap<string, Fragment | undefined> = new Map();

  readonly ttl?: number;
  readonly operation: string;

  /**
   * All values of a dictionary.
   *
   * @param keys What is read at first.
   * @param ttl How long the keys live that an edit creates, in milliseconds.
   * @param operation The method that the caller used.
   */
  constructor(local: Local, keys: Iterable<string> = [], ttl?: number, operation: string = "edit") {
    this.#local = local;
    this.operation = operation;
    this.ttl = ttl;
    this.keys = [...new Set([...keys].map(readKey))];
    this.#wanted = new Set(this.keys);
  }

  get places(): readonly Path[] {
    return [...this.#wanted].map((key) => [key]);
  }

  want(key: string): void {
    this.#wanted.add(key);
  }

  take(answers: readonly (string | Refusal)[]): void {
    this.#fetched = new Map([...this.#wanted].map((key, index) => {
      const answer = answers[index];
      if (typeof answer === "string") return [key, this.#local.codec.fragment(answer, this.operation, [key])];
      if (answer.code === "NO_KEY") return [key, undefined];
      throw toError({ kind: "get", path: [key] }, answer, this.operation);
    }));
  }

  draft(session: Session): DraftRoot {
    return draftDictionary(session, this.#fetched);
  }
}

/** One object or array. */
export class FragmentScope implements Scope {
  readonly path: Path;
  readonly keys: readonly string[];
  readonly isOpen: boolean = false;
  readonly places: readonly Path[];
  readonly operation: string;
  readonly #local: Local;
  #fragment: Fragment | undefined;

  /**
   * @param path Where it is.
   * @param operation The method that the caller used.
   */
  constructor(local: Local, path: Path, operation: string = "edit") {
    this.#local = local;
    this.operation = operation;
    this.path = path;
    this.keys = [String(path[0])];
    this.places = [path];
  }

  want(): void {}

  take([answer]: readonly (string | Refusal)[]): void {
    if (typeof answer !== "string") throw toError({ kind: "get", path: this.path }, answer, this.operation);
    this.#fragment = readContainer(this.#local, answer, this.operation, this.path);
  }

  draft(session: Session): DraftRoot {
    return draftFragment(session, this.#fragment!, this.path);
  }
}

/**
 * Reads the text of an object or an array.
 *
 * @throws {TypeMismatchError} If it is something else.
 * @throws {CorruptValueError} If it is not JSON.
 */
export function readContainer(local: Local, text: string, operation: string, path: Path): Fragment {
  const fragment = local.codec.fragment(text, operation, path);
  const { value } = fragment;
  if (isContainer(value)) return fragment;
  const found = value === null
    ? "null"
    : typeof value === "bigint"
    ? "number"
    : typeof value as "string" | "number" | "boolean";
  throw new TypeMismatchError({ operation, path, at: path.length, expected: ["object", "array"], found });
}

/** What one run of a recipe has come to. */
interface Run<R> {
  /** The keys that it has changed or wants to read. */
  readonly keys: readonly string[];
  /** The key whose value it needs and has not. */
  readonly missing?: string;
  /** How it ended: nothing where a value was missing. */
  readonly end?: { readonly value: R } | { readonly error: unknown };
  /** What must still be so for that to be true. */
  readonly guards: Group;
  /** What it did. */
  readonly ops: Group;
}

/**
 * Edits. The first request takes the place of the edit among the calls of the dictionary, at the keys that are known by
 * then: those of the scope, and those that the recipe touches up to the first value that it reads.
 *
 * @param local How values are read and written.
 * @param scope What the recipe works on.
 * @param recipe Changes the draft that it is given.
 * @param options How often it may run.
 * @returns Steps to what the recipe returned, as plain data.
 */
export function* edit<R>(
  local: Local,
  scope: Scope,
  recipe: (draft: never) => R,
  options: EditOptions,
): Steps<R> {
  const { attempts = Infinity, timeout = local.settings.timeout } = options;
  if (attempts !== Infinity && (!Number.isInteger(attempts) || attempts < 1)) {
    throw new RangeError(`Cannot edit: attempts is ${String(attempts)}, expected a positive integer`);
  }
  checkRecipe(scope, recipe);
  let keys = scope.keys;
  if (scope.isOpen) {
    const first = run(local, scope, recipe);
    // It read nothing, so it would do the same whatever the values are.
    if (first.end) return yield* applyBlind(first.end, first.ops);
    keys = [...new Set([...keys, ...first.keys])];
    scope.want(first.missing!);
  }
  checkCount(keys);
  const number = yield* ask("join", { keys, places: scope.places });
  try {
    return yield* new Edit(local, scope, number, keys, attempts, timeout).run(recipe);
  } finally {
    yield* ask("leave", { edit: number });
  }
}

function* applyBlind<R>(end: NonNullable<Run<R>["end"]>, ops: Group): Steps<R> {
  if (!("error" in end) && ops.length > 0) {
    const outcome = yield* ask("apply", { group: ops, operation: "edit" });
    if ("refusal" in outcome) throw toError(ops[outcome.refusal.index], outcome.refusal, "edit");
  }
  return finish(end);
}

function finish<R>(end: NonNullable<Run<R>["end"]>): R {
  if ("error" in end) throw end.error;
  return end.value;
}

/** An edit that has its place among the calls of the dictionary. */
class Edit {
  readonly #local: Local;
  readonly #scope: Scope;
  readonly #number: number;
  readonly #attempts: number;
  readonly #timeout: number;
  /** From when on it gives up where others are in its way: it has its turn since `timeout` ms then. */
  #endsAt: number | undefined;
  /** The keys at which it has its place. */
  #keys: readonly string[];
  /** Where others were in the way. */
  readonly #conflicts: Map<string, Path> = new Map();
  #attempt: number = 0;

  constructor(
    local: Local,
    scope: Scope,
    number: number,
    keys: readonly string[],
    attempts: number,
    timeout: number,
  ) {
    this.#local = local;
    this.#scope = scope;
    this.#number = number;
    this.#keys = keys;
    this.#attempts = attempts;
    this.#timeout = timeout;
  }

  /** Runs the recipe, and applies what it did, until nobody was in its way. */
  *run<R>(recipe: (draft: never) => R): Steps<R> {
    const scope = this.#scope;
    while (true) {
      const { places } = scope;
      const { answers, isCertain } = yield* ask("look", { edit: this.#number, places });
      this.#endsAt ??= performance.now() + this.#timeout;
      scope.take(answers);
      const { keys, missing, end, guards, ops } = run(this.#local, scope, recipe);
      if (missing !== undefined) scope.want(missing);
      const isHeld = yield* this.#hold(keys);
      if (!isHeld || !end) continue;
      const isChange = ops.length > 0 && !("error" in end);
      // What was only read, and is certain, was there at one moment: there is nothing to ask for.
      if (!isChange && (isCertain || guards.length === 0)) return finish(end);
      const group = Object.freeze([...guards, ...isChange ? ops : []]);
      const outcome = yield* this.#commit(group, isChange);
      if ("results" in outcome) return finish(end);
      const { refusal } = outcome;
      if (refusal.code === "AFTER") continue; // it saw what another edit could not do
      if (refusal.index >= guards.length && !CONFLICTS.has(refusal.code)) {
        throw toError(group[refusal.index], refusal, "edit");
      }
      places.forEach((path, index) => {
        const [before, after] = [answers[index], outcome.fresh[index]];
        if (typeof before !== "string" || typeof after !== "string") return;
        const error = unreadable(path, before, after);
        if (error) throw error;
      });
      this.#collide(group[refusal.index].path);
    }
  }

  *#commit(group: Group, isChange: boolean): Steps<Outcome> {
    try {
      return yield* ask("commit", { edit: this.#number, group });
    } catch (error) {
      if (isChange) throw error;
      // It was to change nothing, so there is nothing that replicas could lack, or that could have been changed.
      if (error instanceof DurabilityError) return { results: [] };
      if (!(error instanceof AmbiguousResultError)) throw error;
      const { path, cause } = error;
      throw new TimeoutError({ operation: "edit", path, timeout: this.#timeout, cause });
    }
  }

  /** Somebody was in the way. */
  #collide(path: Path): void {
    this.#conflicts.set(JSON.stringify(path), path);
    this.#attempt++;
    if (this.#attempt < this.#attempts && performance.now() < this.#endsAt!) return;
    const paths = Object.freeze([...this.#conflicts.values()]);
    throw new ConflictError({ operation: "edit", path: paths[0], paths, attempts: this.#attempt });
  }

  /** Takes its place at keys that nobody knew of. Returns whether it still has the turn. */
  *#hold(keys: readonly string[]): Steps<boolean> {
    const late = keys.filter((key) => !this.#keys.includes(key));
    if (late.length === 0) return true;
    this.#keys = [...this.#keys, ...new Set(late)];
    checkCount(this.#keys);
    return yield* ask("extend", { edit: this.#number, keys: this.#keys, places: this.#scope.places });
  }
}

/**
 * Reports what an edit would send now, and sends nothing but what it reads.
 *
 * @returns Steps to the guards and the ops.
 */
export function* explain(local: Local, scope: Scope, recipe: (draft: never) => unknown): Steps<Group> {
  checkRecipe(scope, recipe);
  while (true) {
    const { places } = scope;
    if (places.length > 0) scope.take(yield* ask("readAll", { places, operation: scope.operation }));
    const { missing, end, guards, ops } = run(local, scope, recipe);
    if (missing !== undefined) scope.want(missing);
    if (!end) continue;
    finish(end);
    return ops.length === 0
      ? Object.freeze([])
      : yield* ask("shorten", { group: Object.freeze([...guards, ...ops]) });
  }
}

/** Refusals of ops that come of what others did: the recipe would see it, too. */
const CONFLICTS: ReadonlySet<string> = new Set(["NO_KEY", "NOT_FOUND", "TYPE", "RANGE"]);

/** Runs the recipe on what was read. */
function run<R>(local: Local, scope: Scope, recipe: (draft: never) => R): Run<R> {
  const session = new Session(local.settings);
  const root = scope.draft(session);
  let isAsync = false;
  try {
    const returned = recipe(root.draft as never);
    isAsync = returnsPromise(returned);
    if (!isAsync && session.missing === undefined) {
      session.refuseChanges(() =>
        new TypeError(
          "Cannot change the draft: its recipe is over, and its changes are being written; change it in the recipe",
        )
      );
      const keys = session.changed;
      const ops = expiring(session.takeOps(), scope.ttl);
      const value = toPlain(returned, local.settings) as R;
      // case: a getter or a toJSON has read what is not there yet, and has caught what stops the recipe then.
      if (session.missing === undefined) return { keys, end: { value }, guards: root.guards(), ops };
    }
  } catch (error) {
    if (session.missing === undefined) {
      return { keys: [], end: { error }, guards: root.guards(), ops: [] };
    }
  } finally {
    session.end(() =>
      new TypeError("Cannot use the draft: its edit is over; return what is needed later from the recipe")
    );
  }
  if (isAsync) {
    throw new TypeError(
      "Cannot edit: the recipe returned a promise; it must be synchronous, so await before it",
    );
  }
  const { missing } = session;
  return {
    keys: [...session.changed, ...missing === undefined ? [] : [missing]],
    missing,
    guards: [],
    ops: [],
  };
}

/** Lets the keys expire that ops create. */
function expiring(ops: Group, ttl: number | undefined): Group {
  if (ttl === undefined) return ops;
  return ops.flatMap((op): Op[] => {
    if (op.kind !== "set" || op.path.length > 1) return [op];
    // Only the server knows whether the key is there. If it is, it keeps its expiry in the write that follows.
    return [Object.freeze({ kind: "set", path: op.path, value: "null", when: "absent", ttl }), op];
  });
}

function checkRecipe({ operation }: Scope, recipe: unknown): void {
  if (typeof recipe === "function") return;
  throw new TypeError(
    `Cannot ${operation}: received ${nameOf(recipe)}, expected a function that changes the draft`,
  );
}

function checkCount(keys: readonly string[]): void {
  if (keys.length <= MAX_EDIT_KEYS) return;
  throw new RangeError(`Cannot edit: the recipe uses more than ${MAX_EDIT_KEYS} keys`);
}

/** Whether a recipe is asynchronous. Checked in every run: the promise also rejects where a value is missing. */
function returnsPromise(returned: unknown): boolean {
  if (typeof returned !== "object" || returned === null || draftOf(returned)) return false;
  return disarmPromises(returned) || ("then" in returned && typeof returned.then === "function");
}

/**
 * The reason why a guard can never hold, if that is why it was refused.
 *
 * Bytes that are no UTF-8 are read as U+FFFD, so that the text that was read is not the text in Redis. Nobody has
 * changed anything then, and to run the recipe again is of no use.
 *
 * @param path The key, or the fragment, that was read.
 * @param read Its text as the recipe saw it.
 * @param fresh Its text as the call that was refused has read it.
 * @returns The error; `undefined` if somebody did change it.
 */
export function unreadable(path: Path, read: string, fresh: string): CorruptValueError | undefined {
  if (read !== fresh || !read.includes("\ufffd")) return undefined;
  const cause = new TypeError("it holds bytes that are not UTF-8");
  return new CorruptValueError({ operation: "edit", path, text: read, cause });
}
