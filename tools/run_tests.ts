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

async function main(): Promise<number> {
  const own = Deno.env.get("REDIS_URL") ? undefined : await startRedis();
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const code = await runTests(own?.url, report);
    // Ctrl-C reaches the server too: there is nothing left to ask.
    if (interrupted) return 130;
    const count = countTests(await Deno.readTextFile(report));
    // Code that does not compile or throws outside a test is in no report.
    if (code !== 0 && count.failed === 0) count.failed = 1;
    for (const problem of own ? await leftBehind(own.url) : []) {
      console.error(`The tests left something behind: ${problem}`);
      count.failed++;
    }
    if (count.ignored > 0) console.log(`${count.ignored} ignored`);
    console.log(`${count.passed} passed, ${count.failed} failed`);
    return count.failed === 0 ? 0 : 1;
  } finally {
    await Deno.remove(report);
    await own?.stop();
  }
}

async function runTests(ownUrl: string | undefined, report: string): Promise<number> {
  const extra = Deno.args.filter((arg) => arg !== "--fuzz");
  const env: Record<string, string> = ownUrl ? { REDIS_URL: ownUrl, JSON_DICT_OWN_SERVER: "1" } : {};
  if (Deno.args.includes("--fuzz")) env.JSON_DICT_FUZZ = Deno.env.get("JSON_DICT_FUZZ") ?? FUZZ_CASES;
  const files = extra.some((arg) => !arg.startsWith("-") && exists(arg)) ? [] : ["tests"];
  const permissions = ["net", "env", "read", "write", "run", "sys"].map((it) => `--allow-${it}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...permissions, ...await importMapArgs(), `--junit-path=${report}`, ...extra, ...files],
    cwd: ROOT,
    env,
  }).spawn();
  Deno.addSignalListener("SIGINT", () => {
    interrupted = true;
  });
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  return (await child.status).code;
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
