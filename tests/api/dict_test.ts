/** The dictionary through a real Redis, with the bytes that it leaves there. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { inspect } from "node:util";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { KeyNotFoundError, WrongTypeError } from "../../src/errors/value.ts";
import type { Json } from "../../src/data/json.ts";
import { redisUrl, removeKeys, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();

function newDict<T extends object = Record<string, Json>>(
  prefix: string = uniquePrefix("dict"),
  options: { bigints?: boolean } = {},
): RedisJsonDict<T> {
  return new RedisJsonDict<T>(client, { prefix, ...options });
}

/** Names that mean something elsewhere: to JavaScript, to Redis, to a glob, to a script. */
const HOSTILE = [
  "__proto__",
  "constructor",
  "prototype",
  "then",
  "toString",
  "toJSON",
  "hasOwnProperty",
  "",
  "0",
  "-1",
  "NaN",
  "a\0b",
  "\0",
  "é 漢字 👩‍🔬 \u2028",
  "{",
  "}",
  "{tag}",
  "*",
  "?",
  "[a-z]",
  "\\",
  '"',
  "line\nbreak",
  "\r\n",
  " ",
  ";",
  "@",
  "!NO_KEY 0 ",
  "NOSCRIPT",
];

function withValue(keys: readonly string[], value: number): Map<string, number> {
  return new Map(keys.map((key) => [key, value]));
}

function prototypeOfObject(): string {
  return Object.getOwnPropertyNames(Object.prototype).sort().join();
}

describe("RedisJsonDict.set() and get()", () => {
  it("RedisJsonDict.set() writes the text of JSON.stringify under prefix + key", async () => {
    const lab = newDict();
    const value = { b: [1, 2.5, -0, 1e21, 1e-7], a: { x: null, y: true }, s: 'é"\\/\n\u007f\u2028\ud83d' };
    await lab.set("sample", value);
    assertEquals(await client.get(`${lab.prefix}sample`), JSON.stringify(value));
  });

  it("RedisJsonDict.set() leaves out members that are undefined", async () => {
    const lab = newDict<{ x: { a?: number; b: number } }>();
    await lab.set("x", { a: undefined, b: 1 });
    assertEquals(await client.get(`${lab.prefix}x`), '{"b":1}');
  });

  it("RedisJsonDict.get() returns what was written, scalars and empty containers too", async () => {
    const lab = newDict();
    const values: Json[] = [null, true, false, 0, -1.5, "", "text", [], {}, [[]], { a: {} }];
    for (const value of values) {
      await lab.set("x", value);
      assertEquals(await lab.get("x"), value);
      assertEquals(await client.get(`${lab.prefix}x`), JSON.stringify(value));
    }
  });

  it("RedisJsonDict.get() reads any spelling and never caches", async () => {
    const lab = newDict();
    await client.set(`${lab.prefix}x`, ' {\n "a" : [ 1e0 , "\\u0041" ]\t} ');
    assertEquals(await lab.get("x"), { a: [1, "A"] });
    await client.set(`${lab.prefix}x`, "2");
    assertEquals(await lab.get("x"), 2);
  });

  it("RedisJsonDict.get() returns undefined, getOrThrow() throws where there is nothing", async () => {
    const lab = newDict();
    assertEquals(await lab.get("x"), undefined);
    const error = await assertRejects(() => lab.getOrThrow("x"), KeyNotFoundError);
    assertEquals([error.key, error.path, error.code], ["x", ["x"], "KEY_NOT_FOUND"]);
    await lab.set("x", null);
    assertEquals(await lab.getOrThrow("x"), null);
    assertEquals(await lab.get("x"), null);
  });

  it("RedisJsonDict.get() gives each reader a value of its own", async () => {
    const lab = newDict<{ x: number[] }>();
    await lab.set("x", [1]);
    const [one, other] = await Promise.all([lab.getOrThrow("x"), lab.getOrThrow("x")]);
    one.push(2);
    assertEquals(other, [1]);
  });

  it("RedisJsonDict.set() takes the value as it is at the call", async () => {
    const lab = newDict<{ x: number[] }>();
    const value = [1];
    const written = lab.set("x", value);
    value.push(2);
    await written;
    assertEquals(await client.get(`${lab.prefix}x`), "[1]");
  });
});

