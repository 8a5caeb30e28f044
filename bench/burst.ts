import { RedisJsonDict } from "../mod.ts";
import { type Contender, measure, sequential } from "./measure.ts";
import type { Bench } from "./bench.ts";
import { changeByGetSet, changeByWatch, Pool } from "./peers.ts";
import { micros, ratio } from "./report.ts";

const CHANGES = 1000;
/** Connections for changes under WATCH, as a pool of a server has them. */
const CONNECTIONS = 8;

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
      report.goal({ name: "awaited over at once", value, atLeast: 25 }),
    ],
  ]);
  await benchPeers(bench);
}

/** The same beside the ways without a script: how long until all are done, and how many are lost. */
async function benchPeers({ report, client, url, prefix, isQuick }: Bench): Promise<void> {
  report.section(
    "burst of peers",
    "n increments of a counter in a document of 1 KB, none awaited before the next.\n" +
      `Milliseconds until the last is done, best round; WATCH and MULTI on ${CONNECTIONS} connections.`,
  );
  const key = `${prefix}hits`;
  const rest = "x".repeat(1000);
  const counters = new RedisJsonDict<{ hits: { page: number; rest: string } }>(client, { prefix });
  const pool = new Pool(url, CONNECTIONS);
  const change = (text: string): string => {
    const value = JSON.parse(text) as { page: number };
    value.page++;
    return JSON.stringify(value);
  };
  const ways: Readonly<Record<string, () => Promise<unknown>>> = {
    "json-dict": () => counters.at("hits", "page").increment(),
    "GET, change, SET": () => changeByGetSet(client, key, change),
    "WATCH, MULTI": () => pool.lend((connection) => changeByWatch(connection, key, change)),
  };
  const rows: string[][] = [];
  try {
    for (const count of [1, 10, 100, 1000]) {
      const best: Record<string, { ms: number; lost: number }> = {};
      // A few changes are over too soon for one round to tell anything.
      const rounds = Math.max(isQuick ? 2 : 5, Math.min(20, 200 / count));
      for (let round = 0; round < rounds; round++) {
        for (const [way, change] of Object.entries(ways)) {
          await counters.set("hits", { page: 0, rest });
          const start = performance.now();
          await Promise.all(Array.from({ length: count }, change));
          const ms = performance.now() - start;
          const lost = count - await counters.at("hits", "page").getOrThrow();
          if (lost > 0 && way !== "GET, change, SET") throw new Error(`Cannot be: ${way} has lost ${lost}`);
          best[way] = { ms: Math.min(ms, best[way]?.ms ?? Infinity), lost };
        }
      }
      for (const [way, { ms, lost }] of Object.entries(best)) {
        rows.push([String(count), way, ms.toFixed(2), ratio(ms / best["json-dict"].ms), String(lost)]);
        report.points("burst", [{ way, x: count, time: ms * 1000, lost }]);
      }
    }
  } finally {
    await pool.close();
  }
  report.table(["n", "way", "ms", "ratio", "lost"], rows);
}
