import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { Redis } from "ioredis";
import { READ } from "../../src/call/scripts.gen.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const prefix = uniquePrefix("read");
const KEY = `${prefix}a`;
const OTHER = `${prefix}b`;
await client.script("LOAD", READ.text);

/** Of a large value so many bytes are read first. */
const FIRST = [/ = hint or (\d+)$/m, /\.call\('GETRANGE', key, '0', (\d+) - 1\)$/m].map((pattern) =>
  Number(pattern.exec(READ.text)?.[1])
);

/** A client of a server that a test started for itself, closed with its scope. */
function clientOf(url: string): Redis & Disposable {
  const own = new Redis(url);
  return Object.assign(own, { [Symbol.dispose]: () => own.disconnect() });
}

/** What reads, written as one line of tokens parted by |, answer on a text (null: no key), which must stay. */
async function check(text: string | null, tokens: string, ...replies: string[]): Promise<void> {
  if (text === null) await client.unlink(KEY);
  else await client.set(KEY, text);
  assertEquals(
    await client.evalsha(READ.sha1, 1, KEY, ...tokens.split("|")),
    replies,
    `${tokens} on ${text}`,
  );
  assertStrictEquals(await client.get(KEY), text);
}

const DOC = ' { "a" : 1.0 , "b":[ 1,\t[] , "x\\u0041" ] ,"c":{ "d":true,"\\u0065":null}, "e" : "\\/é😀" } ';

