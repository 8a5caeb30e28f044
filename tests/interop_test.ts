/** The data of the Python package, byte for byte, and ours as Python reads it. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { RedisJsonDict } from "../src/dict.ts";
import { testClient, uniquePrefix } from "./support/redis.ts";

const client = testClient();
// deno-lint-ignore no-explicit-any -- values of another program
const lab = new RedisJsonDict<any>(client, { prefix: uniquePrefix("interop") });
const X = `${lab.prefix}x`;

/** As `json.dumps(value, separators=(",", ":"), ensure_ascii=False)` writes, with its ways of writing numbers. */
const PYTHON =
  '{"name":"Ångström 漢字 🧪","t":1700000000.123456,"small":1e-07,"big":1e+22,"one":1.0,"neg":-0.0,"int":12345678901234567890,' +
  '"quote":"\\"\\\\/\\b\\f\\n\\r\\t\\u0001","empty":[],"none":null,"nested":{"a":[1,2.5,true],"":{}},"del":"\u007f\u2028"}';

describe("Text of the Python package", () => {
  it("RedisJsonDict reads what Python wrote", async () => {
    await client.set(X, PYTHON);
    assertEquals(await lab.get("x"), {
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
    const edits: [() => Promise<unknown>, string, string][] = [
      [() => lab.at("x", "nested", "a").push("é"), "[1,2.5,true]", '[1,2.5,true,"é"]'],
      [() => lab.at("x", "one").increment(), '"one":1.0', '"one":2'],
      [() => lab.at("x", "name").append("!"), "🧪", "🧪!"],
      [() => lab.at("x", "empty").push({}), '"empty":[]', '"empty":[{}]'],
      [() => lab.at("x", "none").delete(), '"none":null,', ""],
      [() => lab.at("x", "nested", "").set(1), '"":{}', '"":1'],
    ];
    for (const [edit, from, to] of edits) {
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

/** Runs Debian's or anyone's Python where there is one. */
async function python(code: string, input: string): Promise<string> {
  const child = new Deno.Command("python3", { args: ["-c", code], stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout);
}

async function hasPython(): Promise<boolean> {
  try {
    return (await new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" })
      .output()).success;
  } catch {
    return false;
  }
}

describe("A Python of this machine, if there is one", () => {
  it("Python writes again, byte for byte, what RedisJsonDict has edited", async () => {
    await client.set(X, PYTHON);
    await lab.at("x", "nested", "a").push("é", { b: [1.5] });
    await lab.at("x", "name").append(" ü");
    const text = String(await client.get(X));
    assertEquals(text, PYTHON.replace("true]", 'true,"é",{"b":[1.5]}]').replace("🧪", "🧪 ü"));
    if (!await hasPython()) return;
    const code =
      "import json,sys\nsys.stdin.reconfigure(encoding='utf-8')\nsys.stdout.reconfigure(encoding='utf-8')\n" +
      "print(json.dumps(json.load(sys.stdin),separators=(',',':'),ensure_ascii=False),end='')";
    assertEquals(await python(code, text), text);
  });
});
