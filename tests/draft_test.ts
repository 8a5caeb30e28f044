import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { draftDictionary } from "../src/draft.ts";
import { Fragment } from "../src/fragment.ts";
import { decode, type Json } from "../src/json.ts";
import { Session } from "../src/session.ts";
import { fuzz } from "./support/fuzz.ts";
import { applyJs } from "./support/js_model.ts";
import { execute, json, steps } from "./support/programs.ts";

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

describe("drafts", () => {
  it("a random program over a draft does what it does on plain data", () => {
    fc.assert(
      fc.property(fc.array(json, { maxLength: 3 }), json, steps, (a, b, program) => {
        const value: Json = { a, b };
        const plain = decode(JSON.stringify(value)) as Record<string, unknown>;
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
});
