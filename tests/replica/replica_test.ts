import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { compile, compileReads } from "../../src/call/call.ts";
import type { Group, Op, Read } from "../../src/data/op.ts";
import type { Path } from "../../src/data/path.ts";
import { Replica } from "../../src/replica/replica.ts";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import { repliesOf } from "../support/replies.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const applySha = String(await client.script("LOAD", APPLY.text));
const readSha = String(await client.script("LOAD", READ.text));

/** An op without its key, a text, the reply, and the text after it; no text after it where nothing changes. */
type Example = readonly [
  op: { kind: Op["kind"]; path?: Path; [name: string]: unknown },
  before: string | null,
  reply: string,
  after?: string | null,
];

/** Applies each to a replica and to a server. */
async function check(examples: readonly Example[]): Promise<void> {
  const prefix = uniquePrefix("replica");
  for (const [index, [descriptor, before, reply, after = before]] of examples.entries()) {
    const { path = [], ...rest } = descriptor;
    const key = `k${index}`;
    const op = { ...rest, path: [key, ...path] } as unknown as Op;
    const story = JSON.stringify([op, before]);
    const replica = new Replica([[key, before]]);
    assertEquals(replica.apply([op]), [reply], story);
    assertStrictEquals(replica.text(key), after, story);
    if (before !== null) await client.set(prefix + key, before);
    const { keys, args } = compile(prefix, [[op]]);
    const answer = await client.evalsha(applySha, keys.length, ...keys, ...args);
    assertEquals(repliesOf(answer, 1), [reply], `script: ${story}`);
    assertStrictEquals(await client.get(prefix + key), after, `script: ${story}`);
  }
}

