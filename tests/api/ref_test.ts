/** Refs through a real Redis: what each method returns, and the bytes that it leaves there. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { inspect } from "node:util";
import { RedisJsonDict } from "../../src/api/dict.ts";
import {
  KeyNotFoundError,
  NumberRangeError,
  PathNotFoundError,
  TypeMismatchError,
} from "../../src/errors/value.ts";
import type { Json } from "../../src/data/json.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
// deno-lint-ignore no-explicit-any -- every method at every place
const lab = new RedisJsonDict<any>(client, { prefix: uniquePrefix("ref") });
const X = `${lab.prefix}x`;

/** Puts a text under "x", does something, and compares what it returned and the text after it. */
async function expectEdit(
  before: string,
  edit: () => Promise<unknown>,
  returned: unknown,
  after: string = before,
): Promise<void> {
  await client.set(X, before);
  assertEquals(await edit(), returned, `the result on ${before}`);
  assertEquals(await client.get(X), after);
}

const NAMES = [
  "__proto__",
  "constructor",
  "then",
  "toString",
  "",
  "0",
  "-1",
  "\0",
  "é 👩‍🔬",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  '\\"',
  "*",
  "\n",
  " ",
  "a b",
  ";",
  "%b{}",
  "\ud800",
  "/",
];

describe("Ref reads", () => {
  it("Ref.get() returns the value behind the path, undefined where there is none", async () => {
    await client.set(X, ' { "a" : [ 1 , { "b" : "\\u00e9" } ] , "n" : null , "" : 7 } ');
    assertEquals(await lab.at("x").get(), { a: [1, { b: "é" }], n: null, "": 7 });
    assertEquals(await lab.at("x", "a", 1, "b").get(), "é");
    assertEquals(await lab.at("x", "a", -1).get(), { b: "é" });
    assertEquals(await lab.at("x", "n").get(), null);
    assertEquals(await lab.at("x", "").get(), 7);
    for (const path of [["q"], ["a", 2], ["a", -3], ["q", "r", "s"], ["a", 7, "b"]]) {
      assertEquals(await lab.at("x").at(...path as [string]).get(), undefined, path.join());
    }
    assertEquals(await lab.at("nothing", "a").get(), undefined);
  });

  it("Ref.getOrThrow() says whether the key or the path is missing", async () => {
    await client.set(X, '{"a":[1]}');
    assertEquals(await lab.at("x", "a", 0).getOrThrow(), 1);
    const noPath = await assertRejects(() => lab.at("x", "a", 3, "b").getOrThrow(), PathNotFoundError);
    assertEquals([noPath.path, noPath.at, noPath.operation], [["x", "a", 3, "b"], 2, "getOrThrow"]);
    const noKey = await assertRejects(() => lab.at("nothing", "a").getOrThrow(), KeyNotFoundError);
    assertEquals([noKey.key, noKey.path], ["nothing", ["nothing", "a"]]);
    await assertRejects(() => lab.at("nothing").getOrThrow(), KeyNotFoundError);
  });

  it("Ref.exists() and Ref.type() report every type, and a missing value", async () => {
    const values = { null: null, boolean: true, number: -1.5e3, string: "", array: [], object: {} };
    await lab.set("x", values);
    for (const type of Object.keys(values)) {
      assertEquals([await lab.at("x", type).type(), await lab.at("x", type).exists()], [type, true]);
      await lab.set("y", values[type as keyof typeof values]);
      assertEquals([await lab.at("y").type(), await lab.at("y").exists()], [type, true]);
    }
    assertEquals([await lab.at("x", "q").type(), await lab.at("x", "q").exists()], [undefined, false]);
    assertEquals([await lab.at("nothing").type(), await lab.at("nothing").exists()], [undefined, false]);
    assertEquals(await lab.at("nothing", "a").exists(), false);
  });

  it("Ref.length() counts code units, elements and members", async () => {
    await client.set(
      X,
      '{"s":"a\\u00e9\\ud83d\\ude00👩\\n","a":[[1,2],3,{}],"o":{"a":1,"b":{"c":2}},"e":[],"f":{},"t":""}',
    );
    assertEquals(await lab.at("x", "s").length(), "aé\ud83d\ude00👩\n".length);
    assertEquals(await lab.at("x", "a").length(), 3);
    assertEquals(await lab.at("x", "o").length(), 2);
    assertEquals(await lab.at("x").length(), 6);
    for (const empty of ["e", "f", "t"]) assertEquals(await lab.at("x", empty).length(), 0);
    assertEquals([await lab.at("x", "q").length(), await lab.at("nothing").length()], [undefined, undefined]);
    await lab.set("x", 5);
    await assertRejects(() => lab.at("x").length(), TypeMismatchError);
  });

  it("Ref.keys() names the members in the order of the text", async () => {
    await client.set(X, '{ "b" : {"c":1}, "\\u0061" : 2, "" : 3, "2" : 4, "1" : 5, "__proto__" : 6 }');
    assertEquals(await lab.at("x").keys(), ["b", "a", "", "2", "1", "__proto__"]);
    assertEquals(await lab.at("x", "b").keys(), ["c"]);
    assertEquals([await lab.at("x", "q").keys(), await lab.at("nothing").keys()], [undefined, undefined]);
    const error = await assertRejects(() => lab.at("x", "a").keys(), TypeMismatchError);
    assertEquals([error.found, error.expected, error.at], ["number", ["object"], 2]);
  });

  it("Ref reads leave the bytes alone and move only the fragment", async () => {
    const text = `{"big":"${"z".repeat(500_000)}","small":1}`;
    await client.set(X, text);
    assertEquals(await lab.at("x", "small").get(), 1);
    assertEquals(await lab.at("x", "big").length(), 500_000);
    assertEquals(await client.get(X), text);
  });
});

