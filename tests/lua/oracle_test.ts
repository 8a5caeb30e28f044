/** The script and the one that it came from do the same: replies, texts, records, expiries and memory. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import { fuzz } from "../support/fuzz.ts";
import { inPieces } from "../support/in_pieces.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const load = async (text: string): Promise<string> => String(await client.script("LOAD", text));
const ORACLE = await load(Deno.readTextFileSync(new URL("oracle/apply.lua", import.meta.url)));
await load(READ.text);
const SCRIPTS = [["as it is", await load(APPLY.text)], [
  "in pieces",
  await load(inPieces(APPLY.text)),
]] as const;

// ---- Documents and ops that are often in each other's way ----

const name = fc.constantFrom("a", "b", "c", "n", "},{", "]}", '"}],', "\\", "é", "1", "");
const quoted = name.map((it) => JSON.stringify(it));
/** Names as texts have them: some are spelled with escapes, though they need none. */
const spelled = fc.oneof(
  { weight: 4, arbitrary: quoted },
  name.map((it) =>
    `"${Array.from(it, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`
  ),
);
const scalar = fc.constantFrom(
  "1",
  "-7",
  "true",
  "false",
  "null",
  '"w"',
  '"},{"',
  '"]}"',
  '"\\"}],"',
  "1.50",
  "{}",
  "[]",
);
/** White space, where most texts have none. */
const gap = fc.constantFrom("", "", "", "", " ", "\n  ");

const { value } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4, depthSize: "small" }, scalar, tie("list"), tie("object")),
  list: fc.tuple(gap, gap, fc.array(tie("value"), { maxLength: 5 })).map(([before, after, items]) =>
    `[${before}${items.join(`${after},${before}`)}${after}]`
  ),
  object: fc.tuple(gap, gap, fc.array(fc.tuple(spelled, tie("value")), { maxLength: 5 })).map((
    [before, after, members],
  ) =>
    `{${before}${
      members.map(([name, value]) => `${name}:${before}${value}`).join(`${after},${before}`)
    }${after}}`
  ),
}));
const container = fc.oneof(
  fc.array(value, { maxLength: 20 }).map((items) => `[${items.join()}]`),
  fc.array(fc.tuple(spelled, value), { maxLength: 12 }).map((members) =>
    `{${members.map((it) => it.join(":")).join()}}`
  ),
);

const segment = fc.oneof(quoted, fc.constantFrom("0", "1", "2", "3", "-1", "-2", '"0"'));
const modifiers = fc.constantFrom<string[]>([], [], [], [], ["parents"]);
const items = fc.array(value, { maxLength: 3 }).map((it) => [it.join(), String(it.length)]);
const none = fc.constant<string[]>([]);
const KINDS: readonly (readonly [string, fc.Arbitrary<string[]>])[] = [
  ["set", value.map((it) => [it])],
  ["set", scalar.map((it) => [it])],
  ["add", value.map((it) => [it])],
  ["delete", none],
  ["delete", none],
  ["take", none],
  ["push", items],
  ["push", items],
  ["unshift", items],
  ["pop", none],
  ["shift", none],
  ["shift", none],
  [
    "splice",
    fc.tuple(fc.integer({ min: -3, max: 4 }), fc.nat(3), items).map((
      [at, count, it],
    ) => [`${at}`, `${count}`, ...it]),
  ],
  ["increment", fc.constantFrom(["1"], ["-3"], ["0.5"])],
  ["toggle", none],
  ["append", quoted.map((it) => [it])],
  ["test", scalar.map((it) => [it])],
  ["type", fc.constantFrom(["object"], ["array"], ["number"])],
  ["length", fc.nat(3).map((it) => [String(it)])],
  ["exists", none],
  ["absent", none],
  ["copy", none],
];

/** The tokens of one op; most ops of a case share the start of their paths. */
const op = fc.tuple(
  fc.constantFrom(...KINDS).chain(([kind, args]) => fc.tuple(fc.constant(kind), args)),
  fc.array(segment, { maxLength: 3 }),
  modifiers,
  fc.constantFrom<string[]>([], [], [], [], [], ["unlessObject"], ["ifAbsent"], ["ifPresent"]),
).map(([[kind, args], path, before, when]) => [
  ...before,
  ...(kind === "set" ? when : []),
  ...(kind === "add" && path.length === 1 ? ["last"] : []),
  ...[kind, String(path.length), ...path, ...args],
]);

const oneCase = fc.record({
  text: container,
  groups: fc.array(fc.array(op, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 }),
  expires: fc.boolean(),
  fresh: fc.boolean(),
});

