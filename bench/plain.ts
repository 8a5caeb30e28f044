import { RedisJsonDict } from "../mod.ts";
import { connect } from "../sync.ts";
import type { Bench } from "./bench.ts";
import { type Contender, measure, sequential } from "./measure.ts";
import { micros, ratio } from "./report.ts";

/** What plain assignment costs beside calls that are awaited. */
export async function benchPlain(bench: Bench): Promise<void> {
  const { report, client, url } = bench;
  report.section(
    "plain",
    "How long does a statement of ./sync take, beside the same awaited?\n" +
      "Microseconds by the clock of the caller; ratio: the best round over that of the awaited call.",
  );
  const turns = bench.isQuick ? 300 : 1000;
  const begun = performance.now();
  using plain = connect<{ n: number }>(url, { prefix: bench.prefix });
  const start = performance.now() - begun;
  await using dict = RedisJsonDict.connect<{ n: number }>(url, { prefix: bench.prefix });
  await dict.set("n", 0);
  const blocking = (job: (turn: number) => void): Contender => ({
    turns,
    batch: (turns) => {
      for (let turn = 0; turn < turns; turn++) job(turn);
      return Promise.resolve();
    },
  });
  const key = `${bench.prefix}n`;
  const times = await measure(client, {
    peerGet: { turns, batch: sequential(async () => JSON.parse((await client.get(key))!)) },
    peerSet: { turns, batch: sequential((turn) => client.set(key, JSON.stringify(turn))) },
    get: { turns, batch: sequential(() => dict.get("n")) },
    plainGet: blocking(() => plain.n),
    set: { turns, batch: sequential((turn) => dict.set("n", turn)) },
    plainSet: blocking((turn) => void (plain.n = turn)),
  }, bench.rounds(7));
  const row = (name: string, way: keyof typeof times, base: keyof typeof times, atMost: number): string[] => {
    const value = times[way].wall.min / times[base].wall.min;
    const { min, median } = times[way].wall;
    return [name, micros(min), micros(median), ratio(value), report.goal({ name, value, atMost })];
  };
  const peer = (name: string, way: keyof typeof times, base: keyof typeof times): string[] => {
    const { min, median } = times[way].wall;
    return [name, micros(min), micros(median), ratio(min / times[base].wall.min), "-"];
  };
  report.table(["way", "min", "median", "ratio", "goal"], [
    peer("GET by a plain client, awaited", "peerGet", "get"),
    peer("SET by a plain client, awaited", "peerSet", "set"),
    ["get, awaited", micros(times.get.wall.min), micros(times.get.wall.median), "", ""],
    row("get, plain", "plainGet", "get", 2),
    ["set, awaited", micros(times.set.wall.min), micros(times.set.wall.median), "", ""],
    row("set, plain", "plainSet", "set", 2.4),
  ]);
  report.note(`The worker started in ${start.toFixed(0)} ms.`);
}