describe("Ref.set() and delete()", () => {
  it("Ref.set() changes only the bytes of the value", async () => {
    const text = ' { "a" : 1.50 , "b" : [ 1e2 , "\\u0041" ] }\n';
    await expectEdit(
      text,
      () => lab.at("x", "a").set("é"),
      undefined,
      ' { "a" : "é" , "b" : [ 1e2 , "\\u0041" ] }\n',
    );
    await expectEdit(
      text,
      () => lab.at("x", "b", 0).set({}),
      undefined,
      ' { "a" : 1.50 , "b" : [ {} , "\\u0041" ] }\n',
    );
    await expectEdit(
      text,
      () => lab.at("x", "b", -1).set(null),
      undefined,
      ' { "a" : 1.50 , "b" : [ 1e2 , null ] }\n',
    );
  });

  it("Ref.set() adds a member, an element at the length, and the whole value", async () => {
    await expectEdit('{"a":1}', () => lab.at("x", "b").set([2]), undefined, '{"a":1,"b":[2]}');
    await expectEdit("{}", () => lab.at("x", "b").set(1), undefined, '{"b":1}');
    await expectEdit("[1,2]", () => lab.at("x", 2).set(3), undefined, "[1,2,3]");
    await expectEdit("[]", () => lab.at("x", 0).set(3), undefined, "[3]");
    await expectEdit("{}", () => lab.at("x").set("all"), undefined, '"all"');
    await client.del(X);
    await lab.at("x").set(1);
    assertEquals(await client.get(X), "1");
  });

  it("Ref.set() with parents creates objects, and an array where the next segment is 0", async () => {
    const parents = { parents: true };
    await expectEdit(
      "{}",
      () => lab.at("x", "a", "b", "c").set(1, parents),
      undefined,
      '{"a":{"b":{"c":1}}}',
    );
    await expectEdit("{}", () => lab.at("x", "a", 0, "c").set(1, parents), undefined, '{"a":[{"c":1}]}');
    await expectEdit("{}", () => lab.at("x", "a", "0").set(1, parents), undefined, '{"a":{"0":1}}');
    await expectEdit(
      '{"a":[1]}',
      () => lab.at("x", "a", 1, "b").set(1, parents),
      undefined,
      '{"a":[1,{"b":1}]}',
    );
    await client.del(X);
    await lab.at("x", 0, "a").set(1, parents);
    assertEquals(await client.get(X), '[{"a":1}]');
    await expectEdit(
      '{"a":{"b":5}}',
      () => lab.at("x", "a", "c").parents().set(1),
      undefined,
      '{"a":{"b":5,"c":1}}',
    );
    await client.set(X, '{"a":5}');
    await assertRejects(() => lab.at("x", "a", "b").set(1, parents), TypeMismatchError);
    assertEquals(await client.get(X), '{"a":5}');
  });

  it("Ref.delete() removes a member, an element and the key, and returns whether it existed", async () => {
    await expectEdit('{"a":1, "b":2 , "c":3}', () => lab.at("x", "b").delete(), true, '{"a":1, "c":3}');
    await expectEdit('{"a":1,"b":2}', () => lab.at("x", "b").delete(), true, '{"a":1}');
    await expectEdit('{"a":1}', () => lab.at("x", "a").delete(), true, "{}");
    await expectEdit("[1,[2],3]", () => lab.at("x", -2).delete(), true, "[1,3]");
    await expectEdit('{"a":1}', () => lab.at("x", "q").delete(), false);
    await expectEdit('{"a":1}', () => lab.at("x", "q", "r").delete(), false);
    await expectEdit("[1]", () => lab.at("x", 1).delete(), false);
    assertEquals([await lab.at("x").delete(), await lab.at("x").delete()], [true, false]);
    assertEquals(await client.exists(X), 0);
  });

  it("Ref.getOrInsert() inserts once and returns what is there", async () => {
    await expectEdit('{"a":{}}', () => lab.at("x", "a", "b").getOrInsert([1]), [1], '{"a":{"b":[1]}}');
    await expectEdit('{"a": [ 1 ] }', () => lab.at("x", "a").getOrInsert(5), [1]);
    await expectEdit('{"a":null}', () => lab.at("x", "a").getOrInsert(5), null);
    await expectEdit("[1]", () => lab.at("x", 1).getOrInsert(2), 2, "[1,2]");
    await expectEdit("{}", () => lab.at("x", "a", "b").getOrInsert(1, { parents: true }), 1, '{"a":{"b":1}}');
    await client.del(X);
    assertEquals([await lab.at("x").getOrInsert({}), await client.get(X)], [{}, "{}"]);
  });

  it("Ref.compareAndSet() compares by JSON equality", async () => {
    const text = ' {"a": [1.0, {"p":1,"q":"\\u0041"}]} ';
    const ref = lab.at("x", "a");
    await expectEdit(text, () => ref.compareAndSet([1, { q: "A", p: 1 }], 2), true, ' {"a": 2} ');
    await expectEdit(text, () => ref.compareAndSet([1, { q: "a", p: 1 }], 2), false);
    await expectEdit(text, () => ref.compareAndSet([1], 2), false);
    await expectEdit(text, () => ref.compareAndSet(undefined, 2), false);
    await expectEdit(
      text,
      () => lab.at("x", "b").compareAndSet(undefined, 2),
      true,
      ' {"a": [1.0, {"p":1,"q":"\\u0041"}],"b":2} ',
    );
    await expectEdit(text, () => lab.at("x", "b").compareAndSet(null, 2), false);
    await expectEdit("1e2", () => lab.at("x").compareAndSet(100, 0), true, "0");
    await client.del(X);
    assertEquals(await lab.at("x").compareAndSet(1, 2), false);
    assertEquals(await lab.at("x").compareAndSet(undefined, 2), true);
    assertEquals(await client.get(X), "2");
  });
});

