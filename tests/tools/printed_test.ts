import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { comparePrinted, Printed } from "../../tools/printed.ts";

const page = (code: string): string => `# Page\n\n\`\`\`ts\n${code}\n\`\`\`\n`;

describe("Printed", () => {
  it("accepts what was announced, and nothing else", () => {
    const run = (expected: string[], ...printed: unknown[][]) => {
      using console = new Printed(expected);
      for (const values of printed) console.log(...values);
    };
    run([]);
    run(["a 1 [ 2 ]"], ["a", 1, [2]]);
    run(["a", "b"], ["a\nb"]);
    assertThrows(() => run(["a"]), Error, "printed: nothing");
    assertThrows(() => run([], ["a"]), Error, "Its comments say: nothing");
    assertThrows(
      () => run(["b", "a"], ["a"], ["b"]),
      Error,
      "printed:\n  a\n  b\nIts comments say:\n  b\n  a",
    );
  });
});

describe("comparePrinted()", () => {
  it("leaves alone what does not print, is ignored, or is no program", () => {
    for (
      const text of [
        page("const a = 1;"),
        "```ts ignore\nconsole.log(1);\n```\n",
        "```text\nconsole.log(1); // => 1\n```\n",
        "no block: console.log(1) // => 2\n",
      ]
    ) assertEquals(comparePrinted(text), text);
  });

  it("moves no line, in Markdown and in comments", () => {
    for (
      const text of [
        page("\nconsole.log(1); // => 1"),
        "/**\n * @example One\n * ```ts\n * console.log(1);\n * // => 1\n * ```\n */\nconst a = 1;\n",
      ]
    ) {
      const lines = comparePrinted(text).split("\n");
      assertEquals(lines.length, text.split("\n").length);
      const changed = lines.filter((line, index) => line !== text.split("\n")[index]);
      assertEquals(changed.length, 1);
      assert(changed[0].includes(`new Printed(["1"])`), changed[0]);
    }
  });

  it("lets an example with right comments pass, and fails one with wrong ones, or none", async () => {
    const document = [
      page(`for (const n of [1, 2]) console.log(n, { n });\n// => 1 { n: 1 }\n// => 2 { n: 2 }`),
      page(`console.log(1 + 1); // => 3`),
      page(`console.log("not said");`),
    ];
    const folder = await Deno.makeTempDir({ prefix: "json-dict-printed-" });
    try {
      await Deno.writeTextFile(`${folder}/page.md`, comparePrinted(document.join("\n")));
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "--doc", "--no-config", "--no-check", "page.md"],
        cwd: folder,
        env: { NO_COLOR: "1" },
      }).output();
      const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      assertMatch(output, /1 passed \| 2 failed/);
      assertMatch(output, /printed:\s+2\s+Its comments say:\s+3/);
      assertMatch(output, /printed:\s+not said\s+Its comments say: nothing/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