describe("read", () => {
  it("read get answers the fragment as it is spelled, a whole value with all that is around it", async () => {
    await check(DOC, "get|0", DOC);
    await check(DOC, 'get|1|"a"', "1.0");
    await check(DOC, 'get|1|"b"', '[ 1,\t[] , "x\\u0041" ]');
    await check(DOC, 'get|2|"b"|-1', '"x\\u0041"');
    await check(DOC, 'get|2|"b"|"1"', "[]");
    await check(DOC, 'get|2|"c"|"e"', "null");
    await check(" 12 ", "get|0", " 12 ");
  });

  it("read type names the type as JSON does", async () => {
    for (
      const [text, type] of ['"s"', "-1.5e3", "true", "false", "null", "[ ]", "{}"].map((text) => [
        text,
        JSON.parse(text) === null
          ? "null"
          : Array.isArray(JSON.parse(text))
          ? "array"
          : typeof JSON.parse(text),
      ])
    ) {
      await check(` ${text}`, "type|0", type);
      await check(`[0,${text}]`, "type|1|1", type);
      await check(`{"a":${text} }`, 'type|1|"a"', type);
    }
  });

  it("read length counts elements, members, and a string's UTF-16 units", async () => {
    await check(DOC, 'length|0|length|1|"b"|length|1|"c"|length|1|"e"', "4", "3", "2", "4");
    await check(
      '["", "\\u0041\\n\\\\", "\\ud83d\\ude00", "\\\\u0041", "\\ud800"]',
      "length|1|0|length|1|1|length|1|2",
      ...["0", "3", "2"],
    );
    await check('["", "", "", "\\\\u0041", "\\ud800"]', "length|1|3|length|1|4", "6", "1");
    await check("[ ]", "length|0", "0");
    await check("{\n}", "length|0", "0");
    await check(DOC, 'length|1|"a"', "!TYPE 1 number");
    await check("[true,null]", "length|1|0|length|1|1", "!TYPE 1 boolean", "!TYPE 1 null");
  });

  it("read length counts long arrays of every kind", async () => {
    for (const one of ["1", '"a,]"', '"\\"["', "[1,2]", '["]"]', '{"a":[0]}', '{"}":"{"}', "{ }"]) {
      for (const count of [15, 16, 17, 33, 100, 1000]) {
        await check(`[${Array(count).fill(one).join(",")}]`, "length|0", String(count));
        await check(
          `[${Array(count).fill(one).join(" , ")}]`,
          `get|1|${count - 1}|exists|1|${count}`,
          one,
          "false",
        );
      }
    }
  });

  it("read keys lists the names as they are spelled, in order", async () => {
    await check(DOC, 'keys|0|keys|1|"c"', '["a","b","c","e"]', '["d","\\u0065"]');
    await check("{ }", "keys|0", "[]");
    await check(DOC, 'keys|1|"b"|keys|1|"a"', "!TYPE 1 array", "!TYPE 1 number");
    await check("5", "keys|0", "!TYPE 0 number");
  });

  it("read exists says whether there is a value", async () => {
    await check(DOC, 'exists|0|exists|1|"a"|exists|2|"c"|"e"|exists|2|"b"|2', "true", "true", "true", "true");
    await check(
      DOC,
      'exists|1|"x"|exists|2|"x"|"y"|exists|2|"b"|3|exists|2|"b"|-4',
      ...Array(4).fill("false"),
    );
    await check(null, 'exists|0|exists|1|"a"', "false", "false");
    await check(DOC, 'exists|2|"a"|"b"', "!TYPE 1 number");
  });

  it("read refuses what is missing, on its own", async () => {
    for (const kind of ["get", "type", "length", "keys"]) {
      await check(null, `${kind}|0|${kind}|1|"a"`, "!NO_KEY 0 ", "!NO_KEY 0 ");
      await check(DOC, `${kind}|1|"x"|get|1|"a"`, "!NOT_FOUND 0 ", "1.0");
      await check(DOC, `${kind}|2|"b"|3|${kind}|2|"b"|-4`, "!NOT_FOUND 1 ", "!NOT_FOUND 1 ");
      await check(DOC, `${kind}|2|"b"|"x"|${kind}|2|"e"|0`, "!TYPE 1 array", "!TYPE 1 string");
    }
  });

  it("read refuses a text that is no JSON, with the byte where it was noticed", async () => {
    for (const text of ["", " ", "{", "[1", '{"a"}', "{a:1}", '{"a":1', "[1,]x", "]", "}"]) {
      await client.set(KEY, text);
      const [reply] = await client.evalsha(READ.sha1, 1, KEY, "get", "1", "0") as string[];
      assertMatch(reply, /^!(CORRUPT \d+ \d*|NOT_FOUND 0 |TYPE 0 \w+)$/, text);
    }
    await check("", "type|0", "!CORRUPT 0 0");
    await check('{"a":[1,2}', 'length|1|"a"', "!CORRUPT 1 9");
  });

  it("read reads several keys in one call, and refuses one that holds no string", async () => {
    await client.set(KEY, "[1]");
    await client.del(OTHER);
    const call = (tokens: string) => client.evalsha(READ.sha1, 2, KEY, OTHER, ...tokens.split("|"));
    const tokens = "get|1|0|@|2|get|0|exists|0|get|1|0|@|1|length|0";
    assertEquals(await call(tokens), ["1", "!NO_KEY 0 ", "false", "!NO_KEY 0 ", "1"]);
    await client.hset(OTHER, "f", "1");
    const wrong = "!WRONG_TYPE 0 hash";
    assertEquals(await call(tokens), ["1", wrong, wrong, wrong, "1"]);
    await client.set(OTHER, '{"a":2}');
    assertEquals(await call('@|2|get|1|"a"|@|1|get|0'), ["2", "[1]"]);
  });

  for (const first of FIRST) {
    it(`read finds values early, in the middle and late in a large text, and where ${first} bytes end`, async () => {
      const early = '{ "first":[1,{"x":"}]"}],"fill":"';
      const edge = `${early}${"y".repeat(first - early.length - 13)}","edge":1234`;
      const large = `${edge}567,"middle":{"n":"é"},"list":[${'[1,"a]"],'.repeat(40_000)}0],"last":true}`;
      await check(
        large,
        'get|2|"first"|1|get|2|"first"|-1|"x"'.replace('get|2|"first"|-1', 'get|3|"first"|-1'),
        ...[
          '{"x":"}]"}',
          '"}]"',
        ],
      );
      await check(large, 'get|1|"edge"|get|1|"middle"|get|1|"last"', "1234567", '{"n":"é"}', "true");
      await check(
        large,
        'length|1|"list"|get|2|"list"|-2|get|2|"list"|39999',
        "40001",
        '[1,"a]"]',
        '[1,"a]"]',
      );
      await check(
        large,
        'get|1|"none"|exists|1|"none"|get|2|"first"|2',
        "!NOT_FOUND 0 ",
        "false",
        "!NOT_FOUND 1 ",
      );
      await check(
        large,
        "keys|0|length|0|type|0",
        '["first","fill","edge","middle","list","last"]',
        "6",
        "object",
      );
      await check(large, 'length|1|"fill"', String(first - early.length - 13));
      await check(large, 'get|0|get|2|"first"|0', large, "1");
    });
  }

  it("read runs no write command, also on a replica", async () => {
    await using server = await startRedis();
    using mine = clientOf(server.url);
    await mine.set(KEY, DOC);
    await mine.call("REPLICAOF", "127.0.0.1", "1"); // of nobody, so that it waits for ever
    const tokens = 'get|0|get|1|"a"|type|0|length|0|keys|0|exists|1|"a"'.split("|");
    const replies = await mine.eval(READ.text, 1, KEY, ...tokens) as string[];
    assert(replies.every((reply) => !reply.startsWith("!")));
  });
});
