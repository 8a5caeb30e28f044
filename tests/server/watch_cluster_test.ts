/** Watching in real clusters: slots that move, also by force, and masters that die. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cluster } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { UnavailableError } from "../../src/errors/delivery.ts";
import { slotOf } from "../../src/run/slot.ts";
import { type ClusterNode, TestCluster } from "../support/cluster.ts";
import { until } from "../support/until.ts";
import { changeAll, type Items, KEYS, otherProgram, trackers, Watchers, write } from "../support/watchers.ts";

const cluster = await TestCluster.start({ replicas: 1, nodeTimeout: 2_000 });
Deno.test.afterAll(() => cluster[Symbol.asyncDispose]());
let dictionaries = 0;
/** More than pass before a replica takes over. */
const ROUNDS = 10;
/** The master that is lost for a while. */
let frozen: ClusterNode | undefined;

function open(on = cluster, options: Partial<DictOptions> = {}): RedisJsonDict<Items> {
  const urls = on.urls.slice(0, 2);
  return RedisJsonDict.connect<Items>(urls, {
    prefix: `wc${dictionaries++}:`,
    timeout: 60_000,
    heartbeat: 1000,
    ...options,
  });
}

describe("Watch in a cluster", () => {
  it("Watch hears of changes on every node, and leaves no connection", async () => {
    await using program = otherProgram(cluster);
    const lab = open();
    const watchers = new Watchers(lab, KEYS);
    for (let round = 1; round <= 10; round++) {
      await watchers.show(`round ${round}`, await write(program, lab.prefix, round));
    }
    await until(
      "there is a connection to each node",
      async () => await trackers(cluster) === cluster.nodes.length,
    );
    await Promise.all(cluster.nodes.map(({ client }) => client.call("CLIENT", "KILL", "TYPE", "pubsub")));
    await watchers.show("after a kill", await write(program, lab.prefix, 11));
    await lab.close();
    await until("the connections are closed", async () => await trackers(cluster) === 0);
    await Promise.all(KEYS.map((key) => program.del(lab.prefix + key)));
  });

  it("Watch says what the clients of the nodes lack", async () => {
    const client = new Cluster([cluster.urls[0]], { lazyConnect: true });
    await client.connect();
    const nodes = (): unknown[] =>
      client.nodes("all").map((node) => ({ call: node.call.bind(node), options: node.options }));
    const plain = new Proxy(client, {
      get: (target, name) =>
        name === "nodes"
          ? nodes
          : Reflect.get(target, name, target)?.bind?.(target) ?? Reflect.get(target, name, target),
    });
    const lab = new RedisJsonDict<Items>(plain, { prefix: "plain:" });
    const error = await assertRejects(
      () => lab.at("x").watch().next(),
      UnavailableError,
      "no method duplicate",
    );
    assertEquals(error.reason, "TRACKING");
    await lab.close();
    await client.quit();
  });
});

// The sanitizer looks at each suite: nothing may be left, whatever was under way.
for (let round = 0; round < ROUNDS; round++) {
  describe(`RedisJsonDict.close() in a cluster that loses a master, ${round}`, () => {
    it("RedisJsonDict.close() waits for no read of a watch, and leaves no timer", async () => {
      const lab = open(cluster, { heartbeat: 200 });
      const watches = [lab.watch(), ...KEYS.map((key) => lab.at(key).watch())];
      const first = watches.map((watch) => watch.next());
      if (round === 0) {
        await Promise.all(first.slice(1));
        frozen = await cluster.ownerOf(slotOf(lab.prefix + KEYS[0]));
        Deno.kill(frozen.server.pid, "SIGSTOP");
      }
      await new Promise((resolve) => setTimeout(resolve, 250 * (round % 5)));
      const start = performance.now();
      await lab.close();
      const ms = performance.now() - start;
      assert(ms < 20_000, `${ms} ms`);
      await Promise.all(first);
      if (round + 1 === ROUNDS) Deno.kill(frozen!.server.pid, "SIGCONT");
    });
  });
}

describe("Watch in a cluster that changes", () => {
  it("Watch follows slots that move, also by force, a new master, and the replica of one that dies", async () => {
    await using own = await TestCluster.start({ replicas: 1, nodeTimeout: 2_000 });
    await changeAll(own, open(own));
  });
});
