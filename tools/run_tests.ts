/**
 * Runs the tests on REDIS_URL or on a server of their own, which they must leave as they found it: empty and alone.
 *
 * @module
 */

import { Redis } from "ioredis";
import { importMapArgs } from "./offline.ts";
import { isRecord } from "../src/run/record.ts";
import { startRedis } from "./redis_server.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const FUZZ_CASES = "100000";
const PATIENCE = 30_000;

let interrupted = false;

/** How many tests passed, failed, and were left out. */
export interface Count {
  passed: number;
  failed: number;
  ignored: number;
}

/** Counts the tests in a JUnit report; a suite counts only if it failed on its own account, as by a hook. */
export function countTests(report: string): Count {
  const cases = [...report.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)]
    .map(([, name, body = ""]) => ({
      name,
      failed: body.includes("<failure"),
      ignored: body.includes("<skipped"),
    }));
  const count = { passed: 0, failed: 0, ignored: 0 };
  for (const { name, failed, ignored } of cases) {
    const inside = cases.filter((other) => other.name.startsWith(`${name} &gt; `));
    if (failed && !inside.some((other) => other.failed)) count.failed++;
    else if (inside.length === 0) count[ignored ? "ignored" : "passed"]++;
  }
  return count;
}

/**
 * All tests, in parts that take about as long, each on a server of its own: most of them wait, so that several at once
 * are faster. What no part names is in the last.
 */
const NAMED: readonly (readonly string[])[] = [
  ["tests/server"],
  ["tests/api", "tests/lua"],
  ["tests/run", "tests/sync"],
  ["tests/cli", "tests/clients"],
];
const PARTS: readonly (readonly string[])[] = [...NAMED, ["tests", `--ignore=${NAMED.flat()}`]];

async function main(): Promise<number> {
  const extra = Deno.args.filter((arg) => arg !== "--fuzz");
  const isWhole = !extra.some((arg) => !arg.startsWith("-") && exists(arg));
  const parts = isWhole ? wholeParts(extra) : [extra];
  const counts = await Promise.all(parts.map((args, index) => runPart(args, index > 0)));
  // Ctrl-C reaches the servers too: there is nothing left to ask.
  if (interrupted) return 130;
  const sum = (kind: keyof Count): number => counts.reduce((total, count) => total + count[kind], 0);
  if (sum("ignored") > 0) console.log(`${sum("ignored")} ignored`);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  return sum("failed") === 0 ? 0 : 1;
}

/** The arguments for the parts of all tests. */
function wholeParts(extra: readonly string[]): readonly (readonly string[])[] {
  // A server that was brought is not shared by tests that were not made to run beside one another.
  if (Deno.env.get("REDIS_URL")) return [[...extra, "tests"]];
  if (extra.includes("--no-check")) return PARTS.map((part) => [...extra, ...part]);
  // The types are checked once for all parts, beside them.
  return [...PARTS.map((part) => [...extra, "--no-check", ...part]), [...extra, "--no-run", "tests"]];
}

/** Runs some tests, on a server of their own where none was brought. What they print comes at the end if they are quiet. */
async function runPart(args: readonly string[], isQuiet: boolean): Promise<Count> {
  const own = Deno.env.get("REDIS_URL") ? undefined : await startRedis();
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  // A browser whose tests end at once, as by an error outside of all of them, leaves its folders behind.
  const folder = drivesBrowser(args) ? await Deno.makeTempDir({ prefix: "json-dict-tests-" }) : undefined;
  try {
    const code = await runTests(own?.url, report, args, isQuiet, folder);
    if (interrupted) return { passed: 0, failed: 0, ignored: 0 };
    const count = countTests(await Deno.readTextFile(report));
    // Code that does not compile or throws outside a test is in no report.
    if (code !== 0 && count.failed === 0) count.failed = 1;
    for (const problem of own ? await leftBehind(own.url) : []) {
      console.error(`The tests left something behind: ${problem}`);
      count.failed++;
    }
    return count;
  } finally {
    await Deno.remove(report);
    if (folder !== undefined) await removeFolder(folder);
    await own?.stop();
  }
}

/** What drives a browser looks at files that only this flag opens. */
function drivesBrowser(args: readonly string[]): boolean {
  return args.includes("--allow-all");
}

/** Removes a folder in which a browser that is about to end may still write. */
async function removeFolder(folder: string): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE;
  while (true) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function runTests(
  ownUrl: string | undefined,
  report: string,
  args: readonly string[],
  isQuiet: boolean,
  folder: string | undefined,
): Promise<number> {
  const env: Record<string, string> = ownUrl ? { REDIS_URL: ownUrl, JSON_DICT_OWN_SERVER: "1" } : {};
  if (Deno.args.includes("--fuzz")) env.JSON_DICT_FUZZ = Deno.env.get("JSON_DICT_FUZZ") ?? FUZZ_CASES;
  if (folder !== undefined) env.TMPDIR = folder;
  const permissions = drivesBrowser(args)
    ? []
    : ["net", "env", "read", "write", "run", "sys"].map((it) => `--allow-${it}`);
  const output = isQuiet ? "piped" : "inherit";
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...permissions, ...await importMapArgs(), `--junit-path=${report}`, ...args],
    cwd: ROOT,
    env,
    stdout: output,
    stderr: output,
  }).spawn();
  Deno.addSignalListener("SIGINT", () => {
    interrupted = true;
  });
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  if (!isQuiet) return (await child.status).code;
  const { code, stdout, stderr } = await child.output();
  await new Blob([stdout]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
  await new Blob([stderr]).stream().pipeTo(Deno.stderr.writable, { preventClose: true });
  return code;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(`${ROOT}${path}`);
    return true;
  } catch {
    return false;
  }
}

async function leftBehind(url: string): Promise<string[]> {
  const client = new Redis(url, { retryStrategy: () => null });
  try {
    const problems: string[] = [];
    // Records of calls expire by themselves.
    const keys = (await client.keys("*")).filter((key) => !isRecord(key));
    if (keys.length > 0) problems.push(`keys such as ${JSON.stringify(keys.slice(0, 5))}`);
    // The server sees a closed socket a moment after it was closed.
    const giveUpAt = performance.now() + PATIENCE;
    const countOthers = async () => String(await client.client("LIST")).trim().split("\n").length - 1;
    let others = await countOthers();
    while (others > 0 && performance.now() < giveUpAt) others = await countOthers();
    if (others > 0) problems.push(`${others} open connections`);
    return problems;
  } finally {
    client.disconnect();
  }
}

if (import.meta.main) Deno.exit(await main());
