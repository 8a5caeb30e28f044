/** Many clients in several processes work on the same values: nothing is lost and nothing is given twice. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { runWorkers } from "../support/race.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const PROCESSES = ["p", "q"];
const CLIENTS = 4;
const ALL = PROCESSES.length * CLIENTS;

/** Runs a job in all processes at once; returns what each client got. */
async function race(prefix: string, job: string, rounds: number): Promise<unknown[][]> {
  const got = await runWorkers(PROCESSES, redisUrl, prefix, job, CLIENTS, rounds);
  assertEquals(got.length, ALL);
  return got;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function sorted(values: unknown[]): number[] {
  return (values as number[]).sort((a, b) => a - b);
}

async function read(prefix: string, key = "x"): Promise<never> {
  return JSON.parse(await client.get(`${prefix}${key}`) ?? "null") as never;
}

describe("Races of processes", () => {
  it("Ref.push() of 8 clients loses nothing, keeps the order of each, and numbers every push", async () => {
    const prefix = uniquePrefix("races");
    await client.set(`${prefix}x`, '{"list":[]}');
    const lengths = await race(prefix, "push", 200);
    assertEquals(sorted(lengths.flat()), numbers(ALL * 200));
    const { list } = await read(prefix) as { list: string[] };
    assertEquals(list.length, ALL * 200);
    for (const name of PROCESSES.flatMap((process) => [0, 1, 2, 3].map((index) => `${process}${index}`))) {
      const own = list.filter((item) => item.startsWith(`${name}.`));
      assertEquals(own, numbers(200).map((number) => `${name}.${number - 1}`));
    }
  });

  it("Ref.increment() of 8 clients gives each number once, awaited or in bursts", async () => {
    for (const job of ["increment", "burst"]) {
      const prefix = uniquePrefix("races");
      await client.set(`${prefix}x`, '{"n":0}');
      const got = await race(prefix, job, 200);
      assertEquals(sorted(got.flat()), numbers(ALL * 200));
      assertEquals(await client.get(`${prefix}x`), `{"n":${ALL * 200}}`);
    }
  });

  it("Ref.pop() of 8 clients takes each element exactly once", async () => {
    const prefix = uniquePrefix("races");
    await client.set(`${prefix}x`, JSON.stringify(numbers(1000)));
    const got = await race(prefix, "pop", 0);
    assertEquals(sorted(got.flat()), numbers(1000));
    assertEquals(await client.get(`${prefix}x`), "[]");
  });

  it("RedisJsonDict.popItem() of 8 clients takes each item exactly once", async () => {
    const prefix = uniquePrefix("races");
    await client.mset(Object.fromEntries(numbers(200).map((number) => [`${prefix}${number}`, "1"])));
    const got = await race(prefix, "popItem", 0);
    assertEquals(sorted(got.flat().map(Number)), numbers(200));
    assertEquals(await client.keys(`${prefix}*`), []);
  });

  it("getOrInsert() of 8 clients has one winner for each key, and all get the same", async () => {
    const prefix = uniquePrefix("races");
    const whole = await race(prefix, "getOrInsert", 100);
    for (let round = 0; round < 100; round++) {
      const winner = await read(prefix, `k${round}`);
      assertEquals(new Set(whole.map((got) => got[round])), new Set([winner]));
    }
    await client.set(`${prefix}x`, "{}");
    const inside = await race(prefix, "getOrInsertInside", 100);
    const value = await read(prefix) as Record<string, string>;
    for (let round = 0; round < 100; round++) {
      assertEquals(new Set(inside.map((got) => got[round])), new Set([value[`k${round}`]]));
    }
  });

  it("Ref.compareAndSet() of 8 clients counts without losing", async () => {
    const prefix = uniquePrefix("races");
    await client.set(`${prefix}x`, '{"n":0}');
    const tries = await race(prefix, "compareAndSet", 50);
    assertEquals(await client.get(`${prefix}x`), `{"n":${ALL * 50}}`);
    assertEquals(tries.flat().length, ALL * 50);
  });

  it("Ref.set() of 8 clients at different members keeps them all", async () => {
    const prefix = uniquePrefix("races");
    await client.set(`${prefix}x`, "{}");
    await race(prefix, "members", 100);
    const value = await read(prefix) as Record<string, number>;
    assertEquals(Object.keys(value).length, ALL * 100);
    assert(Object.entries(value).every(([name, round]) => name.endsWith(`.${round}`)));
  });

  it("RedisJsonDict.update() of 8 clients shows all of one update or nothing of it", async () => {
    const prefix = uniquePrefix("races");
    const got = await race(prefix, "update", 100);
    assertEquals(new Set(got.flat()), new Set([true]));
    assertEquals(await read(prefix, "a"), await read(prefix, "b"));
  });

  it("RedisJsonDict.edit() of 8 clients moves money, and none is made or lost", async () => {
    const prefix = uniquePrefix("races");
    const accounts = numbers(4).map((number) => [`${prefix}k${number - 1}`, '{"money":25,"log":[]}']);
    await client.mset(...accounts.flat());
    const sums = await race(prefix, "transfer", 40);
    assertEquals(new Set(sums.flat()), new Set([100])); // no recipe has seen two moments
    let money = 0;
    for (const [key] of accounts) money += JSON.parse((await client.get(key))!).money;
    assertEquals(money, 100);
  });

  it("RedisJsonDict.edit() of 8 clients at different parts of one value runs once each", async () => {
    const prefix = uniquePrefix("races");
    await client.set(`${prefix}x`, '{"shared":[]}');
    const runs = await race(prefix, "edit", 50);
    assertEquals(new Set(runs.flat()), new Set([1]));
    const value = await read(prefix) as Record<string, string[]>;
    assertEquals(value.shared.length, ALL * 50);
    assertEquals(Object.keys(value).length, ALL + 1);
  });
});
