/**
 * What the page knows: the keys, the open value, what has changed just now; and how it keeps up.
 *
 * @module
 */

import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Message, News, Row } from "../src/cli/inspector.ts";
import type { About } from "../src/cli/inspect_server.ts";
import { hear, listKeys, readValue, ServerError } from "./api.ts";
import { type Open, openPaths, openUp, Rows } from "./rows.ts";
import { Document, follow, keyOf, type Path, type Splice } from "./text.ts";

/** A key of the list. */
export interface Item {
  readonly bytes: number;
  /** When it expires, by the clock of this machine; `undefined` if it does not. */
  readonly expiresAt: number | undefined;
}

/** What has happened to a value. */
export interface Entry {
  readonly id: number;
  readonly time: number;
  readonly key: string;
  readonly kind: "new" | "gone" | "changed";
  readonly steps: readonly { readonly path: Path; readonly before?: string; readonly after?: string }[];
  readonly more: number;
}

/** The open value. */
export interface Value {
  readonly key: string;
  readonly state: "loading" | "there" | "gone" | "failed";
  /** Why it failed, or why it can only be shown as text. */
  readonly problem?: string;
  readonly version?: number;
  readonly doc?: Document;
  readonly expiresAt?: number | undefined;
}

/** How many things that happened are kept. */
const MAX_ENTRIES = 200;
/** How long a list of keys may be to be shown with all folders open. */
const FEW_KEYS = 60;
/** How much the list of keys waits for more, in milliseconds. */
const LIST_PAUSE = 150;
/** How often the open value is read where changes are not told, in seconds. */
const POLL = 5;
/** How long the page waits before it asks again, in milliseconds. */
const RETRY = 1000;

export const about: Signal<About | undefined> = signal(undefined);
/** What is wrong, in words for the user; `undefined` if nothing is. */
export const trouble: Signal<string | undefined> = signal(undefined);
/** Whether changes are shown as they happen. */
export const isLive: Signal<boolean> = signal(false);
/** The time, each second. */
export const now: Signal<number> = signal(Date.now());
/** Which part a narrow page shows. */
export const pane: Signal<"keys" | "value" | "changes"> = signal("keys");
export const entries: Signal<readonly Entry[]> = signal([]);
/** What was said last to the user. */
export const notice: Signal<string> = signal("");
export const isReadOnly: ReadonlySignal<boolean> = computed(() => about.value?.readOnly ?? true);

// ---- Keys ----

export const items: Map<string, Item> = new Map();
/** Grows when the list has other keys, or other sizes. */
export const itemsVersion: Signal<number> = signal(0);
export const isListing: Signal<boolean> = signal(true);
/** Whether there are more keys than the list has. */
export const isCut: Signal<boolean> = signal(false);
export const search: Signal<string> = signal("");
/** The folders that were opened, or closed if few keys are there. */
export const toggled: Signal<ReadonlySet<string>> = signal(new Set());
/** When keys changed, for those that have a moment ago. */
export const keyFlashes: Map<string, number> = new Map();

let listing: AbortController | undefined;
let bumping: ReturnType<typeof setTimeout> | undefined;

/** Shows what the list has, a moment later. */
function bump(): void {
  bumping ??= setTimeout(() => {
    bumping = undefined;
    itemsVersion.value++;
  }, LIST_PAUSE);
}

function itemOf([, bytes, ttl]: Row): Item {
  return { bytes, expiresAt: ttl === null ? undefined : Date.now() + ttl };
}

/** Reads all keys anew. Those that are there stay in the list meanwhile. */
export async function reloadKeys(): Promise<void> {
  listing?.abort();
  const mine = listing = new AbortController();
  const seen = new Set<string>();
  isListing.value = true;
  const take = (rows: readonly Row[]): void => {
    for (const row of rows) {
      items.set(row[0], itemOf(row));
      seen.add(row[0]);
    }
    bump();
  };
  try {
    const isMore = await listKeys(isCut.value ? search.value : "", take, mine.signal);
    for (const key of items.keys()) if (!seen.has(key)) items.delete(key);
    batch(() => {
      isCut.value = isMore || isCut.value && search.value !== "";
      isListing.value = false;
      itemsVersion.value++;
    });
  } catch (error) {
    if (mine.signal.aborted) return;
    isListing.value = false;
    tell(error);
  }
}

