/** What edits see before those ahead of them are answered, and which groups build on which. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Refusal } from "../../src/call/answer.ts";
import type { Op } from "../../src/data/op.ts";
import type { Path } from "../../src/data/path.ts";
import { Chains } from "../../src/run/chains.ts";
import { Speculation } from "../../src/run/speculation.ts";

const NO_KEY: Refusal = { code: "NO_KEY", index: 0, segment: 0, found: "" };
const NOT_FOUND: Refusal = { code: "NOT_FOUND", index: 0, segment: 1, found: "" };

function set(path: Path, value = "1"): Op {
  return { kind: "set", path, value };
}

function test(path: Path): Op {
  return { kind: "test", path, value: "1", by: "bytes" };
}

/** Which groups of single ops build on which. */
function chain(...ops: readonly Op[]): (readonly number[])[] {
  const chains = new Chains();
  return ops.map((op, index) => chains.add(index, [op], false));
}

describe("Speculation", () => {
  it("Speculation shows what groups leave, byte for byte, and no longer as certain", () => {
    const speculation = new Speculation();
    speculation.take([["k"]], ['{"a": 1, "b": [1, 2]}']);
    assertEquals(speculation.view([["k"]]), { answers: ['{"a": 1, "b": [1, 2]}'], isCertain: true });
    speculation.apply([set(["k", "a"], '"x"'), { kind: "push", path: ["k", "b"], items: ["3"] }]);
    assertEquals(speculation.view([["k"]]), { answers: ['{"a": "x", "b": [1, 2,3]}'], isCertain: false });
    speculation.confirm();
    assertStrictEquals(speculation.view([["k"]])?.isCertain, true);
  });

  it("Speculation applies a group as a whole, or not at all", () => {
    const speculation = new Speculation();
    speculation.take([["k"], ["l"]], ['{"a":1}', NO_KEY]);
    speculation.apply([set(["l"]), set(["k", "x", "y"])]); // no member x
    assertEquals(speculation.view([["k"], ["l"]])?.answers, ['{"a":1}', NO_KEY]);
    speculation.apply([set(["l"], "{}"), set(["l", "n"]), { kind: "delete", path: ["k"] }]);
    assertEquals(speculation.view([["k"], ["l"]])?.answers, [NO_KEY, '{"n":1}']);
  });

  it("Speculation knows a fragment until something could have moved or replaced it", () => {
    const place: Path = ["k", "list", 1];
    const kept: Op[] = [
      set(["k", "other"]),
      set(["k", "list", 0]),
      set(["other"]),
      test(["k", "list"]),
      { kind: "expire", path: ["k"], ttl: 1 },
      { kind: "persist", path: ["k"] },
    ];
    const lost: Op[] = [
      set(["k"]),
      set(["k", "list"]),
      set(["k", "list", -1]),
      { kind: "pop", path: ["k", "list"] },
      { kind: "delete", path: ["k", "list", 0] },
      { kind: "delete", path: ["k", "list", "0"] },
      { kind: "take", path: place },
      { kind: "add", path: ["k", "list", 0], value: "1" },
      { kind: "delete", path: ["k"] },
    ];
    for (const [ops, isKnown] of [[kept, true], [lost, false]] as const) {
      for (const op of ops) {
        const speculation = new Speculation();
        speculation.take([place], ["{}"]);
        speculation.apply([op]);
        assertStrictEquals(speculation.view([place]) !== undefined, isKnown, JSON.stringify(op));
      }
    }
    const speculation = new Speculation();
    speculation.take([place, ["k"]], ["{}", '{"list":[0,{}]}']);
    speculation.apply([set(["k", "list", "1", "n"])]);
    assertEquals(speculation.view([place, ["k"]])?.answers, ['{"n":1}', '{"list":[0,{"n":1}]}']);
  });

  it("Speculation keeps a refusal of the server, and the latest values", () => {
    const speculation = new Speculation();
    speculation.take([["k", "a"]], ["{}"]);
    speculation.apply([set(["k", "a", "n"])]);
    speculation.take([["k", "a"]], [NOT_FOUND]);
    assertEquals(speculation.view([["k", "a"]]), { answers: [NOT_FOUND], isCertain: true });
    assertStrictEquals(speculation.view([["k"]]), undefined);
    speculation.forget();
    assertStrictEquals(speculation.view([["k", "a"]]), undefined);
  });
});

describe("Chains", () => {
  it("Chains lets groups depend on the last one that may change what they read, or read what they change", () => {
    const [a, b] = [set(["k", "a"]), set(["k", "b"])];
    assertEquals(chain(a, a, a), [[], [0], [1]]);
    assertEquals(chain(a, b, a, b), [[], [], [0], [1]]);
    assertEquals(chain(a, b, set(["k"]), b), [[], [], [0, 1], [2]]);
    assertEquals(chain(test(["k", "a"]), test(["k", "a"]), a), [[], [], [0, 1]]);
    assertEquals(chain(set(["k", "a", "x"]), test(["k", "a"]), set(["k", "a", "y"])), [[], [0], [1]]);
    assertEquals(chain(set(["k"]), set(["l"])), [[], []]);
  });

  it("Chains knows that elements move, and may be counted from the end", () => {
    const of = (op: Op): readonly number[] => chain(set(["k", "l", 3, "x"]), op)[1];
    assertEquals(of(set(["k", "l", 2, "x"])), []);
    assertEquals(of(set(["k", "l", -1])), [0]);
    assertEquals(of({ kind: "delete", path: ["k", "l", 0] }), [0]);
    assertEquals(of({ kind: "push", path: ["k", "l"], items: [] }), [0]);
    assertEquals(of(set(["k", "l", "3"])), [0]);
    assertEquals(of({ kind: "type", path: ["k", "l"], value: "array" }), []);
    assertEquals(chain({ kind: "delete", path: ["k", 0] }, set(["k", "1", "x"]))[1], [0]);
  });

  it("Chains lets no group depend on one that is never sent again", () => {
    const chains = new Chains();
    assertEquals(chains.add(0, [set(["k"])], true), []);
    assertEquals(chains.add(1, [set(["k"])], false), []);
    assertEquals(chains.add(2, [set(["k"])], true), [1]);
    assertEquals(chains.add(3, [set(["k"])], true), [2]);
  });

  it("Chains is quick where many groups have nothing to do with one another", () => {
    const chains = new Chains();
    for (let index = 0; index < 20_000; index++) {
      assert(chains.add(index, [set(["k", `part${index}`])], false).length === 0);
    }
  });
});
