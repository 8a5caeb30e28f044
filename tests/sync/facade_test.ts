/** The facade: plain JavaScript on it, and the text in Redis after it. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  connect,
  CorruptValueError,
  dictionary,
  type Facade,
  IndexOutOfRangeError,
  KeyNotFoundError,
  toPlain,
  TypeMismatchError,
  WrongTypeError,
} from "../../sync.ts";
import { assertSame } from "../support/same.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();

// deno-lint-ignore no-explicit-any -- programs without types are what it is for
type Any = any;

/** A facade of its own for one test. */
function open<T extends object = Record<string, Any>>(
  options: object = {},
): Facade<T> & { [key: string]: Any } {
  return connect(redisUrl, { prefix: uniquePrefix("sync"), ...options }) as never;
}

/** The text in Redis. */
function textOf(lab: object, key: string): Promise<string | null> {
  return client.get(dictionary(lab as Facade<object>).prefix + key);
}

describe("connect() of ./sync", () => {
  it("connect() gives what is used like a plain object, and every statement is in Redis when it ends", async () => {
    using lab = open();
    lab.sample = { color: "red", positions: [1], tags: ["a"] };
    assertEquals(await textOf(lab, "sample"), '{"color":"red","positions":[1],"tags":["a"]}');
    lab.sample.color = "blue";
    lab.sample.positions.push(2, 3);
    delete lab.sample.tags;
    lab.sample.deep = { x: { y: [] } };
    lab.sample.deep.x.y[0] = { z: null };
    lab.sample.deep.x.y[0].z = true;
    assertEquals(
      await textOf(lab, "sample"),
      '{"color":"blue","positions":[1,2,3],"deep":{"x":{"y":[{"z":true}]}}}',
    );
    delete lab.sample;
    assertEquals(await textOf(lab, "sample"), null);
  });

  it("connect() leaves every other byte as it is, and the expiry of the key", async () => {
    using lab = open();
    const { prefix } = dictionary(lab);
    await client.set(`${prefix}a`, ' { "n" : 1.50 , "m":[ 1e2 ] } ', "PX", 60_000);
    lab.a.m.push(3);
    lab.a.n = 2;
    assertEquals(await client.get(`${prefix}a`), ' { "n" : 2 , "m":[ 1e2,3 ] } ');
    assert(await client.pttl(`${prefix}a`) > 1_000);
    lab.a = 1; // as in a draft
    assert(await client.pttl(`${prefix}a`) > 1_000);
  });

  it("reads are fresh, each time", async () => {
    using lab = open();
    const { prefix } = dictionary(lab);
    lab.a = { n: 1, list: [{ n: 1 }] };
    const { a } = lab;
    const [first] = a.list;
    await client.set(`${prefix}a`, '{"n":2,"list":[{"n":3}]}');
    assertEquals([a.n, first.n, lab.a.n], [2, 3, 2]);
    assertEquals(JSON.stringify(a), '{"n":2,"list":[{"n":3}]}');
  });

  it("everything that shows an object shows what is there", () => {
    using lab = open();
    const plain = { color: "red", size: { x: 1 }, list: [1, [2], { n: 3 }] };
    lab.a = plain;
    lab.b = 5;
    assertEquals([Object.keys(lab.a), Object.keys(lab).sort()], [Object.keys(plain), ["a", "b"]]);
    assertEquals(toPlain({ ...lab.a }), plain);
    assertEquals(toPlain(Object.assign({}, lab.a)), plain);
    assertEquals(toPlain(Object.entries(lab.a)), Object.entries(plain));
    assertEquals(toPlain(Object.fromEntries(Object.entries(lab))), { a: plain, b: 5 });
    assertEquals(toPlain(Object.values(lab.a.size)), [1]);
    assertEquals(JSON.stringify(lab.a, undefined, 1), JSON.stringify(plain, undefined, 1));
    assertEquals(JSON.parse(JSON.stringify({ lab })), { lab: { a: plain, b: 5 } });
    assertEquals(Deno.inspect(lab.a), Deno.inspect(plain));
    assertEquals(Deno.inspect([lab.a.list]), Deno.inspect([plain.list]));
    const { color, ...others } = lab.a;
    assertEquals([color, toPlain(others)], ["red", { size: plain.size, list: plain.list }]);
    const [one, [two], three = 0] = lab.a.list;
    assertEquals([one, two, toPlain(three)], [1, 2, { n: 3 }]);
    const names: string[] = [];
    for (const name in lab.a) names.push(name, typeof lab.a[name]);
    assertEquals(names, ["color", "string", "size", "object", "list", "object"]);
    assertEquals(["color" in lab.a, "nothing" in lab.a, "a" in lab, "x" in lab], [true, false, true, false]);
    assertEquals([Object.hasOwn(lab.a, "size"), Object.hasOwn(lab, "x")], [true, false]);
    assertEquals([Array.isArray(lab.a.list), Array.isArray(lab.a), lab.a instanceof Object], [
      true,
      false,
      true,
    ]);
    assertEquals(`${lab.a.size} ${lab.a.list[1]}`, "[object Object] 2");
    assertEquals([lab.nothing, lab.a.nothing, lab.a.list[9], lab.a.list[-1]], Array(4).fill(undefined));
    assertEquals(lab.a, plain as Any);
    assert(lab.a === lab.a && lab.a.list[2] === lab.a.list[2]);
  });

  it("what was read as plain data stays plain", () => {
    using lab = open();
    lab.a = { list: [{ n: 1 }] };
    const copy = structuredClone(toPlain(lab.a));
    copy.list[0].n = 2;
    assertEquals(toPlain(lab.a), { list: [{ n: 1 }] });
    assertEquals(toPlain({ some: [lab.a.list] }), { some: [[{ n: 1 }]] });
    assertThrows(() => structuredClone(lab.a)); // no proxy can be cloned
  });

  it("any name may be a key, and a member", async () => {
    using lab = open();
    const names = [
      ...["edit", "close", "then", "constructor", "__proto__", "toJSON", "toString", "valueOf", "prototype"],
      ...["", "0", "length", "hasOwnProperty", "é", "*", "{x}", "a.b", " ", "at", "get", "prefix"],
    ];
    assertEquals(names.filter((name) => lab[name] !== undefined && name !== "toJSON"), []);
    assertEquals(names.filter((name) => name in lab), []);
    for (const name of names) lab[name] = { [name]: name };
    for (const name of names) {
      assertEquals(toPlain(lab[name]), { [name]: name });
      assertEquals(lab[name][name], name);
      assertEquals(await textOf(lab, name), JSON.stringify({ [name]: name }));
      lab[name][name] = [name];
      assertEquals(lab[name][name][0], name);
      assertEquals([Object.hasOwn(lab, name), Object.keys(lab[name])], [true, [name]]);
    }
    assertEquals(Object.keys(lab).sort(), [...names].sort());
    assertEquals(
      JSON.parse(JSON.stringify(lab)),
      Object.fromEntries(names.map((name) => [name, { [name]: [name] }])),
    );
    assertSame(Object.getPrototypeOf(lab), Object.prototype);
    for (const name of names) delete lab[name];
    assertEquals(Object.keys(lab), []);
    assertEquals(await Promise.resolve(1), 1);
    const same = await Promise.resolve(lab); // it is no promise, whatever its keys
    assertSame(same, lab as never);
  });

  it("objects of a facade are written as their text, also those of another one", async () => {
    using lab = open();
    using other = open();
    await client.set(`${dictionary(lab).prefix}a`, '{ "n": 1.0 }');
    lab.b = lab.a;
    lab.c = { inside: [lab.a] };
    other.d = lab.a;
    other.all = lab;
    assertEquals(await textOf(lab, "b"), '{ "n": 1.0 }');
    assertEquals(await textOf(lab, "c"), '{"inside":[{ "n": 1.0 }]}');
    assertEquals(await textOf(other, "d"), '{ "n": 1.0 }');
    assertEquals(toPlain(other.all), toPlain(lab) as Any);
    dictionary(lab as Facade<Record<string, Any>>).edit((draft) => {
      draft.e = { inside: [lab.a] }; // in a recipe, too, as long as it is no key of the edit
      if (draft.c) draft.e.copy = lab.b;
    });
    assertEquals(await textOf(lab, "e"), '{"inside":[{"n":1}],"copy":{"n":1}}');
    const returned = dictionary(lab as Facade<Record<string, Any>>).edit((draft) => draft.c && [lab.b]);
    assertEquals(structuredClone(toPlain(returned)), [{ n: 1 }]);
    lab.c.inside.push(lab.a, 2);
    lab.c.inside.fill(lab.a, 2);
    assertEquals(toPlain(lab.c.inside), [{ n: 1 }, { n: 1 }, { n: 1 }]);
  });

  it("a damaged value is not written anywhere else, neither by its dictionary nor by a part of it", async () => {
    using lab = open();
    using other = open();
    other.x = { kept: true };
    for (
      const text of ["oops", '1,"admin":true', "{", '"', "", "[1,]", '{"a":{"b":1},"c":', '{"a":{"b":1,}}']
    ) {
      await client.set(`${dictionary(lab).prefix}damaged`, text);
      for (
        const write of [() => other.copy = lab, () => other.x.list = [lab], () => other.x.part = lab.damaged]
      ) {
        assertThrows(write, CorruptValueError, "not JSON", text);
      }
      assertEquals(await textOf(other, "x"), '{"kept":true}', text);
      assertEquals(Object.keys(other), ["x"], text);
    }
  });

  it("bigints are read and written with the option", async () => {
    using lab = open({ bigints: true });
    lab.big = [2n ** 63n];
    assertEquals(await textOf(lab, "big"), "[9223372036854775808]");
    assertEquals(lab.big[0], 2n ** 63n);
  });

  it("values of any size come and go", () => {
    using lab = open();
    const long = "é😀x".repeat(1_000_000);
    lab.long = [long];
    lab.long.push(1);
    assertEquals(lab.long[0].length, long.length);
    assert(lab.long[0] === long);
  });
});