describe("RedisJsonDict.delete(), pop(), has() and popItem()", () => {
  it("RedisJsonDict.delete() removes the key and returns whether it existed", async () => {
    const lab = newDict();
    await lab.set("x", { a: 1 });
    assertEquals([await lab.delete("x"), await lab.delete("x")], [true, false]);
    assertEquals(await client.exists(`${lab.prefix}x`), 0);
  });

  it("RedisJsonDict.pop() removes and returns", async () => {
    const lab = newDict();
    await lab.set("x", { a: [1] });
    assertEquals([await lab.pop("x"), await lab.pop("x")], [{ a: [1] }, undefined]);
    assertEquals(await client.exists(`${lab.prefix}x`), 0);
  });

  it("RedisJsonDict.pop() distinguishes null from no value", async () => {
    const lab = newDict();
    await lab.set("x", null);
    assertEquals([await lab.pop("x"), await lab.pop("x")], [null, undefined]);
  });

  it("RedisJsonDict.has() finds values, null too, and reports other types", async () => {
    const lab = newDict();
    await lab.set("x", null);
    assertEquals([await lab.has("x"), await lab.has("y")], [true, false]);
    await client.rpush(`${lab.prefix}list`, "a");
    const error = await assertRejects(() => lab.has("list"), WrongTypeError);
    assertEquals([error.found, error.key, error.operation], ["list", "list", "has"]);
  });

  it("RedisJsonDict.popItem() takes each item once and then returns undefined", async () => {
    const lab = newDict<Record<string, number>>();
    const items = { a: 1, "": 2, __proto__x: 3 };
    await lab.update(items);
    const taken = [await lab.popItem(), await lab.popItem(), await lab.popItem()];
    assertEquals(Object.fromEntries(taken.map((entry) => entry ?? ["missing", -1])), items);
    assertEquals(await lab.popItem(), undefined);
    assertEquals(await client.keys(`${lab.prefix}*`), []);
  });
});

describe("RedisJsonDict.getMany()", () => {
  it("RedisJsonDict.getMany() returns what is there, in the order of the keys, each once", async () => {
    const lab = newDict();
    await lab.update({ a: 1, b: [2], c: null });
    assertEquals([...await lab.getMany(["c", "x", "b", "c", "a"])], [["c", null], ["b", [2]], ["a", 1]]);
    assertEquals([...await lab.getMany(new Set(["a"]))], [["a", 1]]);
    assertEquals([...await lab.getMany([])], []);
  });

  it("RedisJsonDict.getMany() throws WrongTypeError for a key of another Redis type", async () => {
    const lab = newDict();
    await lab.set("a", 1);
    await client.hset(`${lab.prefix}h`, "f", "1");
    const error = await assertRejects(() => lab.getMany(["a", "missing", "h"]), WrongTypeError);
    assertEquals([error.key, error.found], ["h", "hash"]);
  });
});

describe("RedisJsonDict.getOrInsert()", () => {
  it("RedisJsonDict.getOrInsert() writes once and returns what is there", async () => {
    const lab = newDict();
    assertEquals(await lab.getOrInsert("x", { a: 1 }), { a: 1 });
    assertEquals(await lab.getOrInsert("x", { a: 2 }), { a: 1 });
    assertEquals(await client.get(`${lab.prefix}x`), '{"a":1}');
  });

  it("RedisJsonDict.getOrInsert() keeps a null, a false, a 0 and an empty string", async () => {
    const lab = newDict();
    for (const value of [null, false, 0, ""]) {
      await lab.set("x", value);
      assertEquals(await lab.getOrInsert("x", 1), value);
    }
  });

  it("RedisJsonDict.getOrInsert() keeps bytes and expiry of what is there", async () => {
    const lab = newDict();
    await client.set(`${lab.prefix}x`, " [ 1 ] ", "PX", 100_000);
    assertEquals(await lab.getOrInsert("x", []), [1]);
    assertEquals(await client.get(`${lab.prefix}x`), " [ 1 ] ");
    assert(await client.pttl(`${lab.prefix}x`) > 0);
  });
});

