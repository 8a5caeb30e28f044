import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { Redis } from "ioredis";
import { APPLY, APPLY_OPS, READ } from "../../src/call/scripts.gen.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const prefix = uniquePrefix("apply");
const KEY = `${prefix}a`;
const OTHER = `${prefix}b`;
await client.script("LOAD", APPLY.text);

/** Of a large value so many bytes are read first. */
const FIRST = [/ = hint or (\d+)$/m, /\.call\('GETRANGE', key, '0', (\d+) - 1\)$/m].map((pattern) =>
  Number(pattern.exec(APPLY.text)?.[1])
);

/** A client of a server that a test started for itself, closed with its scope. */
function clientOf(url: string): Redis & Disposable {
  const own = new Redis(url);
  return Object.assign(own, { [Symbol.dispose]: () => own.disconnect() });
}

/** Runs the script on the first key, or on both, with tokens parted by |. */
async function apply(tokens: string, keys: readonly string[] = [KEY]): Promise<string[]> {
  return await client.evalsha(APPLY.sha1, keys.length, ...keys, ...tokens.split("|")) as string[];
}

/** The replies to so many ops, and what stands behind that of a single change in a long value. */
function partsOf(answer: readonly string[], ops: number): [readonly string[], string | undefined] {
  return ops === 1 && answer.length === 2 ? [answer.slice(0, 1), answer[1]] : [answer, undefined];
}

/** What an op makes of a text (null: no key), and what it answers, written as one line. */
async function check(text: string | null, tokens: string, expected: string | null, ...replies: string[]) {
  if (text === null) await client.unlink(KEY);
  else await client.set(KEY, text, "PX", 1_000_000);
  const [found, near] = partsOf(await apply(tokens), replies.length);
  assertEquals(found, replies, `replies to ${tokens} on ${text}`);
  if (near !== undefined) assert(text!.length > FIRST[0] && /^[1-9]\d+$/.test(near), near);
  assertStrictEquals(await client.get(KEY), expected, `${tokens} on ${text}`);
  if (text !== null && expected !== null) {
    const left = await client.pttl(KEY);
    assert(left > 900_000 && left <= 1_000_000, `expected the expiry to stay, received ${left}`);
  }
}

/** The same, where the op must be refused and change nothing. */
const refused = (text: string | null, tokens: string, ...replies: string[]): Promise<void> =>
  check(text, tokens, text, ...replies);

const DOC = ' { "a" : 1.0 , "b":[ 1,\t[] , "x\\u0041" ] ,"c":{"d":true}, "e" : "\\/é" } ';

