import { describe, it } from "@std/testing/bdd";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { compile, compileReads } from "../../src/call/call.ts";
import {
  readOutcomes,
  readResults,
  readVerdict,
  type Refusal,
  type RefusalCode,
  toError,
} from "../../src/call/answer.ts";
import {
  CorruptValueError,
  IndexOutOfRangeError,
  KeyNotFoundError,
  LimitError,
  NumberRangeError,
  PathNotFoundError,
  TypeMismatchError,
  WrongTypeError,
} from "../../src/errors/value.ts";
import { JsonDictError } from "../../src/errors/error.ts";
import { UnavailableError } from "../../src/errors/delivery.ts";
import type { Group, Op, Read } from "../../src/data/op.ts";
import { APPLY, APPLY_MODIFIERS, APPLY_OPS, READ, READ_OPS } from "../../src/call/scripts.gen.ts";

/** Each op once plainly and once with all that it can carry, and the tokens that it must become. */
const OPS: readonly [Op, string][] = [
  [{ kind: "set", path: ["k"], value: "1" }, "set|0|1"],
  [{ kind: "set", path: ["k", "a", -1], value: '{"b":[]}' }, 'set|2|"a"|-1|{"b":[]}'],
  [{ kind: "set", path: ["k", 0], value: "1", when: "absent" }, "ifAbsent|set|1|0|1"],
  [{ kind: "set", path: ["k", 0], value: "1", when: "present" }, "ifPresent|set|1|0|1"],
  [
    { kind: "set", path: ["k"], value: "1", when: "absent", parents: true, ttl: 5000 },
    "parents|ifAbsent|ttl|5000|set|0|1",
  ],
  [{ kind: "set", path: ["k"], value: "1", ttl: 0 }, "ttl|0|set|0|1"],
  [{ kind: "delete", path: ["k", "a"] }, 'delete|+1|"a"'],
  [{ kind: "take", path: ["k", "a"] }, 'take|+1|"a"'],
  [{ kind: "push", path: ["k"], items: ["1", '"x,y"'] }, 'push|0|1,"x,y"|2'],
  [{ kind: "push", path: ["k"], items: [] }, "push|0||0"],
  [{ kind: "unshift", path: ["k", "a"], items: ["[1,2]"], parents: true }, 'parents|unshift|+1|"a"|[1,2]|1'],
  [{ kind: "pop", path: ["k", "a"] }, 'pop|+1|"a"'],
  [{ kind: "shift", path: ["k", "a"] }, 'shift|+1|"a"'],
  [{ kind: "splice", path: ["k"], start: -2, deleteCount: 1, items: ["1", "2"] }, "splice|0|-2|1|1,2|2"],
  [
    { kind: "splice", path: ["k"], start: 0, deleteCount: 0, items: [], parents: true },
    "parents|splice|0|0|0||0",
  ],
  [{ kind: "increment", path: ["k", "n"], by: "-1.5" }, 'increment|+1|"n"|-1.5'],
  [
    { kind: "increment", path: ["k", "n"], by: "1", exact: true, parents: true },
    'parents|exact|increment|+1|"n"|1',
  ],
  [{ kind: "toggle", path: ["k", "b"] }, 'toggle|+1|"b"'],
  [{ kind: "append", path: ["k", "s"], text: '"\\n"' }, 'append|+1|"s"|"\\n"'],
  [{ kind: "append", path: ["k", "s"], text: '""', parents: true }, 'parents|append|+1|"s"|""'],
  [{ kind: "test", path: ["k", "s"], value: "null" }, 'test|+1|"s"|null'],
  [{ kind: "test", path: ["k"], value: "null", by: "bytes" }, "bytes|test|0|null"],
  [{ kind: "test", path: ["k"], value: "0a", by: "sha1" }, "sha1|test|0|0a"],
  [{ kind: "type", path: ["k", "a"], value: "array" }, 'type|+1|"a"|array'],
  [{ kind: "length", path: ["k", 2], value: 3 }, "length|1|2|3"],
  [{ kind: "keys", path: ["k"], value: '["a"]' }, 'keys|0|["a"]'],
  [{ kind: "fresh", path: ["k", "a"] }, 'fresh|+1|"a"'],
  [{ kind: "set", path: ["k"], value: "{}", when: "not-object" }, "unlessObject|set|0|{}"],
  [{ kind: "copy", path: ["k", "a"] }, 'copy|+1|"a"'],
  [{ kind: "add", path: ["k", "a", "0"], value: "1" }, 'add|+2|"a"|"0"|1'],
  [{ kind: "add", path: ["k", "a", "-"], value: "1" }, 'last|add|+1|"a"|1'],
  [{ kind: "add", path: ["k"] }, "copied|add|0|"],
  [{ kind: "exists", path: ["k", "s"] }, 'exists|+1|"s"'],
  [{ kind: "absent", path: ["k", "s"] }, 'absent|+1|"s"'],
  [{ kind: "expire", path: ["k"], ttl: 1500 }, "expire|0|1500"],
  [{ kind: "persist", path: ["k"] }, "persist|0"],
  [{ kind: "pick", path: ["k"] }, "pick|0"],
  [{ kind: "put", path: ["k"] }, "put|0"],
];