describe("Replica.apply()", () => {
  it("set writes a value, a member, an element", () =>
    check([
      [{ kind: "set", value: "1" }, null, "", "1"],
      [{ kind: "set", value: " 1 " }, '{"a":1}', "", " 1 "],
      [{ kind: "set", path: ["a"], value: "2" }, ' { "a" : 1 } ', "", ' { "a" : 2 } '],
      [{ kind: "set", path: ["a"], value: " 2\n" }, '{"a": 1 }', "", '{"a":  2\n }'],
      [{ kind: "set", path: ["b"], value: "2" }, '{"a": 1 }', "", '{"a": 1,"b":2 }'],
      [{ kind: "set", path: ["b"], value: "2" }, "{ }", "", '{"b":2 }'],
      [{ kind: "set", path: ["é"], value: "2" }, '{"\\u00e9": 1}', "", '{"\\u00e9": 2}'],
      [{ kind: "set", path: [1], value: "[]" }, "[1, 2, 3]", "", "[1, [], 3]"],
      [{ kind: "set", path: [-1], value: "4" }, "[1, 2, 3 ]", "", "[1, 2, 4 ]"],
      [{ kind: "set", path: ["1"], value: "4" }, "[1, 2]", "", "[1, 4]"],
      [{ kind: "set", path: [2], value: "4" }, "[1, 2 ]", "", "[1, 2,4 ]"],
      [{ kind: "set", path: [3], value: "4" }, "[1, 2]", "!RANGE 0 2"],
      [{ kind: "set", path: [-3], value: "4" }, "[1, 2]", "!RANGE 0 2"],
      [{ kind: "set", path: ["01"], value: "4" }, "[1, 2]", "!TYPE 0 array"],
      [{ kind: "set", path: ["a", "b"], value: "4" }, '{"a":null}', "!TYPE 1 null"],
      [{ kind: "set", path: ["a", "b"], value: "4" }, "{}", "!NOT_FOUND 0 "],
      [{ kind: "set", path: ["a"], value: "4" }, null, "!NO_KEY 0 "],
      [{ kind: "set", path: ["a", 0, 1], value: "4", parents: true }, null, "", '{"a":[{"1":4}]}'],
      [{ kind: "set", path: ["a", "0", 1], value: "4", parents: true }, "{}", "", '{"a":{"0":{"1":4}}}'],
      [{ kind: "set", path: ["a", "b", 0], value: "4", parents: true }, '{"a":{}}', "", '{"a":{"b":[4]}}'],
    ]));

  it("set asks first what is there", () =>
    check([
      [{ kind: "set", value: "1", when: "absent" }, " [2] ", " [2] "],
      [{ kind: "set", value: "1", when: "absent" }, null, "", "1"],
      [{ kind: "set", path: ["a"], value: "1", when: "absent" }, '{"a": [ 2 ] }', "[ 2 ]"],
      [{ kind: "set", path: ["a"], value: "1", when: "present" }, '{"a": 2}', "true", '{"a": 1}'],
      [{ kind: "set", path: ["a"], value: "1", when: "present" }, "{}", "false"],
      [{ kind: "set", value: "1", when: "present" }, null, "false"],
      [{ kind: "set", path: ["a"], value: "1", when: "not-object" }, '{"a":{}}', ""],
      [{ kind: "set", path: ["a"], value: "1", when: "not-object" }, '{"a":[]}', "", '{"a":1}'],
      [{ kind: "set", value: "1", when: "not-object" }, " {} ", ""],
    ]));

  it("add inserts as a JSON Patch does", () =>
    check([
      [{ kind: "add", path: [0], value: "0" }, "[ 1 ]", "", "[ 0,1 ]"],
      [{ kind: "add", path: [1], value: "0" }, "[ 1 ]", "", "[ 1,0 ]"],
      [{ kind: "add", path: ["-"], value: "0" }, "[ ]", "", "[0 ]"],
      [{ kind: "add", path: ["-"], value: "0" }, '{ "-" : 1 }', "", '{ "-" : 0 }'],
      [{ kind: "add", path: ["-"], value: "0" }, "{}", "", '{"-":0}'],
      [{ kind: "add", path: ["-"], value: "0" }, "1", "!TYPE 0 number"],
      [{ kind: "add", path: ["a", "-"], value: "0" }, "{}", "!NOT_FOUND 0 "],
      [{ kind: "add", path: ["a"], value: "0" }, '{"a":1}', "", '{"a":0}'],
      [{ kind: "add", value: "0" }, null, "", "0"],
    ]));

  it("delete and take remove a comma too", () =>
    check([
      [{ kind: "delete", path: ["a"] }, '{ "a":1 , "b":2 }', "true", '{ "b":2 }'],
      [{ kind: "delete", path: ["b"] }, '{ "a":1 , "b":2 }', "true", '{ "a":1  }'],
      [{ kind: "delete", path: ["a"] }, '{ "a":1 }', "true", "{  }"],
      [{ kind: "delete", path: ["a"] }, "{}", "false"],
      [{ kind: "delete", path: ["a"] }, null, "false"],
      [{ kind: "delete" }, "[1]", "true", null],
      [{ kind: "take", path: [-1] }, "[1, 1.50]", "1.50", "[1]"],
      [{ kind: "take", path: [5] }, "[1]", ""],
      [{ kind: "take" }, " [1]\n", " [1]\n", null],
      [{ kind: "take" }, null, ""],
    ]));

  it("push, unshift, pop, shift and splice change arrays", () =>
    check([
      [{ kind: "push", items: ["3", "[4]"] }, "[1, 2 ]", "4", "[1, 2,3,[4] ]"],
      [{ kind: "push", items: [] }, "[1]", "1"],
      [{ kind: "push", items: ["1"] }, "{}", "!TYPE 0 object"],
      [{ kind: "push", path: ["a"], items: ["1"], parents: true }, "{}", "1", '{"a":[1]}'],
      [{ kind: "push", path: ["a"], items: ["1"] }, "{}", "!NOT_FOUND 0 "],
      [{ kind: "unshift", items: ["0"] }, "[ 1]", "2", "[0, 1]"],
      [{ kind: "unshift", items: ["0"] }, "[ ]", "1", "[0 ]"],
      [{ kind: "pop" }, "[1 , 2 ]", "2", "[1  ]"],
      [{ kind: "pop" }, "[]", ""],
      [{ kind: "shift" }, "[ 1 , 2 ]", "1", "[ 2 ]"],
      [{ kind: "splice", start: 1, deleteCount: 2, items: [] }, "[0, 1, 2, 3]", "[1, 2]", "[0, 3]"],
      [{ kind: "splice", start: -1, deleteCount: 9, items: ["8", "9"] }, "[0, 1 ]", "[1]", "[0, 8,9 ]"],
      [{ kind: "splice", start: 1, deleteCount: 0, items: ["8"] }, "[0, 1]", "[]", "[0, 8,1]"],
      [{ kind: "splice", start: 9, deleteCount: 1, items: ["8"] }, "[0 ]", "[]", "[0,8 ]"],
      [{ kind: "splice", start: 0, deleteCount: -1, items: [] }, "[0]", "[]"],
    ]));

  it("increment, toggle and append change scalars", () =>
    check([
      [{ kind: "increment", by: "2" }, " 1\n", "3", " 3\n"],
      [{ kind: "increment", by: "0.2" }, "0.1", "0.30000000000000004", "0.30000000000000004"],
      [{ kind: "increment", by: "0" }, "1E2", "100", "100"],
      [{ kind: "increment", by: "1" }, "9007199254740991", "!NUMBER 0 integer"],
      [
        { kind: "increment", by: "1", exact: true },
        "9007199254740992",
        "9007199254740993",
        "9007199254740993",
      ],
      [{ kind: "increment", by: "0.5" }, "9007199254740993", "!NUMBER 0 integer"],
      [{ kind: "increment", by: "1e308" }, "1.7e308", "!NUMBER 0 finite"],
      [{ kind: "increment", by: "1" }, "1".repeat(401), "!NUMBER 0 digits"],
      [{ kind: "increment", by: "1" }, '"1"', "!TYPE 0 string"],
      [{ kind: "increment", path: ["n"], by: "1e2", parents: true }, "{}", "1e2", '{"n":1e2}'],
      [{ kind: "toggle" }, "true", "false", "false"],
      [{ kind: "toggle", path: [0] }, "[ false ]", "true", "[ true ]"],
      [{ kind: "toggle" }, "0", "!TYPE 0 number"],
      [{ kind: "append", text: '"\\u00e9😀"' }, '"a\\n"', "5", '"a\\n\\u00e9😀"'],
      [{ kind: "append", text: '"a"' }, "[]", "!TYPE 0 array"],
    ]));

  it("guards refuse by TEST", () =>
    check([
      [{ kind: "test", value: '{"b":[1.0,"\\u0041"],"a":0}' }, '{"a": -0, "b": [1, "A"]}', ""],
      [{ kind: "test", value: "1" }, '"1"', "!TEST 0 "],
      [{ kind: "test", value: '{"a":2}' }, '{"a":1,"\\u0061":2}', ""],
      [{ kind: "test", path: ["a", "b"], value: "1" }, '{"a":{}}', "!TEST 1 "],
      [{ kind: "test", path: ["a"], value: "1" }, null, "!TEST 0 "],
      [{ kind: "test", path: ["a"], value: "[ 1 ]", by: "bytes" }, '{"a": [ 1 ] }', ""],
      [{ kind: "test", value: "[1]", by: "bytes" }, " [1]", "!TEST 0 "],
      [{ kind: "test", value: "1" }, `${"[".repeat(1001)}${"]".repeat(1001)}`, "!LIMIT 0 depth"],
      [{ kind: "type", value: "null" }, " null ", ""],
      [{ kind: "type", value: "null" }, "0", "!TEST 0 "],
      [{ kind: "length", value: 2 }, "[1, 2]", ""],
      [{ kind: "length", value: 2 }, '"ab"', "!TEST 0 "],
      [{ kind: "keys", value: '["a","\\u0062"]' }, '{"a":1, "\\u0062":2}', ""],
      [{ kind: "keys", value: '["a","b"]' }, '{"a":1, "\\u0062":2}', "!TEST 0 "],
      [{ kind: "exists", path: ["a"] }, '{"a":null}', ""],
      [{ kind: "exists", path: ["a"] }, "{}", "!TEST 0 "],
      [{ kind: "absent", path: ["a"] }, "{}", ""],
      [{ kind: "absent" }, "{}", "!TEST 0 "],
    ]));

  it("of several members with one name it takes the first that is spelled so, else the first", () =>
    check([
      [{ kind: "set", path: ["a"], value: "0" }, '{"a":1,"a":2}', "", '{"a":0,"a":2}'],
      [{ kind: "set", path: ["a"], value: "0" }, '{"\\u0061":1,"a":2}', "", '{"\\u0061":1,"a":0}'],
      [
        { kind: "set", path: ["a"], value: "0" },
        '{"\\u0061":1,"\\u0061":2}',
        "",
        '{"\\u0061":0,"\\u0061":2}',
      ],
      [{ kind: "set", path: [","], value: "0" }, '{"\\u002c":1,",":2}', "", '{"\\u002c":1,",":0}'],
      [{ kind: "delete", path: ["a"] }, '{"a":1,"a":2}', "true", '{"a":2}'],
    ]));

  it("where the first of several members with one name is removed the next one is found", () => {
    const replica = new Replica([["k", '{"a":1,"\\u0061":2,"a":3,"b":4}']]);
    assertEquals(replica.read({ kind: "get", path: ["k", "b"] }), "4");
    const replies = ["a", "a", "a", "a"].map((name) =>
      replica.apply([{ kind: "take", path: ["k", name] }])![0]
    );
    assertEquals(replies, ["1", "3", "2", ""]);
    assertStrictEquals(replica.text("k"), '{"b":4}');
  });

  it("a group is applied as a whole or not at all", () => {
    const replica = new Replica([["a", '{"n": 1, "l": [1, 2]}'], ["b", null]]);
    const group: Group = [
      { kind: "increment", path: ["a", "n"], by: "1" },
      { kind: "pop", path: ["a", "l"] },
      { kind: "set", path: ["a", "new"], value: "[]" },
      { kind: "set", path: ["b"], value: "[]" },
      { kind: "expire", path: ["a"], ttl: 5 },
      { kind: "delete", path: ["a"] },
      { kind: "toggle", path: ["b"] },
      { kind: "push", path: ["b"], items: ["1"] },
      { kind: "fresh", path: ["a", "l"] },
      { kind: "fresh", path: ["b"] },
    ];
    assertEquals(replica.apply(group)!.slice(6), ["!TYPE 0 array", "", "[1, 2]", "!NO_KEY 0 "]);
    assertStrictEquals(replica.text("a"), '{"n": 1, "l": [1, 2]}');
    assertStrictEquals(replica.text("b"), null);
    assertStrictEquals(replica.expiry("a"), undefined);
    assertEquals(replica.apply(group.toSpliced(5, 2)), ["2", "2", "", "", "true", "1", "", ""]);
    assertStrictEquals(replica.text("a"), '{"n": 2, "l": [1],"new":[]}');
    assertStrictEquals(replica.text("b"), "[1]");
  });

  it("a refused group leaves what groups before it have made, whether or not that was asked for", () => {
    for (const asks of [false, true]) {
      const replica = new Replica([["a", '{"l": [1, 2] }']]);
      replica.apply([{ kind: "push", path: ["a", "l"], items: ["3"] }]);
      if (asks) replica.text("a");
      const refused: Group = [
        { kind: "set", path: ["a", "x"], value: "1" },
        { kind: "test", path: ["a"], value: "0", by: "bytes" },
      ];
      assertEquals(replica.apply(refused), ["", "!TEST 0 "]);
      assertStrictEquals(replica.text("a"), '{"l": [1, 2,3] }');
      assertEquals(replica.apply([{ kind: "set", path: ["a", "x"], value: "2" }]), [""]);
      assertStrictEquals(replica.text("a"), '{"l": [1, 2,3],"x":2 }');
    }
  });

  it("says what becomes of the expiry", () => {
    const replica = new Replica([["a", "1"], ["b", null]]);
    assertStrictEquals(replica.expiry("a"), undefined);
    assertEquals(replica.apply([{ kind: "set", path: ["a"], value: "2" }]), [""]);
    assertStrictEquals(replica.expiry("a"), undefined);
    assertEquals(replica.apply([{ kind: "set", path: ["a"], value: "2", ttl: 5000 }]), [""]);
    assertStrictEquals(replica.expiry("a"), 5000);
    assertEquals(replica.apply([{ kind: "persist", path: ["a"] }, { kind: "persist", path: ["a"] }]), [
      "true",
      "false",
    ]);
    assertStrictEquals(replica.expiry("a"), 0);
    assertEquals(
      replica.apply([{ kind: "set", path: ["b"], value: "2" }, { kind: "persist", path: ["b"] }]),
      [
        "",
        "false",
      ],
    );
    assertEquals(replica.apply([{ kind: "expire", path: ["b"], ttl: 7 }, { kind: "delete", path: ["b"] }]), [
      "true",
      "true",
    ]);
    assertStrictEquals(replica.expiry("b"), 0);
    assertEquals(replica.apply([{ kind: "expire", path: ["b"], ttl: 7 }]), ["false"]);
  });

  it("copy is for an add of the same group", () => {
    const replica = new Replica([["a", '{"x": [ 1 ] }'], ["b", "[]"]]);
    assertEquals(replica.apply([{ kind: "copy", path: ["a", "x"] }, { kind: "add", path: ["b", "-"] }]), [
      "",
      "",
    ]);
    assertStrictEquals(replica.text("b"), "[[ 1 ]]");
    assertThrows(() => replica.apply([{ kind: "add", path: ["b", "-"] }]), RangeError, "follows no copy");
    assertStrictEquals(replica.text("b"), "[[ 1 ]]");
  });

  it("does not apply what only the server knows", () => {
    const replica = new Replica([["a", "[]"]]);
    const set: Op = { kind: "push", path: ["a"], items: ["1"] };
    for (
      const op of [
        { kind: "exists", path: ["b"] },
        { kind: "persist", path: ["a"] },
        { kind: "test", path: ["a"], value: "97d170e1550eee4afc0af065b78cda302a97674c", by: "sha1" },
      ] as const
    ) {
      assertStrictEquals(replica.apply([set, op]), undefined, op.kind);
      assertStrictEquals(replica.text("a"), "[]");
    }
    assertStrictEquals(replica.text("b"), undefined);
    assertStrictEquals(replica.read({ kind: "exists", path: ["b"] }), undefined);
  });

  it("refuses damage where it meets it, by the offset in bytes", () =>
    check([
      [{ kind: "increment", path: ["é"], by: "1" }, '{"é":1', "!CORRUPT 0 7"],
      [{ kind: "push", items: ["1"] }, '["é" 1]', "!CORRUPT 0 6"],
      [{ kind: "push", path: ["a"], items: ["1"] }, '{"a":[?,1]}', "!CORRUPT 1 6"],
      [{ kind: "increment", path: ["a"], by: "1" }, '{"a":01}', "!CORRUPT 1 5"],
      [{ kind: "exists" }, "1 2", "!CORRUPT 0 3"],
      [{ kind: "exists" }, "", "!CORRUPT 0 0"],
      [{ kind: "take" }, "!", " !", null],
    ]));

  it("ends on any text, with a reply for each op", () => {
    const pieces = [
      '"',
      "\\",
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "1",
      "a",
      '"a"',
      " ",
      "tru",
      "é",
      "-",
      ".",
      '"\\u',
    ]
      .map((piece, index) => [piece, index] as const);
    const places = [[], ["a"], [0], [-1], ["a", "a"], [0, 0], ["a", 0]];
    let state = 7;
    const next = (below: number): number => (state = state * 1_103_515_245 + 12_345 & 0x7fffffff) % below;
    for (let round = 0; round < 5_000; round++) {
      const text = Array.from({ length: next(14) }, () => pieces[next(pieces.length)][0]).join("");
      const replica = new Replica([["k", text]]);
      for (const inside of places) {
        const path = ["k", ...inside];
        const group: Group = [
          { kind: "set", path, value: "1" },
          { kind: "push", path, items: ["1"] },
          { kind: "increment", path, by: "1" },
          { kind: "test", path, value: text },
          { kind: "append", path, text: '"a"' },
          { kind: "delete", path },
        ];
        for (const op of group) {
          assertStrictEquals(replica.apply([op])?.length, 1, text);
          if (next(2) === 0) replica.text("k");
        }
        replica.text("k");
        for (const kind of ["get", "type", "length", "keys", "exists"] as const) {
          assertStrictEquals(typeof replica.read({ kind, path }), "string", text);
        }
        replica.put("k", text);
      }
    }
  });
});