describe("apply", () => {
  it("apply has the SHA-1 that the server computes, as read has", async () => {
    assertStrictEquals(await client.script("LOAD", APPLY.text), APPLY.sha1);
    assertStrictEquals(await client.script("LOAD", READ.text), READ.sha1);
  });

  it("apply set replaces a value, and adds a member or an element behind the last one", async () => {
    await check(DOC, 'set|1|"a"|{}', DOC.replace("1.0", "{}"), "");
    await check(DOC, 'set|2|"b"|1|null', DOC.replace("[] ,", "null ,"), "");
    await check(DOC, 'set|2|"b"|-3|null', DOC.replace("[ 1,", "[ null,"), "");
    await check(DOC, 'set|1|"n"|[1]', DOC.replace('é" }', 'é","n":[1] }'), "");
    await check(DOC, 'set|2|"b"|3|9', DOC.replace('41" ]', '41",9 ]'), "");
    await check("{ }", 'set|1|"a"|1', '{"a":1 }', "");
    await check("[\n]", "set|1|0|1", "[1\n]", "");
    await check('{"0":1}', "set|1|0|2", '{"0":2}', "");
    await check("[1]", 'set|1|"0"|2', "[2]", "");
  });

  it("apply set replaces a whole value with all that was around it", async () => {
    await check(" [1] ", "set|0|2", "2", "");
    await client.unlink(KEY);
    await check(null, "set|0|[]", "[]", "");
  });

  it("apply set refuses what is missing on the way and an index beyond the length", async () => {
    await refused(null, 'set|1|"a"|1', "!NO_KEY 0 ");
    await refused(DOC, 'set|2|"x"|"y"|1', "!NOT_FOUND 0 ");
    await refused(DOC, 'set|3|"c"|"x"|"y"|1', "!NOT_FOUND 1 ");
    await refused(DOC, 'set|2|"b"|4|1', "!RANGE 1 3");
    await refused(DOC, 'set|2|"b"|-4|1', "!RANGE 1 3");
    await refused(DOC, 'set|2|"a"|"x"|1', "!TYPE 1 number");
    await refused(DOC, 'set|2|"b"|"x"|1', "!TYPE 1 array");
    await refused(DOC, 'set|2|"b"|"01"|1', "!TYPE 1 array");
    await refused(DOC, 'set|3|"e"|0|0|1', "!TYPE 1 string");
    await refused("[null]", "set|2|0|0|1", "!TYPE 1 null");
  });

  it("apply ifAbsent keeps a value that is there and answers it; ifPresent creates none", async () => {
    await refused(DOC, 'ifAbsent|set|1|"a"|2', "1.0");
    await refused("  [1] ", "ifAbsent|set|0|2", "  [1] ");
    await check("{}", 'ifAbsent|set|1|"a"|2', '{"a":2}', "");
    await check(null, "ifAbsent|set|0|2", "2", "");
    await refused("{}", 'ifPresent|set|1|"a"|2', "false");
    await refused(null, "ifPresent|set|0|2", "false");
    await check("{}", "ifPresent|set|0|2", "2", "true");
    await check('{"a":[1]}', 'ifPresent|set|1|"a"|2', '{"a":2}', "true");
  });

  it("apply unlessObject keeps an object and replaces all else, whatever stands before it", async () => {
    // Of values longer than that, only the first bytes are read, unless more is needed.
    for (const space of ["", " \n", " ".repeat(17 * FIRST[1])]) {
      await check(`${space}{"b":1}`, "unlessObject|set|0|{}", `${space}{"b":1}`, "");
      for (const other of ["[1]", "1", '"{"', "null"]) {
        await check(`${space}${other}`, "unlessObject|set|0|{}", "{}", "");
      }
    }
    await check('{"a": {"b":1}}', 'unlessObject|set|1|"a"|{}', '{"a": {"b":1}}', "");
    await check('{"a": [1]}', 'unlessObject|set|1|"a"|{}', '{"a": {}}', "");
    await check('{"b":1}', 'unlessObject|set|1|"a"|{}', '{"b":1,"a":{}}', "");
  });

  it("apply delete and take remove a value with one comma", async () => {
    for (const [op, replies] of [["delete", ["true", "true"]], ["take", ["1.0", '"\\/é"']]] as const) {
      await check(DOC, `${op}|1|"a"`, DOC.replace('"a" : 1.0 , ', ""), replies[0]);
      await check(DOC, `${op}|1|"e"`, DOC.replace(', "e" : "\\/é"', ""), replies[1]);
    }
    await check("[ 1 ]", "delete|1|0", "[  ]", "true");
    await check("[1 , 2]", "delete|1|-1", "[1 ]", "true");
    await check('{"a":1}', 'take|1|"a"', "{}", "1");
    await check('{"a":{"b":[1,2]}}', 'take|2|"a"|"b"', '{"a":{}}', "[1,2]");
  });

  it("apply delete and take of what is not there change nothing and refuse nothing", async () => {
    for (const text of [null, DOC]) {
      await refused(text, 'delete|1|"x"', "false");
      await refused(text, 'delete|2|"x"|"y"', "false");
      await refused(text, 'take|1|"x"', "");
    }
    await refused(DOC, 'delete|2|"b"|3', "false");
    await refused(null, "delete|0", "false");
    await refused(null, "take|0", "");
    await refused(DOC, 'delete|2|"a"|"x"', "!TYPE 1 number");
  });

  it("apply delete and take of a whole value remove its key", async () => {
    await check(DOC, "delete|0", null, "true");
    await check(DOC, "take|0", null, DOC);
    await check("", "delete|0", null, "true");
  });

  it("apply push and unshift add elements and answer the new length", async () => {
    await check("[ 1 ]", "push|0|2,[3]|2", "[ 1,2,[3] ]", "3");
    await check("[ 1 ]", "unshift|0|2,[3]|2", "[2,[3], 1 ]", "3");
    await check("[ ]", "push|0|2|1", "[2 ]", "1");
    await check("[ ]", "unshift|0|2|1", "[2 ]", "1");
    await check("[[]]", "push|1|0||0", "[[]]", "0");
    await refused("[1,2]", "unshift|0||0", "2");
  });

  it("apply pop and shift remove an element and answer it, nothing for an empty array", async () => {
    await check("[1 , [2] ]", "pop|0", "[1  ]", "[2]");
    await check("[1 , [2] ]", "shift|0", "[[2] ]", "1");
    await check('["a"]', "pop|0", "[]", '"a"');
    await check('["a"]', "shift|0", "[]", '"a"');
    await refused("[ ]", "pop|0", "");
    await refused("[]", "shift|0", "");
  });

  it("apply splice does what Array.prototype.splice does", async () => {
    await check("[1, 2 ,3,4]", "splice|0|1|2|8,9|2", "[1, 8,9,4]", "[2 ,3]");
    await check("[1, 2 ,3,4]", "splice|0|1|2||0", "[1, 4]", "[2 ,3]");
    await check("[1,2,3]", "splice|0|-1|9||0", "[1,2]", "[3]");
    await check("[1,2,3]", "splice|0|-9|1||0", "[2,3]", "[1]");
    await check("[1,2]", "splice|0|1|0|5|1", "[1,5,2]", "[]");
    await check("[1,2]", "splice|0|9|1|5|1", "[1,2,5]", "[]");
    await check("[]", "splice|0|0|0|5,6|2", "[5,6]", "[]");
    await check("[1,2]", "splice|0|0|2||0", "[]", "[1,2]");
    await refused("[1,2]", "splice|0|0|-1||0", "[]");
    await refused("[1,2]", "splice|0|2|4||0", "[]");
  });

  it("apply refuses array ops on anything but an array", async () => {
    for (const op of ["push|X|1|1", "unshift|X|1|1", "pop|X", "shift|X", "splice|X|0|0||0"]) {
      const at = (path: string): string => op.replace("X", path);
      for (const [name, type] of [["a", "number"], ["c", "object"], ["e", "string"]]) {
        await refused(DOC, at(`1|"${name}"`), `!TYPE 1 ${type}`);
      }
      await refused("true", at("0"), "!TYPE 0 boolean");
      await refused(DOC, at('1|"x"'), "!NOT_FOUND 0 ");
      await refused(null, at("0"), "!NO_KEY 0 ");
    }
  });

  it("apply increment adds integers exactly and doubles as JavaScript does", async () => {
    await check('{"n": 41 }', 'increment|1|"n"|1', '{"n": 42 }', "42");
    await check("[0.1]", "increment|1|0|0.2", "[0.30000000000000004]", "0.30000000000000004");
    await check("[1.0]", "increment|1|0|1", "[2]", "2");
    await check("[-0]", "increment|1|0|0", "[0]", "0");
    await check(" 7 ", "increment|0|-8", " -1 ", "-1");
    await check("[1e21]", "increment|1|0|1", "[1e+21]", "1e+21");
    await check("[5e-324]", "increment|1|0|5e-324", "[1e-323]", "1e-323");
    await check("[9007199254740990]", "increment|1|0|1", "[9007199254740991]", "9007199254740991");
    await check("[1784192940134586]", "increment|1|0|1", "[1784192940134587]", "1784192940134587");
  });

  it("apply increment refuses what it would have to round, and what is no number", async () => {
    await refused("[9007199254740991]", "increment|1|0|1", "!NUMBER 1 integer");
    await refused("[9007199254740993]", "increment|1|0|0.5", "!NUMBER 1 integer");
    await refused("[1.7976931348623157e308]", "increment|1|0|1e308", "!NUMBER 1 finite");
    await refused(`[${"9".repeat(500)}]`, "exact|increment|1|0|1", "!NUMBER 1 digits");
    await refused('["1"]', "increment|1|0|1", "!TYPE 1 string");
    await refused("[null]", "increment|1|0|1", "!TYPE 1 null");
    await refused("[01]", "increment|1|0|1", "!CORRUPT 1 1");
    await check("[9007199254740991]", "exact|increment|1|0|10", "[9007199254741001]", "9007199254741001");
    await check(
      "[-1]",
      "exact|increment|1|0|100000000000000000000",
      "[99999999999999999999]",
      "99999999999999999999",
    );
  });

  it("apply toggle and append change a boolean and a string", async () => {
    await check(DOC, 'toggle|2|"c"|"d"', DOC.replace("true", "false"), "false");
    await check("[ false ]", "toggle|1|0", "[ true ]", "true");
    await refused(DOC, 'toggle|1|"a"', "!TYPE 1 number");
    await check(DOC, 'append|1|"e"|"\\ud83d\\ude00!"', DOC.replace('é"', 'é\\ud83d\\ude00!"'), "5");
    await check('["😀\\\\"]', 'append|1|0|""', '["😀\\\\"]', "3");
    await refused(DOC, 'append|1|"a"|"x"', "!TYPE 1 number");
    await refused(DOC, 'append|1|"x"|"x"', "!NOT_FOUND 0 ");
    await refused(DOC, 'toggle|1|"x"', "!NOT_FOUND 0 ");
  });

  it("apply parents creates what is missing on the way, and the value that the op begins with", async () => {
    await check(null, 'parents|set|3|"a"|0|"b"|1', '{"a":[{"b":1}]}', "");
    await check(null, "parents|set|2|0|1|5", '[{"1":5}]', "");
    await check("{}", 'parents|set|2|"a"|"0"|5', '{"a":{"0":5}}', "");
    await check("{}", 'parents|increment|2|"a"|"n"|2.50', '{"a":{"n":2.50}}', "2.50");
    await check("[]", 'parents|append|2|0|"s"|"é"', '[{"s":"é"}]', "1");
    await check("{}", 'parents|push|1|"l"|1,2|2', '{"l":[1,2]}', "2");
    await check("{}", 'parents|unshift|1|"l"|1|1', '{"l":[1]}', "1");
    await check("{}", 'parents|splice|1|"l"|3|4|1|1', '{"l":[1]}', "[]");
    await check(null, "parents|push|0|1|1", "[1]", "1");
    await check(DOC, 'parents|set|2|"c"|"d"|1', DOC.replace("true", "1"), "");
  });

  it("apply parents replaces no value and leaves no hole", async () => {
    await refused('{"a":null}', 'parents|set|2|"a"|"b"|1', "!TYPE 1 null");
    await refused('{"a":[]}', 'parents|set|2|"a"|"b"|1', "!TYPE 1 array");
    await refused('{"a":[]}', 'parents|set|3|"a"|1|"b"|1', "!RANGE 1 0");
    await refused("{}", 'parents|pop|1|"a"', "!NOT_FOUND 0 ");
    await refused("{}", 'parents|toggle|1|"a"', "!NOT_FOUND 0 ");
  });

  it("apply test compares values, with bytes the texts", async () => {
    await refused(DOC, 'test|1|"b"|[1e0,[],"\\u0078A"]', "");
    await refused('{"a":1,"b":{"c":[]}}', 'test|0|{"b":{"c":[]},"a":1.0}', "");
    await refused(DOC, 'test|1|"b"|[1,{},"xA"]', "!TEST 1 ");
    await refused(DOC, 'test|1|"a"|"1"', "!TEST 1 ");
    await refused(DOC, 'test|1|"x"|null', "!TEST 0 ");
    await refused(null, "test|0|null", "!TEST 0 ");
    await refused(DOC, 'bytes|test|1|"a"|1.0', "");
    await refused(DOC, 'bytes|test|1|"a"|1', "!TEST 1 ");
    await refused(" 1", "bytes|test|0| 1", "");
    await refused(" 1", "bytes|test|0|1", "!TEST 0 ");
    await refused("[9007199254740993]", "test|1|0|9007199254740992", "!TEST 1 ");
    await refused("[1e21]", "test|0|[1000000000000000000000]", "");
    await refused("[1,2]", "test|0|[1,2,3]", "!TEST 0 ");
    await refused('{"a":1}', 'test|0|{"a":1,"b":null}', "!TEST 0 ");
  });

  it("apply test refuses to compare texts nested deeper than 1000 levels", async () => {
    const deep = "[".repeat(1001) + "]".repeat(1001);
    await refused(deep, `test|0| ${deep}`, "!LIMIT 0 depth");
    const fine = "[".repeat(1000) + "]".repeat(1000);
    await refused(fine, `test|0| ${fine}`, "");
  });

  it("apply exists and absent guard", async () => {
    await refused(DOC, 'exists|1|"a"', "");
    await refused(DOC, "exists|0", "");
    await refused(DOC, 'exists|1|"x"', "!TEST 0 ");
    await refused(null, "exists|0", "!TEST 0 ");
    await refused(DOC, 'absent|1|"x"', "");
    await refused(null, "absent|0", "");
    await refused(DOC, 'absent|1|"a"', "!TEST 1 ");
    await refused(DOC, "absent|0", "!TEST 0 ");
  });

  it("apply addresses the first of members with the same name", async () => {
    await check('{"a":1,"a":2}', 'set|1|"a"|3', '{"a":3,"a":2}', "");
    await check('{"a":1,"a":2}', 'take|1|"a"', '{"a":2}', "1");
  });

  it("apply finds names however they are spelled, and none inside strings", async () => {
    await check('{"\\u0061":1}', 'set|1|"a"|2', '{"\\u0061":2}', "");
    await check('{"s":"\\"a\\":1","a":2}', 'delete|1|"a"', '{"s":"\\"a\\":1"}', "true");
    await check('{"s":"}","a":2}', 'take|1|"a"', '{"s":"}"}', "2");
    await check('{"b":{"a":1},"a":2}', 'set|1|"a"|3', '{"b":{"a":1},"a":3}', "");
  });
});

