/**
 * Edits: a recipe that changes values as if they were plain objects, run until nobody was in its way.
 *
 * @module
 */

import { type Refusal, toError } from "./call.ts";
import { draftDictionary, draftFragment, type DraftRoot } from "./draft.ts";
import { ConflictError, TypeMismatchError } from "./errors.ts";
import type { Fragment } from "./fragment.ts";
import type { Turn } from "./lanes.ts";
import type { Group, Op } from "./op.ts";
import { type Path, readKey } from "./path.ts";
import { draftOf, isContainer, Session } from "./session.ts";
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
  /** The keys that are known before the recipe runs. */
  readonly keys: readonly string[];
  /** Whether a run without values finds more keys. */
  readonly isOpen: boolean;
  /** What a failed commit is asked for: all that was read. */
  readonly places: readonly Path[];
  /** Reads what is there, and of the dictionary one key more. The edit holds the keys. */
  fetch(missing?: string): Promise<void>;
  /** Takes the values that a failed commit has brought, place by place. */
  renew(answers: readonly (string | Refusal)[]): void;
  /** Drafts what was read. */
  draft(session: Session): DraftRoot;
}

/** The whole dictionary; values are read when the recipe asks for them. */
export class DictScope implements Scope {
  readonly keys: readonly string[];
  readonly isOpen: boolean = true;
  readonly #store: Store;
  /** The keys that are read. */
  readonly #wanted: Set<string>;
  #fetched: ReadonlyMap<string, Fragment | undefined> = new Map();

  /** @param keys What is read at first. */
  constructor(store: Store, keys: Iterable<string> = []) {
    this.#store = store;
    this.keys = [...new Set([...keys].map(readKey))];
    this.#wanted = new Set(this.keys);
  }