describe("Arrays of ./sync", () => {
  it("changing methods do what those of Array do, on what is there", async () => {
    const steps: ((list: Any) => unknown)[] = [
      (list) => list.push(4, 5),
      (list) => list.unshift(0),
      (list) => list.pop(),
      (list) => list.shift(),
      (list) => list.splice(1, 1, "a", "b"),
      (list) => list.splice(-1),
      (list) => list.splice(undefined, 0, 9),
      (list) => list.splice(),
      (list) => list.splice(0, -1),
      (list) => list.push(),
      (list) => void list.sort(),
      (list) => void list.sort((a: Any, b: Any) => String(a) < String(b) ? 1 : -1),
      (list) => void list.reverse(),
      (list) => void list.fill(7, 1, 2),
      (list) => void list.copyWithin(0, 1),
      (list) => void (list[1] = { n: 1 }),
      (list) => void (list[list.length] = "end"),
      (list) => void (list.length = 2),
      (list) => void (list.length = 0),
      (list) => list.pop(),
    ];
    using lab = open();
    lab.a = { list: [3, 1, 2] };
    const model: Any = { list: [3, 1, 2] };
    for (const step of steps) {
      assertEquals(toPlain(step(lab.a.list)), step(model.list));
      assertEquals(await textOf(lab, "a"), JSON.stringify(model));
    }
    assert(lab.a.list.sort() === lab.a.list);
  });

  it("reading methods give what those of Array give", () => {
    const steps: ((list: Any) => unknown)[] = [
      (list) => list.map((each: Any, index: number) => [each?.n ?? each, index]),
      (list) => list.filter((each: Any) => each?.n !== undefined),
      (list) => list.find((each: Any) => each?.n === 2),
      (list) => list.findLast((each: Any) => each?.n),
      (list) => list.findIndex((each: Any) => each?.n === 2),
      (list) => list.some((each: Any) => each?.n === 2),
      (list) => list.every((each: Any) => each),
      (list) => list.reduce((sum: number, each: Any) => sum + (Number(each?.n) || 0), 0),
      (list) => list.reduceRight((text: string, each: Any) => text + typeof each, ""),
      (list) => list.flatMap((each: Any) => [each, 1]),
      (list) => list.slice(1, -1),
      (list) => list.concat([1], list, 2),
      (list) => list.flat(),
      (list) => list.flat(Infinity),
      (list) => list.join("-"),
      (list) => String(list),
      (list) => list.includes(1),
      (list) => list.indexOf(list[3]),
      (list) => list.lastIndexOf("x"),
      (list) => list.at(-1),
      (list) => [...list.entries()],
      (list) => [...list.keys(), ...list.values(), ...list],
      (list) => list.toSorted((a: Any, b: Any) => String(a) < String(b) ? -1 : 1),
      (list) => list.toReversed(),
      (list) => list.toSpliced(0, 2),
      (list) => list.with(0, "new"),
      (list) => list.length,
      (list) => Math.max(...list.filter(Number)),
      (list) => Array.from(list),
      (list) => Object.keys(list),
      (list) => Array.prototype.map.call(list, (each) => each),
      (list) => ["of another", ...[].concat(list)],
    ];
    const model: Any = [1, "x", { n: 2 }, [3, [4, { n: 5 }]], null, true, { n: { m: 6 } }];
    using lab = open();
    lab.list = model;
    for (const step of steps) assertEquals(toPlain(step(lab.list)), step(model), String(step));
  });

  it("callbacks are given what they can change, and the array itself", async () => {
    using lab = open();
    lab.jobs = [{ id: 1 }, { id: 2 }, { id: 3 }];
    lab.jobs.find((job: Any) => job.id === 2).done = true;
    lab.jobs.forEach((job: Any, index: number, jobs: Any) => {
      if (job.done) job.id = 20;
      assert(jobs === lab.jobs);
      if (index === 2) jobs[index].last = true;
      assertEquals(jobs.length, 3);
    });
    for (const job of lab.jobs) job.seen = true;
    assertEquals(
      await textOf(lab, "jobs"),
      '[{"id":1,"seen":true},{"id":20,"done":true,"seen":true},{"id":3,"last":true,"seen":true}]',
    );
  });

  it("callbacks see what they have changed", () => {
    using lab = open();
    lab.list = [{ n: 1 }, { n: 2 }];
    const seen = lab.list.map((each: Any) => {
      each.n += 10;
      return [each.n, lab.list[0].n, Object.keys(each)];
    });
    assertEquals(seen, [[11, 11, ["n"]], [12, 11, ["n"]]]);
  });
});

