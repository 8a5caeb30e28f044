/**
 * Runs the whole gate, one line per step; `--skip-tests` leaves the tests out, for where they have just run.
 *
 * @module
 */

import { run } from "./command.ts";
import { importMapArgs } from "./offline.ts";

const ROOT = new URL("../", import.meta.url).pathname;

interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** Picks from the output what belongs on the summary line. */
  readonly note?: RegExp;
}

const importMap = await importMapArgs();
const tool = (name: string, ...args: string[]): string[] => ["run", "-A", `tools/${name}.ts`, ...args];

const STEPS: readonly Step[] = [
  { name: "fmt", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "check", args: ["check", ...importMap, "."] },
  { name: "doc:lint", args: ["task", "doc:lint"] },
  { name: "lua:check", args: tool("build_lua", "--check") },
  { name: "lint:lua", args: tool("luacheck"), note: /^luacheck: (.*)$/m },
  { name: "page:check", args: tool("build_page", "--check") },
  { name: "publish", args: ["publish", "--dry-run", "--allow-dirty"] },
  { name: "test", args: tool("run_tests"), note: /^((?:\d+ ignored\n)?\d+ passed, \d+ failed)$/m },
  { name: "doc:test", args: tool("run_examples"), note: /\| (\d+ passed[^|]*) \|/ },
  { name: "docs", args: tool("docs/build", "--check"), note: /^(\d+ pages)/m },
  { name: "pack:check", args: tool("pack_check"), note: /^(npm package.*)$/m },
];

const skipTests = Deno.args.includes("--skip-tests");
let passed = 0;
let failed = 0;
for (const { name, args, note } of STEPS) {
  if (skipTests && name === "test") continue;
  const start = performance.now();
  const { ok, output } = await run(Deno.execPath(), args, { cwd: ROOT, env: { NO_COLOR: "1" } });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (!ok) console.error(`\n${output.trim()}\n`);
  const detail = note?.exec(output)?.[1].replace("\n", ", ");
  console.log(
    `${name.padEnd(10)} ${seconds.padStart(6)} s  ${ok ? "ok" : "FAILED"}${detail ? `  ${detail}` : ""}`,
  );
  if (ok) passed++;
  else failed++;
}
console.log(`gate: ${passed} steps ok, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
