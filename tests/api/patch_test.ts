/** JSON Patch and JSON Merge Patch through a real Redis, by the public suites and against plain JavaScript. */
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import specTests from "json-patch-test-suite/spec_tests.json" with { type: "json" };
import tests from "json-patch-test-suite/tests.json" with { type: "json" };
import {
  CorruptValueError,
  IndexOutOfRangeError,
  KeyNotFoundError,
  PatchError,
  type PatchOperation,
  PathNotFoundError,
  RedisJsonDict,
  TypeMismatchError,
  WrongTypeError,
} from "../../mod.ts";
import { decode } from "../../src/data/decoder.ts";
import type { Json } from "../../src/data/json.ts";
import { fuzz } from "../support/fuzz.ts";
import { json, NAMES } from "../support/programs.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";
import { assertSame } from "../support/same.ts";

const client = testClient();
const prefix = uniquePrefix("patch");
const dict = new RedisJsonDict<Record<string, Json>>(client, { prefix });

const write = (key: string, value: Json): Promise<unknown> =>
  client.set(prefix + key, JSON.stringify(value, null, 1));
const text = (key: string): Promise<string | null> => client.get(prefix + key);

interface SuiteCase {
  readonly comment?: string;
  readonly doc: Json;
  readonly patch: readonly PatchOperation[];
  readonly expected?: Json;
  readonly error?: string;
  readonly disabled?: boolean;
}

describe("JSON Patch, the public suite", () => {
  const suites = { "spec_tests.json": specTests, "tests.json": tests } as unknown as Record<
    string,
    SuiteCase[]
  >;
  for (const [file, cases] of Object.entries(suites)) {
    it(`patch() passes every enabled case of ${file}`, async () => {
      let run = 0;
      for (const [index, suite] of cases.entries()) {
        if (suite.disabled || !Object.hasOwn(suite, "patch")) continue;
        run++;
        const name = `${file}[${index}] ${suite.comment ?? suite.error ?? JSON.stringify(suite.patch)}`;
        await write("suite", suite.doc);
        const before = await text("suite");
        if (suite.error !== undefined) {
          const error = await assertRejects(() => dict.patch("suite", suite.patch), Error, undefined, name);
          assert(error instanceof PatchError || error instanceof TypeError, `${name}: ${error}`);
          assertStrictEquals(await text("suite"), before, name);
          continue;
        }
        await dict.patch("suite", suite.patch);
        const after = decode((await text("suite"))!);
        assertEquals(after, Object.hasOwn(suite, "expected") ? suite.expected : suite.doc, name);
      }
      assert(run >= 15, `only ${run} cases`);
    });
  }
});

/** RFC 7396, appendix A: original, patch, result. */
const APPENDIX: readonly (readonly [Json, Json, Json])[] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [["a", "b"], ["c", "d"], ["c", "d"]],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

/** RFC 7396, section 2. */
function mergeJs(target: Json | undefined, patch: Json): Json {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const result = new Map<string, Json>(isObject ? Object.entries(target) : []);
  for (const [name, part] of Object.entries(patch)) {
    if (part === null) result.delete(name);
    else result.set(name, mergeJs(result.get(name), part));
  }
  return Object.fromEntries(result);
}

