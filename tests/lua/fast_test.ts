/** What the script does in one go is what the rest of it does, for every value and every op. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { compile } from "../../src/call/call.ts";
import type { Op } from "../../src/data/op.ts";
import { APPLY } from "../../src/call/scripts.gen.ts";
import { fuzz } from "../support/fuzz.ts";
import { withoutShortWay } from "../support/in_pieces.ts";
import { documentText, HOSTILE, locate, type Node, pathsOf } from "../support/json_text.ts";
import { repliesOf } from "../support/replies.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const load = async (text: string): Promise<string> => String(await client.script("LOAD", text));

function variant(from: string, to: string): string {
  const text = APPLY.text.replace(from, to);
  assertNotEquals(text, APPLY.text);
  return text;
}
const FAST = await load(APPLY.text);
const SLOW = await load(withoutShortWay(APPLY.text));
/** Says only whether it went the short way. */
const TELLS = await load(
  variant("if single then return single end", "if single then return 'fast' end"),
);

const name = fc.oneof(
  fc.constantFrom("a", "b", "count", "list", "},{", '"}],', "]}", "x\\"),
  fc.constantFrom(...HOSTILE),
);
const scalar = fc.constantFrom(
  ...["0", "-0", "1", "-7", "99999999999999", "123456789012345", "1.5", "1e3", "true", "false", "null", '""'],
  ...['"w"', '"},{"', '"]}"', '"\\"}],"', '"{\\"a\\":1"', '"\\\\"', '"\\\\\\""', '"é"', '"}"', '"{"'],
);
const flatList = fc.array(fc.constantFrom("1", "-2.5", "true", "null"), { maxLength: 6 }).map((it) =>
  `[${it.join()}]`
);
const { value, object } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { weight: 4, arbitrary: scalar },
    { weight: 1, arbitrary: flatList },
    { weight: 1, arbitrary: fc.array(tie("value"), { maxLength: 4 }).map((it) => `[${it.join()}]`) },
    { weight: 3, arbitrary: tie("object") },
  ),
  object: fc.array(fc.tuple(name.map((it) => JSON.stringify(it)), tie("value")), { maxLength: 8 })
    .map((members) => `{${members.map((it) => it.join(":")).join()}}`),
}));
const top = fc.array(fc.tuple(name.map((it) => JSON.stringify(it)), value), {
  minLength: 2,
  maxLength: 8,
  size: "max",
})
  .map((members) => `{${members.map((it) => it.join(":")).join()}}`);
const anyText = fc.oneof({ weight: 6, arbitrary: top }, { weight: 1, arbitrary: documentText });

const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const oneCase = fc.record({
  text: anyText,
  pick: fc.nat(),
  other: rarely(name),
  value: fc.oneof(scalar, scalar, object, flatList),
  kind: fc.constantFrom("set", "set", "increment", "push", "delete"),
  by: fc.constantFrom("1", "-3", "0", "-0", "00", "12345678901234", "0.5"),
  items: fc.array(scalar, { maxLength: 3 }),
  recorded: fc.boolean(),
  expires: fc.boolean(),
  /** Bytes to put in anywhere, which mostly leaves no JSON. */
  damage: rarely(fc.tuple(fc.nat(), fc.constantFrom('"', "{", "}", "\\", ",", ":", "[", " ", ""))),
});
type Case = typeof oneCase extends fc.Arbitrary<infer C> ? C : never;

const FITTING: Readonly<Record<string, readonly Node["type"][]>> = { increment: ["number"], push: ["array"] };

function tokensFor({ text, pick, other, value, kind, by, items }: Case): string[] {
  const named = pathsOf(locate(text)).filter(({ path }) =>
    path.length > 0 && path.every((segment) => typeof segment === "string")
  );
  const wanted = FITTING[kind] ?? (pick % 4 > 0 ? ["number", "string", "boolean", "null"] : []);
  const fitting = named.filter(({ node }) => wanted.includes(node.type));
  const chosen = fitting.length > 0 ? fitting : named;
  const path = [...chosen.length === 0 ? ["a"] : chosen[pick % chosen.length].path];
  if (other !== undefined) path[path.length - 1] = other;
  const op = { kind, path: ["key", ...path], value, by, items } as unknown as Op;
  return [...compile("", [[op]]).args];
}

describe("apply in one go", () => {
  it("apply does what it does the long way: reply, text, record, expiry and memory", async () => {
    const prefix = uniquePrefix("fast");
    const [key, record] = [`${prefix}k`, `${prefix}r`];
    const until = Date.now() + 40_000_000;
    const expiry = Date.now() + 1_000_000_000;
    let [cases, taken] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(oneCase, { minLength: 20, maxLength: 20 }), async (batch) => {
        const pipeline = client.pipeline();
        const stories = batch.map((it) => {
          const tokens = tokensFor(it);
          const at = it.damage === undefined ? 0 : it.damage[0] % it.text.length;
          const text = it.damage === undefined
            ? it.text
            : it.text.slice(0, at) + it.damage[1] + it.text.slice(at + it.damage[0] % 2);
          for (const script of [TELLS, SLOW, FAST]) {
            pipeline.del(record).set(key, text);
            if (it.expires) pipeline.pexpireat(key, expiry);
            else pipeline.persist(key);
            if (it.recorded) {
              pipeline.evalsha(script, 2, key, record, "once", "2", "80000000", String(until), ...tokens);
            } else {
              pipeline.evalsha(script, 1, key, ...tokens);
            }
            pipeline.get(key).get(record).pttl(key).call("MEMORY", "USAGE", key);
          }
          return JSON.stringify({ text, tokens });
        });
        const answers = (await pipeline.exec())!.map(([error, answer]) => error ? String(error) : answer);
        stories.forEach((story, index) => {
          const [told, slow, fast] = [0, 8, 16].map((from) => {
            const [replies, text, recorded, ttl, memory] = answers.slice(
              index * 24 + from + 3,
              index * 24 + from + 8,
            );
            return {
              replies: repliesOf(replies, 1),
              text,
              recorded,
              isKept: Number(ttl) > 900_000_000,
              memory,
            };
          });
          // In a value that is no JSON the short way looks at less, and so meets less of what is wrong.
          const isDamaged = batch[index].damage !== undefined && String(slow.replies).startsWith("!CORRUPT");
          if (!isDamaged) assertEquals(fast, slow, story);
          cases++;
          if (String(told.replies) === "fast") taken++;
        });
      }),
      { ...fuzz(0.5), endOnFailure: true },
    );
    assert(taken > cases / 20, `only ${taken} of ${cases} went the short way`);
  });
});
