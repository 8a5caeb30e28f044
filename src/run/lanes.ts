/**
 * Group commit: at most one call of this client is under way for a key; what is issued meanwhile leaves together.
 *
 * That keeps the order of the program without awaiting, and makes a burst on one key one call.
 *
 * @module
 */

import type { Outcome, Refusal } from "../call/answer.ts";
import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { Seat } from "./seat.ts";
import { Chains, idOf, Speculation } from "./speculation.ts";

/** What is below the lanes: it sends, and waits for answers. */
export interface Delivery {
  /**
   * Applies groups in one call.
   *
   * @param groups The groups.
   * @param after For each group the places of those before it that must be applied, if it is to be.
   * @returns For each group its outcome, or why there is none.
   */
  apply(
    groups: readonly Group[],
    after?: readonly (readonly number[])[],
  ): Promise<readonly (Outcome | Error)[]>;
  /**
   * Reads some places at one moment.
   *
   * @returns For each place its text, or why there is none.
   */
  read(places: readonly Path[]): Promise<readonly (string | Refusal)[]>;
}

/** Some servers take no more than 3,999 arguments in a request (ElastiCache Serverless). */
const MAX_TOKENS = 3000;
/** A larger request is no faster, holds the server for longer, and does not fit into one string at some size. */
const MAX_LENGTH = 1024 * 1024;
/** The longest pause before groups are sent again that others were in the way of, in milliseconds. */
const MAX_PAUSE = 100;

/** How many edits the first call of a batch has; each further one has twice as many, as long as nobody is in the way. */
const FIRST_EDITS = 32;

