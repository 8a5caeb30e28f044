/**
 * Measuring: contenders take turns for several rounds, so that noise of the machine meets all of them.
 *
 * @module
 */

import type { Redis } from "ioredis";

/** One way to do a job. */
export interface Contender {
  /** Undoes the changes of earlier batches. Not measured. */
  readonly prepare?: () => Promise<unknown>;
  /** Does the job so many times. */
  readonly batch: (turns: number) => Promise<void>;
  /** How often the job is done in a round. */
  readonly turns: number;
  /** The command whose time on the server counts, for each call; without it only the clock is read. */
  readonly command?: "evalsha" | "get";
  /** The same where each turn sends several commands: all of them count. */
  readonly commands?: readonly string[];
}

/** Microseconds for one turn: the best round, and the round in the middle. */
export interface Sample {
  readonly min: number;
  readonly median: number;
}

/** The time that a contender takes, on the server and for the caller. */
export interface Times {
  readonly server: Sample;
  readonly wall: Sample;
}

/**
 * Measures contenders side by side.
 *
 * @param client Asks the server for its own figures.
 * @param contenders By name.
 * @param rounds How often each of them is measured.
 * @returns The times of each.
 */
export async function measure<Name extends string>(
  client: Redis,
  contenders: Readonly<Record<Name, Contender>>,
  rounds: number,
): Promise<Record<Name, Times>> {
  const names = Object.keys(contenders) as Name[];
  const server = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  const wall = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    // Each round begins with another contender: what comes first after a pause is slower.
    for (let place = 0; place < names.length; place++) {
      const name = names[(round + place) % names.length];
      const { prepare, batch, turns, command, commands = command && [command] } = contenders[name];
      await prepare?.();
      await batch(Math.min(turns, 2));
      const before = commands && await readStats(client, commands);
      const start = performance.now();
      await batch(turns);
      wall[name].push((performance.now() - start) * 1000 / turns);
      if (!before) continue;
      const after = await readStats(client, commands!);
      if (after.calls - before.calls < turns) {
        throw new Error(`Cannot measure "${name}": ${turns} turns made ${after.calls - before.calls} calls`);
      }
      server[name].push((after.usec - before.usec) / (command ? after.calls - before.calls : turns));
    }
  }
  return Object.fromEntries(
    names.map((name) => [name, { server: summarize(server[name]), wall: summarize(wall[name]) }]),
  ) as Record<Name, Times>;
}

/** A batch of turns that wait for one another. */
export function sequential(job: (turn: number) => Promise<unknown>): Contender["batch"] {
  return async (turns) => {
    for (let turn = 0; turn < turns; turn++) await job(turn);
  };
}

/** A batch of turns that do not wait for one another, in portions that the server's buffers hold with ease. */
export function pipelined(job: (turn: number) => Promise<unknown>): Contender["batch"] {
  return async (turns) => {
    for (let from = 0; from < turns; from += 100) {
      await Promise.all(Array.from({ length: Math.min(100, turns - from) }, (_, index) => job(from + index)));
    }
  };
}

interface Stats {
  readonly calls: number;
  readonly usec: number;
}

/** The time that the server has spent on commands so far. The difference of two counts; CONFIG RESETSTAT may be forbidden. */
async function readStats(client: Redis, commands: readonly string[]): Promise<Stats> {
  const info = await client.info("commandstats");
  const stats = commands.map((command) =>
    info.match(new RegExp(`^cmdstat_${command}:calls=(\\d+),usec=(\\d+)`, "m"))
  );
  const sum = (group: number) => stats.reduce((total, line) => total + Number(line?.[group] ?? 0), 0);
  return { calls: sum(1), usec: sum(2) };
}

function summarize(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0] ?? NaN, median: sorted[sorted.length >> 1] ?? NaN };
}