/** Names with which a string may begin, and with which one that ends may go on. */
const PLAIN = ["a", "0", "\u0001", "\\", "é", "a b", "[", "{"];
const DOUBTFUL = ["", " ", " a", ",a", ":", "]", "}"];

const tokens = (...ops: readonly Op[]): string => compile("", [ops]).args.join("|");
const set = (key: string, value = "1"): Op => ({ kind: "set", path: [key], value });

describe("compile()", () => {
  it("compile() writes each op as its modifiers, its word, the depth, the segments and its arguments", () => {
    for (const [op, expected] of OPS) assertStrictEquals(tokens(op), expected);
  });

  it("compile() marks a path of names of which none can match across two strings", () => {
    for (const name of PLAIN) {
      assertMatch(tokens({ kind: "delete", path: ["k", name, "x"] }), /^delete\|\+2\|/, name);
    }
    for (const name of DOUBTFUL) {
      assertMatch(tokens({ kind: "delete", path: ["k", "x", name] }), /^delete\|2\|/, name);
    }
    assertMatch(tokens({ kind: "delete", path: ["k", "x", 0] }), /^delete\|2\|/);
  });

  it("compile() knows every op and every modifier of the script", () => {
    assertEquals([...new Set(OPS.map(([op]) => op.kind))].sort(), Object.keys(APPLY_OPS).sort());
    const written = new Set(OPS.flatMap(([, text]) => text.split("|")));
    for (const name of Object.keys(APPLY_MODIFIERS)) {
      assert(written.has(name) || ["@", ";", "once", "after", "near"].includes(name), name);
    }
  });

  it("compile() names the record first, and passes it behind all other keys", () => {
    const once = { record: "op:{x}id", ttl: 80_000, until: 1_700_000_000_000 };
    const call = compile("p:", [[set("a"), set("b")], [set("a")]], once);
    assertEquals(call.keys, ["p:a", "p:b", "op:{x}id"]);
    assertStrictEquals(call.args.join("|"), "once|3|80000|1700000000000|set|0|1|@|2|set|0|1|;|set|0|1");
    const empty = compile("p:", [], once);
    assertEquals([empty.keys, empty.args], [["op:{x}id"], ["once", "1", "80000", "1700000000000"]]);
  });

  it("compile() says behind the record how much of the first value to read first", () => {
    const once = { record: "r", ttl: 1, until: 2 };
    assertStrictEquals(compile("", [[set("a")]], once, [], 99).args.join("|"), "once|2|1|2|near|99|set|0|1");
    assertStrictEquals(compile("", [[set("a")]], undefined, [], 99).args.join("|"), "near|99|set|0|1");
  });

  it("compile() names the groups that must be applied for another one, counted from 1", () => {
    const call = compile("", [[set("a")], [set("a")], [set("a")]], undefined, [[], [0], [0, 1]]);
    assertStrictEquals(call.args.join("|"), "set|0|1|;|after|1|set|0|1|;|after|1|after|2|set|0|1");
  });

  it('compile() writes names in quotes and integers bare, so that 0 and "0" differ', () => {
    const path = ["k", "0", 0, "", 'a"b\\', "é😀\n", "__proto__", -1];
    assertStrictEquals(
      tokens({ kind: "delete", path }),
      'delete|7|"0"|0|""|"a\\"b\\\\"|"é😀\\n"|"__proto__"|-1',
    );
  });

  it("compile() names the script, and puts the prefix before each key", () => {
    const call = compile("lab:", [[set("k")]]);
    assertStrictEquals(call.script, APPLY);
    assertEquals(call.keys, ["lab:k"]);
    assertEquals(compile("", [[set("")]]).keys, [""]);
  });

  it("compile() passes each key once and changes over by its number", () => {
    const call = compile("p:", [[set("a"), set("b", "2"), set("b", "3"), set("a", "4")]]);
    assertEquals(call.keys, ["p:a", "p:b"]);
    assertStrictEquals(call.args.join("|"), "set|0|1|@|2|set|0|2|set|0|3|@|1|set|0|4");
  });

  it("compile() begins each further group with ; which stands at the first key again", () => {
    const call = compile("", [[set("a"), set("b")], [set("a")], [set("b"), set("c")], [set("b")]]);
    assertEquals(call.keys, ["a", "b", "c"]);
    assertStrictEquals(
      call.args.join("|"),
      "set|0|1|@|2|set|0|1|;|set|0|1|;|@|2|set|0|1|@|3|set|0|1|;|@|2|set|0|1",
    );
  });

  it("compile() writes a modifier before each op that has it, never for the next one", () => {
    const ifAbsent: Op = { kind: "set", path: ["b"], value: "1", when: "absent" };
    assertStrictEquals(tokens(set("a"), ifAbsent, set("b")), "set|0|1|@|2|ifAbsent|set|0|1|set|0|1");
  });

  it("compile() gives the same call for the same ops, frozen", () => {
    const groups: Group[] = [OPS.map(([op]) => op), [set("other")]];
    const call = compile("p:", groups);
    assertEquals(compile("p:", structuredClone(groups)), call);
    assert(Object.isFrozen(call) && Object.isFrozen(call.keys) && Object.isFrozen(call.args));
  });
});

