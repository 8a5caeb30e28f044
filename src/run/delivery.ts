/**
 * Delivery: each change is applied once. Records, resends, lost answers, and replicas.
 *
 * @module
 */

import { type Outcome, readOutcomes, readVerdict } from "../call/answer.ts";
import { compile, type Once } from "../call/call.ts";
import { decode } from "../data/decoder.ts";
import type { Json } from "../data/json.ts";
import type { Group } from "../data/op.ts";
import { TimeoutError, type Verdict } from "../errors/delivery.ts";
import { LostAnswer, NoAnswer, Refused, TooFewReplicas, toReadError } from "./failure.ts";
import type { Settings } from "./options.ts";
import { maxDelay, type RecordName, Records, recordTtl } from "./record.ts";
import type { Runner } from "./runner.ts";

/** A longer record is shortened when its answer has arrived, in characters. */
const MAX_RECORD = 4096;

/** Sends changes, and applies each once. */
export class ChangeSender {
  readonly #runner: Runner;
  readonly #settings: Settings;
  readonly #records: Records;

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
   * @returns For each group its outcome, or the error if there is none.
   */
  async apply(
    groups: readonly Group[],
    after?: readonly (readonly number[])[],
  ): Promise<readonly (Outcome | Error)[]> {
    const { prefix, delivery } = this.#settings;
    const read = (answer: unknown): readonly Outcome[] => readOutcomes(groups, answer);
    if (delivery === "at-most-once") {
      const call = compile(prefix, groups, undefined, after);
      return await this.#runner.run(() => call, "never", read);
    }
    const record = this.#records.next(prefix + groups[0][0].path[0]);
    const endsAt = performance.now() + recordTtl(this.#settings.timeout);
    const onceFor = this.#onceFor(record);
    try {
      const outcomes = await this.#runner.run(
        (ahead) => compile(prefix, groups, onceFor(ahead), after),
        "resend",
        read,
        (ahead) => compile("", [], onceFor(ahead)),
      );
      const unsafe = await this.#replicate(record, groups, outcomes);
      // The answer has arrived, so nobody needs it from the record. The empty record still stops late requests.
      if (lengthOf(outcomes) > MAX_RECORD) this.#runner.post("SET", record.name, "[]", "XX", "KEEPTTL");
      return unsafe ?? outcomes;
    } catch (error) {
      if (!(error instanceof NoAnswer) || !error.sent) throw error;
      return groups.map((group, index) => {
        const operation = group[0].kind;
        const resolve = (): Promise<Verdict> => this.#resolve(record, groups, index, endsAt, operation);
        return new LostAnswer(error.cause, record.callId, resolve);
      });
    }
  }

  /** Waits until enough replicas have the change. `undefined` if they have; else an error for each group that was applied. */
  async #replicate(
    record: RecordName,
    groups: readonly Group[],
    outcomes: readonly Outcome[],
  ): Promise<readonly (Outcome | Error)[] | undefined> {
    const { durability, timeout } = this.#settings;
    if (durability === undefined || outcomes.every((outcome) => "refusal" in outcome)) return undefined;
    let cause: unknown;
    let count: number | undefined;
    try {
      const { replicas, timeout: ms } = durability;
      count = await this.#runner.replicate(record.name, recordTtl(timeout), replicas, ms);
      if (count !== undefined && count >= replicas) return undefined;
      if (count === undefined) {
        cause = new Error("the server no longer has its record: another server took over");
      }
    } catch (error) {
      cause = error instanceof NoAnswer || error instanceof Refused ? error.cause ?? error : error;
    }
    return outcomes.map((outcome, index) => {
      if ("refusal" in outcome) return outcome;
      return new TooFewReplicas(
        cause,
        durability.replicas,
        count ?? 0,
        groups[index].length === 1 ? this.#tryDecode(outcome.results[0]) : undefined,
      );
    });
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
  #onceFor({ name }: RecordName): (ahead: number) => Once {
    const { timeout } = this.#settings;
    // All attempts share one time limit: otherwise the last one could arrive after the record of the first has expired.
    const until = Date.now() + maxDelay(timeout);
    return (ahead) => ({ record: name, ttl: recordTtl(timeout), until: until + ahead });
  }

  /** Finds out whether a group whose answer was lost was applied. If it was not, the empty record stops it when it arrives. */
  async #resolve(
    record: RecordName,
    groups: readonly Group[],
    index: number,
    endsAt: number,
    operation: string,
  ): Promise<Verdict> {
    const { timeout } = this.#settings;
    const path = groups[index][0].path;
    if (performance.now() + timeout > endsAt) {
      throw new TimeoutError({
        operation: `resolve ${operation}`,
        path,
        timeout,
        cause: new Error("The call was made so long ago that its record may be gone"),
      });
    }
    const onceFor = this.#onceFor(record);
    try {
      const isApplied = await this.#runner.run(
        (ahead) => compile("", [], onceFor(ahead)),
        "resend",
        (answer) => readVerdict(groups, index, answer),
      );
      return isApplied ? "applied" : "not-applied";
    } catch (error) {
      throw toReadError(error, { operation: `resolve ${operation}`, path, timeout });
    }
  }
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