describe("JSON Merge Patch", () => {
  it("merge() passes every case of RFC 7396, appendix A, at a key and at a ref", async () => {
    assertStrictEquals(APPENDIX.length, 15);
    for (const [original, patch, result] of APPENDIX) {
      const name = JSON.stringify([original, patch]);
      await write("whole", original);
      await dict.merge("whole", patch);
      assertEquals(decode((await text("whole"))!), result, name);
      await write("part", [0, { x: original }]);
      await (dict.at("part", 1, "x") as unknown as { merge(patch: Json): Promise<void> }).merge(patch);
      assertEquals(decode((await text("part"))!), [0, { x: result }], name);
    }
  });

  it("merge() does to Redis what it does to plain data", async () => {
    await fc.assert(
      fc.asyncProperty(json, json, async (value, patch) => {
        await write("merge", value);
        await dict.merge("merge", patch);
        assertSame(decode((await text("merge"))!), mergeJs(value, patch));
      }),
      fuzz(),
    );
  });

  it("merge() touches no other byte, keeps the expiry and creates what is missing", async () => {
    await client.set(`${prefix}m`, '{"a": {"n": 1.0, "m": 2},  "z": [ ]}', "PX", 90_000);
    await dict.merge("m", { a: { m: null, k: "x" }, new: { deep: { gone: null } } });
    assertStrictEquals(await text("m"), '{"a": {"n": 1.0,"k":"x"},  "z": [ ],"new":{"deep":{}}}');
    assert((await dict.ttl("m"))! <= 90_000);
    await dict.merge("created", { a: 1, b: null });
    assertStrictEquals(await text("created"), '{"a":1}');
    await assertRejects(() => dict.at("m", "no", "way").merge({ a: 1 }), PathNotFoundError);
    await dict.at("m", "no", "way").parents().merge({ a: 1 });
    assertEquals(await dict.at("m", "no").get(), { way: { a: 1 } });
  });

  it("merge() refuses what is no JSON and leaves everything alone", async () => {
    await client.set(`${prefix}bad`, '{"a":');
    await assertRejects(() => dict.merge("bad", { a: { b: 1 } }), CorruptValueError);
    assertStrictEquals(await text("bad"), '{"a":');
    await client.rpush(`${prefix}list`, "x");
    await assertRejects(() => dict.merge("list", { a: 1 }), WrongTypeError);
    await assertRejects(() => dict.merge("bad", { a: NaN }), TypeError, '["a"] of "bad"');
  });
});

