/**
 * Sessions: one run of a recipe, or one live document, with what was changed in it.
 *
 * @module
 */

import { encode, type TextSource } from "../data/encoder.ts";
import type { JsonOptions } from "../data/json.ts";
import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { draftOf } from "./proxy.ts";

/** Thrown through a recipe that asks for what was not read yet; the recipe runs again when it was. */
const SUSPENDED: unknown = Object.freeze(new Error("The recipe waits for a value that it read"));

/** An op whose values are not written as text yet, because the recipe may go on to change them. */
export interface Change {
  readonly kind: "set" | "delete" | "push" | "unshift" | "pop" | "shift" | "splice";
  readonly path: Path;
  readonly start?: number;
  readonly deleteCount?: number;
  /** What is written. The session adds to it, so no one else may hold it. */
  values: unknown[];
  /** Whether one of the values still stands where the change has put it. */
  readonly holds: (value: unknown) => boolean;
}

/** How a session of drafts works. */
export interface DraftOptions extends JsonOptions {
  /** Called after each change. If it is set, reads are not recorded. */
  readonly onChange?: () => void;
  /** Asked before each change; throws if there must be none. */
  readonly beforeChange?: () => void;
}

/** One run of a recipe, or one live document: what was changed, and whether its drafts may still be used. */
export class Session implements TextSource {
  /** Whether reads become guards. Otherwise changes are written as text at once, and what they write is copied. */
  readonly isEdit: boolean;
  readonly options: JsonOptions;
  readonly #onChange: (() => void) | undefined;
  readonly #beforeChange: (() => void) | undefined;
  #changes: Change[] = [];
  #isOver: (() => Error) | undefined;
  #isRefusing: (() => Error) | undefined;
  /** The key whose value the recipe needs but that was not fetched, if there is one. */
  missing: string | undefined;

  /** Opens it; no draft yet. */
  constructor(options: DraftOptions) {
    this.options = options;
    this.isEdit = options.onChange === undefined;
    this.#onChange = options.onChange;
    this.#beforeChange = options.beforeChange;
  }

  /** Checks that drafts may still be used, and need not wait for a value. */
  check(): void {
    if (this.#isOver) throw this.#isOver();
    if (this.missing !== undefined) throw SUSPENDED;
  }

  /** Checks that drafts may still be changed. */
  checkChange(): void {
    this.check();
    if (this.#isRefusing) throw this.#isRefusing();
    this.#beforeChange?.();
  }

  /** Stops the recipe until the value of a key is read. */
  suspend(key: string): never {
    this.missing = key;
    throw SUSPENDED;
  }

  /** Refuses every use of its drafts from now on. */
  end(why: () => Error): void {
    this.#isOver ??= why;
  }

  /** Refuses changes of its drafts from now on. */
  refuseChanges(why: () => Error): void {
    this.#isRefusing ??= why;
  }

  /** Writes down a change, together with the one before it where the two are one. */
  record(change: Change): void {
    const last = this.#changes.at(-1);
    if (last !== undefined && last.kind === change.kind && samePath(last.path, change.path)) {
      if (change.kind === "push") { for (const value of change.values) last.values.push(value); }
      else if (change.kind === "set") this.#changes[this.#changes.length - 1] = change;
      else this.#changes.push(change);
    } else {
      this.#changes.push(change);
    }
    this.#onChange?.();
  }

  /** The keys of what was changed so far. */
  get changed(): readonly string[] {
    return [...new Set(this.#changes.map(({ path }) => String(path[0])))];
  }

  /** Returns the ops for the changes so far, and forgets these. */
  takeOps(): Group {
    const changes = this.#changes;
    this.#changes = [];
    return changes.map((change) => Object.freeze(this.#toOp(change)));
  }

  #toOp(change: Change): Op {
    const { kind, path, holds } = change;
    const text = (value: unknown, where: Path): string => {
      try {
        return this.write(value, where);
      } catch (error) {
        if (holds(value)) throw error;
        // case: a cycle or the like that is gone again. As in plain code, only what stands at the end counts; an op
        // further on removes what is written here.
        return "null";
      }
    };
    const texts = (): readonly string[] =>
      Object.freeze(change.values.map((value, index) => text(value, [...path, index])));
    switch (kind) {
      case "set":
        return { kind, path, value: text(change.values[0], path) };
      case "push":
      case "unshift":
        return { kind, path, items: texts() };
      case "splice":
        return {
          kind,
          path,
          start: change.start!,
          deleteCount: change.deleteCount!,
          items: texts(),
        };
      default:
        return { kind, path };
    }
  }

  /** JSON text of a value, which may hold drafts or be one. */
  write(value: unknown, where: Path): string {
    return value instanceof Written ? value.text : encode(value, this.options, where, this);
  }

  /** Whether an object is a draft whose text is known here. */
  has(value: object): boolean {
    return draftOf(value)?.session === this;
  }

  /** The text of a draft. */
  textOf(value: object, where: Path): string {
    return draftOf(value)!.text(where);
  }
}

/** A value that was already written as text. */
export class Written {
  constructor(readonly text: string) {}
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((segment, index) => segment === b[index]);
}
