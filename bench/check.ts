/**
 * Floors: what each step of the engine gains at least, with a wide margin, so that a loaded machine does not fail it.
 *
 * @module
 */

import { Redis } from "ioredis";
import { RedisJsonDict } from "../mod.ts";
import type { Op } from "../src/data/op.ts";
import type { Bench } from "./bench.ts";
import { makeRuns } from "./documents.ts";
import { type Contender, measure, sequential } from "./measure.ts";
import { type Goal, ratio } from "./report.ts";
import { CJSON, GET_SET } from "./rivals.ts";

const MEMBERS = 4000;

/** Measures each step, and prints its figure. Returns the steps that are too slow. */
export async function checkFloors(bench: Bench): Promise<readonly string[]> {
  const floors = [...await short(bench), ...await long(bench), ...await many(bench)];
  bench.report.section(
    "floors",
    "Each is far from what is measured on an idle machine. All by the time of the server.",
  );
  bench.report.table(
    ["step", "result", "floor"],
    floors.map((floor) => [floor.name, ratio(floor.value), bench.report.goal(floor)]),
  );
  return floors.filter(({ value, atLeast = 0, atMost = Infinity }) => value < atLeast || value > atMost)
    .map(({ name, value, atLeast, atMost }) =>
      `Too slow: ${name}: ${ratio(value)}, expected ${
        atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`
      }`
    );
}

const DEEP = ["doc", "middle", "nested", "deep"];

/** The fast path, on 1 KB. */
async function short(bench: Bench): Promise<Goal[]> {
  const document = makeRuns(1_000);
  const ours = (op: (turn: number) => Op): Contender => ({
    prepare: () => bench.client.set(`${bench.prefix}doc`, document.text),
    turns: 300,
    batch: sequential(bench.sender(op)),
    command: "evalsha",
  });
  const times = await measure(bench.client, {
    floor: {
      ...ours(() => ({ kind: "exists", path: DEEP })),
      batch: sequential(() => bench.script(GET_SET, "doc")),
    },
    set: ours((turn) => ({ kind: "set", path: [...DEEP, "value"], value: turn % 2 ? '"bbbb"' : '"aaaa"' })),
    increment: ours(() => ({ kind: "increment", path: [...DEEP, "counter"], by: "1" })),
    push: ours(() => ({ kind: "push", path: [...DEEP, "list"], items: ["1"] })),
  }, 5);
  const over = (name: "set" | "increment" | "push", atMost: number): Goal => ({
    name: `1 KB, ${name} in the middle, over GET and SET in a script`,
    value: times[name].server.min / times.floor.server.min,
    atMost,
  });
  return [over("set", 6), over("increment", 9), over("push", 14)];
}

/** Finding and writing in pieces, on 100 KB and 1 MB. */
async function long(bench: Bench): Promise<Goal[]> {
  const goals: Goal[] = [];
  for (const [bytes, same, other] of [[1e5, 2, 1.5], [1e6, 3, 2]] as const) {
    const document = makeRuns(bytes);
    const ours = (values: readonly [string, string]): Contender => ({
      prepare: () => bench.client.set(`${bench.prefix}doc`, document.text),
      turns: 20,
      batch: sequential(
        bench.sender((turn) => ({ kind: "set", path: [...DEEP, "value"], value: values[turn % 2] })),
      ),
      command: "evalsha",
    });
    const times = await measure(bench.client, {
      cjson: {
        ...ours(['""', '""']),
        turns: 4,
        batch: sequential(() => bench.script(CJSON, "doc", "set", '"bbbb"', ...DEEP.slice(1), "value")),
      },
      same: ours(['"bbbb"', '"aaaa"']),
      other: ours(['"cccccc"', '"aaaa"']),
    }, 4);
    const over = (name: "same" | "other", atLeast: number): Goal => ({
      name: `${bytes / 1000} KB, set of ${name} length in the middle, cjson over ours`,
      value: times.cjson.server.min / times[name].server.min,
      atLeast,
    });
    goals.push(over("same", same), over("other", other));
  }
  return goals;
}

/** Ops on one value in one pass: their time grows as their number does. */
async function many(bench: Bench): Promise<Goal[]> {
  const own = new Redis(bench.url, { maxRetriesPerRequest: 0 });
  try {
    const lab = new RedisJsonDict<{ doc: { list: number[]; map: Record<string, number>; rest: string } }>(
      own,
      {
        prefix: bench.prefix,
        timeout: 60_000,
      },
    );
    const members = (count: number, value: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, value]));
    const step = (call: (turn: number) => Promise<unknown>): Contender => ({
      prepare: () => lab.set("doc", { list: [], map: members(MEMBERS, 1), rest: "x".repeat(1e6) }),
      turns: 2,
      batch: sequential(call),
      commands: ["evalsha"],
    });
    const times = await measure(bench.client, {
      few: step((turn) => lab.at("doc", "map").merge(members(MEMBERS / 10, turn + 2))),
      many: step((turn) => lab.at("doc", "map").merge(members(MEMBERS, turn + 2))),
      push: step(() => lab.at("doc", "list").push(1)),
      group: step(() => Promise.all(Array.from({ length: 300 }, () => lab.at("doc", "list").push(1)))),
    }, 4);
    return [
      {
        name: `merge of ${MEMBERS} members over one of ${MEMBERS / 10}, which is ten times as much`,
        value: times.many.server.min / times.few.server.min,
        atMost: 25,
      },
      {
        name: "300 pushes onto 1 MB at once over one push",
        value: times.group.server.min / times.push.server.min,
        atMost: 60,
      },
    ];
  } finally {
    await own.quit();
  }
}