describe("apply, of expiry", () => {
  const ttl = async (): Promise<number> => Math.ceil(await client.pttl(KEY) / 10_000) * 10;

  it("apply set with ttl sets the expiry of a whole value, 0 ends it, without ttl it stays", async () => {
    await client.set(KEY, "1");
    assertEquals(await apply("ttl|100000|set|0|2"), [""]);
    assertStrictEquals(await ttl(), 100);
    await apply("set|0|3");
    assertStrictEquals(await ttl(), 100);
    await apply("ttl|0|set|0|4");
    assertEquals([await client.pttl(KEY), await client.get(KEY)], [-1, "4"]);
  });

  it("apply expire and persist change the expiry and no byte", async () => {
    await client.set(KEY, DOC);
    assertEquals(await apply("persist|0"), ["false"]);
    assertEquals(await apply("expire|0|100000"), ["true"]);
    assertStrictEquals(await ttl(), 100);
    assertEquals(await apply("persist|0"), ["true"]);
    assertEquals([await client.pttl(KEY), await client.get(KEY)], [-1, DOC]);
    await client.unlink(KEY);
    assertEquals(await apply("expire|0|100000|;|persist|0"), ["false", "false"]);
  });

  it("apply takes expiries of one call in order", async () => {
    await client.set(KEY, "[1]", "PX", 100_000);
    assertEquals(await apply("persist|0|persist|0|expire|0|50000|set|1|0|2"), ["true", "false", "true", ""]);
    assertEquals([await ttl(), await client.get(KEY)], [50, "[2]"]);
    assertEquals(await apply("delete|0|set|0|3"), ["true", ""]);
    assertEquals([await client.pttl(KEY), await client.get(KEY)], [-1, "3"]);
  });

  it("apply gives a refused group's expiry back", async () => {
    await client.set(KEY, "[1]", "PX", 100_000);
    assertEquals(await apply("expire|0|50000|delete|0|exists|0"), ["true", "true", "!TEST 0 "]);
    assertEquals([await ttl(), await client.get(KEY)], [100, "[1]"]);
  });
});

