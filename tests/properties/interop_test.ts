/** The data of the Python package, byte for byte, and ours as Python reads it. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertRejects } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { CorruptValueError } from "../../src/errors/value.ts";
import recorded from "../support/python_dumps.json" with { type: "json" };
import { testClient, uniquePrefix } from "../support/redis.ts";
import { assertSame } from "../support/same.ts";

const client = testClient();
// deno-lint-ignore no-explicit-any -- values of another program
const lab = new RedisJsonDict<any>(client, { prefix: uniquePrefix("interop") });
const X = `${lab.prefix}x`;

/** As `json.dumps(value, separators=(",", ":"), ensure_ascii=False)` writes, with its ways of writing numbers. */
const PYTHON =
  '{"name":"Ångström 漢字 🧪","t":1700000000.123456,"small":1e-07,"big":1e+22,"one":1.0,"neg":-0.0,"int":12345678901234567890,' +
  '"quote":"\\"\\\\/\\b\\f\\n\\r\\t\\u0001","empty":[],"none":null,"nested":{"a":[1,2.5,true],"":{}},"del":"\u007f\u2028"}';

/** What RedisJsonDict does to that text in place, and the bytes that change. */
const EDITS: readonly [edit: () => Promise<unknown>, from: string, to: string][] = [
  [() => lab.at("x", "nested", "a").push("é"), "[1,2.5,true]", '[1,2.5,true,"é"]'],
  [() => lab.at("x", "nested", "a").push("é", { b: [1.5] }), "true]", 'true,"é",{"b":[1.5]}]'],
  [() => lab.at("x", "one").increment(), '"one":1.0', '"one":2'],
  [() => lab.at("x", "name").append("! ü"), "🧪", "🧪! ü"],
  [() => lab.at("x", "empty").push({}), '"empty":[]', '"empty":[{}]'],
  [() => lab.at("x", "none").delete(), '"none":null,', ""],
  [() => lab.at("x", "nested", "").set(1), '"":{}', '"":1'],
];

/** Texts of both sides, and of neither. */
const TEXTS: readonly string[] = [
  PYTHON,
  ...EDITS.map(([, from, to]) => PYTHON.replace(from, to)),
  '{"name": "\\u00c5 \\ud83e\\uddea", "list": [1, 2], "\\u00e9": 1}',
  '{"name": "\\u00c5 \\ud83e\\uddea", "list": [1, 2,3], "\\u00e9": 2}',
  JSON.stringify({ s: 'é"\\\n', n: [1, 0.1, 1e21, 1e-7, 5e-324, 1e16, 123456789.125], u: "\u2028\x7f\0" }),
  '[-0.0,1E5,0.1e-6,9007199254740993,[[]],{},"\\u0041\\/"]',
  "[1e400]",
  "[NaN,Infinity,-Infinity]",
];

describe("Text of the Python package", () => {
  it("RedisJsonDict reads what Python wrote", async () => {
    await client.set(X, PYTHON);
    assertSame(await lab.get("x"), {
      name: "Ångström 漢字 🧪",
      t: 1700000000.123456,
      small: 1e-7,
      big: 1e22,
      one: 1,
      neg: -0,
      int: 12345678901234567000,
      quote: '"\\/\b\f\n\r\t\u0001',
      empty: [],
      none: null,
      nested: { a: [1, 2.5, true], "": {} },
      del: "\u007f\u2028",
    });
    assertEquals(await lab.at("x", "name").length(), "Ångström 漢字 🧪".length);
    assertEquals(await lab.at("x", "nested", "a", -1).get(), true);
  });

  it("RedisJsonDict edits what Python wrote in place: every other byte stays", async () => {
    for (const [edit, from, to] of EDITS) {
      await client.set(X, PYTHON);
      await edit();
      assertEquals(await client.get(X), PYTHON.replace(from, to));
    }
  });

  it("RedisJsonDict reads and edits what json.dumps writes by default, with spaces and in ASCII", async () => {
    await client.set(X, '{"name": "\\u00c5 \\ud83e\\uddea", "list": [1, 2], "\\u00e9": 1}');
    assertEquals(await lab.get("x"), { name: "Å 🧪", list: [1, 2], é: 1 });
    assertEquals(await lab.at("x", "é").increment(), 2);
    assertEquals(await lab.at("x", "name").length(), 4);
    await lab.at("x", "list").push(3);
    assertEquals(await client.get(X), '{"name": "\\u00c5 \\ud83e\\uddea", "list": [1, 2,3], "\\u00e9": 2}');
  });
});

describe("Our text", () => {
  it("RedisJsonDict writes the compact text of JSON.stringify under prefix + key and nothing beside it", async () => {
    await lab.clear();
    const value = { s: 'é"\\\n', n: [1, 0.1, 1e21], o: {}, z: null, u: "\u2028" };
    await lab.set("x", value);
    await lab.at("x", "o", "p").set(value);
    assertEquals(await client.get(X), JSON.stringify({ ...value, o: { p: value } }));
    assertEquals(await client.keys(`${lab.prefix}*`), [X]);
    assertEquals(await client.type(X), "string");
  });
});

/** Reads texts, and writes what they hold: compact and not in ASCII, as the Python package does, and as it is by default. */
const PROGRAM = `
import json, sys
sys.stdin.reconfigure(encoding="utf-8")
sys.stdout.reconfigure(encoding="utf-8")
values = [json.loads(text) for text in json.load(sys.stdin)]
compact = dict(separators=(",", ":"), ensure_ascii=False)
print(json.dumps([[json.dumps(it, **compact), json.dumps(it)] for it in values], indent=2, ensure_ascii=False))
`;

/** Runs the program with the Python of this machine. */
async function runPython(texts: readonly string[]): Promise<unknown> {
  const child = new Deno.Command("python3", { args: ["-c", PROGRAM], stdin: "piped", stdout: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(texts)));
  await writer.close();
  const { stdout } = await child.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function hasPython(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("python3", { args: ["-V"], stdout: "null", stderr: "null" })
      .output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const live = await hasPython() ? it : it.skip; // and "1 ignored" is printed

describe("What Python makes of each text, as it was recorded", () => {
  const written = new Map(TEXTS.map((text, index) => [text, recorded[index]]));

  it("Python writes again, byte for byte, what RedisJsonDict has edited", async () => {
    for (const [edit] of EDITS) {
      await client.set(X, PYTHON);
      await edit();
      const text = String(await client.get(X));
      assertEquals(written.get(text)?.[0], text);
    }
  });

  it("RedisJsonDict reads what Python writes, compact or by default, as Python has read it", async () => {
    for (const [text, outputs] of written) {
      const isJson = !text.includes("NaN") && !text.includes("1e400"); // Python writes infinities and NaN, too
      for (const output of outputs) {
        await client.set(X, output);
        if (isJson) assertSame(await lab.get("x"), JSON.parse(text), output);
        else await assertRejects(() => lab.get("x"), CorruptValueError);
      }
    }
  });

  live("Python of this machine, if there is one, writes what was recorded", async () => {
    assertEquals(await runPython(TEXTS), recorded);
  });
});
