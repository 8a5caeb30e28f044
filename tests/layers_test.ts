import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";

const SRC = new URL("../src/", import.meta.url);

/** The folders, from low to high: a file imports only from its own folder and from those before it. */
const FOLDERS = [
  "data",
  "errors",
  "replica",
  "call",
  "run",
  "clients",
  "store",
  "draft",
  "api",
  "sync",
  "cli",
];

/** Modules from elsewhere, and the files that may import them. */
const EXTERNAL: Readonly<Record<string, readonly string[]>> = {
  "ioredis": ["run/open.ts"],
  // Deno, Node and Bun have it; only `./sync` does without the web.
  "node:worker_threads": ["sync/worker.ts"],
  "commander": ["cli/commander.ts"],
};

/** The program, which runs on Deno and Node. The library names no runtime, and never reaches it. */
const isProgram = (file: string): boolean => folderOf(file) === "cli";

/** All files below a folder. */
function* filesBelow(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, SRC))) {
    if (entry.isDirectory) yield* filesBelow(`${folder}${entry.name}/`);
    else yield folder + entry.name;
  }
}

const files = [...filesBelow("")].sort();
const sources = new Map(
  files.map((file) => [file, withoutComments(Deno.readTextFileSync(new URL(file, SRC)))]),
);

/** What each file imports of the others. */
const imports = new Map([...sources].map(([file, source]) => [
  file,
  importsOf(source).filter((specifier) => specifier.startsWith("."))
    .map((specifier) => new URL(specifier, new URL(file, SRC)).href.slice(SRC.href.length)),
]));

function folderOf(file: string): string {
  return file.split("/")[0];
}

/** The way from a file back to itself, if there is one. */
function findCircle(file: string, way: readonly string[] = []): readonly string[] | undefined {
  if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
  for (const next of imports.get(file) ?? []) {
    if (folderOf(next) !== folderOf(file)) continue;
    const circle = findCircle(next, [...way, file]);
    if (circle) return circle;
  }
  return undefined;
}

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
  it("src/ holds only the folders of the stages", () => {
    assertEquals(
      files.filter((file) => !FOLDERS.includes(folderOf(file)) || file.split("/").length !== 2),
      [],
    );
  });

  it("src/ imports go from a folder to itself or to a lower one", () => {
    const wrong: string[] = [];
    for (const [file, targets] of imports) {
      for (const target of targets) {
        const isLower = FOLDERS.indexOf(folderOf(target)) <= FOLDERS.indexOf(folderOf(file));
        if (!sources.has(target) || !isLower) wrong.push(`${file} imports ${target}`);
      }
    }
    assertEquals(wrong, []);
  });

  it("src/ has no circle inside a folder", () => {
    assertEquals(files.map((file) => findCircle(file)).filter((circle) => circle !== undefined), []);
  });

  it("src/ imports packages only where they are allowed", () => {
    const wrong: string[] = [];
    for (const [file, source] of sources) {
      for (const specifier of importsOf(source).filter((it) => !it.startsWith("."))) {
        if (isProgram(file) && specifier.startsWith("node:")) continue;
        if (!EXTERNAL[specifier]?.includes(file)) wrong.push(`${file} imports ${specifier}`);
      }
    }
    assertEquals(wrong, []);
  });

  it("src/ uses no function that Node 20 lacks", () => {
    const newer =
      /\b(?:Promise\.(?:withResolvers|try)|Array\.fromAsync|(?:Object|Map)\.groupBy|Iterator\.from|Set\.prototype\.(?:union|intersection))\b/;
    assertEquals([...sources].filter(([, source]) => newer.test(source)).map(([file]) => file), []);
  });

  it("src/ names no runtime", () => {
    const runtime = /\b(?:Deno|Bun|process)\s*[.[]|\bnode:|\brequire\s*\(/;
    const library = [...sources].filter(([file]) => !isProgram(file));
    const naming = library.filter(([file, source]) =>
      runtime.test(file === "sync/worker.ts" ? source.replaceAll('"node:worker_threads"', "") : source)
    );
    assertEquals(naming.map(([file]) => file), []);
  });

  it("src/sync is reached only from sync.ts, and so is what only it needs", () => {
    const others = [...imports].filter(([file, targets]) =>
      folderOf(file) !== "sync" && targets.some((target) => folderOf(target) === "sync")
    );
    assertEquals(others, []);
    for (const entry of ["mod.ts", "core.ts"]) {
      assert(!Deno.readTextFileSync(new URL(`../${entry}`, SRC)).includes("src/sync/"), entry);
    }
  });

  it("src/ reaches the program, and its argument parser, from nothing that a library user imports", async () => {
    for (
      const entry of [
        "mod.ts",
        "core.ts",
        "sync.ts",
        ...Deno.readDirSync(new URL("clients/", SRC)).map(({ name }) => `src/clients/${name}`),
      ]
    ) {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["info", "--json", new URL(`../${entry}`, SRC).pathname],
        stderr: "null",
      }).output();
      const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
        modules: { specifier: string }[];
      };
      const names = modules.map(({ specifier }) => specifier);
      assert(names.length > 0);
      assertEquals(names.filter((name) => /commander|src\/cli\/|\/cli\.ts$/.test(name)), []);
    }
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
