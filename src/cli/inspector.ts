/**
 * What the page of `inspect` asks for: keys, the text of a value, news, and changes with guards.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { toError } from "../call/answer.ts";
import { decode } from "../data/decoder.ts";
import { encode } from "../data/encoder.ts";
import type { Group, Op } from "../data/op.ts";
import { type Path, readKey, type Segment } from "../data/path.ts";
import type { Tracked } from "../run/tracking.ts";
import { changesOf } from "./changes.ts";
import type { Connection } from "./connection.ts";
import { lineOf } from "./failure.ts";
import { bytesOf, isExact } from "./snapshot.ts";

/** A key of the list: its name, its bytes, and the milliseconds that it has left, `null` for no expiry. */
export type Row = readonly [key: string, bytes: number, ttl: number | null];

/** A value, as its text. */
export type ValueText = {
  readonly key: string;
  /** Milliseconds left, `null` for no expiry. */
  readonly ttl: number | null;
  /** Names this text. */
  readonly version: number;
  /** Why it cannot be shown as a tree, or changed. */
  readonly problem?: string;
  /** The whole text; left out where the page has another version and needs only the difference. */
  readonly text?: string;
  /** From where to where the version that the page has is replaced, and by what. */
  readonly splice?: readonly [start: number, end: number, insert: string];
};

/** What is told of one key. */
export interface News {
  readonly key: string;
  /** What it is now; nothing if it is gone, or no string any more. */
  readonly row?: Row;
  /** In what the value differs, where both are short; the first of them. */
  readonly steps?: readonly Step[];
  /** How many differences there are. */
  readonly count?: number;
}

/** One difference, with texts that may be shortened. */
export interface Step {
  readonly path: Path;
  readonly before?: string;
  readonly after?: string;
}

/** What is told to a page. */
export type Message =
  | { readonly news: readonly News[] }
  /** Any key may be another one. */
  | { readonly all: true }
  /** What is wrong with the connection, `null` when it is well again. */
  | { readonly trouble: string | null };

/** What a change came to. */
export type Result = { readonly done: true } | {
  /** The op that was refused, because something else is there than was seen. */
  readonly conflict: number;
  readonly reason: string;
};

/** Hears of news. */
export type Listener = (message: Message) => void;

