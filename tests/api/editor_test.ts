/**
 * What an editor shows of the types: hovers, completions, errors; and what it costs the compiler.
 */

import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Editor } from "../support/language_service.ts";

const KEYS = 200;
const LEVELS = 6;

/** Interfaces of so many members; every tenth member leads to the next level. */
function largeInterface(): string {
  const level = (depth: number): string => {
    const members = Array.from({ length: KEYS }, (_, index) => {
      const isInner = index % 10 === 0 && depth < LEVELS;
      return `k${index}: ${isInner ? `L${depth + 1}` : ["string", "number[]", "boolean"][index % 3]};`;
    });
    return `interface L${depth} { ${members.join(" ")} }`;
  };
  return Array.from({ length: LEVELS }, (_, index) => level(index + 1)).join("\n");
}

describe("types in an editor", () => {
  let editor: Editor;

  beforeAll(() => {
    editor = new Editor();
  });

  afterAll(() => editor.close());

  it("at() offers the segments that may follow, and makes few types to find them", () => {
    const path = '"k0", "k10", "k20", "k30", ';
    const before = `import type { RedisJsonDict } from "./mod.ts";\n${largeInterface()}\n` +
      `declare const lab: RedisJsonDict<L1>;\n`;
    editor.open(before);
    assertEquals(editor.errors(), []);
    const start = editor.instantiations();
    editor.open(`${before}lab.at(${path}"");`);
    const offered = editor.completions(`lab.at(${path}"`);
    assertEquals(offered.length, KEYS);
    assert(offered.includes("k199"));
    const made = editor.instantiations() - start;
    assert(made < 5000, `${made} instantiations`); // 32,000 if each segment is tried behind each other one
  });
});