describe("RedisJsonDict.update()", () => {
  it("RedisJsonDict.update() takes an object, a Map and anything that gives pairs", async () => {
    const lab = newDict<Record<string, number>>();
    await lab.update({ a: 1 });
    await lab.update(new Map([["b", 2], ["c", 3]]));
    await lab.update([["d", 4], ["d", 5]]);
    await lab.update({});
    assertEquals(await lab.toObject(), { a: 1, b: 2, c: 3, d: 5 });
    await lab.update(pairs({ e: 6 }));
    assertEquals(await lab.get("e"), 6);
  });

  function* pairs(values: Record<string, number>): Generator<[string, number]> {
    yield* Object.entries(values);
  }

  it("RedisJsonDict.update() writes all at once: no reader sees a part", async () => {
    const lab = newDict<Record<string, number>>();
    const other = new RedisJsonDict<Record<string, number>>(testClient(), { prefix: lab.prefix });
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    await lab.update(withValue(keys, 0));
    let isWriting = true;
    const writing = (async () => {
      for (let round = 1; round <= 100; round++) await lab.update(withValue(keys, round));
      isWriting = false;
    })();
    let looks = 0;
    while (isWriting) {
      assertEquals(new Set((await other.getMany(keys)).values()).size, 1);
      looks++;
    }
    await writing;
    assert(looks > 3);
  });

  it("RedisJsonDict.update() writes nothing if one key is of another type", async () => {
    const lab = newDict<Record<string, number>>();
    await lab.set("a", 1);
    await client.sadd(`${lab.prefix}s`, "member");
    const error = await assertRejects(() => lab.update({ a: 2, s: 3, z: 4 }), WrongTypeError);
    assertEquals([error.key, error.found], ["s", "set"]);
    assertEquals([await client.get(`${lab.prefix}a`), await client.exists(`${lab.prefix}z`)], ["1", 0]);
    assertEquals(await client.smembers(`${lab.prefix}s`), ["member"]);
  });

  it("RedisJsonDict.update() writes nothing if one value cannot be written", async () => {
    const lab = newDict();
    await assertRejects(() => lab.update({ a: 1, b: NaN }), TypeError, '"b"');
    assertEquals(await lab.size(), 0);
  });

  it("RedisJsonDict.update() writes 2,000 items in one call", async () => {
    const lab = newDict<Record<string, number>>();
    await lab.update(Array.from({ length: 2000 }, (_, index) => [`k${index}`, index] as [string, number]));
    assertEquals(await lab.size(), 2000);
    assertEquals(await client.get(`${lab.prefix}k1999`), "1999");
  });
});

