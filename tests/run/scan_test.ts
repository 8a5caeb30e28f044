/** Iteration over a dictionary that is one of many on its server. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { CorruptValueError } from "../../src/errors/value.ts";
import { NoAnswer } from "../../src/run/failure.ts";
import { Runner } from "../../src/run/runner.ts";
import { scanKeys } from "../../src/run/scan.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();

/** A dictionary of numbers k0, k1, ... among keys of others. */
async function fill(count: number, foreign = 0): Promise<RedisJsonDict<Record<string, number>>> {
  const prefix = uniquePrefix("scan");
  const pipeline = client.pipeline();
  for (let index = 0; index < count; index++) pipeline.set(`${prefix}k${index}`, index);
  const other = uniquePrefix("foreign");
  for (let index = 0; index < foreign; index++) pipeline.set(`${other}k${index}`, "not JSON");
  await pipeline.exec();
  return new RedisJsonDict(client, { prefix });
}

describe("RedisJsonDict iteration", () => {
  it("RedisJsonDict goes through 5,000 items among foreign keys and types, each once", async () => {
    const lab = await fill(5000, 3000);
    await client.rpush(`${lab.prefix}list`, "a");
    await client.hset(`${lab.prefix}hash`, "a", "1");
    await client.sadd(`${lab.prefix}set`, "a");
    await client.xadd(`${lab.prefix}stream`, "*", "a", "1");
    const keys = await Array.fromAsync(lab.keys());
    assertEquals([keys.length, new Set(keys).size], [5000, 5000]);
    const values = await Array.fromAsync(lab.values());
    assertEquals(values.sort((a, b) => a - b), Array.from({ length: 5000 }, (_, index) => index));
    for await (const [key, value] of lab) assertEquals(key, `k${value}`);
    assertEquals(Object.keys(await lab.toObject()).length, 5000);
    assertEquals(await lab.size(), 5000);
    assertEquals(await lab.clear(), 5000);
    assertEquals([await lab.size(), await lab.clear()], [0, 0]);
    assertEquals(await client.exists(`${lab.prefix}list`, `${lab.prefix}hash`, `${lab.prefix}set`), 3);
  });

  it("RedisJsonDict needs few round trips for many items", async () => {
    const lab = await fill(5000);
    const size = await client.dbsize();
    const calls = async (name: string) =>
      Number((await client.info("commandstats")).match(new RegExp(`cmdstat_${name}:calls=(\\d+)`))?.[1] ?? 0);
    const before = [await calls("scan"), await calls("mget"), await calls("get")];
    await lab.toObject();
    const pages = Math.ceil(size / 1000) + 5;
    assert(await calls("scan") - before[0] <= pages);
    assert(await calls("mget") - before[1] <= pages);
    assertEquals(await calls("get"), before[2]);
  });

  it("RedisJsonDict skips what is removed meanwhile, and keeps what stays", async () => {
    const lab = await fill(3000);
    const seen = new Set<string>();
    let isFirst = true;
    for await (const [key] of lab) {
      if (isFirst) await client.unlink(Array.from({ length: 1000 }, (_, index) => `${lab.prefix}k${index}`));
      isFirst = false;
      assert(!seen.has(key));
      seen.add(key);
    }
    for (let index = 1000; index < 3000; index++) assert(seen.has(`k${index}`));
  });

  it("RedisJsonDict comes upon keys that stay exactly once while others come and go", async () => {
    const lab = await fill(3000);
    let added = 0;
    const seen: string[] = [];
    for await (const key of lab.keys()) {
      seen.push(key);
      if (seen.length % 100 === 0) {
        const pipeline = client.pipeline();
        for (let count = 0; count < 500; count++) pipeline.set(`${lab.prefix}new${added++}`, 0);
        await pipeline.exec();
      }
    }
    assertEquals(new Set(seen).size, seen.length);
    assertEquals(seen.filter((key) => key.startsWith("k")).length, 3000);
  });

  it("RedisJsonDict names the key of a corrupt value and goes no further", async () => {
    const lab = await fill(10);
    await client.set(`${lab.prefix}bad`, "{");
    for (
      const read of [() => lab.toObject(), () => Array.fromAsync(lab.values()), () => Array.fromAsync(lab)]
    ) {
      const error = await assertRejects(read, CorruptValueError);
      assertEquals([error.key, error.text], ["bad", "{"]);
    }
    assertEquals(await lab.size(), 11);
    assertEquals(await lab.clear(), 11);
  });

  it("RedisJsonDict can be left in the middle and used meanwhile", async () => {
    const lab = await fill(2500);
    for await (const [key, value] of lab) {
      await lab.at(key).increment();
      assertEquals(await lab.get(key), value + 1);
      break;
    }
    const iterator = lab.keys();
    await iterator.next();
    assertEquals((await iterator.return(undefined)).done, true);
  });

  it("RedisJsonDict begins again on a new connection and still comes upon each key once", async () => {
    const lab = await fill(5000);
    const own = testClient();
    const same = new RedisJsonDict<Record<string, number>>(own, { prefix: lab.prefix });
    const id = await own.client("ID");
    const seen: string[] = [];
    for await (const key of same.keys()) {
      if (seen.push(key) === 10) {
        const closed = new Promise<void>((resolve) => own.once("close", resolve));
        assertEquals(await client.client("KILL", "ID", id), 1);
        await closed;
      }
    }
    assert(await own.client("ID") !== id);
    assertEquals([seen.length, new Set(seen).size], [5000, 5000]);
  });

  it("RedisJsonDict leaves out names that are not UTF-8, and no key that contains U+FFFD", async () => {
    const prefix = uniquePrefix("scan\uFFFD");
    const strange = ["\xff", "a\x80", "\xed\xa0\x80", "\xc3", "a\xffb", "\xf5\x80\x80\x80"].map((name) =>
      Buffer.concat([Buffer.from(prefix), Buffer.from(name, "latin1")])
    );
    const keys = ["\uFFFD", "a\uFFFDb", "\uFFFD\uFFFD\uFFFD", "plain", "\uFFFE"];
    const lab = new RedisJsonDict<Record<string, number>>(client, { prefix });
    const sizes: number[] = [];
    for (const own of [keys, ["plain"], []]) {
      for (const name of strange) await client.set(name, "0");
      await client.rpush(`${prefix}a\uFFFD`, "a list beside \\x80");
      await lab.update(Object.fromEntries(own.map((key) => [key, 1])));
      assertEquals((await Array.fromAsync(lab.keys())).sort(), [...own].sort());
      assertEquals(await lab.toObject(), Object.fromEntries(own.map((key) => [key, 1])));
      sizes.push(await lab.size());
      assertEquals(
        [(await lab.popItem())?.[1], await lab.clear()],
        own.length ? [1, own.length - 1] : [undefined, 0],
      );
      assertEquals([await lab.size(), await lab.popItem()], [0, undefined]);
      for (const name of strange) assertEquals(await client.get(name), "0");
    }
    assertEquals(sizes, [5, 1, 0]);
    await client.unlink(...strange);
  });

  it("RedisJsonDict.popItem() of many callers takes each item once", async () => {
    const lab = await fill(50);
    const taken: string[] = [];
    await Promise.all(Array.from({ length: 5 }, async () => {
      for (let item = await lab.popItem(); item; item = await lab.popItem()) taken.push(item[0]);
    }));
    assertEquals([taken.length, new Set(taken).size], [50, 50]);
  });

  it("scanKeys() of a cluster that does not answer ends with its runner, and asks nobody again", async () => {
    let calls = 0;
    const call = () => (calls++, new Promise<never>(() => {}));
    const emitter = { status: "ready", on: () => {}, off: () => {}, call };
    const runner = new Runner({ ...emitter, nodes: () => [emitter] } as never, 60_000);
    const page = scanKeys(runner, "prefix:", 60_000).next();
    const isOver = assertRejects(() => page, NoAnswer);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert(calls > 0);
    calls = 0;
    runner.end();
    await isOver;
    assertEquals(calls, 0);
  });
});
