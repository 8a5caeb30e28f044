import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RedisJsonDict } from "../src/dict.ts";
import { RECORD_PREFIX, Records, recordTtl } from "../src/record.ts";
import { slotOf } from "../src/slot.ts";
import { startRedis } from "../tools/redis_server.ts";
import { testClient, uniquePrefix } from "./support/redis.ts";

const client = testClient();
const records = new Records(RECORD_PREFIX);

describe("Records", () => {
  it("Records.next() names each call differently, in the slot of its key", () => {
    const ids = new Set<string>();
    for (const key of ["", "a", "{a}b", "{}a}", "a{b", "}{a}", "{", "é{😀}"]) {
      for (let count = 0; count < 200; count++) {
        const { id, name } = records.next(key);
        ids.add(id);
        assertEquals(slotOf(name), slotOf(key), key);
        assertMatch(name, /^json-dict:op:\{[0-9a-z]{1,4}\}[\w-]{12}$/);
        assert(name.endsWith(id) && records.has(name));
      }
    }
    assertEquals(ids.size, 1600);
  });

  it("Records.has() knows the own names and those of the default, and no other", () => {
    const own = new Records("mine:");
    assert(own.has(own.next("a").name) && own.has(records.next("a").name));
    assert(!records.has(own.next("a").name));
    const { name } = records.next("a");
    for (
      const other of ["", "json-dict:op:", name.slice(0, -1), `${name}x`, `x${name}`, name.replace("{", "")]
    ) {
      assert(!records.has(other), other);
    }
  });

  it("Records.mayMeet() is false for prefixes that no record can start with", () => {
    assertEquals(["", "json", "json-dict:op:", "json-dict:op:{a"].map((it) => records.mayMeet(it)), [
      true,
      true,
      true,
      true,
    ]);
    assertEquals(["lab:", "json-dict:x", "{lab}"].map((it) => records.mayMeet(it)), [false, false, false]);
  });

  it("recordTtl() outlasts two calls and a minute", () => {
    assertEquals([recordTtl(10_000), recordTtl(0.5)], [80_000, 60_002]);
  });
});

describe("RedisJsonDict and its records", () => {
  it("RedisJsonDict leaves one record for each call, which expires", async () => {
    const recordPrefix = uniquePrefix("record");
    const lab = new RedisJsonDict(client, { prefix: uniquePrefix("record"), recordPrefix, timeout: 5_000 });
    await Promise.all([lab.set("a", 1), lab.set("a", 2), lab.at("a").set(3)]);
    await assertRejects(() => lab.at("a", "b").set(1));
    await lab.get("a");
    const names = await client.keys(`${recordPrefix}*`);
    assertEquals(names.length, 2);
    const texts = await client.mget(names);
    assertEquals(texts.sort(), ['["!TYPE 0 number"]', '["","",""]']);
    for (const name of names) {
      const ttl = await client.pttl(name);
      assert(ttl > 60_000 && ttl <= 70_000, String(ttl));
    }
  });

  it("RedisJsonDict leaves no record with at-most-once", async () => {
    const recordPrefix = uniquePrefix("record");
    const single = testClient({ maxRetriesPerRequest: 0 });
    const lab = new RedisJsonDict(single, {
      prefix: uniquePrefix("record"),
      recordPrefix,
      delivery: "at-most-once",
    });
    await lab.set("a", []);
    assertEquals(await lab.at("a").push(1), 1);
    assertEquals(await client.keys(`${recordPrefix}*`), []);
  });

  it("RedisJsonDict never shows a record, nor takes its name for a key", async () => {
    await using server = await startRedis();
    await using lab = RedisJsonDict.connect(server.url);
    await lab.update({ a: 1, "json-dict:op:x": 2 });
    assertEquals(await lab.pop("a"), 1);
    await lab.set("b", 3);
    assertEquals(await lab.toObject(), { "json-dict:op:x": 2, b: 3 });
    assertEquals(await lab.size(), 2);
    const { name } = records.next("a");
    const uses = [
      () => lab.get(name),
      () => lab.has(name),
      () => lab.getMany([name]),
      () => lab.set(name, 1),
      () => lab.at(name).get(),
      () => lab.update({ x: 1, [name]: 1 }),
      () => lab.edit((draft) => draft[name] = 1),
    ];
    for (const use of uses) await assertRejects(use, TypeError, "named like the records of calls");
    const popped = [await lab.popItem(), await lab.popItem(), await lab.popItem()];
    assertEquals(popped.map((entry) => entry?.[0]).sort(), ["b", "json-dict:op:x", undefined]);
    assertEquals(await lab.clear(), 0);
  });

  it("RedisJsonDict makes the record of a long answer short once it is there", async () => {
    const recordPrefix = uniquePrefix("record");
    const lab = new RedisJsonDict(client, { prefix: uniquePrefix("record"), recordPrefix });
    await lab.set("a", "x".repeat(100_000));
    assertEquals((await lab.pop("a") as string).length, 100_000);
    await lab.get("a"); // goes behind it on the same connection
    const names = await client.keys(`${recordPrefix}*`);
    assertEquals((await client.mget(names)).sort(), ['[""]', "[]"]);
    for (const name of names) assert(await client.pttl(name) > 0);
  });
});
