/**
 * Long rows of like members and elements, which the scripts cross many at a time, with strings between them that look
 * like what they are crossed by: whatever stands behind is found, and nothing else.
 */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { compile, compileReads } from "../../src/call/call.ts";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import type { Op, Read } from "../../src/data/op.ts";
import { fuzz } from "../support/fuzz.ts";
import { inShortRows, withoutShortWay } from "../support/in_pieces.ts";
import { locate, pathsOf } from "../support/json_text.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";
import { repliesOf } from "../support/replies.ts";

const client = testClient();
/** The scripts as they are, and some that take two like values for a row: more can go wrong there. */
const VARIANTS = await Promise.all(
  [(text: string) => text, inShortRows].map(async (variant) => ({
    read: String(await client.script("LOAD", variant(READ.text))),
    apply: String(await client.script("LOAD", variant(withoutShortWay(APPLY.text)))),
  })),
);
const BATCH = 20;

/** What stands between values, and rows of it that hold no quote, so that they can stand in a string as they are. */
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "a",
  "1",
  "},",
  "],",
  "[,",
  '},"',
  '":{',
  '{"',
  "\n",
];
const ROWS = [
  "}",
  "{",
  "},",
  ":{",
  ":{},",
  ":{a},",
  "],",
  "]",
  "[",
  "},{",
  "x},{1",
  "],[",
  '":{},',
  'a":{b},',
];
const words = (pieces: readonly string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...pieces), { maxLength: 4, size: "max" }).map((parts) => parts.join(""));
/** A third of the texts has no backslash, with which quotes alone tell where strings are. */
const anyWord = fc.oneof(
  words(PIECES.filter((piece) => !/["\\\n]/.test(piece))),
  words(PIECES),
  fc.constantFrom(...ROWS),
);

/** Names that differ, whatever they are. */
function objectOf(values: readonly string[], names: readonly string[], colon: string): string {
  const used = new Set<string>();
  const members = values.map((value, index) => {
    const name = names[index % names.length];
    const unique = used.has(name) ? index % 2 === 0 ? `${name}~${index}` : `${index}~${name}` : name;
    used.add(unique);
    return `${JSON.stringify(unique)}${colon}${value}`;
  });
  return `{${members.join()}}`;
}

const scalar = fc.oneof(
  { weight: 2, arbitrary: anyWord.map((word) => JSON.stringify(word)) },
  { weight: 1, arbitrary: fc.constantFrom("1", "-2.5e3", "true", "null", "1".repeat(70)) },
);
const someNames = fc.array(anyWord, { minLength: 1, maxLength: 8, size: "max" });
const colon = fc.constantFrom(":", ":", ":", ": ");
const object = (value: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> =>
  fc.tuple(fc.array(value, { maxLength: most, size: "max" }), someNames, colon).map((it) => objectOf(...it));
const list = (value: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> =>
  fc.array(value, { maxLength: most, size: "max" }).map((values) => `[${values.join()}]`);
const flat = object(scalar, 3);
const numbers = list(fc.constantFrom("1", "22", "-3.25", "[1,2]", "[]"), 40);
/** Brackets in strings of which one that does not know strings makes an end too early or too late. */
const lopsided = fc.constantFrom(...ROWS).chain((word) =>
  object(object(fc.constantFrom(JSON.stringify(word), '"a"', "1"), 2), 6)
);
const nested = fc.oneof(
  flat,
  lopsided,
  list(lopsided, 2),
  list(scalar, 3),
  numbers,
  object(fc.oneof(flat, scalar, list(flat, 3)), 3),
  list(flat, 3),
  scalar,
);

/** Mostly of one kind, so that many are crossed at once, and now and then another value among them. */
const row = fc.constantFrom(flat, flat, numbers, list(scalar, 3)).chain((kind) =>
  fc.array(
    fc.oneof({ weight: 8, arbitrary: kind }, { weight: 1, arbitrary: lopsided }, {
      weight: 1,
      arbitrary: nested,
    }),
    {
      minLength: 10,
      maxLength: 60,
      size: "max",
    },
  )
);
const text = fc.tuple(row, fc.boolean(), someNames, colon).map(([values, isList, names, between]) =>
  isList ? `{"first":[${values.join()}],"last":{"n":1}}` : objectOf([...values, '{"n":1}'], names, between)
);

describe("rows of like values", () => {
  for (const [nth, scripts] of VARIANTS.entries()) {
    const how = nth === 0 ? "" : ", two of them for a row";
    it(`read and apply find each value behind others, and change no byte beside it${how}`, async () => {
      const prefix = uniquePrefix("crossing");
      const batches = fc.array(fc.tuple(text, fc.nat()), { minLength: BATCH, maxLength: BATCH });
      await fc.assert(
        fc.asyncProperty(batches, async (cases) => {
          const pipeline = client.pipeline();
          const expected = cases.map(([text, pick], index) => {
            const key = `${prefix}${index}`;
            const all = pathsOf(locate(text)).slice(1);
            const chosen = [...Array(6).keys()].map((nth) => all[(pick + nth * 7919) % all.length]);
            chosen.push(all.filter(({ path }) => path.length === 1).at(-1)!);
            const reads = chosen.map(({ path }): Read => ({ kind: "get", path: [key, ...path] }));
            const { path, node } = chosen[0];
            const op: Op = { kind: "set", path: [key, ...path], value: '"new"' };
            pipeline.set(key, text);
            pipeline.evalsha(scripts.read, 1, key, ...compileReads("", reads).args);
            pipeline.evalsha(scripts.apply, 1, key, ...compile("", [[op]]).args);
            pipeline.get(key);
            return [
              "OK",
              chosen.map(({ node }) => text.slice(node.start, node.end)),
              [""],
              `${text.slice(0, node.start)}"new"${text.slice(node.end)}`,
            ];
          });
          const answers = (await pipeline.exec())!.map(([error, answer], index) => {
            if (error) throw error;
            return index % 4 === 2 ? repliesOf(answer, 1) : answer;
          });
          cases.forEach((story, index) => {
            assertEquals(answers.slice(index * 4, index * 4 + 4), expected[index], JSON.stringify(story));
          });
        }),
        fuzz(0.15),
      );
    });
  }
});
