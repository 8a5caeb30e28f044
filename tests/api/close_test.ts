/** Closing: what was taken is waited for, whatever it is, and no longer than it is allowed to take. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { AmbiguousResultError, TimeoutError } from "../../src/errors/delivery.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
type Items = Record<string, number[]>;

function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then((value) => ({ value }), (error) => error);
}

function items(count: number): Items {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, [index]]));
}

describe("RedisJsonDict.close()", () => {
  it("RedisJsonDict.close() waits for calls of every kind, also before the connection stands", async () => {
    const prefix = uniquePrefix("close");
    const seed = new RedisJsonDict<Items>(client, { prefix });
    for (let round = 0; round < 20; round++) {
      await seed.clear();
      await seed.update({ a: [1], b: [2], c: [3] });
      const lab = RedisJsonDict.connect<Items>(redisUrl, { prefix });
      if (round % 2 > 0) await lab.get("a");
      const calls = [
        lab.get("a"),
        lab.edit((draft) => draft.a.push(draft.b[0]), { keys: ["a", "b"] }),
        lab.at("a").edit((draft) => draft.push(7)),
        lab.at("a").length(),
        lab.getMany(["a"]),
        lab.size(),
        lab.toObject(),
        lab.keys().next(),
        lab.popItem(),
        lab.clear(),
        lab.set("d", [4]),
      ];
      await lab.close();
      const [first, pushed, , length, , , , , popped, cleared] = await Promise.all(calls);
      assertEquals([first, pushed, length], [[1], 2, 3]);
      assert(Array.isArray(popped));
      assertEquals(cleared, 2);
      assertEquals(await seed.toObject(), { d: [4] });
    }
  });

  it("RedisJsonDict.close() ends what is not settled in time: sent calls as ambiguous, others as not sent", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const lab = RedisJsonDict.connect<Items>(proxy.url, { prefix: uniquePrefix("close"), timeout: 120_000 });
    await lab.set("a", [1]);
    proxy.fault = "no answers";
    const sent = errorOf(lab.set("a", [2]));
    const read = errorOf(lab.get("b"));
    const edit = errorOf(lab.edit((draft) => draft.c?.push(1)));
    const clear = errorOf(lab.clear());
    const popItem = errorOf(lab.popItem());
    await new Promise((resolve) => setTimeout(resolve, 0));
    const waiting = errorOf(lab.set("a", [3])); // behind the first one
    const startedAt = performance.now();
    await Promise.all([lab.close({ timeout: 1_000 }), lab.close()]);
    assert(performance.now() - startedAt < 60_000);
    assertInstanceOf(await sent, AmbiguousResultError);
    for (const end of [read, edit, clear, popItem, waiting]) assertInstanceOf(await end, TimeoutError);
  });

  it("RedisJsonDict.close() ends an iteration at its next step", async () => {
    const lab = new RedisJsonDict<Items>(client, { prefix: uniquePrefix("close") });
    await lab.update(items(5_000));
    const entries = lab.entries();
    await entries.next();
    await lab.close(); // does not wait for who may never go on
    await assertRejects(
      async () => {
        while (!(await entries.next()).done);
      },
      TypeError,
      "it is closed",
    );
  });

  it("RedisJsonDict.close() refuses a time that is none, and stays open", async () => {
    const lab = new RedisJsonDict<Items>(client, { prefix: uniquePrefix("close") });
    for (const timeout of [0, -1, NaN, Infinity, "1000" as unknown as number]) {
      await assertRejects(() => lab.close({ timeout }), RangeError, "Cannot close: timeout is");
    }
    await assertRejects(
      () => lab.close(5_000 as unknown as Record<string, never>),
      TypeError,
      "Cannot close",
    );
    assertEquals(await lab.size(), 0);
  });
});
