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
import type { Resend } from "./attempt.ts";
import type { Errand, Runner } from "./runner.ts";

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

/** The record of one call. */
interface CallRecord extends RecordName {
  /** How long it is kept, in milliseconds. */
  readonly ttl: number;
  /**
   * Until when the call may arrive, by our clock. The same for all attempts: otherwise the last one could arrive after the
   * record of the first has expired.
   */
  readonly until: number;
  /** Until when it can be asked for, by `performance.now()`. */
  readonly endsAt: number;
}

/** The arguments of a record, for a server whose clock is so many milliseconds ahead of ours. */
function onceAt({ name, ttl, until }: CallRecord, ahead: number): Once {
  return { record: name, ttl, until: until + ahead };
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
    const { prefix, delivery, hints } = this.#settings;
    // Groups that may take different times never share a call.
    const timeout = cancellations[0]?.timeout ?? this.#settings.timeout;
    const key = String(groups[0][0].path[0]);
    const canHint = hints && isSingle(groups);
    const record = delivery === "at-most-once" ? undefined : this.#recordOf(prefix + key, timeout);
    const lose = (index: number): Lose => (cause) => {
      if (record === undefined) return new NoAnswer(true, false, cause);
      const resolve = async (): Promise<Verdict> => {
        // case: others may wait for the same request. It must not be stopped before it is over.
        const outcome = (await running.catch(() => undefined))?.[index];
        if (outcome) return "results" in outcome ? "applied" : "not-applied";
        const read = (answer: unknown): boolean => readVerdict(parcel.groups, index, answer);
        const { path } = parcel.groups[index][0];
        return await this.#resolve(record, read, { operation: groups[index][0].kind, path, timeout });
      };
      return new LostAnswer(cause, record.callId, resolve);
    };
    // The same hint for all attempts: each must be the call that may have reached the server.
    const near = canHint ? this.#nears.get(key) : undefined;
    const parcel = new Parcel({ prefix, groups, after, near, record, cancellations, lose });
    const running = this.#runner.within(timeout).run(parcel);
    try {
      const outcomes = await running;
      if (canHint) this.#note(key, parcel.near);
      if (record === undefined) return outcomes;
      const unsafe = this.#settings.durability && await this.#replicate(record, groups, outcomes);
      // The answer has arrived, so nobody needs it from the record. The empty record still stops late requests.
      if (lengthOf(outcomes) > MAX_RECORD) this.#runner.post("SET", record.name, "[]", "XX", "KEEPTTL");
      return unsafe ?? outcomes;
    } catch (error) {
      if (record === undefined || !(error instanceof NoAnswer) || !error.sent) throw error;
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
      const outcome = await runner.run({ resend, callFor: (_, isFirst) => compileAt(isFirst), read });
      return { outcome, sentAt };
    }
    const record = this.#recordOf(names.value, timeout);
    try {
      const outcome = await runner.run({
        resend: "resend",
        callFor: (ahead, isFirst) => compileAt(isFirst, onceAt(record, ahead)),
        read,
        askFor: (ahead) => compile("", [], onceAt(record, ahead)),
      });
      const tooFew = typeof outcome === "string" ? await this.#awaitReplicas(record) : undefined;
      if (tooFew) throw tooFew(undefined);
      return { outcome, sentAt };
    } catch (error) {
      if (!(error instanceof NoAnswer) || !error.sent) throw error;
      const failing = { operation: OPERATIONS[op.kind], path: [op.key], timeout };
      const resolve = () => this.#resolve(record, readLeaseVerdict, failing);
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
    record: CallRecord,
    groups: readonly Group[],
    outcomes: readonly Outcome[],
  ): Promise<readonly (Outcome | Error)[] | undefined> {
    if (outcomes.every((outcome) => "refusal" in outcome)) return undefined;
    const tooFew = await this.#awaitReplicas(record);
    return tooFew && outcomes.map((outcome, index) => {
      if ("refusal" in outcome) return outcome;
      return tooFew(groups[index].length === 1 ? this.#tryDecode(outcome.results[0]) : undefined);
    });
  }

  /** Waits until enough replicas have a record. Nothing if they have; else what makes the error for a result. */
  async #awaitReplicas(
    { name, ttl }: CallRecord,
  ): Promise<((result: Json | undefined) => TooFewReplicas) | undefined> {
    const { durability } = this.#settings;
    if (durability === undefined) return undefined;
    let cause: unknown;
    let count: number | undefined;
    const { replicas, timeout: ms } = durability;
    try {
      count = await this.#runner.replicate(name, ttl, replicas, ms);
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

  /** The record of a call that is sent now. */
  #recordOf(key: string, timeout: number): CallRecord {
    const ttl = recordTtl(timeout);
    const { name, callId } = this.#records.next(key);
    return { name, callId, ttl, until: Date.now() + maxDelay(timeout), endsAt: performance.now() + ttl };
  }

  /** Finds out whether a change whose answer was lost was applied. If not, the empty record stops it when it arrives. */
  async #resolve(
    record: CallRecord,
    read: (answer: unknown) => boolean,
    { operation, path, timeout }: Failing,
  ): Promise<Verdict> {
    const failing = { operation: `resolve ${operation}`, path, timeout };
    if (performance.now() + timeout > record.endsAt) {
      const cause = new Error("The call was made so long ago that its record may be gone");
      throw new TimeoutError({ ...failing, cause });
    }
    const asking = { ...record, until: Date.now() + maxDelay(timeout) };
    const callFor = (ahead: number): Call => compile("", [], onceAt(asking, ahead));
    try {
      const isApplied = await this.#runner.run({ resend: "resend", callFor, read });
      return isApplied ? "applied" : "not-applied";
    } catch (error) {
      throw toReadError(error, failing);
    }
  }
}