/** Looks for keys; where the list has not all of them, on the server. */
export function searchFor(text: string): void {
  search.value = text;
  if (isCut.value) void reloadKeys();
}

/** A part of the list: a folder, or a key. */
export interface Line {
  readonly depth: number;
  readonly name: string;
  /** The key, or what all keys of the folder begin with. */
  readonly key: string;
  /** How many keys a folder has; nothing for a key. */
  readonly keys?: number;
  readonly bytes: number;
  readonly isOpen: boolean;
}

interface Folder {
  readonly start: string;
  readonly folders: Map<string, Folder>;
  readonly own: string[];
  keys: number;
  bytes: number;
}

const MAX_DEPTH = 16;

function folderOf(start: string): Folder {
  return { start, folders: new Map(), own: [], keys: 0, bytes: 0 };
}

/** The lines of the list. */
export const lines: ReadonlySignal<readonly Line[]> = computed(() => {
  itemsVersion.value;
  const text = search.value.toLowerCase();
  const keys = [...items.keys()].filter((key) => text === "" || key.toLowerCase().includes(text)).sort();
  const root = folderOf("");
  for (const key of keys) {
    const { bytes } = items.get(key)!;
    let folder = root;
    folder.keys++;
    folder.bytes += bytes;
    for (const start of foldersOf(key)) {
      let inside = folder.folders.get(start);
      if (inside === undefined) folder.folders.set(start, inside = folderOf(start));
      inside.keys++;
      inside.bytes += bytes;
      folder = inside;
    }
    folder.own.push(key);
  }
  const all: Line[] = [];
  const isOpenAtFirst = text !== "" || items.size <= FEW_KEYS;
  const add = (folder: Folder, from: string, depth: number): void => {
    const inside = [...folder.folders.values()].map((each) => ({ name: each.start, folder: each }));
    const own = folder.own.map((name) => ({ name, folder: undefined }));
    for (const { name, folder: part } of [...inside, ...own].sort((a, b) => a.name < b.name ? -1 : 1)) {
      const { keys = 1, bytes = items.get(name)!.bytes } = part ?? {};
      if (part === undefined) {
        all.push({ depth, name: name.slice(from.length), key: name, bytes, isOpen: false });
      } else if (keys === 1) add(part, from, depth); // a folder for one key would be in the way
      else {
        const isOpen = toggled.value.has(name) !== isOpenAtFirst;
        all.push({ depth, name: name.slice(from.length), key: name, keys, bytes, isOpen });
        if (isOpen) add(part, name, depth + 1);
      }
    }
  };
  add(root, "", 0);
  return all;
});

/** Opens or closes a folder. */
export function toggleFolder(start: string): void {
  const next = new Set(toggled.value);
  if (!next.delete(start)) next.add(start);
  toggled.value = next;
}

/** Opens the folders that a key is in. */
export function revealKey(key: string): void {
  const isOpenAtFirst = search.value !== "" || items.size <= FEW_KEYS;
  const next = new Set(toggled.value);
  for (const start of foldersOf(key)) {
    if (isOpenAtFirst) next.delete(start);
    else next.add(start);
  }
  toggled.value = next;
}

/** The folders that a key is in, the outer ones first. */
function foldersOf(key: string): string[] {
  const separator = about.value?.separator ?? ":";
  const folders: string[] = [];
  for (
    let end = key.indexOf(separator);
    end >= 0 && folders.length < MAX_DEPTH;
    end = key.indexOf(separator, end + separator.length)
  ) folders.push(key.slice(0, end + separator.length));
  return folders;
}

// ---- The open value ----

