/** Comparing: the differences of values, and diff. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertMatch } from "@std/assert";
import * as fc from "fast-check";
import { applyChange, type Change, changesOf, isFitting, isSame } from "../../src/cli/changes.ts";
import { removeKeys, testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";

const redis = testClient();

/** Makes changes in a copy of a value. */
function applyTo(value: unknown, changes: readonly Change[]): unknown {
  const root = { value: structuredClone(value) };
  for (const change of changes) assertEquals(applyChange(root, change), true);
  return root.value;
}

describe("changesOf()", () => {
  it("changesOf() makes the one value of the other", () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(fc.property(value, value, (before, after) => {
      const made = applyTo(before, changesOf(before, after));
      assertEquals(isSame(made, after), true);
      assertEquals(changesOf(before, before), []);
      // Each fits the value that it was made of, and a value that is already changed only if it pushes.
      for (const change of changesOf(before, after)) {
        assertEquals(isFitting(change, before, before), true);
        assertEquals(isFitting(change, before, after), change.kind === "push");
      }
    }));
  });

  it("changesOf() finds the deepest places", () => {
    const before = { a: { b: [1, { c: 2n }], d: 1 }, e: [1], f: [1, 2] };
    const after = { f: [2], a: { b: [1, { c: 3n }] }, e: [1, 2, 3], g: null };
    assertEquals(changesOf(before, after), [
      { kind: "replace", path: ["f"], before: [1, 2], after: [2] },
      { kind: "remove", path: ["a", "d"], before: 1 },
      { kind: "replace", path: ["a", "b", 1, "c"], before: 2n, after: 3n },
      { kind: "push", path: ["e"], before: [1], after: [2, 3] },
      { kind: "add", path: ["g"], after: null },
    ]);
  });
});

describe("json-dict diff", () => {
  it("diff tells whether a dump and the values, or two dumps, are the same", async () => {
    const shell = new Shell(redis);
    const folder = await Deno.makeTempDir();
    const [one, two] = [`${folder}/1`, `${folder}/2`];
    try {
      await shell.put("same", '{"a":1,"é":[12345678901234567890]}');
      await shell.put("spelled", '{"a":1.0,"b":2}');
      await shell.put("gone", "1");
      await shell.put("other", '{"x":[1,2],"big":12345678901234567890}');
      await shell.put("broken", "{");
      await shell.run("dump", one);
      assertEquals(await shell.run("diff", one), { code: 0, out: "", err: "" });
      await shell.put("spelled", '{ "b": 2, "a": 1 }');
      assertEquals((await shell.run("diff", one)).code, 0);
      assertEquals((await shell.run("diff", one, "--exact")).code, 3);
      await shell.put("other", '{"x":[1,3],"big":12345678901234567891}');
      await shell.put("new", '"n"');
      await shell.put("broken", "{{");
      await redis.unlink(`${shell.prefix}gone`);
      const live = await shell.run("diff", one);
      assertMatch(live.err, /^json-dict: Not the same: 1 added, 1 removed, 2 changed\n$/);
      const lines = (text: string): unknown[] =>
        text.trim().split("\n").sort().map((line) => JSON.parse(line));
      assertEquals(lines(live.out), [
        { key: "broken", change: "changed", before: "{", after: "{{" },
        { key: "gone", change: "removed", before: "1" },
        { key: "new", change: "added", after: '"n"' },
        {
          key: "other",
          change: "changed",
          path: "/big",
          kind: "replace",
          before: "12345678901234567890",
          after: "12345678901234567891",
        },
        { key: "other", change: "changed", path: "/x/1", kind: "replace", before: "2", after: "3" },
      ]);
      await shell.run("dump", two);
      await removeKeys(redis, shell.prefix);
      const dumps = await shell.run("diff", one, two);
      assertEquals([dumps.code, lines(dumps.out)], [3, lines(live.out)]);
      assertEquals((await shell.run("diff", two, two)).code, 0);
      const shown = await shell.sit([], "diff", one, two);
      assertMatch(shown.out, /~ other \/x\/1 {2}2 -> 3/);
      assertMatch(shown.out, /\+ new {2}"n"/);
      assertEquals((await shell.sit([], "diff", one, one)).out, "the same\n");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  it("diff compares nothing with a dump that is not whole, or is not there", async () => {
    const shell = new Shell(redis);
    const file = await Deno.makeTempFile();
    try {
      await shell.run("dump", file, "--force");
      const whole = await Deno.readTextFile(file);
      assertEquals((await shell.run("diff", file, `${file}.none`)).code, 2);
      assertEquals((await shell.run("diff", `${file}.none`)).code, 2);
      await Deno.writeTextFile(file, whole.split("\n")[0]);
      const { code, out } = await shell.run("diff", file);
      assertEquals([code, out], [1, ""]);
    } finally {
      await Deno.remove(file);
    }
  });
});