describe("apply, of groups", () => {
  const both = [KEY, OTHER];
  const start = (a: string, b: string) => client.mset(KEY, a, OTHER, b);
  const texts = () => client.mget(KEY, OTHER);

  it("apply lets each op see what the ops before it did", async () => {
    await check(
      "{}",
      'set|1|"a"|[]|push|1|"a"|1|1|increment|2|"a"|0|4|take|2|"a"|-1',
      '{"a":[]}',
      "",
      "1",
      "5",
      "5",
    );
  });

  it("apply takes all of a refused group back, and applies its neighbours", async () => {
    await check(
      " [1,2 ]",
      "push|0|3|1|;|pop|0|pop|0|set|1|9|0|toggle|1|0|;|increment|1|0|10",
      " [11,2,3 ]",
      ...["3", "3", "2", "!RANGE 0 1", "", "11"],
    );
  });

  it("apply leaves a value byte-identical when its only group is refused, or when nothing changes", async () => {
    await refused(DOC, 'delete|1|"a"|set|1|"n"|1|toggle|1|"b"', "true", "", "!TYPE 1 array");
    await refused(null, "set|0|1|exists|0|absent|0", "", "", "!TEST 0 ");
  });

  it("apply applies a group on several keys wholly or not at all", async () => {
    await start("[1]", '{"n":1}');
    assertEquals(await apply('pop|0|@|2|increment|1|"n"|1|@|1|push|0|2,3|2', both), ["1", "2", "2"]);
    assertEquals(await texts(), ["[2,3]", '{"n":2}']);
    assertEquals(await apply('pop|0|@|2|set|1|"n"|9|@|1|pop|0|@|2|pop|0', both), [
      ...["3", "", "2", "!TYPE 0 object"],
    ]);
    assertEquals(await texts(), ["[2,3]", '{"n":2}']);
  });

  it("apply begins each group at the first key, with what earlier groups left", async () => {
    await start("[1]", "[2]");
    assertEquals(
      await apply("@|2|pop|0|;|push|0|5|1|;|@|2|push|0|6|1|toggle|1|0|;|@|2|push|0|7|1|@|1|pop|0", both),
      ...[["2", "2", "1", "!TYPE 1 number", "1", "5"]],
    );
    assertEquals(await texts(), ["[1]", "[7]"]);
  });

  it("apply refuses a key that holds no string and leaves it alone", async () => {
    for (const make of ["HSET|h|1|1", "RPUSH|h|1", "SADD|h|1", "ZADD|h|1|1"]) {
      const [command, , ...rest] = make.split("|");
      await client.del(KEY, OTHER);
      await client.call(command, KEY, ...rest);
      await client.set(OTHER, "[1]");
      const before = await client.dump(KEY);
      const type = await client.type(KEY);
      for (
        const op of ["set|1|0|1", "set|0|1", "delete|0", "take|0", "ifAbsent|set|0|1", "expire|0|5", "pop|0"]
      ) {
        assertEquals(await apply(`@|2|push|0|2|1|@|1|${op}|;|@|2|exists|0`, both), [
          ...["2", `!WRONG_TYPE 0 ${type}`, ""],
        ], op);
      }
      assertStrictEquals(await client.dump(KEY), before);
      assertStrictEquals(await client.get(OTHER), "[1]");
    }
    await client.del(KEY);
  });

  it("apply knows an empty string as a value that is no JSON", async () => {
    await refused("", "pop|0", "!CORRUPT 0 0");
    await refused("  ", "set|1|0|1", "!CORRUPT 0 2");
    await check("", "set|0|1", "1", "");
  });
});

