/** Watching a cluster by node-redis. */

import { describe, it } from "@std/testing/bdd";
import { createCluster } from "redis";
import { RedisJsonDict } from "../../src/api/core.ts";
import { fromNodeRedis } from "../../src/clients/node_redis.ts";
import { TestCluster } from "../support/cluster.ts";
import { changeAll, type Items } from "../support/watchers.ts";

// node-redis leaves timers behind. That no connection is left is checked in any case.
Deno.test.sanitizer({ ops: false, resources: false });

describe("Watch in a cluster, on node-redis 6", () => {
  for (const useReplicas of [false, true]) {
    it(`Watch follows all changes of a cluster on node-redis 6${useReplicas ? " that knows replicas" : ""}`, async () => {
      await using cluster = await TestCluster.start({ replicas: 1, nodeTimeout: 2_000 });
      const client = createCluster({
        rootNodes: cluster.urls.slice(0, 2).map((url) => ({ url })),
        useReplicas,
      });
      try {
        const adapter = fromNodeRedis(client);
        await changeAll(
          cluster,
          new RedisJsonDict<Items>(adapter, { prefix: "wc:", timeout: 5_000, heartbeat: 1000 }),
        );
      } finally {
        client.destroy();
      }
    });
  }
});
