import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decode } from "../../src/data/decoder.ts";
import { encode, encodeName } from "../../src/data/encoder.ts";
import { formatPath, formatPlace } from "../../src/data/path.ts";
import { type Json, MAX_DEPTH } from "../../src/data/json.ts";
import { fuzz } from "../support/fuzz.ts";
import { assertSame } from "../support/same.ts";

const BIGINTS = { bigints: true };
const HOSTILE_NAMES = [
  ...["__proto__", "constructor", "prototype", "then", "toString", "length", "", "0", "-0", "01", "a.b", "*"],
  ...["é", "\0", ":", "{tag}", '"', "\\", "\ud800", "\u2028", "x".repeat(1000)],
];

/** A member whatever its name: an assignment would lose `__proto__`. */
function objectOf(...entries: [string, unknown][]): Record<string, unknown> {
  return Object.fromEntries(entries);
}

function nest(depth: number, leaf: unknown = 1): unknown {
  let value = leaf;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

function refused(value: unknown, message: string, where?: (string | number)[], options = {}): void {
  assertEquals(assertThrows(() => encode(value, options, where), TypeError).message, message);
}

describe("encode()", () => {
  it("encode() writes scalars, arrays and objects as JSON.stringify does", () => {
    for (
      const value of [
        ...[null, true, false, 0, -0, 1, -1, 1.5, 1e21, 1e-7, 5e-324, Number.MAX_VALUE, 2 ** 53, 0.1 + 0.2],
        ...["", "a", '"\\/\b\f\n\r\t\0', "é€😀", "\u2028", "\ud800", "\udc00\ud800"],
        ...[[], {}, [[]], [{}], { a: [] }, { a: undefined }, { a: undefined, b: 1, c: undefined }, [null]],
        { b: 1, a: 2, 1: 3, 0: 4 },
      ]
    ) {
      assertStrictEquals(encode(value), JSON.stringify(value));
      assertStrictEquals(encode([value, new Date(0)]), JSON.stringify([value, new Date(0)]));
    }
  });

  it("encode() keeps lone surrogates in values as escapes, so that the text is well formed", () => {
    assertStrictEquals(encode("a\ud800"), '"a\\ud800"');
    assertStrictEquals(encode(objectOf(["\udfff", 1])), '{"\\udfff":1}');
  });

  it("encode() equals JSON.stringify on any JSON data, on the fast way and on the careful one", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assertStrictEquals(encode(value), JSON.stringify(value));
        assertStrictEquals(encode({ value, at: new Date(0) }), JSON.stringify({ value, at: new Date(0) }));
      }),
      fuzz(),
    );
  });

  it("encode() equals JSON.stringify on odd objects that it does not refuse", () => {
    const odd = fc.anything({
      withBoxedValues: true,
      withDate: true,
      withNullPrototype: true,
      withObjectString: true,
      withSparseArray: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withBigInt: true,
      withUnicodeString: true,
    });
    let written = 0;
    fc.assert(
      fc.property(odd, (value) => {
        let text: string;
        try {
          text = encode(value);
        } catch (error) {
          assert(error instanceof TypeError && error.message.startsWith("Cannot write "), String(error));
          return;
        }
        written++;
        assertStrictEquals(text, JSON.stringify(value));
      }),
      fuzz(0.2),
    );
    assert(written > 0);
  });

  it("encode() refuses exactly the numbers that JSON has not", () => {
    refused(NaN, 'Cannot write "k": NaN is not JSON; use null or a string', ["k"]);
    refused([Infinity], 'Cannot write [0] of "k": Infinity is not JSON; use null or a string', ["k"]);
    refused({ a: -Infinity }, 'Cannot write ["a"]: -Infinity is not JSON; use null or a string');
    refused(new Number(NaN), "Cannot write the value: NaN is not JSON; use null or a string");
  });

  it("encode() names the refused part, below the path of the value", () => {
    const value = { tags: ["a", "b", NaN] };
    const advice = "NaN is not JSON; use null or a string";
    refused(value, `Cannot write ["tags"][2]: ${advice}`);
    refused(value, `Cannot write ["tags"][2] of "sample": ${advice}`, ["sample"]);
    refused(value, `Cannot write ["x"][-1]["tags"][2] of "sample": ${advice}`, ["sample", "x", -1]);
    refused(value, `Cannot write ["tags"][2] of "": ${advice}`, [""]);
    refused(NaN, `Cannot write ["x"] of "sample": ${advice}`, ["sample", "x"]);
  });

  it("encode() names a place with any name in it", () => {
    for (const name of HOSTILE_NAMES.slice(0, -1)) {
      refused(
        objectOf([name, { a: NaN }]),
        `Cannot write [${JSON.stringify(name)}]["a"] of "k": NaN is not JSON; use null or a string`,
        ["k"],
      );
    }
  });

  it("encode() refuses undefined alone and in an array, and leaves it out of an object", () => {
    refused(
      undefined,
      'Cannot write "k": undefined is not JSON; use null for an empty value, or delete to remove one',
      ["k"],
    );
    const state = "an array cannot hold undefined or a hole; use null, or leave the element out";
    refused([1, undefined], `Cannot write [1]: ${state}`);
    // deno-lint-ignore no-sparse-arrays -- a hole is what is tested
    refused({ a: [1, , 3] }, `Cannot write ["a"][1]: ${state}`);
    refused(new Array(3), `Cannot write [0]: ${state}`);
    refused([{ toJSON: () => undefined }], `Cannot write [0]: ${state}`);
    assertStrictEquals(encode({ a: undefined, b: { c: undefined } }), '{"b":{}}');
    assertStrictEquals(encode({ a: { toJSON: () => undefined }, b: 1 }), '{"b":1}');
  });

  it("encode() refuses functions and symbols, also as members, where JSON.stringify would drop them", () => {
    const advice = "a function is not JSON; leave it out, or call it and use its result";
    refused(() => 1, `Cannot write the value: ${advice}`);
    refused({ f() {} }, `Cannot write ["f"]: ${advice}`);
    refused([class {}], `Cannot write [0]: ${advice}`);
    refused({ toJSON: () => () => 1 }, `Cannot write the value: ${advice}`);
    refused(Symbol("s"), "Cannot write the value: a symbol is not JSON; use a string");
    refused({ a: Symbol.iterator }, 'Cannot write ["a"]: a symbol is not JSON; use a string');
  });

  it("encode() refuses a bigint without the option and names the option", () => {
    refused(
      { id: 10n },
      'Cannot write ["id"] of "k": the bigint 10 is not JSON here; ' +
        "pass { bigints: true } to the dictionary, or use a number or a string",
      ["k"],
    );
    const long = assertThrows(() => encode(10n ** 5000n), TypeError);
    assert(long.message.length < 200);
  });

  it("encode() refuses objects whose content JSON.stringify would lose", () => {
    const objects: [object, string][] = [
      [new Map([["a", 1]]), "a Map is not JSON; use Object.fromEntries(map), or an array of its entries"],
      [new Set([1]), "a Set is not JSON; use an array: [...set]"],
      [new WeakMap(), "a WeakMap is not JSON; use a plain object, or give it toJSON()"],
      [new WeakSet(), "a WeakSet is not JSON; use a plain object, or give it toJSON()"],
      [Promise.resolve(1), "a Promise is not JSON; await it first"],
      [/a/, "a RegExp is not JSON; use its source, a string"],
      [new RangeError("x"), "an Error is not JSON; use its message, a string"],
      [new ArrayBuffer(1), "an ArrayBuffer is not JSON; use an array of numbers, or base64 text"],
      [new Uint8Array(2), "a Uint8Array is not JSON; use a plain object, or give it toJSON()"],
      [new DataView(new ArrayBuffer(1)), "a DataView is not JSON; use a plain object, or give it toJSON()"],
      [new URLSearchParams("a=1"), "a URLSearchParams is not JSON; use a plain object, or give it toJSON()"],
      [[1].values(), "an Array Iterator is not JSON; use a plain object, or give it toJSON()"],
      [Object(Symbol("s")), "a Symbol is not JSON; use a plain object, or give it toJSON()"],
      [
        new (class extends Map {})(),
        "a Map is not JSON; use Object.fromEntries(map), or an array of its entries",
      ],
    ];
    for (const [object, state] of objects) {
      refused(object, `Cannot write the value: ${state}`);
      refused({ a: [object] }, `Cannot write ["a"][0]: ${state}`);
      refused({ toJSON: () => object }, `Cannot write the value: ${state}`);
    }
  });

  it("encode() refuses an invalid Date, which JSON.stringify would make null", () => {
    refused({ at: [new Date(NaN)] }, 'Cannot write ["at"][0]: an invalid Date is not JSON; use null');
    assertStrictEquals(encode([{ toJSON: () => null }]), "[null]");
  });

  it("encode() finds no advice on a prototype", () => {
    for (const tag of ["__proto__", "constructor", "toString"]) {
      const object = new (class {
        get [Symbol.toStringTag](): string {
          return tag;
        }
      })();
      const error = assertThrows(() => encode(object), TypeError);
      assert(error.message.endsWith("; use a plain object, or give it toJSON()"), error.message);
    }
  });

  it("encode() refuses a cycle and writes what is only shared", () => {
    const advice = "it contains itself, and JSON has no cycles; write a copy without the cycle";
    const object: Record<string, unknown> = { big: "x".repeat(1e5) };
    object.self = object;
    refused(object, `Cannot write ["self"] of "k": ${advice}`, ["k"]);
    const array: unknown[] = [];
    array.push([array]);
    refused(array, `Cannot write [0][0]: ${advice}`);
    const turning = { toJSON: () => ({ back: turning }), a: 1 };
    const half = '["back"]'.repeat(12);
    refused(turning, `Cannot write ${half}...${half}: it is nested more than 1000 deep; use a flatter value`);
    const shared = { a: 1 };
    for (const value of [[shared, shared, { shared }], [new Date(0), shared, shared, { shared }]]) {
      assertStrictEquals(encode(value), JSON.stringify(value));
    }
  });

  it("encode() refuses a value that toJSON makes a cycle of", () => {
    const node: Record<string, unknown> = { name: "n" };
    const wrapper = { toJSON: () => node };
    node.wrapper = wrapper;
    refused(
      wrapper,
      'Cannot write ["wrapper"]: it contains itself, and JSON has no cycles; write a copy without the cycle',
    );
  });

  it("encode() writes up to the depth limit and refuses one level more without a stack overflow", () => {
    for (const depth of [1, 63, 64, 65, 66, MAX_DEPTH - 1, MAX_DEPTH]) {
      assertStrictEquals(encode(nest(depth)), JSON.stringify(nest(depth)));
    }
    for (const depth of [MAX_DEPTH + 1, 10_000, 100_000]) {
      const error = assertThrows(() => encode(nest(depth)), TypeError);
      assert(error.message.includes("nested more than 1000 deep; use a flatter value"), error.message);
      assert(error.message.length < 500);
    }
  });

  it("encode() counts the levels above the place of the value", () => {
    const where = ["k", ...Array.from({ length: 400 }, () => "a")];
    assertStrictEquals(encode(nest(600), {}, where), JSON.stringify(nest(600)));
    assertThrows(() => encode(nest(601), {}, where), TypeError, "nested more than 1000 deep");
  });

  it("encode() writes wide values", () => {
    const wide = Array.from({ length: 1e5 }, (_, index) => index);
    assertStrictEquals(encode(wide), JSON.stringify(wide));
    assertStrictEquals(encode([...wide, 1n], BIGINTS), `${JSON.stringify(wide).slice(0, -1)},1]`);
    const object = Object.fromEntries(wide.map((index) => [`n${index}`, index]));
    assertStrictEquals(encode(object), JSON.stringify(object));
  });

  it("encode() asks toJSON once, with the name of the member, and not again what it returned", () => {
    const names: string[] = [];
    const spy = {
      toJSON(name: string): unknown {
        names.push(name);
        return { name, toJSON: "no function" };
      },
    };
    assertStrictEquals(
      encode({ a: spy, b: [spy] }),
      '{"a":{"name":"a","toJSON":"no function"},"b":[{"name":"0","toJSON":"no function"}]}',
    );
    encode(spy);
    assertEquals(names, ["a", "0", ""]);
  });

  it("encode() honours toJSON wherever JSON.stringify does", () => {
    const list = Object.assign([1], { toJSON: () => "list" });
    const call = Object.assign(() => 1, { toJSON: () => "call" });
    const value = [
      new Date(0),
      new URL("http://localhost/"),
      list,
      call,
      new (class {
        toJSON(): unknown {
          return { deep: new Date(1) };
        }
      })(),
    ];
    assertStrictEquals(encode(value), JSON.stringify(value));
    class Itself {
      a: number = 1;
      toJSON(): unknown {
        return this;
      }
    }
    assertStrictEquals(encode([new Itself()]), '[{"a":1}]');
    refused(
      Object.assign([1], { toJSON: () => NaN }),
      "Cannot write the value: NaN is not JSON; use null or a string",
    );
    const inherited = Object.create({ toJSON: () => 1 });
    assertStrictEquals(encode(inherited), "1");
  });

  it("encode() writes what it has checked, whatever a getter or a proxy answers the next time", () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    for (
      const bad of [NaN, undefined, new Map([[1, 2]]), new Date(NaN), () => 1, Symbol(), 1n, cycle, [
        undefined,
      ]]
    ) {
      for (const beside of [1, new Date(0)]) {
        for (let good = 0; good < 4; good++) {
          const answers = (): () => unknown => {
            let asked = 0;
            return () => asked++ < good ? asked : bad;
          };
          const [get, index, shown] = [answers(), answers(), answers()];
          const list: unknown[] = [0];
          Object.defineProperty(list, 0, { get: index, enumerable: true });
          const proxy = new Proxy({ p: 0 }, { get: (_, name) => name === "p" ? shown() : undefined });
          const value = {
            beside,
            get a() {
              return get();
            },
            list,
            proxy,
          };
          let text: string;
          try {
            text = encode(value);
          } catch (error) {
            assert(error instanceof TypeError, String(error));
            continue;
          }
          const { a, list: [first], proxy: { p } } = JSON.parse(text);
          for (const part of [a, first, p]) {
            assert(Number.isInteger(part) || (part === undefined && bad === undefined), text);
          }
        }
      }
    }
  });

  it("encode() writes JSON.rawJSON as it is, beside anything", () => {
    const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
    const raw = { n: rawJSON("1e1000"), s: rawJSON('"\\u0061"'), list: [rawJSON("-0"), rawJSON("null")] };
    const text = '{"n":1e1000,"s":"\\u0061","list":[-0,null]}';
    assertStrictEquals(encode(raw), text);
    assertStrictEquals(encode({ raw, at: new Date(0) }), `{"raw":${text},"at":"1970-01-01T00:00:00.000Z"}`);
    assertStrictEquals(encode({ toJSON: () => rawJSON("12345678901234567890") }), "12345678901234567890");
    assertStrictEquals(encode(rawJSON('"\ud800 😀"')), '"\\ud800 😀"'); // UTF-8 could not carry it
    assertStrictEquals(encode({ rawJSON: "1" }), '{"rawJSON":"1"}'); // only looks like one
  });

  it("encode() lets errors of getters and of toJSON through", () => {
    const error = new Error("mine");
    const fail = (): never => {
      throw error;
    };
    assertStrictEquals(
      assertThrows(() =>
        encode({
          get a(): number {
            return fail();
          },
        })
      ),
      error,
    );
    assertStrictEquals(assertThrows(() => encode([{ toJSON: fail }])), error);
    assertStrictEquals(assertThrows(() => encode(new Proxy({}, { ownKeys: fail }))), error);
  });

  it("encode() writes getters, frozen objects, class instances and objects without a prototype", () => {
    class Point {
      x: number = 1;
      #hidden: number = 2;
      get sum(): number {
        return this.x + this.#hidden;
      }
    }
    assertStrictEquals(encode(new Point()), '{"x":1}');
    assertStrictEquals(
      encode({
        get a(): number {
          return 1;
        },
      }),
      '{"a":1}',
    );
    assertStrictEquals(encode(Object.freeze([Object.freeze({ a: 1 })])), '[{"a":1}]');
    assertStrictEquals(encode(Object.assign(Object.create(null), { a: 1 })), '{"a":1}');
    assertStrictEquals(encode(Object.create({ inherited: 1 })), "{}");
    assertStrictEquals(encode(Object.defineProperty({}, "hidden", { value: 1 })), "{}");
  });

  it("encode() unboxes boxed scalars", () => {
    const boxed = [Object(1), Object("a"), Object(false)];
    assertStrictEquals(encode(boxed), '[1,"a",false]');
    assertStrictEquals(encode([Object(12345678901234567890n)], BIGINTS), "[12345678901234567890]");
    class Liar {
      get [Symbol.toStringTag](): string {
        return "Number";
      }
    }
    refused(
      new Liar(),
      "Cannot write the value: a Number is not JSON; use a plain object, or give it toJSON()",
    );
  });

  it("encode() leaves out members named by symbols and extra members of an array", () => {
    assertStrictEquals(encode({ [Symbol("s")]: NaN, a: 1 }), '{"a":1}');
    assertStrictEquals(encode(Object.assign([1], { extra: NaN })), "[1]");
    assertStrictEquals(encode({ [Symbol.toStringTag]: "Map", a: 1 }), '{"a":1}');
    assertStrictEquals(encode({ [Symbol.toStringTag]: "Map", a: Object(1) }), '{"a":1}');
  });

  it("encode() writes proxies as what they show", () => {
    assertStrictEquals(encode(new Proxy({ a: [1] }, {})), '{"a":[1]}');
    assertStrictEquals(encode(new Proxy([1, { b: 2 }], {})), '[1,{"b":2}]');
    refused(new Proxy({ a: NaN }, {}), 'Cannot write ["a"]: NaN is not JSON; use null or a string');
  });

  it("encode() keeps a member named __proto__ and any other name, and touches no prototype", () => {
    for (const name of HOSTILE_NAMES) {
      for (const value of [objectOf([name, { a: 1 }]), objectOf([name, { a: 1 }], ["z", new Date(0)])]) {
        const text = encode(value);
        assertStrictEquals(text, JSON.stringify(value));
        assert(Object.hasOwn(decode(text) as object, name), name);
      }
    }
    assertEquals(Object.keys(Object.prototype), []);
    assertStrictEquals(Object.getPrototypeOf(objectOf(["__proto__", {}])), Object.prototype);
  });

  it("encode() changes nothing in the value", () => {
    const value = { a: [new Date(0), { b: undefined }], c: new Number(1) };
    const before = structuredClone(value);
    encode(value);
    assertEquals(value, before);
  });

  it("encode() writes bigints with the option, digit for digit", () => {
    assertStrictEquals(
      encode({ a: 12345678901234567890n, b: [-(2n ** 200n)], c: 0n }, BIGINTS),
      `{"a":12345678901234567890,"b":[-${2n ** 200n}],"c":0}`,
    );
    assertStrictEquals(encode(9007199254740993n, BIGINTS), "9007199254740993");
  });
});

