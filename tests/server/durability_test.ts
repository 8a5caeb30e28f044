/** Durability: changes that count only when replicas have them. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { DurabilityError } from "../../src/errors/delivery.ts";
import { LeaseEndedError } from "../../src/errors/lease.ts";
import { TypeMismatchError } from "../../src/errors/value.ts";
import { slotOf } from "../../src/run/slot.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { TestCluster } from "../support/cluster.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";
import { until } from "../support/until.ts";

/** Nothing that this file waits for comes; where it does, it has seconds. */
const IN_VAIN = 20;

interface Lab {
  x: number[];
  y: number;
}

/** A master and a replica that has caught up with it. */
async function startPair() {
  const master = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  const [client, copy] = [master, replica].map(({ url }) => new Redis(url));
  while (!(await copy.info("replication")).includes("master_link_status:up")) await client.ping();
  return {
    master,
    client,
    copy,
    async [Symbol.asyncDispose]() {
      client.disconnect();
      copy.disconnect();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}

/** How often the server was asked to wait. */
async function waitsOf(client: Redis): Promise<number> {
  return Number((await client.info("commandstats")).match(/cmdstat_wait:calls=(\d+)/)?.[1] ?? 0);
}

describe("durability", () => {
  it("RedisJsonDict answers when the replica has the change", async () => {
    await using pair = await startPair();
    const lab = new RedisJsonDict<Lab>(pair.client, {
      prefix: "",
      durability: { replicas: 1, timeout: 9_000 },
    });
    await lab.set("x", []);
    assertEquals(await pair.copy.get("x"), "[]");
    for (let length = 1; length <= 20; length++) {
      assertEquals(await lab.at("x").push(length), length);
      assertEquals(JSON.parse(await pair.copy.get("x") ?? "").length, length);
    }
    const before = await waitsOf(pair.client);
    await Promise.all(Array.from({ length: 50 }, () => lab.at("x").push(0)));
    assert(await waitsOf(pair.client) - before <= 2, "changes that leave together wait together");
    assertEquals(JSON.parse(await pair.copy.get("x") ?? "").length, 70);
  });

  it("lease() counts a renewal only when the replica has it", async () => {
    await using pair = await startPair();
    const options: DictOptions = { prefix: "", durability: { replicas: 1, timeout: 2_000 }, timeout: 60_000 };
    const lab = new RedisJsonDict<Lab>(pair.client, options);
    const lease = await lab.lease("y", 1, { ttl: 4_500 });
    assertEquals(await pair.copy.get("y"), "1");
    await lease!.update(2);
    assertEquals(await pair.copy.get("y"), "2");
    const waits = await waitsOf(pair.client);
    await until("it was renewed three times", async () => await waitsOf(pair.client) >= waits + 3);
    assertEquals(lease!.signal.aborted, false);
    await pair.copy.call("REPLICAOF", "NO", "ONE");
    await until("it is over", () => lease!.signal.aborted);
    const { reason } = lease!.signal;
    assert(reason instanceof LeaseEndedError);
    assertEquals(reason.end, "expired");
    assert(reason.cause instanceof DurabilityError, String(reason.cause));
    await lab.close();
  });

  it("RedisJsonDict throws DurabilityError with the result if there are too few replicas", async () => {
    await using pair = await startPair();
    const options: DictOptions = { prefix: "", durability: { replicas: 2, timeout: 2_000 } };
    const lab = new RedisJsonDict<Lab>(pair.client, options);
    const set = await assertRejects(() => lab.set("x", [5]), DurabilityError, 'Applied set at "x"');
    assertEquals([set.code, set.replicas, set.acknowledged, set.result], ["DURABILITY", 2, 1, undefined]);
    const push = await assertRejects(() => lab.at("x").push(6), DurabilityError);
    assertEquals([push.operation, push.path, push.result], ["push", ["x"], 2]);
    const pop = await assertRejects(() => lab.pop("x"), DurabilityError);
    assertEquals([pop.result, await pair.client.exists("x")], [[5, 6], 0]);
    const edit = await assertRejects(
      () => lab.edit((draft) => (draft.y = 1, draft.x = [1], 0)),
      DurabilityError,
    );
    assertEquals([edit.operation, edit.result], ["edit", undefined]);
    assertEquals(await pair.client.mget("x", "y"), ["[1]", "1"]);
  });

  it("RedisJsonDict waits for nothing where nothing was changed by a refused call", async () => {
    const client = testClient();
    const lab = new RedisJsonDict<Lab>(client, {
      prefix: uniquePrefix("durability"),
      durability: { replicas: 1, timeout: IN_VAIN },
    });
    await assertRejects(() => lab.set("y", 1), DurabilityError, "0 of 1 replicas");
    const before = await waitsOf(client);
    await assertRejects(() => lab.at("y", "a" as never).set(1 as never), TypeMismatchError);
    assertEquals(await lab.get("y"), 1);
    assertEquals(await waitsOf(client), before);
  });

  it("RedisJsonDict says DurabilityError where the server does not know of the call any more", async () => {
    const client = testClient();
    const recordPrefix = uniquePrefix("durability");
    const forgetful = {
      async call(command: string, ...args: (string | number)[]): Promise<unknown> {
        if (command === "PEXPIRE") await client.unlink(String(args[0]));
        return await client.call(command, ...args);
      },
    };
    const lab = new RedisJsonDict<Lab>(forgetful, {
      prefix: uniquePrefix("durability"),
      recordPrefix,
      durability: { replicas: 1, timeout: IN_VAIN },
    });
    const error = await assertRejects(() => lab.set("y", 1), DurabilityError, "another server took over");
    assertEquals(error.acknowledged, 0);
  });

  it("RedisJsonDict does not trust an answer from another connection, where WAIT waits for nothing", async () => {
    await using pair = await startPair();
    const other = new Redis(pair.master.url);
    let count = 0;
    // As if the connection broke behind PEXPIRE, and the client sent the rest again on the next one.
    const broken = {
      call: (command: string, ...args: (string | number)[]): Promise<unknown> => {
        const isRest = command === "WAIT" || command === "CLIENT" && count > 0;
        if (command === "WAIT" || command === "CLIENT") count++;
        return (isRest && count <= 3 ? other : pair.client).call(command, ...args);
      },
    };
    const lab = new RedisJsonDict<Lab>(broken, { prefix: "", durability: { replicas: 1, timeout: 9_000 } });
    const before = await waitsOf(pair.client);
    await lab.set("x", [1]);
    assertEquals([await pair.copy.get("x"), await waitsOf(pair.client) - before, count], ["[1]", 2, 6]);
    other.disconnect();
  });

  it("RedisJsonDict waits for the replica of the master that has the slot", async () => {
    await using cluster = await TestCluster.start({ replicas: 1, nodeTimeout: 5_000 });
    const options: DictOptions = { prefix: "", durability: { replicas: 1, timeout: 9_000 } };
    await using lab = RedisJsonDict.connect<Record<string, number[]>>(cluster.urls.slice(0, 2), options);
    for (const key of ["a", "b", "c", "d", "{}e"]) {
      await lab.set(key, [1]);
      assertEquals(await lab.at(key).push(2), 2);
      const owner = await cluster.ownerOf(slotOf(key));
      const copies = await Promise.all(cluster.nodes.map(async ({ client }) => {
        const names = await client.call("CLUSTER", "COUNTKEYSINSLOT", slotOf(key)) as number;
        return (await client.info("replication")).includes("role:slave") ? names : 0;
      }));
      assert(Math.max(...copies) >= 2, "value and record");
      assertEquals(await owner.client.get(key), "[1,2]");
    }
    await using strict = RedisJsonDict.connect<Record<string, number[]>>(cluster.urls.slice(0, 1), {
      prefix: "",
      durability: { replicas: 2, timeout: 2_000 },
    });
    const error = await assertRejects(() => strict.set("a", [3]), DurabilityError);
    assertEquals(error.acknowledged, 1);
  });

  it("RedisJsonDict refuses options that make no sense", () => {
    const client = testClient({ lazyConnect: true, maxRetriesPerRequest: 0 });
    const wrong: [unknown, typeof TypeError | typeof RangeError, string][] = [
      [null, TypeError, "write an object"],
      [1, TypeError, "write an object"],
      [{}, RangeError, "replicas is undefined"],
      [{ replicas: 0 }, RangeError, "replicas is 0"],
      [{ replicas: 1.5 }, RangeError, "replicas is 1.5"],
      [{ replicas: 1, timeout: 0 }, RangeError, "its timeout is 0"],
      [{ replicas: 1, timeout: 10_000 }, RangeError, "less than the timeout, 10000 ms"],
    ];
    for (const [durability, kind, message] of wrong) {
      assertThrows(() => new RedisJsonDict(client, { prefix: "", durability } as never), kind, message);
    }
    assertThrows(
      () =>
        RedisJsonDict.connect(redisUrl, {
          prefix: "",
          durability: { replicas: 1 },
          delivery: "at-most-once",
        }),
      TypeError,
      "needs the records",
    );
  });
});
