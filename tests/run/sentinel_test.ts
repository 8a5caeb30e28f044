/** Redis Sentinel, through ioredis: the master dies, a replica takes over, and each change is there once. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { findRedis, type RedisServer, startRedis } from "../../tools/redis_server.ts";
import { until } from "../support/until.ts";

/** A sentinel alone decides: quorum 1. */
async function startSentinel(master: RedisServer): Promise<{ port: number } & AsyncDisposable> {
  const program = await findRedis();
  const dir = await Deno.makeTempDir({ prefix: "json-dict-sentinel-" });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await Deno.writeTextFile(
    `${dir}/sentinel.conf`,
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${dir}`,
      `logfile ${dir}/sentinel.log`,
      `sentinel monitor lab 127.0.0.1 ${master.port} 1`,
      "sentinel down-after-milliseconds lab 1000",
      "sentinel failover-timeout lab 5000",
    ].join("\n") + "\n",
  );
  const child = new Deno.Command(program.path, {
    args: [`${dir}/sentinel.conf`, "--sentinel"],
    env: { ...program.env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

describe("Redis Sentinel", () => {
  it("RedisJsonDict goes on over a failover, with each acknowledged change there once", async () => {
    await using first = await startRedis();
    await using second = await startRedis({
      args: ["--replicaof", "127.0.0.1", String(first.port), "--repl-diskless-sync-delay", "0"],
    });
    const beside = new Redis(second.url);
    await using sentinel = await startSentinel(first);
    const watch = new Redis(sentinel.port, "127.0.0.1");
    watch.on("error", () => {});
    const client = new Redis({
      ...{ sentinels: [{ host: "127.0.0.1", port: sentinel.port }], name: "lab", maxRetriesPerRequest: 0 },
      ...{ sentinelRetryStrategy: () => 50, retryStrategy: () => 50 },
    });
    client.on("error", () => {});
    try {
      await until("the replica is in step", async () => {
        return (await beside.info("replication")).includes("master_link_status:up");
      });
      await until("the sentinel knows the replica", async () => {
        return await watch.call("SENTINEL", "REPLICAS", "lab").then(
          (replicas) => (replicas as unknown[]).length === 1,
          () => false,
        );
      });
      const dict = new RedisJsonDict<{ list: number[] }>(client, {
        ...{ prefix: "sentinel:", timeout: 60_000, durability: { replicas: 1, timeout: 30_000 } },
      });
      await dict.set("list", []);
      for (let n = 0; n < 20; n++) await dict.at("list").push(n);

      // From here on there is no replica to wait for.
      const later = new RedisJsonDict<{ list: number[] }>(client, { prefix: "sentinel:", timeout: 60_000 });
      Deno.kill(first.pid, "SIGKILL");
      for (let n = 20; n < 40; n++) assertEquals(await later.at("list").push(n), n + 1);
      assert((await beside.info("replication")).includes("role:master"));
      assertEquals(await later.get("list"), Array.from({ length: 40 }, (_, n) => n));
      assertEquals(JSON.parse(await beside.get("sentinel:list") ?? ""), await later.get("list"));
    } finally {
      for (const it of [client, watch, beside]) it.disconnect();
    }
  });
});