describe("apply, of commands", () => {
  const WRITES = [
    "set",
    "setrange",
    "del",
    "unlink",
    "pexpire",
    "expire",
    "persist",
    "append",
    "getdel",
    "getset",
  ];
  const both = [KEY, OTHER];

  it("apply writes once for each changed key, and not at all where nothing changed", async () => {
    await using server = await startRedis(); // others may use the common one
    using mine = clientOf(server.url);
    const count = async (tokens: string, keys = [KEY]): Promise<Record<string, number>> => {
      await mine.config("RESETSTAT");
      await mine.eval(APPLY.text, keys.length, ...keys, ...tokens.split("|"));
      const lines = (await mine.info("commandstats")).matchAll(/cmdstat_([a-z]+):calls=(\d+)/g);
      return Object.fromEntries(
        [...lines].map((m) => [m[1], Number(m[2])]).filter(([name]) => WRITES.includes(String(name))),
      );
    };
    const reset = () => mine.mset(KEY, `[1,"${"x".repeat(300)}"]`, OTHER, "[2]");
    await reset();
    assertEquals(await count("push|0|1|1|push|0|2|1|pop|0|set|1|0|true"), { set: 1 });
    assertEquals(await count("push|0|1|1|@|2|push|0|2|1|@|1|pop|0|push|0|3|1|;|@|2|pop|0", both), { set: 2 });
    assertEquals(await count("exists|0|test|1|0|true|;|delete|1|99|;|ifAbsent|set|0|1"), {});
    assertEquals(await count("push|0|1|1|toggle|1|1"), {});
    assertEquals(await count("ttl|90000|set|0|[1]"), { set: 1 });
    assertEquals(await count("push|0|1|1|expire|0|80000"), { set: 1 });
    assertEquals(await count("expire|0|80000"), { pexpire: 1 });
    assertEquals(await count("persist|0"), { persist: 1 });
    assertEquals(await count("delete|0|@|2|take|0", both), { del: 2 });
    await reset();
    const writes = await count("set|1|0|7");
    assertEquals(Object.values(writes), [1]); // in place or as a whole
    assertStrictEquals(await mine.get(KEY), `[7,"${"x".repeat(300)}"]`);
  });

  it("apply answers the server's own error when memory is short, and changes nothing", async () => {
    await using server = await startRedis({ args: ["--maxmemory-policy", "noeviction"] });
    using mine = clientOf(server.url);
    await mine.mset(KEY, "[1]", OTHER, "[2]");
    const tokens = "push|0|1|1|@|2|push|0|1|1".split("|");
    await mine.config("SET", "maxmemory", "1");
    await assertRejects(() => mine.eval(APPLY.text, 2, KEY, OTHER, ...tokens), Error, "OOM");
    assertEquals(await mine.mget(KEY, OTHER), ["[1]", "[2]"]);
    await mine.config("SET", "maxmemory", "0");
    assertEquals(await mine.eval(APPLY.text, 2, KEY, OTHER, ...tokens), ["2", "2"]);
  });

  it("apply answers the server's own error on a replica", async () => {
    await using server = await startRedis();
    using mine = clientOf(server.url);
    await mine.call("REPLICAOF", "127.0.0.1", "1"); // of nobody, so that it waits for ever
    const error = await assertRejects(() => mine.eval(APPLY.text, 1, KEY, "set", "0", "1"), Error) as Error;
    // Redis 6 puts it behind the place in the script.
    assertMatch(error.message, /^(ERR .*: -)?(READONLY|MASTERDOWN)/);
  });

  it("apply reaches every op by the words that the generated table gives", async () => {
    await client.set(KEY, "[]");
    for (const [kind, words] of Object.entries(APPLY_OPS)) {
      const args = words.map((word) => word === "string" ? '""' : word === "items" ? "" : "1");
      const replies = await client.evalsha(APPLY.sha1, 1, KEY, kind, "1", "5", ...args) as string[];
      assertStrictEquals(replies.length, 1, kind);
    }
  });
});

