/** What is wrong in Redis, and what is wrong in a call: each way in, the error with its data, and the bytes after it. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import {
  CorruptValueError,
  IndexOutOfRangeError,
  KeyNotFoundError,
  LimitError,
  PathNotFoundError,
  TypeMismatchError,
  WrongTypeError,
} from "../../src/errors/value.ts";
import { JsonDictError } from "../../src/errors/error.ts";
import type { Watch } from "../../src/api/feed.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
// deno-lint-ignore no-explicit-any -- every method at every place
type Loose = any;
const lab = new RedisJsonDict<Loose>(client, { prefix: uniquePrefix("bad"), timeout: 30_000 });
const X = `${lab.prefix}x`;

/** Every method that looks into the value of "x". */
const LOOKS: Readonly<Record<string, (path: readonly (string | number)[]) => Promise<unknown>>> = {
  get: (path) => ref(path).get(),
  getOrThrow: (path) => ref(path).getOrThrow(),
  exists: (path) => ref(path).exists(),
  type: (path) => ref(path).type(),
  length: (path) => ref(path).length(),
  keys: (path) => ref(path).keys(),
  set: (path) => ref(path).set(1),
  setParents: (path) => ref(path).set(1, { parents: true }),
  delete: (path) => ref(path).delete(),
  getOrInsert: (path) => ref(path).getOrInsert(1),
  compareAndSet: (path) => ref(path).compareAndSet(1, 2),
  compareAndSetNothing: (path) => ref(path).compareAndSet(undefined, 2),
  increment: (path) => ref(path).increment(),
  toggle: (path) => ref(path).toggle(),
  append: (path) => ref(path).append("a"),
  push: (path) => ref(path).push(1),
  unshift: (path) => ref(path).unshift(1),
  pop: (path) => ref(path).pop(),
  shift: (path) => ref(path).shift(),
  splice: (path) => ref(path).splice(0, 1),
  watch: (path) => firstOf(ref(path).watch()),
  until: (path) => ref(path).until(() => true),
};

/** The methods that plain data is changed by; their errors are of other classes in part. */
const DRAFTS: typeof LOOKS = {
  merge: (path) => ref(path).merge({ b: 1 }),
  patch: (path) => ref(path).patch([{ op: "add", path: "/b", value: 1 }]),
  edit: (path) => ref(path).edit((draft: Loose) => void (draft.b = 1)),
  explain: (path) => ref(path).explain((draft: Loose) => void (draft.b = 1)),
  live: (path) => ref(path).live(),
};

function ref(path: readonly (string | number)[]): Loose {
  return lab.at("x").at(...path as [string]);
}

async function firstOf(watch: Watch<unknown>): Promise<unknown> {
  const { value } = await watch.next();
  await watch[Symbol.asyncDispose]();
  return value;
}

async function bytes(name = X): Promise<string | undefined> {
  return (await client.getBuffer(name))?.toString("latin1");
}

const CORRUPT: Readonly<Record<string, string>> = {
  "empty text": "",
  "white space": " \n",
  "truncated object": '{"a":[1,2',
  "truncated string": '"abc',
  "truncated literal": "tru",
  "truncated number": "-",
  "trailing garbage": '{"a":1} x',
  "trailing comma": '{"a":1},',
  "two values": "1 2",
  "bare word": "hello",
  "Python's None": "None",
  NaN: "NaN",
  Infinity: "-Infinity",
  "raw control character": '"a\u0001b"',
  "raw newline": '"a\nb"',
  "byte order mark": '\ufeff{"a":1}',
  "single quotes": "{'a':1}",
  "leading zero": "01",
  "a comment": "/* */1",
  "closing bracket": "]",
  "wrong closing bracket": '{"a":[1}]',
  NUL: "\0",
};

