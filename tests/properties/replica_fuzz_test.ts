import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compile, compileReads } from "../../src/call/call.ts";
import type { Group, Op, Read } from "../../src/data/op.ts";
import type { Path, Segment } from "../../src/data/path.ts";
import { Replica } from "../../src/replica/replica.ts";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import { fuzz } from "../support/fuzz.ts";
import {
  documentText,
  HOSTILE,
  locate,
  type Node,
  numberText,
  pathsOf,
  stringText,
  valueText,
} from "../support/json_text.ts";
import { repliesOf } from "../support/replies.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";
import { inPieces, readingFirst } from "../support/in_pieces.ts";

const client = testClient();
/** The script, one that takes every value for one that many ops work on, and some that read the start of a value first. */
const SCRIPTS = [
  ["", String(await client.script("LOAD", APPLY.text))],
  [" in pieces", String(await client.script("LOAD", inPieces(APPLY.text)))],
  [" with 30 bytes read first", String(await client.script("LOAD", readingFirst(APPLY.text, 30)))],
  [" with 150 bytes read first", String(await client.script("LOAD", readingFirst(APPLY.text, 150)))],
] as const;
const readSha = String(await client.script("LOAD", READ.text));
const BATCH = 50;
const KEYS = ["a", "b", "c"] as const;
/** Of values that expire before a case, in milliseconds; no op of a case sets so long a time. */
const LONG = 1_000_000_000;

// ---- Documents ----

/** Another spelling of the same name or string. */
function respell(string: string, how: number): string {
  const characters: string = JSON.parse(string);
  if (how === 0) return JSON.stringify(characters);
  return `"${
    characters.split("").map((unit, index) => {
      const code = unit.charCodeAt(0);
      const escape = `\\u${code.toString(16).padStart(4, "0")}`;
      return how === 1 || index % 2 === 0 || code > 0x7e ? escape : JSON.stringify(unit).slice(1, -1);
    }).join("")
  }"`;
}

/** The text as `json.dumps` of Python writes it; numbers keep their spelling. */
function pythonText(text: string, node: Node = locate(text)): string {
  const ascii = (string: string): string =>
    JSON.stringify(JSON.parse(string)).replace(
      /[^ -~]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  if (node.type === "array") return `[${node.children.map((it) => pythonText(text, it.node)).join(", ")}]`;
  if (node.type === "object") {
    const members = node.children.map((it) =>
      `${ascii(JSON.stringify(it.name))}: ${pythonText(text, it.node)}`
    );
    return `{${members.join(", ")}}`;
  }
  const source = text.slice(node.start, node.end);
  return node.type === "string" ? ascii(source) : source;
}

/** The text with a second member of a name that it has, spelled in the same way or in another one. */
function withTwin(text: string, pick: number, value: string): string {
  const objects = pathsOf(locate(text)).filter(({ node }) =>
    node.type === "object" && node.children.length > 0
  );
  if (objects.length === 0) return text;
  const { children } = objects[pick % objects.length].node;
  const original = children[pick % children.length];
  const twin = `${respell(JSON.stringify(original.name), pick % 3)}: ${value}`;
  const { at } = children[(pick >> 3) % children.length];
  return `${text.slice(0, at)}${twin}${pick % 2 === 0 ? " ," : ","}${text.slice(at)}`;
}

const anyDocument: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: documentText },
  { weight: 2, arbitrary: documentText.map((text) => pythonText(text)) },
  {
    weight: 2,
    arbitrary: fc.tuple(documentText, fc.array(fc.tuple(fc.nat(), valueText), { minLength: 1, maxLength: 3 }))
      .map((
        [text, twins],
      ) => twins.reduce((twinned, [pick, value]) => withTwin(twinned, pick, value), text)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(documentText, fc.nat(12), fc.constantFrom('{"a":', '{ "\\u0061" : ', "[", "[1, "))
      .map((
        [text, depth, open],
      ) => open.repeat(depth) + text + (open.startsWith("[") ? "]" : "}").repeat(depth)),
  },
);

