import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";

const SRC = new URL("../src/", import.meta.url);

/** From low to high: a file imports only from files before it. */
const LAYERS = [
  "json.ts",
  "path.ts",
  "slot.ts",
  "record.ts",
  "errors.ts",
  "op.ts",
  "token.ts",
  "text.ts",
  "number.ts",
  "compare.ts",
  "document.ts",
  "place.ts",
  "apply.ts",
  "replica.ts",
  "scripts.gen.ts",
  "call.ts",
  "client.ts",
  "failure.ts",
  "connection.ts",
  "tracker.ts",
  "tracking.ts",
  "attempt.ts",
  "runner.ts",
  "speculation.ts",
  "seat.ts",
  "lanes.ts",
  "search.ts",
  "scan.ts",
  "fragment.ts",
  "store.ts",
  "session.ts",
  "node.ts",
  "draft.ts",
  "edit.ts",
  "live.ts",
  "patch.ts",
  "feed.ts",
  "watch.ts",
  "watch_items.ts",
  "ref.ts",
  "dict.ts",
];

/** Modules from elsewhere, and the files that may import them. */
const EXTERNAL: Readonly<Record<string, readonly string[]>> = { "ioredis": ["client.ts"] };

const files = [...Deno.readDirSync(SRC)].map((entry) => entry.name).sort();
const sources = new Map(
  files.map((file) => [file, withoutComments(Deno.readTextFileSync(new URL(file, SRC)))]),
);

/** Examples in JSDoc may import and call what the code may not. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

function importsOf(source: string): string[] {
  const specifiers =
    /(?:^|\n)\s*(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;
  return [...source.matchAll(specifiers)].map((match) => match[1] ?? match[2]);
}

describe("src/", () => {
  it("src/ holds only files that have a place in the layers", () => {
    assertEquals(files.filter((file) => !LAYERS.includes(file)), []);
  });

  it("src/ imports go from a higher layer to a lower one", () => {
    const wrong: string[] = [];
    for (const [file, source] of sources) {
      for (const specifier of importsOf(source).filter((it) => it.startsWith("."))) {
        const target = LAYERS.indexOf(specifier.replace(/^\.\//, ""));
        if (target < 0 || target >= LAYERS.indexOf(file)) wrong.push(`${file} imports ${specifier}`);
      }
    }
    assertEquals(wrong, []);
  });

  it("src/ imports packages only where they are allowed", () => {
    const wrong: string[] = [];
    for (const [file, source] of sources) {
      for (const specifier of importsOf(source).filter((it) => !it.startsWith("."))) {
        if (!EXTERNAL[specifier]?.includes(file)) wrong.push(`${file} imports ${specifier}`);
      }
    }
    assertEquals(wrong, []);
  });

  it("src/ names no runtime", () => {
    const runtime = /\b(?:Deno|Bun|process)\s*[.[]|\bnode:|\brequire\s*\(/;
    assertEquals([...sources].filter(([, source]) => runtime.test(source)).map(([file]) => file), []);
  });
});

describe("importsOf()", () => {
  it("importsOf() sees every way to import", () => {
    const source =
      `import { a } from "./a.ts";\nimport type {\n  B,\n} from './b.ts';\nexport { c } from "./c.ts";\n` +
      `import "./d.ts";\nconst e = await import("./e.ts");\nimport f, { g } from "f";`;
    assertEquals(importsOf(source), ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "f"]);
  });

  it("importsOf() finds something in the sources, so the checks above look at real imports", () => {
    assert([...sources.values()].some((source) => importsOf(source).length > 0));
  });
});
