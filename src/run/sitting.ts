/**
 * Sittings: what becomes of a batch in which edits take part.
 *
 * @module
 */

import type { Outcome, Refusal } from "../call/answer.ts";
import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import type { Cancellation } from "./cancellation.ts";
import { Chains } from "./chains.ts";
import { isTransient, NoAnswer, Refused } from "./failure.ts";
import { Room } from "./room.ts";
import { Seat } from "./seat.ts";
import { idOf, Speculation } from "./speculation.ts";

/** What is below the lanes: it sends, and waits for answers. */
export interface Delivery {
  /**
   * Applies groups in one call.
   *
   * @param groups The groups.
   * @param after For each group the places of those before it that must be applied, if it is to be.
   * @param cancellations For each group what may end it, where anything may.
   * @returns For each group its outcome, or why there is none.
   */
  apply(
    groups: readonly Group[],
    after?: readonly (readonly number[])[],
    cancellations?: readonly (Cancellation | undefined)[],
  ): Promise<readonly (Outcome | Error)[]>;
  /**
   * Reads some places at one moment.
   *
   * @param timeout How long it may take, in milliseconds; the time of the dictionary when left out.
   * @returns For each place its text, or why there is none.
   */
  read(places: readonly Path[], timeout?: number): Promise<readonly (string | Refusal)[]>;
}

/** The longest pause before groups are sent again that others were in the way of, in milliseconds. */
const MAX_PAUSE = 100;

/** How many calls of others a pause has room for, where others were in the way twice: about as many as there may be. */
const PATIENCE = 8;

/** How many edits the first call of a batch has; each further one has twice as many, as long as nobody is in the way. */
const FIRST_EDITS = 4;

/** By what the number of edits in a call is divided after a conflict, so that little work is done in vain. */
const RETREAT = 32;

/** For how many times the edits of one call what they look at is read at once. */
const FORESIGHT = 4;

/** Groups of which each is applied only if all before it were. */
export interface Line {
  /** Whether one of them was not applied, or may not have been. */
  isBroken: boolean;
}

/** What a group is answered that was not applied because one of its line before it was not. */
const BROKEN: Outcome = { refusal: { code: "AFTER", index: 0, segment: 0, found: "" }, fresh: [] };

/** A group, and who waits for what becomes of it. */
export interface Work {
  readonly group: Group;
  readonly line?: Line;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
  /** What may end it before its answer. */
  readonly cancellation?: Cancellation;
}

/**
 * Drops a work whose caller waits no more, before it is sent.
 *
 * @returns Whether it was dropped.
 */
export function drop({ cancellation, reject }: Work): boolean {
  if (!cancellation?.isCancelled) return false;
  reject(new NoAnswer(false, false)); // the caller has its error; closing waits for this one
  return true;
}

/** What is sent in one call, and for whom. */
interface Sent {
  readonly work: Work | Seat;
  readonly group: Group;
  readonly after: readonly number[];
}

/** One call. */
interface Gathered {
  readonly sent: readonly Sent[];
  /** How many of what is sent are groups of edits. */
  readonly edits: number;
  /** What is read afresh behind it, where a group was refused. */
  readonly places: Places;
  /** What is left for later calls. */
  readonly rest: readonly (Work | Seat)[];
}

/**
 * A batch with edits in it. Each edit sees what those before it leave, and its group is chained to those on which it
 * builds: the server applies it only if it has applied them. What was not applied for that reason is sent again at
 * once, in order, on what is there by then.
 */
export class Sitting {
  readonly #delivery: Delivery;
  readonly #speculation: Speculation = new Speculation();
  /** How often others were in the way, one time after the other. */
  #conflicts: number = 0;
  /** How many edits a call may have: the fewer, the shorter is the time in which others can get in the way. */
  #limit: number = FIRST_EDITS;

  /** @param delivery What sends. */
  constructor(delivery: Delivery) {
    this.#delivery = delivery;
  }

