import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { draftDictionary } from "../src/draft.ts";
import { Fragment } from "../src/fragment.ts";
import { decode, type Json } from "../src/json.ts";
import type { Group } from "../src/op.ts";
import { Session } from "../src/session.ts";
import { fuzz } from "./support/fuzz.ts";
import { applyJs } from "./support/js_model.ts";
import { bare, execute, executeLines, json, type Line, linesFor, steps } from "./support/programs.ts";
import { applyGroup, type Texts } from "./support/text_model.ts";

/** Runs a recipe over drafts of values, without a server. */
function record(values: Record<string, Json>, recipe: (draft: never) => unknown) {
  const session = new Session({});
  const texts = Object.entries(values).map(([key, value]) =>
    [key, Fragment.read(JSON.stringify(value), {})] as const
  );
  const root = draftDictionary(session, new Map(texts));
  const seen = recipe(root.draft as never);
  const ops = session.takeOps();
  return { seen, ops, guards: root.guards(), end: () => session.end(() => new TypeError("over")) };
}

/** Applies a group; tells whether it was refused. */
function commit(texts: Texts, group: Group): boolean {
  return applyGroup(texts, group).some((reply) => reply.startsWith("!"));
}

describe("drafts", () => {
  it("a random program over a draft does what it does on plain data", () => {
    fc.assert(
      fc.property(fc.array(json, { maxLength: 3 }), json, steps, (a, b, program) => {
        const value: Json = { a, b };
        const plain = bare(value) as Record<string, unknown>;
        const expected = execute(plain, program);
        const { seen, ops } = record(
          { key: value },
          (draft: { key: Record<string, unknown> }) => execute(draft.key, program),
        );
        assertEquals(seen, expected);
        const values: Record<string, Json> = { key: decode(JSON.stringify(value)) };
        for (const op of ops) applyJs(values, op);
        assertEquals(JSON.stringify(values.key), JSON.stringify(plain));
      }),
      fuzz(3),
    );
  });

  it("where the guards of a program hold after another one, it did what it would do after it", () => {
    let merged = 0;
    let conflicts = 0;
    fc.assert(
      fc.property(fc.array(json, { maxLength: 4 }), json, steps, steps, (a, b, first, second) => {
        const value: Json = { a, b, list: [1, { a: 1, b: [] }, 3] };
        const mine = linesFor(value, first.slice(0, 3));
        const theirs = linesFor(value, second.slice(0, 2));
        const run = (lines: readonly Line[]) =>
          record({ key: value }, (draft: { key: Record<string, unknown> }) => executeLines(draft.key, lines));
        const texts: Texts = new Map([["key", JSON.stringify(value)]]);
        const other = run(theirs);
        commit(texts, [...other.guards, ...other.ops]);
        const between = bare(decode(texts.get("key")!)) as Record<string, unknown>;
        const { seen, guards, ops } = run(mine);
        const refused = commit(texts, [...guards, ...ops]);
        if (refused) {
          conflicts++;
          return;
        }
        merged++;
        assertEquals(seen, executeLines(between, mine), "what it saw");
        assertEquals(JSON.stringify(decode(texts.get("key")!)), JSON.stringify(between), "what came of it");
      }),
      fuzz(10),
    );
    assert(merged > conflicts, `${merged} of ${merged + conflicts} went together`);
  });
});
