/** Ctrl-C, and servers that no longer answer. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertMatch } from "@std/assert";
import { type Fault, FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { type Ended, runHere, startProcess, TestTerminal } from "../support/test_terminal.ts";

const redis = testClient();

/** More values than are read at once, behind a proxy. */
async function behind(proxy: FaultProxy): Promise<Record<string, string>> {
  const shell = new Shell(redis);
  const texts = Array.from({ length: 2000 }, (_, n) => [`${shell.prefix}${n}`, `"${"x".repeat(1000)}"`]);
  await redis.mset(Object.fromEntries(texts));
  return { ...shell.env, REDIS_URL: proxy.url };
}

/** Dumps, and lets the proxy fail from when the first lines are written. */
async function dump(
  proxy: FaultProxy,
  fault: Fault,
  onFault: (terminal: TestTerminal) => void,
  ...more: readonly string[]
): Promise<Ended> {
  const terminal = new TestTerminal(await behind(proxy));
  proxy.fault = (piece) => {
    if (piece === "request" || terminal.out === "") return "none";
    onFault(terminal);
    return fault;
  };
  const ended = await runHere(terminal, "dump", ...more);
  assertEquals(ended.out.includes('{"end":'), false);
  assertMatch(ended.err, /^json-dict: [^\n]+\n$/);
  return ended;
}

describe("json-dict where something ends", () => {
  it("Ctrl-C ends a dump whose server is silent", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const { code, err } = await dump(proxy, "no answers", (terminal) => terminal.interruption.abort());
    assertEquals([code, err], [130, "json-dict: Interrupted: the dump is not whole\n"]);
  });

  it("dump gives up on a silent server at the deadline", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const { code, err } = await dump(proxy, "no answers", () => {}, "--timeout", "2s");
    assertEquals(code, 1);
    assertMatch(err, /2s|2000/);
  });

  it("dump says that the connection was lost", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const { code, err } = await dump(proxy, "drop answer", () => {}, "--timeout", "2s");
    assertEquals(code, 1);
    assertMatch(err, /connection|2000/);
  });

  it("a signal ends the process between two steps", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const child = startProcess(["dump"], await behind(proxy));
    const reader = child.stdout.getReader();
    await reader.read();
    // It cannot come to its end any more, so the signal finds it.
    proxy.fault = "no answers";
    child.kill("SIGINT");
    while (!(await reader.read()).done) { /* what it had to write */ }
    await child.stdin.close();
    const err = await new Response(child.stderr).text();
    assertEquals([(await child.status).code, err], [130, "json-dict: Interrupted: the dump is not whole\n"]);
  });
});