describe("Corrupt text", () => {
  for (const [what, text] of Object.entries(CORRUPT)) {
    it(`CorruptValueError: every reader of whole values tells of ${what} and leaves it`, async () => {
      await client.set(X, text);
      const reads: Record<string, () => Promise<unknown>> = {
        get: () => lab.get("x"),
        getOrThrow: () => lab.getOrThrow("x"),
        getMany: () => lab.getMany(["x"]),
        getTtl: () => lab.get("x", { ttl: 1000 }),
        readMany: () => lab.readMany([lab.at("x")]),
        getOrInsert: () => lab.getOrInsert("x", 1),
        values: () => Array.fromAsync(lab.values()),
        entries: () => Array.fromAsync(lab),
        toObject: () => lab.toObject(),
        watch: () => Array.fromAsync(lab.watch({ initial: true })),
        "ref.get": () => lab.at("x").get(),
        "ref.watch": () => firstOf(lab.at("x").watch()),
        "ref.getOrInsert": () => lab.at("x").getOrInsert(1),
      };
      for (const [name, read] of Object.entries(reads)) {
        const error = await assertRejects(read, CorruptValueError, "", name);
        assertEquals([error.key, error.path, error.code], ["x", ["x"], "CORRUPT_VALUE"], name);
        assertEquals(error.operation, methodOf(name), name);
        assert(error.message.includes('the text of "x" is not JSON'), error.message);
        assertEquals(await client.get(X), text, name);
      }
    });

    it(`CorruptValueError: no method harms ${what}, and set() repairs it`, async () => {
      const reads = ["get", "getOrThrow", "exists", "type", "length", "keys"];
      let refused = 0;
      for (const path of [["a"], ["a", 0], [0], ["q"]]) {
        for (const [name, look] of Object.entries(LOOKS)) {
          await client.set(X, text);
          const error = await look(path).then(() => undefined, (error) => error);
          // What stands before the damage may be changed.
          if (error === undefined && !reads.includes(name)) continue;
          assertEquals(await client.get(X), text, `${name} ${path}`);
          if (error === undefined) continue;
          assertInstanceOf(error, JsonDictError, `${name} ${path}: ${error}`);
          assertEquals(error.operation, methodOf(name), name);
          refused++;
        }
      }
      assert(refused > 30, `only ${refused} calls were refused`);
      await client.set(X, text);
      await lab.set("x", { a: 1 });
      assertEquals(await client.get(X), '{"a":1}');
    });

    it(`CorruptValueError: pop() and popItem() remove ${what} and hand it over`, async () => {
      for (const remove of [() => lab.pop("x"), () => lab.popItem()]) {
        await client.set(X, text);
        const error = await assertRejects(remove, CorruptValueError);
        // An empty text is handed over as white space, for "" is the script's word for none.
        assertEquals([error.text, await client.exists(X)], [text || " ", 0]);
      }
      await client.set(X, text);
      assertEquals([await lab.has("x"), await lab.delete("x"), await client.exists(X)], [true, true, 0]);
    });
  }

  it("CorruptValueError reports truncated text to edits, with the byte", async () => {
    await client.set(X, '{"a":[1,2');
    const error = await assertRejects(() => lab.at("x", "b").set(1), CorruptValueError);
    assertEquals([error.path, error.operation, typeof error.offset], [["x", "b"], "set", "number"]);
  });

  it("RedisJsonDict reads and edits a value nested 10,000 deep, and refuses to compare it", async () => {
    const text = `{"n":1,"deep":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
    await client.set(X, text);
    assertEquals(await lab.at("x", "n").increment(), 2);
    assertEquals(await lab.at("x", "deep", 0, 0).length(), 1);
    assertEquals(await lab.at("x", "deep").type(), "array");
    const edited = text.replace('"n":1', '"n":2');
    assertEquals(await client.get(X), edited);
    let value: unknown = await lab.at("x", "deep").get();
    let depth = 0;
    for (; Array.isArray(value); value = value[0]) depth++;
    assertEquals(depth, 10_000);
    const compare = () => lab.at("x", "deep").compareAndSet(nest(998), 1);
    assertEquals((await assertRejects(compare, LimitError)).limit, "depth");
    assertEquals(await client.get(X), edited);
    await assertRejects(() => lab.set("x", nest(1001)), TypeError, "nested more than 1000 deep");
    await lab.set("x", nest(1000));
  });

  function nest(depth: number): unknown {
    let value: unknown = 1;
    for (let level = 0; level < depth; level++) value = [value];
    return value;
  }

  it("RedisJsonDict takes one of duplicate names, and edits touch only that one", async () => {
    const text = '{"a":1,"b":0,"a":2}';
    await client.set(X, text);
    assertEquals(await lab.get("x"), { a: 2, b: 0 });
    assertEquals(await lab.at("x", "a").get(), 1);
    assertEquals(await lab.at("x", "a").increment(10), 11);
    assertEquals(await client.get(X), '{"a":11,"b":0,"a":2}');
    assertEquals(await lab.at("x", "a").delete(), true);
    assertEquals(await client.get(X), '{"b":0,"a":2}');
    assertEquals(await lab.at("x", "a").get(), 2);
  });

  it("RedisJsonDict leaves bytes that are no UTF-8 alone", async () => {
    await client.set(X, Buffer.from('{"a":"\xff\xfe","b":1}', "latin1"));
    assertEquals(await lab.at("x", "b").increment(), 2);
    assertEquals(await bytes(), '{"a":"\xff\xfe","b":2}');
  });
});

/** The method that a case calls: its name begins with it. */
function methodOf(name: string): string {
  const words = name.replace(/^(?:ref|inside)[ .]?/, "");
  const method = /^(?:getOrThrow|getOrInsert|getMany|readMany|compareAndSet|toObject|[a-z]+)/.exec(
    words[0].toLowerCase() + words.slice(1),
  );
  return method![0];
}

describe("Keys of another Redis type", () => {
  const makers: Readonly<Record<string, () => Promise<unknown>>> = {
    list: () => client.rpush(X, "a"),
    set: () => client.sadd(X, "a"),
    hash: () => client.hset(X, "a", "1"),
    zset: () => client.zadd(X, 1, "a"),
    stream: () => client.xadd(X, "*", "a", "1"),
  };
  for (const [type, make] of Object.entries(makers)) {
    it(`WrongTypeError: every method leaves a Redis ${type} alone`, async () => {
      await client.del(X);
      await make();
      await client.pexpire(X, 90_000);
      const before = await client.dumpBuffer(X);
      const calls: Record<string, () => Promise<unknown>> = {
        get: () => lab.get("x"),
        getOrThrow: () => lab.getOrThrow("x"),
        getMany: () => lab.getMany(["x"]),
        getTtl: () => lab.get("x", { ttl: 1000 }),
        rename: () => lab.rename("x", "y"),
        copy: () => lab.copy("x", "y", { replace: true }),
        readMany: () => lab.readMany([lab.at("x")]),
        has: () => lab.has("x"),
        set: () => lab.set("x", 1),
        setTtl: () => lab.set("x", 1, { ttl: 1000 }),
        setKeepTtl: () => lab.set("x", 1, { keepTtl: true }),
        delete: () => lab.delete("x"),
        pop: () => lab.pop("x"),
        getOrInsert: () => lab.getOrInsert("x", 1),
        expire: () => lab.expire("x", 1000),
        persist: () => lab.persist("x"),
        ttl: () => lab.ttl("x"),
        lease: () => lab.lease("x", 1, { ttl: 1000 }),
        leaseWait: () => lab.lease("x", 1, { ttl: 1000, wait: true }),
        patch: () => lab.patch("x", [{ op: "add", path: "", value: 1 }]),
        merge: () => lab.merge("x", 1),
        mergeMember: () => lab.merge("x", { a: 1 }),
        edit: () => lab.edit((draft: Loose) => void (draft.x.a = 1)),
        editWhole: () => lab.edit((draft: Loose) => void (draft.x = 1)),
        editDelete: () => lab.edit((draft: Loose) => void delete draft.x),
        explain: () => lab.explain((draft: Loose) => draft.x.a),
        update: () => lab.update({ x: 1 }),
        refSet: () => lab.at("x").set(1),
        refDelete: () => lab.at("x").delete(),
        refGet: () => lab.at("x").get(),
        refExists: () => lab.at("x").exists(),
        refPush: () => lab.at("x").push(1),
        refCompareAndSet: () => lab.at("x").compareAndSet(1, 2),
        refCompareAndSetNothing: () => lab.at("x").compareAndSet(undefined, 2),
      };
      const looks = { ...LOOKS, ...DRAFTS };
      for (const [name, look] of Object.entries(looks)) {
        calls[`ref ${name}`] = () => look([]);
        calls[`inside ${name}`] = () => look(["a", 0]);
      }
      // A method that comes later is not forgotten here. The others speak of all keys, or of none.
      const others = ["ready", "keys", "values", "entries", "toObject", "size", "clear", "popItem", "watch"];
      const none = ["constructor", "at", "parents", "with", "key", "settled", "close"];
      for (const made of [lab, lab.at("x")]) {
        const isListed = (name: string) =>
          [...others, ...none].includes(name) || name in (made === lab ? calls : looks);
        const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(made));
        assertEquals(methods.filter((name) => !isListed(name)), []);
      }
      for (const [name, call] of Object.entries(calls)) {
        const error = await call().then(() => `${name} did it`, (error) => error);
        assertInstanceOf(error, WrongTypeError, `${name}: ${error}`);
        assertEquals([error.key, error.code], ["x", "WRONG_TYPE"], name);
        if (error.found !== undefined) assertEquals(error.found, type, name);
        assertEquals(error.operation, methodOf(name), name);
        assertEquals(await client.dumpBuffer(X), before, name);
      }
      assert(await client.pttl(X) > 60_000);
      assertEquals([await lab.size(), await lab.toObject(), await lab.popItem(), await lab.clear()], [
        0,
        {},
        undefined,
        0,
      ]);
      assertEquals(await client.dumpBuffer(X), before);
      await client.del(X);
    });
  }
});

describe("Paths that lead nowhere", () => {
  it("TypeMismatchError: a path through a scalar, in every method, is reported with place and type", async () => {
    const text = '{"a":{"s":"text","n":1,"b":true,"z":null}}';
    const types = { s: "string", n: "number", b: "boolean", z: "null" };
    for (const [name, found] of Object.entries(types)) {
      for (const [method, look] of Object.entries(LOOKS)) {
        await client.set(X, text);
        const error = await assertRejects(() => look(["a", name, "q", 0]), TypeMismatchError, "", method);
        assertEquals([error.found, error.expected, error.at], [found, ["object", "array"], 3], method);
        assertEquals([error.key, error.path], ["x", ["x", "a", name, "q", 0]]);
        assertEquals(await client.get(X), text);
      }
    }
  });

  it("TypeMismatchError: a name in an array, in every method", async () => {
    for (const [method, look] of Object.entries(LOOKS)) {
      await client.set(X, '{"a":[1]}');
      const error = await assertRejects(() => look(["a", "b"]), TypeMismatchError, "", method);
      assertEquals([error.found, error.expected, error.at], ["array", ["object"], 2], method);
      assertEquals(await client.get(X), '{"a":[1]}');
    }
  });

  it("TypeMismatchError: each method that needs a type, on all others", async () => {
    const values = { null: null, boolean: true, number: 1, string: "s", array: [1], object: { a: 1 } };
    const needs: Record<string, readonly string[]> = {
      increment: ["number"],
      toggle: ["boolean"],
      append: ["string"],
      keys: ["object"],
      length: ["string", "array", "object"],
      push: ["array"],
      unshift: ["array"],
      pop: ["array"],
      shift: ["array"],
      splice: ["array"],
    };
    const text = JSON.stringify(values);
    for (const [method, expected] of Object.entries(needs)) {
      for (const found of Object.keys(values).filter((type) => !expected.includes(type))) {
        await client.set(X, text);
        const error = await assertRejects(
          () => LOOKS[method]([found]),
          TypeMismatchError,
          "",
          `${method} ${found}`,
        );
        assertEquals([error.found, error.expected, error.at], [found, expected, 2]);
        assertEquals(await client.get(X), text);
      }
    }
  });

  it("IndexOutOfRangeError: a write beyond the end makes no hole", async () => {
    for (const index of [2, 5, -2, -9, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      const writes = [
        () => lab.at("x", "a", index).set(1),
        () => lab.at("x", "a", index).set(1, { parents: true }),
        () => lab.at("x", "a", index).getOrInsert(1),
        () => lab.at("x", "a", index, "b").set(1, { parents: true }),
        () => lab.at("x", "a", index).compareAndSet(undefined, 1),
      ];
      for (const write of writes) {
        await client.set(X, '{"a":[0]}');
        const error = await assertRejects(write, IndexOutOfRangeError);
        assertEquals([error.index, error.length, error.key, await client.get(X)], [
          index,
          1,
          "x",
          '{"a":[0]}',
        ]);
      }
    }
  });

  it("PathNotFoundError: a missing parent, and what must be there", async () => {
    for (
      const method of [
        "set",
        "getOrInsert",
        "compareAndSetNothing",
        "increment",
        "toggle",
        "append",
        "push",
        "pop",
      ]
    ) {
      await client.set(X, '{"a":{}}');
      const error = await assertRejects(() => LOOKS[method](["a", "b", "c"]), PathNotFoundError, "", method);
      assertEquals(
        [error.at, error.path, await client.get(X)],
        [2, ["x", "a", "b", "c"], '{"a":{}}'],
        method,
      );
      await client.del(X);
      const noKey = await assertRejects(() => LOOKS[method](["a"]), KeyNotFoundError, "", method);
      assertEquals([noKey.key, await client.exists(X)], ["x", 0]);
    }
  });

  it("RedisJsonDict makes no array of a million nulls", async () => {
    await client.set(X, "[]");
    await assertRejects(() => lab.at("x", 1_000_000).set(1, { parents: true }), IndexOutOfRangeError);
    await client.set(X, "{}");
    await lab.at("x", "a", 1).set(1, { parents: true });
    assertEquals(await client.get(X), '{"a":{"1":1}}');
  });
});

describe("Large values", () => {
  it("RedisJsonDict writes, edits and reads a value of 64 MB", async () => {
    const big = "x".repeat(64 * 1024 * 1024);
    await lab.set("x", { first: 1, big, last: [1] });
    const length = await client.strlen(X);
    assert(length > big.length);
    assertEquals(await lab.at("x", "first").increment(), 2);
    assertEquals(await lab.at("x", "last").push(2), 2);
    assertEquals(await lab.at("x", "last").get(), [1, 2]);
    assertEquals(await lab.at("x", "big").length(), big.length);
    assertEquals(await client.strlen(X), length + 2);
    const value: Loose = await lab.get("x");
    assert(value.big === big);
    assertEquals([value.first, value.last], [2, [1, 2]]);
    assertEquals(await lab.delete("x"), true);
  });
});

describe("Arguments of the wrong type", () => {
  let calls = 0;
  const counting = {
    call(): Promise<unknown> {
      calls++;
      return Promise.resolve(null);
    },
  };
  const dict: Loose = new RedisJsonDict(counting, { prefix: "" });

  async function refuses(
    call: () => unknown,
    type: typeof TypeError | typeof RangeError,
    what: string,
  ): Promise<void> {
    calls = 0;
    const error = await Promise.resolve().then(call).then(() => "nothing thrown", (error) => error);
    assertInstanceOf(error, type, `${what}: ${error}`);
    assertEquals(calls, 0, `${what} reached the server`);
  }

  const notKeys: readonly unknown[] = [
    5,
    0,
    null,
    undefined,
    true,
    {},
    ["a"],
    1n,
    Symbol("s"),
    () => "a",
    "\ud800",
    "a\udc00b",
  ];

  it("TypeError: every method refuses a key that is no well-formed string, before any I/O", async () => {
    for (const key of notKeys) {
      const uses: Record<string, () => unknown> = {
        get: () => dict.get(key),
        getOrThrow: () => dict.getOrThrow(key),
        getMany: () => dict.getMany([key]),
        has: () => dict.has(key),
        set: () => dict.set(key, 1),
        delete: () => dict.delete(key),
        pop: () => dict.pop(key),
        getOrInsert: () => dict.getOrInsert(key, 1),
        ttl: () => dict.ttl(key),
        expire: () => dict.expire(key, 1),
        persist: () => dict.persist(key),
        lease: () => dict.lease(key, 1, { ttl: 1000 }),
        renameFrom: () => dict.rename(key, "x"),
        renameTo: () => dict.rename("x", key),
        copyFrom: () => dict.copy(key, "x"),
        copyTo: () => dict.copy("x", key),
        update: () => dict.update([[key, 1]]),
      };
      for (const [name, use] of Object.entries(uses)) {
        await refuses(use, TypeError, `${name}(${String(key)})`);
      }
    }
  });

  it("TypeError: at() refuses what is no path", async () => {
    for (const segment of [null, undefined, true, {}, ["a"], 1n, Symbol("s")]) {
      await refuses(() => dict.at(segment), TypeError, `at(${String(segment)})`);
      await refuses(() => dict.at("x", segment), TypeError, `at("x", ${String(segment)})`);
      await refuses(() => dict.at("x").at(segment), TypeError, `at("x").at(${String(segment)})`);
    }
    for (const segment of [1.5, NaN, Infinity, 2 ** 53]) {
      await refuses(() => dict.at("x", segment), RangeError, `at("x", ${segment})`);
      await refuses(() => dict.at("x").at(segment), RangeError, `at("x").at(${segment})`);
    }
    await refuses(() => dict.at(), TypeError, "at()");
    await refuses(() => dict.at("\ud800"), TypeError, "a lone surrogate");
  });

  it("TypeError: every write refuses what JSON cannot hold, names the place, and does no I/O", async () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const bad: readonly unknown[] = [
      undefined,
      NaN,
      -Infinity,
      () => 1,
      Symbol("s"),
      1n,
      new Map(),
      new Set(),
      /a/,
      new Date(NaN),
      new Error("e"),
      Promise.resolve(1),
      new Uint8Array(1),
      [undefined],
      [, 1], // deno-lint-ignore no-sparse-arrays
      { a: [{ b: NaN }] },
      cycle,
    ];
    for (const value of bad) {
      const what = String(Object.prototype.toString.call(value));
      const writes: Record<string, () => unknown> = {
        set: () => dict.set("x", value),
        getOrInsert: () => dict.getOrInsert("x", value),
        update: () => dict.update({ x: value }),
        "ref.set": () => dict.at("x", "a").set(value),
        "ref.getOrInsert": () => dict.at("x", "a").getOrInsert(value),
        "ref.compareAndSet next": () => dict.at("x", "a").compareAndSet(1, value),
        push: () => dict.at("x", "a").push(1, value),
        unshift: () => dict.at("x", "a").unshift(value),
        splice: () => dict.at("x", "a").splice(0, 0, value),
      };
      if (value !== undefined) {
        writes["ref.compareAndSet expected"] = () => dict.at("x", "a").compareAndSet(value, 1);
      }
      for (const [name, write] of Object.entries(writes)) await refuses(write, TypeError, `${name}(${what})`);
    }
    const error = await assertRejects(() => dict.at("x", "l").push(1, { a: NaN }), TypeError);
    assert(error.message.includes('["l"][1]["a"] of "x"'), error.message);
  });

  it("TypeError or RangeError: expiry", async () => {
    for (const ttl of [0, -1, 1.5, NaN, Infinity, 2 ** 53, "5", null, {}, 5n]) {
      await refuses(() => dict.expire("x", ttl), RangeError, `expire(${String(ttl)})`);
      await refuses(() => dict.set("x", 1, { ttl }), RangeError, `set ttl ${String(ttl)}`);
    }
    await refuses(() => dict.expire("x"), RangeError, "expire() without a ttl");
    await refuses(() => dict.set("x", 1, { ttl: 5, keepTtl: true }), TypeError, "ttl and keepTtl");
    await refuses(() => dict.set("x", 1, null), TypeError, "set options null");
  });

  it("TypeError: options that are none, and names that there are not, with what is meant", async () => {
    const uses: Record<string, (options: unknown) => unknown> = {
      get: (options) => dict.get("x", options),
      getOrThrow: (options) => dict.getOrThrow("x", options),
      getOrInsert: (options) => dict.getOrInsert("x", 1, options),
      update: (options) => dict.update({ x: 1 }, options),
      rename: (options) => dict.rename("x", "y", options),
      copy: (options) => dict.copy("x", "y", options),
      keys: (options) => dict.keys(options),
      "ref.compareAndSet": (options) => dict.at("x", "a").compareAndSet(1, 2, options),
      set: (options) => dict.set("x", 1, options),
      edit: (options) => dict.edit(() => 1, options),
      explain: (options) => dict.explain(() => 1, options),
      close: (options) => dict.close(options),
      "ref.set": (options) => dict.at("x", "a").set(1, options),
      "ref.getOrInsert": (options) => dict.at("x", "a").getOrInsert(1, options),
      "ref.increment": (options) => dict.at("x", "a").increment(1, options),
      "ref.append": (options) => dict.at("x", "a").append("a", options),
      "ref.edit": (options) => dict.at("x", "a").edit(() => 1, options),
    };
    for (const [name, use] of Object.entries(uses)) {
      for (const options of [5000, "5000", true, null, [], () => 1, Symbol("s"), 5n]) {
        await refuses(() => use(options), TypeError, `${name}(..., ${String(options)})`);
      }
      for (const option of ["ex", "Ttl", "", "__proto__x", "tmeout"]) {
        await refuses(() => use({ [option]: 5 }), TypeError, `${name}(..., { ${option} })`);
      }
    }
    const says = async (call: () => unknown, message: string): Promise<void> => {
      await assertRejects(async () => await call(), TypeError, message);
    };
    await says(
      () => dict.set("k", 1, 5000),
      "received 5000 for the options; write an object, as { ttl: 5000 }",
    );
    for (const name of ["ex", "px", "tll", "TTL"]) {
      await says(
        () => dict.set("k", 1, { [name]: 5 }),
        `there is no option "${name}"; use ttl, in milliseconds`,
      );
    }
    await says(() => dict.at("k").set(1, { parent: true }), 'no option "parent"; use parents');
    await says(() => dict.at("k").set(1, { parents: 1 }), "parents is 1, expected true or false");
    await says(() => dict.at("k").increment("1"), 'Cannot increment "k" by "1": it is no number');
  });

  it("TypeError or RangeError: numbers, texts and positions", async () => {
    const x = dict.at("x");
    for (const by of ["1", null, true, {}, [1], 1n, Symbol("s")]) {
      await refuses(() => x.increment(by), TypeError, `increment(${String(by)})`);
    }
    for (const by of [NaN, Infinity, -Infinity]) {
      await refuses(() => x.increment(by), RangeError, `increment(${by})`);
    }
    for (const text of [5, null, undefined, {}, ["a"], true]) {
      await refuses(() => x.append(text), TypeError, "append");
    }
    for (const position of [1.5, NaN, "1", null, {}, true, 1n]) {
      await refuses(() => x.splice(position), RangeError, `splice(${String(position)})`);
      await refuses(() => x.splice(0, position), RangeError, `splice(0, ${String(position)})`);
    }
    await refuses(() => x.splice(), RangeError, "splice()");
    await refuses(() => x.set(), TypeError, "set()");
  });

  it("TypeError: collections", async () => {
    for (const values of [5, "text", null, undefined, true, () => {}]) {
      await refuses(() => dict.update(values), TypeError, `update(${String(values)})`);
    }
    for (const entries of [[5], [null], [["a", 1], undefined]]) {
      await refuses(() => dict.update(entries), TypeError, `update of ${String(entries)}`);
    }
    for (const keys of [5, null, undefined, {}, "text", () => {}]) {
      await refuses(() => dict.getMany(keys), TypeError, `getMany(${String(keys)})`);
      await assertRejects(() => dict.getMany(keys), TypeError, "Cannot getMany: received");
      if (keys === undefined) continue;
      const edits = [() => dict.edit(() => {}, { keys }), () => dict.explain(() => {}, { keys })];
      for (const edit of edits) await refuses(edit, TypeError, `keys: ${String(keys)}`);
    }
  });

  it("TypeError: recipes", async () => {
    for (const recipe of [5, null, undefined, {}, "text", [], Promise.resolve()]) {
      for (const place of [dict, dict.at("x"), dict.at("x", 0)]) {
        await refuses(() => place.edit(recipe), TypeError, `edit(${String(recipe)})`);
        await refuses(() => place.explain(recipe), TypeError, `explain(${String(recipe)})`);
        await assertRejects(
          () => place.edit(recipe),
          TypeError,
          "expected a function that changes the draft",
        );
      }
    }
  });

  it("TypeError messages name the place and the type", () => {
    assertThrows(() => dict.at("x", null), TypeError, "null is neither a string nor an integer");
    assertThrows(() => dict.at("x", 1n), TypeError, "the bigint 1");
  });
});
