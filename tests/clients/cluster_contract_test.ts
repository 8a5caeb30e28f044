/** The contract on every client of a cluster that Deno can run, with a network of ours before each node. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertThrows } from "@std/assert";
import { Cluster } from "ioredis";
import { Cluster as Cluster5 } from "ioredis5";
import { Cluster as ValkeyCluster } from "iovalkey";
import { createCluster } from "redis";
import { createCluster as createCluster5 } from "redis5";
import type { RedisClient } from "../../src/run/client.ts";
import { fromNodeRedis } from "../../src/clients/node_redis.ts";
import { TestCluster } from "../support/cluster.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { until } from "../support/until.ts";
import { type Check, CONTRACT } from "./contract.ts";

// Clients leave timers behind. That no server and no proxy is left is seen to in any case.
Deno.test.sanitizer({ ops: false, resources: false });

/** A client, and how to end it. */
interface Opened {
  readonly client: RedisClient;
  close(): void;
}

interface Kind {
  readonly name: string;
  open(port: number): Opened | Promise<Opened>;
}

const OPTIONS = { retryDelayOnFailover: 0, clusterRetryStrategy: () => 5, slotsRefreshTimeout: 2000 };
const ofIoredis = (
  cluster: { disconnect(): void; on(event: "error", listener: () => void): unknown },
): Opened => {
  cluster.on("error", () => {});
  return { client: cluster as unknown as RedisClient, close: () => cluster.disconnect() };
};

const KINDS: readonly Kind[] = [
  { name: "ioredis 6", open: (port) => ofIoredis(new Cluster([{ host: "127.0.0.1", port }], OPTIONS)) },
  { name: "ioredis 5", open: (port) => ofIoredis(new Cluster5([{ host: "127.0.0.1", port }], OPTIONS)) },
  { name: "iovalkey", open: (port) => ofIoredis(new ValkeyCluster([{ host: "127.0.0.1", port }], OPTIONS)) },
  {
    name: "node-redis 6",
    open: (port) => {
      const cluster = createCluster({
        rootNodes: [{ url: `redis://127.0.0.1:${port}` }],
        defaults: { socket: { reconnectStrategy: () => 5 } },
      });
      return { client: fromNodeRedis(cluster), close: () => cluster.destroy() };
    },
  },
];

/** Three masters, of which clients only know the proxies before them. */
class Hidden implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly proxies: readonly FaultProxy[];

  private constructor(cluster: TestCluster, proxies: readonly FaultProxy[]) {
    this.cluster = cluster;
    this.proxies = proxies;
  }

  static async start(): Promise<Hidden> {
    const cluster = await TestCluster.start();
    const proxies = await Promise.all(cluster.urls.map((url) => FaultProxy.start(url)));
    const ports = proxies.map(({ url }) => new URL(url).port).sort();
    for (const [index, { client }] of cluster.nodes.entries()) {
      await client.config("SET", "cluster-announce-port", new URL(proxies[index].url).port);
    }
    await until("the nodes tell the proxies", async () => {
      const views = await Promise.all(cluster.nodes.map(async ({ client }) => {
        const ranges = await client.call("CLUSTER", "SLOTS") as [number, number, [string, number]][];
        return [...new Set(ranges.map(([, , [, port]]) => String(port)))].sort();
      }));
      return views.every((view) => view.join() === ports.join());
    });
    return new Hidden(cluster, proxies);
  }

  async run(kind: Kind, check: Check): Promise<void> {
    const [{ url }] = this.proxies;
    const { client, close } = await kind.open(Number(new URL(url).port));
    try {
      await check.run({
        client,
        atMostOnce: true,
        prefix: `contract:${crypto.randomUUID()}:`,
        network: {
          set: (fault) => this.proxies.forEach((proxy) => proxy.fault = fault),
          drop: () => this.proxies.forEach((proxy) => proxy.drop()),
        },
      });
    } finally {
      for (const proxy of this.proxies) proxy.fault = "none";
      close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    await this.cluster[Symbol.asyncDispose]();
  }
}

const hidden = await Hidden.start();
Deno.test.afterAll(() => hidden[Symbol.asyncDispose]());

for (const kind of KINDS) {
  describe(`RedisJsonDict on a cluster by ${kind.name}`, () => {
    for (const check of CONTRACT) {
      it(`RedisJsonDict on a cluster by ${kind.name} ${check.name}`, () => hidden.run(kind, check));
    }
  });
}

describe("fromNodeRedis()", () => {
  it("fromNodeRedis() refuses a cluster of node-redis 5", () => {
    const cluster = createCluster5({ rootNodes: [] });
    assertThrows(() => fromNodeRedis(cluster as never), TypeError, "use redis 6.3 or later");
    assertEquals(cluster.isOpen, false);
  });
});
