/**
 * Patches: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) as ops.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import type { Refusal } from "../call/answer.ts";
import { KeyNotFoundError, PathNotFoundError } from "../errors/value.ts";
import { PatchError } from "../errors/edit.ts";
import { encode } from "../data/encoder.ts";
import { formatPlace } from "../data/path.ts";
import type { Json } from "../data/json.ts";
import type { Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { isContainer } from "../draft/proxy.ts";
import { ask, type Steps } from "../store/request.ts";
import type { Local } from "./edit.ts";

/**
 * One operation of a JSON Patch (RFC 6902, section 4). `path` and `from` are JSON Pointers (RFC 6901): `""` is the
 * whole value, `"/a/0"` the first element of its member `a`, `"/a/-"` the place behind the last one; in a name, `~1`
 * stands for `/` and `~0` for `~`.
 */
export type PatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "move" | "copy"; readonly path: string; readonly from: string };

/**
 * A JSON Merge Patch (RFC 7396) for a value: any part of an object, with `null` for what is to be removed.
 *
 * @typeParam V The type of the value.
 */
export type MergePatch<V> = unknown extends V ? unknown
  : V extends readonly unknown[] ? V
  : V extends object ? { readonly [K in keyof V]?: MergePatch<V[K]> | null }
  : V;

/** What a JSON Patch comes to. */
interface Compiled {
  readonly ops: readonly Op[];
  /** For each op the index of its operation. */
  readonly owners: readonly number[];
}

/**
 * Applies a JSON Patch in one call, all of it or nothing.
 *
 * @param local How values are read and written.
 * @param base The value that the pointers begin at.
 * @param operations What the user gave.
 */
export function* patch(local: Local, base: Path, operations: readonly PatchOperation[]): Steps<void> {
  const { ops, owners } = compilePatch(local, base, operations);
  if (ops.length === 0) return;
  const outcome = yield* ask("apply", { group: Object.freeze(ops), operation: "patch" });
  if ("results" in outcome) return;
  const { refusal } = outcome;
  const index = owners[refusal.index];
  const op = ops[refusal.index];
  const { code } = refusal;
  // The error concerns the key as a whole, not one operation of the patch.
  if (code === "CORRUPT" || code === "WRONG_TYPE" || code === "LIMIT" || code === "OOM") {
    throw toError(op, refusal, "patch");
  }
  const { op: name, path: pointer } = operations[index];
  const data = { operation: "patch", path: base, index, patchOperation: name, pointer };
  // An array has no element "-1", though our own paths count from the end: the guard stands before its place.
  const path = op.kind === "type" ? ops[owners.lastIndexOf(index)].path : op.path;
  const cause = causeOf({ ...op, path }, refusal, name);
  throw new PatchError(cause === undefined ? data : { ...data, cause });
}

/** Why an operation failed; `undefined` for a test that does not hold. */
function causeOf(op: Op, refusal: Refusal, operation: string): Error | undefined {
  if (refusal.code !== "TEST") return toError(op, refusal, operation);
  const isThere = refusal.segment === op.path.length - 1;
  if (operation === "test" && isThere) return undefined;
  const data = { operation, path: op.path };
  return refusal.segment === 0 && op.path.length === 1
    ? new KeyNotFoundError(data)
    : new PathNotFoundError({ ...data, at: refusal.segment + 1 });
}

function compilePatch(local: Local, base: Path, operations: readonly PatchOperation[]): Compiled {
  if (!Array.isArray(operations)) {
    throw new TypeError(`Cannot patch ${formatPlace(base)}: the patch is no array of operations`);
  }
  const ops: Op[] = [];
  const owners: number[] = [];
  operations.forEach((operation: unknown, index) => {
    for (const op of compileOperation(local, base, operation, `operation ${index}`)) {
      ops.push(Object.freeze(op));
      owners.push(index);
    }
  });
  return { ops, owners };
}

