import { RedisJsonDict } from "../mod.ts";
import { type Contender, measure, sequential } from "./measure.ts";
import type { Bench } from "./bench.ts";
import { micros, ratio } from "./report.ts";

const CHANGES = 1000;

/** The gain of changes of one key that are issued without waiting for each. */
export async function benchBurst(bench: Bench): Promise<void> {
  const { report, client } = bench;
  report.section(
    "burst",
    `How long do ${CHANGES} increments of one key take, awaited one by one and all at once?\n` +
      "Microseconds for each increment by the clock of the caller.",
  );
  const counters = new RedisJsonDict<{ hits: { page: number } }>(client, { prefix: bench.prefix });
  const page = counters.at("hits", "page");
  let increments = 0;
  const increment = () => {
    increments++;
    return page.increment();
  };
  const contender = (batch: Contender["batch"]): Contender => ({ batch, turns: CHANGES });
  await counters.set("hits", { page: 0 });
  const times = await measure(client, {
    awaited: contender(sequential(increment)),
    atOnce: contender(async (turns) => {
      await Promise.all(Array.from({ length: turns }, increment));
    }),
  }, bench.rounds(9));
  const counted = await page.getOrThrow();
  if (counted !== increments) {
    throw new Error(`Cannot trust the figures: ${counted} of ${increments} were counted`);
  }
  const value = times.awaited.wall.min / times.atOnce.wall.min;
  report.table(["way", "min", "median", "ratio", "goal"], [
    ["each awaited", micros(times.awaited.wall.min), micros(times.awaited.wall.median), "", ""],
    [
      "all at once",
      micros(times.atOnce.wall.min),
      micros(times.atOnce.wall.median),
      ratio(value),
      report.goal({ name: "awaited over at once", value, atLeast: 10 }),
    ],
  ]);
}
