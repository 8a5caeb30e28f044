/**
 * Following: live documents that also show what others do.
 *
 * @module
 */

import type { Fragment } from "../data/fragment.ts";
import { freeze, type Frozen, share } from "../data/frozen.ts";
import type { Json } from "../data/json.ts";
import type { Group, Op } from "../data/op.ts";
import { formatPlace, type Path } from "../data/path.ts";
import { type ContainerOf, draftFollowing, type DraftOf, type FollowingRoot } from "../draft/draft.ts";
import { isContainer } from "../draft/proxy.ts";
import { UnavailableError } from "../errors/delivery.ts";
import { StaleError } from "../errors/edit.ts";
import { Replica } from "../replica/replica.ts";
import { type CallOptions, Cancellation } from "../run/cancellation.ts";
import { Deferred } from "../run/deferred.ts";
import type { Line } from "../run/sitting.ts";
import type { Store } from "../store/store.ts";
import { Changes, type Follower } from "./changes.ts";
import { type Reader, type Reading, Readings } from "./readings.ts";

/**
 * A live document that follows what others do, in the form of a store that a user interface subscribes to. Its methods
 * need no `this`. It holds a connection, and itself, until it ends: by its disposal, its signal, or the end of the
 * dictionary.
 *
 * @typeParam V The type of the value.
 */
export interface Following<V> extends AsyncDisposable {
  /**
   * The document: the value as it is now, to be changed like any other. The same object as long as there is an object
   * at the place, or an array, and again when there is one again; `undefined` while there is neither.
   *
   * A part that was read from it, such as `document.runs[0]`, goes on showing what is there. If others have removed,
   * moved or replaced it, it throws {@linkcode StaleError}. A member of an object is known by its name; an element of an
   * array counts as replaced unless most members of it are the same as before.
   *
   * @throws {JsonDictError} While the value cannot be read, as {@linkcode Following.snapshot} does.
   */
  readonly document: DraftOf<ContainerOf<V>> | undefined;
  /**
   * Subscribes to changes of the snapshot.
   *
   * @param listener Called after each change, without arguments. If it throws, that is an unhandled rejection, and the
   * other listeners are called all the same.
   * @returns Ends the subscription. From then on the listener is not called any more.
   */
  subscribe(listener: () => void): () => void;
  /**
   * The value, frozen all the way down: what the server had when it was read last, with what was done to the document
   * since. The same object until something is different, and then every part that is equal is still the same. A burst of
   * changes shows at the end of the turn, all at once.
   *
   * @returns The value, also one that is neither object nor array; `undefined` while there is none.
   * @throws {CorruptValueError} While the text in Redis is not JSON.
   * @throws {TypeMismatchError} While the path leads through a scalar.
   * @throws {WrongTypeError} While the key is no Redis string.
   * @throws {UnavailableError} Once the server tells no more of changes; it has ended then.
   */
  snapshot(): Frozen<V> | undefined;
  /**
   * Waits until all changes of the document are in Redis and the snapshot shows a state of the server that is no older.
   * `settled()` of the dictionary waits for that, too.
   *
   * @throws {JsonDictError} If a change failed, and that was not reported yet. Then the document shows what the server
   * has, and can be changed again.
   * @throws {TimeoutError} If the changes are in Redis, but the value cannot be read in time.
   */
  settled(): Promise<void>;
}

/** What a document shows. */
type Shown = { readonly value: Json | undefined } | { readonly error: unknown };

/** A listener, and what was shown when it was called last. */
interface Subscription {
  readonly listener: () => void;
  seen: Shown;
}

/** The key of the value in the replicas, which know nothing of what is around it. */
const KEY = "";
/** Below this a reading needs no pause, in milliseconds. */
const SHORT = 1;

/**
 * A document. What is read is the base: the text that the server had behind the bursts that were issued before. The
 * bursts that were issued since then are applied to it here, as the server will.
 */
class FollowedDocument implements Reader, Follower {
  readonly #store: Store;
  readonly #path: Path;
  readonly #readings: Readings;
  readonly #changes: Changes;
  readonly #opened: Deferred<void> = new Deferred();
  /** The text that the drafts show, as far as it is known what the server does to it. */
  #replica: Replica = new Replica([[KEY, null]]);
  /** The bursts since the last read was issued. */
  #since: { readonly group: Group; readonly line: Line }[] = [];
  /** How many bursts there were, and how many of them are in what is shown. */
  #issued: number = 0;
  #covered: number = 0;
  /** Who waits until a burst is in what is shown. */
  readonly #waiting: Set<{ readonly burst: number; readonly shown: Deferred<void> }> = new Set();
  /** The drafts of an object and of an array. Only one of them can be used. */
  readonly #roots: Map<boolean, FollowingRoot> = new Map();
  #root: FollowingRoot | undefined;
  /** What there is where there is no root. */
  #other: Shown = { value: undefined };
  #shown: Shown = { value: undefined };
  #isAnnouncing: boolean = false;
  readonly #subscriptions: Set<Subscription> = new Set();
  #isOver: boolean = false;

