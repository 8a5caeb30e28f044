/**
 * Places: reads of parts of values.
 *
 * To read a part by the script costs the server every byte up to it as a Lua string: 60 times a GET at 10 KB. So a value
 * that is known to be small is read whole, and the part is cut out here, as the script would.
 *
 * @module
 */

import { readCommand, readResults, type Refusal } from "../call/answer.ts";
import { compileReads } from "../call/call.ts";
import { decode } from "../data/decoder.ts";
import type { Read } from "../data/op.ts";
import { Replica } from "../replica/replica.ts";
import { Refused } from "../run/failure.ts";
import type { Runner } from "../run/runner.ts";
import type { Keyspace } from "./keyspace.ts";

/** How many keys are known at most. */
const MAX_KEYS = 10_000;
/** What one call may answer at most, in bytes: all answers stand in the memory of the server at once. */
const MAX_ANSWER = 16 * 1024 * 1024;
/** How many reads one call has at most; of a value of unknown length, so many that short ones gain. */
const MAX_READS = 500;
const FEW_READS = 16;

/** The lengths of values, as they were when last read: only a hint. */
export class Lengths {
  readonly #known: Map<string, number> = new Map();

  /** About how many bytes a value has, 0 if it is missing; `undefined` if that is not known. */
  of(key: string): number | undefined {
    return this.#known.get(key);
  }

  /** Notes the length of a value. */
  note(key: string, length: number): void {
    this.#known.delete(key);
    this.#known.set(key, length);
    if (this.#known.size > MAX_KEYS) this.#known.delete(this.#known.keys().next().value!);
  }
}

/** Reads parts of the values of one dictionary. Reads of one key that are sent in one turn share a call. */
export class Places {
  readonly #runner: Runner;
  readonly #keyspace: Keyspace;
  readonly #readWhole: number;
  readonly #lengths: Lengths;
  /** The reads of this turn, by key. */
  readonly #waiting: Map<string, { reads: Read[]; answers: Promise<readonly (string | Refusal)[]> }> =
    new Map();

  /** @param readWhole The length up to which a value is read whole, in bytes. */
  constructor(runner: Runner, keyspace: Keyspace, readWhole: number, lengths: Lengths = new Lengths()) {
    this.#runner = runner;
    this.#keyspace = keyspace;
    this.#readWhole = readWhole;
    this.#lengths = lengths;
  }

  /** The same by another runner. */
  by(runner: Runner): Places {
    return new Places(runner, this.#keyspace, this.#readWhole, this.#lengths);
  }

  /** Reads one place. It is sent in a microtask: before whatever is issued later and waits for one, too. */
  async read(read: Read): Promise<string | Refusal> {
    const key = String(read.path[0]);
    let shared = this.#waiting.get(key);
    if (shared === undefined) {
      const reads: Read[] = [];
      const answers = Promise.resolve().then(() => {
        this.#waiting.delete(key);
        return this.#answer(key, reads);
      });
      shared = { reads, answers };
      this.#waiting.set(key, shared);
    }
    const index = shared.reads.push(read) - 1;
    return (await shared.answers)[index];
  }

  async #answer(key: string, reads: readonly Read[]): Promise<readonly (string | Refusal)[]> {
    const length = this.#lengths.of(key) ?? Infinity;
    const isSmall = this.#readWhole > 0 && length <= this.#readWhole;
    if (isSmall || reads.some(({ kind, path }) => kind === "get" && path.length === 1)) {
      const answers = await this.#cutOut(key, reads);
      if (answers !== undefined) return answers;
    }
    const portion = length === Infinity
      ? FEW_READS
      : Math.min(MAX_READS, Math.max(1, Math.floor(MAX_ANSWER / length)));
    const portions = Array.from(
      { length: Math.ceil(reads.length / portion) },
      (_, index) => this.#byScript(key, reads.slice(index * portion, (index + 1) * portion)),
    );
    return (await Promise.all(portions)).flat();
  }

  /**
   * Reads the value as a whole.
   *
   * @returns The answers; `undefined` where only the script can tell, because the key cannot be read by GET.
   */
  async #cutOut(key: string, reads: readonly Read[]): Promise<readonly (string | Refusal)[] | undefined> {
    let text: string | null;
    try {
      const name = this.#keyspace.prefix + key;
      text = await this.#runner.command((answer) => readCommand("GET", answer), "GET", name);
    } catch (error) {
      if (!(error instanceof Refused && (error.reason === "WRONGTYPE" || error.reason === "NOPERM"))) {
        throw error;
      }
      this.#lengths.note(key, Infinity);
      return undefined;
    }
    this.#lengths.note(key, text?.length ?? 0);
    const replica = new Replica([[key, text]]);
    const answers = readResults(reads, reads.map((read) => replica.read(read)!));
    const isMiss = (answer: string | Refusal, index: number) =>
      typeof answer === "string"
        ? answer === "false" && reads[index].kind === "exists"
        : answer.code !== "CORRUPT";
    // A replica misses as the script does only in what is JSON. A damaged value tells no misses.
    if (text === null || !answers.some(isMiss) || isJson(text)) return answers;
    return answers.map((answer, index) =>
      isMiss(answer, index) ? { code: "CORRUPT", index, segment: 0, found: "" } : answer
    );
  }

  async #byScript(key: string, reads: readonly Read[]): Promise<readonly (string | Refusal)[]> {
    const all: readonly Read[] = [...reads, { kind: "size", path: [key] }];
    const call = compileReads(this.#keyspace.prefix, all);
    const answers = await this.#runner.run({
      resend: "resend",
      callFor: () => call,
      read: (answer) => readResults(all, answer),
    });
    const size = answers.at(-1)!;
    if (typeof size === "string") this.#lengths.note(key, Number(size));
    else if (size.code === "NO_KEY") this.#lengths.note(key, 0);
    return answers.slice(0, -1);
  }
}

function isJson(text: string): boolean {
  try {
    decode(text);
    return true;
  } catch {
    return false;
  }
}
