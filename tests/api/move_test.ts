/** Values that get another key: the bytes, the expiry, and what is left alone. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { AmbiguousResultError } from "../../src/errors/delivery.ts";
import { KeyNotFoundError, WrongTypeError } from "../../src/errors/value.ts";
import type { Json } from "../../src/data/json.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const TTL = 500_000;
const TEXT = '{ "a" : [1.0,\n"\\u00e9"], "":{}}';

function newDict(): RedisJsonDict<Record<string, Json>> {
  return new RedisJsonDict(client, { prefix: uniquePrefix("move*{") });
}

/** All keys with their bytes, and whether they expire. */
async function all(dict: RedisJsonDict): Promise<Record<string, readonly [text: string, expires: boolean]>> {
  const keys = (await Array.fromAsync(dict.keys())).sort();
  return Object.fromEntries(
    await Promise.all(keys.map(async (key) => {
      const name = dict.prefix + key;
      const left = await client.pttl(name);
      assert(left === -1 || left > TTL / 2 && left <= TTL, `${key} expires in ${left} ms`);
      return [key, [(await client.getBuffer(name))!.toString("latin1"), left > 0]] as const;
    })),
  );
}

describe("RedisJsonDict.rename() and copy()", () => {
  it("RedisJsonDict.rename() and copy() keep every byte and the expiry", async () => {
    for (
      const [text, expires] of [[TEXT, true], [TEXT, false], ["no JSON \xff\xfe", true], ["", false], [
        "!x",
        false,
      ]] as const
    ) {
      const dict = newDict();
      const bytes = Buffer.from(text, "latin1");
      if (expires) await client.set(`${dict.prefix}from`, bytes, "PX", TTL);
      else await client.set(`${dict.prefix}from`, bytes);
      assertEquals(await dict.copy("from", "to"), true);
      assertEquals(await all(dict), { from: [text, expires], to: [text, expires] });
      assertEquals(await dict.rename("from", "other"), true);
      assertEquals(await all(dict), { other: [text, expires], to: [text, expires] });
      await dict.clear();
    }
  });

  it("RedisJsonDict.rename() and copy() leave a value that is there, or replace all of it", async () => {
    const dict = newDict();
    for (const operation of ["rename", "copy"] as const) {
      const rest: Record<string, [string, boolean]> = operation === "copy" ? { from: ["1", true] } : {};
      await dict.set("from", 1, { ttl: TTL });
      await dict.set("to", [2]);
      assertEquals(await dict[operation]("from", "to"), false);
      assertEquals(await all(dict), { from: ["1", true], to: ["[2]", false] });
      assertEquals(await dict[operation]("from", "to", { replace: false }), false);
      assertEquals(await dict[operation]("from", "to", { replace: true }), true);
      assertEquals(await all(dict), { ...rest, to: ["1", true] });
      // A value that does not expire ends the expiry of the one before it.
      await dict.set("from", 3);
      assertEquals(await dict[operation]("from", "to", { replace: true }), true);
      const stays: Record<string, [string, boolean]> = operation === "copy" ? { from: ["3", false] } : {};
      assertEquals(await all(dict), { ...stays, to: ["3", false] });
      await dict.clear();
    }
  });

  it("RedisJsonDict.rename() and copy() to the same key change nothing", async () => {
    const dict = newDict();
    await dict.set("x", 1, { ttl: TTL });
    for (const operation of ["rename", "copy"] as const) {
      assertEquals(await dict[operation]("x", "x"), false);
      assertEquals(await dict[operation]("x", "x", { replace: true }), true);
      assertEquals(await all(dict), { x: ["1", true] });
      await assertRejects(() => dict[operation]("none", "none", { replace: true }), KeyNotFoundError);
    }
  });

  it("KeyNotFoundError: there is nothing to rename or copy; the target stays", async () => {
    const dict = newDict();
    await dict.set("to", 1);
    for (const operation of ["rename", "copy"] as const) {
      for (const replace of [true, false]) {
        const error = await assertRejects(() => dict[operation]("from", "to", { replace }), KeyNotFoundError);
        assertEquals([error.operation, error.path], [operation, ["from"]]);
      }
    }
    assertEquals(await all(dict), { to: ["1", false] });
  });

  it("WrongTypeError: a key of another type is neither read nor replaced", async () => {
    const dict = newDict();
    await dict.set("x", 1);
    await client.rpush(`${dict.prefix}list`, "a");
    for (const operation of ["rename", "copy"] as const) {
      for (const replace of [true, false]) {
        const from = await assertRejects(() => dict[operation]("list", "y", { replace }), WrongTypeError);
        const to = await assertRejects(() => dict[operation]("x", "list", { replace }), WrongTypeError);
        assertEquals([from.path, from.found, to.path, to.found], [["list"], "list", ["list"], "list"]);
      }
    }
    assertEquals([await client.lrange(`${dict.prefix}list`, 0, -1), await all(dict)], [["a"], {
      x: ["1", false],
    }]);
  });

  it("RedisJsonDict.rename() and copy() take every key", async () => {
    const names = [
      "",
      "__proto__",
      "constructor",
      "*",
      "[a]",
      "{",
      "}",
      "{t}",
      "\0",
      "é👩‍🔬",
      "@",
      ";",
      "pick",
      "0",
    ];
    const dict = newDict();
    for (const [index, name] of names.entries()) {
      const to = names[(index + 1) % names.length];
      await dict.set(name, { name });
      assertEquals(await dict.copy(name, to), true, name);
      assertEquals(await all(dict), {
        ...Object.fromEntries([[name, [latin(name), false]]]),
        ...Object.fromEntries([[to, [latin(name), false]]]),
      });
      assertEquals(await dict.rename(to, name, { replace: true }), true, name);
      assertEquals(await dict.toObject(), Object.fromEntries([[name, { name }]]));
      await dict.clear();
    }
    function latin(name: string): string {
      return Buffer.from(JSON.stringify({ name })).toString("latin1");
    }
  });

  it("RedisJsonDict.rename() and copy() are in order with all other calls of both keys", async () => {
    const dict = newDict();
    const results = await Promise.all([
      dict.set("a", { n: 1 }, { ttl: TTL }),
      dict.at("a", "n").increment(),
      dict.copy("a", "b"),
      dict.edit((draft) => ++(draft.b as { n: number }).n),
      dict.at("a", "n").increment(10),
      dict.rename("b", "c"),
      dict.edit((draft) => `${"b" in draft} ${(draft.c as { n: number }).n}`),
      dict.expire("a", TTL / 2 + 1000),
      dict.rename("a", "b"),
      dict.persist("b"),
    ]);
    assertEquals(results.slice(1), [2, true, 3, 12, true, "false 3", true, true, true]);
    assertEquals(await all(dict), { b: ['{"n":12}', false], c: ['{"n":3}', true] });
  });

  it("RedisJsonDict.rename(): of many callers one gets the value", async () => {
    const dict = newDict();
    const others = Array.from({ length: 8 }, () => new RedisJsonDict(client, { prefix: dict.prefix }));
    await dict.set("job", 1);
    const done = await Promise.allSettled(
      others.map((other, index) => other.rename("job", `worker ${index}`)),
    );
    assertEquals(done.filter((result) => result.status === "fulfilled" && result.value).length, 1);
    assertEquals(Object.values(await dict.toObject()), [1]);
  });

  it("RedisJsonDict.rename() whose answer is lost is applied once", async () => {
    const prefix = uniquePrefix("move");
    let losses = 0;
    const losing = {
      async call(command: string, ...args: (string | number)[]): Promise<unknown> {
        const answer = await client.call(command, ...args);
        if (losses > 0 && args.includes("pick") && losses--) throw new Error("The connection was lost");
        return answer;
      },
    };
    const dict = new RedisJsonDict<Record<string, number>>(losing, { prefix });
    await dict.update({ a: 1, b: 2 });
    await dict.rename("none", "n").catch(() => {}); // the server has the script now
    losses = 3;
    assertEquals(await dict.rename("a", "b", { replace: true }), true); // a second time there would be no "a"
    assertEquals([losses, await dict.toObject()], [0, { b: 1 }]);
    losses = Infinity;
    const hasty = new RedisJsonDict<Record<string, number>>(losing, { prefix, timeout: 1_000 });
    const error = await assertRejects(() => hasty.rename("b", "c"), AmbiguousResultError);
    losses = 0;
    assertEquals([await error.resolve(), await dict.toObject()], ["applied", { c: 1 }]);
  });
});