interface Work {
  readonly group: Group;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

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
  commit(group: Group): Promise<Outcome>;
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
        const room = new Room(group);
        const batch = this.#openBatch(keys, room) ?? this.#newBatch(keys);
        batch.works.push({ group, resolve, reject });
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
    const commit = async (group: Group): Promise<Outcome> => {
      const [outcome] = await this.#delivery.apply([group]);
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
   */
  join(keys: readonly string[], places: readonly Path[]): Part {
    this.#issued++;
    const batch = this.#openBatch(keys, new Room([])) ?? this.#newBatch(keys);
    const seat = new Seat(places);
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
  #openBatch(keys: readonly string[], room: Room): Batch | undefined {
    const batch = this.#last.get(keys[0]);
    if (batch === undefined || batch.isRunning || batch.start || !batch.room.fits(room)) return undefined;
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
      room: new Room([]),
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

  async #settle(works: readonly Work[]): Promise<void> {
    try {
      const outcomes = await this.#delivery.apply(works.map((work) => work.group));
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

/** What a call takes of a request. */
class Room {
  #tokens: number = 1;
  /** Characters of JSON text. */
  #length: number = 0;

  constructor(group: Group) {
    for (const op of group) {
      this.#tokens += op.path.length + 9;
      this.#length += lengthOf(op);
    }
  }

  /** Adds what another one takes. */
  add(other: Room): void {
    this.#tokens += other.#tokens;
    this.#length += other.#length;
  }

  /** Whether there is room for another one. */
  fits(other: Room): boolean {
    return this.#tokens + other.#tokens <= MAX_TOKENS && this.#length + other.#length <= MAX_LENGTH;
  }
}

/** What is sent in one call, and for whom. */
interface Sent {
  readonly work: Work | Seat;
  readonly group: Group;
  readonly after: readonly number[];
}

/**
 * A batch with edits in it. Each edit sees what those before it leave, and its group is chained to those on which it
 * builds: the server applies it only if it has applied them. What was not applied for that reason is sent again at
 * once, in order, on what is there by then.
 */
class Sitting {
  readonly #delivery: Delivery;
  readonly #speculation: Speculation = new Speculation();
  /** How often others were in the way, one time after the other. */
  #conflicts: number = 0;
  /** How many edits a call may have: the fewer, the shorter is the time in which others can get in the way. */
  #limit: number = FIRST_EDITS;

  constructor(delivery: Delivery) {
    this.#delivery = delivery;
  }

  /** Runs works until all of them are settled. */
  async run(works: readonly (Work | Seat)[]): Promise<void> {
    let waiting = works;
    while (waiting.length > 0) {
      const startedAt = performance.now();
      const { sent, rest } = await this.#gather(waiting);
      const again = sent.length === 0 ? [] : await this.#send(sent, waiting);
      waiting = [...again, ...rest];
      if (again.length > 0) await this.#yield(performance.now() - startedAt, sent.length);
      else this.#limit *= 2;
    }
  }

  /** Collects one call. */
  async #gather(
    waiting: readonly (Work | Seat)[],
  ): Promise<{ readonly sent: Sent[]; readonly rest: readonly (Work | Seat)[] }> {
    const sent: Sent[] = [];
    const chains = new Chains();
    const room = new Room([]);
    let next = 0;
    let edits = 0;
    for (; next < waiting.length; next++) {
      const work = waiting[next];
      const isFirst = sent.length === 0;
      // What an edit will say cannot be kept for another call, so there must be room for it before it is asked.
      const known = work instanceof Seat ? [] : work.group;
      if (!isFirst && (!room.fits(new Room(known)) || edits >= this.#limit)) break;
      const group = work instanceof Seat ? await this.#ask(work, waiting, isFirst) : known;
      if (group === "later") break;
      if (group === undefined) continue;
      room.add(new Room(group));
      if (work instanceof Seat) edits++;
      const after = chains.add(sent.length, group, !(work instanceof Seat));
      sent.push({ work, group, after });
      this.#speculation.apply(group);
    }
    return { sent, rest: waiting.slice(next) };
  }

  /** Asks an edit for its group: nothing if it has none, `"later"` if others must be sent first. */
  async #ask(
    seat: Seat,
    waiting: readonly (Work | Seat)[],
    isFirst: boolean,
  ): Promise<Group | "later" | undefined> {
    while (!seat.isLeft) {
      let view = this.#speculation.view(seat.places);
      if (view === undefined) {
        if (!isFirst) return "later";
        if (!await this.#look(waiting, seat)) return undefined;
        view = this.#speculation.view(seat.places)!;
      }
      const decision = await seat.ask(view);
      if (decision === "left") return undefined;
      if (decision !== "again") return decision.group;
    }
    return undefined;
  }

  /** Reads all that the edits look at, at one moment. */
  async #look(waiting: readonly (Work | Seat)[], asking: Seat): Promise<boolean> {
    try {
      const places = placesOf(waiting);
      this.#speculation.take(places, await this.#delivery.read(places));
      return true;
    } catch (error) {
      asking.fail(error);
      return false;
    }
  }

  /** Sends one call. Returns what is to be sent again. */
  async #send(sent: readonly Sent[], waiting: readonly (Work | Seat)[]): Promise<(Work | Seat)[]> {
    const places = placesOf(waiting);
    const groups = sent.map(({ group }) => group);
    if (places.length > 0) groups.push(places.map((path): Op => ({ kind: "fresh", path })));
    let outcomes: readonly (Outcome | Error)[];
    try {
      outcomes = await this.#delivery.apply(groups, sent.map(({ after }) => after));
    } catch (error) {
      this.#speculation.forget();
      for (const { work } of sent) fail(work, error);
      return [];
    }
    const last = places.length > 0 ? outcomes[sent.length] : undefined;
    const answers = last === undefined || last instanceof Error
      ? []
      : "results" in last
      ? last.results
      : last.fresh;
    const again: (Work | Seat)[] = [];
    let isAsExpected = true;
    sent.forEach(({ work }, index) => {
      const outcome = outcomes[index];
      if (outcome instanceof Error) {
        isAsExpected = false;
        return fail(work, outcome);
      }
      const isOrphaned = "refusal" in outcome && outcome.refusal.code === "AFTER";
      if ("refusal" in outcome) isAsExpected = false;
      if (isOrphaned || work instanceof Seat && "refusal" in outcome) again.push(work);
      if (work instanceof Seat) work.answer(withFresh(outcome, work.places, places, answers));
      else if (!isOrphaned) work.resolve(outcome);
    });
    if (isAsExpected) {
      this.#speculation.confirm();
      this.#conflicts = 0;
    } else if (answers.length > 0) {
      this.#speculation.take(places, answers);
    } else {
      this.#speculation.forget();
    }
    return again;
  }

  /** Lets others go on who are in the way: sends less at once, and the second time waits before it does. */
  async #yield(duration: number, sent: number): Promise<void> {
    this.#limit = Math.ceil(sent / 8);
    const longest = Math.min(duration * (2 ** this.#conflicts++ - 1), MAX_PAUSE);
    if (longest === 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
    this.#speculation.forget(); // what was fresh before the pause is so no more
  }
}

/** All that edits look at, each place once. */
function placesOf(works: readonly (Work | Seat)[]): Path[] {
  const places = new Map<string, Path>();
  for (const work of works) {
    if (!(work instanceof Seat) || work.isLeft) continue;
    for (const path of work.places) places.set(idOf(path), path);
  }
  return [...places.values()];
}

/** The outcome of an edit, with what is at its places where it was refused. */
function withFresh(
  outcome: Outcome,
  wanted: readonly Path[],
  places: readonly Path[],
  answers: readonly (string | Refusal)[],
): Outcome {
  if ("results" in outcome) return outcome;
  const fresh = wanted.map((path) => answers[places.findIndex((place) => idOf(place) === idOf(path))]);
  return { refusal: outcome.refusal, fresh: fresh.filter((answer) => answer !== undefined) };
}

function fail(work: Work | Seat, error: unknown): void {
  if (work instanceof Seat) work.fail(error);
  else work.reject(error);
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