describe("Ref.increment(), toggle() and append()", () => {
  it("Ref.increment() adds as JavaScript does, and integers exactly", async () => {
    for (
      const [text, by, after] of [
        ["1", undefined, "2"],
        ["1", -3, "-2"],
        ["0", 0, "0"],
        ["0.1", 0.2, "0.30000000000000004"],
        ["1e21", 1, "1e+21"],
        ["-0", 0, "0"],
        ["-1", 1, "0"],
        ["1e3", 1, "1001"],
        ["5e-324", 0, "5e-324"],
        ["9007199254740990", 1, "9007199254740991"],
        ["0.000001", 0, "0.000001"],
        ["1e-7", 0, "1e-7"],
        ["99999999999999", 1, "100000000000000"],
      ] as [string, number | undefined, string][]
    ) {
      await expectEdit(
        `{"n":${text}}`,
        () => lab.at("x", "n").increment(by),
        Number(after),
        `{"n":${after}}`,
      );
      await expectEdit(text, () => lab.at("x").increment(by), Number(after), after);
    }
  });

  it("Ref.increment() refuses what a number cannot hold and changes nothing", async () => {
    for (
      const [text, by] of [["9007199254740991", 1], ["-9007199254740991", -1], ["1e308", 1e308]] as const
    ) {
      await client.set(X, `[${text}]`);
      const error = await assertRejects(() => lab.at("x", 0).increment(by), NumberRangeError);
      assertEquals(error.path, ["x", 0]);
      assertEquals(await client.get(X), `[${text}]`);
    }
    await assertRejects(() => lab.at("x", 0).increment(Infinity), RangeError);
    await assertRejects(() => lab.at("x", 0).increment(NaN), RangeError);
  });

  it("Ref.increment(), append() and push() need what they change, unless parents creates it", async () => {
    const uses: [() => Promise<unknown>, () => Promise<unknown>, unknown, string][] = [
      [() => lab.at("x", "n").increment(2), () => lab.at("x", "n").increment(2, { parents: true }), 2, "2"],
      [
        () => lab.at("x", "n").append("aé"),
        () => lab.at("x", "n").append("aé", { parents: true }),
        2,
        '"aé"',
      ],
      [() => lab.at("x", "n").push(1, 2), () => lab.at("x", "n").parents().push(1, 2), 2, "[1,2]"],
      [() => lab.at("x", "n").unshift(1), () => lab.at("x", "n").parents().unshift(1), 1, "[1]"],
      [() => lab.at("x", "n").splice(0, 0, 1), () => lab.at("x", "n").parents().splice(0, 0, 1), [], "[1]"],
    ];
    for (const [bare, creating, returned, fragment] of uses) {
      await client.set(X, "{}");
      const error = await assertRejects(bare, PathNotFoundError);
      assertEquals([error.at, await client.get(X)], [1, "{}"]);
      await expectEdit("{}", creating, returned, `{"n":${fragment}}`);
      await client.del(X);
      await assertRejects(bare, KeyNotFoundError);
      assertEquals(await client.exists(X), 0);
      await creating();
      assertEquals(await client.get(X), `{"n":${fragment}}`);
    }
  });

  it("Ref.toggle() flips a boolean and nothing else", async () => {
    await expectEdit('{"a": true }', () => lab.at("x", "a").toggle(), false, '{"a": false }');
    await expectEdit("[false]", () => lab.at("x", 0).toggle(), true, "[true]");
    await expectEdit("true", () => lab.at("x").toggle(), false, "false");
    for (const other of ["1", '"true"', "null", "[]", "{}"]) {
      await client.set(X, `[${other}]`);
      await assertRejects(() => lab.at("x", 0).toggle(), TypeMismatchError);
      assertEquals(await client.get(X), `[${other}]`);
    }
  });

  it("Ref.append() adds text and returns the length in code units", async () => {
    await expectEdit('["a"]', () => lab.at("x", 0).append('é"\\\n👩'), 7, '["aé\\"\\\\\\n👩"]');
    await expectEdit('["\\u0041"]', () => lab.at("x", 0).append(""), 1);
    await expectEdit('""', () => lab.at("x").append("x"), 1, '"x"');
    await client.set(X, '""');
    await lab.at("x").append("\ud83d");
    assertEquals(await lab.at("x").append("\ude00"), 2);
    assertEquals(await lab.at("x").get(), "\ud83d\ude00");
  });
});