  get places(): readonly Path[] {
    return [...this.#fetched.keys()].map((key) => [key]);
  }

  async fetch(missing?: string): Promise<void> {
    if (missing !== undefined) this.#wanted.add(missing);
    // All of them again: the recipe must see the values of one moment.
    const keys = [...this.#wanted];
    this.#take(keys, await this.#store.textsNow(keys, "edit"));
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
  readonly keys: readonly string[];
  readonly isOpen: boolean = false;
  readonly #store: Store;
  #fragment: Fragment | undefined;

  /** @param path Where it is. */
  constructor(store: Store, path: Path) {
    this.#store = store;
    this.path = path;
    this.keys = [String(path[0])];
  }

  get places(): readonly Path[] {
    return [this.path];
  }

  async fetch(): Promise<void> {
    this.#take(await this.#store.readNow({ kind: "get", path: this.path }, "edit"));
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
  const found = value === null ? "null" : typeof value as "string" | "number" | "boolean";
  throw new TypeMismatchError({ operation, path, at: path.length, expected: ["object", "array"], found });
}

/** What one run of a recipe has come to. */
interface Run<R> {
  /** The keys that it has changed or wants to read. */
  readonly keys: readonly string[];
  /** The key whose value it needs and has not. */
  readonly missing?: string;
  /** What it did; nothing where a value was missing. */
  readonly result?: { readonly value: R; readonly guards: Group; readonly ops: Group };
}

/**
 * Edits. The edit takes its place among the calls of the dictionary before this returns, at the keys that are known by
 * then: those of the scope, and those that the recipe touches up to the first value that it reads.
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
  return await store.run(async () => {
    const first: Run<R> = scope.isOpen ? run(store, scope, recipe) : { keys: [] };
    // It read nothing, so whatever is there, it does the same.
    if (first.result) return await apply(store, first.result);
    const edit = new Edit(store, scope, [...new Set([...scope.keys, ...first.keys])], first.missing);
    try {
      return await edit.commit(recipe, attempts);
    } finally {
      edit.leave();
    }
  });
}

async function apply<R>(store: Store, { value, ops }: NonNullable<Run<R>["result"]>): Promise<R> {
  if (ops.length === 0) return value;
  const outcome = await store.attempt(ops, "edit");
  if ("refusal" in outcome) throw toError(ops[outcome.refusal.index], outcome.refusal, "edit");
  return value;
}

/** An edit that has its place among the calls of the dictionary. */
class Edit {
  readonly #store: Store;
  readonly #scope: Scope;
  #turn: Turn;
  /** The key that must be read besides those of the scope. */
  #missing: string | undefined;

  constructor(store: Store, scope: Scope, keys: readonly string[], missing: string | undefined) {
    checkCount(keys);
    this.#store = store;
    this.#scope = scope;
    this.#missing = missing;
    this.#turn = store.enter(keys, "edit");
  }

  /** Gives up its place. */
  leave(): void {
    this.#turn.leave();
  }

  /** Runs the recipe, and applies what it did, until nobody was in its way. */
  async commit<R>(recipe: (draft: never) => R, attempts: number): Promise<R> {
    const store = this.#store;
    const conflicts = new Map<string, Path>();
    await this.#turn.comes;
    await this.#fetch();
    for (let attempt = 1;;) {
      const { keys, missing, result } = run(store, this.#scope, recipe);
      this.#missing = missing;
      const isHeld = this.#hold(keys);
      if (!isHeld) await this.#turn.comes;
      if (!isHeld || !result) {
        await this.#fetch();
        continue;
      }
      const { value, guards, ops } = result;
      // What was only read was there at one moment, so there is nothing to ask for.
      if (ops.length === 0) return value;
      const fresh = this.#scope.places.map((path): Op => ({ kind: "fresh", path }));
      const group = Object.freeze([...await shorten(guards), ...ops, ...fresh]);
      const outcome = await store.commit(this.#turn, group, "edit");
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
      this.#scope.renew(outcome.fresh);
      if (attempt > 1) await pause(Math.random() * Math.min(2 ** (attempt - 2), MAX_PAUSE));
      attempt++;
    }
  }

  async #fetch(): Promise<void> {
    const missing = this.#missing;
    this.#missing = undefined;
    await this.#scope.fetch(missing);
  }

  /**
   * Takes its place at keys that nobody knew of. It must not wait for one place while it holds another, so where it
   * would have to, it gives up all of them and queues again.
   *
   * @returns Whether it still has the turn.
   */
  #hold(keys: readonly string[]): boolean {
    const turn = this.#turn;
    const held = new Set(turn.keys);
    const late = keys.filter((key) => !held.has(key));
    if (late.length === 0) return true;
    const all = [...held, ...late];
    checkCount(all);
    if (this.#store.extend(turn, late, "edit")) return true;
    turn.leave();
    this.#turn = this.#store.enter(all, "edit");
    return false;
  }
}

/**
 * Reports what an edit would send now, and sends nothing but what it reads.
 *
 * @returns The guards and the ops.
 */
export async function explain(store: Store, scope: Scope, recipe: (draft: never) => unknown): Promise<Group> {
  return await store.run(async () => {
    const { keys } = scope;
    if (keys.length > 0) await store.after(keys, () => scope.fetch());
    while (true) {
      const { missing, result } = run(store, scope, recipe);
      if (result) {
        return Object.freeze(result.ops.length === 0 ? [] : [...await shorten(result.guards), ...result.ops]);
      }
      await store.after([missing!], () => scope.fetch(missing));
    }
  });
}

/** Refusals of ops that come of what others did: the recipe would see it, too. */
const CONFLICTS: ReadonlySet<string> = new Set(["NO_KEY", "NOT_FOUND", "TYPE", "RANGE"]);

/** Runs the recipe on what was read. */
function run<R>(store: Store, scope: Scope, recipe: (draft: never) => R): Run<R> {
  const session = new Session(store.options);
  const root = scope.draft(session);
  try {
    const returned = recipe(root.draft as never);
    if (session.missing === undefined) {
      refusePromise(returned);
      const keys = session.changed;
      const ops = session.takeOps();
      const value = session.toPlain(returned) as R;
      return { keys, result: { value, guards: root.guards(), ops } };
    }
  } catch (error) {
    if (session.missing === undefined) throw error;
  } finally {
    session.end(() =>
      new TypeError("Cannot use the draft: its edit is over; return what is needed later from the recipe")
    );
  }
  return { keys: [...session.changed, session.missing], missing: session.missing };
}

function checkCount(keys: readonly string[]): void {
  if (keys.length <= MAX_EDIT_KEYS) return;
  throw new RangeError(`Cannot edit: the recipe uses more than ${MAX_EDIT_KEYS} keys`);
}

function refusePromise(value: unknown): void {
  if (typeof value !== "object" || value === null || draftOf(value)) return;
  if (!("then" in value) || typeof value.then !== "function") return;
  if (value instanceof Promise) value.catch(() => {}); // it may fail for want of its draft
  throw new TypeError(
    "Cannot edit: the recipe returned a promise; it must be synchronous, so await before it",
  );
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
