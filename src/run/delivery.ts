/**
 * Delivery: each change is applied once. Records, resends, lost answers, and replicas.
 *
 * @module
 */

import { isSingle, type Outcome, readNear, readOutcomes, readVerdict, type Refusal } from "../call/answer.ts";
import { type Call, compile, type Once } from "../call/call.ts";
import { compileLease, type LeaseOp, readLease, readLeaseVerdict } from "../call/lease.ts";
import { decode } from "../data/decoder.ts";
import type { Json } from "../data/json.ts";
import type { Group } from "../data/op.ts";
import { TimeoutError, type Verdict } from "../errors/delivery.ts";
import type { Cancellation, Lose } from "./cancellation.ts";
import { type Failing, LostAnswer, NoAnswer, Refused, TooFewReplicas, toReadError } from "./failure.ts";
import type { Settings } from "./options.ts";
import { maxDelay, type RecordName, Records, recordTtl } from "./record.ts";
import type { Runner } from "./runner.ts";

/** A longer record is shortened when its answer has arrived, in characters. */
const MAX_RECORD = 4096;
/** Of how many long values it is kept where the last change was. */
const MAX_NEARS = 1000;

/** The methods that do something with a lease. */
const OPERATIONS = { acquire: "lease", renew: "renew", replace: "update", release: "release" } as const;

/** What became of an op of a lease. */
export interface LeaseAnswer {
  /** The result, or why it was refused. */
  readonly outcome: string | Refusal;
  /** When it was sent, by `performance.now()`: the first time that it may have reached the server. */
  readonly sentAt: number;
}

/** Sends changes, and applies each once. */
export class ChangeSender {
  readonly #runner: Runner;
  readonly #settings: Settings;
  readonly #records: Records;
  /** How much of a long value a change should read first, by key: where the last one was. */
  readonly #nears: Map<string, number> = new Map();

  /** @param runner Sends the calls. */
  constructor(runner: Runner, settings: Settings) {
    this.#runner = runner;
    this.#settings = settings;
    this.#records = new Records(settings.recordPrefix);
  }

