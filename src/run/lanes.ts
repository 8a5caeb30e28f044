/**
 * Group commit: at most one call of this dictionary is under way for a key; changes issued meanwhile leave together.
 *
 * That keeps the order of the program without `await`, and turns a burst on one key into one call.
 *
 * @module
 */

import type { Outcome } from "../call/answer.ts";
import { type Group, keysOf } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { Seat } from "./seat.ts";
import { Deferred } from "./deferred.ts";
import { Room } from "./room.ts";
import type { Cancellation } from "./cancellation.ts";
import { cancellationsOf, type Delivery, drop, type Line, Sitting, type Work } from "./sitting.ts";

interface Batch {
  readonly keys: string[];
  /** In order: groups to send, and the seats of edits, which are asked for their groups. */
  readonly works: (Work | Seat)[];
  /** Begins the turn of a caller that sends by itself; resolves when the turn is over. */
  start?: () => Promise<void>;
  /** Reads of this dictionary that come after it. */
  readonly reads: (() => void)[];
  /** Batches that come after it. */
  readonly followers: Batch[];
  /** The room that the works take in a request, as far as that is known. */
  readonly room: Room;
  /** How long the request may take, in milliseconds; the time of the dictionary when left out. */
  readonly timeout: number | undefined;
  /** How many batches it waits for. */
  waits: number;
  isRunning: boolean;
}

/**
 * A place in the lanes of some keys, held until the caller leaves. When the turn comes, all earlier calls on these keys
 * are settled; later ones wait.
 */
export interface Turn {
  /** Resolves when the turn comes. */
  readonly comes: Promise<void>;
  /**
   * Applies a group at once. The turn must hold its keys.
   *
   * @returns The outcome.
   */
  commit(group: Group, cancellation?: Cancellation): Promise<Outcome>;
  /** Ends the turn. Later calls go on. */
  leave(): void;
}

/** The place of an edit in the lanes of some keys. The edit must leave it. */
export interface Part {
  /** The seat of the edit. */
  readonly seat: Seat;
  /** The keys that it may use. */
  readonly keys: readonly string[];
  /**
   * Takes more lanes if they are idle. It never waits for one lane while it holds another.
   *
   * @returns Whether it holds them now.
   */
  extend(keys: readonly string[]): boolean;
}

/** The changes of one dictionary, in a lane for each key. */
export class Lanes {
  readonly #delivery: Delivery;
  /** The last unsettled batch of each key. */
  readonly #last: Map<string, Batch> = new Map();
  #issued: number = 0;

  /** @param delivery Sends the calls. */
  constructor(delivery: Delivery) {
    this.#delivery = delivery;
  }

  /** Counts the changes issued so far: another number means that there are new ones. */
  get issued(): number {
    return this.#issued;
  }

  /** Resolves when all that was issued so far is settled. */
  idle(): Promise<void> {
    return this.after(undefined, () => Promise.resolve());
  }

  /**
   * Queues a group behind all earlier ones of its keys.
   *
   * @param group The group.
   * @param line If one of the line before it is not applied, the group is refused with `AFTER`.
   * @returns What became of it.
   */
  commit(group: Group, cancellation?: Cancellation, line?: Line): Promise<Outcome> {
    this.#issued++;
    return this.#put(group, keysOf(group), cancellation, line);
  }

  /**
   * Queues groups behind all earlier ones of some keys, to leave as one call where they fit.
   *
   * @param groups Each is applied or refused by itself.
   * @param keys The keys of all of them, each once.
   * @param cancellation What may end all of them.
   * @param line The line of all of them, if they have one.
   * @returns What became of each.
   */
  commitAll(
    groups: readonly Group[],
    keys: readonly string[],
    cancellation?: Cancellation,
    line?: Line,
  ): Promise<Outcome>[] {
    this.#issued++;
    return groups.map((group) => this.#put(group, keys, cancellation, line));
  }

  #put(
    group: Group,
    keys: readonly string[],
    cancellation: Cancellation | undefined,
    line: Line | undefined,
  ): Promise<Outcome> {
    const room = new Room(group);
    const timeout = cancellation?.timeout;
    const batch = this.#openBatch(keys, room, timeout) ?? this.#newBatch(keys, timeout);
    batch.room.add(room);
    return new Promise((resolve, reject) => {
      const work: Work = { group, line: undefined, resolve, reject, cancellation };
      batch.works.push(line ? inLine(line, work) : work);
    });
  }