for (const first of FIRST) {
  describe(`apply, of large values, of which ${first} bytes are read first`, () => {
    /** 400 KB: an early member, a number in which these bytes end, one in the middle, one at the end. */
    const early = '{ "first": [1, {"x": "}]"}], "fill": "';
    const edge = `${early}${"y".repeat(first - early.length - 13)}","edge":1234`;
    const large = `${edge}567,"middle":{"n":1},"list":[${'[1,"a]"],'.repeat(40_000)}0],"last":true}`;

    const change = async (tokens: string, from: string, to: string, reply: string) => {
      assert(large.split(from).length === 2, from);
      await check(large, tokens, large.replace(from, () => to), reply);
    };

    it("apply changes the first, the middle and the last value of a large one", async () => {
      assert(large.length > 4 * 65_536 && large.indexOf("567,") <= first);
      await change('set|2|"first"|0|2', "[1, {", "[2, {", "");
      await change('set|2|"first"|0|"longer"', "[1, {", '["longer", {', "");
      await change('push|1|"first"|7|1', '"}]"}]', '"}]"},7]', "3");
      await change('set|2|"first"|1|null', '{"x": "}]"}', "null", "");
      await change('delete|1|"first"', '"first": [1, {"x": "}]"}], ', "", "true");
      await change('increment|1|"edge"|1', "1234567", "1234568", "1234568");
      await change('take|1|"edge"', '"edge":1234567,', "", "1234567");
      await change('set|2|"middle"|"n"|2', '{"n":1}', '{"n":2}', "");
      await change('toggle|1|"last"', "true}", "false}", "false");
      await change('set|1|"new"|1', "true}", 'true,"new":1}', "");
      await change('pop|1|"list"', ",0]", "]", "0");
    });

    it("apply finds nothing in a large value where there is nothing, and leaves it alone", async () => {
      await refused(large, 'delete|1|"none"', "false");
      await refused(large, 'toggle|1|"none"', "!NOT_FOUND 0 ");
      await refused(large, 'set|2|"first"|3|1', "!RANGE 1 2");
      await refused(large, 'increment|1|"fill"|1', "!TYPE 1 string");
      await refused(large, 'set|2|"first"|0|2|toggle|1|"none"', "", "!NOT_FOUND 0 ");
    });

    it("apply runs several ops and groups on a large value", async () => {
      await check(
        large,
        'set|2|"first"|0|2|increment|2|"first"|0|3|;|toggle|1|"edge"|;|toggle|1|"last"|delete|1|"fill"',
        large.replace("[1, {", "[5, {").replace("true}", "false}").replace(/"fill": "y*",/, ""),
        ...["", "5", "!TYPE 1 number", "false", "true"],
      );
    });

    it("apply changes a large value with white space around it, and refuses one that is cut short", async () => {
      await check(` ${large}\n`, 'toggle|1|"last"', ` ${large.replace("true}", "false}")}\n`, "false");
      const [reply] = await (async () => {
        await client.set(KEY, large.slice(0, -1));
        return await apply('set|2|"first"|0|2');
      })();
      assertMatch(reply, /^!CORRUPT 0 \d+$/);
      assertStrictEquals(await client.get(KEY), large.slice(0, -1));
    });
  });
}

