/**
 * Edits: what a person changes, sent with guards on what the page showed, so that nothing is overwritten unseen.
 *
 * @module
 */

import { effect, type Signal, signal } from "@preact/signals";
import { type PageOp, removeDamaged, sendOps, ServerError } from "./api.ts";
import { loadValue, notice, onMove, openKey, openPlace, select, value } from "./state.ts";
import { type Document, keyOf, type Path } from "./text.ts";

/** What is being edited. */
export interface Editing {
  readonly kind: "edit" | "add" | "rename" | "remove" | "expiry" | "new";
  readonly key: string;
  /** What is edited; for `add`, what gets one more part. */
  readonly path: Path;
  /** The text that was there when it began, or that was accepted since. */
  readonly seen: string;
  /** What somebody else has written meanwhile; `null` if it is gone, or cannot be told. */
  readonly conflict?: { readonly theirs: string | null };
  /** Why it was not done. */
  readonly error?: string;
  readonly isBusy?: boolean;
}

export const editing: Signal<Editing | undefined> = signal(undefined);
/** What stands in the fields. */
export const draft: Signal<string> = signal("");
export const draftName: Signal<string> = signal("");

/** The longest text that is edited, in characters: fields of browsers become slow. */
const MAX_EDITED = 1_000_000;
/** How often a change is sent again that others have delayed, but not touched. */
const MAX_TRIES = 8;

/** The change that is being sent. */
let saving: Promise<void> | undefined;

/** What begins when the change is sent. */
let next: symbol | undefined;

/** Begins, behind a change that is being sent. */
export function begin(kind: Editing["kind"], path: Path = []): void {
  const key = value.value?.key ?? "";
  if (saving) {
    const mine = next = Symbol();
    void saving.then(() => {
      // case: it was left, another key was opened, or there is something to be seen first.
      if (next === mine && !editing.value && (value.value?.key ?? "") === key) begin(kind, path);
    });
    return;
  }
  const seen = value.value?.doc?.textAt(path) ?? "";
  if (kind === "edit" && seen.length > MAX_EDITED) {
    notice.value = "This is too long to be edited as one text; change parts of it";
    return;
  }
  const name = path.at(-1);
  draft.value = kind === "edit" ? seen : "";
  draftName.value = kind === "rename" ? String(name) : "";
  editing.value = { kind, key, path, seen };
}

/** Leaves all as it is; what is being sent is not held back. */
export function cancel(): void {
  next = undefined;
  if (!saving) editing.value = undefined;
}

onMove((follow) => {
  const now = editing.value;
  if (!now || now.key !== value.value?.key || now.kind === "new" || now.kind === "expiry") return;
  const path = follow(now.path, true);
  const theirs = path && value.value.doc?.textAt(path);
  if (path === undefined || theirs === undefined) editing.value = { ...now, conflict: { theirs: null } };
  else if (now.kind === "edit" && draft.value === now.seen) {
    draft.value = theirs; // nothing of one's own is there yet
    editing.value = { ...now, path, seen: theirs };
  } else if (now.kind !== "add" && theirs !== now.seen) {
    editing.value = { ...now, path, conflict: { theirs } };
  } else {
    const { conflict: _, ...rest } = now; // they have put it back
    editing.value = { ...rest, path };
  }
});

// What is edited must be in sight: guards are made of what the page shows.
effect(() => {
  const key = value.value?.key;
  const now = editing.peek();
  if (!now || now.kind === "new" || now.key === key) return;
  const isTouched = now.kind === "edit" && draft.peek() !== now.seen ||
    now.kind === "add" && draft.peek() !== "";
  editing.value = undefined;
  if (isTouched && !now.isBusy) notice.value = "Another key was opened; what you wrote was not saved";
});

/** Goes on with what is there now instead of what was seen. */
export async function overwrite(): Promise<void> {
  const now = editing.value;
  if (now?.conflict?.theirs == null) return;
  const { conflict, ...rest } = now;
  editing.value = { ...rest, seen: conflict!.theirs! };
  await save();
}

