/** Several places in one call, paths in variables, and some of the keys. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { Ref } from "../../src/api/ref.ts";
import type { Segment } from "../../src/data/path.ts";
import { CorruptValueError, TypeMismatchError, WrongTypeError } from "../../src/errors/value.ts";
import type { Json } from "../../src/data/json.ts";
import { removeKeys, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();

function newDict<T extends object = Record<string, Json>>(): RedisJsonDict<T> {
  return new RedisJsonDict<T>(client, { prefix: uniquePrefix("many*[") });
}

/** A dictionary that counts its commands. */
function counted(prefix: string): { dict: RedisJsonDict; commands: string[] } {
  const commands: string[] = [];
  const counting = {
    call(command: string, ...args: (string | number)[]): Promise<unknown> {
      commands.push(command);
      return client.call(command, ...args);
    },
  };
  return { dict: new RedisJsonDict(counting, { prefix }), commands };
}

describe("RedisJsonDict.readMany()", () => {
  it("RedisJsonDict.readMany() reads any places in one call, in the order of the refs", async () => {
    const { dict, commands } = counted(uniquePrefix("many"));
    await dict.update({ a: { list: [1, { x: null }], "": "empty" }, b: "text", __proto__x: 0 });
    await dict.at("a", "list").get(); // the server and the dictionary know the script now
    commands.length = 0;
    const refs = [
      dict.at("a", "list", -1, "x"),
      dict.at("b"),
      dict.at("a", "nothing", "there"),
      dict.at("none"),
      dict.at("a", "list", 0),
      dict.at("a", ""),
      dict.at("b"),
      dict.at("a", "list", 9),
    ];
    assertEquals(await dict.readMany(refs), [
      null,
      "text",
      undefined,
      undefined,
      1,
      "empty",
      "text",
      undefined,
    ]);
    assertEquals(commands, ["EVALSHA"]);
    assertEquals(await dict.readMany([]), []);
    assertEquals(commands.length, 1);
  });

  it("RedisJsonDict.readMany() sees what was issued before it, and nothing of what was later", async () => {
    const dict = newDict<{ a: { n: number }; b: { n: number } }>();
    await dict.update({ a: { n: 0 }, b: { n: 0 } });
    const n = dict.at("a", "n");
    const [, , seen] = await Promise.all([
      n.increment(),
      dict.at("b", "n").increment(),
      dict.readMany([n, dict.at("b", "n")]),
      n.increment(),
      dict.at("b", "n").increment(),
    ]);
    assertEquals(seen, [1, 1]);
  });

  it("RedisJsonDict.readMany() reads more than fit into one call", async () => {
    const dict = newDict<Record<string, number[]>>();
    await dict.set("x", Array.from({ length: 2500 }, (_, index) => index));
    const refs = Array.from({ length: 2500 }, (_, index) => dict.at("x", index));
    assertEquals(await dict.readMany(refs), await dict.get("x"));
  });

  it("RedisJsonDict.readMany() tells what cannot be read, and takes only its own refs", async () => {
    const dict = newDict();
    await dict.set("x", { a: 1 });
    await client.set(`${dict.prefix}bad`, '{"a":');
    await client.rpush(`${dict.prefix}list`, "1");
    const through = await assertRejects(
      () => dict.readMany([dict.at("x"), dict.at("x", "a", "b")]),
      TypeMismatchError,
    );
    assertEquals([through.operation, through.path, through.at], ["readMany", ["x", "a", "b"], 2]);
    await assertRejects(() => dict.readMany([dict.at("bad")]), CorruptValueError);
    await assertRejects(() => dict.readMany([dict.at("list", "a")]), WrongTypeError);
    const others: unknown[] = [
      newDict().at("x"),
      "x",
      ["x"],
      null,
      { path: ["x"], getOrThrow: () => 1 },
      dict,
    ];
    for (const other of others) {
      await assertRejects(() => dict.readMany([other as never]), TypeError, "element 0 is no ref of this");
    }
    for (const refs of [dict.at("x"), null, 5, undefined]) {
      await assertRejects(() => dict.readMany(refs as never), TypeError, "expected an array of refs");
    }
  });
});

describe("at(...path)", () => {
  it("at() takes a path in a variable, of any depth", async () => {
    const dict = newDict();
    let value: Json = [1];
    for (let level = 0; level < 20; level++) value = { a: value };
    await dict.set("x", value);
    const path: readonly Segment[] = ["x", ...Array.from({ length: 20 }, () => "a"), 0];
    const ref: Ref<unknown> = dict.at(...path);
    assertEquals([ref.path, await ref.get()], [path, 1]);
    assertEquals(await ref.increment(), 2);
    assertEquals(await dict.at("x").at(...path.slice(1)).get(), 2);
    assertEquals(await dict.at("x", "a", "a", "a", "a", "a", "a", "a").at(...path.slice(8)).get(), 2);
    assert((await client.get(`${dict.prefix}x`))!.includes("[2]"));
    assertThrows(() => dict.at(...[] as Segment[]), TypeError, "it is empty");
    assertEquals(dict.at("x").at(...[] as Segment[]).path, ["x"]);
  });

  it("RedisJsonDict.update() takes pairs that are readonly", async () => {
    const dict = newDict<{ a: number; b: string }>();
    const pairs = [["a", 1], ["b", "x"]] as const;
    await dict.update(pairs);
    await dict.update(new Map([["a", 2]] as const));
    assertEquals(await dict.toObject(), { a: 2, b: "x" });
  });
});

describe("RedisJsonDict.keys() of some keys", () => {
  it("RedisJsonDict.keys({ startsWith }) takes every text literally", async () => {
    const dict = newDict<Record<string, number>>();
    const names = ["a", "ab", "a*b", "a*", "a?", "a[b]", "a\\", "b", "", "*", "é\ufffd", "\0", "{a}"];
    await dict.update(Object.fromEntries(names.map((name) => [name, 1])));
    for (const startsWith of [...names, "a[", "x", "{"]) {
      const found = await Array.fromAsync(dict.keys({ startsWith }));
      assertEquals(found.sort(), names.filter((name) => name.startsWith(startsWith)).sort(), startsWith);
    }
    await removeKeys(client, dict.prefix);
  });

  it("RedisJsonDict.keys({ limit }) stops there, and asks no further", async () => {
    const { dict, commands } = counted(uniquePrefix("many"));
    await dict.update(Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, index])));
    for (const limit of [1, 7, 49, 50, 51, 1000]) {
      const found = await Array.fromAsync(dict.keys({ limit }));
      assertEquals([found.length, new Set(found).size], [Math.min(limit, 50), Math.min(limit, 50)]);
    }
    assertEquals((await Array.fromAsync(dict.keys({ startsWith: "k1", limit: 3 }))).length, 3);
    commands.length = 0;
    assertEquals(await Array.fromAsync(dict.keys({ limit: 0 })), []);
    assertEquals(commands, []);
  });

  it("TypeError or RangeError: options of keys(), at the call", () => {
    const dict = newDict();
    for (const limit of [-1, 1.5, NaN, "5"]) {
      assertThrows(() => dict.keys({ limit } as never), RangeError, "limit is");
    }
    for (const startsWith of [5, null, ["a"]]) {
      assertThrows(() => dict.keys({ startsWith } as never), TypeError);
    }
    assertThrows(() => dict.keys({ startsWith: "\ud800" }), TypeError, "lone surrogate");
    assertThrows(() => dict.keys({ prefix: "a" } as never), TypeError, "use startsWith");
    assertThrows(() => dict.keys("a" as never), TypeError, 'write an object, as { startsWith: "a" }');
  });
});