describe("apply, of groups that build on others", () => {
  it("apply after refuses a group where one that it builds on was refused, and no other", async () => {
    const guard = (value: number): string => `bytes|test|1|"n"|${value}`;
    const add = (value: number): string => `${guard(value)}|set|1|"n"|${value + 1}`;
    // Chains that hold; that break at the first group; in the middle; two of them at once.
    await check('{"n":0}', `${add(0)}|;|after|1|${add(1)}`, '{"n":2}', "", "", "", "");
    const orphan = "!AFTER 0 ";
    await refused('{"n":1}', `${add(0)}|;|after|1|${add(1)}`, "!TEST 1 ", "", orphan, "");
    await check(
      '{"n":0,"m":5}',
      `${add(0)}|;|after|1|${add(7)}|;|after|2|${add(8)}|;|set|1|"m"|6|;|after|1|after|4|set|1|"o"|1`,
      '{"n":1,"m":6,"o":1}',
      ...["", "", "!TEST 1 ", "", orphan, "", "", ""],
    );
    await check(
      '{"n":0}',
      `set|1|"x"|1|;|${guard(3)}|;|after|1|after|2|set|1|"y"|1|;|set|1|"z"|1`,
      '{"n":0,"x":1,"z":1}',
      ...["", "!TEST 1 ", orphan, ""],
    );
  });

  it("apply fresh returns in a group of its own what is there, if any group was refused", async () => {
    const groups = 'set|1|"a"|1|;|bytes|test|1|"n"|0|;|@|2|fresh|0|@|1|fresh|0|fresh|1|"a"';
    await client.set(OTHER, "[7]");
    await client.set(KEY, '{"n": 0}');
    assertEquals(await apply(groups, [KEY, OTHER]), ["", "", "", "", ""]);
    await client.set(KEY, '{"n": 1}');
    const text = '{"n": 1,"a":1}';
    assertEquals(await apply(groups, [KEY, OTHER]), ["", "!TEST 1 ", "[7]", text, "1"]);
    assertStrictEquals(await client.get(KEY), text);
    await client.del(OTHER);
    assertEquals((await apply(groups, [KEY, OTHER])).slice(2), ["!NO_KEY 0 ", text, "1"]);
  });
});