describe("RedisJsonDict prefixes", () => {
  it("RedisJsonDict lists only its own keys, whatever glob characters the prefix has", async () => {
    const base = uniquePrefix("dict");
    for (const special of ["*", "?", "[ab]", "[^x]", "\\", "a*", "{a}", "^", "-", "]", "[", "\\*"]) {
      await removeKeys(client, base);
      const lab = newDict(`${base}${special}:`);
      await lab.update({ one: 1, two: 2 });
      for (const foreign of ["a:one", "b:one", "x:one", "aa:one", ":one", "*x:one", "\\x:one"]) {
        if (!`${base}${foreign}`.startsWith(lab.prefix)) await client.set(`${base}${foreign}`, "0");
      }
      const foreigners = (await client.keys(`${base}*`)).length - 2;
      assertEquals((await Array.fromAsync(lab.keys())).sort(), ["one", "two"], special);
      assertEquals(await lab.toObject(), { one: 1, two: 2 });
      assertEquals(await lab.clear(), 2);
      assertEquals((await client.keys(`${base}*`)).length, foreigners);
      assert(foreigners > 2);
    }
  });

  it("RedisJsonDict with a prefix that begins another one shares its keys", async () => {
    const short = newDict(uniquePrefix("dict"));
    const long = newDict(`${short.prefix}in:`);
    await long.set("x", 1);
    await short.set("y", 2);
    assertEquals(await short.toObject(), { "in:x": 1, y: 2 });
    assertEquals(await long.toObject(), { x: 1 });
    assertEquals(await long.clear(), 1);
    assertEquals(await short.toObject(), { y: 2 });
  });

  it("RedisJsonDict with the empty prefix uses keys as they are", async () => {
    const name = `${uniquePrefix("dict")}whole`;
    const all = newDict("");
    await all.set(name, { a: 1 });
    assertEquals(await client.get(name), '{"a":1}');
    assertEquals(await all.at(name, "a").increment(), 2);
    assertEquals(await all.getOrThrow(name), { a: 2 });
    assert((await Array.fromAsync(all.keys())).includes(name));
    assert(Object.hasOwn(await newDict("").getMany([name]).then(Object.fromEntries), name));
    assertEquals(await all.delete(name), true);
  });

  it("RedisJsonDict has no default prefix: clear() would remove everything", () => {
    for (const options of [undefined, {}, { prefix: undefined }]) {
      const make = () => new RedisJsonDict(client, options as never);
      assertThrows(make, TypeError, 'write prefix: "lab:", or prefix: "" for all keys of the database');
      const connect = () => RedisJsonDict.connect(redisUrl, options as never);
      assertThrows(connect, TypeError, 'prefix: ""');
    }
    assertEquals(new RedisJsonDict(client, { prefix: "" }).prefix, "");
  });

  it("RedisJsonDict and its refs say what they are", () => {
    const lab = new RedisJsonDict(client, { prefix: 'a"b:' });
    assertEquals(String(lab), 'RedisJsonDict(prefix "a\\"b:")');
    assertEquals(`${lab.at("x", "y", 0)}`, 'Ref(["y"][0] of "x")');
    assertEquals(inspect(lab), String(lab));
  });
});

describe("RedisJsonDict with hostile keys", () => {
  for (const key of HOSTILE) {
    it(`RedisJsonDict takes the key ${JSON.stringify(key)} in every method`, async () => {
      const before = prototypeOfObject();
      const lab = newDict();
      const name = `${lab.prefix}${key}`;
      assertEquals([await lab.has(key), await lab.get(key), await lab.pop(key)], [
        false,
        undefined,
        undefined,
      ]);
      await lab.set(key, { n: 1 });
      assertEquals(await client.get(name), '{"n":1}');
      assertEquals([await lab.has(key), await lab.getOrThrow(key)], [true, { n: 1 }]);
      assertEquals(await lab.getOrInsert(key, 0), { n: 1 });
      assertEquals([...await lab.getMany([key, "other"])], [[key, { n: 1 }]]);
      assertEquals(await lab.at(key, "n").increment(), 2);
      assertEquals(await lab.at(key).compareAndSet({ n: 2 }, { n: 3 }), true);
      assertEquals(await lab.ttl(key), Infinity);
      assertEquals(await lab.expire(key, 90_000), true);
      assertEquals(await lab.persist(key), true);
      assertEquals(await Array.fromAsync(lab.keys()), [key]);
      assertEquals(await Array.fromAsync(lab.values()), [{ n: 3 }]);
      assertEquals(await Array.fromAsync(lab), [[key, { n: 3 }]]);
      const object = await lab.toObject();
      assertEquals(Object.getOwnPropertyNames(object), [key]);
      assertEquals(Object.getOwnPropertyDescriptor(object, key)?.value, { n: 3 });
      assertEquals(Object.getPrototypeOf(object), Object.prototype);
      await lab.update([[key, 5]]);
      assertEquals(await client.get(name), "5");
      assertEquals(await lab.popItem(), [key, 5]);
      await lab.update(Object.fromEntries([[key, 6]]));
      assertEquals(await lab.pop(key), 6);
      await lab.set(key, 7);
      assertEquals(await lab.delete(key), true);
      await lab.at(key).set(8);
      assertEquals([await lab.size(), await lab.clear(), await client.exists(name)], [1, 1, 0]);
      assertEquals(prototypeOfObject(), before);
    });
  }

  it("RedisJsonDict keeps hostile keys apart", async () => {
    const lab = newDict<Record<string, number>>();
    await lab.update(new Map(HOSTILE.map((key, index) => [key, index])));
    assertEquals(await lab.size(), HOSTILE.length);
    const found = await lab.getMany(HOSTILE);
    assertEquals([...found], HOSTILE.map((key, index) => [key, index]));
    const object = await lab.toObject();
    for (const [index, key] of HOSTILE.entries()) {
      assertEquals(Object.getOwnPropertyDescriptor(object, key)?.value, index);
    }
  });
});

