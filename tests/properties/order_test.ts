/** The order of issue: un-awaited calls of every kind do what they would do one after the other. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Json } from "../../src/data/json.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { KeyNotFoundError } from "../../src/errors/value.ts";
import { PatchError } from "../../src/errors/edit.ts";
import { fuzz } from "../support/fuzz.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

// Without records: tens of thousands of them would stand beside the keys that are looked for.
const client = testClient({ maxRetriesPerRequest: 0 });

type Items = Record<string, number[]>;

function newLab(): RedisJsonDict<Items> {
  return new RedisJsonDict<Items>(client, { prefix: uniquePrefix("order"), delivery: "at-most-once" });
}

/** What a call is made with. */
interface Arguments {
  readonly key: string;
  readonly other: string;
  readonly value: number;
}

/** One kind of call: on the dictionary, and on plain data in the order of issue. */
interface Kind {
  /** The keys of which later calls change nothing that it sees; all for one that looks at all of them. */
  readonly call: (lab: RedisJsonDict<Items>, args: Arguments) => Promise<unknown>;
  /** What it gives. Sees the answer, for some calls may choose. */
  readonly model: (items: Map<string, number[]>, args: Arguments, answer: unknown) => unknown;
  /** It looks at all keys, and may see what later calls do to theirs. */
  readonly isWide?: boolean;
}

/** What a call ended with, comparable. */
type End = { readonly value: unknown } | { readonly error: string };

async function endOf(call: Promise<unknown>): Promise<End> {
  try {
    return { value: await call };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: error.name };
  }
}

function modelEnd(model: () => unknown): End {
  try {
    return { value: model() };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: error.name };
  }
}

function at(items: Map<string, number[]>, key: string): number[] {
  const list = items.get(key);
  if (list === undefined) throw new KeyNotFoundError({ operation: "", path: [key] });
  return list;
}

function sorted(items: Iterable<readonly [string, number[]]>): [string, number[]][] {
  return [...items].map(([key, list]): [string, number[]] => [key, [...list]])
    .sort(([a], [b]) => a < b ? -1 : 1);
}

