/**
 * Installs the npm tarball in an empty folder and uses it as an npm user does: import, require, tsc.
 *
 * @module
 */

import { run } from "./command.ts";
import { BUNDLED } from "./npm_package.ts";
import { pack } from "./pack.ts";
import { expectedOf } from "./printed.ts";
import { startRedis } from "./redis_server.ts";

const CONSUMER = new URL("./consumer/", import.meta.url).pathname;
const EXPECTED = '{"n":2,"list":[1,2]}';
// What a TypeScript project on Node has; the types of ioredis need those of Node.
const COMPILER = ["typescript@~5.9.0", "@types/node@20"];
const TSC = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "types.mts"];

const READERS_SERVER = "redis://localhost:6379";

/** The program that README.md starts with, and what it says that the program prints. */
async function readStart(): Promise<{ readonly program: string; readonly prints: string }> {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const program = /```js\n(.*?)```/s.exec(readme)?.[1];
  if (program === undefined) throw new Error("README.md has no program in JavaScript");
  return { program, prints: expectedOf(program).join("\n") };
}

async function main(): Promise<void> {
  await using redis = await startRedis();
  const folder = await Deno.makeTempDir({ prefix: "json-dict-consumer-" });
  const step = async (what: string, command: string, args: readonly string[]): Promise<string> => {
    const { ok, output } = await run(command, args, { cwd: folder, env: { REDIS_URL: redis.url } });
    if (!ok) throw new Error(`Cannot ${what} the package:\n${output.trim()}`);
    return output.trim();
  };
  try {
    const tarball = await pack(`${folder}/tarball`);
    await Deno.writeTextFile(`${folder}/package.json`, '{ "name": "consumer", "private": true }\n');
    for (const file of ["esm.mjs", "cjs.cjs", "types.mts"]) {
      await Deno.copyFile(CONSUMER + file, `${folder}/${file}`);
    }
    const flags = ["--no-audit", "--no-fund", "--no-save", "--prefer-offline", "--loglevel=error"];
    await step("install", "npm", ["install", ...flags, tarball, ...COMPILER]);
    for (const [what, file] of [["import", "esm.mjs"], ["require", "cjs.cjs"]]) {
      const printed = await step(what, "node", [file]);
      if (printed !== EXPECTED) throw new Error(`Cannot ${what} the package: it printed ${printed}`);
    }
    const json = "node_modules/.bin/json-dict";
    await step("set with the program of", json, ["--prefix", "bin:", "set", "n", "41"]);
    const sum = await step("count with the program of", json, ["--prefix", "bin:", "incr", "n"]);
    await step("delete with the program of", json, ["--prefix", "bin:", "del", "n", "--yes"]);
    if (sum !== "42") throw new Error(`Cannot count with the program of the package: it printed ${sum}`);
    const installed = [...Deno.readDirSync(`${folder}/node_modules`)].map(({ name }) => name);
    if (installed.includes(BUNDLED)) throw new Error(`The package installs ${BUNDLED}, which it bundles`);
    const { program, prints } = await readStart();
    await Deno.writeTextFile(`${folder}/start.mjs`, program.replaceAll(READERS_SERVER, redis.url));
    const printed = await step("run the start of README.md with", "node", ["start.mjs"]);
    if (printed !== prints) {
      throw new Error(`README.md starts with what prints other than it says:\n${printed}`);
    }
    await step("compile against", "node", ["node_modules/typescript/bin/tsc", ...TSC]);
    const size = (await Deno.stat(tarball)).size;
    const node = await step("run Node with", "node", ["--version"]);
    console.log(
      `npm package (${Math.ceil(size / 1024)} KB): import, require, tsc and json-dict work on Node ${node}`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
