/** The verbs of one value, and what all verbs have in common. */

import { stripVTControlCharacters } from "node:util";
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { redisUrl, testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { runHere, runProcess, TestTerminal } from "../support/test_terminal.ts";

const redis = testClient();

const done = { code: 0, out: "", err: "" };

describe("json-dict as a process", () => {
  it("json-dict sets, changes, prints and deletes a value", async () => {
    const { env, prefix } = new Shell(redis);
    assertEquals(await runProcess(["set", "sample"], { env, input: '{"n":1,"list":[1]}' }), done);
    assertEquals(await runProcess(["push", "sample.list", "2"], { env }), { ...done, out: "2\n" });
    assertEquals(await runProcess(["get", "sample"], { env }), { ...done, out: '{"n":1,"list":[1,2]}\n' });
    const flags = ["--url", redisUrl, "--prefix", prefix];
    assertEquals(await runProcess(["del", "sample", "--yes", ...flags]), done);
    assertEquals((await runProcess(["get", "sample"], { env })).code, 3);
  });

  it("json-dict prints one line for wrong input, and never a stack or a password", async () => {
    const env = { REDIS_URL: "redis://ada:geheim@127.0.0.1:1", JSON_DICT_PREFIX: "x:" };
    const runs: readonly (readonly [number, readonly string[]])[] = [
      [1, ["get", "a"]],
      [1, ["ls", "--url", "redis://ada:geheim@127.0.0.1:1/3"]],
      [2, ["redis://ada:geheim@127.0.0.1:1"]],
      [2, ["get", "redis://ada:geheim@127.0.0.1:1.[", "--prefix", "x:"]],
      [2, ["get", "a", "--url", "http://ada:geheim@127.0.0.1:1"]],
      [2, ["get", "a", "--url", "redis://ada:ge%heim@127.0.0.1:1"]],
      [2, ["get", "a", "--nothing"]],
      [2, ["get"]],
      [2, ["set", "a", "{"]],
      [2, ["set", "a.b", "1", "--ttl", "5s"]],
      [2, ["get", "a", "--prefix"]],
    ];
    for (const [code, args] of runs) {
      const ended = await runHere(new TestTerminal(env), ...args);
      assertEquals([ended.code, ended.out], [code, ""], ended.err);
      assertMatch(ended.err, /^json-dict: [^\n]+\n$/);
      assert(!/geheim|ge%heim| at .*\.ts/.test(ended.err), ended.err);
    }
    const ended = await runProcess(["get", "a"], { env });
    assertEquals([ended.code, ended.out], [1, ""]);
    assertMatch(ended.err, /^json-dict: Cannot connect to redis:\/\/127\.0\.0\.1:1: ECONNREFUSED[^\n]*\n$/);
  });

  it("json-dict wants a prefix, and takes an empty variable for none", async () => {
    const empty: Record<string, string>[] = [{}, { JSON_DICT_PREFIX: "" }];
    for (const env of empty.map((more) => ({ REDIS_URL: redisUrl, ...more }))) {
      const ended = await runHere(new TestTerminal(env), "ls");
      assertEquals(ended.code, 2);
      assertMatch(ended.err, /there is no prefix; write --prefix/);
    }
  });
});

describe("json-dict get", () => {
  it("get prints the bytes that are in Redis, of a part too", async () => {
    const shell = new Shell(redis);
    await shell.put("a", ' {"x": 1.0, "y":[12345678901234567890, "\\u00e9"]} ');
    assertEquals((await shell.run("get", "a")).out, ' {"x": 1.0, "y":[12345678901234567890, "\\u00e9"]} \n');
    assertEquals((await shell.run("get", "a.y")).out, '[12345678901234567890, "\\u00e9"]\n');
    assertEquals((await shell.run("get", "a.y[-1]", "--string")).out, "é\n");
    assertEquals((await shell.sit([], "get", "a.x", "--json")).out, "1.0\n");
  });

  it("get indents on a terminal, in colours but for NO_COLOR, and lets no value drive it", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{"x":[1,12345678901234567890],"\u009b2J":"\u202e","e":{}}');
    const plain =
      '{\n  "x": [\n    1,\n    12345678901234567890\n  ],\n  "\\u009b2J": "\\u202e",\n  "e": {}\n}\n';
    const coloured = await shell.sit([], "get", "a");
    assert(coloured.out.includes("\u001b[33m12345678901234567890\u001b[39m"));
    const env = { ...shell.env, NO_COLOR: "1" };
    assertEquals((await runHere(new TestTerminal(env, []), "get", "a")).out, plain);
    assertEquals(stripVTControlCharacters(coloured.out), plain);
  });

  it("get exits with 3 for what is not there, and with 1 for what is no JSON", async () => {
    const shell = new Shell(redis);
    await shell.put("a", "[1]");
    await shell.put("b", "{x");
    assertEquals((await shell.run("get", "nothing")).code, 3);
    assertEquals((await shell.run("get", "a[7]")).code, 3);
    assertEquals((await shell.run("get", "a.x")).code, 1); // an array has no names
    assertEquals((await shell.run("get", "b")).code, 1);
    assertEquals((await shell.run("get", "a[0].x")).code, 1);
  });

  it("get helps with a key that is written with its prefix", async () => {
    const shell = new Shell(redis);
    await shell.put("a", "1");
    const { code, err } = await shell.run("get", `${shell.prefix}a`);
    assertEquals(code, 3);
    assert(err.endsWith(`; write keys without the prefix ${JSON.stringify(shell.prefix)}\n`), err);
  });
});

