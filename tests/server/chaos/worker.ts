/**
 * One process of a chaos run: several clients that do random operations and write down what they saw.
 *
 * Its one argument is a {@linkcode Task} as JSON; it prints what happened, as JSON.
 *
 * @module
 */

import { Cluster, Redis } from "ioredis";
import { RedisJsonDict } from "../../../src/api/dict.ts";
import type { DictOptions } from "../../../src/run/options.ts";
import type { RedisClient } from "../../../src/run/client.ts";
import { AmbiguousResultError, TimeoutError, UnavailableError } from "../../../src/errors/delivery.ts";
import { JsonDictError } from "../../../src/errors/error.ts";
import { type DictInput, type DictOutput, type Operation, perform } from "../../support/linearizability.ts";

/**
 * Who is tested: the dictionary with a client of its own or with one of ioredis as it comes, the dictionary without
 * records, or what is to be caught: no records, on a client that sends again what it got no answer to.
 */
export type Subject = "exactly-once" | "brought client" | "at-most-once" | "unprotected";

/** What one process does. */
export interface Task {
  readonly subject: Subject;
  /** One address, or several of a cluster. */
  readonly urls: readonly string[];
  readonly prefix: string;
  /** How many clients, and the number of the first one. */
  readonly clients: number;
  readonly first: number;
  readonly milliseconds: number;
  readonly timeout: number;
  readonly seed: number;
}

/** What one process saw. */
export interface Story {
  readonly history: readonly Operation<DictInput, DictOutput>[];
  /** The errors of the calls, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** What was found out of calls whose answer was lost. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** The longest that a call has taken, in milliseconds. */
  readonly longest: number;
}

/** Keys of which any operation may be made, and keys that are only pushed to, each time something new. */
export const KEYS = ["a", "b", "c", "d", "e", "f"] as const;
/** Where each element is new, so that what is lost or twice can be counted. */
export const LOGS = ["log1", "log2"] as const;

/** A generator of numbers that is the same for the same seed (mulberry32). */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Clocks of processes differ by less than that, in milliseconds. */
const DOUBT = 1;

function now(): number {
  return performance.timeOrigin + performance.now();
}

// deno-lint-ignore no-explicit-any -- any op at any place
type AnyDict = RedisJsonDict<any>;

function open({ subject, urls, prefix, timeout }: Task): { dict: AnyDict; end: () => Promise<void> } {
  const options: DictOptions = { prefix, timeout };
  const address = urls.length > 1 ? urls : urls[0];
  if (subject === "exactly-once" || subject === "at-most-once") {
    const dict: AnyDict = RedisJsonDict.connect(address, { ...options, delivery: subject });
    return { dict, end: () => dict.close() };
  }
  const client = urls.length > 1
    ? new Cluster(urls.map((url) => ({ host: "127.0.0.1", port: Number(new URL(url).port) })))
    : new Redis(urls[0], { retryStrategy: () => 20, disconnectTimeout: 20 });
  client.on("error", () => {});
  // Wrapped in this, the client does not reveal that it resends.
  const plain: RedisClient = { call: (command, ...args) => client.call(command, ...args) };
  const dict: AnyDict = subject === "unprotected"
    ? new RedisJsonDict(plain, { ...options, delivery: "at-most-once" })
    : new RedisJsonDict(client, options);
  return {
    dict,
    end: async () => {
      await dict.close();
      client.disconnect();
    },
  };
}

function choose(random: (below: number) => number, id: string): { key: string; input: DictInput } {
  if (random(3) === 0) return { key: LOGS[random(LOGS.length)], input: { kind: "push", items: [id] } };
  const key = KEYS[random(KEYS.length)];
  const value = random(2) === 0 ? { n: random(5) } : [id];
  const inputs: readonly DictInput[] = [
    { kind: "set", value },
    { kind: "delete" },
    { kind: "pop" },
    { kind: "get" },
    { kind: "get" },
    { kind: "getOrInsert", value },
    { kind: "compareAndSet", expected: random(2) === 0 ? undefined : { n: random(5) }, value },
    { kind: "push", items: [id] },
    { kind: "push", items: [id, random(3)] },
    { kind: "popElement" },
    { kind: "increment", by: 1 + random(3) },
    { kind: "increment", by: 1 },
  ];
  return { key, input: inputs[random(inputs.length)] };
}

/** Calls resolve() until it succeeds; the network may still be down. */
async function settle(error: AmbiguousResultError): Promise<string> {
  if (error.callId === undefined) return "unknown";
  for (let attempt = 1; attempt <= 10; attempt++) {
    const verdict = await error.resolve().catch(() => undefined);
    if (verdict !== undefined) return verdict;
  }
  return "unknown";
}

async function work(task: Task): Promise<Story> {
  const { dict, end } = open(task);
  const history: Operation<DictInput, DictOutput>[] = [];
  const errors: Record<string, number> = {};
  const verdicts: Record<string, number> = {};
  const count = (counts: Record<string, number>, name: string): void => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  let longest = 0;
  const endsAt = now() + task.milliseconds;
  const client = async (number: number): Promise<void> => {
    const random = randomOf(task.seed * 1000 + number);
    for (let round = 0; now() < endsAt; round++) {
      const { key, input } = choose(random, `${number}.${round}`);
      const from = now() - DOUBT;
      const base = { client: number, key, input, from };
      try {
        const output = await perform(dict, key, input);
        history.push({ ...base, output, to: now() + DOUBT });
      } catch (error) {
        if (!(error instanceof JsonDictError)) throw error;
        count(errors, error.code);
        // Whatever says that nothing was changed is taken at its word.
        if (error instanceof TimeoutError || error instanceof UnavailableError) continue;
        if (!(error instanceof AmbiguousResultError)) throw error;
        const verdict = await settle(error);
        count(verdicts, verdict);
        if (verdict === "not-applied") continue;
        const applied = verdict === "applied" ? true : "maybe";
        history.push({
          ...base,
          output: undefined,
          to: applied === true ? now() + DOUBT : Infinity,
          applied,
        });
      } finally {
        longest = Math.max(longest, now() - from);
      }
    }
  };
  await Promise.all(Array.from({ length: task.clients }, (_, index) => client(task.first + index)));
  await end();
  return { history, errors, verdicts, longest };
}

if (import.meta.main) {
  const story = await work(JSON.parse(Deno.args[0]));
  // `Infinity` is no JSON.
  const text = JSON.stringify(story, (_, value) => value === Infinity ? "never" : value);
  await new Blob([text]).stream().pipeTo(Deno.stdout.writable);
}
