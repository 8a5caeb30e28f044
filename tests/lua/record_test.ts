/** The record of a call, with the script alone: a call that arrives twice is applied once. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { APPLY } from "../../src/call/scripts.gen.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const prefix = uniquePrefix("lua-record");
const KEY = `${prefix}a`;
let calls = 0;

function newRecord(): string {
  return `${prefix}op${calls++}`;
}

/** Runs the script on one key with a record, with tokens parted by |. */
async function once(
  record: string,
  tokens: string,
  on: Redis = client,
  key = KEY,
  until = Date.now() + 40_000,
): Promise<string[]> {
  const ops = tokens === "" ? [] : tokens.split("|");
  return await on.eval(APPLY.text, 2, key, record, "once", "2", "80000", until, ...ops) as string[];
}

describe("apply once", () => {
  it("apply once changes the value once, and gives the same answer each time", async () => {
    const record = newRecord();
    await client.set(KEY, "[1]");
    assertEquals(await once(record, "push|0|2|1"), ["2"]);
    await client.set(KEY, "[7,8,9]");
    assertEquals(await once(record, "push|0|2|1"), ["2"]);
    assertEquals(await once(record, "set|0|5"), ["2"]);
    assertEquals([await client.get(KEY), await client.get(record)], ["[7,8,9]", '["2"]']);
  });

  it("apply once remembers refusals and calls that changed nothing", async () => {
    const cases: [string, string, string][] = [
      ["toggle|0", "!TYPE 0 number", "true"],
      ["absent|0", "!TEST 0 ", ""],
      ["test|0|1|fresh|0", "", "2"],
      ["delete|1|0", "!TYPE 0 number", "[1]"],
    ];
    for (const [tokens, first, later] of cases) {
      const record = newRecord();
      await client.set(KEY, "1");
      const answer = await once(record, tokens);
      assertEquals(answer[0], first, tokens);
      if (later === "") await client.unlink(KEY);
      else await client.set(KEY, later);
      assertEquals(await once(record, tokens), answer, tokens);
      assertEquals(await client.get(KEY), later === "" ? null : later, tokens);
    }
  });

  it("apply once says every byte of an answer again", async () => {
    const texts = ["", "\0\x01\x1f\x7f", '"/\\/\\u0000\\ud800"', "é😀\u2028", "!x", "[]", " ".repeat(5000)];
    const bytes = [...texts.map((text) => Buffer.from(text)), Buffer.from([0xff, 0x80, 0xc0, 0x22, 0x5c])];
    for (const text of bytes) {
      const record = newRecord();
      await client.set(KEY, text);
      const args = [
        "2",
        KEY,
        record,
        "once",
        "2",
        "80000",
        String(Date.now() + 40_000),
        "take",
        "0",
      ] as const;
      const first = await client.callBuffer("EVAL", APPLY.text, ...args) as Buffer[];
      assertEquals(await client.exists(KEY), 0);
      const second = await client.callBuffer("EVAL", APPLY.text, ...args) as Buffer[];
      assert(first[0].equals(second[0]), text.toString("hex"));
      assert(first[0].subarray(first[0].length - text.length).equals(text), text.toString("hex"));
    }
  });

  it("apply once keeps the record for its time, from the last arrival", async () => {
    const record = newRecord();
    await once(record, "set|0|1");
    await client.pexpire(record, 5_000);
    await once(record, "set|0|1");
    assert(await client.pttl(record) > 60_000);
  });

  it("apply once without ops leaves a record that stops the call itself", async () => {
    const record = newRecord();
    await client.set(KEY, "1");
    assertEquals(await once(record, ""), []);
    assertEquals(await once(record, ""), []);
    assertEquals(await once(record, "set|0|2"), []);
    assertEquals([await client.get(KEY), await client.get(record)], ["1", "[]"]);
  });

  it("apply once does nothing for a call that comes late, or that claims it may come for too long", async () => {
    await client.set(KEY, "1");
    for (const until of [0, Date.now() - 60_000, Date.now() + 140_000, 9e15]) {
      const record = newRecord();
      const error = await assertRejects(() => once(record, "set|0|2", client, KEY, until), Error, "LATE ");
      const now = Number(error.message.match(/^LATE (\d+)$/)?.[1]);
      const [seconds] = await client.time();
      assert(Math.abs(now - Number(seconds) * 1000) < 60_000, error.message);
      assertEquals(await client.mget(KEY, record), ["1", null]);
      await assertRejects(() => once(record, "", client, KEY, until), Error, "LATE ");
    }
    const record = newRecord();
    await once(record, "set|0|2");
    assertEquals(await once(record, "set|0|3", client, KEY, 0), [""], "what has run says so however late");
    assertEquals(await client.get(KEY), "2");
  });

  it("apply once changes nothing where the record has another type", async () => {
    const record = newRecord();
    await client.set(KEY, "1");
    await client.rpush(record, "x");
    await assertRejects(() => once(record, "set|0|2"), Error, "WRONGTYPE");
    assertEquals(await client.get(KEY), "1");
  });
});

/** A server without memory to spare. */
async function whenFull(body: (own: Redis) => Promise<void>): Promise<void> {
  await using server = await startRedis({ args: ["--maxmemory-policy", "noeviction"] });
  const own = new Redis(server.url);
  try {
    await own.mset("a", "[1,2]", "b", '"x"');
    await own.config("SET", "maxmemory", "1");
    await body(own);
  } finally {
    own.disconnect();
  }
}

