/**
 * Edits: a recipe that changes values as if they were plain objects, run until nobody was in its way.
 *
 * @module
 */

import { type Refusal, toError } from "./call.ts";
import { draftDictionary, draftFragment, type DraftRoot } from "./draft.ts";
import { ConflictError, CorruptValueError, TypeMismatchError } from "./errors.ts";
import type { Fragment } from "./fragment.ts";
import type { Group, Op } from "./op.ts";
import { type Path, readKey } from "./path.ts";
import { disarmPromises, draftOf, isContainer, Session } from "./session.ts";
import type { Store } from "./store.ts";

/** How an edit works. */
export interface EditOptions {
  /**
   * How often the recipe may run while others change what it reads; then the edit fails with a `ConflictError`.
   * Runs that only find out what to read do not count.
   *
   * @default {100}
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
}

const DEFAULT_ATTEMPTS = 100;
/** The longest pause between two runs, in milliseconds; the first of them comes at once. */
const MAX_PAUSE = 16;
/** Longer texts are compared by their SHA-1. */
const MAX_GUARD_LENGTH = 128;
/** How many keys an edit may touch. */
const MAX_EDIT_KEYS = 1000;

/** What a recipe works on: where its values come from. */
export interface Scope {
  /** Reads what is there, and of the dictionary one key more. */
  fetch(missing?: string): Promise<void>;
  /** Drafts what was read. */
  draft(session: Session): DraftRoot;
  /** What a failed commit is asked for. */
  readonly places: readonly Path[];
  /** Takes what a failed commit has told of these. */
  renew(answers: readonly (string | Refusal)[]): void;
}

/** The whole dictionary; values are read when the recipe asks for them. */
export class DictScope implements Scope {
  readonly #store: Store;
  #fetched: Map<string, Fragment | undefined> = new Map();

  /** @param keys What is read at first. */
  constructor(store: Store, keys: Iterable<string> = []) {
    this.#store = store;
    for (const key of keys) this.#fetched.set(readKey(key), undefined);
  }

  get places(): readonly Path[] {
    return [...this.#fetched.keys()].map((key) => [key]);
  }

  async fetch(missing?: string): Promise<void> {
    const keys = [...this.#fetched.keys()];
    if (missing !== undefined) keys.push(missing);
    if (keys.length > MAX_EDIT_KEYS) {
      throw new RangeError(`Cannot edit: the recipe reads more than ${MAX_EDIT_KEYS} keys`);
    }
    this.#store.checkSlots(keys, "edit");
    // All of them again: the recipe must see the values of one moment.
    this.#take(keys, await this.#store.texts(keys, "edit"));
  }

  draft(session: Session): DraftRoot {
    return draftDictionary(session, this.#fetched);
  }

  renew(answers: readonly (string | Refusal)[]): void {
    const keys = [...this.#fetched.keys()];
    const texts = answers.map((answer, index) => {
      if (typeof answer === "string") return answer;
      if (answer.code === "NO_KEY") return undefined;
      throw toError({ kind: "get", path: [keys[index]] }, answer, "edit");
    });
    this.#take(keys, texts);
  }

  #take(keys: readonly string[], texts: readonly (string | undefined)[]): void {
    this.#fetched = new Map(keys.map((key, index) => {
      const text = texts[index];
      return [key, text === undefined ? undefined : this.#store.fragment(text, "edit", [key])];
    }));
  }
}

/** One object or array. */
export class FragmentScope implements Scope {
  readonly path: Path;
  readonly #store: Store;
  #fragment: Fragment | undefined;

  /** @param path Where it is. */
  constructor(store: Store, path: Path) {
    this.#store = store;
    this.path = path;
  }

  get places(): readonly Path[] {
    return [this.path];
  }

  async fetch(): Promise<void> {
    this.#take(await this.#store.read({ kind: "get", path: this.path }, "edit"));
  }