  /**
   * Applies groups in one call, each whole or not at all.
   *
   * @param groups The groups.
   * @param after For each group the indexes of the earlier groups that must be applied for it to be applied.
   * @param cancellations For each group what may end it, where anything may.
   * @returns For each group its outcome, or the error if there is none.
   */
  async apply(
    groups: readonly Group[],
    after?: readonly (readonly number[])[],
    cancellations: readonly (Cancellation | undefined)[] = [],
  ): Promise<readonly (Outcome | Error)[]> {
    const { prefix, delivery } = this.#settings;
    // Groups that may take different times never share a call.
    const timeout = cancellations[0]?.timeout ?? this.#settings.timeout;
    const runner = this.#runner.within(timeout);
    const abandoned = abandon(groups, cancellations);
    const key = String(groups[0][0].path[0]);
    // The same for all attempts: each must be the call that may have reached the server.
    const near = isSingle(groups) ? this.#nears.get(key) : undefined;
    const read = (sent: readonly Group[], answer: unknown): readonly Outcome[] => {
      const outcomes = readOutcomes(sent, answer);
      if (this.#settings.hints && isSingle(sent)) this.#note(key, readNear(sent, answer));
      return outcomes;
    };
    if (delivery === "at-most-once") {
      const parcel = new Parcel(groups, cancellations, () => (cause) => new NoAnswer(true, false, cause));
      return await runner.run(
        (_, isFirst) => compile(prefix, parcel.pack(isFirst), undefined, after, near),
        "never",
        (answer) => read(parcel.groups, answer),
        undefined,
        abandoned,
      );
    }
    const record = this.#records.next(prefix + groups[0][0].path[0]);
    const endsAt = performance.now() + recordTtl(timeout);
    const onceFor = this.#onceFor(record, timeout);
    const lose = (index: number): Lose => (cause) => {
      const operation = groups[index][0].kind;
      const resolve = async (): Promise<Verdict> => {
        // case: others may wait for the same request. It must not be stopped before it is over.
        const outcome = (await running.catch(() => undefined))?.[index];
        if (outcome) return "results" in outcome ? "applied" : "not-applied";
        const read = (answer: unknown): boolean => readVerdict(parcel.groups, index, answer);
        const { path } = parcel.groups[index][0];
        return await this.#resolve(record, read, endsAt, { operation, path, timeout });
      };
      return new LostAnswer(cause, record.callId, resolve);
    };
    const parcel: Parcel = new Parcel(groups, cancellations, lose);
    let made: { readonly call: Call; readonly sent: readonly Group[]; readonly ahead: number } | undefined;
    const callFor = (ahead: number, isFirst: boolean): Call => {
      const sent = parcel.pack(isFirst);
      // It is compiled to be checked before it is sent, and most often the same is sent then.
      if (made?.sent !== sent || made.ahead !== ahead) {
        made = { call: compile(prefix, sent, onceFor(ahead), after, near), sent, ahead };
      }
      return made.call;
    };
    const running: Promise<readonly Outcome[]> = runner.run(
      callFor,
      "resend",
      (answer) => read(parcel.groups, answer),
      (ahead) => compile("", [], onceFor(ahead)),
      abandoned,
    );
    try {
      const outcomes = await running;
      const unsafe = await this.#replicate(record, groups, outcomes, timeout);
      // The answer has arrived, so nobody needs it from the record. The empty record still stops late requests.
      if (lengthOf(outcomes) > MAX_RECORD) runner.post("SET", record.name, "[]", "XX", "KEEPTTL");
      return unsafe ?? outcomes;
    } catch (error) {
      if (!(error instanceof NoAnswer) || !error.sent) throw error;
      return groups.map((_, index) => lose(index)(error.cause));
    }
  }

  /**
   * Does something with a lease, once. To renew one needs no record, as a copy that comes later does no harm; but with
   * `durability` it has one, by which replicas confirm it.
   *
   * @param op The op.
   * @param timeout How long it may take, in milliseconds.
   * @returns The answer.
   */
  async lease(op: LeaseOp, timeout: number = this.#settings.timeout): Promise<LeaseAnswer> {
    const { prefix, delivery, durability } = this.#settings;
    const runner = this.#runner.within(timeout);
    const names = this.#records.leaseOf(prefix + op.key);
    let sentAt = performance.now();
    const compileAt = (isFirst: boolean, once?: Once): Call => {
      if (isFirst) sentAt = performance.now();
      return compileLease(names, op, once);
    };
    const read = (answer: unknown): string | Refusal => readLease(op, answer);
    if (delivery === "at-most-once" || op.kind === "renew" && durability === undefined) {
      const resend = op.kind === "renew" ? "resend" : "never";
      const outcome = await runner.run((_, isFirst) => compileAt(isFirst), resend, read);
      return { outcome, sentAt };
    }
    const record = this.#records.next(names.value);
    const endsAt = performance.now() + recordTtl(timeout);
    const onceFor = this.#onceFor(record, timeout);
    try {
      const outcome = await runner.run(
        (ahead, isFirst) => compileAt(isFirst, onceFor(ahead)),
        "resend",
        read,
        (ahead) => compile("", [], onceFor(ahead)),
      );
      const tooFew = typeof outcome === "string" ? await this.#awaitReplicas(record, timeout) : undefined;
      if (tooFew) throw tooFew(undefined);
      return { outcome, sentAt };
    } catch (error) {
      if (!(error instanceof NoAnswer) || !error.sent) throw error;
      const failing = { operation: OPERATIONS[op.kind], path: [op.key], timeout };
      const resolve = () => this.#resolve(record, readLeaseVerdict, endsAt, failing);
      throw new LostAnswer(error.cause, record.callId, resolve);
    }
  }

  #note(key: string, near: number | undefined): void {
    this.#nears.delete(key);
    if (near !== undefined) this.#nears.set(key, near);
    if (this.#nears.size > MAX_NEARS) this.#nears.delete(this.#nears.keys().next().value!);
  }

  /** Waits until enough replicas have the change. `undefined` if they have; else an error for each applied group. */
  async #replicate(
    record: RecordName,
    groups: readonly Group[],
    outcomes: readonly Outcome[],
    timeout: number,
  ): Promise<readonly (Outcome | Error)[] | undefined> {
    if (outcomes.every((outcome) => "refusal" in outcome)) return undefined;
    const tooFew = await this.#awaitReplicas(record, timeout);
    return tooFew && outcomes.map((outcome, index) => {
      if ("refusal" in outcome) return outcome;
      return tooFew(groups[index].length === 1 ? this.#tryDecode(outcome.results[0]) : undefined);
    });
  }

  /** Waits until enough replicas have a record. Nothing if they have; else what makes the error for a result. */
  async #awaitReplicas(
    record: RecordName,
    timeout: number,
  ): Promise<((result: Json | undefined) => TooFewReplicas) | undefined> {
    const { durability } = this.#settings;
    if (durability === undefined) return undefined;
    let cause: unknown;
    let count: number | undefined;
    const { replicas, timeout: ms } = durability;
    try {
      count = await this.#runner.replicate(record.name, recordTtl(timeout), replicas, ms);
      if (count !== undefined && count >= replicas) return undefined;
      if (count === undefined) {
        cause = new Error("the server no longer has its record: another server took over");
      }
    } catch (error) {
      cause = error instanceof NoAnswer || error instanceof Refused ? error.cause ?? error : error;
    }
    return (result) => new TooFewReplicas(cause, replicas, count ?? 0, result);
  }