describe("Ref on arrays", () => {
  const x = () => lab.at("x");

  it("Ref.push() and unshift() add elements and return the length", async () => {
    await expectEdit("[ ]", () => x().push(1, [2]), 2, "[1,[2] ]");
    await expectEdit("[1 ]", () => x().push("é"), 2, '[1,"é" ]');
    await expectEdit("[1]", () => x().push(), 1);
    await expectEdit("[1]", () => x().unshift({}, null), 3, "[{},null,1]");
    await expectEdit("[]", () => x().unshift(1), 1, "[1]");
    await expectEdit("[]", () => x().unshift(), 0);
    await expectEdit('{"a":[1]}', () => lab.at("x", "a").push(2), 2, '{"a":[1,2]}');
  });

  it("Ref.push() takes 5,000 elements in one call", async () => {
    const items = Array.from({ length: 5000 }, (_, index) => index);
    await expectEdit("[]", () => x().push(...items), 5000, JSON.stringify(items));
  });

  it("Ref.pop() and shift() remove and return an element", async () => {
    await expectEdit("[1, [2] ]", () => x().pop(), [2], "[1 ]");
    await expectEdit("[1, [2] ]", () => x().shift(), 1, "[[2] ]");
    await expectEdit("[null]", () => x().pop(), null, "[]");
    await expectEdit("[]", () => x().pop(), undefined);
    await expectEdit("[ ]", () => x().shift(), undefined);
  });

  it("Ref.splice() does what Array.prototype.splice does", async () => {
    for (const array of [[], [1], [1, 2, 3, 4, 5]]) {
      for (const start of [-9, -2, -1, 0, 1, 3, 5, 9, Infinity, -Infinity]) {
        for (const count of [-1, 0, 1, 2, 9, Infinity]) {
          for (const items of [[], ["a"], ["a", { b: "c" }]]) {
            const expected: Json[] = [...array];
            const removed = expected.splice(start, count, ...items);
            const call = () => x().splice(start, count, ...items);
            await expectEdit(JSON.stringify(array), call, removed, JSON.stringify(expected));
          }
        }
      }
    }
    await expectEdit("[1,2,3]", () => x().splice(1), [2, 3], "[1]");
  });

  it("Ref array methods refuse what is no array and change nothing", async () => {
    for (const other of ['{"a":1}', '"text"', "1", "true", "null"]) {
      const calls = [
        () => x().push(1),
        () => x().unshift(1),
        () => x().pop(),
        () => x().shift(),
        () => x().splice(0, 1),
      ];
      for (const call of calls) {
        await client.set(X, other);
        const error = await assertRejects(call, TypeMismatchError);
        assertEquals([error.expected, error.path, await client.get(X)], [["array"], ["x"], other]);
      }
    }
  });
});

