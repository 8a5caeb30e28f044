/** The lines of a dump. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type DumpItem, headOf, lineOf, linesOf, readDump, Seal } from "../../src/cli/dump_format.ts";
import { Failure } from "../../src/cli/failure.ts";
import { fuzz } from "../support/fuzz.ts";

/** Characters that one tool or another takes for the end of a line or a string. */
const CHARACTERS = [...'\u2028\u2029\u0085\ufeff\0\r\n\t"\\{}[],: aé😀', '"value":'];
const words = fc.string({
  unit: fc.oneof(fc.constantFrom(...CHARACTERS), fc.string({ unit: "binary", maxLength: 1 })),
});
const scalars = fc.oneof(
  words.map((word) => JSON.stringify(word)),
  fc.constantFrom("1.0", "1e2", "-0", "null"),
);
const space = fc.constantFrom("", " ", "\n");
const arrays = fc.tuple(space, fc.array(scalars), space).map(([before, items, between]) =>
  `${before}[${items.join(`,${between}`)}]`
);
const items: fc.Arbitrary<DumpItem> = fc.record(
  { key: words, text: fc.oneof(arrays, scalars, words), ttl: fc.integer({ min: 1 }) },
  { requiredKeys: ["key", "text"] },
);

async function read(text: string, isChecked: boolean): Promise<DumpItem[]> {
  async function* pieces(): AsyncGenerator<string> {
    yield await Promise.resolve(text);
  }
  const found: DumpItem[] = [];
  for await (const { item } of readDump(linesOf(pieces()), isChecked)) found.push(item);
  return found;
}

function sealed(lines: readonly string[]): string {
  const seal = new Seal();
  for (const line of lines) seal.add(line);
  return headOf("") + lines.join("") + seal.end();
}

describe("lines of a dump", () => {
  it("bring back every key and every text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(items, { maxLength: 4 }), async (some) => {
        const lines = some.map(lineOf);
        const plain = some.map((item) => ({ ...item }));
        assertEquals(await read(sealed(lines), true), plain);
        assertEquals(await read(lines.join(""), false), plain);
      }),
      fuzz(),
    );
  });

  it("are refused in a checked dump where their values would be written again", async () => {
    const line = '{"value":[1.0],"key":"a"}\n';
    await assertRejects(() => read(sealed([line]), true), Failure, "line 2 is no item");
    assertEquals(await read(line, false), [{ key: "a", text: "[1]" }]);
  });
});
