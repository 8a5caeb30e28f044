import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { isRecord, RECORD_MARKER, Records, recordTtl } from "../../src/run/record.ts";
import { slotOf } from "../../src/run/slot.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const records = new Records(RECORD_MARKER);

describe("Records", () => {
  it("Records.next() names each call differently, in the slot of its key", () => {
    const ids = new Set<string>();
    for (const key of ["", "a", "{a}b", "{}a}", "a{b", "}{a}", "{", "é{😀}"]) {
      for (let count = 0; count < 200; count++) {
        const { callId, name } = records.next(key);
        ids.add(callId);
        assertEquals(slotOf(name), slotOf(key), key);
        assertMatch(name, /^json-dict:op:\{[0-9a-z]{1,4}\}[\w-]{12}$/);
        assert(name.endsWith(callId) && isRecord(name));
      }
    }
    assertEquals(ids.size, 1600);
  });

  it("Records.next() puts the marker directly before the tag, once, whatever the prefix", () => {
    for (const prefix of ["mine:", "json-dict:op:", "json-dict:op", "a json-dict:op:", "}", "*", "é"]) {
      const { name } = new Records(prefix).next("a");
      assert(name.startsWith(prefix) && isRecord(name), name);
      assertEquals(name.split(RECORD_MARKER).length, 2, name);
    }
  });

  it("isRecord() knows the records of every prefix, and no other name", () => {
    const { name } = records.next("a");
    for (const record of [name, `x${name}`, `${name}:${name}`, `\n${name}`]) assert(isRecord(record), record);
    const others = [
      ...["", "json-dict:op:", name.slice(0, -1), `${name}x`, `${name}\n`, name.slice(1)],
      ...[
        name.replace("{", ""),
        name.replace("op:", "op"),
        `{${name}`.replace("p:{", "p:"),
        name.toUpperCase(),
      ],
    ];
    for (const other of others) assert(!isRecord(other), other);
  });

  it("Records.leaseOf() names what belongs to a lease, in the slot of its key, and isRecord() knows it", () => {
    for (const prefix of ["mine:", RECORD_MARKER, "}", "*"]) {
      for (const key of ["", "a", "{a}b", "{}a}", "a{b", "é{😀}", "\0\n", "json-dict:op:", "__proto__"]) {
        const { value, lease, counter } = new Records(prefix).leaseOf(key);
        assertEquals([value, slotOf(lease), slotOf(counter)], [key, slotOf(key), slotOf(key)]);
        assert(lease.startsWith(prefix) && lease.endsWith(`}lease:${key}`) && isRecord(lease), lease);
        assert(counter.startsWith(prefix) && counter.endsWith("}fence") && isRecord(counter), counter);
      }
    }
    const { lease, counter } = records.leaseOf("a");
    const others = [
      ...[`${counter}x`, `x${counter.slice(0, -1)}`, `${counter}\n`, lease.slice(0, -2)],
      ...[lease.replace("{", ""), lease.replace("op:", "op")],
    ];
    for (const other of others) assert(!isRecord(other), other);
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
    await using lab = RedisJsonDict.connect(server.url, { prefix: "" });
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

  it("RedisJsonDict takes no record for a key, whatever its prefix and that of the other dictionary", async () => {
    await using server = await startRedis();
    const recordPrefixes = [undefined, "mine:", "l", "lab:", "lab:op", "json-dict:op:", "\uFFFD"];
    const prefixes = ["", "l", "lab:", "mine:", "json-dict:", "json-dict:op:", "lab:json-dict:op:{"];
    for (const recordPrefix of recordPrefixes) {
      const options = recordPrefix === undefined ? {} : { recordPrefix };
      await using writer = RedisJsonDict.connect<Record<string, number>>(server.url, {
        ...options,
        prefix: "w:",
      });
      await writer.set("a", 1);
    }
    const client = new Redis(server.url);
    const records = (await client.keys("*")).filter(isRecord).sort();
    assertEquals(records.length, recordPrefixes.length);
    for (const prefix of prefixes) {
      await using lab = RedisJsonDict.connect(server.url, { prefix });
      const own = prefix === "" ? ["w:a"] : [];
      assertEquals(await Array.fromAsync(lab.keys()), own, prefix);
      assertEquals([await lab.size(), Object.keys(await lab.toObject())], [own.length, own]);
      // What iteration leaves out cannot be used as a key either.
      for (const name of records.filter((record) => record.startsWith(prefix))) {
        await assertRejects(() => lab.get(name.slice(prefix.length)), TypeError, "named like the records");
        await assertRejects(() => lab.set(name.slice(prefix.length), 1), TypeError, "named like the records");
      }
      if (prefix !== "") assertEquals([await lab.clear(), await lab.popItem()], [0, undefined]);
    }
    await using all = RedisJsonDict.connect(server.url, { prefix: "" });
    assertEquals(await all.clear(), 1);
    const left = await client.keys("*");
    for (const record of records) assert(left.includes(record), record);
    client.disconnect();
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
