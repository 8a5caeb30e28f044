/**
 * Makes the npm tarball with `deno pack` and completes its package.json, which leaves some of deno.json out.
 *
 * @module
 */

import { create, extract } from "tar";
import config from "../deno.json" with { type: "json" };
import { addProgram, BUNDLED, PACKAGE } from "./npm_package.ts";
import { run } from "./command.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/**
 * Writes the tarball into a folder; the same sources give the same bytes.
 *
 * @returns The path of the tarball.
 */
export async function pack(folder: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const tarball = `${folder}/${config.name.replace("@", "").replace("/", "-")}-${config.version}.tgz`;
  const work = await Deno.makeTempDir({ prefix: "json-dict-pack-" });
  try {
    const raw = `${work}/raw.tgz`;
    const packed = await run(
      Deno.execPath(),
      ["pack", "--allow-dirty", "--no-source-maps", "--output", raw],
      { cwd: ROOT },
    );
    if (!packed.ok) throw new Error(`Cannot pack: ${packed.output.trim()}`);
    await extract({ file: raw, cwd: work });
    const manifest = `${work}/package/package.json`;
    const whole = { ...JSON.parse(await Deno.readTextFile(manifest)), ...PACKAGE };
    delete whole.dependencies[BUNDLED];
    await Deno.writeTextFile(manifest, JSON.stringify(whole, null, 2) + "\n");
    await addProgram(`${work}/package`, { ".": "esm" });
    const files = listFiles(work, "package").sort();
    // `portable` and a fixed time: nothing of this machine gets in.
    await create({ file: tarball, cwd: work, gzip: true, portable: true, mtime: new Date(0) }, files);
    return tarball;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

function listFiles(root: string, folder: string): string[] {
  return [...Deno.readDirSync(`${root}/${folder}`)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory ? listFiles(root, path) : [path];
  });
}

if (import.meta.main) console.log(await pack(`${ROOT}npm`));
