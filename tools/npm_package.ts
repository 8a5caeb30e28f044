/**
 * What package.json says beyond deno.json, for both npm builds.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { run } from "./command.ts";

/** Fields of package.json that no build tool takes from deno.json. */
export const PACKAGE = {
  description: config.description,
  keywords: ["redis", "valkey", "json", "dictionary", "map", "atomic", "lua", "ioredis", "metadata"],
  engines: { node: "^20.19 || >=22.12" },
  sideEffects: false,
  bin: { "json-dict": "./bin/json-dict.js" },
} as const;

/** The argument parser of the program: it stands inside the package, so that a user of the library installs none. */
export const BUNDLED = "commander";

/**
 * Adds the program to a package: what `bin` names, and the argument parser, in place of an import.
 *
 * @param folder The folder of the package.
 * @param modules The folders in it that hold its modules, the ES modules first, and of which kind they are.
 */
export async function addProgram(
  folder: string,
  modules: Readonly<Record<string, "esm" | "cjs">>,
): Promise<void> {
  const root = new URL("../", import.meta.url).pathname;
  const licence = await Deno.readTextFile(`${root}tools/licence/commander.txt`);
  for (const [name, format] of Object.entries(modules)) {
    const target = `${folder}/${name}/src/cli/commander.js`;
    // Minified it names no paths of this machine.
    const args = ["bundle", "--quiet", "--minify", "--format", format, "--output", target];
    const bundled = await run(Deno.execPath(), [...args, "src/cli/commander.ts"], { cwd: root });
    if (!bundled.ok) throw new Error(`Cannot bundle ${BUNDLED}: ${bundled.output.trim()}`);
    await Deno.writeTextFile(target, `/*!\n${licence}*/\n${await Deno.readTextFile(target)}`);
  }
  await Deno.mkdir(`${folder}/bin`, { recursive: true });
  const entry = `../${Object.keys(modules)[0]}/cli.js`.replace("/./", "/");
  const program = `#!/usr/bin/env node\nimport { main } from "${entry}";\nawait main();\n`;
  await Deno.writeTextFile(`${folder}/bin/json-dict.js`, program);
  await Deno.chmod(`${folder}/bin/json-dict.js`, 0o755);
}
