/** Drafts and their guards: what tells something is a read, in whatever way it is told. */
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { draftDictionary } from "../src/draft.ts";
import { Fragment } from "../src/fragment.ts";
import type { Json } from "../src/json.ts";
import type { Group } from "../src/op.ts";
import { Session } from "../src/session.ts";
import { fuzz } from "./support/fuzz.ts";
import { parseText } from "./support/json_text.ts";
import { applyGroup, type Texts } from "./support/text_model.ts";
import { document, KEYS, meddle, type Use, use, uses } from "./support/uses.ts";

interface Outcome {
  readonly seen: unknown;
  readonly guards: Group;
  readonly ops: Group;
  /** What the draft showed at the end, by key. */
  readonly shown: Record<string, Json>;
}

/** Runs a recipe over the values of texts, without a server; an error if what it wrote is no JSON. */
function run(texts: ReadonlyMap<string, string>, recipe: (draft: never) => unknown): Outcome | Error {
  const session = new Session({});
  const fetched = new Map(KEYS.map((key) => {
    const text = texts.get(key);
    return [key, text === undefined ? undefined : Fragment.read(text, {})] as const;
  }));
  const root = draftDictionary(session, fetched);
  const seen = recipe(root.draft as never);
  try {
    const ops = session.takeOps();
    const guards = root.guards();
    const draft = root.draft as Record<string, unknown>;
    const shown = KEYS.flatMap((key): [string, Json][] =>
      key in draft ? [[key, parseText(session.write(draft[key], [key]))]] : []
    );
    return { seen, ops, guards, shown: Object.fromEntries(shown) };
  } catch (error) {
    return error as Error;
  }
}

const valuesOf = (texts: Texts): Record<string, Json> =>
  Object.fromEntries(
    KEYS.flatMap((key): [string, Json][] => texts.has(key) ? [[key, parseText(texts.get(key)!)]] : []),
  );

/** Applies a group; returns whether it was applied. */
const apply = (texts: Texts, group: Group): boolean =>
  !applyGroup(texts, group).some((reply) => reply.startsWith("!"));

describe("guards", () => {
  it("where they hold after a foreign write, the program did what it would have done after it", () => {
    const counts = { merged: 0, refused: 0, failed: 0 };
    fc.assert(
      fc.property(document, document, uses, uses, (one, two, program, foreign) => {
        const before: Texts = new Map([["one", JSON.stringify(one)], ["two", JSON.stringify(two)]]);
        const recipe = (draft: never): string[] => use(draft, program);
        const first = run(before, recipe);
        if (first instanceof Error) return void counts.failed++; // nothing is sent
        const alone = new Map(before);
        assert(apply(alone, [...first.guards, ...first.ops]), "refused though nobody else was there");
        assertEquals(valuesOf(alone), first.shown, "what the draft showed");

        const after: Texts = new Map(before);
        for (const step of foreign.slice(0, 2)) meddleWith(after, step);
        const again = run(after, recipe);
        const result = new Map(after);
        if (!apply(result, [...first.guards, ...first.ops])) return void counts.refused++;
        counts.merged++;
        assert(!(again instanceof Error), `it would have failed: ${again}`);
        assertEquals(first.seen, again.seen, "what it saw");
        const expected = new Map(after);
        assert(apply(expected, again.ops), "its ops are refused");
        assertEquals(JSON.stringify(valuesOf(result)), JSON.stringify(valuesOf(expected)), "what came of it");
      }),
      fuzz(10),
    );
    const total = counts.merged + counts.refused + counts.failed;
    assert(counts.merged > total / 8 && counts.refused > total / 8, JSON.stringify(counts));
  });
});

function meddleWith(texts: Texts, step: Use): void {
  const key = KEYS[step.other % 2];
  switch (step.action % 11) {
    case 0:
      return void texts.set(KEYS[step.other % 3], JSON.stringify(step.value));
    case 1:
      return void texts.delete(key);
    default: {
      const text = texts.get(key);
      if (text === undefined) return;
      const value = parseText(text);
      if (typeof value !== "object" || value === null) return;
      meddle(value, step);
      texts.set(key, JSON.stringify(value));
    }
  }
}
