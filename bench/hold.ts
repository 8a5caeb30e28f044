import { Redis } from "ioredis";
import { type Json, RedisJsonDict } from "../mod.ts";
import type { Bench } from "./bench.ts";
import { size } from "./report.ts";

/** What the values hold, whatever their size. */
type Values = Record<
  string,
  { list: Json[]; map: Record<string, { n: number; text: string }>; n: number; on: string }
>;
type Lab = RedisJsonDict<Values>;

/** One member of the map, about 100 bytes. */
const MEMBER = { n: 1, text: "x".repeat(80) };
const PUSHES = 300;
/** More ops in one call are not what anybody does in one place; a merge of more members is as many ops. */
const MOST = 4000;

/** One kind of call. */
interface Kind {
  readonly name: string;
  /** Does it; `count` is the number of members of the value. */
  readonly call: (lab: Lab, count: number) => Promise<unknown>;
}

const KINDS: readonly Kind[] = [
  {
    name: "`set` of a nested member",
    call: (lab, count) => lab.at("doc", "map", `m${count >> 1}`, "n").set(12345),
  },
  { name: "`increment`", call: (lab, count) => lab.at("doc", "map", `m${count >> 1}`, "n").increment() },
  { name: "`delete` of a member", call: (lab, count) => lab.at("doc", "map", `m${count >> 1}`).delete() },
  { name: "`push`", call: (lab) => lab.at("doc", "list").push("x") },
  {
    name: `a group of ${PUSHES} pushes, not awaited`,
    call: (lab) =>
      Promise.all(Array.from({ length: PUSHES }, (_, index) => lab.at("doc", "list").push(index))),
  },
  {
    name: "`edit` of one member in each of n",
    call: (lab, count) =>
      lab.at("doc").edit((doc) => {
        for (let index = 0; index < Math.min(count, MOST); index++) doc.map[`m${index}`].n = 2;
      }),
  },
  {
    name: "`merge` of n members",
    call: (lab, count) =>
      lab.at("doc", "map").merge(
        Object.fromEntries(
          Array.from({ length: Math.min(count, MOST) }, (_, index) => [`m${index}`, { n: 3 }]),
        ),
      ),
  },
  {
    name: "`patch` of n operations",
    call: (lab, count) =>
      lab.at("doc", "map").patch(
        Array.from(
          { length: Math.min(count, MOST) },
          (_, index) => ({ op: "replace", path: `/m${index}/n`, value: 4 } as const),
        ),
      ),
  },
  {
    name: "`get` of a part, by the script",
    call: (lab, count) => lab.at("doc", "map", `m${count >> 1}`, "n").get(),
  },
  { name: "`get` of the whole", call: (lab) => lab.get("doc") },
  { name: "`popItem`", call: (lab) => lab.popItem() },
  { name: "`clear`", call: (lab) => lab.clear() },
];

/** How long one call can hold the server, by kind and size: nothing else is answered meanwhile. */
export async function benchHold(bench: Bench): Promise<void> {
  const { report, client } = bench;
  const sizes = bench.isQuick ? [1e3, 1e5, 1e6] : [1e3, 1e4, 1e5, 1e6, 1e7];
  report.section(
    "hold",
    "How long does one call hold the server, by its kind and the size of the value? n: all members of the value, about\n" +
      `one for each 100 bytes, at most ${
        MOST.toLocaleString("en")
      }. Milliseconds of the longest command of the call, by SLOWLOG and the processor; the best of some rounds.`,
  );
  const own = new Redis(bench.url, { maxRetriesPerRequest: 0 });
  const [[, before], [, length]] = await Promise.all(
    ["slowlog-log-slower-than", "slowlog-max-len"].map((name) =>
      client.config("GET", name) as Promise<string[]>
    ),
  );
  const times = new Map<string, Map<number, number>>();
  try {
    await client.config("SET", "slowlog-max-len", "1000");
    const prefix = `${bench.prefix}hold:`;
    // By the script, whatever the size: the longest time counts.
    const lab: Lab = new RedisJsonDict(own, { prefix, readWhole: 0, timeout: 60_000 });
    for (const bytes of sizes) {
      const count = Math.max(4, Math.round(bytes / 108));
      const map = Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, MEMBER]));
      const text = JSON.stringify({ on: "x", n: 0, map, list: [] });
      for (const { name, call } of KINDS) {
        for (let round = 0; round < (bench.isQuick ? 1 : bytes > 5e6 ? 2 : 3); round++) {
          await client.set(`${prefix}doc`, text);
          const longest = await longestOf(client, () => call(lab, count));
          const row = times.get(name) ?? new Map<number, number>();
          times.set(name, row.set(bytes, Math.min(longest, row.get(bytes) ?? Infinity)));
        }
      }
    }
  } finally {
    await client.config("SET", "slowlog-log-slower-than", before);
    await client.config("SET", "slowlog-max-len", length);
    await own.quit();
  }
  report.table(
    ["call", ...sizes.map(size)],
    KINDS.map(({ name }) => [name, ...sizes.map((bytes) => millis(times.get(name)!.get(bytes)!))]),
  );
}

/**
 * The longest command that the server runs meanwhile, in microseconds. The slow log counts by the clock, so that what
 * other programs take of the processor is left out by the time of the processor for all commands.
 */
async function longestOf(client: Redis, call: () => Promise<unknown>): Promise<number> {
  await client.config("SET", "slowlog-log-slower-than", "0");
  await client.slowlog("RESET");
  const before = await processorTime(client);
  await call();
  const processor = await processorTime(client) - before;
  await client.config("SET", "slowlog-log-slower-than", "-1");
  const entries = await client.slowlog("GET", 1000) as [id: number, at: number, us: number, args: string[]][];
  const times = entries.filter(([, , , [command]]) => !/^(?:config|slowlog|info)$/i.test(command))
    .map(([, , us]) => us);
  const all = times.reduce((sum, us) => sum + us, 0);
  return Math.max(...times) * Math.min(1, processor / all);
}

/** What the thread of the server that runs commands has used of the processor, in microseconds. */
async function processorTime(client: Redis): Promise<number> {
  const info = await client.info("cpu");
  return [...info.matchAll(/^used_cpu_(?:sys|user)_main_thread:([\d.]+)/gm)]
    .reduce((sum, [, seconds]) => sum + Number(seconds) * 1e6, 0);
}

function millis(us: number): string {
  const ms = us / 1000;
  return ms >= 10 ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(1) : ms.toFixed(2);
}