/** What a parcel is made of. */
interface Contents {
  readonly prefix: string;
  readonly groups: readonly Group[];
  readonly after: readonly (readonly number[])[] | undefined;
  readonly near: number | undefined;
  /** The record; none if it must not be sent again. */
  readonly record: CallRecord | undefined;
  readonly cancellations: readonly (Cancellation | undefined)[];
  /** What is reported of a group that was cancelled after it was sent. */
  readonly lose: (index: number) => Lose;
}

/** The groups of one call, without those that were cancelled before it was sent. */
class Parcel implements Errand<readonly Outcome[]> {
  readonly resend: Resend;
  readonly abandoned: AbortSignal | undefined;
  readonly askFor: Errand<unknown>["askFor"];
  /** How much of the value the next change of it should read first, as the answer tells. */
  near: number | undefined;
  readonly #contents: Contents;
  #losses: Map<number, Lose> | undefined;
  #groups: readonly Group[];
  /** What was made last, and for whom. */
  #made: { readonly call: Call; readonly groups: readonly Group[]; readonly ahead: number } | undefined;

  constructor(contents: Contents) {
    const { groups, record, cancellations } = contents;
    this.#contents = contents;
    this.#groups = groups;
    this.resend = record === undefined ? "never" : "resend";
    this.abandoned = cancellations.length === 0 ? undefined : abandon(groups, cancellations);
    this.askFor = record && ((ahead) => compile("", [], onceAt(record, ahead)));
  }

  /** What was sent last. */
  get groups(): readonly Group[] {
    return this.#groups;
  }

  callFor(ahead: number, isFirst: boolean): Call {
    const { prefix, record, after, near } = this.#contents;
    const groups = this.#pack(isFirst);
    // It is compiled to be checked before it is sent, and most often the same is sent then.
    if (this.#made?.groups !== groups || this.#made.ahead !== ahead) {
      const call = compile(prefix, groups, record && onceAt(record, ahead), after, near);
      this.#made = { call, groups, ahead };
    }
    return this.#made.call;
  }

  read(answer: unknown): readonly Outcome[] {
    const outcomes = readOutcomes(this.#groups, answer);
    this.near = readNear(this.#groups, answer);
    return outcomes;
  }

  /** What is to be sent. Each attempt must be the same as one that may have reached the server. */
  #pack(isFirst: boolean): readonly Group[] {
    const { groups, cancellations, lose } = this.#contents;
    if (!isFirst || cancellations.length === 0) return this.#groups;
    this.#groups = groups.map((group, index) => cancellations[index]?.isCancelled ? refused(group) : group);
    cancellations.forEach((cancellation, index) => {
      if (cancellation === undefined || cancellation.isCancelled) return;
      this.#losses ??= new Map();
      const loss = this.#losses.get(index) ?? lose(index);
      this.#losses.set(index, loss);
      cancellation.send(loss);
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
