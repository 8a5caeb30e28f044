/** Following values: each step is printed, whoever writes it, until enough were, or Ctrl-C. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertMatch } from "@std/assert";
import { testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { runHere, startProcess, TestTerminal } from "../support/test_terminal.ts";
import { until } from "../support/until.ts";

const redis = testClient();

/** Runs watch, and acts each time that a line is there: once for each action. */
async function watch(
  terminal: TestTerminal,
  args: readonly string[],
  ...acts: readonly (() => Promise<unknown>)[]
): Promise<{ code: number; lines: string[]; err: string }> {
  const running = runHere(terminal, "watch", ...args);
  for (const [index, act] of acts.entries()) {
    await until(`${index} lines are there`, () => terminal.out.split("\n").length > index);
    await act();
  }
  const { code, out, err } = await running;
  return { code, lines: out.split("\n").slice(0, -1), err };
}

describe("json-dict watch", () => {
  it("watch prints a place as lines of JSON, also when it is gone", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{"b":[1],"c":0}');
    const ended = await watch(
      new TestTerminal(shell.env),
      ["a.b", "--count", "3"],
      () => Promise.resolve(),
      () => shell.run("push", "a.b", "2"),
      () => shell.run("del", "a", "--yes"),
    );
    assertEquals(ended, {
      code: 0,
      lines: ['{"path":"/a/b","value":[1]}', '{"path":"/a/b","value":[1,2]}', '{"path":"/a/b"}'],
      err: "",
    });
  });

  it("watch on a terminal shows what has changed, and nothing that drives the terminal", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{"b":[1],"c":0,"d":"x"}');
    const ended = await watch(
      new TestTerminal({ ...shell.env, NO_COLOR: "1" }, []),
      ["a", "--count", "4"],
      () => Promise.resolve(),
      () => shell.run("push", "a.b", "2", "3"),
      () => shell.put("a", JSON.stringify({ b: [1, 2, 3], c: "\u001b[2J\u009b", d: "x" })),
      () => shell.put("a", '{"b":[1,2,3]}'),
    );
    const lines = ended.lines.map((line) => line.replaceAll("\\\\", "\\"));
    assertEquals([ended.code, ended.err], [0, ""]);
    assertEquals(lines.slice(0, 2), ['+ /a  {"b":[1],"c":0,"d":"x"}', "+ /a/b  [2,3]"]);
    assertMatch(lines[2], /^~ \/a\/c {2}0 -> "\\u001b\[2J\\u009b"$/);
    assertEquals(lines.slice(3), ['- /a/c  "\\u001b[2J\\u009b"', '- /a/d  "x"']);
  });

  it("watch without a path prints the items that change, whatever their keys are", async () => {
    const shell = new Shell(redis);
    const terminal = new TestTerminal(shell.env);
    const running = runHere(terminal, "watch", "--count", "2");
    // Until it follows, nothing that is written shows.
    let count = 0;
    await until("it follows", async () => {
      await shell.put("a/b", String(count++));
      return terminal.out !== "";
    });
    await shell.put("__proto__", "1");
    const { code, out } = await running;
    assertEquals(code, 0);
    assertMatch(out, /^\{"path":"\/a~1b","value":\d+\}\n\{"path":"\/(?:a~1b|__proto__)","value":\d+\}\n$/);
  });

  it("watch refuses a count that is none, and ends with Ctrl-C", async () => {
    const shell = new Shell(redis);
    for (const count of ["0", "-1", "x", "1.5"]) {
      const { code, err } = await shell.run("watch", "a", "--count", count);
      assertEquals(code, 2);
      assertMatch(err, /^json-dict: Cannot watch: --count is [^\n]*\n$/);
    }
    const person = new TestTerminal({ ...shell.env, NO_COLOR: "1" }, []);
    const waiting = runHere(person, "watch");
    await until("it says that it waits", () => person.err === "Waiting for changes; Ctrl-C ends it\n");
    person.interruption.abort();
    assertEquals((await waiting).code, 130);
    assertEquals(person.err, "Waiting for changes; Ctrl-C ends it\n");
    const terminal = new TestTerminal(shell.env);
    const running = runHere(terminal, "watch", "a");
    await until("it has begun", () => terminal.out === '{"path":"/a"}\n');
    terminal.interruption.abort();
    const { code, err } = await running;
    assertEquals([code, err], [130, ""]);
  });

  it("watch ends as a process with a signal, and leaves no connection", async () => {
    const shell = new Shell(redis);
    await shell.put("a", "1");
    const child = startProcess(["watch", "a"], shell.env);
    await child.stdin.close();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    assertEquals(new TextDecoder().decode(value), '{"path":"/a","value":1}\n');
    child.kill("SIGINT");
    reader.releaseLock();
    const { code } = await child.output();
    assertEquals(code, 130);
  });
});