// ---- Groups, made to fit the texts that they meet ----

const KINDS = [
  ...["set", "set", "set", "set", "delete", "delete", "take", "push", "push", "unshift", "pop", "shift"],
  ...[
    "splice",
    "splice",
    "splice",
    "increment",
    "increment",
    "toggle",
    "append",
    "test",
    "test",
    "type",
    "length",
  ],
  ...["keys", "exists", "absent", "add", "add", "copy", "expire", "persist"],
] as const;

const seed = fc.record({
  kind: fc.constantFrom<Op["kind"]>(...KINDS),
  key: fc.constantFrom("a", "a", "a", "b", "c"),
  pick: fc.nat(),
  twist: fc.nat(23),
  name: fc.oneof(
    fc.constantFrom<Segment>(0, 1, 2, -1, -2, 40, "2", "-1", "-0", "-"),
    fc.constantFrom<Segment>(...HOSTILE),
  ),
  value: valueText,
  pad: fc.constantFrom("", "", "", "", "", " ", "\n\t"),
  number: numberText,
  text: stringText,
  items: fc.array(valueText, { maxLength: 3 }),
  start: fc.integer({ min: -8, max: 20 }),
  deleteCount: fc.integer({ min: -1, max: 20 }),
  flag: fc.nat(7),
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
  length: "array",
  keys: "object",
};

/** A path: mostly one that leads to what the op works on, now and then beside it, above or below it. */
function pathFor({ key, pick, twist, name }: Seed, text: string | null, type?: Node["type"]): Path {
  if (text === null) {
    return twist % 3 === 0
      ? [key]
      : twist % 3 === 1
      ? [key, name]
      : [key, name, pick % 2 === 0 ? 0 : "0", "x"];
  }
  const all = pathsOf(locate(text));
  const fitting = type === undefined ? all : all.filter((it) => it.node.type === type);
  const chosen = fitting.length > 0 && twist !== 0 ? fitting : all;
  const { path } = chosen[pick % chosen.length];
  const above = path.slice(0, -1);
  const siblings =
    all.find((it) => it.path.length === above.length && it.path.every((s, i) => s === above[i]))
      ?.node.children.length ?? 0;
  const last = path.at(-1);
  if (twist === 1) return [key, ...path, name];
  if (twist === 2) return [key, ...path, name, twist];
  if (twist === 3) return [key, ...path, "new", pick % 2 === 0 ? 0 : "0", "x"];
  if (twist === 4 && path.length > 0) return [key, ...above, name];
  if (twist === 5 && path.length > 0) return [key, ...above, siblings];
  if (twist === 10 && path.length > 0) return [key, ...above, siblings + 1];
  if (twist === 6) return [key, ...path, "-"];
  if (twist <= 9 && typeof last === "number") {
    return [key, ...above, twist === 7 ? String(last) : last - siblings];
  }
  return [key, ...path];
}

/** What an op of this kind works on, to be made where a text has none. */
const MADE: Readonly<Partial<Record<Op["kind"], string>>> = {
  push: "[ ]",
  unshift: "[1 , 2]",
  pop: "[ 1, [2] ]",
  shift: "[\n1,2\n]",
  splice: "[1,2 , 3]",
  toggle: "true",
  append: '"\\u00e9"',
};

function opFor(chosen: Seed, replica: Replica): Op {
  const source = replica.text(chosen.key)!;
  const made = MADE[chosen.kind];
  const type = FITTING[chosen.kind];
  if (
    made !== undefined && source !== null && pathsOf(locate(source)).every(({ node }) => node.type !== type)
  ) {
    return opFor(
      { ...chosen, kind: "set", value: made, flag: 7, twist: Math.max(chosen.twist, 11) },
      replica,
    );
  }
  const { kind, pad, number, text, items, start, deleteCount, flag } = chosen;
  const value = pad + chosen.value + pad;
  const path = pathFor(chosen, source, type);
  const parents = flag === 1 ? { parents: true } : {};
  const there = replica.read({ kind: "get", path })!;
  switch (kind) {
    case "set": {
      const when = (["absent", "present", "not-object"] as const)[flag - 2];
      return {
        ...{ kind, path, value, ...parents },
        ...(when === undefined ? {} : { when }),
        ...(start % 5 === 0 ? { ttl: start < 5 ? 0 : start * 1_000_000 } : {}),
      };
    }
    case "add":
      return { kind, path, value };
    case "push":
    case "unshift":
      return { kind, path, items: items.map((item) => pad + item), ...parents };
    case "splice":
      return { kind, path, start, deleteCount, items: items.map((item) => item + pad), ...parents };
    case "increment":
      return { kind, path, by: number, ...parents, ...(flag > 4 ? { exact: true } : {}) };
    case "append":
      return { kind, path, text, ...parents };
    case "test":
      return {
        ...{ kind, path, value: there.startsWith("!") || flag === 0 ? value : otherText(there, flag) },
        ...(flag > 5 ? { by: "bytes" } : {}),
      };
    case "type":
    case "length":
    case "keys": {
      const found = replica.read({ kind, path })!;
      const value = flag === 1 || found.startsWith("!")
        ? { type: "null", length: "1", keys: "[]" }[kind]
        : found;
      return { kind, path, value: kind === "length" ? Number(value) : value } as Op;
    }
    case "expire":
      return { kind, path: [chosen.key], ttl: 1_000 * (chosen.pick % 100_000 + 1_000) };
    case "persist":
      return { kind, path: [chosen.key] };
    default:
      return { kind, path } as Op;
  }
}

/** Mostly another text of the same value: its members turned, strings and numbers respelled. */
function otherText(text: string, how: number): string {
  if (how > 4) return text;
  const write = (node: Node): string => {
    const { children } = node;
    if (node.type === "array") return `[${children.map((it) => write(it.node)).join(" , ")}]`;
    if (node.type === "object") {
      // Of members with one name the last counts, so it must stay the last.
      const hasTwins = new Set(children.map((it) => it.name)).size < children.length;
      const members = children.map((it) => `${respell(JSON.stringify(it.name), how % 3)}:${write(it.node)}`);
      return `{${(hasTwins ? members : members.reverse()).join(",")}}`;
    }
    const source = text.slice(node.start, node.end);
    if (node.type === "string") return respell(source, how % 3);
    if (node.type !== "number") return source;
    if (how === 1) return JSON.stringify(Number(source)) === "null" ? source : JSON.stringify(Number(source));
    return how === 2 && /^-?\d+$/.test(source) ? `${source}${source.length > 18 ? "e0" : ".0"}` : source;
  };
  return write(locate(text));
}

interface Case {
  readonly texts: readonly [string, string | undefined, string | undefined];
  readonly expires: readonly boolean[];
  readonly seeds: readonly (readonly Seed[])[];
  readonly fresh: number;
}

const seeds = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(fc.tuple(seed)) },
  {
    weight: 2,
    arbitrary: fc.array(fc.array(seed, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
  },
);
const oneCase: fc.Arbitrary<Case> = fc.record({
  texts: fc.tuple(
    anyDocument,
    fc.option(anyDocument, { freq: 8, nil: undefined }),
    fc.option(anyDocument, { freq: 4, nil: undefined }),
  ),
  expires: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  seeds,
  fresh: fc.nat(5),
});

/** Groups that the texts before a case and the groups before them lead to. */
function groupFor(some: readonly Seed[], replica: Replica, fresh: number): Group {
  const trial = new Replica(KEYS.map((key) => [key, replica.text(key)!]));
  const group: Op[] = [];
  for (const [index, chosen] of some.entries()) {
    const key = trial.text(chosen.key) === null && chosen.flag > 2 ? "a" : chosen.key;
    // Now and then the place of the op before again, where something may just have gone.
    const { pick, twist } = chosen.start % 3 === 0 ? some[Math.max(index - 1, 0)] : chosen;
    const one = { ...chosen, key, pick, twist };
    const op = opFor(one, trial);
    group.push(op);
    trial.apply([op]);
    if (op.kind === "copy" && one.flag > 0) {
      group.push({ kind: "add", path: pathFor({ ...one, pick: one.start + 8 }, trial.text(one.key)!) });
    }
  }
  for (const one of some.slice(0, fresh - 3)) {
    group.push({ kind: "fresh", path: pathFor(one, replica.text(one.key)!) });
  }
  return group;
}

// ---- Checking ----

interface Expected {
  readonly groups: readonly Group[];
  readonly reads: readonly Read[];
  readonly replies: readonly string[];
  readonly answers: readonly string[];
  readonly replica: Replica;
}

function run({ texts, seeds, fresh }: Case): Expected {
  const replica = new Replica(KEYS.map((key, index) => [key, texts[index] ?? null]));
  const groups: Group[] = [];
  const replies: string[] = [];
  let isBehindRefusal = false;
  seeds.forEach((some, index) => {
    let group = groupFor(some, replica, fresh);
    let answer = replica.apply(group, isBehindRefusal);
    if (answer === undefined) {
      // Whether the key had an expiry is not known here.
      group = group.filter((op) => op.kind !== "persist");
      if (group.length === 0) group = [{ kind: "exists", path: ["a"] }];
      answer = replica.apply(group, isBehindRefusal);
    }
    assert(answer !== undefined);
    isBehindRefusal ||= answer.some((reply) => reply.startsWith("!"));
    groups.push(group);
    replies.push(...answer);
    // Now and then the texts are asked for in between, which must make no difference.
    if ((fresh + index) % 2 === 0) KEYS.forEach((key) => replica.text(key));
  });
  const kinds = ["get", "type", "length", "keys", "exists", "size"] as const;
  const reads = seeds.flat().map((one, index): Read => {
    const type = (["array", "object", "string"] as const)[one.flag];
    return {
      kind: kinds[(one.pick + index) % kinds.length],
      path: pathFor(one, replica.text(one.key)!, type),
    };
  });
  const anew = new Replica(KEYS.map((key) => [key, replica.text(key)!]));
  const answers = reads.map((read) => {
    const answer = replica.read(read);
    assertEquals(anew.read(read), answer, "A text read anew must say the same");
    return answer!;
  });
  return { groups, reads, replies, answers, replica };
}

async function check(cases: readonly Case[], prefix: string, applySha: string): Promise<void> {
  const pipeline = client.pipeline();
  const all = cases.map((it, index) => {
    const mine = `${prefix}${index}:`;
    const expected = run(it);
    KEYS.forEach((key, place) => {
      const text = it.texts[place];
      if (text === undefined) pipeline.del(mine + key);
      else if (it.expires[place]) pipeline.set(mine + key, text, "PX", LONG);
      else pipeline.set(mine + key, text);
    });
    const names = KEYS.map((key) => mine + key);
    const apply = compile(mine, expected.groups);
    const read = compileReads(mine, expected.reads);
    pipeline.evalsha(applySha, apply.keys.length, ...apply.keys, ...apply.args);
    pipeline.mget(names);
    for (const name of names) pipeline.pttl(name);
    pipeline.evalsha(readSha, read.keys.length, ...read.keys, ...read.args);
    return expected;
  });
  const answers = (await pipeline.exec())!.map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
  all.forEach(({ groups, reads, replies, answers: expectedReads, replica }, index) => {
    const it = cases[index];
    const [replied, texts, ttlA, ttlB, ttlC, read] = answers.slice(index * 9 + 3, index * 9 + 9);
    const same = (actual: unknown, expected: unknown, what: string): void => {
      if (JSON.stringify(actual) === JSON.stringify(expected)) return;
      const story = { texts: it.texts, groups, reads };
      assertEquals(expected, actual, `${what} are not those of the script: ${JSON.stringify(story)}`);
    };
    same(repliesOf(replied, groups.flat().length), replies, "The replies");
    same(texts, KEYS.map((key) => replica.text(key)), "The texts");
    same(read, expectedReads, "The answers to reads");
    [ttlA, ttlB, ttlC].forEach((ttl, place) => {
      const expiry = replica.expiry(KEYS[place]);
      const text = replica.text(KEYS[place]);
      const wanted = text === null ? -2 : expiry === undefined ? it.expires[place] ? LONG : -1 : expiry || -1;
      // The longest that a case may take.
      const isSame = wanted < 0 ? ttl === wanted : Number(ttl) <= wanted && Number(ttl) > wanted - 600_000;
      if (!isSame) same(ttl, wanted, "The expiries");
    });
  });
}

// ---- Numbers ----

const anyNumber: fc.Arbitrary<string> = fc.oneof(
  numberText,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }).map(String),
  fc.tuple(fc.integer({ min: -400, max: 400 }), fc.integer({ min: -99, max: 99 })).map(([power, digits]) =>
    `${digits}e${power}`
  ),
  fc.tuple(fc.integer({ min: 0, max: 405 }), fc.integer({ min: -2, max: 2 }), fc.boolean()).map(
    ([power, step, isNegative]) => String((10n ** BigInt(power) + BigInt(step)) * (isNegative ? -1n : 1n)),
  ),
  fc.tuple(fc.integer({ min: 50, max: 90 }), fc.integer({ min: -1, max: 1 }), fc.boolean()).map(
    ([power, step, isNegative]) => String((2n ** BigInt(power) + BigInt(step)) * (isNegative ? -1n : 1n)),
  ),
);