/** How many keys are read at once. */
const PAGE = 500;
/** The longest value of which the inspector remembers what it was, to tell in what it changes; and how many of them. */
const SHORT = 4096;
const MAX_KNOWN = 2000;
/** How much text, in characters, and how many versions are kept, so that a page need not read a whole value again. */
const MAX_KEPT = 64_000_000;
const MAX_VERSIONS = 16;
/** How many differences of one value are told, and how much of each text. */
const MAX_STEPS = 8;
const MAX_SHOWN = 200;
/** News of this time are told at once, in milliseconds. */
const PAUSE = 50;
/** How often the connection is looked at, in milliseconds. */
const CHECK = 1000;
/** A timer waits no longer. */
const MAX_DELAY = 2 ** 31 - 1;
const EXACT = { bigints: true };
/** Removes a string if it is the one with a digest. */
const REMOVE = `local text = redis.call('GET', KEYS[1])
if not text or redis.sha1hex(text) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** A text that a value had. */
interface Version {
  readonly key: string;
  readonly version: number;
  readonly text: string;
  /** What is wrong with it, if anything. */
  readonly problem: { readonly problem?: string };
}

/** Serves the pages of one dictionary. */
export class Inspector {
  readonly #connection: Connection;
  readonly #known: Map<string, string> = new Map();
  #versions: Version[] = [];
  #lastVersion: number = 0;
  readonly #listeners: Set<Listener> = new Set();
  #feed: Feed | undefined;

  /** @param connection Where the dictionary is. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * The keys, page by page, in no order.
   *
   * @param contains A text that they hold.
   * @param limit How many at most.
   * @param signal Ends it.
   */
  async *keys(contains: string, limit: number, signal: AbortSignal): AsyncGenerator<readonly Row[]> {
    let page: string[] = [];
    let left = limit;
    for await (const key of this.#connection.dict.keys({ signal })) {
      if (!key.includes(contains)) continue;
      page.push(key);
      if (--left === 0) break;
      if (page.length < PAGE) continue;
      yield await this.#rows(page);
      page = [];
    }
    yield await this.#rows(page);
  }

  /** What there is of some keys; what is gone, or no string, is left out. */
  async #rows(keys: readonly string[]): Promise<Row[]> {
    const { client, prefix } = this.#connection;
    const rows = await this.#connection.answerOf(Promise.all(keys.map(async (key): Promise<Row> => {
      const [bytes, ttl] = await Promise.all([
        client.call("STRLEN", prefix + key).catch(noString),
        client.call("PTTL", prefix + key),
      ]);
      return [key, Number(bytes), Number(ttl) < 0 ? Number(ttl) : Math.max(Number(ttl), 1)];
    })));
    const there = rows.filter(([, bytes, ttl]) => bytes >= 0 && ttl !== -2);
    const short = there.filter(([key, bytes]) => bytes <= SHORT && !this.#known.has(key));
    await this.#remember(short.slice(0, MAX_KNOWN - this.#known.size).map(([key]) => key));
    return there.map(([key, bytes, ttl]) => [key, bytes, ttl === -1 ? null : ttl]);
  }

  /** Remembers short texts, so that the first change of each can be told. */
  async #remember(keys: readonly string[]): Promise<void> {
    const texts = await Promise.all(keys.map((key) => this.#short(key)));
    texts.forEach((text, index) => {
      if (text !== undefined) this.#known.set(keys[index], text);
    });
  }

  async #short(key: string): Promise<string | undefined> {
    const { client, prefix } = this.#connection;
    const text = await this.#connection.answerOf(client.call("GET", prefix + key).catch(() => null));
    return typeof text === "string" && text.length <= SHORT ? text : undefined;
  }

  /**
   * Reads a value as its text.
   *
   * @param key Its key.
   * @param have The version that the page has.
   * @returns The text, or its difference to that version; `undefined` if there is no such key.
   */
  async value(key: string, have?: number): Promise<ValueText | undefined> {
    const { text, ttl } = await this.#connection.store.expiring(readKey(key));
    if (text === undefined) return undefined;
    const { version, problem } = await this.#versionOf(key, text);
    const head = { key, version, ttl: ttl < 0 ? null : ttl, ...problem };
    const had = this.#versions.find((each) => each.key === key && each.version === have);
    return had ? { ...head, splice: spliceOf(had.text, text) } : { ...head, text };
  }

  async #versionOf(key: string, text: string): Promise<Version> {
    const same = this.#versions.find((each) => each.key === key && each.text === text);
    if (same) return same;
    const added = { key, text, problem: await this.#problemOf(key, text), version: ++this.#lastVersion };
    let size = 0;
    this.#versions = [added, ...this.#versions].filter((each, index) => {
      size += each.text.length;
      return index === 0 || index < MAX_VERSIONS && size <= MAX_KEPT;
    });
    return added;
  }

  async #problemOf(key: string, text: string): Promise<{ readonly problem?: string }> {
    try {
      JSON.parse(text);
    } catch (error) {
      return { problem: `It is not JSON: ${lineOf(error)}` };
    }
    const { client, prefix } = this.#connection;
    const isSure = !text.includes("\ufffd") ||
      await this.#connection.answerOf(isExact(client, prefix + key, text));
    return isSure ? {} : { problem: "It holds bytes that are no text in UTF-8; they are shown as \ufffd" };
  }

  /**
   * Applies ops to one value, all of them or none.
   *
   * @param key The key.
   * @param ops The ops, with paths that begin inside of the value.
   * @returns Whether they are applied; not where a guard or a path no longer fits.
   * @throws {TypeError} If they are none.
   */
  async apply(key: string, ops: readonly Op[]): Promise<Result> {
    readKey(key);
    const { store } = this.#connection;
    const group = await store.perform({
      kind: "shorten",
      group: ops.map((op) => ({ ...op, path: [key, ...op.path] })),
    }) as Group;
    const outcome = await store.attempt(group, "set");
    if ("results" in outcome) return { done: true };
    const { refusal } = outcome;
    if (/^(?:TEST|NO_KEY|NOT_FOUND|TYPE|RANGE)$/.test(refusal.code)) {
      const reason = refusal.code === "TEST"
        ? "something else is there by now"
        : lineOf(toError(group[refusal.index], refusal, "set"));
      return { conflict: refusal.index, reason };
    }
    throw toError(group[refusal.index], refusal, "set");
  }

  /**
   * Removes a value that is damaged: ops and their guards need JSON.
   *
   * @param key The key.
   * @param seen Its text, as the page shows it. If other bytes are there by now, they stay.
   * @returns Whether it is removed.
   */
  async removeDamaged(key: string, seen: string): Promise<Result> {
    const { client, prefix } = this.#connection;
    const name = prefix + readKey(key);
    const bytes = await this.#connection.answerOf(bytesOf(client, name));
    if (bytes?.toString() === seen) {
      const digest = createHash("sha1").update(bytes).digest("hex");
      const removed = await this.#connection.answerOf(client.call("EVAL", REMOVE, "1", name, digest));
      if (Number(removed) === 1) return { done: true };
    }
    return { conflict: 0, reason: "something else is there by now" };
  }

  /**
   * Tells of changes, by whomever, until it is left. Once nothing is missed any more it tells that any key may be
   * another one: what is read from then on stays right.
   *
   * @param listener Hears of it.
   * @returns Ends it.
   */
  listen(listener: Listener): () => Promise<void> {
    this.#listeners.add(listener);
    this.#feed ??= new Feed(this.#connection, (keys) => this.#tell(keys), (message) => this.#send(message));
    this.#feed.greet(listener);
    return async () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      const feed = this.#feed;
      this.#feed = undefined;
      await feed?.end();
    };
  }

  #send(message: Message): void {
    for (const listener of this.#listeners) listener(message);
  }

  /** Tells of keys that may have changed. Returns how long the first of them has left. */
  async #tell(keys: readonly string[]): Promise<readonly Row[]> {
    const before = new Map(keys.map((key) => [key, this.#known.get(key)]));
    for (const key of keys) this.#known.delete(key); // so that it is remembered as it is now, as the latest
    const rows = new Map((await this.#rows(keys)).map((row) => [row[0], row]));
    this.#send({
      news: keys.map((key) => newsOf(key, rows.get(key), before.get(key), this.#known.get(key))),
    });
    for (const key of [...this.#known.keys()].slice(0, Math.max(0, this.#known.size - MAX_KNOWN + PAGE))) {
      this.#known.delete(key);
    }
    return [...rows.values()];
  }
}

/** Hears of changes of all keys, and collects them for a moment. */
class Feed {
  readonly #connection: Connection;
  readonly #tell: (keys: readonly string[]) => Promise<readonly Row[]>;
  readonly #send: Listener;
  readonly #tracked: Tracked | undefined;
  readonly #dirty: Set<string> = new Set();
  readonly #expiring: Map<string, ReturnType<typeof setTimeout>> = new Map();
  readonly #checking: ReturnType<typeof setInterval>;
  #isAll: boolean = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isBusy: boolean = false;
  #isOver: boolean = false;
  #failure: string | undefined;
  #trouble: string | null = null;
  #isReady: boolean = false;

  constructor(
    connection: Connection,
    tell: (keys: readonly string[]) => Promise<readonly Row[]>,
    send: Listener,
  ) {
    this.#connection = connection;
    this.#tell = tell;
    this.#send = send;
    this.#checking = setInterval(() => this.#check(), CHECK);
    try {
      this.#tracked = connection.store.track(undefined, {
        changed: (key) => this.#note(key),
        failed: (error) => this.#fail(error),
      }, () => this.end());
      this.#tracked.ready.then(() => this.#begin());
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Tells one that is new what all others know. */
  greet(listener: Listener): void {
    if (this.#trouble !== null) listener({ trouble: this.#trouble });
    if (this.#isReady) listener({ all: true });
  }

  #begin(): void {
    this.#isReady = true;
    this.#note(undefined);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#checking);
    clearTimeout(this.#timer);
    for (const timer of this.#expiring.values()) clearTimeout(timer);
    await this.#tracked?.leave();
  }

  #fail(error: unknown): void {
    const told = lineOf(this.#connection.store.readError(error, "watch", []));
    this.#failure = `Changes are not shown as they happen: ${told}`;
    this.#check();
    this.#begin();
  }

  #check(): void {
    const { client, address } = this.#connection;
    const isLost = client.status !== undefined && !/^(?:ready|connect)$/.test(client.status);
    const trouble = isLost
      ? `The connection to ${address} is lost. It is tried again until it works; is the server running?`
      : this.#failure ?? null;
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#send({ trouble });
    if (trouble === null) this.#note(undefined);
  }

  /** Notes that a key may have changed, or any. */
  #note(key: string | undefined): void {
    if (key === undefined || this.#dirty.size > 10 * PAGE) this.#isAll = true;
    else this.#dirty.add(key);
    this.#plan();
  }

  #plan(): void {
    if (!this.#isBusy && !this.#isOver) this.#timer ??= setTimeout(() => this.#run(), PAUSE);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#isBusy = true;
    try {
      if (this.#isAll) {
        this.#isAll = false;
        this.#dirty.clear();
        this.#send({ all: true });
      }
      const page = [...this.#dirty].slice(0, PAGE);
      for (const key of page) this.#dirty.delete(key); // before it is read: what changes meanwhile is read again
      if (page.length > 0) this.#await(page, await this.#tell(page));
    } catch {
      this.#isAll = true; // the page reads all of it again, and says what is wrong
    } finally {
      this.#isBusy = false;
      if (this.#dirty.size > 0 || this.#isAll) this.#plan();
    }
  }

  /** A server removes what has expired late, and tells only then. */
  #await(keys: readonly string[], rows: readonly Row[]): void {
    for (const key of keys) {
      clearTimeout(this.#expiring.get(key));
      this.#expiring.delete(key);
    }
    if (this.#isOver) return;
    for (const [key, , ttl] of rows) {
      if (ttl === null || this.#expiring.size >= MAX_KNOWN) continue;
      this.#expiring.set(key, setTimeout(() => this.#note(key), Math.min(ttl + 2, MAX_DELAY)));
    }
  }
}

function newsOf(
  key: string,
  row: Row | undefined,
  before: string | undefined,
  after: string | undefined,
): News {
  if (row === undefined) return { key };
  if (before === undefined || after === undefined) return { key, row };
  let changes: ReturnType<typeof changesOf>;
  try {
    changes = changesOf(decode(before, EXACT), decode(after, EXACT));
  } catch {
    return { key, row }; // what is not JSON is shown as what it is
  }
  const steps = changes.slice(0, MAX_STEPS).map(({ kind, path, before, after }): Step => ({
    path: kind === "push" ? [...path, (before as readonly unknown[]).length] : path,
    ...kind === "replace" || kind === "remove" ? { before: shownOf(before) } : {},
    ...kind === "remove" ? {} : { after: kind === "push" ? shownOf(after).slice(1, -1) : shownOf(after) },
  }));
  return { key, row, steps, count: changes.length };
}

function shownOf(value: unknown): string {
  const text = encode(value, EXACT);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}

/** Where the one text differs from the other, as the one piece that is replaced. */
function spliceOf(before: string, after: string): readonly [number, number, string] {
  if (before === after) return [0, 0, ""];
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let end = 0;
  while (
    end < shorter - start &&
    before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)
  ) end++;
  return [start, before.length - end, after.slice(start, after.length - end)];
}

function noString(error: Error): number {
  if (/^WRONGTYPE\b/.test(error.message)) return -1;
  throw error;
}

/** What each kind of op takes beside its path. */
const KINDS: Readonly<Record<string, "value" | "value?" | "items" | "count" | "ttl" | "">> = {
  set: "value",
  add: "value?",
  copy: "",
  delete: "",
  push: "items",
  test: "value",
  length: "count",
  absent: "",
  exists: "",
  expire: "ttl",
  persist: "",
};

/**
 * Reads ops that a page has sent.
 *
 * @param list What it has sent.
 * @returns The ops, each of a kind that the page has use for.
 * @throws {TypeError} If it is no list of such ops.
 */
export function readOps(list: unknown): readonly Op[] {
  if (!Array.isArray(list) || list.length === 0 || list.length > 100) {
    throw new TypeError("Cannot change: expected 1 to 100 ops");
  }
  return list.map(readOp);
}

function readOp(op: unknown): Op {
  const { kind, path, value, items, count, ttl } = Object(op) as Record<string, unknown>;
  const need = typeof kind === "string" && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (need === undefined) throw new TypeError("Cannot change: there is no such op");
  if (!Array.isArray(path) || !path.every(isSegment)) throw new TypeError("Cannot change: there is no path");
  if (need === "value" || need === "value?" && value !== undefined) {
    return { kind, path, value: readText(value), ...kind === "test" ? { by: "bytes" } : {} } as Op;
  }
  if (need === "items") {
    if (!Array.isArray(items)) throw new TypeError("Cannot change: there are no items");
    return { kind: "push", path, items: items.map(readText) };
  }
  if (need === "count") return { kind: "length", path, value: readNumber(count, 0) };
  if (need === "ttl") return { kind: "expire", path, ttl: readNumber(ttl, 1) };
  return { kind, path } as Op;
}

function isSegment(segment: unknown): segment is Segment {
  return typeof segment === "string" || typeof segment === "number" && Number.isSafeInteger(segment);
}

function readNumber(value: unknown, least: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
  throw new TypeError(`Cannot change: expected an integer from ${least} on`);
}

/** JSON text, as it is, but for what UTF-8 cannot carry. */
function readText(text: unknown): string {
  if (typeof text !== "string") throw new TypeError("Cannot change: a value is a text");
  try {
    JSON.parse(text);
  } catch (error) {
    throw new TypeError(`Cannot change: it is not JSON: ${lineOf(error)}`);
  }
  return text.replace(
    /\p{Surrogate}/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16)}`,
  );
}