  draft(session: Session): DraftRoot {
    return draftFragment(session, this.#fragment!, this.path);
  }

  renew([answer]: readonly (string | Refusal)[]): void {
    if (typeof answer === "string") this.#take(answer);
    else throw toError({ kind: "get", path: this.path }, answer, "edit"); // it is gone
  }

  #take(text: string): void {
    this.#fragment = readContainer(this.#store, text, "edit", this.path);
  }
}

/**
 * Reads the text of an object or an array.
 *
 * @throws {TypeMismatchError} If it is something else.
 * @throws {CorruptValueError} If it is not JSON.
 */
export function readContainer(store: Store, text: string, operation: string, path: Path): Fragment {
  const fragment = store.fragment(text, operation, path);
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
  readonly value: R;
  readonly guards: Group;
  readonly ops: Group;
}

/**
 * Edits.
 *
 * @param store Where the values are.
 * @param scope What the recipe works on.
 * @param recipe Changes the draft that it is given.
 * @param options How often it may run.
 * @returns What the recipe returned, as plain data.
 */
export async function edit<R>(
  store: Store,
  scope: Scope,
  recipe: (draft: never) => R,
  options: EditOptions,
): Promise<R> {
  const { attempts = DEFAULT_ATTEMPTS } = options;
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new RangeError(`Cannot edit: attempts is ${String(attempts)}, expected a positive integer`);
  }
  const conflicts = new Map<string, Path>();
  await begin(scope);
  for (let attempt = 1;; attempt++) {
    const { value, guards, ops } = await run(store, scope, recipe);
    // What was only read was there at one moment, so there is nothing to ask for.
    if (ops.length === 0) return value;
    const fresh = scope.places.map((path): Op => ({ kind: "fresh", path }));
    const group = Object.freeze([...await shorten(guards), ...ops, ...fresh]);
    const outcome = await store.attempt(group, "edit");
    if ("results" in outcome) return value;
    const { refusal } = outcome;
    const refused = group[refusal.index];
    if (refusal.index >= guards.length && !CONFLICTS.has(refusal.code)) {
      throw toError(refused, refusal, "edit");
    }
    conflicts.set(JSON.stringify(refused.path), refused.path);
    if (attempt === attempts) {
      const paths = Object.freeze([...conflicts.values()]);
      throw new ConflictError({ operation: "edit", path: paths[0], paths, attempts });
    }
    scope.renew(outcome.fresh);
    if (attempt > 1) await pause(Math.random() * Math.min(2 ** (attempt - 2), MAX_PAUSE));
  }
}

/**
 * Tells what an edit would send now, and sends nothing but what it reads.
 *
 * @returns The guards and the ops.
 */
export async function explain(store: Store, scope: Scope, recipe: (draft: never) => unknown): Promise<Group> {
  await begin(scope);
  const { guards, ops } = await run(store, scope, recipe);
  return Object.freeze(ops.length === 0 ? [] : [...await shorten(guards), ...ops]);
}

/** Refusals of ops that come of what others did: the recipe would see it, too. */
const CONFLICTS: ReadonlySet<string> = new Set(["NO_KEY", "NOT_FOUND", "TYPE", "RANGE"]);

async function begin(scope: Scope): Promise<void> {
  if (scope.places.length > 0) await scope.fetch();
}

/** Runs the recipe until it has all that it reads. */
async function run<R>(store: Store, scope: Scope, recipe: (draft: never) => R): Promise<Run<R>> {
  while (true) {
    store.check();
    const session = new Session(store.options);
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
        const ops = session.takeOps();
        const value = session.toPlain(returned) as R;
        // case: a getter or a toJSON has read what is not there yet, and has caught what stops the recipe then.
        if (session.missing === undefined) return { value, guards: root.guards(), ops };
      }
    } catch (error) {
      if (session.missing === undefined) throw error;
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
    await scope.fetch(session.missing);
  }
}

/** Whether a recipe is asynchronous. Looked at in every run: it is a promise that fails for want of a value, too. */
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

/** Guards of long texts by their SHA-1 instead. */
function shorten(guards: Group): Promise<Group> {
  return Promise.all(guards.map(async (guard) => {
    if (guard.kind !== "test" || guard.value.length <= MAX_GUARD_LENGTH) return guard;
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(guard.value));
    const value = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return { ...guard, value, by: "sha1" };
  }));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
