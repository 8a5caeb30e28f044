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
    "assertEquals on -0": () => assertEquals(-0, 0),
    "assertEquals on types": () => assertEquals<unknown>("1", 1),
    assertNotEquals: () => assertNotEquals({ a: 1 }, { a: 1 }),
    assertStrictEquals: () => assertStrictEquals({}, {}),
    assertExists: () => assertExists(null),
    assertInstanceOf: () => assertInstanceOf(new Error("x"), TypeError),
    assertMatch: () => assertMatch("abc", /d/),
    assertStringIncludes: () => assertStringIncludes("abc", "d"),
    fail: () => fail("x"),
    "assertThrows without an error": () => assertThrows(() => {}),
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
        () => assertRejects(reject, TypeError),
        () => assertRejects(reject, RangeError, "nothing of the kind"),
      ]
    ) assertInstanceOf(await run().then(() => undefined, (reason: unknown) => reason), AssertionError);
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
