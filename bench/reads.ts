import { RedisJsonDict } from "../mod.ts";
import { compileReads } from "../src/call/call.ts";
import { makeRuns, type Place, PLACES } from "./documents.ts";
import { type Contender, measure, sequential, type Times } from "./measure.ts";
import type { Bench } from "./bench.ts";
import { micros, ratio, size } from "./report.ts";
import { CJSON_READ } from "./rivals.ts";

/** The cost of reading a small part of a large value. */
export async function benchReads(bench: Bench): Promise<void> {
  const { report, client } = bench;
  report.section(
    "reads",
    "What does it take to read one number in a large document?\n" +
      "Microseconds on the server, and by the clock of the caller; ratio: the best round of GET and parse over ours.",
  );
  const lab = new RedisJsonDict<{ doc: Record<Place, { nested: { deep: { counter: number } } }> }>(client, {
    prefix: bench.prefix,
  });
  const key = bench.prefix + "doc";
  const rows: string[][] = [];
  for (const bytes of [1e4, 1e5, 1e6]) {
    const document = makeRuns(bytes);
    await client.set(key, document.text);
    const turns = Math.round(Math.max(10, Math.min(300, (bench.isQuick ? 3e6 : 1e7) / bytes)));
    const onServer = (job: () => Promise<unknown>): Contender => ({
      turns,
      batch: sequential(job),
      command: "evalsha",
    });
    const ours = (place: Place) =>
      onServer(() =>
        bench.read(
          compileReads(bench.prefix, [{ kind: "get", path: ["doc", ...document.target(place), "counter"] }]),
        )
      );
    const times: Record<string, Times> = await measure(client, {
      get: { turns, batch: sequential(async () => JSON.parse((await client.get(key))!)), command: "get" },
      cjson: onServer(() => bench.script(CJSON_READ, "doc", ...document.target("middle"), "counter")),
      first: ours("first"),
      middle: ours("middle"),
      last: ours("last"),
    }, bench.rounds(5));
    const walls = await measure(client, {
      first: {
        turns,
        batch: sequential(() => lab.at("doc", "first", "nested", "deep").at("counter").getOrThrow()),
      },
      middle: {
        turns,
        batch: sequential(() => lab.at("doc", "middle", "nested", "deep").at("counter").getOrThrow()),
      },
      last: {
        turns,
        batch: sequential(() => lab.at("doc", "last", "nested", "deep").at("counter").getOrThrow()),
      },
    }, bench.rounds(5));
    const row = (name: string, server: number, wall: number) => [
      size(document.bytes),
      name,
      micros(server),
      ratio(times.get.server.min / server),
      micros(wall),
      ratio(times.get.wall.min / wall),
    ];
    rows.push(
      row("GET and JSON.parse", times.get.server.min, times.get.wall.min),
      row("cjson script", times.cjson.server.min, times.cjson.wall.min),
      ...PLACES.map((place) =>
        row(`json-dict: get, ${place}`, times[place].server.min, walls[place].wall.min)
      ),
    );
  }
  report.table(["size", "way", "server", "ratio", "caller", "ratio"], rows);
  await benchKnown(bench);
}

/** The cost of reading a part of a small value that was read before: by GET, or by the script if an option says so. */
async function benchKnown({ report, client, prefix, isQuick }: Bench): Promise<void> {
  type Parts = { doc: Record<Place, { nested: { deep: { counter: number } } }> };
  const [cut, script] = [undefined, 0].map((readWhole) =>
    new RedisJsonDict<Parts>(client, { prefix, readWhole })
  );
  const rows: string[][] = [];
  for (const bytes of [1e3, 4e3, 16e3]) {
    const document = makeRuns(bytes);
    await client.set(`${prefix}doc`, document.text);
    const read = (lab: typeof cut, place: Place) =>
      sequential(() => lab.at("doc", place, "nested", "deep").at("counter").getOrThrow());
    const turns = isQuick ? 100 : 300;
    for (const place of PLACES) {
      const times = await measure(client, {
        get: { turns, batch: sequential(() => client.get(`${prefix}doc`)), command: "get" },
        cut: { turns, batch: read(cut, place), command: "get" },
        script: { turns, batch: read(script, place), command: "evalsha" },
      }, isQuick ? 2 : 7);
      const { get, cut: ours, script: other } = times;
      rows.push([
        size(document.bytes),
        place,
        micros(get.server.min),
        micros(ours.server.min),
        micros(other.server.min),
        ratio(ours.server.min / get.server.min),
        micros(ours.wall.min),
        micros(other.wall.min),
      ]);
    }
  }
  report.note(
    "A part of a value whose length is known, by at(...).get(); ratio: ours over GET of all, at most 2.",
  );
  report.table(["size", "place", "GET", "ours", "by script", "ratio", "caller, ours", "by script"], rows);
}
