/**
 * Group commit: at most one call of this client is under way for a key; what is issued meanwhile leaves together.
 *
 * That keeps the order of the program without awaiting, and makes a burst on one key one call.
 *
 * @module
 */

import type { Outcome } from "./call.ts";
import type { Group, Op } from "./op.ts";

/** Runs groups as one call; for each group, in order, the outcome, or why there is none. */
export type RunGroups = (groups: readonly Group[]) => Promise<readonly (Outcome | Error)[]>;

/** Some servers take no more than 3,999 arguments in a request (ElastiCache Serverless). */
const MAX_TOKENS = 3000;
/** A larger request is no faster, holds the server for longer, and does not fit into one string at some size. */
const MAX_LENGTH = 1024 * 1024;

interface Work {
  readonly group: Group;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly keys: string[];
  readonly works: Work[];
  /** Begins the turn of who decides by then what is sent; resolves when the turn is over. */
  start?: () => Promise<void>;
  /** Reads of this client that come after it. */
  readonly reads: (() => void)[];
  /** Batches that come after it. */
  readonly followers: Batch[];
  tokens: number;
  /** Characters of JSON text. */
  length: number;
  /** How many batches it waits for. */
  waits: number;
  isRunning: boolean;
}

/**
 * A place in the lanes of some keys, held until it is left. All that was issued earlier on them is settled when the
 * turn comes; what is issued later waits.
 */
export interface Turn {
  /** The keys whose lanes it holds. */
  readonly keys: readonly string[];
  /** Resolves when it is its turn. */
  readonly comes: Promise<void>;
  /**
   * Takes more lanes, if nothing is under way or waits in them. It never waits for one lane while it holds another.
   *
   * @returns Whether it holds them now.
   */
  extend(keys: readonly string[]): boolean;
  /**
   * Applies a group whose keys it holds, at once.
   *
   * @returns What became of it.
   */
  commit(group: Group): Promise<Outcome>;
  /** Ends the turn. What was issued later goes on. */
  leave(): void;
}

/** The changes of one client, in a lane for each key. */
export class Lanes {
  readonly #run: RunGroups;
  /** The last unsettled batch of each key. */
  readonly #last: Map<string, Batch> = new Map();
  #issued: number = 0;

  /** @param run Runs the groups of a batch. */
  constructor(run: RunGroups) {
    this.#run = run;
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
  commit(group: Group): Promise<Outcome> {
    const [outcome] = this.commitAll([group], keysOf(group));
    return outcome;
  }

  /**
   * Queues groups behind all earlier ones of some keys, to leave as one call where they fit.
   *
   * @param groups Each is applied or refused by itself.
   * @param keys The keys of all of them, each once.
   * @returns What became of each.
   */
  commitAll(groups: readonly Group[], keys: readonly string[]): Promise<Outcome>[] {
    this.#issued++;
    return groups.map((group) =>
      new Promise((resolve, reject) => {
        let tokens = 1;
        let length = 0;
        for (const op of group) {
          tokens += op.path.length + 9;
          length += lengthOf(op);
        }
        const batch = this.#openBatch(keys, tokens, length) ?? this.#newBatch(keys);
        batch.works.push({ group, resolve, reject });
        batch.tokens += tokens;
        batch.length += length;
      })
    );
  }

  /** Takes a place behind all that was issued earlier on some keys. It must be left. */
  enter(keys: readonly string[]): Turn {
    this.#issued++;
    const batch = this.#newBatch(keys);
    const { promise: comes, resolve: start } = Promise.withResolvers<void>();
    const { promise: isLeft, resolve: leave } = Promise.withResolvers<void>();
    batch.start = () => {
      start();
      return isLeft;
    };
    return {
      keys: batch.keys,
      comes,
      leave,
      extend: (more) => {
        const added = more.filter((key) => !batch.keys.includes(key));
        if (added.some((key) => this.#last.has(key))) return false;
        for (const key of added) this.#last.set(key, batch);
        batch.keys.push(...added);
        return true;
      },
      commit: async (group) => {
        const [outcome] = await this.#run([group]);
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
    };
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
  #openBatch(keys: readonly string[], tokens: number, length: number): Batch | undefined {
    const batch = this.#last.get(keys[0]);
    if (batch === undefined || batch.isRunning || batch.start) return undefined;
    if (batch.tokens + tokens > MAX_TOKENS || batch.length + length > MAX_LENGTH) return undefined;
    // A read that came after what is in the batch must not see what is not.
    if (batch.reads.length > 0 || batch.keys.length !== keys.length) return undefined;
    return keys.every((key) => this.#last.get(key) === batch) ? batch : undefined;
  }

  #newBatch(keys: readonly string[]): Batch {
    const batch: Batch = {
      keys: [...keys],
      works: [],
      reads: [],
      followers: [],
      tokens: 0,
      length: 0,
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
    else if (batch.works.length > 0) await this.#settle(batch.works);
    for (const key of batch.keys) if (this.#last.get(key) === batch) this.#last.delete(key);
    for (const read of batch.reads) read();
    for (const follower of batch.followers) if (--follower.waits === 0) this.#start(follower);
  }

  async #settle(works: readonly Work[]): Promise<void> {
    try {
      const outcomes = await this.#run(works.map((work) => work.group));
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

/** How many characters of values an op sends. */
function lengthOf(op: Op): number {
  if ("items" in op) return op.items.reduce((sum, item) => sum + item.length, 0);
  if ("text" in op) return op.text.length;
  return "value" in op && typeof op.value === "string" ? op.value.length : 0;
}