describe("Replica.read()", () => {
  it("answers what the script answers", async () => {
    const key = uniquePrefix("replica");
    const text = ' {"a" : "\\u00e9\\\\😀", "l": [1 , {"\\u0062": null}], "n": -1.50, "t": true} ';
    await client.set(key, text);
    const examples: readonly [Read["kind"], Read["path"], string][] = [
      ["get", [], text],
      ["get", ["l"], '[1 , {"\\u0062": null}]'],
      ["get", ["l", 1, "b"], "null"],
      ["get", ["l", 2], "!NOT_FOUND 1 "],
      ["get", ["n", "x"], "!TYPE 1 number"],
      ["type", ["t"], "boolean"],
      ["type", [], "object"],
      ["length", ["a"], "4"],
      ["length", [], "4"],
      ["length", ["l", -1], "1"],
      ["length", ["n"], "!TYPE 1 number"],
      ["keys", ["l", 1], '["\\u0062"]'],
      ["keys", ["l"], "!TYPE 1 array"],
      ["exists", ["l", 0], "true"],
      ["exists", ["l", "b"], "!TYPE 1 array"],
      ["exists", ["x", "y"], "false"],
    ];
    const reads = examples.map(([kind, path]): Read => ({ kind, path: [key, ...path] }));
    const expected = examples.map(([, , answer]) => answer);
    const replica = new Replica([[key, text]]);
    assertEquals(reads.map((read) => replica.read(read)), expected);
    const { keys, args } = compileReads("", reads);
    assertEquals(await client.evalsha(readSha, keys.length, ...keys, ...args), expected);
    const none = new Replica([["k", null]]);
    assertStrictEquals(none.read({ kind: "get", path: ["k"] }), "!NO_KEY 0 ");
    assertStrictEquals(none.read({ kind: "exists", path: ["k", "a"] }), "false");
  });
});

