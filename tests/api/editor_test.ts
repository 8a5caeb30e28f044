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

  it("a hover of a draft names the interfaces of the user", () => {
    editor.open(`
      import type { Json, RedisJsonDict } from "./mod.ts";
      interface Tags { owner: string }
      interface Sample { color: "red" | "blue"; tags?: Tags; list: Tags[] }
      interface Lab { sample: Sample; id: number; free: Json; opaque: unknown; byName: Record<string, Sample> }
      declare const lab: RedisJsonDict<Lab>;
      lab.edit((draft) => {
        const { sample, id, free, opaque, byName: { one } } = draft;
        const { tags, list, color } = sample;
        for (const element of list) element.owner = "x";
      });
      lab.at("sample").edit((part) => void part);
      lab.at("opaque").edit((nothing) => void nothing);
      const live = await lab.at("sample").live();
      const following = await lab.at("sample").live({ follow: true });
      const { document } = following;
    `);
    assertEquals(editor.errors(), []);
    const shown = (name: string) => editor.hover(name).replace(/^.*?: /, "");
    assertEquals(shown("draft)"), "Draft<Lab>");
    assertEquals(shown("sample, id"), "Draft<Sample>");
    assertEquals(shown("id, free"), "number");
    assertEquals(shown("free, opaque"), "any");
    assertEquals(shown("opaque, byName"), "unknown");
    assertEquals(shown("one }"), "Draft<Sample>");
    assertEquals(shown("tags, list"), "Draft<Tags> | undefined");
    assertEquals(shown("list, color"), "Draft<Tags>[]");
    assertEquals(shown("color }"), '"red" | "blue"');
    assertEquals(shown("element of"), "Draft<Tags>");
    assertEquals(shown("part)"), "Draft<Sample>");
    assertEquals(shown("nothing)"), "unknown");
    assertEquals(shown("live ="), "Live<Sample>");
    assertEquals(shown("following ="), "Following<Sample>");
    assertEquals(shown("document }"), "Draft<Sample> | undefined");
  });

  it("an error names the member that JSON cannot hold, and says what to use", () => {
    const errorOf = (type: string): string => {
      editor.open(
        `import { RedisJsonDict } from "./mod.ts";\n${type}\nRedisJsonDict.connect<Lab>("", { prefix: "" });`,
      );
      return editor.errors().join("\n");
    };
    const reasons: readonly (readonly [type: string, ...says: string[]])[] = [
      ["Date", "the_member: a Date is not JSON; use a string or a number"],
      ["Date[]", "the_member: a Date is not JSON; use a string or a number"],
      ["string | Date", "the_member: a Date is not JSON; use a string or a number"],
      ["{ deep: { er?: Date } }", "'sample.the_member.deep.er'", "er: a Date is not JSON"],
      ["[number, Set<string>]", "the_member: a Set is not JSON; use an array"],
      ["Map<string, number>", "the_member: a Map is not JSON; use an object"],
      ["symbol", "the_member: a symbol is not JSON; use a string"],
      ["() => void", "the_member: a function is not JSON; leave it out"],
      ["typeof Date", "the_member: a function is not JSON; leave it out"],
      ["Uint8Array", "the_member: bytes are not JSON; use a string, such as base64"],
      ["Promise<number>", "the_member: a promise is not JSON; await it before"],
      ["URL", "the_member: what toJSON returns is written and read; use the type of that"],
      ["Box<Box<Box<Box<Box<Date>>>>>", "value: a Date is not JSON"],
      ["bigint", "Property 'bigints' is missing"],
    ];
    for (const [type, ...says] of reasons) {
      const error = errorOf(
        `interface Box<T> { value: T }\ninterface Lab { sample: { a: 1; the_member: ${type} } }`,
      );
      for (const what of says) assert(error.includes(what), `${type}: ${error}`);
    }
    assertEquals(errorOf("interface Lab { sample: { a: 1; list: string[]; next?: Lab } }"), "");
  });

  it("an error says that a recipe must be synchronous", () => {
    for (const call of ["lab.edit", "lab.explain", 'lab.at("sample").edit', 'lab.at("sample").explain']) {
      editor.open(`
        import type { RedisJsonDict } from "./mod.ts";
        declare const lab: RedisJsonDict<{ sample: { n: number } }>;
        ${call}(async (draft) => { await 1; });
      `);
      const error = editor.errors().join("\n");
      assert(error.includes("a recipe must be synchronous: await before the edit"), `${call}: ${error}`);
    }
  });
});
