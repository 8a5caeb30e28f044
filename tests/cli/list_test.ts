import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertMatch } from "@std/assert";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";
import { runHere, TestTerminal } from "../support/test_terminal.ts";

const redis = testClient();

async function filled(): Promise<Record<string, string>> {
  const prefix = uniquePrefix("cli-ls");
  await redis.mset({ [`${prefix}b`]: "[1]", [`${prefix}user:1`]: "1", [`${prefix}user:22`]: "22" });
  await redis.set(`${prefix}\u001b[2J`, "1", "PX", 7_200_000);
  await redis.rpush(`${prefix}strange`, "no value");
  return { REDIS_URL: redisUrl, JSON_DICT_PREFIX: prefix, NO_COLOR: "1" };
}

describe("json-dict ls", () => {
  it("ls prints a line of JSON for each value in a pipe", async () => {
    const env = await filled();
    const { code, out } = await runHere(new TestTerminal(env), "ls");
    const items = out.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(code, 0);
    assertEquals(items.map(({ key, bytes }) => [key, bytes]).sort(), [
      ["\u001b[2J", 1],
      ["b", 3],
      ["user:1", 1],
      ["user:22", 2],
    ]);
    assertEquals(items.filter(({ ttl }) => ttl !== null).map(({ key }) => key), ["\u001b[2J"]);
    const some = await runHere(new TestTerminal(env), "ls", "user:", "--limit", "1");
    assertMatch(some.out, /^\{"key":"user:[^\n]*\}\n$/);
    assertEquals((await runHere(new TestTerminal(env), "ls", "--limit", "0")).code, 2);
  });

  it("ls prints a sorted table on a terminal, and lets no key drive it", async () => {
    const { out } = await runHere(new TestTerminal(await filled(), []), "ls");
    assertEquals(
      out.replace(/1\.9h|2h/, "time"),
      "size  expires in  key\n 1 B        time  \\u001b[2J\n 3 B           -  b\n 1 B           -  user:1\n" +
        " 2 B           -  user:22\n4 keys, 7 B\n",
    );
  });

  it("ls says what it looked for where there is nothing", async () => {
    const env = await filled();
    const { code, out } = await runHere(new TestTerminal(env, []), "ls", "nothing");
    assertEquals([code, out], [0, `no key in Redis begins with "${env.JSON_DICT_PREFIX}nothing"\n`]);
    assertEquals((await runHere(new TestTerminal(env), "ls", "nothing")).out, "");
  });

  it("ls --tree groups keys, as JSON in a pipe", async () => {
    const env = await filled();
    const { out } = await runHere(new TestTerminal(env, []), "ls", "--tree");
    assertEquals(
      out,
      "├── \\u001b[2J  1 B\n├── b  3 B\n└── user:  2 keys, 3 B\n    ├── 1  1 B\n    └── 22  2 B\n4 keys, 7 B\n",
    );
    const piped = await runHere(new TestTerminal(env), "ls", "user", "--tree");
    assertEquals(JSON.parse(piped.out), {
      name: "",
      keys: 2,
      bytes: 3,
      children: [{
        name: "user:",
        keys: 2,
        bytes: 3,
        children: [{ name: "1", keys: 1, bytes: 1 }, { name: "22", keys: 1, bytes: 2 }],
      }],
    });
  });
});