  /** The value of a result; its text if that is not JSON. */
  #tryDecode(text: string): Json | undefined {
    if (text === "") return undefined;
    try {
      return decode(text, this.#settings);
    } catch {
      return text;
    }
  }

  /** For a call that is sent now: makes its record arguments from how far the clock of the server is ahead of ours. */
  #onceFor({ name }: RecordName, timeout: number): (ahead: number) => Once {
    // All attempts share one time limit: otherwise the last one could arrive after the record of the first has expired.
    const until = Date.now() + maxDelay(timeout);
    return (ahead) => ({ record: name, ttl: recordTtl(timeout), until: until + ahead });
  }

  /** Finds out whether a change whose answer was lost was applied. If not, the empty record stops it when it arrives. */
  async #resolve(
    record: RecordName,
    read: (answer: unknown) => boolean,
    endsAt: number,
    { operation, path, timeout }: Failing,
  ): Promise<Verdict> {
    const failing = { operation: `resolve ${operation}`, path, timeout };
    if (performance.now() + timeout > endsAt) {
      const cause = new Error("The call was made so long ago that its record may be gone");
      throw new TimeoutError({ ...failing, cause });
    }
    const onceFor = this.#onceFor(record, timeout);
    try {
      const isApplied = await this.#runner.run((ahead) => compile("", [], onceFor(ahead)), "resend", read);
      return isApplied ? "applied" : "not-applied";
    } catch (error) {
      throw toReadError(error, failing);
    }
  }
}

/** The groups of one call, without those that were cancelled before it was sent. */
class Parcel {
  readonly #all: readonly Group[];
  readonly #cancellations: readonly (Cancellation | undefined)[];
  readonly #loseFor: (index: number) => Lose;
  readonly #losses: Map<number, Lose> = new Map();
  #groups: readonly Group[];

  constructor(
    groups: readonly Group[],
    cancellations: readonly (Cancellation | undefined)[],
    loseFor: (index: number) => Lose,
  ) {
    this.#all = this.#groups = groups;
    this.#cancellations = cancellations;
    this.#loseFor = loseFor;
  }

  /** What was sent last. */
  get groups(): readonly Group[] {
    return this.#groups;
  }

  /** What is to be sent. Each attempt must be the same as one that may have reached the server. */
  pack(isFirst: boolean): readonly Group[] {
    if (!isFirst || this.#cancellations.length === 0) return this.#groups;
    this.#groups = this.#all.map((group, index) =>
      this.#cancellations[index]?.isCancelled ? refused(group) : group
    );
    this.#cancellations.forEach((cancellation, index) => {
      if (cancellation === undefined || cancellation.isCancelled) return;
      const lose = this.#losses.get(index) ?? this.#loseFor(index);
      this.#losses.set(index, lose);
      cancellation.send(lose);
    });
    return this.#groups;
  }
}

/** A group that is always refused. The groups that are chained to the one that it replaces are then computed again. */
function refused([{ path: [key] }]: Group): Group {
  return [{ kind: "absent", path: [key] }, { kind: "exists", path: [key] }];
}

/** Aborts when all groups are cancelled; nothing where that cannot be. */
function abandon(
  groups: readonly Group[],
  cancellations: readonly (Cancellation | undefined)[],
): AbortSignal | undefined {
  let waiting = groups.length;
  if (cancellations.filter((cancellation) => cancellation !== undefined).length < waiting) return undefined;
  const controller = new AbortController();
  const leave = (): void => {
    if (--waiting === 0) controller.abort();
  };
  for (const cancellation of cancellations) {
    if (cancellation!.isCancelled) leave();
    else cancellation!.onCancel(leave);
  }
  return controller.signal;
}

/** The approximate length of the answer of a call, in characters. */
function lengthOf(outcomes: readonly Outcome[]): number {
  let length = 0;
  for (const outcome of outcomes) {
    const texts = "results" in outcome ? outcome.results : outcome.fresh;
    for (const text of texts) if (typeof text === "string") length += text.length;
  }
  return length;
}