export const value: Signal<Value | undefined> = signal(undefined);
export const open: Signal<Open | undefined> = signal(undefined);
export const selected: Signal<Path> = signal([]);
/** When parts of the value changed, for those that are in sight. */
export const flashes: Map<string, number> = new Map();
export const rows: ReadonlySignal<Rows | undefined> = computed(() => {
  const { doc, problem } = value.value ?? {};
  return doc && problem === undefined ? new Rows(doc, open.value) : undefined;
});
/** The lines that are in sight, first and last; there may be fewer. */
export const inSight = { first: 0, last: 0 };
/** Who has a path into the value that must follow it. */
const followers: Set<(follow: Follow) => void> = new Set();

/** Tells where a part is now, and what will be changed with more care. */
export type Follow = (path: Path, isStrict?: boolean) => Path | undefined;

/** Calls back when elements may have moved, with where they are now. */
export function onMove(moved: (follow: Follow) => void): () => void {
  followers.add(moved);
  return () => void followers.delete(moved);
}

let loading: Promise<void> | undefined;
let isStale = false;

/** Whether the tree takes the keys as soon as it is there. */
export const isTreeWanted: Signal<boolean> = signal(false);

/** Opens a value. */
export function openKey(key: string): void {
  if (value.value?.key !== key) {
    batch(() => {
      value.value = { key, state: "loading" };
      open.value = { parts: new Map() };
      selected.value = [];
    });
    flashes.clear();
  }
  pane.value = "value";
  void loadValue();
}

/** Opens a value at a part of it. */
export async function openPlace(key: string, path: Path): Promise<void> {
  openKey(key);
  revealKey(key);
  await loadValue();
  if (value.value?.key === key) select(path);
}

/** Selects a part, and opens what it stands in. */
export function select(path: Path): void {
  const doc = value.value?.doc;
  if (!doc) return;
  const there = innermost(doc, path);
  if (there.length > 0) open.value = { ...openUp(open.value, there.slice(0, -1)) };
  selected.value = there;
}

/** Reads the open value again. Those who ask while it is read share the next one. */
export function loadValue(): Promise<void> {
  if (loading !== undefined) isStale = true;
  loading ??= (async () => {
    try {
      do {
        isStale = false;
        const start = performance.now();
        await loadOnce();
        // A long value that changes all the time must not keep the page busy all the time.
        const took = performance.now() - start;
        if (isStale && took > 30) await new Promise((resolve) => setTimeout(resolve, 2 * took));
      } while (isStale);
    } finally {
      loading = undefined;
    }
  })();
  return loading;
}

async function loadOnce(): Promise<void> {
  const asked = value.value;
  if (asked === undefined) return;
  const { key } = asked;
  try {
    const answer = await readValue(key, asked.version);
    if (value.value !== asked) return void (isStale = true); // another one was opened, or the same again
    if ("missing" in answer) {
      value.value = { key, state: "gone" };
      for (const follower of followers) follower(() => undefined);
      return;
    }
    const { version, ttl, problem, text, splice } = answer;
    const expiresAt = ttl === null ? undefined : Date.now() + ttl;
    const before = asked.doc;
    const plain = problem === undefined ? {} : { problem };
    const head = { key, state: "there", version, expiresAt, ...plain } as const;
    if (splice && before) {
      const [start, end, insert] = splice;
      if (version === asked.version) value.value = { ...head, doc: before };
      else {
        const doc = new Document(before.text.slice(0, start) + insert + before.text.slice(end));
        change(head, asked, before, doc, { start, end, length: insert.length });
      }
    } else {
      const doc = new Document(text!);
      if (before) {
        change(head, asked, before, doc, { start: 0, end: before.text.length, length: text!.length });
      } else {
        batch(() => {
          value.value = { ...head, doc };
          if (problem === undefined) open.value = openAtFirst(doc);
        });
      }
    }
    watchExpiry(key, expiresAt);
  } catch (error) {
    if (value.value !== asked) return void (isStale = true);
    if (error instanceof ServerError && error.status === 0) return tell(error);
    const problem = error instanceof Error ? error.message : String(error);
    value.value = { key, state: "failed", problem };
    for (const follower of followers) follower(() => undefined); // what is read next has nothing to be compared with
    if (error instanceof ServerError && error.status === 401) tell(error);
  }
}