describe("readVerdict()", () => {
  it("readVerdict() distinguishes applied, refused and never arrived, for each group of a call", () => {
    const groups: Group[] = [[set("a"), set("b")], [set("a")]];
    const answer = ["", "!WRONG_TYPE 0 list", ""];
    assertEquals([0, 1].map((index) => readVerdict(groups, index, answer)), [false, true]);
    assertEquals([0, 1].map((index) => readVerdict(groups, index, [])), [false, false]);
    assertThrows(() => readVerdict(groups, 0, ["", ""]), Error, "expected 3 strings");
  });
});

describe("compileReads()", () => {
  const read = (kind: Read["kind"], ...path: (string | number)[]): Read => ({ kind, path });

  it("compileReads() writes each read as its word, the depth and the segments", () => {
    const kinds = ["get", "type", "length", "keys", "exists", "size"] as const;
    assertEquals([...kinds].sort(), Object.keys(READ_OPS).sort());
    for (const kind of kinds) {
      const call = compileReads("p:", [read(kind, "k", "a", 0)]);
      assertStrictEquals(call.script, READ);
      assertEquals(call.keys, ["p:k"]);
      assertEquals(call.args, [kind, "2", '"a"', "0"]);
      assert(Object.isFrozen(call) && Object.isFrozen(call.keys) && Object.isFrozen(call.args));
    }
  });

  it("compileReads() changes over between keys", () => {
    const call = compileReads("", [read("get", "a"), read("type", "b"), read("exists", "a", 0)]);
    assertEquals(call.keys, ["a", "b"]);
    assertStrictEquals(call.args.join("|"), "get|0|@|2|type|0|@|1|exists|1|0");
  });
});

