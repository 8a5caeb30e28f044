/**
 * Runs luacheck over the bundled scripts, where the parts see each other's locals, and names the files in `lua/`.
 *
 * Where luacheck is neither installed nor to be had from Debian, says so and succeeds.
 *
 * @module
 */

import { type Bundle, bundle, SCRIPTS } from "./build_lua.ts";
import { run } from "./command.ts";
import { cacheFolder, libraryFolders, unpackDebian } from "./debian_packages.ts";

const ROOT = new URL("../", import.meta.url).pathname;

interface Program {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: string;
  readonly code: string;
  readonly text: string;
}

/** Finds luacheck: PATH, then `.cache/luacheck`, then Debian's package; a string says why there is none. */
async function findLuacheck(): Promise<Program | string> {
  const installed = { command: ["luacheck"], env: {} };
  if (await tryOut(installed) === undefined) return installed;
  const root = cacheFolder("luacheck");
  const scripts = `${root}/usr/share/lua/5.1`;
  const cached = {
    // The script's first line names a Lua on PATH, which there need not be.
    command: [`${root}/usr/bin/lua5.1`, `${root}/usr/bin/luacheck`],
    env: {
      LUA_PATH: `${scripts}/?.lua;${scripts}/?/init.lua`,
      LUA_CPATH: libraryFolders(root).map((folder) => `${folder}/lua/5.1/?.so`).join(";"),
      LD_LIBRARY_PATH: libraryFolders(root).join(":"),
    },
  };
  if (await tryOut(cached) === undefined) return cached;
  const packages = ["lua-check", "lua5.1", "lua-argparse", "lua-filesystem"];
  return await unpackDebian("luacheck", packages, () => tryOut(cached)) ?? cached;
}

async function tryOut({ command, env }: Program): Promise<string | undefined> {
  const { ok, output } = await run(command[0], [...command.slice(1), "--version"], { env: { ...env } });
  return ok ? undefined : output.trim();
}

async function check({ command, env }: Program, { name, lines }: Bundle): Promise<Finding[]> {
  const file = await Deno.makeTempFile({ prefix: `${name}-`, suffix: ".lua" });
  try {
    await Deno.writeTextFile(file, lines.map((line) => line.text + "\n").join(""));
    const options = [
      "--config",
      `${ROOT}.luacheckrc`,
      "--formatter",
      "plain",
      "--codes",
      "--no-color",
      "--no-cache",
    ];
    const { ok, output } = await run(command[0], [...command.slice(1), ...options, file], {
      env: { ...env },
    });
    const findings = [...output.matchAll(/^.*\.lua:(\d+):(\d+): \((\w+)\) (.*)$/gm)].map(
      ([, number, column, code, message]) => {
        const line = lines[Number(number) - 1] ?? { file: `${name}.lua`, number: 0 };
        // Other lines are named by their numbers in the bundle.
        const text = message.replace(/\bline (\d+)/g, (_, other) => {
          const there = lines[Number(other) - 1];
          return there ? `${there.file}:${there.number}` : `line ${other}`;
        });
        return { file: line.file, line: line.number, column, code, text };
      },
    );
    if (!ok && findings.length === 0) throw new Error(`Cannot run luacheck: ${output.trim()}`);
    return findings;
  } finally {
    await Deno.remove(file);
  }
}

/**
 * Joins what was found in several bundles: a local that one script leaves unused is in order if another uses it.
 */
export function joinFindings(
  checked: readonly { readonly files: ReadonlySet<string>; readonly findings: readonly Finding[] }[],
): string[] {
  const keyOf = (it: Finding) => `lua/${it.file}:${it.line}:${it.column}: (${it.code}) ${it.text}`;
  const keys = new Set<string>();
  for (const { findings } of checked) {
    for (const finding of findings) {
      const sharers = checked.filter(({ files }) => files.has(finding.file));
      const everywhere = sharers.every((it) => it.findings.some((other) => keyOf(other) === keyOf(finding)));
      if (!/^W2/.test(finding.code) || everywhere) keys.add(keyOf(finding));
    }
  }
  return [...keys].sort();
}

if (import.meta.main) {
  const program = await findLuacheck();
  if (typeof program === "string") {
    console.log(`luacheck: not available (${program})`);
    Deno.exit(0);
  }
  const checked = [];
  for (const name of SCRIPTS) {
    const script = bundle(`${ROOT}lua`, name);
    const files = new Set(script.lines.map((line) => line.file));
    checked.push({ files, findings: await check(program, script) });
  }
  const problems = joinFindings(checked);
  for (const problem of problems) console.error(problem);
  console.log(`luacheck: ${problems.length} problems`);
  Deno.exit(problems.length === 0 ? 0 : 1);
}