describe("json-dict set", () => {
  it("set writes JSON or a string, from an argument or the input", async () => {
    const shell = new Shell(redis);
    assertEquals(await shell.run("set", "a", '{"b":12345678901234567890}'), done);
    assertEquals(await shell.run("set", "a.c", "blue", "--string"), done);
    assertEquals(await shell.feed("line\n", "set", "a.d", "-", "-s"), done);
    assertEquals(await shell.run("set", "a.e.f", "1", "--parents"), done);
    assertEquals(await shell.text("a"), '{"b":12345678901234567890,"c":"blue","d":"line","e":{"f":1}}');
    assertEquals((await shell.run("set", "a.x.y", "1")).code, 3);
    assertEquals((await shell.run("set", "a", "blue")).code, 2);
    assertEquals((await shell.sit([], "set", "a")).code, 2);
  });

  it("set gives an expiry, keeps it, or removes it", async () => {
    const shell = new Shell(redis);
    await shell.run("set", "a", "1", "--ttl", "2h");
    assert(await redis.pttl(`${shell.prefix}a`) > 3_600_000);
    await shell.run("set", "a", "2", "--keep-ttl");
    assert(await redis.pttl(`${shell.prefix}a`) > 3_600_000);
    assertEquals((await shell.run("set", "a", "3", "--keep-ttl", "--ttl", "1s")).code, 2);
    await shell.run("set", "a", "3");
    assertEquals(await redis.pttl(`${shell.prefix}a`), -1);
  });
});

describe("json-dict del", () => {
  it("del deletes nothing without a yes", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{"b":1,"c":2}');
    assertEquals((await shell.run("del", "a")).code, 2);
    assertEquals((await shell.sit([""], "del", "a")).code, 2);
    assertEquals((await shell.sit(["no"], "del", "a")).code, 2);
    assertEquals(await shell.text("a"), '{"b":1,"c":2}');
    const ended = await shell.sit(["y"], "del", "a.b");
    assertEquals([ended.code, ended.err], [0, 'Delete ["b"] of "a"? [y/N] ']);
    assertEquals(await shell.text("a"), '{"c":2}');
  });

  it("del deletes what is there, and names what is not", async () => {
    const shell = new Shell(redis);
    await shell.put("a", "1");
    const ended = await shell.run("del", "nothing", "a", "--yes");
    assertEquals([ended.code, await shell.text("a")], [3, null]);
    assertMatch(ended.err, /^json-dict: Cannot delete "nothing": not found\n$/);
  });
});

describe("json-dict push, incr, merge, patch", () => {
  it("push adds elements and prints the length", async () => {
    const shell = new Shell(redis);
    assertEquals((await shell.run("push", "a", "1")).code, 3);
    assertEquals(await shell.run("push", "a.list", "1", '"x"', "-p"), { ...done, out: "2\n" });
    assertEquals(await shell.run("push", "a.list", "y", "{", "-s"), { ...done, out: "4\n" });
    assertEquals(await shell.text("a"), '{"list":[1,"x","y","{"]}');
  });

  it("incr adds, exactly", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{"n":9007199254740993}');
    assertEquals(await shell.run("incr", "a.n"), { ...done, out: "9007199254740994\n" });
    assertEquals(await shell.run("incr", "a.n", "-5"), { ...done, out: "9007199254740989\n" });
    assertEquals(await shell.run("incr", "b", "0.5", "-p"), { ...done, out: "0.5\n" });
    assertEquals((await shell.run("incr", "b", '"x"')).code, 2);
  });

  it("merge and patch work on values and on parts", async () => {
    const shell = new Shell(redis);
    assertEquals(await shell.run("merge", "a", '{"b":{"c":1,"d":2}}'), done);
    assertEquals(await shell.feed('{"c":null}', "merge", "a.b"), done);
    const add = '[{"op":"add","path":"/e","value":[]}]';
    assertEquals(await shell.run("patch", "a", add), done);
    assertEquals(await shell.feed(add, "patch", "/a/b", "-"), done);
    assertEquals(await shell.text("a"), '{"b":{"d":2,"e":[]},"e":[]}');
    assertEquals((await shell.run("patch", "a", '[{"op":"test","path":"/e","value":1}]')).code, 1);
    assertEquals((await shell.run("patch", "a", "{}")).code, 2);
  });
});
