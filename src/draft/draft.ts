/**
 * Drafts: the root that a recipe or a live document starts from, and its type.
 *
 * @module
 */

import type { Fragment } from "../data/fragment.ts";
import type { Json } from "../data/json.ts";
import { formatPlace, type Path, readKey } from "../data/path.ts";
import { Node, place } from "./node.ts";
import type { Op } from "../data/op.ts";
import { createProxy, type Draftable, isContainer, missingMember } from "./proxy.ts";
import type { Session } from "./session.ts";

/**
 * The type of a draft of an object or an array: its own type, `readonly` and all, but `any` where it can be any JSON.
 *
 * It is a mapped type and no conditional one, so that editors show it by its name, as `Draft<Lab>`.
 *
 * @typeParam T The type of the object or the array.
 */
export type Draft<T> = { [K in keyof T]: DraftOf<T[K]> };

/**
 * What a draft shows of a value: a scalar as it is, an object or an array as a {@linkcode Draft}; `any` where it can
 * be any JSON, `unknown` where nothing is known.
 *
 * @typeParam V The type of the value.
 */
export type DraftOf<V> = unknown extends V ? V // any too
  // deno-lint-ignore no-explicit-any -- every member of it may be any JSON again
  : [Json] extends [V] ? any
  : V extends string | number | boolean | bigint | null | undefined ? V
  : Draft<V>;

/**
 * The objects and arrays in the union `V`.
 *
 * @typeParam V The type of the value.
 */
export type ContainerOf<V> = unknown extends V ? V : Extract<V, object>;

/** The dictionary of a recipe: its members are the values that were fetched. */
class DictionaryNode implements Draftable {
  readonly session: Session;
  readonly proxy: object;
  readonly place: string = "the dictionary";
  readonly #fetched: ReadonlyMap<string, Fragment | undefined>;
  readonly #nodes: Map<string, Node> = new Map();
  readonly #values: Set<string> = new Set();
  readonly #present: Set<string> = new Set();
  /** The assigned values; `undefined` for a removed key. */
  readonly #replaced: Map<string, unknown> = new Map();

  constructor(session: Session, fetched: ReadonlyMap<string, Fragment | undefined>) {
    this.session = session;
    this.#fetched = fetched;
    this.proxy = createProxy(this, {});
  }

  peek(): unknown {
    return this.place;
  }

  get(key: string): unknown {
    if (!this.has(key)) return missingMember(this, key);
    if (this.#replaced.has(key)) return this.#replaced.get(key);
    const fragment = this.#fragment(key)!;
    if (isContainer(fragment.value)) return this.#node(key, fragment).proxy;
    this.#values.add(key);
    return fragment.value;
  }

  set(key: string, value: unknown): void {
    const path = [readKey(key)];
    const { kept, change } = place(this.session, value, path);
    this.#put(key, kept);
    this.session.record({
      kind: "set",
      path,
      values: [change],
      holds: () => this.#replaced.get(key) === kept,
    });
  }

  has(key: string): boolean {
    readKey(key);
    if (this.#replaced.has(key)) return this.#replaced.get(key) !== undefined;
    this.#present.add(key);
    return this.#fragment(key) !== undefined;
  }

  delete(key: string): void {
    this.#put(readKey(key), undefined);
    this.session.record({ kind: "delete", path: [key], values: [], holds: () => false });
  }

  hasOwn(key: string): boolean {
    return this.has(key);
  }

  readNames(): never {
    throw new TypeError(
      "Cannot list the keys of the dictionary in an edit: they are not read in one moment; use keys() before it",
    );
  }

  text(where: Path): never {
    throw new TypeError(
      `Cannot write ${formatPlace(where)}: the dictionary itself is no JSON value; use its values`,
    );
  }

  /** The guards for all that was read. */
  guards(): readonly Op[] {
    const ops: Op[] = [];
    for (const key of this.#present) {
      if (this.#values.has(key) || this.#nodes.has(key)) continue;
      ops.push({ kind: this.#fragment(key) === undefined ? "absent" : "exists", path: [key] });
    }
    for (const key of this.#values) {
      ops.push({ kind: "test", path: [key], value: this.#fragment(key)!.text, by: "bytes" });
    }
    for (const node of this.#nodes.values()) ops.push(...node.guards());
    return ops;
  }

  #fragment(key: string): Fragment | undefined {
    return this.#fetched.has(key) ? this.#fetched.get(key) : this.session.suspend(key);
  }

  #node(key: string, fragment: Fragment): Node {
    let node = this.#nodes.get(key);
    if (node === undefined) {
      node = Node.createRoot(this.session, fragment, [key], () => !this.#replaced.has(key));
      this.#nodes.set(key, node);
    }
    return node;
  }

  #put(key: string, value: unknown): void {
    // case: the value may live on under another key, written there.
    if (!this.#replaced.has(key)) this.#nodes.get(key)?.detach();
    this.#replaced.set(key, value);
  }
}

/** The draft that a recipe or a live document starts from. */
export interface DraftRoot {
  /** The draft that the recipe gets. */
  readonly draft: unknown;
  /** The guards for all that was read. */
  guards(): readonly Op[];
}

/**
 * Drafts a dictionary.
 *
 * @param session Records the changes.
 * @param fetched The fetched values by key, `undefined` for a missing key. A recipe that reads another key is suspended.
 * @returns The root.
 */
export function draftDictionary(
  session: Session,
  fetched: ReadonlyMap<string, Fragment | undefined>,
): DraftRoot {
  const root = new DictionaryNode(session, fetched);
  return { draft: root.proxy, guards: () => root.guards() };
}

/** The draft of an object or an array that follows what others make of it. */
export interface FollowingRoot {
  /** The draft. */
  readonly draft: object;
  /** The value as it is now, frozen. Whatever has not changed since the last time is identical. */
  snapshot(): Json;
  /** Shows another value, frozen, which shares what is equal with the snapshot. */
  rebase(fragment: Fragment): void;
  /** Ends it until it shows a value again: each use throws. */
  retire(over: (path: Path) => Error): void;
}

/**
 * Drafts an object or an array that is to follow what others make of it.
 *
 * @param session Records the changes.
 * @param fragment The fetched value, frozen.
 * @param path Its path.
 * @param over Makes what a part throws that is no longer there, for its path.
 * @returns The root.
 */
export function draftFollowing(
  session: Session,
  fragment: Fragment,
  path: Path,
  over: (path: Path) => Error,
): FollowingRoot {
  const root = Node.createRoot(session, fragment, path);
  return {
    draft: root.proxy,
    snapshot: () => root.snapshot(),
    rebase: (other) => root.rebase(session, other, path, over),
    retire: (because) => root.retire(because),
  };
}

/**
 * Drafts an object or an array.
 *
 * @param session Records the changes.
 * @param fragment The fetched value.
 * @param path Its path.
 * @param dispose Called by `await using` at the end.
 * @returns The root.
 */
export function draftFragment(
  session: Session,
  fragment: Fragment,
  path: Path,
  dispose?: () => Promise<void>,
): DraftRoot {
  const root = Node.createRoot(session, fragment, path);
  if (dispose) root.attach(Symbol.asyncDispose, dispose);
  return { draft: root.proxy, guards: () => root.guards() };
}
