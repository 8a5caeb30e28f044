/**
 * A Bun for tests: the one on PATH, else the one that its npm package brings, in `.cache/bun`.
 *
 * @module
 */

import { run } from "../../tools/command.ts";
import { cacheFolder, lockCache } from "../../tools/debian_packages.ts";

let found: Promise<string> | undefined;

/**
 * Finds Bun.
 *
 * @returns Its path.
 * @throws {Error} If there is none and none can be had from npm.
 */
export function findBun(): Promise<string> {
  return found ??= search();
}

async function search(): Promise<string> {
  const folder = cacheFolder("bun");
  const cached = `${folder}/node_modules/.bin/bun`;
  const works = async (path: string): Promise<boolean> => (await run(path, ["--version"])).ok;
  if (await works("bun")) return "bun";
  using _lock = await lockCache("bun");
  if (await works(cached)) return cached;
  const flags = ["--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix", folder];
  const { output } = await run("npm", ["install", ...flags, "bun@^1.2.9"]);
  const tried = await run(cached, ["--version"]);
  if (tried.ok) return cached;
  throw new Error(`Cannot find Bun: none on PATH, and npm says: ${output.trim()} ${tried.output.trim()}`);
}
