import { createHash } from "node:crypto";
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { compile, compileReads } from "../../src/call/call.ts";
import type { Json } from "../../src/data/json.ts";
import type { Group, Op, Read } from "../../src/data/op.ts";
import type { Path, Segment } from "../../src/data/path.ts";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import { fuzz } from "../support/fuzz.ts";
import { applyJs } from "../support/js_model.ts";
import {
  documentText,
  HOSTILE,
  locate,
  type Node,
  numberText,
  parseText,
  pathsOf,
  stringText,
  valueText,
} from "../support/json_text.ts";
import { repliesOf } from "../support/replies.ts";
import { withoutShortWay } from "../support/in_pieces.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";
import { addNumbers, applyGroup, applyRead, canonical, type Texts } from "../support/text_model.ts";

const client = testClient();
const BATCH = 25;

/** A script that takes a value longer than so many bytes for a long one, of which it reads a part first. */
function withPrefix(script: string, bytes: number): string {
  const text = script === APPLY.text ? withoutShortWay(script) : script;
  const load = text.match(/^local function load\(.*?^end\n/ms)![0];
  const changes = [
    ["hint or 4096", `hint or ${bytes}`],
    ["(is_name and 4 or 16) * 16384", `(is_name and 2 or 4) * ${bytes}`],
    ["16384 - 1", `${2 * bytes} - 1`],
  ];
  for (const [from] of changes) assertStrictEquals(load.split(from).length, 2, from);
  return text.replace(load, changes.reduce((made, [from, to]) => made.replace(from, to), load));
}

/** Both scripts, loaded, by the bytes that they read first; 0 for the scripts as they are. */
const shaOf = new Map<number, { apply: string; read: string }>();
for (const bytes of [0, 2, 9, 24, 70, 200]) {
  const load = async (text: string) =>
    String(await client.script("LOAD", bytes === 0 ? text : withPrefix(text, bytes)));
  shaOf.set(bytes, { apply: await load(APPLY.text), read: await load(READ.text) });
}

/** The double so many steps above a positive one. */
function neighbour(value: number, step: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigUint64(0, view.getBigUint64(0) + BigInt(step));
  return Number.isFinite(view.getFloat64(0)) ? view.getFloat64(0) : value;
}

// ---- Random ops, made to fit the document that they meet ----

const KINDS: readonly Op["kind"][] = [
  ...["set", "set", "set", "delete", "take", "push", "unshift", "pop", "shift", "splice"] as const,
  ...[
    "increment",
    "toggle",
    "append",
    "test",
    "exists",
    "absent",
    "type",
    "length",
    "keys",
    "add",
    "add",
    "copy",
  ] as const,
];

const seed = fc.record({
  kind: fc.constantFrom(...KINDS),
  key: fc.constantFrom("a", "a", "a", "b"),
  pick: fc.nat(),
  twist: fc.nat(19),
  name: fc.oneof(
    fc.constantFrom<Segment>(0, 1, 2, -1, -2, 40, "2", "-1"),
    fc.constantFrom<Segment>(...HOSTILE),
  ),
  value: valueText,
  number: numberText,
  text: stringText,
  items: fc.array(valueText, { maxLength: 3 }),
  start: fc.integer({ min: -8, max: 20 }),
  deleteCount: fc.integer({ min: -1, max: 20 }),
  flag: fc.nat(5),
});
type Seed = typeof seed extends fc.Arbitrary<infer S> ? S : never;

const FITTING: Readonly<Partial<Record<Op["kind"], Node["type"]>>> = {
  push: "array",
  unshift: "array",
  pop: "array",
  shift: "array",
  splice: "array",
  increment: "number",
  toggle: "boolean",
  append: "string",
};

/** A path in the text: mostly one that fits the op, now and then beside it, above or below it. */
function pathFor({ key, pick, twist, name }: Seed, text: string | undefined, type?: Node["type"]): Path {
  if (text === undefined) return twist % 2 === 0 ? [key] : [key, name];
  const all = pathsOf(locate(text));
  const fitting = type ? all.filter((it) => it.node.type === type) : all;
  const { path } =
    (fitting.length > 0 && twist !== 0 ? fitting : all)[pick % (fitting.length || all.length)] ??
      all[0];
  const parents = new Map(all.map((it) => [JSON.stringify(it.path), it.node]));
  const parent = parents.get(JSON.stringify(path.slice(0, -1)));
  const last = path.at(-1);
  if (twist === 1) return [key, ...path, name];
  if (twist === 2) return [key, ...path, name, twist];
  if (twist === 3) return [key, ...path, 0, "new"];
  if (twist === 4 && path.length > 0) return [key, ...path.slice(0, -1), name];
  if (twist === 5 && path.length > 0) return [key, ...path.slice(0, -1), parent?.children.length ?? 0];
  if (twist <= 8 && path.length > 0 && typeof last === "number") {
    return [key, ...path.slice(0, -1), twist === 8 ? String(last) : last - (parent?.children.length ?? 0)];
  }
  return [key, ...path];
}

function opFor(chosen: Seed, texts: Texts): Op {
  const { kind, value, number, text, items, start, deleteCount, flag } = chosen;
  const source = texts.get(chosen.key);
  const path = pathFor(chosen, source, FITTING[kind]);
  const parents = flag === 1 ? { parents: true } : {};
  switch (kind) {
    case "set":
      return {
        ...{ kind, path, value, ...parents },
        ...(flag === 2
          ? { when: "absent" }
          : flag === 3
          ? { when: "present" }
          : flag === 4
          ? { when: "not-object" }
          : {}),
      };
    case "add":
      return { kind, path, value };
    case "push":
    case "unshift":
      return { kind, path, items, ...parents };
    case "splice":
      return { kind, path, start, deleteCount, items, ...parents };
    case "increment":
      return { kind, path, by: number, ...parents, ...(flag > 2 ? { exact: true } : {}) };
    case "append":
      return { kind, path, text, ...parents };
    case "test": {
      const expected = flag < 2
        ? value
        : respelled(readText(texts, path) ?? value, flag === 4 && chosen.start > 0 ? 5 : flag);
      if (flag === 4) {
        return { kind, path, value: createHash("sha1").update(expected).digest("hex"), by: "sha1" };
      }
      return { kind, path, value: expected, ...(flag === 5 ? { by: "bytes" } : {}) };
    }
    case "type":
    case "length":
    case "keys": {
      const found = applyRead(texts, { kind, path });
      const value = flag === 1 || found.startsWith("!")
        ? { type: "null", length: 1, keys: "[]" }[kind]
        : found;
      return { kind, path, value: kind === "length" ? Number(value) : value } as Op;
    }
    default:
      return { kind, path } as Op;
  }
}

function readText(texts: Texts, path: Path): string | undefined {
  const text = applyRead(texts, { kind: "get", path });
  return text.startsWith("!") ? undefined : text;
}

/** Another text of the same value. */
function respelled(text: string, how: number): string {
  if (how === 5) return text;
  const turned = (value: Json): Json =>
    Array.isArray(value)
      ? value.map(turned)
      : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).reverse().map(([name, it]) => [name, turned(it)]))
      : value;
  const value = turned(parseText(text));
  return how === 4 ? JSON.stringify(value, null, 1) : JSON.stringify(value);
}

