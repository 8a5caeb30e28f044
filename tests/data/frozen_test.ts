/** What two values share, and that nobody can change them. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { freeze, share } from "../../src/data/frozen.ts";
import type { Json } from "../../src/data/json.ts";
import { fuzz } from "../support/fuzz.ts";
import { json } from "../support/programs.ts";

const clone = (value: Json): Json => JSON.parse(JSON.stringify(value));

/** All objects and arrays in a value. */
function containersIn(value: Json): Json[] {
  if (typeof value !== "object" || value === null) return [];
  return [value, ...Object.values(value).flatMap(containersIn)];
}

describe("share()", () => {
  it("share() gives the later value, with all that is equal at its place from the earlier one", () => {
    const check = (before: Json, after: Json, earlier: ReadonlySet<Json>): void => {
      if (typeof before !== "object" || typeof after !== "object" || before === null || after === null) {
        return;
      }
      if (JSON.stringify(before) === JSON.stringify(after)) return void assert(earlier.has(after));
      if (Array.isArray(before) !== Array.isArray(after)) return;
      for (const name of Object.keys(before)) {
        if (!Object.hasOwn(after, name)) continue;
        check((before as Record<string, Json>)[name], (after as Record<string, Json>)[name], earlier);
      }
    };
    fc.assert(
      fc.property(json, json, fc.boolean(), (first, second, isClose) => {
        const before = freeze(isClose ? clone([first, second, { a: first }]) : clone(first));
        const after = isClose ? clone([{ b: 1 }, first, second, { a: second }]) : clone(second);
        const text = JSON.stringify(after);
        const shared = freeze(share(before, after));
        assertEquals(JSON.stringify(shared), text);
        check(before, shared, new Set(containersIn(before)));
        for (const part of containersIn(shared)) assert(Object.isFrozen(part));
      }),
      fuzz(3),
    );
  });

  it("share() gives the earlier value where both are equal, and only then", () => {
    fc.assert(
      fc.property(json, (value) => {
        const before = freeze(clone(value));
        assertStrictEquals(share(before, clone(value)), before);
      }),
      fuzz(2),
    );
    for (
      const [a, b] of [[{ a: 1, b: 2 }, { b: 2, a: 1 }], [[1], { 0: 1 }], [[1], [1, 2]], [{}, []], [0, -0]]
    ) {
      assertStrictEquals(share(a as Json, b as Json), b as Json);
    }
  });

  it("share() finds elements that have moved", () => {
    const elements = Array.from({ length: 6 }, (_, id) => ({ id, tags: [id] }));
    const before = freeze(clone(elements)) as Json[];
    for (const order of [[5, 4, 3, 2, 1, 0], [1, 2, 3, 4, 5], [2, 0, 1, 5], [3]]) {
      const after = share(before, clone(order.map((id) => elements[id]))) as Json[];
      order.forEach((id, index) => assertStrictEquals(after[index], before[id]));
    }
  });

  it("share() takes nothing for what has moved that is only written alike", () => {
    for (const [a, b] of [["5n", 5n], [0, -0], [null, Infinity]]) {
      const before = freeze([{ id: 1 }, { a }, { id: 2 }] as Json);
      const after = share(before, [{ id: 3 }, { id: 4 }, { a: b }, 1] as Json) as { a: Json }[];
      assert(Object.is(after[2].a, b), String(a));
    }
  });

  it("share() is not slow where values are deep, wide, or all different", () => {
    const nest = (depth: number, inside: string): Json =>
      JSON.parse("[".repeat(depth) + inside + "]".repeat(depth));
    const startedAt = performance.now();
    for (const depth of [100, 5_000, 50_000]) {
      assert(share(nest(depth, "1"), nest(depth, "2")) !== undefined);
      share([nest(depth, "1"), nest(depth, "2"), 1], [nest(depth, "3"), nest(depth, "1")]);
    }
    const wide = (add: number): Json =>
      Array.from({ length: 50_000 }, (_, id) => ({ id: id + add, a: [id] }));
    const [before, after] = [wide(0), wide(7)];
    const shared = share(before, after) as Json[];
    assertEquals(shared.length, 50_000);
    assert(performance.now() - startedAt < 20_000);
  });
});
