import { Redis } from "ioredis";
import { type Delivery, RedisJsonDict } from "../mod.ts";
import type { Bench } from "./bench.ts";
import { makeRuns } from "./documents.ts";
import { type Contender, measure, sequential, type Times } from "./measure.ts";
import { micros, ratio, size } from "./report.ts";

/** Changes that leave together share one record. */
const BURST = 50;

/** The cost of the record of each call. */
export async function benchRecord(bench: Bench): Promise<void> {
  const { report, client } = bench;
  report.section(
    "record",
    `What does the record of a call cost? Increments by dictionaries with and without records.\n` +
      "Microseconds for one increment; the server's are those of EVALSHA. Ratios of the best rounds.",
  );
  const own = new Redis(bench.url, { maxRetriesPerRequest: 0 });
  const recordPrefix = `${bench.prefix}op:`;
  const rows: string[][] = [];
  try {
    for (const bytes of [300, 1_000, 10_000]) {
      const { text } = makeRuns(bytes);
      const prepare = () => client.set(`${bench.prefix}doc`, `{"n":0,"rest":${text}}`);
      const contender = (delivery: Delivery, isBurst: boolean): Contender => {
        const lab = new RedisJsonDict<{ doc: { n: number } }>(own, {
          prefix: bench.prefix,
          recordPrefix,
          delivery,
        });
        const increment = () => lab.at("doc", "n").increment();
        return {
          prepare,
          turns: bench.isQuick ? 1000 : 4000,
          batch: isBurst
            ? sequential(() => Promise.all(Array.from({ length: BURST }, increment)))
            : sequential(increment),
          ...(isBurst ? { turns: bench.isQuick ? 20 : 80 } : {}),
          command: "evalsha",
        };
      };
      const times: Record<string, Times> = await measure(client, {
        "one by one, no record": contender("at-most-once", false),
        "one by one": contender("exactly-once", false),
        [`${BURST} at once, no record`]: contender("at-most-once", true),
        [`${BURST} at once`]: contender("exactly-once", true),
      }, bench.rounds(7));
      const names = Object.keys(times);
      names.forEach((name, index) => {
        const { server, wall } = times[name];
        const share = index < 2 ? 1 : BURST;
        const [bareServer, bareWall] = [times[names[index & 2]].server.min, times[names[index & 2]].wall.min];
        rows.push([
          size(bytes),
          name,
          micros(server.min / share),
          micros(wall.min / share),
          index % 2 ? ratio(server.min / bareServer) : "",
          index % 2 ? ratio(wall.min / bareWall) : "",
        ]);
      });
    }
    report.table(["size", "increments", "server", "caller", "server, ratio", "caller, ratio"], rows);
    const [, [record]] = await client.scan(0, "MATCH", `${recordPrefix}*`, "COUNT", 10_000_000);
    report.note(
      `A record takes ${await client.memory("USAGE", record)} bytes by MEMORY USAGE until it expires, ` +
        "80 s after the call with the default timeout; that of a call with a long answer is made short.",
    );
  } finally {
    own.disconnect();
    let cursor = "0";
    do {
      const [next, names] = await client.scan(cursor, "MATCH", `${bench.prefix}*`, "COUNT", 10_000);
      if (names.length > 0) await client.unlink(names);
      cursor = next;
    } while (cursor !== "0");
  }
}