describe("RedisJsonDict expiry", () => {
  it("RedisJsonDict.set() with ttl lets the value expire, without it ends the expiry, with keepTtl keeps it", async () => {
    const lab = newDict();
    await lab.set("x", 1, { ttl: 90_000 });
    const left = await client.pttl(`${lab.prefix}x`);
    assert(left > 80_000 && left <= 90_000);
    await lab.set("x", 2, { keepTtl: true });
    assert(await client.pttl(`${lab.prefix}x`) > 80_000);
    assertEquals(await lab.get("x"), 2);
    await lab.set("x", 3);
    assertEquals(await client.pttl(`${lab.prefix}x`), -1);
    await lab.set("x", 4, { keepTtl: true });
    assertEquals(await client.pttl(`${lab.prefix}x`), -1);
    await lab.set("x", 5, { ttl: 50_000 });
    await lab.set("x", 6, { ttl: 90_000 });
    assert(await client.pttl(`${lab.prefix}x`) > 80_000);
  });

  it("RedisJsonDict keeps the expiry in every write inside a value", async () => {
    const lab = newDict();
    const name = `${lab.prefix}x`;
    const long = "y".repeat(200);
    await lab.set("x", { n: 1, b: true, s: "a", l: [1, 2, 3], o: { p: 1 }, long }, { ttl: 90_000 });
    const x = lab.at("x");
    const writes: [string, () => Promise<unknown>][] = [
      ["set", () => lab.at("x", "n").set(22)],
      ["set of the same length", () => lab.at("x", "n").set(33)],
      ["set of a new member", () => lab.at("x", "new").set([])],
      ["parents", () => lab.at("x", "p", "q").set(1, { parents: true })],
      ["increment", () => lab.at("x", "n").increment()],
      ["toggle", () => lab.at("x", "b").toggle()],
      ["append", () => lab.at("x", "s").append("b")],
      ["push", () => lab.at("x", "l").push(4)],
      ["unshift", () => lab.at("x", "l").unshift(0)],
      ["pop", () => lab.at("x", "l").pop()],
      ["shift", () => lab.at("x", "l").shift()],
      ["splice", () => lab.at("x", "l").splice(0, 1, 9, 9)],
      ["delete", () => lab.at("x", "o").delete()],
      ["getOrInsert", () => lab.at("x", "q").getOrInsert(1)],
      ["compareAndSet", () => lab.at("x", "q").compareAndSet(1, 2)],
      ["set of the whole by a ref", () => x.set({ n: 1 })],
      ["compareAndSet of the whole", () => x.compareAndSet({ n: 1 }, { n: 2 })],
      ["getOrInsert of the whole", () => lab.getOrInsert("x", 1)],
    ];
    for (const [what, write] of writes) {
      const text = await client.get(name);
      await write();
      assert(await client.pttl(name) > 60_000, what);
      if (!what.startsWith("getOrInsert of")) assert(await client.get(name) !== text, what);
    }
  });

  it("RedisJsonDict.update() ends the expiry, as set() does", async () => {
    const lab = newDict();
    await lab.set("x", 1, { ttl: 90_000 });
    await lab.update({ x: 2 });
    assertEquals(await client.pttl(`${lab.prefix}x`), -1);
  });

  it("RedisJsonDict.ttl() distinguishes no value, no expiry and an expiry", async () => {
    const lab = newDict();
    assertEquals(await lab.ttl("x"), undefined);
    await lab.set("x", 1);
    assertEquals(await lab.ttl("x"), Infinity);
    await lab.set("x", 1, { ttl: 90_000 });
    const ttl = await lab.ttl("x");
    assert(ttl !== undefined && ttl > 80_000 && ttl <= 90_000);
  });

  it("RedisJsonDict.expire() and persist() change only the expiry and return whether they did", async () => {
    const lab = newDict();
    assertEquals([await lab.expire("x", 90_000), await lab.persist("x")], [false, false]);
    await client.set(`${lab.prefix}x`, " [1]\n");
    assertEquals([await lab.persist("x"), await lab.expire("x", 90_000)], [false, true]);
    assert(await client.pttl(`${lab.prefix}x`) > 80_000);
    assertEquals([await lab.persist("x"), await lab.persist("x")], [true, false]);
    assertEquals([await client.pttl(`${lab.prefix}x`), await client.get(`${lab.prefix}x`)], [-1, " [1]\n"]);
  });

  it("RedisJsonDict keeps the order of set, expire and increment that nobody awaited", async () => {
    const lab = newDict<{ x: number }>();
    const done = [lab.set("x", 1), lab.expire("x", 90_000), lab.at("x").increment()];
    await Promise.all(done);
    assertEquals(await client.get(`${lab.prefix}x`), "2");
    assert(await client.pttl(`${lab.prefix}x`) > 80_000);
    await Promise.all([lab.expire("x", 90_000), lab.set("x", 5), lab.at("x").increment()]);
    assertEquals(await client.pttl(`${lab.prefix}x`), -1);
    await Promise.all([lab.set("x", 5, { ttl: 90_000 }), lab.persist("x"), lab.at("x").increment()]);
    assertEquals([await client.get(`${lab.prefix}x`), await client.pttl(`${lab.prefix}x`)], ["6", -1]);
    await Promise.all([lab.expire("x", 90_000), lab.delete("x"), lab.set("x", 1, { keepTtl: true })]);
    assertEquals([await client.get(`${lab.prefix}x`), await client.pttl(`${lab.prefix}x`)], ["1", -1]);
  });

  it("RedisJsonDict lets a value expire for good", async () => {
    const lab = newDict();
    await lab.set("x", 1, { ttl: 1 });
    while (await client.exists(`${lab.prefix}x`)) { /* until the server has let it go */ }
    assertEquals([await lab.get("x"), await lab.has("x"), await lab.size()], [undefined, false, 0]);
  });

  it("RedisJsonDict takes the longest ttl that is a safe integer of milliseconds, or the server refuses it", async () => {
    const lab = newDict();
    await lab.set("x", 1, { ttl: 2 ** 45 });
    assertEquals(await lab.expire("x", 2 ** 46), true);
    assert(await client.pttl(`${lab.prefix}x`) > 2 ** 45);
  });
});

