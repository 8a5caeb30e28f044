/** The parts of which the site is made; `deno task docs --check` makes and checks all of it. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { llmsText, readGuides } from "../../tools/docs/guides.ts";
import { findProblems } from "../../tools/docs/links.ts";
import { renderMarkdown } from "../../tools/docs/markdown.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

describe("findProblems()", () => {
  const page = (html: string) => new Map([["a/b.html", html], ["index.html", `<h1 id="top">x</h1>`]]);

  it("findProblems() accepts pages, anchors, links to other sites, and data of its own", () => {
    assertEquals(
      findProblems(page(
        `<p id="here"><a href="#here">1</a><a href="../index.html#top">2</a><a href="https://example.com/">3</a>` +
          `<a href="mailto:a@example.com">4</a><img src="data:image/png;base64,AA=="></p>`,
      )),
      [],
    );
  });

  for (
    const [what, html, problem] of [
      ["a dead link", `<a href="../gone.html">x</a>`, "no such page"],
      ["a dead link to a folder", `<a href="../">x</a>`, "no such page"],
      ["a dead anchor", `<a href="#gone">x</a>`, "no such anchor"],
      ["a dead anchor of another page", `<a href="../index.html#gone">x</a>`, "no such anchor"],
      ["an absolute link", `<a href="/index.html">x</a>`, "not a place on this site"],
      ["a link to a file of this machine", `<a href="file:///x">x</a>`, "not a place on this site"],
      ["a link out of the site", `<a href="../../x.html">x</a>`, "outside of the site"],
      [
        "a script of another host",
        `<script src="https://example.com/x.js"></script>`,
        "loads what it should not",
      ],
      ["a style of another host", `<link href="//example.com/x.css">`, "loads what it should not"],
      ["a picture of another host", `<img srcset="../index.html 1x, http://example.com/x 2x">`, "should not"],
      ["a style in a page that loads", `<p style="background: url(http://x/y)">x</p>`, "should not"],
      ["a form", `<form action="https://example.com/"></form>`, "should not"],
    ]
  ) {
    it(`findProblems() finds ${what}`, () => {
      const problems = findProblems(page(html));
      assertEquals(problems.length, 1);
      assert(problems[0].includes(problem), problems[0]);
    });
  }

  it("findProblems() finds what a style sheet loads", () => {
    const problems = (css: string) => findProblems(new Map([["site.css", css]])).length;
    assertEquals(problems(`a { background: url("data:image/png;base64,AA==") }`), 0);
    assertEquals(problems(`@import "https://example.com/x.css";`), 1);
    assertEquals(problems(`@font-face { src: url(font.woff2) }`), 1);
  });
});

describe("renderMarkdown()", () => {
  const same = (link: string): string => link;

  it("renderMarkdown() makes the anchors of GitHub, and tells what stands below each heading", () => {
    const { html, sections } = renderMarkdown(
      "# A `b` c\n\ntext\n\n## A b c\n\n## Über & unter\n\n```ts\n1 < 2;\n```\n",
      same,
    );
    assertEquals(sections.map(({ id }) => id), ["a-b-c", "a-b-c-1", "über--unter"]);
    assertEquals(sections.map(({ text }) => text.trim()), ["text", "", "1 < 2;"]);
    assertMatch(html, /<h1 id="a-b-c">/);
    assertMatch(html, /&lt; .*2/);
  });

  it("renderMarkdown() gives each link and picture to be resolved, and marks what is printed", () => {
    const seen: string[] = [];
    const { html } = renderMarkdown(
      "[a](b.md#c) ![d](e.png)\n\n```ts\nconsole.log(1); // => 1\n```\n",
      (link) => {
        seen.push(link);
        return "x";
      },
    );
    assertEquals(seen, ["b.md#c", "e.png"]);
    assertMatch(html, /<a href="x">/);
    assertMatch(html, /<span class="printed">\/\/ =&gt; 1<\/span>/);
  });
});

describe("readGuides()", () => {
  it("readGuides() lists every page of docs/, with a line that fits llms.txt", () => {
    const guides = readGuides(ROOT).flatMap((group) => group.guides);
    const pages = [...Deno.readDirSync(`${ROOT}docs`)].map(({ name }) => `docs/${name}`)
      .filter((path) => path.endsWith(".md") && path !== "docs/README.md");
    assertEquals(guides.map(({ path }) => path).sort(), pages.sort());
    for (const { title, line } of guides) assert(title !== "" && line.length < 140, `${title}: ${line}`);
    const text = llmsText(readGuides(ROOT), "A dictionary.");
    assertMatch(text, /^# json-dict\n\n> A dictionary\.\n\n## Start\n\n- \[Start\]\(docs\/start\.md\): /);
    assertEquals(text.split("\n").filter((line) => line.startsWith("- ")).length, pages.length);
  });

  it("readGuides() refuses a page that nobody lists", async () => {
    const root = await Deno.makeTempDir({ prefix: "json-dict-guides-" });
    try {
      await Deno.mkdir(`${root}/docs`);
      await Deno.writeTextFile(`${root}/docs/README.md`, "# Guides\n\n## One\n\n- [A](a.md): about a\n");
      await Deno.writeTextFile(`${root}/docs/a.md`, "# A\n");
      assertEquals(readGuides(`${root}/`)[0].guides[0], { title: "A", path: "docs/a.md", line: "about a" });
      await Deno.writeTextFile(`${root}/docs/b.md`, "# B\n");
      assertThrows(() => readGuides(`${root}/`), Error, "does not list b.md");
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  });
});
