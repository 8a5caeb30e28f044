import { RedisJsonDict } from "../mod.ts";
import { measure, sequential } from "./measure.ts";
import type { Bench } from "./bench.ts";
import { micros, ratio } from "./report.ts";

const ITEMS = 10_000;
const FOREIGN = 100_000;

/** The cost of iteration on a server that also holds other keys. */
export async function benchIteration(bench: Bench): Promise<void> {
  const { report, client } = bench;
  const [items, foreign] = bench.isQuick ? [ITEMS / 10, FOREIGN / 10] : [ITEMS, FOREIGN];
  report.section(
    "iteration",
    `How long does it take to read all of ${items.toLocaleString("en")} items among ` +
      `${foreign.toLocaleString("en")} keys of others?\n` +
      "Milliseconds for all items by the clock of the caller.",
  );
  const prefix = `${bench.prefix}items:`;
  await fill(bench, items, (id) => [`${prefix}${id}`, `{"id":${id},"label":"item ${id}","tags":["a","b"]}`]);
  await fill(bench, foreign, (id) => [`${bench.prefix}other:${id}`, "x"]);
  const lab = new RedisJsonDict(client, { prefix });
  const read = (key: string) => client.get(key).then((text) => JSON.parse(text!));
  const check = (count: number) => {
    if (count !== items) throw new Error(`Cannot trust the figures: ${count} of ${items} items came`);
  };
  const scan = async (count: number, visit: (key: string) => Promise<unknown>): Promise<void> => {
    const seen = new Set<string>();
    let cursor = "0";
    do {
      const [next, keys] = await client.scan(cursor, "MATCH", `${prefix}*`, "COUNT", count);
      for (const key of keys) {
        if (seen.has(key)) continue;
        seen.add(key);
        await visit(key);
      }
      cursor = next;
    } while (cursor !== "0");
    check(seen.size);
  };
  const ids = Array.from({ length: items }, (_, id) => `${prefix}${id}`);
  const times = await measure(client, {
    entries: {
      turns: 1,
      batch: sequential(async () => {
        let count = 0;
        for await (const [key, value] of lab.entries()) count += key !== "" && value !== null ? 1 : 0;
        check(count);
      }),
    },
    gets: {
      turns: 1,
      batch: sequential(async () => {
        for (const id of ids) await read(id);
      }),
    },
    scanned: { turns: 1, batch: sequential(() => scan(10, read)) },
    paged: { turns: 1, batch: sequential(() => scan(1000, read)) },
  }, bench.rounds(3));
  const ours = times.entries.wall.min;
  const row = (name: string, way: keyof typeof times, goal: "" | "-" | 20) => {
    const value = times[way].wall.min / ours;
    return [
      name,
      micros(times[way].wall.min / 1000),
      micros(times[way].wall.median / 1000),
      goal === "" ? "" : ratio(value),
      goal === 20 ? report.goal({ name: `${name}, over entries()`, value, atLeast: goal }) : goal,
    ];
  };
  report.table(["way", "min", "median", "ratio", "goal"], [
    row("json-dict: entries()", "entries", ""),
    row("SCAN as it comes (COUNT 10), a GET for each item", "scanned", 20),
    row("SCAN COUNT 1000, a GET for each item", "paged", "-"),
    row("only a GET for each item, keys known", "gets", "-"),
  ]);
}

async function fill(bench: Bench, count: number, pair: (id: number) => [string, string]): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const size = Math.min(1000, count - from);
    await bench.client.mset(Array.from({ length: size }, (_, index) => pair(from + index)).flat());
  }
}