describe("JSON Patch", () => {
  it("patch() changes what it names and no other byte, and keeps the expiry", async () => {
    await client.set(`${prefix}p`, '{"a": [1.0, {"b": 2}],  "c": "x"}', "PX", 90_000);
    await dict.patch("p", [
      { op: "add", path: "/a/1", value: "new" },
      { op: "move", from: "/a/2/b", path: "/b" },
      { op: "copy", from: "/a/0", path: "/a/-" },
      { op: "replace", path: "/c", value: null },
      { op: "test", path: "/a/0", value: 1 },
    ]);
    assertStrictEquals(await text("p"), '{"a": [1.0, "new",{},1.0],  "c": null,"b":2}');
    assert((await dict.ttl("p"))! <= 90_000);
    await dict.at("p", "a").patch([{ op: "remove", path: "/0" }, { op: "add", path: "/-", value: 5 }]);
    assertStrictEquals(await text("p"), '{"a": ["new",{},1.0,5],  "c": null,"b":2}');
    await dict.patch("p", [{ op: "remove", path: "" }]);
    assertStrictEquals(await text("p"), null);
    await dict.patch("p", [{ op: "add", path: "", value: { a: 1 } }, { op: "move", from: "/a", path: "" }]);
    assertStrictEquals(await text("p"), "1");
    await dict.patch("p", []);
  });

  it("patch() is all or nothing, and names the operation that failed", async () => {
    const before = '{"a":[1,{"b":2}],"c":"x","-1":0}';
    const refused = async (operation: PatchOperation, cause: unknown, message: string): Promise<void> => {
      await client.set(`${prefix}q`, before);
      const error = await assertRejects(
        () => dict.patch("q", [{ op: "add", path: "/new", value: 1 }, operation]),
        PatchError,
      );
      assertEquals([error.code, error.key, error.index, error.patchOperation, error.pointer], [
        "PATCH",
        "q",
        1,
        operation.op,
        operation.path,
      ]);
      assertStrictEquals(
        error.message,
        `Cannot patch at "q": operation 1, ${operation.op} "${operation.path}": ${message}`,
      );
      assertStrictEquals(error.cause?.constructor, cause);
      assertStrictEquals(await text("q"), before);
    };
    await refused({ op: "test", path: "/c", value: "y" }, undefined, "the value there is another one");
    await refused(
      { op: "remove", path: "/d" },
      PathNotFoundError,
      'Cannot remove at ["d"] of "q": there is no ["d"] in "q"',
    );
    await refused(
      { op: "replace", path: "/a/5", value: 1 },
      PathNotFoundError,
      'Cannot replace at ["a"]["5"] of "q": there is no ["5"] in ["a"] of "q"; create it with set first',
    );
    await refused(
      { op: "add", path: "/a/7", value: 1 },
      IndexOutOfRangeError,
      'Cannot add at ["a"]["7"] of "q": index 7 is outside an array of length 2; arrays have no holes, push adds an element at 2',
    );
    await refused(
      { op: "add", path: "/c/x", value: 1 },
      TypeMismatchError,
      'Cannot add at ["c"]["x"] of "q": ["c"] of "q" is a string, expected an object or an array',
    );
    await refused(
      { op: "remove", path: "/a/-1" },
      PathNotFoundError,
      'Cannot remove at ["a"]["-1"] of "q": there is no ["-1"] in ["a"] of "q"',
    );
    await dict.patch("q", [{ op: "remove", path: "/-1" }]);
    assertStrictEquals(await text("q"), '{"a":[1,{"b":2}],"c":"x"}');
    const missing = await assertRejects(
      () => dict.patch("nothing", [{ op: "remove", path: "" }]),
      PatchError,
    );
    assert(missing.cause instanceof KeyNotFoundError);
  });

  it("patch() refuses what is no JSON Patch before anything is sent", async () => {
    await client.set(`${prefix}r`, '{"a":1}');
    const refused = async (patch: unknown, message: string): Promise<void> => {
      const error = await assertRejects(() => dict.patch("r", patch as PatchOperation[]), TypeError);
      assertStrictEquals(error.message.includes(message), true, error.message);
    };
    await refused({ op: "add" }, "is no array of operations");
    await refused([5], "operation 0 is no object");
    await refused(
      [{ op: "remove", path: "/a" }, { op: "remove" }],
      "operation 1 has no path, a JSON Pointer",
    );
    await refused([{ op: "remove", path: "a" }], "a JSON Pointer is empty or starts with /");
    await refused([{ op: "remove", path: "/~2" }], "~ is written ~0");
    await refused([{ op: "add", path: "/b" }], "operation 0 has no value");
    await refused([{ op: "add", path: "/b", value: undefined }], "undefined is not JSON");
    await refused([{ op: "test", path: "/b", value: NaN }], 'Cannot write ["b"] of "r": NaN is not JSON');
    await refused([{ op: "copy", path: "/b" }], "operation 0 has no from");
    await refused([{ op: "move", from: "/a", path: "/a/b" }], "moves a value into itself");
    await refused([{ op: "rename", path: "/a" }], 'has the op "rename"');
    assertStrictEquals(await text("r"), '{"a":1}');
  });

  it("patch() reports what is wrong with the key", async () => {
    await client.set(`${prefix}s`, '{"a":');
    await assertRejects(() => dict.patch("s", [{ op: "remove", path: "/a" }]), CorruptValueError);
    await client.del(`${prefix}s`);
    await client.rpush(`${prefix}s`, "x");
    await assertRejects(() => dict.patch("s", [{ op: "remove", path: "/a" }]), WrongTypeError);
    await assertRejects(() => dict.patch("s", [{ op: "add", path: "", value: 1 }]), WrongTypeError);
  });

  it("names that mean something to JavaScript or to pointers are ordinary names", async () => {
    for (const name of [...NAMES, "a/b", "m~n", "~1", "-"]) {
      const pointer = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      await client.set(`${prefix}t`, "{}");
      await dict.patch("t", [{ op: "add", path: pointer, value: [] }, {
        op: "add",
        path: `${pointer}/-`,
        value: 1,
      }]);
      assertStrictEquals(await text("t"), `{${JSON.stringify(name)}:[1]}`);
      await dict.patch("t", [{ op: "test", path: pointer, value: [1] }, { op: "remove", path: pointer }]);
      assertStrictEquals(await text("t"), "{}");
    }
  });
});
