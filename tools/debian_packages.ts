/**
 * Unpacks Debian packages into a folder of this project: nothing is installed, no rights are needed.
 *
 * @module
 */

import { run } from "./command.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** The folder under `.cache` that holds the unpacked packages of one tool. */
export function cacheFolder(name: string): string {
  return `${ROOT}.cache/${name}`;
}

/** The folders below an unpacked tree where Debian puts shared libraries. */
export function libraryFolders(root: string): string[] {
  const triplet = `${Deno.build.arch}-linux-gnu`;
  return [`${root}/usr/lib/${triplet}`, `${root}/lib/${triplet}`];
}

/**
 * Waits until nobody else, in this process or another, fetches what has this name, and keeps others from it meanwhile.
 *
 * @returns What lets the next one go on when it is disposed of, or its process ends.
 */
export async function lockCache(name: string): Promise<Disposable> {
  await Deno.mkdir(`${ROOT}.cache`, { recursive: true });
  const file = await Deno.open(`${cacheFolder(name)}.lock`, { write: true, create: true });
  await file.lock(true);
  return file;
}

/**
 * Downloads packages, with whatever they need that this machine lacks, and unpacks them into `.cache/<name>`.
 *
 * Works in a folder of its own and renames it at the end, so nobody sees half a tree. Who comes meanwhile waits for it.
 *
 * @param tryOut Runs the unpacked program: `undefined` when it works, else why it does not.
 * @param suite A suite of Debian other than the machine's own, as `"trixie"`. Then everything that the packages need is
 * unpacked, down to the loader, because the installed libraries are too old or too new for them.
 * @returns `undefined` when it worked, else why it did not.
 */
export async function unpackDebian(
  name: string,
  packages: readonly string[],
  tryOut: () => Promise<string | undefined>,
  suite?: string,
): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || !(await run("apt-get", ["--version"])).ok) {
    return "this machine has no apt-get";
  }
  using _lock = await lockCache(name);
  if (await tryOut() === undefined) return undefined;
  const work = await Deno.makeTempDir({ dir: `${ROOT}.cache`, prefix: `${name}-` });
  try {
    console.error(`Unpacking Debian's ${packages[0]} into .cache/${name} (nothing is installed).`);
    const problem = await download(work, packages, suite);
    if (problem !== undefined) return problem;
    // A tree that is there and does not work is only in the way.
    await Deno.rename(cacheFolder(name), `${work}/broken`).catch(() => {});
    await Deno.rename(`${work}/root`, cacheFolder(name));
    return await tryOut();
  } finally {
    // The package lists are a hundred times the size of what they led to.
    await Deno.remove(work, { recursive: true });
  }
}

async function download(
  work: string,
  packages: readonly string[],
  suite: string | undefined,
): Promise<string | undefined> {
  for (const folder of ["lists/partial", "archives/partial", "debs", "root"]) {
    await Deno.mkdir(`${work}/${folder}`, { recursive: true });
  }
  // Private state: the machine's own is read (what is installed), never written, so root is not needed.
  const settings: Record<string, string> = {
    "Dir::State::lists": `${work}/lists`,
    "Dir::State::extended_states": `${work}/extended_states`,
    "Dir::Cache": work,
    "Dir::Cache::archives": `${work}/archives`,
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "",
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "20",
    "Acquire::Languages": "none",
  };
  if (suite !== undefined) {
    const site = await findSite();
    if (site === undefined) return "the apt sources of this machine name no archive of Debian";
    Object.assign(settings, await sourceOf(work, site, suite));
  }
  const options = ["-qq", ...Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`])];

  const update = await run("apt-get", [...options, "update"]);
  if (!update.ok) return `apt-get update failed: ${update.output.trim()}`;
  const plan = await run("apt-get", [
    ...options,
    "install",
    "-y",
    "--no-install-recommends",
    "--print-uris",
    ...packages,
  ]);
  if (!plan.ok) return `apt-get knows no way to install ${packages.join(", ")}: ${plan.output.trim()}`;
  // The plan leaves out what is installed already; the named packages are wanted in the tree all the same.
  const missing = plan.output.split("\n").map((line) => /^'\S+' ([^_ ]+)_/.exec(line)?.[1]).filter((it) =>
    it !== undefined
  );
  const names = [...new Set([...packages, ...missing])];
  const fetched = await run("apt-get", [...options, "download", ...names], { cwd: `${work}/debs` });
  if (!fetched.ok) return `apt-get download failed: ${fetched.output.trim()}`;
  for await (const entry of Deno.readDir(`${work}/debs`)) {
    const unpacked = await run("dpkg", ["-x", `${work}/debs/${entry.name}`, `${work}/root`]);
    if (!unpacked.ok) return `dpkg -x ${entry.name} failed: ${unpacked.output.trim()}`;
  }
  await Deno.remove(`${work}/root/usr/share/doc`, { recursive: true }).catch(() => {});
}

/** Where this machine gets Debian's packages from: no other address is ever asked. */
async function findSite(): Promise<string | undefined> {
  const targets = await run("apt-get", ["indextargets", "--format", "$(SITE) $(COMPONENT)"]);
  return /^(\S+\/debian) main$/m.exec(targets.output)?.[1];
}

/** Settings by which apt-get sees only the suite at that site, and nothing installed. */
async function sourceOf(work: string, site: string, suite: string): Promise<Record<string, string>> {
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  await Deno.writeTextFile(`${work}/sources.list`, `deb [signed-by=${key}] ${site} ${suite} main\n`);
  await Deno.writeTextFile(`${work}/status`, "");
  return {
    "Dir::Etc::sourcelist": `${work}/sources.list`,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State::status": `${work}/status`,
  };
}