const KINDS: Readonly<Record<string, Kind>> = {
  set: {
    call: (lab, { key, value }) => lab.set(key, [value]),
    model: (items, { key, value }) => void items.set(key, [value]),
  },
  get: {
    call: (lab, { key }) => lab.get(key),
    model: (items, { key }) => items.get(key)?.slice(),
  },
  has: {
    call: (lab, { key }) => lab.has(key),
    model: (items, { key }) => items.has(key),
  },
  getMany: {
    call: async (lab, { key, other }) => sorted(await lab.getMany([key, other])),
    model: (items, { key, other }) =>
      sorted([...new Set([key, other])].filter((k) => items.has(k)).map((k) => [k, items.get(k)!] as const)),
  },
  delete: {
    call: (lab, { key }) => lab.delete(key),
    model: (items, { key }) => items.delete(key),
  },
  pop: {
    call: (lab, { key }) => lab.pop(key),
    model: (items, { key }) => {
      const list = items.get(key);
      items.delete(key);
      return list;
    },
  },
  getOrInsert: {
    call: (lab, { key, value }) => lab.getOrInsert(key, [value]),
    model: (items, { key, value }) => {
      if (!items.has(key)) items.set(key, [value]);
      return items.get(key)!.slice();
    },
  },
  update: {
    call: (lab, { key, other, value }) => lab.update({ [key]: [value], [other]: [value, value] }),
    model: (items, { key, other, value }) => void items.set(key, [value]).set(other, [value, value]),
  },
  push: {
    call: (lab, { key, value }) => lab.at(key).push(value),
    model: (items, { key, value }) => at(items, key).push(value),
  },
  length: {
    call: (lab, { key }) => lab.at(key).length(),
    model: (items, { key }) => items.get(key)?.length,
  },
  patch: {
    call: (lab, { key, value }) => lab.patch(key, [{ op: "add", path: "/-", value }]),
    model: (items, { key, value }) => {
      if (!items.has(key)) {
        throw new PatchError({ operation: "", path: [key], index: 0, patchOperation: "add", pointer: "" });
      }
      at(items, key).push(value);
    },
  },
  edit: {
    call: (lab, { key, value }) => lab.edit((draft) => draft[key]?.push(value)),
    model: (items, { key, value }) => items.get(key)?.push(value),
  },
  editBlind: {
    call: (lab, { key, value }) =>
      lab.edit((draft) => {
        draft[key] = [value];
      }),
    model: (items, { key, value }) => void items.set(key, [value]),
  },
  editDelete: {
    call: (lab, { key, other }) =>
      lab.edit((draft) => {
        delete draft[key];
        return draft[other] === undefined;
      }),
    model: (items, { key, other }) => {
      items.delete(key);
      return !items.has(other);
    },
  },
  editRead: {
    call: (lab, { key }) => lab.edit((draft) => [...draft[key] ?? []]),
    model: (items, { key }) => [...items.get(key) ?? []],
  },
  editThrow: {
    call: (lab, { key, value }) =>
      lab.edit((draft) => {
        draft[key] = [value];
        throw new RangeError("no");
      }),
    model: () => {
      throw new RangeError("no");
    },
  },
  editRef: {
    call: (lab, { key, value }) => lab.at(key).edit((draft) => draft.unshift(value)),
    model: (items, { key, value }) => at(items, key).unshift(value),
  },
  editTwo: {
    call: (lab, { key, other }) =>
      lab.edit((draft) => {
        const taken = draft[key]?.pop();
        if (taken !== undefined) draft[other] = [...draft[other] ?? [], taken];
        return taken;
      }, { keys: [key, other] }),
    model: (items, { key, other }) => {
      const taken = items.get(key)?.pop();
      if (taken !== undefined) items.set(other, [...items.get(other) ?? [], taken]);
      return taken;
    },
  },
  popItem: {
    call: (lab) => lab.popItem(),
    model: (items, _, answer) => {
      if (!Array.isArray(answer)) return [...items].at(0);
      const [key] = answer;
      const list = items.get(key);
      items.delete(key);
      return list && [key, list];
    },
  },
  clear: {
    call: (lab) => lab.clear(),
    model: (items) => {
      const { size } = items;
      items.clear();
      return size;
    },
  },
  size: {
    call: (lab) => lab.size(),
    model: (items) => items.size,
    isWide: true,
  },
  toObject: {
    call: async (lab) => sorted(Object.entries(await lab.toObject()) as [string, number[]][]),
    model: (items) => sorted(items),
    isWide: true,
  },
  keys: {
    call: async (lab) => (await Array.fromAsync(lab.keys())).sort(),
    model: (items) => [...items.keys()].sort(),
    isWide: true,
  },
  entries: {
    call: async (lab) => sorted(await Array.fromAsync(lab) as [string, number[]][]),
    model: (items) => sorted(items),
    isWide: true,
  },
};

interface Step extends Arguments {
  readonly kind: string;
  /** What is awaited before it is issued: nothing, a turn of the microtasks, or of the event loop. */
  readonly wait: 0 | 1 | 2;
}

const keys = fc.constantFrom("a", "b", "c", "__proto__");
const steps: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...Object.keys(KINDS)),
  key: keys,
  other: keys,
  value: fc.integer({ min: 0, max: 99 }),
  wait: fc.constantFrom(0, 0, 0, 0, 1, 2),
});

/** What is in Redis. */
async function contents(lab: RedisJsonDict<Items>): Promise<[string, Json][]> {
  const names = ["a", "b", "c", "__proto__"];
  const texts = await client.mget(names.map((name) => lab.prefix + name));
  return names.flatMap((name, index) => texts[index] === null ? [] : [[name, JSON.parse(texts[index]!)]]);
}

async function runProgram(lab: RedisJsonDict<Items>, program: readonly Step[]): Promise<void> {
  const items = new Map(await contents(lab) as [string, number[]][]);
  const ends: Promise<End>[] = [];
  for (const step of program) {
    if (step.wait === 1) await Promise.resolve();
    if (step.wait === 2) await new Promise((resolve) => setTimeout(resolve, 0));
    ends.push(endOf(KINDS[step.kind].call(lab, step)));
  }
  const actual = await Promise.all(ends);
  program.forEach((step, index) => {
    const kind = KINDS[step.kind];
    const end = actual[index];
    const expected = modelEnd(() => kind.model(items, step, "value" in end ? end.value : undefined));
    // What a later call does may already be seen by one that looks at all keys.
    const isChanged = kind.isWide && index < program.length - 1;
    if (!isChanged) assertEquals(end, expected, `call ${index}, ${step.kind}`);
  });
  assertEquals(sorted(await contents(lab) as [string, number[]][]), sorted(items), "what is in Redis");
}

function items(count: number): Items {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, [index]]));
}

