/** The test cluster itself: that it is whole when it says so, and that nothing of it stays. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { Cluster } from "ioredis";
import { slotOf } from "../../src/run/slot.ts";
import { type ClusterNode, TestCluster } from "./cluster.ts";

/** What a node leaves on the machine when it is not stopped. */
interface Trace {
  readonly pid: number;
  readonly dir: string;
}

async function traceOf({ server, client }: ClusterNode): Promise<Trace> {
  const [, dir] = await client.config("GET", "dir") as string[];
  return { pid: server.pid, dir };
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 is not to be had here; this one is ignored by a server that runs.
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function assertGone(traces: readonly Trace[]): Promise<void> {
  for (const { pid, dir } of traces) {
    assertEquals(isAlive(pid), false);
    await assertRejects(() => Deno.stat(dir), Deno.errors.NotFound);
  }
}

describe("TestCluster", () => {
  it("TestCluster starts three masters, of which the owner of a slot answers", async () => {
    await using cluster = await TestCluster.start();
    assertEquals(await cluster.masters(), cluster.nodes);
    assertEquals(cluster.urls, cluster.nodes.map(({ server }) => server.url));
    assertEquals(new Set(cluster.urls).size, 3);
    const owners = new Set<ClusterNode>();
    for (const name of ["a", "b", "c", "d", "e", "f"]) {
      const slot = slotOf(name);
      const owner = await cluster.ownerOf(slot);
      owners.add(owner);
      assertEquals(await owner.client.set(name, "1"), "OK");
      const moved = `MOVED ${slot} 127.0.0.1:${owner.server.port}`;
      for (const other of cluster.nodes.filter((node) => node !== owner)) {
        await assertRejects(() => other.client.get(name), Error, moved);
      }
    }
    assertEquals(owners.size, 3);
    for (const slot of [0, 16_383]) await cluster.ownerOf(slot);
  });

  it("TestCluster moves a slot under a client that reads and writes", async () => {
    await using cluster = await TestCluster.start();
    const names = Array.from({ length: 20 }, (_, index) => `{move}${index}`);
    const slot = slotOf("move");
    const source = await cluster.ownerOf(slot);
    const target = cluster.nodes.find((node) => node !== source)!;
    const client = new Cluster([cluster.urls[0]]);
    let rounds = 0;
    let isOver = false;
    const work = (async () => {
      while (!isOver) {
        rounds++;
        for (const name of names) assertEquals(await client.incr(name), rounds);
        for (const name of names) assertEquals(await client.get(name), String(rounds));
      }
    })();
    const roundsFrom = async (start: number): Promise<void> => {
      // If the work fails there are no more rounds to wait for.
      while (rounds < start + 3) await Promise.race([work, new Promise((resolve) => setTimeout(resolve, 5))]);
    };
    try {
      await roundsFrom(0);
      let halves = 0;
      await cluster.moveSlot(slot, target, async () => {
        halves++;
        const left = await source.client.call("CLUSTER", "COUNTKEYSINSLOT", slot);
        const moved = await target.client.call("CLUSTER", "COUNTKEYSINSLOT", slot);
        assertEquals([left, moved], [10, 10]);
        const [first, last] = [[...names].sort()[0], [...names].sort().at(-1)!];
        await assertRejects(() => source.client.get(first), Error, `ASK ${slot} `);
        await assertRejects(() => source.client.mget(first, last), Error, "TRYAGAIN");
        assertNotEquals(await source.client.get(last), null);
        await roundsFrom(rounds);
      });
      assertEquals(halves, 1);
      assertEquals(await cluster.ownerOf(slot), target);
      await roundsFrom(rounds);
    } finally {
      isOver = true;
      await work.finally(() => client.disconnect());
    }
    assertEquals(await target.client.mget(names), names.map(() => String(rounds)));
    assertEquals(await source.client.dbsize(), 0);
  });

  it("TestCluster is ready again when a replica has taken over from a killed master", async () => {
    const cluster = await TestCluster.start({ replicas: 1, nodeTimeout: 2_000 });
    const traces: Trace[] = [];
    try {
      traces.push(...await Promise.all(cluster.nodes.map(traceOf)));
      assertEquals(traces.length, 6);
      const before = await cluster.masters();
      assertEquals(before.length, 3);
      const slot = slotOf("key");
      const victim = await cluster.ownerOf(slot);
      await victim.client.set("key", "1");
      assertEquals(await victim.client.wait(1, 10_000), 1);
      await cluster.kill(victim);
      await assertGone(traces.filter(({ pid }) => pid === victim.server.pid));
      assertEquals([cluster.nodes.length, cluster.nodes.includes(victim)], [5, false]);
      await cluster.ready();
      const after = await cluster.masters();
      const heirs = after.filter((node) => !before.includes(node));
      assertEquals([after.length, heirs.length], [3, 1]);
      assertEquals(await cluster.ownerOf(slot), heirs[0]);
      assertEquals(await heirs[0].client.get("key"), "1");
      const client = new Cluster([cluster.urls[0]]);
      assertEquals(await client.incr("key"), 2);
      client.disconnect();
      const alive = traces.filter(({ pid }) => pid !== victim.server.pid);
      assert(alive.every(({ pid }) => isAlive(pid)));
    } finally {
      await cluster[Symbol.asyncDispose]();
    }
    await assertGone(traces);
  });
});
