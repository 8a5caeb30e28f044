/** Ops that go on where others have been do what each by itself does: replies, texts, records, expiries and memory. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { compile } from "../../src/call/call.ts";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import type { Group, Op } from "../../src/data/op.ts";
import type { Segment } from "../../src/data/path.ts";
import { Replica } from "../../src/replica/replica.ts";
import { fuzz } from "../support/fuzz.ts";
import { inPieces, oneByOne } from "../support/in_pieces.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const load = async (text: string): Promise<string> => String(await client.script("LOAD", text));
const [PIECES, PLAIN] = [await load(inPieces(APPLY.text)), await load(oneByOne(APPLY.text))];
await load(APPLY.text);
await load(READ.text);

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

type Texts = fc.Arbitrary<string>;

const listOf = (item: Texts, maxLength: number): Texts =>
  fc.tuple(gap, gap, fc.array(item, { maxLength })).map(([before, after, items]) =>
    `[${before}${items.join(`${after},${before}`)}${after}]`
  );
const objectOf = (item: Texts, maxLength: number): Texts =>
  fc.tuple(gap, gap, fc.array(fc.tuple(spelled, item), { maxLength })).map(([before, after, members]) => {
    const texts = members.map(([name, item]) => `${name}:${before}${item}`);
    return `{${before}${texts.join(`${after},${before}`)}${after}}`;
  });
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    scalar,
    listOf(tie("value"), 5),
    objectOf(tie("value"), 5),
  ),
}));
const container = fc.oneof(listOf(value, 20), objectOf(value, 12));

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

/** Tokens that are about a key as a whole, or go to another one. */
const wholes = fc.constantFrom(
  ...[
    "@ 2",
    "@ 1",
    "expire 0 900000000",
    "persist 0",
    "delete 0",
    "take 0",
    "pick 0 @ 2 put 0",
    "pick 0 @ 1 put 0",
  ],
  ...[
    "@ 2 pick 0 @ 1 put 0 @ 2 delete 0",
    "exists 0",
    "absent 0",
    "ttl 950000000 set 0 [1]",
    'ifAbsent set 0 {"a":1}',
  ],
).map((it) => () => it.split(" "));

/** Makes the tokens of one op, mostly at or in the place that a case is about. */
const op = fc.tuple(
  fc.constantFrom(...KINDS).chain(([kind, args]) => fc.tuple(fc.constant(kind), args)),
  fc.constantFrom("at", "at", "at", "in", "elsewhere"),
  fc.array(segment, { minLength: 1, maxLength: 3 }),
  modifiers,
  fc.constantFrom<string[]>([], [], [], [], [], ["unlessObject"], ["ifAbsent"], ["ifPresent"]),
).map(([[kind, args], where, segments, before, when]) => (place: readonly string[]) => {
  const path = where === "at" ? place : where === "in" ? [...place, segments[0]] : segments;
  return [
    ...before,
    ...(kind === "set" ? when : []),
    ...(kind === "add" && path.length === 1 ? ["last"] : []),
    ...[kind, String(path.length), ...path, ...args],
  ];
});

const step = fc.oneof({ weight: 8, arbitrary: op }, { weight: 1, arbitrary: wholes });

/** The container, with so long a text in front that what grows behind it is written in place. */
const long = container.map((it) => {
  const [first, isEmpty] = [`"${"k".repeat(6_000)}"`, /^.\s*.$/.test(it)];
  return `${it[0]}${it[0] === "[" ? first : `"pad":${first}`}${isEmpty ? "" : ","}${it.slice(1)}`;
});

const oneCase = fc.record({
  text: fc.oneof({ weight: 3, arbitrary: container }, { weight: 1, arbitrary: long }),
  other: fc.option(container),
  place: fc.oneof(fc.constant<string[]>([]), fc.array(segment, { maxLength: 2 })),
  groups: fc.array(
    fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 8 }),
      after: fc.option(fc.nat(5), { freq: 4 }),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  expires: fc.boolean(),
  fresh: fc.boolean(),
});

/** What is done to a member of one sibling. */
type Member =
  & { readonly name: string }
  & (
    | { readonly kind: "set"; readonly value: string }
    | { readonly kind: "increment"; readonly by: string }
    | { readonly kind: "delete" }
  );