describe("readOutcomes()", () => {
  const groups: Group[] = [[set("a"), { kind: "toggle", path: ["a", 0] }], [{
    kind: "pop",
    path: ["a", "x y"],
  }]];

  it("readOutcomes() gives each group the replies to its ops", () => {
    assertEquals(readOutcomes(groups, ["", "true", "[1]"]), [{ results: ["", "true"] }, {
      results: ["[1]"],
    }]);
  });

  it("readOutcomes() gives a refused group its refusal, with the place of the op in the group", () => {
    assertEquals(readOutcomes(groups, ["", "!TYPE 1 number", ""]), [
      { refusal: { code: "TYPE", index: 1, segment: 1, found: "number" }, fresh: [] },
      { results: [""] },
    ]);
    assertEquals(readOutcomes(groups, ["", "", "!NO_KEY 0 "])[1], {
      refusal: { code: "NO_KEY", index: 0, segment: 0, found: "" },
      fresh: [],
    });
  });

  it("readOutcomes() reads the reply to one op that went the short way", () => {
    for (const reply of ["", "true", "0", "-12"]) {
      assertEquals(readOutcomes([[set("a")]], reply), [{ results: [reply] }]);
      assertThrows(() => readOutcomes(groups, reply), Error, "expected 3 strings");
    }
    for (const reply of ["OK", "QUEUED", "PONG", "{}", "1.5", "!NO_KEY 0 ", null, 1]) {
      assertThrows(() => readOutcomes([[set("a")]], reply), Error, "expected 1 string");
    }
  });

  it("readOutcomes() takes a string that starts with ! for what it is, in quotes", () => {
    assertEquals(readOutcomes([[{ kind: "take", path: ["a", 0] }]], ['"!NO_KEY"']), [{
      results: ['"!NO_KEY"'],
    }]);
  });

  it("readOutcomes() refuses an answer that no script of ours gives", () => {
    for (const answer of [null, "OK", [], ["", ""], ["", "", "", ""], ["", null, ""], ["", 1, ""], {}]) {
      const error = assertThrows(() => readOutcomes(groups, answer), Error);
      assertStrictEquals(
        error.message,
        "Cannot read the answer of the script: expected 3 strings, received something else",
      );
    }
  });
});

describe("readResults()", () => {
  const reads: Read[] = [{ kind: "get", path: ["a"] }, { kind: "length", path: ["a", "b"] }];

  it("readResults() gives each read its own result or refusal", () => {
    assertEquals(readResults(reads, ["[]", "3"]), ["[]", "3"]);
    assertEquals(readResults(reads, ["!CORRUPT 0 17", "3"]), [
      { code: "CORRUPT", index: 0, segment: 0, found: "17" },
      "3",
    ]);
  });

  it("readResults() refuses an answer that no script of ours gives", () => {
    for (const answer of [undefined, ["[]"], ["[]", null]]) {
      assertThrows(() => readResults(reads, answer), Error);
    }
  });
});