// ---- One case: two documents, groups of ops, reads ----

interface Case {
  readonly documents: readonly [string, string | undefined];
  readonly seeds: readonly (readonly Seed[])[];
}

const oneCase: fc.Arbitrary<Case> = fc.record({
  documents: fc.tuple(documentText, fc.option(documentText, { nil: undefined })),
  seeds: fc.oneof(
    { weight: 3, arbitrary: fc.tuple(fc.tuple(seed)) },
    {
      weight: 1,
      arbitrary: fc.array(fc.array(seed, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
    },
  ),
});

interface Plan {
  readonly groups: readonly Group[];
  readonly reads: readonly Read[];
  readonly replies: readonly string[];
  readonly answers: readonly string[];
  readonly texts: Texts;
}

/** Runs the model: what the ops are, what they must answer, what must be there in the end. */
function plan({ documents, seeds }: Case): Plan {
  const texts: Texts = new Map();
  if (documents[0] !== undefined) texts.set("a", documents[0]);
  if (documents[1] !== undefined) texts.set("b", documents[1]);
  const groups: Group[] = [];
  const replies: string[] = [];
  for (const some of seeds) {
    const trial: Texts = new Map(texts);
    const group: Op[] = [];
    for (const one of some) {
      const op = opFor(one, trial);
      group.push(op);
      applyGroup(trial, [op]);
    }
    const before = new Map(texts);
    const expected = applyGroup(texts, group);
    checkAgainstJs(before, group, expected, texts);
    groups.push(group);
    replies.push(...expected);
  }
  const kinds = ["get", "type", "length", "keys", "exists"] as const;
  const reads = seeds.flat().map((one, index): Read => {
    const type = (["array", "object", "string"] as const)[one.flag];
    return { kind: kinds[(one.pick + index) % 5], path: pathFor(one, texts.get(one.key), type) };
  });
  return { groups, reads, replies, answers: reads.map((read) => applyRead(texts, read)), texts };
}

/** How many groups that were applied could be held against plain JavaScript, and how many could not. */
const compared = { yes: 0, no: 0 };

/** The model of texts agrees with plain JavaScript. */
function checkAgainstJs(before: Texts, group: Group, replies: readonly string[], after: Texts): void {
  if (replies.some((reply) => reply.startsWith("!"))) return assertEquals(after, before);
  // Sums of long integers are more exact in texts than in JavaScript.
  const isBeyond = group.some(({ kind }) => kind === "increment") &&
    [...before.values(), JSON.stringify(group)].some((text) => /\d{16}/.test(text));
  compared[isBeyond ? "no" : "yes"]++;
  if (isBeyond) return;
  const valuesOf = (texts: Texts): Record<string, Json> =>
    Object.fromEntries([...texts].map(([key, text]) => [key, parseText(text)]));
  const values = valuesOf(before);
  group.forEach((op, index) => {
    const result = applyJs(values, op);
    const reply = replies[index];
    assertEquals(
      reply === "" ? undefined : canonical(parseText(reply)),
      result === undefined ? undefined : canonical(result),
      `reply to ${JSON.stringify(op)}: ${reply} is not ${JSON.stringify(result)}`,
    );
  });
  assertStrictEquals(
    canonical(valuesOf(after)),
    canonical(values),
    `texts differ: ${JSON.stringify([[...before], group, [...after], canonical(values)])}`,
  );
}

async function check(cases: readonly Case[], sha: { apply: string; read: string }): Promise<void> {
  const prefix = uniquePrefix("fidelity");
  const pipeline = client.pipeline();
  const plans = cases.map((it, index) => {
    const planned = plan(it);
    const mine = `${prefix}${index}:`;
    ["a", "b"].forEach((key, place) => {
      const document = it.documents[place];
      if (document !== undefined) pipeline.set(mine + key, document);
    });
    const apply = compile(mine, planned.groups);
    const read = compileReads(mine, planned.reads);
    pipeline.evalsha(sha.apply, apply.keys.length, ...apply.keys, ...apply.args);
    pipeline.mget(`${mine}a`, `${mine}b`);
    pipeline.evalsha(sha.read, read.keys.length, ...read.keys, ...read.args);
    pipeline.unlink(`${mine}a`, `${mine}b`);
    return planned;
  });
  const answers = (await pipeline.exec())!.filter(([, answer]) => answer !== "OK");
  plans.forEach((planned, index) => {
    const [replies, texts, reads] = answers.slice(index * 4, index * 4 + 3).map(([error, answer]) => {
      if (error) throw error;
      return answer;
    });
    const story = () => JSON.stringify({ ...cases[index], groups: planned.groups, reads: planned.reads });
    const same = (actual: unknown, expected: unknown, what: string) => {
      if (JSON.stringify(actual) !== JSON.stringify(expected)) {
        assertEquals(
          actual,
          expected,
          `${what}: ${JSON.stringify(actual)} is not ${JSON.stringify(expected)}: ${story()}`,
        );
      }
    };
    same(repliesOf(replies, planned.replies.length), planned.replies, "replies");
    same(texts, [planned.texts.get("a") ?? null, planned.texts.get("b") ?? null], "texts");
    same(reads, planned.answers, "reads");
  });
}

function batches(size = BATCH): fc.Arbitrary<Case[]> {
  return fc.array(oneCase, { minLength: size, maxLength: size });
}

// A failure names one case of its batch; shrinking the batch would take an hour and reveal no more.
describe("fidelity", () => {
  it("apply changes what the ops address and no other byte, and answers what JavaScript answers", async () => {
    await fc.assert(fc.asyncProperty(batches(), (cases) => check(cases, shaOf.get(0)!)), {
      ...fuzz(1 / BATCH),
      endOnFailure: true,
    });
    assert(compared.yes > 2 * compared.no, JSON.stringify(compared));
  });

  it("apply and read do the same on values of which they read a part first", async () => {
    const sizes = fc.constantFrom(...[...shaOf.keys()].filter((bytes) => bytes > 0));
    await fc.assert(
      fc.asyncProperty(batches(), sizes, (cases, bytes) => check(cases, shaOf.get(bytes)!)),
      { ...fuzz(1 / BATCH), endOnFailure: true },
    );
  });

  it("apply and read take of equal names the first that is spelled as ours, else the first", async () => {
    const NAMES = ["a", ",a", "é", "}", '"', "/", ""];
    const spelled = fc.constantFrom(...NAMES).chain((name) => {
      const units = Array.from(name, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
      return fc.constantFrom(
        JSON.stringify(name),
        `"${units.join("")}"`,
        `"${units.join("").toUpperCase().replaceAll("U", "u")}"`,
      );
    });
    const object = fc.array(fc.tuple(spelled, fc.constantFrom("1", '{"a":"}"}', '["\\u0061"]', '"x\\n"')), {
      maxLength: 8,
    }).map((members) => `{${members.map(([name, value]) => `${name}:${value}`).join(",")}}`);
    await fc.assert(
      fc.asyncProperty(object, fc.constantFrom(...NAMES), async (text, name) => {
        const key = uniquePrefix("names");
        const read: Read = { kind: "get", path: [key, "o", name] };
        const whole = `{"o":${text}}`;
        await client.set(key, whole);
        const reads = compileReads("", [read]);
        const expected = applyRead(new Map([[key, whole]]), read);
        assertEquals(await client.evalsha(shaOf.get(0)!.read, 1, key, ...reads.args), [expected]);
        const groups: Group[] = [[{ kind: "delete", path: [key, "o", name] }]];
        const texts: Texts = new Map([[key, whole]]);
        const replies = applyGroup(texts, groups[0]);
        const { keys, args } = compile("", groups);
        const answer = await client.evalsha(shaOf.get(0)!.apply, 1, ...keys, ...args);
        assertEquals(repliesOf(answer, 1), replies);
        assertStrictEquals(await client.get(key), texts.get(key));
        await client.unlink(key);
      }),
      fuzz(0.5),
    );
  });

  it("apply increments as BigInt does where both are integers, and as doubles do elsewhere", async () => {
    const double = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.tuple(fc.integer({ min: -(2 ** 30), max: 2 ** 30 }), fc.integer({ min: -30, max: 30 })).map((
        [n, e],
      ) => n * 10 ** e),
      // powers of two and their neighbours, where the shortest text is hardest to find
      fc.tuple(fc.integer({ min: -1074, max: 1023 }), fc.constantFrom(-1, 0, 1)).map(([exponent, step]) =>
        neighbour(2 ** exponent, step)
      ),
    ).map((value) => JSON.stringify(value));
    const digits = fc.oneof(
      fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }),
      fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }),
      fc.tuple(fc.nat(40), fc.integer({ min: -2, max: 2 }), fc.boolean()).map(([power, step, isNegative]) =>
        (10n ** BigInt(power) + BigInt(step)) * (isNegative ? -1n : 1n)
      ),
    ).map(String);
    const number = fc.oneof(double, digits, numberText);
    const sums = fc.array(fc.tuple(number, fc.oneof(number, fc.constant("0.0")), fc.boolean()), {
      minLength: BATCH,
      maxLength: BATCH,
    });
    const key = uniquePrefix("increment");
    await fc.assert(
      fc.asyncProperty(sums, async (cases) => {
        await client.set(key, `[${cases.map(([a]) => a).join(" , ")}]`);
        const groups = cases.map(([, by, exact], index): Group => [
          { kind: "increment", path: [key, index], by, ...(exact ? { exact } : {}) },
        ]);
        const { keys, args } = compile("", groups);
        const replies = await client.evalsha(shaOf.get(0)!.apply, keys.length, ...keys, ...args);
        const expected = cases.map(([a, by, exact]) => addNumbers(a, by, exact));
        assertEquals(
          replies,
          expected.map((sum) => sum.startsWith("!") ? `!NUMBER 1 ${sum.slice(1)}` : sum),
          JSON.stringify(cases),
        );
        assertStrictEquals(
          await client.get(key),
          `[${expected.map((sum, index) => sum.startsWith("!") ? cases[index][0] : sum).join(" , ")}]`,
        );
      }),
      fuzz(2 / BATCH),
    );
  });

  it("apply increment writes every power of two and its neighbours as JavaScript does", async () => {
    const key = uniquePrefix("powers");
    for (let from = -1074; from < 1024; from += 100) {
      const exponents = Array.from({ length: Math.min(100, 1024 - from) }, (_, index) => from + index);
      const values = exponents.flatMap((exponent) =>
        [-1, 0, 1].map((step) => neighbour(2 ** exponent, step))
      );
      await client.set(key, `[${values.map((value) => value.toExponential()).join(",")}]`);
      const groups = values.map((_, index): Group => [{ kind: "increment", path: [key, index], by: "0.0" }]);
      const { keys, args } = compile("", groups);
      assertEquals(
        await client.evalsha(shaOf.get(0)!.apply, keys.length, ...keys, ...args),
        values.map(String),
      );
    }
  });
});
