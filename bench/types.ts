/**
 * What the types cost an editor: `deno task bench:types`. Needs no server.
 *
 * @module
 */

import process from "node:process";
import { Editor } from "../tests/support/language_service.ts";

const KEYS = 200;
const LEVELS = 6;
const CALLS = 800;
const EDITS = 200;

/** Interfaces of so many members at each level; every tenth one leads to the next level. */
function interfaces(): string {
  const level = (depth: number): string => {
    const members = Array.from({ length: KEYS }, (_, index) => {
      const type = index % 10 === 0 && depth < LEVELS
        ? `L${depth + 1}`
        : ["string", "number", "boolean", "number[]", "{ x: number; y?: string }", '"on" | "off"'][index % 6];
      return `  k${index}${index % 11 === 3 ? "?" : ""}: ${type};`;
    });
    return `interface L${depth} {\n${members.join("\n")}\n}`;
  };
  return Array.from({ length: LEVELS }, (_, index) => level(index + 1)).join("\n");
}

/** `KEYS` interfaces behind the keys of the dictionary, each of them a chain of `LEVELS`. */
function chains(): string {
  const parts: string[] = [];
  const heads: string[] = [];
  for (let key = 0; key < KEYS; key++) {
    heads.push(`  k${key}: C${key}_2;`);
    for (let depth = 2; depth <= LEVELS; depth++) {
      const next = depth < LEVELS ? `C${key}_${depth + 1}` : "number";
      parts.push(`interface C${key}_${depth} { name: string; list: number[]; on?: boolean; next: ${next} }`);
    }
  }
  return `interface L1 {\n${heads.join("\n")}\n}\n${parts.join("\n")}`;
}

const HEAD = `import { RedisJsonDict } from "./mod.ts";\n`;
const CONNECT = `const lab = RedisJsonDict.connect<L1>("redis://localhost", { prefix: "lab:" });\n`;

function calls(name: "interfaces" | "chains"): string {
  const lines: string[] = [];
  for (let index = 0; index < CALLS; index++) {
    const key = name === "chains" ? index % KEYS : (index % 20) * 10;
    const step = name === "chains" ? "next" : `k${(index * 7 % 20) * 10}`;
    const path = [`"k${key}"`, ...Array(index % 4).fill(`"${step}"`)];
    lines.push(
      index % 4 === 3
        ? `lab.at((lab) => lab.k${key}.${step}).get();`
        : index % 2 === 0
        ? `lab.at(${path.join(", ")}).get();`
        : `lab.at(${path.join(", ")}).keys();`,
    );
  }
  for (let index = 0; index < EDITS; index++) {
    const key = name === "chains" ? index % KEYS : (index % 20) * 10;
    lines.push(
      name === "chains"
        ? `lab.edit((draft) => { draft.k${key}.next.name = "x"; draft.k${key}.list.push(1); return draft.k${key}.name; });`
        : `lab.edit((draft) => { draft.k${key}?.k20?.k1; draft.k0.k9.push(1); return draft.k0.k1; });`,
    );
  }
  return lines.join("\n");
}

function time<R>(what: string, job: () => R): R {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = job();
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `  ${what}: ${Math.round(performance.now() - start)} ms (${
      Math.round((user + system) / 1000)
    } of the processor)`,
  );
  return result;
}

for (const [name, shape] of Object.entries({ interfaces: interfaces(), chains: chains() })) {
  const deep = name === "chains" ? `"k7", "next", "next", "next"` : `"k0", "k10", "k20", "k30"`;
  console.log(`${name}: ${KEYS} keys, ${LEVELS} levels`);
  const editor = new Editor();
  editor.open(HEAD + shape);
  time("the declarations alone", () => report(editor.errors()));
  const before = editor.instantiations();
  for (const path of ["", `"k0", `, `${deep}, `]) {
    editor.open(`${HEAD}${shape}\n${CONNECT}lab.at(${path}"");`);
    const offered = time(`completion of at(${path}"")`, () => editor.completions(`lab.at(${path}"`));
    console.log(`    ${offered.length} offered, ${editor.instantiations() - before} instantiations`);
  }
  editor.open(`${HEAD}${shape}\n${CONNECT}lab.at((lab) => lab.k0.);`);
  time("completion of at((lab) => lab.k0.)", () => editor.completions("lab.at((lab) => lab.k0."));
  editor.open(`${HEAD}${shape}\n${CONNECT}${calls(name as "interfaces" | "chains")}`);
  time(`check of ${CALLS} at and ${EDITS} edits`, () => report(editor.errors()));
  console.log(`    ${editor.instantiations() - before} instantiations`);
  editor.close();
}

function report(errors: readonly string[]): void {
  for (const error of errors.slice(0, 3)) console.log(`    error: ${error}`);
}