  constructor(store: Store, path: Path, options: Pick<CallOptions, "signal">) {
    this.#store = store;
    this.#path = path;
    this.#changes = new Changes(store, path, this);
    this.#readings = new Readings(store, path, options, this);
    this.#follow();
  }

  /** Resolves when it shows something. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get document(): unknown {
    if (this.#root === undefined && "error" in this.#other) throw this.#other.error;
    return this.#root?.draft;
  }

  snapshot(): Json | undefined {
    if ("error" in this.#shown) throw this.#shown.error;
    return this.#shown.value;
  }

  subscribe(listener: () => void): () => void {
    if (typeof listener !== "function") {
      throw new TypeError(`Cannot subscribe: received ${typeof listener}, expected a function`);
    }
    const subscription = { listener, seen: this.#shown };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  settled(): Promise<void> {
    return this.#changes.settled();
  }

  async dispose(): Promise<void> {
    this.#store.bursts.send();
    const left = this.#readings[Symbol.asyncDispose]();
    try {
      await this.#changes.settled();
    } finally {
      await left;
      this.#end();
    }
  }

  // ---- What its changes need of it ----

  get isUpToDate(): boolean {
    return this.#covered >= this.#issued;
  }

  issued(group: Group, line: Line): Promise<void> {
    const burst = { group: group.map((op) => ({ ...op, path: this.#inside(op.path) } as Op)), line };
    this.#since.push(burst);
    // case: the server will refuse it, as far as is known here, so that the drafts show what there never was.
    if (!isApplied(this.#replica.apply(burst.group))) this.#replica = new Replica();
    return this.#untilShown();
  }

  dropped(): Promise<void> {
    this.#replica = new Replica();
    return this.#untilShown();
  }

  /** Counts a burst. Resolves when what is shown was read behind it. */
  #untilShown(): Promise<void> {
    this.#issued++;
    this.#announceSoon();
    if (this.#isOver) return Promise.resolve();
    const shown = new Deferred<void>();
    this.#waiting.add({ burst: this.#issued, shown });
    this.#readings.again();
    return shown.promise;
  }

  /** A path from the value instead of from the dictionary. */
  #inside(path: Path): Path {
    return [KEY, ...path.slice(this.#path.length)];
  }

  // ---- What is read ----

  begin(): number {
    this.#since = [];
    return this.#issued;
  }

  missed(covers: number, error: unknown): void {
    this.#answer(covers, ({ reject }) => reject(error));
  }

  async #follow(): Promise<void> {
    try {
      for (let next = await this.#readings.next(); !next.done; next = await this.#readings.next()) {
        const startedAt = performance.now();
        this.#take(next.value);
        this.#opened.resolve();
        // Large values that change all the time leave as much time to the program as they take.
        const duration = performance.now() - startedAt;
        if (duration >= SHORT) this.#readings.rest(duration);
      }
      const cause = new Error("The dictionary was closed");
      const data = { operation: "live", path: this.#path, reason: "CLOSED", cause };
      this.#opened.reject(new UnavailableError(data));
    } catch (error) {
      this.#opened.reject(error);
      this.#replace(undefined, { error }, () => error as Error);
      this.#answer(Infinity, ({ reject }) => reject(error));
    }
    this.#end();
    this.#announce();
  }

  #take({ found, covers, isCertain }: Reading): void {
    this.#store.bursts.send(); // so that nothing of it is lost with the drafts that are replaced
    // case: it was sent again, and perhaps saw bursts that were issued later.
    if (!isCertain && this.#since.length > 0) return this.#readings.again();
    if ("error" in found) this.#fail(found.error);
    else this.#show(found.text);
    this.#covered = covers;
    this.#announce();
    this.#answer(covers, ({ resolve }) => resolve());
  }

  /** Shows a text that was read, with the bursts that were issued since. */
  #show(read: string | undefined): void {
    const replica = new Replica([[KEY, read ?? null]]);
    for (const { group, line } of this.#since) {
      // Of a line, what comes behind a burst that is refused is not applied.
      if (!line.isBroken && !isApplied(replica.apply(group))) break;
    }
    const text = replica.text(KEY)!;
    const isKnown = !("error" in this.#other) && this.#replica.text(KEY) === text;
    this.#replica = replica;
    if (isKnown) return;
    if (text === null) return this.#replace(undefined, { value: undefined });
    let fragment: Fragment;
    try {
      fragment = this.#store.codec.fragment(text, "live", this.#path);
    } catch (error) {
      return this.#fail(error);
    }
    const before = this.#root?.snapshot();
    fragment = fragment.with(
      freeze(before === undefined ? fragment.value : share(before, fragment.value)),
    );
    const { value } = fragment;
    if (!isContainer(value)) return this.#replace(undefined, { value });
    const isArray = Array.isArray(value);
    const root = this.#roots.get(isArray);
    if (root === undefined) {
      const created = draftFollowing(this.#changes.session, fragment, this.#path, stale);
      this.#roots.set(isArray, created);
      return this.#replace(created, { value: undefined });
    }
    root.rebase(fragment);
    this.#replace(root, { value: undefined });
  }

  #fail(error: unknown): void {
    this.#replace(undefined, { error }, () => error as Error);
  }

  /** Another draft, or none: the one that there was is over. */
  #replace(root: FollowingRoot | undefined, other: Shown, over: (path: Path) => Error = stale): void {
    if (this.#root !== root) this.#root?.retire(over);
    this.#root = root;
    this.#other = other;
  }

  /** Answers those who wait for bursts up to one. */
  #answer(covers: number, answer: (shown: Deferred<void>) => void): void {
    for (const waiting of this.#waiting) {
      if (waiting.burst > covers) continue;
      this.#waiting.delete(waiting);
      answer(waiting.shown);
    }
  }

