import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from "@std/testing/bdd";
import {
  assert,
  assertEquals,
  assertExists,
  assertInstanceOf,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { assertSame } from "../support/same.ts";
import config from "../../deno.json" with { type: "json" };
import importMap from "../offline/import_map.json" with { type: "json" };

describe("tests/offline/import_map.json", () => {
  it("tests/offline/import_map.json names the npm packages of deno.json in the same versions", () => {
    const npm = (imports: Record<string, string>) =>
      Object.entries(imports).filter(([, target]) => target.startsWith("npm:")).sort();
    assertEquals(npm(importMap.imports), npm(config.imports));
  });
});

// Whichever modules stand behind @std, an assertion that cannot fail would make every test worthless.
describe("@std/assert", () => {
  const failing: Record<string, () => unknown> = {
    assert: () => assert(0),
    assertEquals: () => assertEquals<unknown>({ a: [1] }, { a: [2] }),
    "assertEquals on types": () => assertEquals<unknown>("1", 1),
    assertNotEquals: () => assertNotEquals({ a: 1 }, { a: 1 }),
    assertStrictEquals: () => assertStrictEquals({}, {}),
    "assertStrictEquals on -0": () => assertStrictEquals(-0, 0),
    "assertSame on -0": () => assertSame([-0], [0]),
    "assertSame on a prototype": () => assertSame({}, Object.create(null)),
    assertExists: () => assertExists(null),
    assertInstanceOf: () => assertInstanceOf(new Error("x"), TypeError),
    assertMatch: () => assertMatch("abc", /d/),
    assertStringIncludes: () => assertStringIncludes("abc", "d"),
    fail: () => fail("x"),
    "assertThrows without an error": () => assertThrows(() => {}),
    "assertThrows with what is no error": () =>
      assertThrows(() => {
        throw "x";
      }, Error),
    "assertThrows with another class": () => assertThrows(() => JSON.parse("{"), TypeError),
    "assertThrows with another message": () =>
      assertThrows(() => JSON.parse("{"), SyntaxError, "nothing of the kind"),
  };
  for (const [name, run] of Object.entries(failing)) {
    it(`@std/assert ${name} fails`, () => {
      let thrown: unknown;
      try {
        run();
      } catch (error) {
        thrown = error;
      }
      assertInstanceOf(thrown, AssertionError);
    });
  }

  it("@std/assert assertRejects fails without a rejection, with another class and with another message", async () => {
    const reject = () => Promise.reject(new RangeError("Cannot"));
    const error: RangeError = await assertRejects(reject, RangeError, "Cannot");
    assertEquals(error.message, "Cannot");
    for (
      const run of [
        () => assertRejects(() => Promise.resolve()),
        () => assertRejects(() => 1 as never),
        () =>
          assertRejects(() => {
            throw new RangeError("Cannot");
          }),
        () => assertRejects(() => Promise.reject("no error"), RangeError),
        () => assertRejects(reject, TypeError),
        () => assertRejects(reject, RangeError, "nothing of the kind"),
      ]
    ) assertInstanceOf(await run().then(() => undefined, (reason: unknown) => reason), AssertionError);
  });
});

/** Pairs that tests could meet. Each says whether `assertEquals` takes the two for equal. */
const PAIRS: readonly [unknown, unknown, boolean][] = [
  [-0, 0, true],
  [{ a: [-0] }, { a: [0] }, true],
  [NaN, NaN, true],
  [1, 1n, false],
  ["1", 1, false],
  [null, undefined, false],
  [{ a: undefined }, {}, false],
  [[undefined], [], false],
  [Array(1), [undefined], false],
  [[1, 2], [2, 1], false],
  [[], {}, false],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
  [Object.create(null), {}, true],
  [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}'), true],
  [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":2}'), false],
  [{ constructor: 1 }, { constructor: 1 }, true],
  [{ constructor: 1 }, { constructor: 2 }, false],
  [new Map([["a", [1]]]), new Map([["a", [1]]]), true],
  [new Map([["a", [1]]]), new Map([["a", [2]]]), false],
  [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 1]]), true],
  [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 2 }, 1]]), false],
  [new Set(["a", "b"]), new Set(["b", "a"]), true],
  [new Set(["a"]), new Set(["b"]), false],
  [new Set([[1]]), new Set([[1]]), true],
  [new Date(0), new Date(0), true],
  [new Date(0), new Date(1), false],
  [/a/g, /a/, false],
  [new Error("a"), new TypeError("a"), false],
  [new Uint8Array([1]), new Uint8Array([1]), true],
  [new Uint8Array([1]), new Uint8Array([2]), false],
  [Symbol.for("a"), Symbol.for("a"), true],
  [{ [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 2 }, false],
];

describe("@std/assert assertEquals() and assertNotEquals()", () => {
  const passes = (run: () => void): boolean => {
    try {
      run();
      return true;
    } catch (error) {
      assertInstanceOf(error, AssertionError);
      return false;
    }
  };
  PAIRS.forEach(([a, b, isEqual], index) => {
    it(`@std/assert ${isEqual ? "takes" : "does not take"} pair ${index} for equal: ${Deno.inspect([a, b])}`, () => {
      for (const [one, other] of [[a, b], [b, a], [[a], [b]], [{ a }, { a: b }]]) {
        assertStrictEquals(passes(() => assertEquals<unknown>(one, other)), isEqual);
        assertStrictEquals(passes(() => assertNotEquals<unknown>(one, other)), !isEqual);
      }
    });
  });

  it("@std/assert compares values that contain themselves", () => {
    const loop = (value: number): unknown => {
      const list: unknown[] = [value];
      list.push({ list });
      return list;
    };
    assertStrictEquals(passes(() => assertEquals(loop(1), loop(1))), true);
    assertStrictEquals(passes(() => assertEquals(loop(1), loop(2))), false);
  });
});

describe("@std/testing/bdd", () => {
  const log: string[] = [];
  const note = (text: string) => () => void log.push(text);

  describe("outer", () => {
    beforeAll(note("all"));
    beforeEach(note("each"));
    afterEach(note("/each"));
    afterAll(note("/all"));
    it("first", note("first"));
    describe("inner", () => {
      beforeEach(note("inner each"));
      afterEach(note("/inner each"));
      it("second", note("second"));
    });
  });

  it("@std/testing/bdd runs hooks around tests, outer ones outermost", () => {
    assertEquals(
      log.join(", "),
      "all, each, first, /each, each, inner each, second, /inner each, /each, /all",
    );
  });
});