/** Opens the outer parts of a value that is new on the page, as long as they are few. */
function openAtFirst(doc: Document): Open {
  const root: Open = { parts: new Map() };
  if (!doc.isContainer(doc.root) || doc.text.length > 200_000) return root;
  let left = 40;
  const visit = (path: Path, depth: number): void => {
    const span = doc.find(path)!;
    if (!doc.isContainer(span)) return;
    const children = doc.childrenOf(span);
    if (children.count > left || depth > 3) return;
    left -= children.count;
    openUp(root, path);
    for (let index = 0; index < children.count; index++) visit([...path, children.segment(index)], depth + 1);
  };
  visit([], 0);
  return root;
}

/** Shows the value as it is now: parts that were open stay open, and what has changed in sight flashes. */
function change(
  head: Omit<Value, "doc">,
  { problem }: Value,
  before: Document,
  doc: Document,
  splice: Splice,
): void {
  if (problem !== undefined || head.problem !== undefined) {
    batch(() => {
      value.value = { ...head, doc };
      if (problem !== undefined && head.problem === undefined) open.value = openAtFirst(doc);
    });
    for (const follower of followers) follower((path) => path.length === 0 ? path : undefined);
    return;
  }
  const old = rows.value!;
  const moved: Follow = (path, isStrict) => follow(path, before, doc, splice, isStrict);
  const seen = new Map<string, { readonly text: string; readonly isOpen: boolean; readonly parts: number }>();
  for (let number = inSight.first; number <= Math.min(inSight.last, old.count - 1); number++) {
    const { path, span, isOpen } = old.at(number);
    const place = moved(path);
    if (!place) continue;
    const parts = isOpen ? before.childrenOf(span).count : 0;
    seen.set(keyOf(place), { text: isOpen ? "" : before.textOf(span), isOpen, parts });
  }
  let next: Open | undefined;
  if (open.value) { for (const path of openPaths(open.value)) next = openMoved(next, moved(path)); }
  batch(() => {
    value.value = { ...head, doc };
    open.value = next;
    selected.value = moved(selected.value) ?? innermost(doc, selected.value);
  });
  const time = performance.now();
  const shown = rows.value!;
  for (let number = inSight.first; number <= Math.min(inSight.last, shown.count - 1); number++) {
    const { path, span, isOpen } = shown.at(number);
    const key = keyOf(path);
    const was = seen.get(key);
    const isSame = was && was.isOpen === isOpen &&
      (isOpen ? was.parts === doc.childrenOf(span).count : was.text === doc.textOf(span));
    if (!isSame) flashes.set(key, time);
    else flashes.delete(key); // what glowed here may have moved on
  }
  noteStep(head.key, before, doc, splice);
  for (const follower of followers) follower(moved);
}

function openMoved(root: Open | undefined, path: Path | undefined): Open | undefined {
  return path === undefined ? root : openUp(root, path);
}

/** The innermost part of a path that is still there. */
function innermost(doc: Document, path: Path): Path {
  let there = path;
  while (there.length > 0 && !doc.find(there)) there = there.slice(0, -1);
  return there;
}

let expiry: ReturnType<typeof setTimeout> | undefined;

/** A server tells late that a key has expired. */
function watchExpiry(key: string, expiresAt: number | undefined): void {
  clearTimeout(expiry);
  if (expiresAt === undefined) return;
  const wait = Math.min(Math.max(expiresAt - Date.now(), 0) + 5, 2 ** 31 - 1);
  expiry = setTimeout(() => {
    if (value.value?.key === key) void loadValue();
  }, wait);
}

// ---- What happens ----

let lastId = 0;

