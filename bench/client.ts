import { Redis } from "ioredis";
import { RedisJsonDict } from "../mod.ts";
import { makeRuns } from "./documents.ts";
import { measure, sequential } from "./measure.ts";
import type { Bench } from "./bench.ts";
import { changeByGetSet, changeByWatch } from "./peers.ts";
import { micros, ratio, size } from "./report.ts";
import { CJSON } from "./rivals.ts";

interface Target {
  nested: { deep: { value: string } };
}

const PATH = ["middle", "nested", "deep", "value"];

/** The time that a caller waits for one change, beside the other ways to make it. */
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
    for (const bytes of bench.isQuick ? [1e3, 1e4, 1e5, 1e6] : [1e3, 1e4, 1e5, 1e6, 1e7]) {
      const document = makeRuns(bytes);
      const lab = new RedisJsonDict<{ doc: { middle: Target } }>(own, { prefix: bench.prefix });
      const key = bench.prefix + "doc";
      const prepare = () => client.set(key, document.text);
      const value = (turn: number) => turn % 2 ? "bbbb" : "cccccc";
      const change = (turn: number) => (text: string): string => {
        const doc = JSON.parse(text) as { middle: Target };
        doc.middle.nested.deep.value = value(turn);
        return JSON.stringify(doc);
      };
      const turns = Math.max(1, Math.round((bench.isQuick ? 1e6 : 4e6) / (bytes + 5_000)));
      const whole = (job: (turn: number) => Promise<unknown>) => ({ prepare, turns, batch: sequential(job) });
      const times = await measure(client, {
        // Ours does not grow with the document as the others do: more turns in the same time.
        ours: {
          ...whole((turn) => lab.at("doc", "middle", "nested", "deep").at("value").set(value(turn))),
          turns: bytes < 1e6 ? turns : turns * 5,
        },
        getSet: whole((turn) => changeByGetSet(reader, key, change(turn))),
        watch: whole((turn) => changeByWatch(watcher, key, change(turn))),
        cjson: whole((turn) => bench.script(CJSON, "doc", "set", `"${value(turn)}"`, ...PATH)),
      }, bench.rounds(bytes > 5e6 ? 3 : 5));
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
          bytes === 1e3 ? report.goal({ name, value: times.getSet.wall.min / ours, atLeast: 1.6 }) : "-",
        ),
        row("WATCH, GET, parse, change, stringify, MULTI, SET, EXEC", "watch", "-"),
        row("cjson script: decode, change, encode (damages data)", "cjson", "-"),
      );
      report.points("cost", [
        { way: "json-dict", x: document.bytes, time: ours },
        { way: "GET, change, SET", x: document.bytes, time: times.getSet.wall.min },
        { way: "cjson script", x: document.bytes, time: times.cjson.wall.min },
      ]);
    }
  } finally {
    for (const connection of [reader, watcher, own]) await connection.quit();
  }
  report.table(["size", "way", "min", "median", "ratio", "goal"], rows);
}
