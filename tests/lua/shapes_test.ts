import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { APPLY } from "../../src/call/scripts.gen.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

/**
 * Values on which guessing where a bracket ends is wrong again and again, or on which looking for the next quote
 * leads far. Each ends with an array `[1]` as its last element. What is quadratic takes minutes at this size.
 */
const COUNT = 20_000;
const SHAPES: Readonly<Record<string, string>> = {
  "objects with an opening brace in a string": '{"t":":{"}',
  "objects with a closing brace in a string": '{"t":"}"}',
  "arrays with an opening bracket in a string": '["["]',
  "arrays with a closing bracket in a string": '["]"]',
  "arrays of numbers, without any quote": "[1,2]",
  "empty objects": "{}",
  "arrays with strings of what stands around strings": '[",","]",": [",",[,"]',
  "arrays with brackets beside escaped quotes and backslashes": '["\\"]","[\\\\","\\\\\\"]"]',
  "messages with brackets of all kinds": '{"text":"see [1, or {2","n":[1,{}],"o":{"a":"}]"}}',
};

const client = testClient();
const key = `${uniquePrefix("shapes")}a`;

describe("shapes that are hard to cross", () => {
  for (const [name, element] of Object.entries(SHAPES)) {
    it(`apply reaches the end of ${COUNT} ${name}`, async () => {
      const start = `[${`${element},`.repeat(COUNT)}`;
      await client.set(key, `${start}[1]]`);
      const args = ["push", "1", "-1", "2", "1", ";", "push", "1", String(COUNT), "3", "1"];
      assertEquals(await client.eval(APPLY.text, 1, key, ...args), ["2", "3"]);
      assertEquals(await client.get(key), `${start}[1,2,3]]`);
    });

    it(`apply adds a member behind ${COUNT} members of ${name}`, async () => {
      const members = Array.from({ length: COUNT }, (_, index) => `"m${index}":${element}`).join();
      await client.set(key, `{${members}}`);
      const [reply] = await client.eval(APPLY.text, 1, key, "set", "1", '"zz"', "1") as string[];
      assertEquals(reply, "");
      assertEquals(await client.get(key), `{${members},"zz":1}`);
    });
  }

  it("apply reaches what stands behind arrays in arrays with a bracket in the innermost string", async () => {
    const deep = `${"[".repeat(COUNT)}"["${"]".repeat(COUNT)}`;
    await client.set(key, `[${deep},1]`);
    const [reply] = await client.eval(APPLY.text, 1, key, "increment", "1", "1", "1") as string[];
    assertEquals(reply, "2");
    assertEquals(await client.get(key), `[${deep},2]`);
  });
});