describe("RedisJsonDict with bigints", () => {
  it("RedisJsonDict with bigints reads, writes and increments integers of any length exactly", async () => {
    const lab = newDict<{ x: { id: bigint; small: number } }>(uniquePrefix("dict"), { bigints: true });
    await lab.set("x", { id: 12345678901234567890123n, small: 7 });
    assertEquals(await client.get(`${lab.prefix}x`), '{"id":12345678901234567890123,"small":7}');
    assertEquals(await lab.get("x"), { id: 12345678901234567890123n, small: 7 });
    assertEquals(await lab.at("x", "id").increment(1n), 12345678901234567890124n);
    assertEquals(await lab.at("x", "id").increment(-12345678901234567890125n), -1 as unknown as bigint);
    assertEquals(await client.get(`${lab.prefix}x`), '{"id":-1,"small":7}');
    await client.set(`${lab.prefix}x`, '{"id":9007199254740991}');
    assertEquals(await lab.at("x", "id").increment(), 9007199254740992n);
    assertEquals(await lab.at("x", "id").get(), 9007199254740992n);
    assertEquals([...(await lab.getMany(["x"])).values()], [{ id: 9007199254740992n } as never]);
    assertEquals(await Array.fromAsync(lab.values()), [{ id: 9007199254740992n } as never]);
    assertEquals(await lab.pop("x"), { id: 9007199254740992n } as never);
  });

  it("RedisJsonDict without bigints refuses to write one and reads the nearest number", async () => {
    const lab = newDict();
    await assertRejects(() => lab.set("x", 1n as never), TypeError, "bigints: true");
    await client.set(`${lab.prefix}x`, "12345678901234567890");
    assertEquals(await lab.get("x"), 12345678901234567000);
    assertEquals(await client.get(`${lab.prefix}x`), "12345678901234567890");
  });
});