describe("RedisJsonDict without awaiting", () => {
  it("RedisJsonDict applies un-awaited calls of every kind in the order of issue", async () => {
    const lab = newLab();
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 2, maxLength: 14 }), async (program) => {
        await runProgram(lab, program);
      }),
      fuzz(3),
    );
  });

  it("RedisJsonDict.edit() takes its place at keys that it finds late, and nothing waits for ever", async () => {
    const names = ["a", "b", "c", "d"];
    const moves = fc.array(
      fc.record({
        path: fc.shuffledSubarray(names, { minLength: 2 }),
        wait: fc.constantFrom(0, 0, 1, 2),
        extra: fc.constantFrom("none", "get", "size", "set x"),
      }),
      { minLength: 2, maxLength: 8 },
    );
    const lab = newLab();
    await fc.assert(
      fc.asyncProperty(moves, async (program) => {
        await lab.update(Object.fromEntries(names.map((name) => [name, [10]])));
        const calls: Promise<unknown>[] = [];
        for (const { path, wait, extra } of program) {
          if (wait === 1) await Promise.resolve();
          if (wait === 2) await new Promise((resolve) => setTimeout(resolve, 0));
          // Each key is found by the value of the one before it.
          calls.push(lab.edit((draft) => {
            for (let index = 1; index < path.length; index++) {
              draft[path[index - 1]][0]--;
              draft[path[index]][0]++;
            }
          }));
          if (extra === "get") calls.push(lab.get(path[1]));
          if (extra === "size") calls.push(lab.size());
          if (extra === "set x") calls.push(lab.update({ x: [1], y: [2] }));
        }
        await Promise.all(calls);
        const expected = new Map(names.map((name) => [name, 10]));
        for (const { path } of program) {
          expected.set(path[0], expected.get(path[0])! - 1);
          expected.set(path.at(-1)!, expected.get(path.at(-1)!)! + 1);
        }
        for (const name of names) assertEquals(await lab.get(name), [expected.get(name)!]);
      }),
      fuzz(0.5),
    );
  });

  it("RedisJsonDict iterates while its items are changed, and each page shows what was issued before it", async () => {
    const lab = newLab();
    const names = Array.from({ length: 3_000 }, (_, index) => `k${index}`);
    await lab.update(Object.fromEntries(names.map((name) => [name, [0]])));
    const seen = new Map<string, number[]>();
    for await (const [key, value] of lab) {
      seen.set(key, value);
      // Un-awaited: the items of the pages to come.
      if (seen.size === 1) { for (const name of names) if (name !== key) lab.at(name, 0).increment(); }
      if (seen.size === 2) lab.at(key).push(9);
    }
    assertEquals(seen.size, names.length);
    const pages = [...seen.values()].map(([first]) => first);
    const stale = pages.filter((first) => first === 0).length;
    assert(stale < 1_500, `${stale} items of later pages were stale`);
    assert(pages.slice(stale).every((first) => first === 1), "a page behind the first one is stale");
  });

  it("RedisJsonDict.clear() leaves what is written after it, and holds nothing up", async () => {
    const lab = newLab();
    await lab.update(items(2_500));
    const [count, before, , after, found] = await Promise.all([
      lab.clear(),
      lab.get("k7"),
      lab.set("k7", [7]),
      lab.get("k7"),
      lab.edit((draft) => draft.k8),
    ]);
    assertEquals([count, before, after, found], [2_500, undefined, [7], undefined]);
    assertEquals(await lab.toObject(), { k7: [7] });
  });

  it("RedisJsonDict.popItem() looks at each key of the server about once, however many items it takes", async () => {
    let scans = 0;
    const counting = {
      call: (name: string, ...args: (string | number)[]): Promise<unknown> => {
        if (name === "SCAN") scans++;
        return client.call(name, ...args);
      },
    };
    const foreign = uniquePrefix("order");
    await client.mset(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${foreign}${i}`, "1"])));
    const prefix = uniquePrefix("order");
    const lab = new RedisJsonDict<Record<string, number>>(counting, { prefix, delivery: "at-most-once" });
    const names = Array.from({ length: 200 }, (_, index) => `job${index}`);
    await lab.update(Object.fromEntries(names.map((name) => [name, 1])));
    const taken = new Set<string>();
    for (let item = await lab.popItem(); item !== undefined; item = await lab.popItem()) taken.add(item[0]);
    assertEquals([...taken].sort(), names.toSorted());
    const whole = await client.dbsize() / 1_000;
    assert(scans < 4 * whole + 20, `${scans} scans of 1,000 keys for ${whole} pages`);
  });
});
