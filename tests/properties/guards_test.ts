/** Drafts and their guards: whatever reveals something about the data is a read. */
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { draftDictionary } from "../../src/draft/draft.ts";
import { Fragment } from "../../src/data/fragment.ts";
import type { Json } from "../../src/data/json.ts";
import type { Group } from "../../src/data/op.ts";
import { Session } from "../../src/draft/session.ts";
import { fuzz } from "../support/fuzz.ts";
import { parseText } from "../support/json_text.ts";
import { applyGroup, type Texts } from "../support/text_model.ts";
import {
  ACTION_COUNT,
  describeUse,
  DICTIONARY_DELETE,
  DICTIONARY_SET,
  document,
  KEYS,
  meddle,
  type Use,
  use,
  uses,
} from "../support/uses.ts";

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
        if (checkMerge(first, after, recipe)) counts.merged++;
        else counts.refused++;
      }),
      fuzz(10),
    );
    const total = counts.merged + counts.refused + counts.failed;
    assert(counts.merged > total / 8 && counts.refused > total / 8, JSON.stringify(counts));
  });

  it("each single use reads what it reveals, of a value in its place, a replaced and a removed one", () => {
    const lists = [
      "[3,1,2]",
      "[]",
      "[3]",
      "[3,1]",
      "[0,1,2]",
      "[3,1,0]",
      "[1,3,2]",
      "[3,1,2,4]",
      "[5,3,1,2]",
    ];
    const others = ['[{"id":1},1,2]', "[[],1,2]", '{"0":3,"1":1,"2":2}', "7", '"x"'];
    const objects = ['{"a":1,"0":3,"b":{"id":1}}', "{}", '{"a":2,"0":3,"b":{"id":1}}', '{"a":1,"0":3}'];
    const more = [
      '{"b":{"id":1},"a":1,"0":3}',
      '{"a":1,"0":3,"b":[1]}',
      '{"a":1,"0":3,"b":{"id":2},"id":1}',
      "[1]",
    ];
    const before = (value: Json): Use => ({ on: 1, action: 0, name: "", numbers: [0], value, other: 0 });
    const states: Use[][] = [
      [],
      [{ ...before([]), action: 3 * DICTIONARY_SET }],
      [{ ...before(0), action: 3 * DICTIONARY_DELETE }],
    ];
    const names = ["a", "0", "1", "length", "b", "id"];
    const numbers = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [3, 4, 1], [-1, 1, 3], [4, 0, 2]];
    let merged = 0;
    const ends = [[...lists.slice(1), "{}"], [...objects.slice(1), "[]"]];
    for (const texts of [[...lists, ...others], [...objects, ...more], ...ends]) {
      for (const state of states) {
        for (let action = 0; action < ACTION_COUNT; action++) {
          if (action % 3 === 2) continue; // the same as the one before
          for (const [index, name] of names.entries()) {
            const step: Use = {
              on: 0,
              action,
              name,
              numbers: numbers[index],
              value: index % 2 ? 7 : 2,
              other: 0,
            };
            const recipe = (draft: never): string[] => use(draft, [...state, step]);
            const start: Texts = new Map([["one", texts[0]]]);
            const first = run(start, recipe);
            if (first instanceof Error) continue;
            assert(apply(new Map(start), [...first.guards, ...first.ops]));
            for (const text of texts) {
              try {
                if (checkMerge(first, new Map([["one", text]]), recipe)) merged++;
              } catch (error) {
                throw new Error(`${describeUse(texts[0], step)} after ${JSON.stringify(state)}: ${text}`, {
                  cause: error,
                });
              }
            }
          }
        }
      }
    }
    assert(merged > 10_000, String(merged));
  });
});

/** Commits an outcome to what is there now; returns whether it was applied, which must be as good as running again. */
function checkMerge(first: Outcome, now: Texts, recipe: (draft: never) => unknown): boolean {
  const result = new Map(now);
  if (!apply(result, [...first.guards, ...first.ops])) return false;
  const again = run(now, recipe);
  assert(!(again instanceof Error), `it would have failed: ${again}`);
  assertEquals(first.seen, again.seen, "what it saw");
  const expected = new Map(now);
  assert(apply(expected, again.ops), "its ops are refused");
  assertEquals(JSON.stringify(valuesOf(result)), JSON.stringify(valuesOf(expected)), "what came of it");
  return true;
}

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
