/** The program on a cluster. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { TestCluster } from "../support/cluster.ts";
import { type Ended, runHere, TestTerminal } from "../support/test_terminal.ts";

describe("json-dict on a cluster", () => {
  it("json-dict lists, copies, restores and compares values in all slots", async () => {
    await using cluster = await TestCluster.start();
    const env = { REDIS_URL: cluster.urls.join(","), JSON_DICT_PREFIX: "cli:" };
    const run = (...args: string[]): Promise<Ended> => runHere(new TestTerminal(env), ...args);
    const lines = Array.from({ length: 300 }, (_, n) => `{"key":"k${n}","ttl":7200000,"value":${n}.0}\n`);
    const filled = await runHere(
      new TestTerminal(env, undefined, lines.join("")),
      ...["restore", "--unchecked", "--yes"],
    );
    assertEquals([filled.code, filled.out, filled.err], [0, '{"items":300,"written":300}\n', ""]);
    const listed = (await run("ls")).out.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(new Set(listed.map(({ key }) => key)).size, 300);
    assertEquals(listed.every(({ ttl }) => ttl > 3_600_000), true);
    const file = await Deno.makeTempFile();
    try {
      assertEquals((await run("dump", file, "--force")).code, 0);
      assertEquals(await run("diff", file, "--exact"), { code: 0, out: "", err: "" });
      assertEquals((await run("incr", "k7")).out, "8\n");
      assertEquals((await run("diff", file)).code, 3);
      assertEquals((await run("restore", file, "--yes")).code, 0);
      assertEquals((await run("get", "k7")).out, "7.0\n");
    } finally {
      await Deno.remove(file);
    }
    assertEquals((await run("doctor")).code, 0);
  });
});