/** Texts of many siblings, which are crossed in runs: mostly alike, flat or not, with what looks like their ends. */
const sibling = fc.tuple(
  fc.constantFrom("w", "w", "w", "w", "},{", '"}],', "]}", '},"k9":{', "\\", '\\"', "{"),
  fc.constantFrom('"n":5', '"n":5', '"n":5', '"n":5', '"n":5,"o":{"n":1}', '"n":[{"n":1}]', '"n" : 5'),
).map(([label, rest]) => `{"label":${JSON.stringify(label)},${rest}}`);
const manySiblings: fc.Arbitrary<[text: string, make: (key: string) => Group[]]> = fc.record({
  items: fc.array(sibling, { minLength: 20, maxLength: 90, size: "max" }),
  odd: fc.option(fc.tuple(fc.nat(90), quoted), { nil: undefined }),
  isMap: fc.boolean(),
  at: fc.nat(95),
  pad: fc.constantFrom(0, 5_000),
  fromEnd: fc.boolean(),
  what: fc.constantFrom<Member>(
    { kind: "set", name: "label", value: '"x"' },
    { kind: "increment", name: "n", by: "1" },
    { kind: "delete", name: "n" },
    { kind: "set", name: "new", value: "1" },
  ),
}).map(({ items, odd, isMap, at, pad, fromEnd, what: { name: member, ...op } }) => {
  const name = (index: number): string => odd?.[0] === index ? odd[1] : `"k${index}"`;
  const body = isMap
    ? `{${items.map((item, index) => `${name(index)}:${item}`).join()}}`
    : `[${items.join()}]`;
  const segment: Segment = isMap ? JSON.parse(name(at)) : fromEnd ? at - items.length : at;
  const text = `{"pad":"${"k".repeat(pad)}","all":${body},"last":1}`;
  return [text, (key) => [
    [{ ...op, path: [key, "all", segment, member] } as Op],
    [{ kind: "increment", path: [key, "last"], by: "1" }],
  ]];
});

describe("apply in pieces", () => {
  it("apply, in pieces, does what it does one by one", async () => {
    const prefix = uniquePrefix("pieces");
    const [a, b, record] = [`${prefix}a`, `${prefix}b`, `${prefix}r`];
    const until = Date.now() + 40_000_000;
    const expiry = Date.now() + 1_000_000_000;
    await fc.assert(
      fc.asyncProperty(oneCase, async ({ text, other, place, groups, expires, fresh }) => {
        const tokens = groups.flatMap(({ steps, after }, index) => [
          ...(index > 0 ? [";"] : []),
          ...(after !== null && after < index ? ["after", String(after + 1)] : []),
          ...steps.flatMap((make) => make(place)),
        ]);
        if (fresh) tokens.push(";", "fresh", "0", "@", "2", "fresh", "0");
        const pipeline = client.pipeline();
        for (const script of [PLAIN, PIECES]) {
          pipeline.del(a, b, record).set(a, text);
          if (other !== null) pipeline.set(b, other);
          else pipeline.del(b);
          if (expires) pipeline.pexpireat(a, expiry);
          else pipeline.persist(a);
          pipeline.evalsha(script, 3, a, b, record, "once", "3", "80000000", String(until), ...tokens);
          pipeline.mget(a, b).get(record).pttl(a).pttl(b).call("MEMORY", "USAGE", a);
        }
        const all = (await pipeline.exec())!.map(([error, answer]) => error ? String(error) : answer);
        const [expected, actual] = [all.slice(0, all.length / 2), all.slice(all.length / 2)].map((it) => {
          const [replies, after, recorded, ttlA, ttlB, memory] = it.slice(-6);
          // The time of one case is nothing beside these.
          const expiries = [ttlA, ttlB].map((ttl) => Math.round(Number(ttl) / 10_000_000));
          return { replies, after, recorded, expiries, memory };
        });
        assertEquals(actual, expected, JSON.stringify({ text, other, tokens }));
      }),
      { ...fuzz(4), endOnFailure: true },
    );
  });

  it("apply, in pieces, leaves white space where it does one by one", async () => {
    const key = `${uniquePrefix("pieces")}k`;
    for (const script of [PLAIN, PIECES]) {
      await client.set(key, "[1 ,2]");
      await client.evalsha(script, 1, key, ..."exists 0 pop 0 push 0 3 1".split(" "));
      assertEquals(await client.get(key), "[1,3 ]");
    }
  });

  it("apply, in pieces, tells what came before the first element from what is gone", async () => {
    const key = `${uniquePrefix("pieces")}k`;
    for (const script of [PLAIN, PIECES]) {
      await client.set(key, "[1,2,3]");
      const tokens =
        "exists 0 shift 0 unshift 0 8,9 2 unshift 0 7 1 set 1 2 5 push 0 4 1 take 1 0 length 0 5";
      const replies = await client.evalsha(script, 1, key, ...tokens.split(" "));
      assertEquals([replies, await client.get(key)], [["", "1", "4", "5", "", "6", "7", ""], "[8,5,2,3,4]"]);
    }
  });

  for (const [how, script] of [["", APPLY.sha1], [" in pieces", PIECES]]) {
    it(`apply${how} crosses many siblings as a replica does`, async () => {
      const key = `${uniquePrefix("siblings")}k`;
      await fc.assert(
        fc.asyncProperty(manySiblings, async ([text, make]) => {
          const replica = new Replica([[key, text]]);
          const groups = make(key);
          const expected = groups.flatMap((group) => replica.apply(group)!);
          const { args } = compile("", groups);
          const pipeline = client.pipeline().set(key, text).evalsha(script, 1, key, ...args).get(key);
          const [, replies, after] = (await pipeline.exec())!.map((it) => it[1]);
          assertEquals([replies, after], [expected, replica.text(key)], JSON.stringify({ text, groups }));
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
    const key = `${uniquePrefix("reads")}k`;
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