describe("toError()", () => {
  const target: Op = { kind: "push", path: ["k", "a", 5], items: ["1"] };
  const refusal = (code: RefusalCode, segment = 0, found = ""): Refusal => ({
    code,
    index: 0,
    segment,
    found,
  });

  it("toError() reports a missing key or place", () => {
    assertInstanceOf(toError(target, refusal("NO_KEY")), KeyNotFoundError);
    const error = toError(target, refusal("NOT_FOUND", 1));
    assertInstanceOf(error, PathNotFoundError);
    assertStrictEquals(error.at, 2); // the key and "a" are there
  });

  it("toError() reports a wrong type, on the way or at the end", () => {
    const onTheWay = toError(target, refusal("TYPE", 1, "number"));
    assertInstanceOf(onTheWay, TypeMismatchError);
    assertEquals([onTheWay.at, onTheWay.found, onTheWay.expected], [2, "number", ["object", "array"]]);
    const named = toError({ kind: "pop", path: ["k", "a"] }, refusal("TYPE", 0, "array"));
    assertInstanceOf(named, TypeMismatchError);
    assertEquals(named.expected, ["object"]);
  });

  it("toError() names the types with which each op and read would have worked", () => {
    const path = ["k"];
    const expected: Readonly<Record<string, readonly string[]>> = {
      increment: ["number"],
      toggle: ["boolean"],
      append: ["string"],
      keys: ["object"],
      length: ["string", "array", "object"],
    };
    for (const kind of ["push", "unshift", "pop", "shift", "splice", ...Object.keys(expected)]) {
      const error = toError({ kind, path } as Op, refusal("TYPE", 0, "null"));
      assertInstanceOf(error, TypeMismatchError);
      assertEquals(error.expected, expected[kind] ?? ["array"]);
    }
  });

  it("toError() reports an index out of range, with the length", () => {
    const error = toError(target, refusal("RANGE", 1, "3"));
    assertInstanceOf(error, IndexOutOfRangeError);
    assertEquals([error.index, error.length], [5, 3]);
  });

  it("toError() reports a number out of range, a text that is no JSON, and another type of key", () => {
    for (const bound of ["integer", "finite", "digits"] as const) {
      const error = toError(target, refusal("NUMBER", 2, bound));
      assertInstanceOf(error, NumberRangeError);
      assertStrictEquals(error.bound, bound);
    }
    const corrupt = toError(target, refusal("CORRUPT", 1, "17"));
    assertInstanceOf(corrupt, CorruptValueError);
    assertStrictEquals(corrupt.offset, 17);
    const nowhere = toError(target, refusal("CORRUPT", 1));
    assertInstanceOf(nowhere, CorruptValueError);
    assertStrictEquals(nowhere.offset, undefined);
    const wrong = toError(target, refusal("WRONG_TYPE", 0, "hash"));
    assertInstanceOf(wrong, WrongTypeError);
    assertStrictEquals(wrong.found, "hash");
  });

  it("toError() reports a limit", () => {
    const error = toError(target, refusal("LIMIT", 0, "depth"));
    assertInstanceOf(error, LimitError);
    assertStrictEquals(error.limit, "depth");
  });

  it("toError() reports a lack of memory like any refusal of the server", () => {
    const error = toError(target, refusal("OOM"));
    assertInstanceOf(error, UnavailableError);
    assertStrictEquals(error.reason, "OOM");
  });

  it("toError() carries the op's word and path in every error", () => {
    const codes = [
      "NO_KEY",
      "NOT_FOUND",
      "TYPE",
      "RANGE",
      "NUMBER",
      "CORRUPT",
      "WRONG_TYPE",
      "LIMIT",
      "OOM",
    ] as const;
    for (const code of codes) {
      const error = toError(target, refusal(code, 1, "1"));
      assertInstanceOf(error, JsonDictError);
      assertEquals([error.operation, error.path, error.key], ["push", target.path, "k"]);
    }
  });

  it("toError() names the caller's method where it is not the op's word", () => {
    assertStrictEquals(toError(target, refusal("NO_KEY"), "getOrInsert").operation, "getOrInsert");
  });

  it("toError() has no error for a failed guard, which its caller must explain", () => {
    assertThrows(() => toError({ kind: "exists", path: ["k"] }, refusal("TEST")), Error, "failed guard");
  });
});