/** Two numbers, mostly two spellings of one. */
const twoNumbers: fc.Arbitrary<[string, string]> = fc.tuple(anyNumber, anyNumber, fc.nat(6)).map(
  ([a, b, how]) => {
    const value = Number(a);
    if (!Number.isFinite(value) || how === 0) return [a, b];
    if (how === 1) return [a, JSON.stringify(value)];
    if (how === 2) return [a, value.toExponential()];
    if (how === 3 && Number.isInteger(value)) return [a, String(BigInt(value))];
    if (how === 4 && Number.isInteger(value)) return [a, `${BigInt(value)}.00`];
    if (how === 5) return [a, value.toExponential(25).replace("e", "00E")];
    return [a, /[.eE]/.test(a) ? a.replace(/e(?=\d)/i, "e+0") : `${a}e-0`];
  },
);

/** A failure names one case of its batch; shrinking the batch would take an hour and reveal no more. */
function batches<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(arbitrary, { minLength: BATCH, maxLength: BATCH });
}

describe("Replica", () => {
  for (const [how, sha] of SCRIPTS) {
    it(`Replica.apply() and read() give the replies, texts and expiries of the scripts${how}`, async () => {
      const prefix = uniquePrefix("replica");
      await fc.assert(fc.asyncProperty(batches(oneCase), (cases) => check(cases, prefix, sha)), {
        ...fuzz(4 / BATCH),
        endOnFailure: true,
      });
    });
  }

  it("Replica.apply() compares and adds numbers as the script does", async () => {
    const key = uniquePrefix("replica");
    await fc.assert(
      fc.asyncProperty(batches(fc.tuple(twoNumbers, fc.boolean())), async (cases) => {
        const text = `[${cases.map(([[a]]) => a).join(", ")}]`;
        const replica = new Replica([[key, text]]);
        await client.set(key, text);
        const groups = cases.flatMap(([[, by], exact], index): Group[] => [
          [{ kind: "test", path: [key, index], value: by }],
          [{ kind: "increment", path: [key, index], by, ...(exact ? { exact } : {}) }],
        ]);
        const { keys, args } = compile("", groups);
        const replies = await client.evalsha(SCRIPTS[0][1], keys.length, ...keys, ...args) as string[];
        groups.forEach((group, index) => {
          const story = `${JSON.stringify(group)} on ${cases[index >> 1][0][0]}`;
          assertEquals(replica.apply(group), [replies[index]], story);
        });
        assertEquals(replica.text(key), await client.get(key));
      }),
      { ...fuzz(20 / BATCH), endOnFailure: true },
    );
  });
});