describe("RedisJsonDict in sight", () => {
  it("RedisJsonDict prints its prefix and no more, in Deno and in Node", () => {
    const lab = newDict("lab:");
    const text = 'RedisJsonDict(prefix "lab:")';
    assertEquals([Deno.inspect(lab), inspect(lab)], [text, text]);
    assertEquals([Deno.inspect({ lab }), inspect({ lab })], [`{ lab: ${text} }`, `{ lab: ${text} }`]);
    assertEquals(inspect(newDict('"\n')), 'RedisJsonDict(prefix "\\"\\n")');
  });

  it("RedisJsonDict is no thenable: awaiting it gives it back", async () => {
    const lab = newDict();
    assert(await lab === lab);
  });
});

describe("RedisJsonDict.close()", () => {
  it("RedisJsonDict.close() waits for what was issued, ends its own connection, and may be called twice", async () => {
    const prefix = uniquePrefix("dict");
    const lab = RedisJsonDict.connect<{ x: number }>(redisUrl, { prefix });
    const issued = [lab.set("x", 1), lab.at("x").increment(), lab.at("x").increment(5)];
    await Promise.all([lab.close(), lab.close()]);
    await lab.close();
    assertEquals(await client.get(`${prefix}x`), "7");
    assertEquals(await Promise.all(issued), [undefined, 2, 7]);
  });

  it("RedisJsonDict.close() leaves a client that was brought open", async () => {
    const own = testClient();
    const lab = new RedisJsonDict(own, { prefix: uniquePrefix("dict") });
    await lab.set("x", 1);
    await lab.close();
    assertEquals(await own.ping(), "PONG");
  });

  it("RedisJsonDict.close() of one that was never used ends it too", async () => {
    await RedisJsonDict.connect(redisUrl, { prefix: "" }).close();
  });

  it("RedisJsonDict is closed by await using", async () => {
    const prefix = uniquePrefix("dict");
    let kept: RedisJsonDict<{ x: number }>;
    {
      await using lab = RedisJsonDict.connect<{ x: number }>(redisUrl, { prefix });
      kept = lab;
      lab.set("x", 1);
    }
    assertEquals(await client.get(`${prefix}x`), "1");
    await assertRejects(() => kept.get("x"), TypeError, "Cannot use the dictionary: it is closed");
  });

  it("RedisJsonDict refuses every method after close()", async () => {
    const lab = RedisJsonDict.connect(redisUrl, { prefix: uniquePrefix("dict") });
    const ref = lab.at("x", "y");
    await lab.close();
    const uses: (() => unknown)[] = [
      () => lab.get("x"),
      () => lab.getOrThrow("x"),
      () => lab.getMany(["x"]),
      () => lab.has("x"),
      () => lab.set("x", 1),
      () => lab.delete("x"),
      () => lab.pop("x"),
      () => lab.popItem(),
      () => lab.getOrInsert("x", 1),
      () => lab.ttl("x"),
      () => lab.expire("x", 1),
      () => lab.persist("x"),
      () => lab.update({ x: 1 }),
      () => lab.keys().next(),
      () => lab.values().next(),
      () => lab.entries().next(),
      () => lab[Symbol.asyncIterator]().next(),
      () => lab.size(),
      () => lab.clear(),
      () => lab.toObject(),
      () => lab.at("x"),
      () => ref.get(),
      () => ref.set(1),
    ];
    for (const use of uses) {
      const error = await assertRejects(async () => await use(), TypeError);
      assertEquals(error.message, "Cannot use the dictionary: it is closed", String(use));
    }
  });
});
