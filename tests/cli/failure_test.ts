/** What a failed command writes. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { lineOf } from "../../src/cli/failure.ts";
import { testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { runHere, TestTerminal } from "../support/test_terminal.ts";

const redis = testClient();

/** More levels than the stack has room for. */
const LEVELS = 20_000;

function nested(inside: string): string {
  return "[".repeat(LEVELS) + inside + "]".repeat(LEVELS);
}

describe("json-dict where it fails", () => {
  it("writes one line that cannot drive the terminal", () => {
    assertEquals(lineOf(new Error("a\u001b[2J\u009b\u202eb\n  c")), "a\\u001b[2J\\u009b\\u202eb c");
  });

  it("says so where data is nested too deeply", async () => {
    const shell = new Shell(redis);
    await shell.put("a", nested("1"));
    const folder = await Deno.makeTempDir();
    try {
      assertEquals((await shell.run("dump", `${folder}/d`)).code, 0);
      await shell.put("a", nested("2"));
      const person = new TestTerminal({ ...shell.env, NO_COLOR: "1" }, []);
      for (
        const ended of [
          await shell.run("diff", `${folder}/d`),
          await shell.run("edit", "a"),
          await runHere(person, "get", "a"),
        ]
      ) {
        assertEquals(ended.code, 1);
        assertMatch(ended.err, /^json-dict: [^\n]*nested too deeply[^\n]*\n$/);
      }
      assertEquals((await shell.run("get", "a")).out, `${nested("2")}\n`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  it("ls --tree shows keys of many parts", async () => {
    const shell = new Shell(redis);
    const key = `${"a:".repeat(LEVELS)}z`;
    await shell.put(key, "1");
    await shell.put("a:b", "22");
    const { code, out } = await shell.run("ls", "--tree");
    assertEquals(code, 0);
    let level = JSON.parse(out);
    let name = "";
    while (level.children !== undefined) {
      assert(name.length < 100);
      level = level.children[0];
      name += level.name;
    }
    assertEquals(name, key);
    assertEquals((await shell.sit([], "ls", "--tree")).code, 0);
  });
});