function take(news: readonly News[]): void {
  const added: Entry[] = [];
  let isOpenTouched = false;
  const time = performance.now();
  for (const { key, row, steps = [], count = 0 } of news) {
    const was = items.get(key);
    if (row) items.set(key, itemOf(row));
    else items.delete(key);
    if (key === value.value?.key) isOpenTouched = true;
    if (!row && !was) continue;
    if (row && was && steps.length === 0 && count === 0 && isKnownSame(row, was)) continue;
    for (const place of [...foldersOf(key), ...row ? [key] : []]) keyFlashes.set(place, time);
    const kind = !row ? "gone" : was ? "changed" : "new";
    added.push({ id: ++lastId, time: Date.now(), key, kind, steps, more: count - steps.length });
  }
  bump();
  if (added.length > 0) entries.value = [...added.reverse(), ...entries.value].slice(0, MAX_ENTRIES);
  if (isOpenTouched) void loadValue();
}

/** Whether only the expiry was written. */
function isKnownSame([, bytes]: Row, was: Item): boolean {
  return bytes === was.bytes && bytes <= 4096;
}

/** A long value is told without saying where; the page has both texts. */
function noteStep(key: string, before: Document, doc: Document, splice: Splice): void {
  const index = entries.value.findIndex((entry) => entry.key === key);
  const entry = entries.value[index];
  if (entry?.kind !== "changed" || entry.steps.length > 0) return;
  const path = doc.pathAt(splice.start, splice.start + splice.length);
  const [was, is] = [before.textAt(path), doc.textAt(path)].map((text) =>
    text === undefined ? {} : { text: text.length > 200 ? `${text.slice(0, 200)}...` : text }
  );
  const step = {
    path,
    ...was.text === undefined ? {} : { before: was.text },
    ...is.text === undefined ? {} : { after: is.text },
  };
  entries.value = entries.value.with(index, { ...entry, steps: [step] });
}

/** Says what is wrong, and what to do. */
export function tell(error: unknown): void {
  const { status = -1, message } = error as { readonly status?: number; readonly message: string };
  trouble.value = status === 401
    ? "This page does not know the secret of the inspector. Open the address that json-dict inspect has printed last: " +
      "the secret is its end."
    : status === 0
    ? "The inspector does not answer; it has ended, or this machine was asleep. If it has ended, start json-dict inspect " +
      "again and open the new address."
    : message;
}

/** Keeps up with the server for as long as the page is there; not while nobody sees it. */
export async function keepUp(): Promise<void> {
  let ticks = 0;
  setInterval(() => {
    now.value = Date.now();
    // Where changes are not told, the open value is asked for.
    if (++ticks % POLL === 0 && !isLive.value && about.value && !document.hidden) void loadValue();
    for (const [key, { expiresAt }] of items) {
      if (expiresAt !== undefined && expiresAt + 1000 < now.value) {
        items.delete(key);
        bump();
      }
    }
  }, 1000);
  while (true) {
    await shown();
    const ending = new AbortController();
    const hide = (): void => {
      if (document.hidden) ending.abort();
    };
    document.addEventListener("visibilitychange", hide);
    try {
      await hear(receive, ending.signal);
    } catch (error) {
      isLive.value = false;
      if (!ending.signal.aborted) tell(error);
      if (error instanceof ServerError && error.status === 401) return;
    } finally {
      document.removeEventListener("visibilitychange", hide);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}

function shown(): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) =>
    document.addEventListener("visibilitychange", () => resolve(), { once: true })
  );
}

function receive(message: Message | { readonly about: About }): void {
  if ("about" in message) {
    about.value = message.about;
    trouble.value = undefined;
    isLive.value = true;
    document.title = `${message.about.prefix || message.about.address} - json-dict`;
  } else if ("news" in message) take(message.news);
  else if ("trouble" in message) {
    trouble.value = message.trouble ?? undefined;
    isLive.value = message.trouble === null;
  } else {
    void reloadKeys();
    if (value.value) void loadValue();
  }
}
