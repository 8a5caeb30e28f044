/**
 * Runs the tests on other servers than the one at hand: those of newer and older suites of Debian, unpacked beside
 * their own loader. What cannot be had on this machine is said, and is no failure.
 *
 * `deno task test:matrix` runs what depends on the server; with files it runs those, with `--all` everything.
 *
 * @module
 */

import { run } from "./command.ts";
import { cacheFolder, unpackDebian } from "./debian_packages.ts";

const ROOT = new URL("../", import.meta.url).pathname;

interface Candidate {
  readonly name: string;
  readonly suite: string;
  /** The package, and the program in it. */
  readonly program: "redis-server" | "valkey-server";
  /** Tests of the contract that it cannot run: they start servers with options that it does not know. */
  readonly without?: readonly string[];
}

const CANDIDATES: readonly Candidate[] = [
  { name: "Redis 8", suite: "trixie", program: "redis-server" },
  { name: "Valkey 8", suite: "trixie", program: "valkey-server" },
  {
    ...{ name: "Redis 6", suite: "bullseye", program: "redis-server" },
    without: ["bad_states", "cluster", "durability"].map((test) => `tests/server/${test}_test.ts`),
  },
];

const HINT =
  "to test such a server, name its program in REDIS_SERVER, or name it in REDIS_URL while it runs, for deno task test";

/** The tests that would see a server that does something else. */
const CONTRACT: readonly string[] = [
  "tests/lua",
  ...["bad_states", "cluster", "durability", "once"].map((test) => `tests/server/${test}_test.ts`),
  ...["dict", "edit", "ref"].map((test) => `tests/api/${test}_test.ts`),
  ...["record", "scan"].map((test) => `tests/run/${test}_test.ts`),
  "tests/properties/model_test.ts",
];

/**
 * Unpacks a server and writes a program that starts it.
 *
 * @returns Its path, or why there is none.
 */
export async function fetchServer(candidate: Candidate): Promise<{ path: string } | { problem: string }> {
  const { program, suite } = candidate;
  const name = `${program}-${suite}`;
  const root = cacheFolder(name);
  const path = `${root}/server`;
  const tryOut = async (): Promise<string | undefined> => {
    await writeProgram(root, path, program).catch(() => {});
    const { ok, output } = await run(path, ["--version"]);
    return ok ? undefined : output.trim();
  };
  if (await tryOut() === undefined) return { path };
  // The server is a link to a program of the tools.
  const problem = await unpackDebian(name, [program, program.replace("-server", "-tools")], tryOut, suite);
  return problem === undefined ? { path } : { problem: `${problem.split("\n")[0]}; ${HINT}` };
}

/** A script that runs the server by its own loader, with its own libraries. */
async function writeProgram(root: string, path: string, program: string): Promise<void> {
  const triplet = `${Deno.build.arch}-linux-gnu`;
  const loaders = [...find(`${root}/usr/lib/${triplet}`), ...find(`${root}/lib/${triplet}`)];
  const loader = loaders.find((file) => /\/ld-linux-[^/]*\.so\.\d$/.test(file));
  if (loader === undefined) throw new Error("There is no loader");
  const folders = [`${root}/usr/lib/${triplet}`, `${root}/lib/${triplet}`].join(":");
  // Older packages take the JSON of Lua from a library of its own.
  const cpath = `${root}/usr/lib/${triplet}/lua/5.1/?.so`;
  const script =
    `#!/bin/sh\nLUA_CPATH="${cpath}" exec ${loader} --library-path ${folders} ${root}/usr/bin/${program} "$@"\n`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
}

function find(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
  } catch {
    return [];
  }
}

/** How the tests went on a server. */
interface Row {
  readonly version: string;
  readonly passed: string;
  readonly failed: string;
  readonly seconds: string;
}

/** Runs tests on a server, and prints the errors of those that failed. Nothing is returned where there is no such server. */
async function runOn(candidate: Candidate, tests: readonly string[]): Promise<Row | undefined> {
  const server = await fetchServer(candidate);
  if ("problem" in server) {
    console.log(`${candidate.name}: not reached: ${server.problem}`);
    return undefined;
  }
  const { output: said } = await run(server.path, ["--version"]);
  const start = performance.now();
  // The types of the tests are the same on each server.
  const args = ["run", "-A", "tools/run_tests.ts", "--no-check", ...tests];
  const { ok, output } = await run(Deno.execPath(), args, {
    cwd: ROOT,
    env: { NO_COLOR: "1", REDIS_SERVER: server.path, REDIS_URL: "" },
  });
  if (!ok) {
    console.error(`${candidate.name}:\n${output.slice(Math.max(0, output.indexOf("ERRORS")))}`);
  }
  const [, passed = "0", failed = "1"] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  return {
    version: /v=(\S+)/.exec(said)?.[1] ?? said.trim(),
    passed,
    failed: !ok && failed === "0" ? "1" : failed,
    seconds: ((performance.now() - start) / 1000).toFixed(0),
  };
}

async function main(): Promise<number> {
  const wanted = Deno.args.filter((arg) => arg !== "--all");
  const isAll = Deno.args.includes("--all");
  const running: Promise<Row | undefined>[] = [];
  for (const candidate of CANDIDATES) {
    const contract = CONTRACT.filter((test) => !candidate.without?.includes(test));
    running.push(runOn(candidate, isAll ? [] : wanted.length > 0 ? wanted : contract));
    // All tests are several parts at once by themselves; the servers are at once else.
    if (isAll) await running.at(-1);
  }
  const rows = await Promise.all(running);
  const none: Row = { version: "not reached", passed: "", failed: "", seconds: "" };
  console.table(Object.fromEntries(CANDIDATES.map(({ name }, index) => [name, rows[index] ?? none])));
  const reached = rows.filter((row) => row !== undefined);
  const failed = reached.filter((row) => row.failed !== "0").length;
  console.log(`matrix: ${reached.length - failed} servers ok, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