  /** Takes a place behind all earlier calls on some keys, for a caller that sends by itself. The caller must leave it. */
  enter(keys: readonly string[]): Turn {
    this.#issued++;
    const batch = this.#newBatch(keys);
    const { promise: comes, resolve: start } = new Deferred<void>();
    const { promise: isLeft, resolve: leave } = new Deferred<void>();
    batch.start = () => {
      start();
      return isLeft;
    };
    const commit = async (group: Group, cancellation?: Cancellation): Promise<Outcome> => {
      const [outcome] = await this.#delivery.apply([group], undefined, cancellation && [cancellation]);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    };
    return { comes, commit, leave };
  }

  /**
   * Adds an edit to the batch behind all earlier calls on some keys.
   *
   * @param keys The keys.
   * @param places The paths that the edit reads.
   * @param timeout How long it may take, in milliseconds; the time of the dictionary when left out.
   */
  join(keys: readonly string[], places: readonly Path[], timeout?: number): Part {
    this.#issued++;
    const batch = this.#openBatch(keys, new Room([]), timeout) ?? this.#newBatch(keys, timeout);
    const seat = new Seat(places, timeout);
    batch.works.push(seat);
    const extend = (more: readonly string[]): boolean => {
      const added = more.filter((key) => !batch.keys.includes(key));
      if (added.some((key) => this.#last.has(key))) return false;
      for (const key of added) this.#last.set(key, batch);
      batch.keys.push(...added);
      return true;
    };
    return { seat, keys: batch.keys, extend };
  }

  /**
   * Runs a read after all earlier changes of its keys are settled, and before later ones are sent.
   *
   * @param keys The keys that are read; all when left out.
   * @param read Sends the read.
   * @returns What the read returned.
   */
  after<R>(keys: readonly string[] | undefined, read: () => Promise<R>): Promise<R> {
    const batches = new Set<Batch>();
    for (const key of keys ?? this.#last.keys()) {
      const batch = this.#last.get(key);
      if (batch) batches.add(batch);
    }
    if (batches.size === 0) return read();
    return new Promise((resolve, reject) => {
      const names = keys === undefined ? [] : [...new Set(keys)];
      if (names.length > 1) {
        // case: a read of an idle key and a busy one. Later changes must wait for it on both.
        this.#newBatch(names).reads.push(() => read().then(resolve, reject));
        return;
      }
      let waits = batches.size;
      const settled = (): void => {
        if (--waits === 0) read().then(resolve, reject);
      };
      for (const batch of batches) batch.reads.push(settled);
    });
  }

  /** The last batch of the keys, if it is the same for all of them, has not left yet and has room. */
  #openBatch(keys: readonly string[], room: Room, timeout: number | undefined): Batch | undefined {
    const batch = this.#last.get(keys[0]);
    if (batch === undefined || batch.isRunning || batch.start || !batch.room.fits(room)) return undefined;
    if (batch.timeout !== timeout) return undefined;
    // A read behind the batch must not see changes that were issued after the read.
    if (batch.reads.length > 0 || batch.keys.length !== keys.length) return undefined;
    return keys.every((key) => this.#last.get(key) === batch) ? batch : undefined;
  }

  #newBatch(keys: readonly string[], timeout?: number): Batch {
    const batch: Batch = {
      keys: [...keys],
      works: [],
      reads: [],
      followers: [],
      room: new Room([]),
      timeout,
      waits: 0,
      isRunning: false,
    };
    const earlier = new Set<Batch>();
    for (const key of keys) {
      const last = this.#last.get(key);
      if (last !== undefined && last !== batch) earlier.add(last);
      this.#last.set(key, batch);
    }
    for (const last of earlier) last.followers.push(batch);
    batch.waits = earlier.size;
    // In a microtask, so that a burst of calls without await leaves as one.
    if (batch.waits === 0) queueMicrotask(() => this.#start([batch]));
    return batch;
  }

  /** Starts batches whose turn it is. */
  #start(ready: readonly Batch[]): void {
    for (const batch of ready) {
      batch.isRunning = true;
      const running = this.#run(batch);
      if (running) running.then(() => this.#finish(batch));
      else this.#finish(batch);
    }
  }

  /** Runs a batch. Nothing where it has only reads. */
  #run({ start, works }: Batch): Promise<void> | undefined {
    if (start) return start();
    if (works.length === 0) return undefined;
    const isSimple = (work: Work | Seat): work is Work => !(work instanceof Seat || work.line);
    return works.every(isSimple) ? this.#settle(works) : new Sitting(this.#delivery).run(works);
  }

  /** Ends a batch, sends the reads behind it, and starts what comes then. */
  #finish(batch: Batch): void {
    for (const key of batch.keys) if (this.#last.get(key) === batch) this.#last.delete(key);
    for (const read of batch.reads) read();
    const next = batch.followers.filter((follower) => --follower.waits === 0);
    // Reads are sent in a microtask, and before what follows, which may wait for other batches that end now, too.
    if (next.length > 0) queueMicrotask(() => this.#start(next));
  }

  async #settle(all: readonly Work[]): Promise<void> {
    const works = all.filter((work) => !drop(work));
    if (works.length === 0) return;
    try {
      const groups = works.map((work) => work.group);
      const outcomes = await this.#delivery.apply(groups, undefined, cancellationsOf(works));
      works.forEach((work, index) => {
        const outcome = outcomes[index];
        if (outcome instanceof Error) work.reject(outcome);
        else work.resolve(outcome);
      });
    } catch (error) {
      for (const work of works) work.reject(error);
    }
  }
}

/** Breaks the line at once when a work of it fails: what comes behind may be sent before any promise reports it. */
function inLine(line: Line, { group, resolve, reject, cancellation }: Work): Work {
  return {
    group,
    line,
    cancellation,
    resolve(outcome) {
      if ("refusal" in outcome) line.isBroken = true;
      resolve(outcome);
    },
    reject(error) {
      line.isBroken = true;
      reject(error);
    },
  };
}