/** Texts of many siblings, which are crossed in runs: mostly alike, flat or not, with what looks like their ends. */
const sibling = fc.tuple(
  fc.constantFrom("w", "w", "w", "w", "},{", '"}],', "]}", '},"k9":{', "\\", '\\"', "{"),
  fc.constantFrom('"n":5', '"n":5', '"n":5', '"n":5', '"n":5,"o":{"n":1}', '"n":[{"n":1}]', '"n" : 5'),
).map(([label, rest]) => `{"label":${JSON.stringify(label)},${rest}}`);
const manySiblings: fc.Arbitrary<[string, string[]]> = fc.record({
  items: fc.array(sibling, { minLength: 20, maxLength: 90, size: "max" }),
  odd: fc.option(fc.tuple(fc.nat(90), quoted), { nil: undefined }),
  isMap: fc.boolean(),
  at: fc.nat(95),
  pad: fc.constantFrom(0, 5_000),
  fromEnd: fc.boolean(),
  what: fc.constantFrom(["set", '"label"', '"x"'], ["increment", '"n"', "1"], ["delete", '"n"'], [
    "set",
    '"new"',
    "1",
  ]),
}).map(({ items, odd, isMap, at, pad, fromEnd, what: [op, member, ...args] }) => {
  const name = (index: number): string => odd?.[0] === index ? odd[1] : `"k${index}"`;
  const body = isMap
    ? `{${items.map((item, index) => `${name(index)}:${item}`).join()}}`
    : `[${items.join()}]`;
  const segment = isMap ? name(at) : String(fromEnd ? at - items.length : at);
  const text = `{"pad":"${"k".repeat(pad)}","all":${body},"last":1}`;
  return [text, [op, "3", '"all"', segment, member, ...args, ";", "increment", "1", '"last"', "1"]];
});

describe("apply beside its oracle", () => {
  for (const [how, sha] of SCRIPTS) {
    it(`apply, ${how}, does what the one before it did`, async () => {
      const prefix = uniquePrefix("oracle");
      const key = `${prefix}k`;
      const record = `${prefix}r`;
      const until = Date.now() + 40_000_000;
      const expiry = Date.now() + 1_000_000_000;
      await fc.assert(
        fc.asyncProperty(oneCase, async ({ text, groups, expires, fresh }) => {
          const tokens = groups.flatMap((group, index) => [...(index > 0 ? [";"] : []), ...group.flat()]);
          if (fresh) tokens.push(";", "fresh", "0");
          const pipeline = client.pipeline();
          for (const script of [ORACLE, sha]) {
            pipeline.set(key, text).del(record);
            if (expires) pipeline.pexpireat(key, expiry);
            pipeline.evalsha(script, 2, key, record, "once", "2", "80000000", String(until), ...tokens);
            pipeline.get(key).get(record).pttl(key).call("MEMORY", "USAGE", key);
          }
          const all = (await pipeline.exec())!.map(([error, answer]) => error ? String(error) : answer);
          const [expected, actual] = [all.slice(0, all.length / 2), all.slice(all.length / 2)].map((it) => {
            const [replies, after, recorded, ttl, memory] = it.slice(-5);
            const isKept = Number(ttl) > 900_000_000;
            return { replies, after, recorded, expires: isKept ? "kept" : ttl, memory };
          });
          assertEquals(actual, expected, JSON.stringify({ text, tokens }));
        }),
        { ...fuzz(2), endOnFailure: true },
      );
    });

    it(`apply, ${how}, crosses many siblings as the one before it did`, async () => {
      const key = `${uniquePrefix("oracle")}k`;
      await fc.assert(
        fc.asyncProperty(manySiblings, async ([text, tokens]) => {
          const pipeline = client.pipeline();
          for (const script of [ORACLE, sha]) {
            pipeline.set(key, text).evalsha(script, 1, key, ...tokens).get(key);
          }
          const [, expected, expectedText, , actual, actualText] = (await pipeline.exec())!.map((it) =>
            it[1]
          );
          assertEquals([actual, actualText], [expected, expectedText], JSON.stringify({ text, tokens }));
        }),
        { ...fuzz(1), endOnFailure: true },
      );
    });
  }
});

/** Many reads of one text, which may have lost some bytes. */
const manyReads = fc.record({
  text: container,
  cut: fc.option(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 4 })), { freq: 2, nil: undefined }),
  reads: fc.array(
    fc.tuple(
      fc.constantFrom("get", "get", "get", "type", "length", "keys", "exists"),
      fc.array(segment, { maxLength: 4 }),
    ),
    { minLength: 2, maxLength: 40 },
  ),
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("read of many places beside itself", () => {
  it("read goes on where others have been, and answers as each read by itself does", async () => {
    const key = `${uniquePrefix("oracle")}k`;
    const sha = await load(inPieces(READ.text));
    await fc.assert(
      fc.asyncProperty(manyReads, async ({ text, cut, reads }) => {
        const [at, length] = cut ?? [0, 0];
        const kept = text.slice(0, at) + text.slice(at + length);
        const tokens = reads.map(([kind, path]) => [kind, String(path.length), ...path]);
        const pipeline = client.pipeline().set(key, kept).evalsha(sha, 1, key, ...tokens.flat());
        for (const read of tokens) pipeline.evalsha(READ.sha1, 1, key, ...read);
        const [, together, ...alone] = (await pipeline.exec())!.map(([error, answer]) =>
          error ? String(error) : answer
        );
        const replies = alone.flat();
        // Of what is no JSON each read tells what it has met.
        if (isJson(kept)) assertEquals(together, replies, JSON.stringify({ kept, tokens }));
        else assertEquals((together as string[]).length, replies.length, JSON.stringify({ kept, tokens }));
      }),
      { ...fuzz(2), endOnFailure: true },
    );
  });
});