function compileOperation(local: Local, base: Path, operation: unknown, where: string): Op[] {
  const refuse = (what: string): never => {
    throw new TypeError(`Cannot patch ${formatPlace(base)}: ${where} ${what}`);
  };
  if (!isContainer(operation) || Array.isArray(operation)) return refuse("is no object");
  const { op, path: pointer, from, value } = operation as Record<string, unknown>;
  const toPath = (member: string, text: unknown): Path => {
    if (typeof text !== "string") return refuse(`has no ${member}, a JSON Pointer`);
    if (text !== "" && !text.startsWith("/")) {
      return refuse(`has the ${member} ${formatPlace([text])}; a JSON Pointer is empty or starts with /`);
    }
    if (/~(?![01])/.test(text)) {
      return refuse(
        `has the ${member} ${formatPlace([text])}; in a JSON Pointer ~ is written ~0, and / is written ~1`,
      );
    }
    const segments = text.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    return Object.freeze([...base, ...segments]);
  };
  const path = toPath("path", pointer);
  const guards = noNegativeIndexes(base, path);
  const text = (): string =>
    Object.hasOwn(operation, "value") ? local.codec.encode(value, path) : refuse("has no value");
  switch (op) {
    case "add":
      return [...guards, { kind: "add", path, value: text() }];
    case "remove":
      return [...guards, { kind: "exists", path }, { kind: "delete", path }];
    case "replace":
      return [...guards, { kind: "exists", path }, { kind: "set", path, value: text() }];
    case "test":
      return [...guards, { kind: "test", path, value: text() }];
    case "copy":
    case "move": {
      const source = toPath("from", from);
      if (
        op === "move" && path.length > source.length &&
        source.every((segment, index) => segment === path[index])
      ) {
        return refuse("moves a value into itself");
      }
      const ops: Op[] = [...noNegativeIndexes(base, source), { kind: "copy", path: source }];
      if (op === "move") ops.push({ kind: "delete", path: source });
      return [...ops, ...guards, { kind: "add", path }];
    }
    default:
      return refuse(
        `has the op ${
          typeof op === "string" ? formatPlace([op]) : typeof op
        }; expected add, remove, replace, move, copy or test`,
      );
  }
}

/** To our ops `"-1"` is the last element of an array; to a JSON Pointer it is only the name of a member. */
function noNegativeIndexes(base: Path, path: Path): Op[] {
  return path.flatMap((segment, index): Op[] =>
    index >= base.length && /^-[1-9]\d*$/.test(String(segment))
      ? [{ kind: "type", path: path.slice(0, index), value: "object" }]
      : []
  );
}

/**
 * Applies a JSON Merge Patch in one call, all of it or nothing.
 *
 * @param local How values are read and written.
 * @param path The value that is patched; an object is made of what is none.
 * @param value What the user gave.
 * @param parents Whether to create what is missing on the way.
 */
export function* merge(local: Local, path: Path, value: unknown, parents: boolean): Steps<void> {
  // Through text, so that it means what it would mean if it were sent.
  const plain = local.codec.decode(local.codec.encode(value, path), "merge", path);
  const ops: Op[] = [];
  compileMerge(local, path, plain, ops);
  if (parents) ops[0] = { ...ops[0], parents } as Op;
  const outcome = yield* ask("apply", { group: Object.freeze(ops), operation: "merge" });
  if ("refusal" in outcome) throw toError(ops[outcome.refusal.index], outcome.refusal, "merge");
}

function compileMerge(local: Local, path: Path, patch: Json, ops: Op[]): void {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) {
    ops.push({ kind: "set", path, value: encode(patch, local.settings) });
    return;
  }
  ops.push({ kind: "set", path, value: "{}", when: "not-object" });
  for (const [name, part] of Object.entries(patch)) {
    if (part === null) ops.push({ kind: "delete", path: [...path, name] });
    else compileMerge(local, [...path, name], part, ops);
  }
}
