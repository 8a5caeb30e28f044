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
    const lines = new Map<Line, number>();
    let next = 0;
    let edits = 0;
    for (; next < waiting.length; next++) {
      const work = waiting[next];
      const line = work instanceof Seat ? undefined : work.line;
      if (line?.isBroken) {
        (work as Work).resolve(BROKEN);
        continue;
      }
      if (!(work instanceof Seat) && work.cancellation?.isCancelled) continue;
      const isFirst = sent.length === 0;
      // What an edit will say cannot be kept for another call, so there must be room for it before it is asked.
      const known = work instanceof Seat ? [] : work.group;
      if (!isFirst && (!room.fits(new Room(known)) || edits >= this.#limit)) break;
      const group = work instanceof Seat ? await this.#ask(work, waiting, isFirst) : known;
      if (group === "later") break;
      if (group === undefined) continue;
      room.add(new Room(group));
      if (work instanceof Seat) edits++;
      const ahead = line && lines.get(line);
      const after = chains.add(sent.length, group, !(work instanceof Seat) && ahead === undefined);
      if (line) lines.set(line, sent.length);
      sent.push({ work, group, after: ahead === undefined ? after : [...new Set([...after, ahead])] });
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
      this.#speculation.take(places, await this.#delivery.read(places, asking.timeout));
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
      const cancellations = cancellationsOf(sent.map(({ work }) => work));
      outcomes = await this.#delivery.apply(groups, sent.map(({ after }) => after), cancellations);
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
    this.#limit = Math.ceil(sent / RETREAT);
    const longest = Math.min(PATIENCE * duration * (2 ** this.#conflicts++ - 1), MAX_PAUSE);
    if (longest === 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
    this.#speculation.forget(); // the values may have changed during the pause
  }
}

/** What may end works; nothing where nothing may. */
export function cancellationsOf(
  works: readonly (Work | Seat)[],
): readonly (Cancellation | undefined)[] | undefined {
  const cancellations = works.map(({ cancellation }) => cancellation);
  return cancellations.some((cancellation) => cancellation !== undefined) ? cancellations : undefined;
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
