import { Redis } from "ioredis";
import { RedisJsonDict } from "../mod.ts";
import { makeRuns } from "./documents.ts";
import { measure, sequential } from "./measure.ts";
import type { Bench } from "./bench.ts";
import { micros, ratio, size } from "./report.ts";

interface Target {
  nested: { deep: { value: string } };
}

/** The time that a caller waits for one change, beside the ways to make it in the client. */
export async function benchClient(bench: Bench): Promise<void> {
  const { report, client } = bench;
  report.section(
    "client",
    "How long does a caller wait for one change, one after another?\n" +
      "Microseconds by the clock of the caller; ratio: the best round of the other way over ours.",
  );
  // Settings as people have them, one connection for each way.
  const [reader, watcher, own] = [new Redis(bench.url), new Redis(bench.url), new Redis(bench.url)];
  const rows: string[][] = [];
  try {
    for (const bytes of [1_000, 10_000, 100_000]) {
      const document = makeRuns(bytes);
      const lab = new RedisJsonDict<{ doc: { middle: Target } }>(own, { prefix: bench.prefix });
      const key = bench.prefix + "doc";
      const prepare = () => client.set(key, document.text);
      const value = (turn: number) => turn % 2 ? "bbbb" : "aaaa";
      const change = (text: string | null, turn: number): string => {
        const doc = JSON.parse(text!) as { middle: Target };
        doc.middle.nested.deep.value = value(turn);
        return JSON.stringify(doc);
      };
      const turns = Math.round((bench.isQuick ? 1e6 : 5e6) / (bytes + 5_000));
      const times = await measure(client, {
        ours: {
          prepare,
          turns,
          batch: sequential((turn) => lab.at("doc", "middle", "nested", "deep").at("value").set(value(turn))),
        },
        getSet: {
          prepare,
          turns,
          batch: sequential(async (turn) => reader.set(key, change(await reader.get(key), turn))),
        },
        watch: {
          prepare,
          turns,
          batch: sequential(async (turn) => {
            await watcher.watch(key);
            const text = change(await watcher.get(key), turn);
            if (await watcher.multi().set(key, text).exec() === null) {
              throw new Error("Cannot be: nobody else writes");
            }
          }),
        },
      }, bench.rounds(7));
      const ours = times.ours.wall.min;
      const row = (name: string, way: keyof typeof times, verdict: string) => [
        size(document.bytes),
        name,
        micros(times[way].wall.min),
        micros(times[way].wall.median),
        way === "ours" ? "" : ratio(times[way].wall.min / ours),
        verdict,
      ];
      const name = `${size(document.bytes)}: GET, change, SET over ours`;
      rows.push(
        row("json-dict: at(...).set", "ours", ""),
        row(
          "GET, parse, change, stringify, SET (loses updates)",
          "getSet",
          bytes === 1_000 ? report.goal({ name, value: times.getSet.wall.min / ours, atLeast: 1.7 }) : "-",
        ),
        row("WATCH, GET, parse, change, stringify, MULTI, SET, EXEC", "watch", "-"),
      );
    }
  } finally {
    for (const connection of [reader, watcher, own]) await connection.quit();
  }
  report.table(["size", "way", "min", "median", "ratio", "goal"], rows);
}
