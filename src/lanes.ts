/**
 * Group commit: at most one call of this client is under way for a key; what is issued meanwhile leaves together.
 *
 * That keeps the order of the program without awaiting, and makes a burst on one key one call.
 *
 * @module
 */

import type { Outcome } from "./call.ts";
import type { Group } from "./op.ts";

/** Runs groups as one call; for each group, in order, the outcome, or why there is none. */
export type RunGroups = (groups: readonly Group[]) => Promise<readonly (Outcome | Error)[]>;

/** Some servers take no more than 3,999 arguments in a request (ElastiCache Serverless). */
const MAX_TOKENS = 3000;

interface Work {
  readonly group: Group;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly keys: readonly string[];
  readonly works: Work[];
  /** Reads of this client that come after it. */
  readonly reads: (() => void)[];
  /** Batches that come after it. */
  readonly followers: Batch[];
  tokens: number;
  /** How many batches it waits for. */
  waits: number;
  isRunning: boolean;
}

/** The changes of one client, in a lane for each key. */
export class Lanes {
  readonly #run: RunGroups;
  /** The last unsettled batch of each key. */
  readonly #last: Map<string, Batch> = new Map();

  /** @param run Runs the groups of a batch. */
  constructor(run: RunGroups) {
    this.#run = run;
  }

  /**
   * Queues a group behind all earlier ones of its keys.
   *
   * @returns What became of it.
   */
  commit(group: Group): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const keys = keysOf(group);
      const tokens = group.reduce((sum, op) => sum + op.path.length + 9, 1);
      const batch = this.#openBatch(keys, tokens) ?? this.#newBatch(keys);
      batch.works.push({ group, resolve, reject });
      batch.tokens += tokens;
    });
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
  #openBatch(keys: readonly string[], tokens: number): Batch | undefined {
    const batch = this.#last.get(keys[0]);
    if (batch === undefined || batch.isRunning || batch.tokens + tokens > MAX_TOKENS) return undefined;
    // A read that came after what is in the batch must not see what is not.
    if (batch.reads.length > 0 || batch.keys.length !== keys.length) return undefined;
    return keys.every((key) => this.#last.get(key) === batch) ? batch : undefined;
  }

  #newBatch(keys: readonly string[]): Batch {
    const batch: Batch = {
      keys,
      works: [],
      reads: [],
      followers: [],
      tokens: 0,
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
    try {
      const outcomes = batch.works.length === 0 ? [] : await this.#run(batch.works.map((work) => work.group));
      batch.works.forEach((work, index) => {
        const outcome = outcomes[index];
        if (outcome instanceof Error) work.reject(outcome);
        else work.resolve(outcome);
      });
    } catch (error) {
      for (const work of batch.works) work.reject(error);
    }
    for (const key of batch.keys) if (this.#last.get(key) === batch) this.#last.delete(key);
    for (const read of batch.reads) read();
    for (const follower of batch.followers) if (--follower.waits === 0) this.#start(follower);
  }
}

function keysOf(group: Group): readonly string[] {
  const first = String(group[0].path[0]);
  if (group.every((op) => op.path[0] === first)) return [first];
  return [...new Set(group.map((op) => String(op.path[0])))];
}
