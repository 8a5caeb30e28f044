/** Calls near what the runtime can hold: sent, or refused by name before anything, and never half or lost. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { AmbiguousResultError } from "../../src/errors/delivery.ts";
import { LimitError } from "../../src/errors/value.ts";
import { MAX_TEXT } from "../../src/run/failure.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const LONG = 60_000;

type Lab = Record<string, unknown>;

describe("calls of many parts", () => {
  for (const settings of [{}, { enableAutoPipelining: true }]) {
    it(`RedisJsonDict sends a call however many parts it has, with ioredis and ${JSON.stringify(settings)}`, async () => {
      const client = testClient(settings);
      const lab = new RedisJsonDict<Lab>(client, { prefix: uniquePrefix("large"), timeout: LONG });
      const count = 17_000;
      const items = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index]));
      await lab.update(items);
      assertEquals((await lab.getMany(Object.keys(items))).size, 10_000);
      await lab.set("counter", { n: 0 });
      const operations = Array.from({ length: count }, (_, index) => ({
        op: "replace" as const,
        path: "/n",
        value: index,
      }));
      await lab.patch("counter", operations);
      assertEquals(await lab.get("counter"), { n: count - 1 });
      assertEquals(await lab.clear(), 10_001);
    });
  }

  it("RedisJsonDict refuses what another client cannot be given, before anything and at once", async () => {
    const client = testClient();
    const sent: string[] = [];
    const bare = {
      call(command: string, ...args: (string | number)[]): Promise<unknown> {
        sent.push(command);
        return client.call(command, ...args);
      },
    };
    const lab = new RedisJsonDict<Lab>(bare, { prefix: uniquePrefix("large"), timeout: LONG });
    const some = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`k${index}`, index]));
    await lab.update(some);
    const before = sent.length;
    const many = Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`n${index}`, index]));
    await assertRejects(() => lab.update(many), RangeError, "arguments in one call");
    assertEquals([sent.length, await lab.size()], [before, 2_000]);
  });
});

describe("texts that the runtime cannot hold", () => {
  it("RedisJsonDict refuses a call that is too long for one text, at once, and nothing beside it", async () => {
    const client = testClient();
    const lab = new RedisJsonDict<Lab>(client, { prefix: uniquePrefix("large"), timeout: LONG });
    await lab.set("n", 0);
    const long = "x".repeat(MAX_TEXT - 100);
    const calls = [
      assertRejects(() => lab.set("long", long), RangeError, "characters in one call"),
      lab.at("n").increment(),
    ];
    await Promise.all(calls);
    assertEquals([await lab.get("n"), await client.exists(`${lab.prefix}long`)], [1, 0]);
  });

  it("RedisJsonDict says at once that an answer is too long, and removes nothing that it cannot give", async () => {
    await using server = await startRedis();
    const client = new Redis(server.url);
    try {
      const lab = new RedisJsonDict<Lab>(client, { prefix: "", timeout: LONG });
      const length = MAX_TEXT + 1;
      await client.setrange("long", length - 1, '"'); // as long as it must be; what it says does not matter
      const start = performance.now();
      for (const call of [() => lab.get("long"), () => lab.getMany(["long"])]) {
        const error = await assertRejects(call, LimitError);
        assertEquals([error.limit, error.maximum], ["bytes", MAX_TEXT]);
      }
      assert(performance.now() - start < LONG);
      const error = await lab.pop("long").catch((error) => error);
      assert(!(error instanceof AmbiguousResultError), String(error));
      assert(error instanceof LimitError, String(error));
      assertEquals(await client.strlen("long"), length);
      assertEquals(await lab.delete("long"), true);
    } finally {
      client.disconnect();
    }
  });
});