describe("Ref paths", () => {
  it("Ref takes an integer or its string form for a member, and for an element", async () => {
    await expectEdit('{"0":"a"}', () => lab.at("x", 0).get(), "a");
    await expectEdit('{"-1":"a"}', () => lab.at("x", -1).get(), "a");
    await expectEdit('["a"]', () => lab.at("x", "0").get(), "a");
    await expectEdit('["a"]', () => lab.at("x", "-1").get(), "a");
    await client.set(X, '["a"]');
    for (const name of ["00", "1.0", " 0", "0x0", "", "length", "-0", "1e0"]) {
      await assertRejects(() => lab.at("x", name).get(), TypeMismatchError, "", name);
      await assertRejects(() => lab.at("x", name).set(1), TypeMismatchError, "", name);
    }
    assertEquals(await client.get(X), '["a"]');
  });

  it("Ref.at() leads deeper, by segments and by a selector, and does no I/O", async () => {
    await lab.set("x", { a: [{ b: [1, 2] }] });
    assertEquals(lab.at("x").at("a", 0).at("b").path, ["x", "a", 0, "b"]);
    const typed = new RedisJsonDict<{ x: { a: { b: number[] }[] } }>(client, { prefix: lab.prefix });
    assertEquals(typed.at((it) => it.x.a[0].b).path, ["x", "a", 0, "b"]);
    const b = typed.at("x").at((it) => it.a[0].b);
    assertEquals([b.path, b.key, await b.push(3)], [["x", "a", 0, "b"], "x", 3]);
    assertEquals(typed.at("x", "a").at((it) => it[0].b).path, ["x", "a", 0, "b"]);
    assert(Object.isFrozen(b.path));
  });

  it("Ref.parents() goes on into the places inside", async () => {
    const typed = new RedisJsonDict<{ x: { a?: number[]; deep?: { list: number[] }[] } }>(client, {
      prefix: lab.prefix,
    });
    await client.set(X, "{}");
    await typed.at("x").parents().at("a").push(1);
    await typed.at("x", "deep").parents().at((it) => it[0].list).push(2);
    assertEquals(await client.get(X), '{"a":[1],"deep":[{"list":[2]}]}');
  });

  for (const name of NAMES) {
    it(`Ref takes the member ${JSON.stringify(name)} in every method`, async () => {
      const before = Object.getOwnPropertyNames(Object.prototype).join();
      const at = (...path: string[]) => lab.at("x", ...path as [string]);
      const text = JSON.stringify(name);
      await client.set(X, '{"other":"{[\\"}"}');
      assertEquals([await at(name).get(), await at(name).exists(), await at(name).delete()], [
        undefined,
        false,
        false,
      ]);
      await at(name).set(1);
      assertEquals(await client.get(X), `{"other":"{[\\"}",${text}:1}`);
      assertEquals([await at(name).increment(), await at(name).type(), await at(name).exists()], [
        2,
        "number",
        true,
      ]);
      assertEquals(await lab.at("x").keys(), ["other", name]);
      assertEquals(await at(name).compareAndSet(2, "s"), true);
      assertEquals([await at(name).append("t"), await at(name).length()], [2, 2]);
      assertEquals(await at(name).getOrInsert(0), "st");
      await at(name).set({});
      await at(name, name).set([true], { parents: true });
      assertEquals(await at(name, name, "0").toggle(), false);
      assertEquals(await at(name, name).push(1), 2);
      assertEquals(await at(name, name).unshift(0), 3);
      assertEquals([await at(name, name).pop(), await at(name, name).shift()], [1, 0]);
      assertEquals(await at(name, name).splice(0, 1, 5), [false]);
      assertEquals(await client.get(X), `{"other":"{[\\"}",${text}:{${text}:[5]}}`);
      assertEquals(await at(name).keys(), [name]);
      const whole = await lab.at("x").get();
      assertEquals(Object.getOwnPropertyNames(whole).sort(), ["other", name].sort());
      assertEquals(Object.getPrototypeOf(whole), Object.prototype);
      assertEquals(await at(name).delete(), true);
      assertEquals(await client.get(X), '{"other":"{[\\"}"}');
      assertEquals(Object.getOwnPropertyNames(Object.prototype).join(), before);
    });
  }

  it("Ref finds a name that the text spells with escapes", async () => {
    await expectEdit('{"\\u0061b":1}', () => lab.at("x", "ab").set(2), undefined, '{"\\u0061b":2}');
    await expectEdit('{"\\/":1,"b":2}', () => lab.at("x", "/").delete(), true, '{"b":2}');
  });

  it("Ref works inside 1,000 levels", async () => {
    const path = Array.from({ length: 999 }, () => "a") as unknown as [string];
    await lab.at("deep").set({});
    await lab.at("deep", ...path).set(1, { parents: true });
    assertEquals(await lab.at("deep", ...path).increment(), 2);
    assertEquals(await client.get(`${lab.prefix}deep`), `${'{"a":'.repeat(999)}2${"}".repeat(999)}`);
  });
});

describe("Ref in sight", () => {
  it("Ref prints its place and no more, in Deno and in Node", () => {
    const ref = lab.at("x", "a", -1);
    const text = 'Ref(["a"][-1] of "x")';
    assertEquals([Deno.inspect(ref), inspect(ref), inspect([ref])], [text, text, `[ ${text} ]`]);
    assertEquals([Deno.inspect(lab.at("x")), inspect(lab.at("x"))], ['Ref("x")', 'Ref("x")']);
  });

  it("Ref is no thenable: awaiting it gives it back and does no I/O", async () => {
    const ref = lab.at("x", "then");
    assert(await ref === ref);
  });
});