  /** Runs works until all of them are settled. */
  async run(works: readonly (Work | Seat)[]): Promise<void> {
    let waiting = works;
    while (waiting.length > 0) {
      const startedAt = performance.now();
      const { sent, rest, places, edits } = await this.#gather(waiting);
      const again = sent.length === 0 ? [] : await this.#send(sent, places);
      waiting = [...again, ...rest];
      if (again.length > 0) await this.#yield(performance.now() - startedAt, sent.length, again);
      else this.#limit = 2 * Math.min(this.#limit, Math.max(edits, FIRST_EDITS));
    }
  }

  /** Collects one call. */
  async #gather(
    waiting: readonly (Work | Seat)[],
  ): Promise<Gathered> {
    const sent: Sent[] = [];
    const chains = new Chains();
    const room = new Room([]);
    const places = new Places(room);
    const lines = new Map<Line, number>();
    let next = 0;
    let edits = 0;
    for (; next < waiting.length; next++) {
      const work = waiting[next];
      const isEdit = work instanceof Seat;
      const line = isEdit ? undefined : work.line;
      if (line?.isBroken) {
        (work as Work).resolve(BROKEN);
        continue;
      }
      if (!isEdit && drop(work)) continue;
      const isFirst = sent.length === 0;
      // What an edit will say cannot be kept for another call, so there must be room for it before it is asked.
      const fits = isEdit ? edits < this.#limit && places.fits(work.places) : room.fits(new Room(work.group));
      if (!isFirst && !fits) break;
      const group = isEdit ? await this.#ask(work, waiting, next, isFirst) : work.group;
      if (group === "later") break;
      if (group === undefined) continue;
      if (isEdit) {
        edits++;
        places.add(work.places);
      }
      const ahead = line && lines.get(line);
      const after = chains.add(sent.length, group, !isEdit && ahead === undefined);
      room.add(new Room(group, after.length + (line ? 1 : 0)));
      if (line) lines.set(line, sent.length);
      sent.push({ work, group, after: ahead === undefined ? after : [...new Set([...after, ahead])] });
      this.#speculation.apply(group);
    }
    return { sent, edits, places, rest: waiting.slice(next) };
  }

  /**
   * Asks an edit for its group: nothing if it has none, `"later"` if others must be sent first.
   *
   * @param index Where it is among those that wait.
   */
  async #ask(
    seat: Seat,
    waiting: readonly (Work | Seat)[],
    index: number,
    isFirst: boolean,
  ): Promise<Group | "later" | undefined> {
    while (!seat.isLeft) {
      let view = this.#speculation.view(seat.places);
      if (view === undefined) {
        if (!isFirst) return "later";
        if (!await this.#look(seat, waiting.slice(index))) return undefined;
        view = this.#speculation.view(seat.places)!;
      }
      const decision = await seat.ask(view);
      if (decision === "left") return undefined;
      if (decision !== "again") return decision.group;
    }
    return undefined;
  }

  /** Reads what an edit looks at, and what those behind it look at, at one moment. Returns whether it could. */
  async #look(seat: Seat, behind: readonly (Work | Seat)[]): Promise<boolean> {
    const places = new Places(new Room([]));
    places.add(seat.places);
    for (const other of behind.slice(0, FORESIGHT * this.#limit)) {
      if (!(other instanceof Seat) || other.isLeft) continue;
      if (!places.fits(other.places)) break;
      places.add(other.places);
    }
    try {
      const { paths } = places;
      this.#speculation.take(paths, await this.#delivery.read(paths, seat.timeout));
      return true;
    } catch (error) {
      seat.fail(error);
      // The others would wait as long for the same: one after the other, all their times together.
      const isAway = error instanceof NoAnswer || error instanceof Refused && isTransient(error);
      if (isAway) { for (const work of behind) if (work instanceof Seat) work.fail(error); }
      return false;
    }
  }

  /** Sends one call. Returns what is to be sent again. */
  async #send(sent: readonly Sent[], places: Places): Promise<(Work | Seat)[]> {
    const { paths } = places;
    const groups = sent.map(({ group }) => group);
    if (paths.length > 0) groups.push(paths.map(fresh));
    let outcomes: readonly (Outcome | Error)[];
    try {
      const cancellations = cancellationsOf(sent.map(({ work }) => work));
      outcomes = await this.#delivery.apply(groups, sent.map(({ after }) => after), cancellations);
    } catch (error) {
      this.#speculation.forget();
      for (const { work } of sent) fail(work, error);
      return [];
    }
    const last = paths.length > 0 ? outcomes[sent.length] : undefined;
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
      if (work instanceof Seat) work.answer(places.withFresh(outcome, work.places, answers));
      else if (!isOrphaned) work.resolve(outcome);
    });
    if (isAsExpected) {
      this.#speculation.confirm();
      this.#conflicts = 0;
    } else if (answers.length > 0) {
      this.#speculation.take(paths, answers);
    } else {
      this.#speculation.forget();
    }
    return again;
  }

  /**
   * Lets others go on who are in the way: sends less at once, and the second time waits before it does, unless all
   * edits that they were in the way of give up.
   */
  async #yield(duration: number, sent: number, again: readonly (Work | Seat)[]): Promise<void> {
    this.#limit = Math.ceil(sent / RETREAT);
    const longest = Math.min(PATIENCE * duration * (2 ** this.#conflicts++ - 1), MAX_PAUSE);
    if (longest === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause = new Promise<void>((resolve) => timer = setTimeout(resolve, Math.random() * longest));
    await Promise.race([pause, Promise.all(again.map((work) => work instanceof Seat && work.left))]);
    clearTimeout(timer);
    this.#speculation.forget(); // the values may have changed during the pause
  }
}

/** What may end works; nothing where nothing may. */
export function cancellationsOf(
  works: readonly (Work | Seat)[],
): readonly (Cancellation | undefined)[] | undefined {
  if (works.every(({ cancellation }) => cancellation === undefined)) return undefined;
  return works.map(({ cancellation }) => cancellation);
}

/** The op that reads a place behind the groups of a call. */
const fresh = (path: Path): Op => ({ kind: "fresh", path });

/** What edits look at, each place once, and the room that it takes in their call. */
class Places {
  readonly #room: Room;
  readonly #indexes: Map<string, number> = new Map();
  readonly #paths: Path[] = [];

  /** @param room Is charged for each place. */
  constructor(room: Room) {
    this.#room = room;
  }

  get paths(): readonly Path[] {
    return this.#paths;
  }

  /** Whether there is room for the places of another edit. */
  fits(paths: readonly Path[]): boolean {
    return this.#room.fits(new Room(this.#newOf(paths).map(fresh)));
  }

  /** Adds the places of an edit. */
  add(paths: readonly Path[]): void {
    for (const path of this.#newOf(paths)) {
      this.#indexes.set(idOf(path), this.#paths.length);
      this.#paths.push(path);
      this.#room.add(new Room([fresh(path)]));
    }
  }

  /** The outcome of an edit, with what is at its places where it was refused. */
  withFresh(outcome: Outcome, wanted: readonly Path[], answers: readonly (string | Refusal)[]): Outcome {
    if ("results" in outcome) return outcome;
    const found = wanted.map((path) => answers[this.#indexes.get(idOf(path))!]);
    return { refusal: outcome.refusal, fresh: found.filter((answer) => answer !== undefined) };
  }

  #newOf(paths: readonly Path[]): readonly Path[] {
    return paths.filter((path) => !this.#indexes.has(idOf(path)));
  }
}

function fail(work: Work | Seat, error: unknown): void {
  if (work instanceof Seat) work.fail(error);
  else work.reject(error);
}
