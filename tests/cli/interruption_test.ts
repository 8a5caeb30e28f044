/** Ctrl-C, and servers that no longer answer. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
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

/** Presses Ctrl-C while the first call that names a key is in flight; its answer never comes. */
function pressAt(proxy: FaultProxy, key: string, terminal: TestTerminal): void {
  let isInFlight = false;
  proxy.fault = (piece, bytes) => {
    isInFlight ||= piece === "request" && new TextDecoder().decode(bytes).includes(key);
    if (!isInFlight || piece === "request") return "none";
    terminal.interruption.abort();
    return "no answers";
  };
}

describe("json-dict where something ends", () => {
  it("Ctrl-C ends a dump whose server is silent", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const press = (terminal: TestTerminal) => terminal.interruption.abort();
    const { code, err } = await dump(proxy, "no answers", press, "--timeout", "1h");
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

  it("Ctrl-C ends each command whose call is in flight, and says whether it may be applied", async () => {
    const shell = new Shell(redis);
    const commands: readonly (readonly [readonly string[], RegExp])[] = [
      [["get", "a"], /^json-dict: Interrupted: [^\n]+\n$/],
      [["edit", "a"], /^json-dict: Interrupted: [^\n]+\n$/],
      [["ls"], /^json-dict: Interrupted: [^\n]+\n$/],
      [
        ["set", "a", "2"],
        /Interrupted: Cannot tell whether set at "a" was applied: .*; read the value before/,
      ],
      [["push", "a.x", "2"], /Interrupted: Cannot tell whether push .*; read the value before/],
      [["del", "a", "--yes"], /Interrupted: Cannot tell whether delete .*; read the value before/],
    ];
    for (const [args, message] of commands) {
      await using proxy = await FaultProxy.start(redisUrl);
      await shell.put("a", '{"x":[1]}');
      const terminal = new TestTerminal({ ...shell.env, REDIS_URL: proxy.url });
      pressAt(proxy, shell.prefix, terminal);
      const { code, err } = await runHere(terminal, ...args);
      assertEquals(code, 130, `${args}: ${err}`);
      assertMatch(err, message);
      assert(!err.includes("resolve()"));
    }
  });

  it("del says what is deleted when it is ended, or fails, between two deletions", async () => {
    const shell = new Shell(redis);
    for (const key of ["a", "b"]) await shell.put(key, '"x"');
    const failed = await shell.run("del", "a", "b.x", "--yes");
    assertEquals(failed.code, 1);
    assertMatch(failed.err, /; 1 of 2 are deleted: "a"\n$/);

    await shell.put("a", "1");
    await using proxy = await FaultProxy.start(redisUrl);
    const terminal = new TestTerminal({ ...shell.env, REDIS_URL: proxy.url });
    pressAt(proxy, `${shell.prefix}b`, terminal);
    const ended = await runHere(terminal, "del", "a", "b", "--yes");
    assertEquals(ended.code, 130);
    assertMatch(ended.err, /Interrupted: Cannot tell whether delete .*; 1 of 2 are deleted: "a"\n$/);
    assertEquals(await shell.text("a"), null);
  });

  it("a signal ends the process between two steps", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const child = startProcess(["dump", "--timeout", "1h"], await behind(proxy));
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