/** Ops that refuse all if what surrounds a place is not as the page shows it: arrays of other lengths, other elements. */
function guards(doc: Document, path: Path, isPlaceGuarded: boolean): PageOp[] {
  const ops: PageOp[] = [];
  let element: Path | undefined;
  for (let depth = 0; depth < path.length; depth++) {
    const container = path.slice(0, depth);
    const span = doc.find(container)!;
    if (doc.kindOf(span) !== "array") continue;
    ops.push({ kind: "length", path: container, count: doc.childrenOf(span).count });
    element = path.slice(0, depth + 1);
  }
  const guarded = element ?? (isPlaceGuarded ? path : undefined);
  if (guarded) {
    ops.push({ kind: "test", path: guarded, value: guarded.length === 0 ? doc.text : doc.textAt(guarded)! });
  } else ops.push({ kind: "exists", path });
  return ops;
}

/** What an edit sends. */
function opsOf({ kind, path }: Editing, doc: Document): PageOp[] {
  const parent = path.slice(0, -1);
  switch (kind) {
    case "edit":
      return [...guards(doc, path, true), { kind: "set", path, value: draft.value.trim() }];
    case "remove":
      return [...guards(doc, path, true), { kind: "delete", path }];
    case "rename": {
      const to = [...parent, draftName.value];
      return [
        ...guards(doc, path, true),
        { kind: "absent", path: to },
        { kind: "copy", path },
        { kind: "add", path: to },
        { kind: "delete", path },
      ];
    }
    default: {
      const text = draft.value.trim();
      if (doc.kindOf(doc.find(path)!) === "array") {
        return [...guards(doc, path, false), { kind: "push", path, items: [text] }];
      }
      const to = [...path, draftName.value];
      return [...guards(doc, path, false), { kind: "absent", path: to }, {
        kind: "set",
        path: to,
        value: text,
      }];
    }
  }
}

/**
 * Sends ops until they are applied, or what they are about is no longer as it was. Other changes nearby only delay it.
 *
 * @param make Makes the ops for the value as it is shown; nothing if they no longer fit.
 */
async function send(key: string, make: () => PageOp[] | undefined): Promise<"done" | "conflict"> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const ops = make();
    if (ops === undefined) return "conflict";
    const result = await sendOps(key, ops);
    await loadValue();
    if ("done" in result) return "done";
  }
  throw new ServerError(409, "Others change this value all the time; nothing was changed. Try again");
}

/** Does what is edited, or says why not. */
export async function save(): Promise<void> {
  saving ??= saveOnce().finally(() => saving = undefined);
  await saving;
}

async function saveOnce(): Promise<void> {
  const started = editing.value;
  if (!started || started.isBusy || started.conflict) return;
  if (started.kind === "edit" && draft.value.trim() === started.seen) return void (editing.value = undefined);
  const { error: _, ...rest } = started;
  editing.value = { ...rest, isBusy: true };
  try {
    if (started.kind === "new") await create();
    else if (started.kind === "expiry") await expire(started.key);
    else if (started.kind === "remove" && started.path.length === 0) await removeKey(started);
    else await change();
  } catch (error) {
    const now = editing.value;
    if (now) {
      editing.value = {
        ...now,
        isBusy: false,
        error: error instanceof Error ? error.message : String(error),
      };
    }
  }
}

/** Makes the change of a place, which may move meanwhile. */
async function change(): Promise<void> {
  const result = await send(editing.value!.key, () => {
    const now = editing.value;
    const doc = value.value?.doc;
    if (!now || !doc || value.value?.key !== now.key || now.conflict) return undefined;
    if (value.value.problem !== undefined) return undefined;
    const there = doc.textAt(now.path);
    if (there === undefined || now.kind !== "add" && there !== now.seen) return undefined;
    refuseTwinOn(doc, now.path);
    if (now.kind === "add" || now.kind === "rename") refuseTwin(now, doc);
    return opsOf(now, doc);
  });
  const now = editing.value;
  if (!now) return;
  if (result === "done") {
    editing.value = undefined;
    notice.value = { edit: "Saved", add: "Added", rename: "Renamed" }[now.kind as string] ?? "Removed";
    const doc = value.value?.doc;
    const span = doc?.find(now.path);
    if (now.kind === "add" && doc && span) {
      const isArray = doc.kindOf(span) === "array";
      select([...now.path, isArray ? doc.childrenOf(span).count - 1 : draftName.value]);
    } else if (now.kind === "rename") select([...now.path.slice(0, -1), draftName.value]);
    return;
  }
  const theirs = value.value?.doc?.textAt(now.path) ?? null;
  const { isBusy: _, ...rest } = now;
  editing.value = { ...rest, conflict: now.conflict ?? { theirs } };
}