  // ---- What is shown ----

  #announceSoon(): void {
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    queueMicrotask(() => {
      this.#isAnnouncing = false;
      this.#announce();
    });
  }

  #announce(): void {
    const next: Shown = this.#root ? { value: this.#root.snapshot() } : this.#other;
    if (isSame(this.#shown, next)) return;
    this.#shown = next;
    for (const subscription of [...this.#subscriptions]) {
      // case: a listener has ended this one, or has changed the document and so called it already.
      if (!this.#subscriptions.has(subscription) || subscription.seen === this.#shown) continue;
      subscription.seen = this.#shown;
      try {
        subscription.listener();
      } catch (error) {
        Promise.reject(error); // nobody else would be told
      }
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#store.bursts.send(); // what was done before is still written
    this.#changes.session.end(() =>
      new TypeError(`Cannot use the live document of ${formatPlace(this.#path)}: it is over`)
    );
    this.#answer(Infinity, ({ resolve }) => resolve());
  }
}

function stale(path: Path): Error {
  return new StaleError({ operation: "live", path });
}

function isApplied(replies: readonly string[] | undefined): boolean {
  return replies !== undefined && !replies.some((reply) => reply.startsWith("!"));
}

function isSame(a: Shown, b: Shown): boolean {
  if ("error" in a || "error" in b) {
    return "error" in a && "error" in b && String(a.error) === String(b.error); // each read makes an error of its own
  }
  return Object.is(a.value, b.value);
}

/**
 * Opens a live document that follows. One round trip, and a connection where there is none yet that tells of changes.
 *
 * @param store Where it is.
 * @param path The place.
 * @param call What may end the opening, and the document with it.
 * @returns The document.
 */
export async function openFollowing(store: Store, path: Path, call: CallOptions): Promise<object> {
  store.check();
  if (store.readsReplicas) {
    throw new TypeError(
      'Cannot follow: the client reads from replicas, which may be behind; make it with scaleReads: "master"',
    );
  }
  call.signal?.throwIfAborted();
  const followed = new FollowedDocument(store, path, { signal: call.signal });
  const cancellation = new Cancellation(call);
  try {
    await cancellation.wait(() => {
      cancellation.start();
      return followed.opened;
    });
    followed.snapshot();
  } catch (error) {
    await followed.dispose();
    if (call.signal?.aborted) throw call.signal.reason;
    throw store.within(call).readError(error, "live", path);
  }
  return Object.freeze({
    get document() {
      return followed.document;
    },
    subscribe: (listener: () => void) => followed.subscribe(listener),
    snapshot: () => followed.snapshot(),
    settled: () => followed.settled(),
    [Symbol.asyncDispose]: () => followed.dispose(),
  });
}
