import { cached, RedisJsonDict } from "../mod.ts";
import type { Bench } from "./bench.ts";
import { measure, sequential, type Times } from "./measure.ts";
import { micros, ratio } from "./report.ts";

interface Items {
  doc: { n: number; rest: string };
}

type Dict = RedisJsonDict<Items>;

const REST = "x".repeat(300);

/** What watches cost: until an event comes, for those who write, and for those who read what is cached. */
export async function benchWatch(bench: Bench): Promise<void> {
  await delay(bench);
  await writers(bench);
  await reads(bench);
}

async function delay({ report, client, url, prefix, isQuick }: Bench): Promise<void> {
  report.section(
    "watch",
    "How long after a write was sent does a watch of another connection have the value? Microseconds.",
  );
  await using watching: Dict = RedisJsonDict.connect<Items>(url, { prefix });
  const writing: Dict = new RedisJsonDict(client, { prefix });
  const rows: string[][] = [];
  for (const bytes of [300, 10_000]) {
    await writing.set("doc", { n: 0, rest: "x".repeat(bytes) });
    const delays: number[] = [];
    const count = isQuick ? 200 : 1000;
    let sentAt = 0;
    let n = 0;
    for await (const value of watching.at("doc", "n").watch()) {
      if (value !== n) continue; // an event of its own for what was there before
      if (n > 20) delays.push(performance.now() - sentAt); // the first ones are slower
      if (n === count + 20) break;
      n++;
      sentAt = performance.now();
      await writing.at("doc", "n").set(n);
    }
    delays.sort((a, b) => a - b);
    const at = (share: number): string => micros(delays[Math.floor(delays.length * share)] * 1000);
    rows.push([`${bytes} B`, at(0.5), at(0.99)]);
  }
  report.table(["value", "p50", "p99"], rows);
}

async function writers(bench: Bench): Promise<void> {
  const { report, client, prefix } = bench;
  report.section(
    "writers of what is watched",
    "What does an increment cost while clients of another process watch the value? Microseconds for the caller, and of\n" +
      "EVALSHA on the server. Ratios: over no watcher.",
  );
  const rows: string[][] = [];
  for (const kind of ["one prefix", "prefixes of their own"]) {
    let base: Times | undefined;
    for (const count of [0, 1, 10, 100]) {
      const stop = await startWatchers(bench, kind, count);
      try {
        const writing: Dict = new RedisJsonDict(client, { prefix });
        const { write } = await measure(client, {
          write: {
            prepare: () => writing.set("doc", { n: 0, rest: REST }),
            turns: bench.isQuick ? 50 : 200,
            batch: sequential(() => writing.at("doc", "n").increment()),
            command: "evalsha",
          },
        }, bench.rounds(5));
        base ??= write;
        rows.push([
          kind,
          String(count),
          micros(write.wall.min),
          ratio(write.wall.min / base.wall.min),
          micros(write.server.min),
          ratio(write.server.min / base.server.min),
        ]);
      } finally {
        await stop();
      }
    }
  }
  report.table(["watchers", "count", "caller", "ratio", "server", "ratio"], rows);
}

/** Starts watchers in a process of their own, each with a client of its own. Returns what ends them. */
async function startWatchers(
  { url, prefix }: Bench,
  kind: string,
  count: number,
): Promise<() => Promise<void>> {
  if (count === 0) return () => Promise.resolve();
  const args = ["run", "-A", "--quiet", import.meta.filename!, url, prefix, kind, String(count)];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const output = child.stdout.getReader();
  if ((await output.read()).done) throw new Error("Cannot measure: the watchers did not start");
  return async () => {
    await child.stdin.close(); // they end with their input
    await output.cancel();
    await child.status;
  };
}

async function watch(url: string, prefix: string, kind: string, count: number): Promise<void> {
  const dicts = Array.from(
    { length: count },
    (_, index) =>
      RedisJsonDict.connect<Items>(url, { prefix: kind === "one prefix" ? prefix : `${prefix}${index}:` }),
  );
  await Promise.all(dicts.map((dict) =>
    new Promise<void>((resolve, reject) => {
      (async () => {
        for await (const _ of dict.at("doc", "n").watch()) resolve();
      })().catch(reject);
    })
  ));
  console.log("ready");
  await Deno.stdin.read(new Uint8Array(1));
  await Promise.all(dicts.map((dict) => dict.close()));
}

async function reads(bench: Bench): Promise<void> {
  const { report, client, prefix, url } = bench;
  report.section(
    "cached",
    "What does a read take from the cache, beside a GET of the same? Microseconds by the clock of the caller, awaited one\n" +
      "after another; ratio: over the cached read.",
  );
  await using dict: Dict = RedisJsonDict.connect<Items>(url, { prefix });
  await dict.set("doc", { n: 1, rest: REST });
  await using cache = cached(dict, new Map());
  await cache.ready();
  await cache.get("doc");
  const turns = bench.isQuick ? 2000 : 5000;
  const times = await measure(client, {
    cached: { turns: turns * 20, batch: sequential(() => cache.get("doc")) },
    get: { turns, batch: sequential(() => dict.get("doc")) },
    plain: {
      turns,
      batch: sequential(async () => JSON.parse((await client.get(`${prefix}doc`))!)),
    },
  }, bench.rounds(5));
  const value = times.plain.wall.min / times.cached.wall.min;
  const row = (name: string, way: keyof typeof times, goal: string): string[] => [
    name,
    times[way].wall.min.toFixed(2),
    times[way].wall.median.toFixed(2),
    way === "cached" ? "" : ratio(times[way].wall.min / times.cached.wall.min),
    goal,
  ];
  report.table(["way", "min", "median", "ratio", "goal"], [
    row("cached(...).get", "cached", ""),
    row("get", "get", "-"),
    row(
      "GET and JSON.parse, plain client",
      "plain",
      report.goal({ name: "GET over a cached read", value, atLeast: 50 }),
    ),
  ]);
}

if (import.meta.main) {
  const [url, prefix, kind, count] = Deno.args;
  await watch(url, prefix, kind, Number(count));
}