function refuseTwin({ kind, path }: Editing, doc: Document): void {
  const parent = kind === "add" ? path : path.slice(0, -1);
  if (doc.kindOf(doc.find(parent)!) !== "object") return;
  if (doc.find([...parent, draftName.value])) {
    throw new Error(`There is a member named ${JSON.stringify(draftName.value)} already`);
  }
}

/** Of two members with one name the page shows the last, and the server would change the first. */
function refuseTwinOn(doc: Document, path: Path): void {
  const name = doc.twinOn(path);
  if (name === undefined) return;
  throw new Error(
    `The name ${JSON.stringify(name)} stands twice in one object; edit that object as a whole to repair it`,
  );
}

async function create(): Promise<void> {
  const key = draftName.value;
  const result = await sendOps(key, [
    { kind: "absent", path: [] },
    { kind: "set", path: [], value: draft.value.trim() },
  ]);
  if ("conflict" in result) throw new Error(`There is a key named ${JSON.stringify(key)} already`);
  editing.value = undefined;
  notice.value = "Created";
  await openPlace(key, []);
}

async function removeKey({ key, seen }: Editing): Promise<void> {
  const { doc, problem } = value.value ?? {};
  const result = doc?.textAt([]) !== seen
    ? { conflict: 0 }
    : problem !== undefined
    ? await removeDamaged(key, doc.text)
    : await sendOps(key, [{ kind: "test", path: [], value: doc.text }, { kind: "delete", path: [] }]);
  await loadValue();
  if ("done" in result) {
    editing.value = undefined;
    notice.value = "Removed";
    return;
  }
  const now = editing.value;
  if (!now) return;
  const { isBusy: _, ...rest } = now;
  editing.value = { ...rest, conflict: { theirs: value.value?.doc?.textAt([]) ?? null } };
}

async function expire(key: string): Promise<void> {
  const text = draft.value.trim();
  let op: PageOp;
  if (text === "" || text === "never") op = { kind: "persist", path: [] };
  else {
    const ttl = parseDuration(text);
    if (ttl === undefined) throw new Error("Write 500ms, 90s, 5m, 2h or 7d, or nothing for no expiry");
    op = { kind: "expire", path: [], ttl };
  }
  // A guard would look into a value that is damaged.
  const guard = value.value?.problem === undefined ? [{ kind: "exists", path: [] }] : [];
  const result = await sendOps(key, [...guard, op]);
  if ("conflict" in result) throw new Error("The key is gone");
  editing.value = undefined;
  notice.value = "Saved";
  openKey(key);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseDuration(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS[unit ?? ""]!);
  return ms >= 1 ? ms : undefined;
}

/**
 * Moves an element of an array to another place in it.
 *
 * @param path The element.
 * @param seen Its text, as it was when it was taken.
 * @param to The index where it goes.
 */
export async function move(path: Path, seen: string, to: number): Promise<void> {
  const { key } = value.value!;
  const from = path.at(-1) as number;
  const parent = path.slice(0, -1);
  if (from === to) return;
  let isThere = true;
  const stop = onMove((follow) => {
    const now = follow(path, true);
    isThere &&= now !== undefined && keyOf(now) === keyOf(path);
  });
  try {
    const result = await send(key, () => {
      const doc = value.value?.doc;
      if (!isThere || !doc || value.value?.key !== key || doc.textAt(path) !== seen) return undefined;
      refuseTwinOn(doc, path);
      if (to < 0 || to >= doc.childrenOf(doc.find(parent)!).count) return undefined;
      return [
        ...guards(doc, path, true),
        { kind: "copy", path },
        { kind: "delete", path },
        { kind: "add", path: [...parent, to] },
      ];
    });
    notice.value = result === "done" ? "Moved" : "Not moved: somebody else has changed this meanwhile";
    if (result === "done") select([...parent, to]);
  } catch (error) {
    notice.value = error instanceof Error ? error.message : String(error);
  } finally {
    stop();
  }
}