describe("Replica", () => {
  it("Replica takes many ops on one large value without reading it again for each", () => {
    const elements = 20_000;
    const text = `[${Array.from({ length: elements }, (_, index) => `{"id": ${index}, "n": 0}`).join(", ")}]`;
    const replica = new Replica([["k", text]]);
    const start = performance.now();
    for (let index = 0; index < elements; index++) {
      const place = (index * 7_919) % elements;
      assertEquals(
        replica.apply([
          { kind: "increment", path: ["k", place, "n"], by: "1" },
          { kind: "push", path: ["k"], items: ["0"] },
        ]),
        ["1", String(elements + index + 1)],
      );
    }
    const took = performance.now() - start;
    assertStrictEquals(
      replica.text("k"),
      `${text.replaceAll('"n": 0', '"n": 1').slice(0, -1)}${",0".repeat(elements)}]`,
    );
    // To look through half a megabyte 40,000 times takes longer than a minute.
    assertEquals(took < 20_000, true, `${took} ms`);
  });

  it("Replica follows a path as deep as the text", () => {
    const depth = 5_000;
    const text = `${"[".repeat(depth)}${"]".repeat(depth)}`;
    const replica = new Replica([["k", text]]);
    const path = ["k", ...Array.from({ length: depth - 1 }, () => 0)];
    assertEquals(replica.apply([{ kind: "push", path, items: ["1"] }]), ["1"]);
    assertStrictEquals(replica.text("k"), `${"[".repeat(depth)}1${"]".repeat(depth)}`);
  });
});