describe("apply once and a server whose memory is full", () => {
  it("apply once writes nothing at all, or both the value and the record", async () => {
    await whenFull(async (own) => {
      const refused = ["set|0|5", "push|0|3|1", "pop|0", "set|1|0|9|delete|0|set|0|1", "set|0|1|;|set|0|2"];
      for (const tokens of refused) {
        await assertRejects(() => once("r1", tokens, own, "a"), Error, "OOM", tokens);
        assertEquals(await own.mget("a", "r1"), ["[1,2]", null], tokens);
      }
      assertEquals(await once("r2", "expire|0|90000", own, "a"), ["true"]);
      assertEquals([await own.get("r2"), await own.pttl("a") > 80_000], ['["true"]', true]);
      assertEquals(await once("r3", "take|0", own, "a"), ["[1,2]"]);
      assertEquals(await own.mget("a", "r3"), [null, '["[1,2]"]']);
      assertEquals(await once("r3", "take|0", own, "a"), ["[1,2]"]);
    });
  });

  it("apply once answers, and remembers, what needs no memory", async () => {
    await whenFull(async (own) => {
      const cases: [string, string, string[]][] = [
        ["none", "delete|0", ["false"]],
        ["none", "take|0", [""]],
        ["none", "expire|0|5000", ["false"]],
        ["none", "persist|0", ["false"]],
        ["none", "absent|0|delete|0", ["", "false"]],
        ["none", "push|0|1|1", ["!NO_KEY 0 "]],
        ["a", "absent|0", ["!TEST 0 "]],
        ["a", "test|0|[1,2.0]", [""]],
        ["a", "set|1|7|1", ["!RANGE 0 2"]],
        ["a", "", []],
      ];
      for (const [key, tokens, expected] of cases) {
        const record = newRecord();
        assertEquals(await once(record, tokens, own, key), expected, tokens);
        assertEquals(await own.get(record), JSON.stringify(expected), tokens);
        assert(await own.pttl(record) > 60_000);
        if (key === "none") {
          await own.config("SET", "maxmemory", "0");
          await own.set(key, "1");
          await own.config("SET", "maxmemory", "1");
        }
        assertEquals(await once(record, tokens, own, key), expected, `${tokens}, again`);
        if (key === "none") {
          assertEquals(await own.get(key), "1", tokens);
          await own.del(key);
        }
      }
      assertEquals(await own.get("a"), "[1,2]");
    });
  });

  it("apply once refuses the groups that write, and applies the others", async () => {
    const cases: [string, string[], string | null][] = [
      ["delete|0|;|set|0|5", ["true", "!OOM 0 "], null],
      ["set|0|5|;|delete|0", ["", "true"], null],
      ["set|0|5|;|exists|0", ["!OOM 0 ", ""], "[1,2]"],
      ["delete|0|set|0|5|;|expire|0|5000", ["true", "!OOM 0 ", "true"], "[1,2]"],
      ["set|1|0|9|fresh|1|0|;|absent|0", ["!OOM 1 ", "1", "!TEST 0 "], "[1,2]"],
      ["push|0|3|1|;|push|0|4|1|;|take|0|;|take|0", ["3", "4", "[1,2,3,4]", ""], null],
      ["delete|0|@|1|;|set|0|5|@|1|delete|0", ["true", "", "true"], null],
    ];
    for (const recorded of [true, false]) {
      for (const [tokens, expected, left] of cases) {
        await whenFull(async (own) => {
          const record = newRecord();
          const run = (): Promise<unknown> =>
            recorded ? once(record, tokens, own, "a") : own.eval(APPLY.text, 1, "a", ...tokens.split("|"));
          assertEquals(await run(), expected, tokens);
          assertEquals(await own.get("a"), left, tokens);
          if (recorded) assertEquals(await run(), expected, `${tokens}, again`);
        });
      }
    }
  });

  it("apply once leaves no long record where memory is short, unless it makes room for it", async () => {
    await whenFull(async (own) => {
      const long = `"${"x".repeat(5000)}"`;
      await own.config("SET", "maxmemory", "0");
      await own.set("long", long);
      await own.config("SET", "maxmemory", "1");
      for (const tokens of ["test|0|1|fresh|0", "ifAbsent|set|0|1", "test|0|1|fresh|0|;|set|0|1"]) {
        await assertRejects(() => once("r", tokens, own, "long"), Error, "OOM", tokens);
        assertEquals(await own.mget("long", "r"), [long, null], tokens);
      }
      assertEquals(await once("r", "take|0", own, "long"), [long]);
      assertEquals(await own.exists("r"), 1);
    });
  });

  it("apply of several keys refuses the groups that write, and applies the others", async () => {
    await whenFull(async (own) => {
      const args = ["set", "0", "1", "@", "2", "delete", "0", ";", "@", "2", "delete", "0"];
      const until = String(Date.now() + 40_000);
      const run = (): Promise<unknown> =>
        own.eval(APPLY.text, 3, "a", "b", "r", "once", "3", "80000", until, ...args);
      assertEquals(await run(), ["!OOM 0 ", "", "true"]);
      assertEquals(await own.mget("a", "b", "r"), ["[1,2]", null, '["!OOM 0 ","","true"]']);
      assertEquals(await run(), ["!OOM 0 ", "", "true"]);
    });
  });
});