/**
 * What decode() makes of data that encode() wrote: -0 becomes 0, with the option long integers become bigints.
 *
 * JSON.parse is no judge here, since some engines read names with escapes wrong.
 */
function readBack(value: unknown, bigints = false): unknown {
  if (typeof value === "number") {
    if (value === 0) return 0;
    const isLong = Number.isInteger(value) && !Number.isSafeInteger(value) && !String(value).includes("e");
    return bigints && isLong ? BigInt(String(value)) : value;
  }
  if (Array.isArray(value)) return value.map((element) => readBack(element, bigints));
  if (typeof value !== "object" || value === null) return value;
  return objectOf(
    ...Object.entries(value).map(([name, member]): [string, unknown] => [name, readBack(member, bigints)]),
  );
}

describe("decode()", () => {
  it("decode() returns what encode() wrote, apart from long integers with the option", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
        for (const text of [encode(value), JSON.stringify(value, null, space)]) {
          assertSame(decode(text), readBack(value));
          assertSame(decode(text, BIGINTS), readBack(value, true));
        }
      }),
      fuzz(),
    );
  });

  it("decode() returns objects with any names in any order", () => {
    const name = fc.oneof(
      fc.string({ unit: "binary", maxLength: 3 }),
      fc.constantFrom(...HOSTILE_NAMES, "a\\", "a\n"),
    );
    fc.assert(
      fc.property(fc.array(fc.array(fc.tuple(name, fc.nat(2)), { maxLength: 5 })), (lists) => {
        const value = lists.map((entries) => objectOf(...entries));
        const back = decode(encode(value)) as Record<string, Json>[];
        assertSame(back, value);
        assertEquals(back.map(Object.keys), value.map(Object.keys));
      }),
      fuzz(),
    );
  });

  it("decode() throws SyntaxError for what is not JSON, with the option too", () => {
    const long = "1".repeat(20);
    for (
      const text of [
        ...[
          "",
          " ",
          "{",
          "[1,]",
          "{'a':1}",
          "NaN",
          "01",
          "+1",
          "1.",
          ".5",
          '"\n"',
          '"\\x"',
          "\ufeff1",
          "1 2",
        ],
        ...[
          `0${long}`,
          `-0${long}`,
          `+${long}`,
          `{${long}:1}`,
          `${long}x`,
          `${long}.`,
          `${long}e`,
          `--${long}`,
        ],
        ...[`"${long}`, `[${long}`, `[${long},]`, `${long} ${long}`, `"a"${long}`],
      ]
    ) {
      assertThrows(() => decode(text), SyntaxError);
      assertThrows(() => decode(text, BIGINTS), SyntaxError);
    }
  });

  it("decode() makes __proto__ an own member, with and without long integers", () => {
    const text = '{"__proto__":{"polluted":12345678901234567890},"constructor":12345678901234567890}';
    for (const options of [{}, BIGINTS]) {
      const value = decode(text, options) as Record<string, Json>;
      assert(Object.hasOwn(value, "__proto__"));
      assertStrictEquals(Object.getPrototypeOf(value), Object.prototype);
      assertStrictEquals(({} as Record<string, unknown>).polluted, undefined);
    }
    const own = decode('{"__proto__":12345678901234567890}', BIGINTS) as Record<string, Json>;
    assertStrictEquals(Object.getOwnPropertyDescriptor(own, "__proto__")?.value, 12345678901234567890n);
    assertStrictEquals(Object.getPrototypeOf(own), Object.prototype);
  });

  it("decode() reads an integer as a bigint exactly where a number would not be safe", () => {
    const cases: [string, unknown][] = [
      ["9007199254740991", 9007199254740991],
      ["-9007199254740991", -9007199254740991],
      ["9007199254740992", 9007199254740992n],
      ["-9007199254740992", -9007199254740992n],
      ["9007199254740993", 9007199254740993n],
      ["1784192940134586", 1784192940134586],
      ["9999999999999999", 9999999999999999n],
      ["1".repeat(400), BigInt("1".repeat(400))],
      ["9007199254740993.0", 9007199254740992],
      ["9007199254740993e0", 9007199254740992],
      ["9007199254740993E+1", 90071992547409930],
      ["0.12345678901234567890", 0.12345678901234567890],
      ["-1.9007199254740993", -1.9007199254740993],
      ["1e0000000000000000001", 10],
      ["1e-0000000000000000001", 0.1],
      ["1E+0000000000000000001", 10],
      ["1e9007199254740993", Infinity],
      ["1E+9007199254740993", Infinity],
      ["1e-9007199254740993", 0],
      ["1e400", Infinity],
      ["123456789012345", 123456789012345],
    ];
    for (const [text, value] of cases) {
      assertStrictEquals(decode(text, BIGINTS), value);
      assertEquals(decode(` [ ${text},${text} , {"a":${text}}]`, BIGINTS) as unknown, [value, value, {
        a: value,
      }]);
      assertStrictEquals(decode(text), JSON.parse(text));
    }
  });

  it("decode() leaves digits in strings and names alone", () => {
    const long = "12345678901234567890";
    for (
      const text of [
        `"${long}"`,
        `{"${long}":"${long}"}`,
        `"\\"${long}"`,
        `"\\\\\\"${long}"`,
        `["\\\\","${long}","\\\\\\\\"]`,
        `{"a\\"":"-${long}","${long}\\\\":[]}`,
        `"\\u0022${long}"`,
        `["",":${long},"]`,
      ]
    ) {
      assertEquals(decode(text, BIGINTS), JSON.parse(text));
      assertEquals(decode(`[${text},${long},${text}]`, BIGINTS) as unknown, [
        JSON.parse(text),
        BigInt(long),
        JSON.parse(text),
      ]);
    }
  });

  it("decode() reads names with escapes right, whatever names were read before", () => {
    // Each pair makes JSON.parse of some engines give a name of the first to the second.
    const cases: [string, string, unknown][] = [
      [String.raw`{"h":[],"\\":0}`, String.raw`{"h":1,"\"":2}`, { h: 1, '"': 2 }],
      [String.raw`{"h":[],"\\":0}`, String.raw`{"h":1,"\n":2}`, { h: 1, "\n": 2 }],
      [String.raw`{"h":[],"\\":0}`, String.raw`{"h":1,"\ud800" : 2}`, { h: 1, "\ud800": 2 }],
      [String.raw`{"h":[],"\\":0}`, '[0,{"h":1,"\\u0061"\n\t\r :2}]', [0, { h: 1, a: 2 }]],
      [String.raw`{"g":[],"a\\":0}`, String.raw`{"g":1,"a\n":1}`, { g: 1, "a\n": 1 }],
      [
        String.raw`{"f":[],"\\\\":0}`,
        String.raw`{"v":"\\","w":"\"","x":{"f":1,"\\n":1}}`,
        { v: "\\", w: '"', x: { f: 1, "\\n": 1 } },
      ],
    ];
    for (const [before, text, value] of cases) {
      decode(before);
      assertSame(decode(text), value);
      assertSame(decode(text, BIGINTS), value);
    }
  });

  it("decode() keeps white space, escapes and order whichever way it takes", () => {
    const text =
      ' { "b\\n" : [ 1 , -2.5e3 ,\ttrue,\r\nfalse , null ] , "a" : { } , "7" : "\\u00e9\\/" , "": [ ] } ';
    const value = decode(text) as Record<string, Json>;
    assertEquals(value, { "b\n": [1, -2500, true, false, null], a: {}, 7: "é/", "": [] });
    assertEquals(Object.keys(value), ["7", "b\n", "a", ""]);
    assertEquals(decode(' "\\"" '), '"');
    assert(Object.is(Object.values(decode(`{"\\n":-0}`) as object)[0], -0));
  });

  it("decode() keeps the last of members with one name", () => {
    const long = "12345678901234567890";
    assertEquals(decode(`{"a":${long},"a":1}`, BIGINTS), { a: 1 });
    assertEquals(decode(`{"a":1,"a":${long}}`, BIGINTS) as unknown, { a: BigInt(long) });
    assertEquals(decode(`{"a":1,"\\u0061":${long}}`, BIGINTS) as unknown, { a: BigInt(long) });
  });

  it("decode() returns any data with bigints as encode() wrote it", () => {
    const name = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...HOSTILE_NAMES, "12345678901234567890"),
    );
    const text = fc.oneof(name, fc.stringMatching(/^[\0"\\,:0-9-]{0,40}$/));
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom(null, true, false),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number === 0 ? 0 : number),
        fc.bigInt().filter((integer) => !Number.isSafeInteger(Number(integer))),
        text,
        fc.array(tie("value")),
        fc.array(fc.tuple(name, tie("value"))).map((entries) => objectOf(...entries)),
      ),
    }));
    fc.assert(
      fc.property(value, (value) => {
        const written = encode(value, BIGINTS);
        JSON.parse(written);
        assertSame(decode(written, BIGINTS), readBack(value, true));
      }),
      fuzz(),
    );
  });

  it("decode() reads text deeper than any stack, with and without long integers", () => {
    const depth = 100_000;
    for (const leaf of ["1", "12345678901234567890"]) {
      let value: unknown = decode("[".repeat(depth) + leaf + "]".repeat(depth), BIGINTS);
      for (let level = 0; level < depth; level++) value = (value as unknown[])[0];
      assertStrictEquals(String(value), leaf);
    }
  });

  it("decode() takes linear time for texts made to slow it down", () => {
    const long = "12345678901234567890";
    const size = 200_000;
    for (
      const text of [
        `["${"\\\\".repeat(size)}",${long}]`,
        `["${'\\"'.repeat(size)}",${long}]`,
        `["${`\\"${long}`.repeat(size / 10)}",${long}]`,
        `[${`"${long}",`.repeat(size / 10)}${long}]`,
        `["${"\\u0000".repeat(size)}",${long}]`,
        `["${'\\"\\u0000'.repeat(size)}",${long}]`,
        `["${"1".repeat(size)}",${long}]`,
        `[0.${"1".repeat(size)},${long}]`,
        `[${"123456789012345,".repeat(size)}${long}]`,
        String.raw`[{"${String.raw`\"`.repeat(size)}":1},${long}]`,
        String.raw`[{"a":"${String.raw`\\`.repeat(size)}"},${String.raw`"\n",`.repeat(size)}${long}]`,
        String.raw`[${String.raw`{"\n":1},`.repeat(size / 10)}${long}]`,
      ]
    ) {
      const start = performance.now();
      const value = decode(text, BIGINTS) as Json[];
      const took = performance.now() - start;
      assertStrictEquals(value.at(-1) as unknown, BigInt(long));
      assert(took < 30_000, `${text.slice(0, 30)}: ${took} ms`);
    }
  });
});

describe("encodeName()", () => {
  it("encodeName() writes any name so that JSON.parse reads it back", () => {
    for (const name of HOSTILE_NAMES) assertStrictEquals(JSON.parse(encodeName(name)), name);
    assertStrictEquals(encodeName('a"b'), '"a\\"b"');
  });
});

describe("formatPath()", () => {
  it("formatPath() writes names quoted and indexes bare", () => {
    assertStrictEquals(formatPath(["sample", "positions", -1]), '["sample"]["positions"][-1]');
    assertStrictEquals(formatPath(["", "0", 0, 'a"b']), '[""]["0"][0]["a\\"b"]');
    assertStrictEquals(formatPath([]), "");
  });

  it("formatPath() shortens what nobody could read", () => {
    assert(formatPath(Array.from({ length: 5000 }, () => "a")).length < 300);
    assert(formatPath(["x".repeat(1e6)]).length < 200);
  });
});

describe("formatPlace()", () => {
  it("formatPlace() names the key last", () => {
    assertStrictEquals(formatPlace(["sample", "tags", 2]), '["tags"][2] of "sample"');
    assertStrictEquals(formatPlace(["sample"]), '"sample"');
    assertStrictEquals(formatPlace([""]), '""');
    assertStrictEquals(formatPlace([]), "the dictionary");
    assert(formatPlace(["x".repeat(1e6), "a"]).length < 200);
  });
});
