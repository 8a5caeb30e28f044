/**
 * Group commit: at most one call of this client is under way for a key; what is issued meanwhile leaves together.
 *
 * That keeps the order of the program without awaiting, and makes a burst on one key one call.
 *
 * @module
 */

import type { Outcome } from "../call/answer.ts";
import type { Group } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { Seat } from "./seat.ts";
import { Room } from "./room.ts";
import { NoAnswer } from "./failure.ts";
import type { Cancellation } from "./cancellation.ts";
import { cancellationsOf, type Delivery, Sitting, type Work } from "./sitting.ts";

interface Batch {
  readonly keys: string[];
  /** What is sent, or asked what it sends, in order. */
  readonly works: (Work | Seat)[];
  /** Begins the turn of who decides by then what is sent; resolves when the turn is over. */
  start?: () => Promise<void>;
  /** Reads of this client that come after it. */
  readonly reads: (() => void)[];
  /** Batches that come after it. */
  readonly followers: Batch[];
  /** What the works take of a request, as far as that is known. */
  readonly room: Room;
  /** How long the request may take, in milliseconds; the time of the dictionary when left out. */
  readonly timeout: number | undefined;
  /** How many batches it waits for. */
  waits: number;
  isRunning: boolean;
}

/**
 * A place in the lanes of some keys, held until it is left. All that was issued earlier on them is settled when the
 * turn comes; what is issued later waits.
 */
export interface Turn {
  /** Resolves when it is its turn. */
  readonly comes: Promise<void>;
  /**
   * Applies a group whose keys it holds, at once.
   *
   * @returns What became of it.
   */
  commit(group: Group, cancellation?: Cancellation): Promise<Outcome>;
  /** Ends the turn. What was issued later goes on. */
  leave(): void;
}

/** The part of an edit in the lanes of some keys. It must be left. */
export interface Part {
  /** Where it looks, and decides. */
  readonly seat: Seat;
  /** The keys that it may use. */
  readonly keys: readonly string[];
  /**
   * Takes more lanes, if nothing is under way or waits in them. It never waits for one lane while it holds another.
   *
   * @returns Whether it holds them now.
   */
  extend(keys: readonly string[]): boolean;
}

/** The changes of one client, in a lane for each key. */
export class Lanes {
  readonly #delivery: Delivery;
  /** The last unsettled batch of each key. */
  readonly #last: Map<string, Batch> = new Map();
  #issued: number = 0;

  /** @param delivery What sends. */
  constructor(delivery: Delivery) {
    this.#delivery = delivery;
  }

  /** How much has been issued so far: another number means that there is something new. */
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
   * @returns What became of it.
   */
  commit(group: Group, cancellation?: Cancellation): Promise<Outcome> {
    const [outcome] = this.commitAll([group], keysOf(group), cancellation);
    return outcome;
  }

  /**
   * Queues groups behind all earlier ones of some keys, to leave as one call where they fit.
   *
   * @param groups Each is applied or refused by itself.
   * @param keys The keys of all of them, each once.
   * @param cancellation What may end all of them.
   * @returns What became of each.
   */
  commitAll(
    groups: readonly Group[],
    keys: readonly string[],
    cancellation?: Cancellation,
  ): Promise<Outcome>[] {
    this.#issued++;
    const timeout = cancellation?.timeout;
    return groups.map((group) =>
      new Promise((resolve, reject) => {
        const room = new Room(group);
        const batch = this.#openBatch(keys, room, timeout) ?? this.#newBatch(keys, timeout);
        batch.works.push({ group, resolve, reject, cancellation });
        batch.room.add(room);
      })
    );
  }

  /** Takes a place of its own behind all that was issued earlier on some keys. It must be left. */
  enter(keys: readonly string[]): Turn {
    this.#issued++;
    const batch = this.#newBatch(keys);
    const { promise: comes, resolve: start } = Promise.withResolvers<void>();
    const { promise: isLeft, resolve: leave } = Promise.withResolvers<void>();
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
   * Takes part in what is sent behind all that was issued earlier on some keys.
   *
   * @param keys The keys.
   * @param places What will be looked at.
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
   * Does a read when all earlier changes of its keys are settled, and before later ones are sent.
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
        // case: a read of an idle key and a busy one. What is issued later must wait for it on both.
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
    // A read that came after what is in the batch must not see what is not.
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
    const earlier = new Set(keys.map((key) => this.#last.get(key)).filter((last) => last !== undefined));
    for (const last of earlier) last.followers.push(batch);
    batch.waits = earlier.size;
    for (const key of keys) this.#last.set(key, batch);
    // At the end of this turn, so that a burst of calls that nobody awaited leaves as one.
    if (batch.waits === 0) queueMicrotask(() => this.#start(batch));
    return batch;
  }

  async #start(batch: Batch): Promise<void> {
    batch.isRunning = true;
    if (batch.start) await batch.start();
    else if (batch.works.some((work) => work instanceof Seat)) {
      await new Sitting(this.#delivery).run(batch.works);
    } else if (batch.works.length > 0) await this.#settle(batch.works as readonly Work[]);
    for (const key of batch.keys) if (this.#last.get(key) === batch) this.#last.delete(key);
    for (const read of batch.reads) read();
    for (const follower of batch.followers) if (--follower.waits === 0) this.#start(follower);
  }

  async #settle(all: readonly Work[]): Promise<void> {
    const works = all.filter(({ cancellation }) => !cancellation?.isCancelled);
    for (const work of all) if (!works.includes(work)) work.reject(new NoAnswer(false, false));
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

function keysOf(group: Group): readonly string[] {
  const first = String(group[0].path[0]);
  if (group.every((op) => op.path[0] === first)) return [first];
  return [...new Set(group.map((op) => String(op.path[0])))];
}
