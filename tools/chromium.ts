/**
 * Finds a Chromium for the tests of the page: `CHROMIUM`, the one on `PATH`, or Debian's package, unpacked into `.cache`.
 *
 * @module
 */

import { run } from "./command.ts";
import { cacheFolder, libraryFolders, unpackDebian } from "./debian_packages.ts";

const HINT = "put Chromium on PATH, or name its program in CHROMIUM";

/** A browser that runs here. */
export interface Chromium {
  /** The program. */
  readonly path: string;
  /** What it needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds Chromium. The first time it may take a minute, because it is fetched.
 *
 * @throws {Error} If there is none, and none can be had.
 */
export async function findChromium(): Promise<Chromium> {
  const own = Deno.env.get("CHROMIUM");
  const given = { path: own || await findOnPath("chromium"), env: {} };
  const problem = await problemOf(given);
  if (problem === undefined) return given;
  if (own) throw new Error(`Cannot run the Chromium that CHROMIUM names: ${problem}`);
  const root = cacheFolder("chromium");
  const unpacked = {
    path: `${root}/usr/lib/chromium/chromium`,
    env: {
      // One library has a part of it in a folder of its own, and looks for it only where it is installed.
      LD_LIBRARY_PATH: libraryFolders(root).flatMap((folder) => [folder, `${folder}/pulseaudio`]).join(":"),
      FONTCONFIG_FILE: `${root}/fonts.conf`,
    },
  };
  const tryOut = async (): Promise<string | undefined> => {
    await writeFonts(root).catch(() => {});
    return await problemOf(unpacked);
  };
  if (await tryOut() === undefined) return unpacked;
  const why = await unpackDebian("chromium", ["chromium", "fonts-dejavu-core"], tryOut);
  if (why !== undefined) throw new Error(`Cannot find a Chromium to test the page with: ${why}; ${HINT}`);
  return unpacked;
}

/** The program that a name stands for; the name itself if there is none. */
async function findOnPath(name: string): Promise<string> {
  const found = await run("sh", ["-c", 'command -v "$1"', "sh", name]);
  return found.ok ? found.output.trim() : name;
}

async function problemOf({ path, env }: Chromium): Promise<string | undefined> {
  const { ok, output } = await run(path, ["--version"], { env: { ...env } });
  return ok ? undefined : output.trim();
}

/** The fonts of the package stand where no system looks for them. */
async function writeFonts(root: string): Promise<void> {
  const text = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>` +
    `<dir>/usr/share/fonts</dir><dir>${root}/usr/share/fonts</dir><cachedir>${root}/font-cache</cachedir></fontconfig>`;
  await Deno.writeTextFile(`${root}/fonts.conf`, text);
}

if (import.meta.main) {
  const start = performance.now();
  const { path } = await findChromium();
  console.log(`${path}, found in ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