describe("Errors of ./sync", () => {
  it("errors are thrown in place, with the class of their cause and the line of the caller", async () => {
    using lab = open();
    const { prefix } = dictionary(lab);
    await client.set(`${prefix}bad`, "{not JSON");
    await client.rpush(`${prefix}other`, "x");
    lab.a = { list: [1], text: "x" };
    const calls: [new (...args: never[]) => Error, () => unknown][] = [
      [CorruptValueError, () => lab.bad],
      [WrongTypeError, () => lab.other],
      [WrongTypeError, () => lab.other = 1],
      [WrongTypeError, () => "other" in lab],
      [IndexOutOfRangeError, () => lab.a.list[7] = 1],
      [KeyNotFoundError, () => dictionary(lab).at("nothing", "n").increment()],
      [TypeMismatchError, () => dictionary(lab).at("a", "text").increment()],
      [TypeError, () => lab.a.f = () => {}],
      [TypeError, () => lab.a = undefined],
      [TypeError, () => lab.a.list.push(NaN)],
      [TypeError, () => lab.a.list.name = 1],
      [TypeError, () => delete lab.a.list[0]],
      [TypeError, () => Object.freeze(lab.a)],
      [TypeError, () => Object.setPrototypeOf(lab.a, Array.prototype)],
      [TypeError, () => Object.defineProperty(lab.a, "x", { get: () => 1 })],
      [TypeError, () => lab.a[Symbol("s")] = 1],
      [TypeError, () => lab["\ud800"] = 1],
      [TypeError, () => dictionary(lab).get("a", { signal: AbortSignal.abort() })],
      [TypeError, () => dictionary(lab).set("a", 1, { ex: 5 } as never)],
      [TypeError, () => dictionary({} as never)],
      [TypeError, () => dictionary(lab.a as never)],
      [RangeError, () => lab.a.list.length = 5],
    ];
    for (const [Class, call] of calls) {
      const error = assertThrows(call, Class, undefined, String(call));
      assert(error.stack!.includes("facade_test.ts"), error.stack);
      assert(error.stack!.startsWith(`${error.name}: ${error.message}`), error.stack);
    }
    assertEquals(await textOf(lab, "a"), '{"list":[1],"text":"x"}');
  });

  it("an object that is no longer there is an error, not a miss", () => {
    using lab = open();
    lab.a = { b: { c: 1 }, list: [1] };
    const { b, list } = lab.a;
    lab.a.b = [1];
    assertThrows(() => JSON.stringify(b), TypeMismatchError);
    lab.a.b = 5;
    assertThrows(() => b.c, TypeMismatchError);
    delete lab.a;
    assertThrows(() => b.c, KeyNotFoundError);
    assertThrows(() => list[0], KeyNotFoundError);
    assertThrows(() => list.length, KeyNotFoundError);
    assertThrows(() => b.c = 1, KeyNotFoundError);
    assertThrows(() => list.push(1), KeyNotFoundError);
    assertThrows(() => Object.keys(b), KeyNotFoundError);
    assertMatch(Deno.inspect(b), /^\[KeyNotFoundError: Cannot get at /); // who only looks is not thrown at
  });

  it("wrong arguments of connect() throw before a worker is started", () => {
    assertThrows(() => connect(redisUrl, {} as never), TypeError, "there is no prefix");
    assertThrows(() => connect(redisUrl, undefined as never), TypeError, "there is no prefix");
    assertThrows(() => connect(redisUrl, { prefix: "a:", timeut: 5 } as never), TypeError, "timeout");
    assertThrows(() => connect(redisUrl, { prefix: "a:", timeout: -1 }), RangeError, "timeout");
    assertThrows(() => connect("http://localhost", { prefix: "a:" }), TypeError, "must start with redis://");
  });
});

describe("dictionary() of ./sync", () => {
  it("dictionary() has the methods of the dictionary, and they return when they are done", () => {
    using lab = open();
    const dict = dictionary(lab as Facade<Record<string, Any>>);
    assert(dict === dictionary(lab as never));
    dict.ready();
    dict.set("a", { n: 1, list: [1, 2], text: "é\u0000😀", "": null, on: false });
    assertEquals([dict.has("a"), dict.has("b"), dict.get("b")], [true, false, undefined]);
    assertEquals(dict.getOrInsert("b", 5), 5);
    dict.update({ c: [3], "{other} *?[k]": 4 });
    assertEquals([...dict.getMany(["c", "nothing", "b"])], [["c", [3]], ["b", 5]]);
    assertEquals([dict.size(), dict.keys().sort()], [4, ["a", "b", "c", "{other} *?[k]"]]);
    assertEquals([dict.keys({ startsWith: "{" }), dict.keys({ limit: 2 }).length], [["{other} *?[k]"], 2]);
    assertEquals(new Map(dict).get("{other} *?[k]"), 4);
    assertEquals(dict.values().filter((value) => typeof value === "number").sort(), [4, 5]);
    dict.expire("b", 60_000);
    assert(dict.ttl("b")! > 0);
    assertEquals([dict.persist("b"), dict.ttl("b"), dict.ttl("nothing")], [true, Infinity, undefined]);
    assertEquals([dict.pop("b"), dict.delete("c"), dict.delete("c")], [5, true, false]);
    assertEquals([dict.rename("a", "x"), dict.copy("x", "a"), dict.copy("x", "a")], [true, true, false]);
    dict.patch("a", [{ op: "replace", path: "/n", value: 2 }]);
    dict.merge("a", { text: null });
    assertEquals(dict.getOrThrow("a"), { n: 2, list: [1, 2], "": null, on: false });
    assertThrows(() => dict.getOrThrow("nothing"), KeyNotFoundError);
    const at = dict.at("a");
    assertEquals([at.at("n").increment(), at.at("list").push(3), at.at("list", -1).get()], [3, 3, 3]);
    assertEquals([at.at("on").toggle(), at.at("list").length(), at.keys()], [true, 3, [
      "n",
      "list",
      "",
      "on",
    ]]);
    assertEquals(dict.at((root) => root.a.list[0]).compareAndSet(1, 7), true);
    dict.at("a", "deep", "er").set("x", { parents: true });
    assertEquals(dict.at("a", "deep", "er").append("y"), 2);
    assertEquals(dict.readMany([dict.at("a", "list", 0), dict.at("a", "none")]), [7, undefined]);
    assertEquals(dict.edit((draft) => draft.a.list.push(draft.a.n)), 4);
    assertEquals(dict.explain((draft) => draft.a.list.push(2)), [
      { kind: "push", path: ["a", "list"], items: ["2"] },
    ]);
    assertEquals(dict.toObject().a, toPlain(lab.a));
    assertEquals(dict.popItem()?.length, 2);
    assertEquals([dict.clear(), dict.size()], [2, 0]);
  });

  it("a recipe that would wait for its own edit is told so at once", async () => {
    using lab = open();
    const dict = dictionary(lab as Facade<Record<string, Any>>);
    lab.a = { n: 1 };
    lab.b = 5;
    const uses: (() => unknown)[] = [
      ...[() => lab.a, () => lab.a.n = 2, () => Object.keys(lab), () => dict.clear(), () => "a" in lab],
      () => dict.edit((draft) => draft.a.n = 3),
      () => dict.edit((draft) => draft.b = draft.b + draft.a.n),
    ];
    for (const use of uses) {
      const edit = () =>
        dict.edit((draft) => {
          draft.a.n++;
          use();
        });
      assertThrows(edit, TypeError, "in the recipe of an edit", String(use));
    }
    dict.edit((draft) => draft.a.n += lab.b); // another key is not its own
    assertEquals(await textOf(lab, "a"), '{"n":6}');
    assertThrows(
      () =>
        dict.edit((draft) => {
          draft.a.n = 0;
          throw new RangeError("mine");
        }),
      RangeError,
      "mine",
    );
    assertEquals(lab.a.n, 6);
  });

  it("close() and using end the connection, and everything after it is an error that says so", async () => {
    let lab: Any;
    {
      using inner = open();
      lab = inner;
      lab.a = { n: 1 };
    }
    for (const use of [() => lab.a, () => lab.a = 1, () => "a" in lab, () => dictionary(lab).size()]) {
      assertThrows(use, TypeError, "it is closed");
    }
    dictionary(lab).close();
    assertEquals(await textOf(lab, "a"), '{"n":1}');
  });
});
