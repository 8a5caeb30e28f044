/**
 * Watches of a cluster, and a program that changes the cluster under them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Cluster } from "ioredis";
import { cached, type CachedDict } from "../../src/api/cached.ts";
import type { RedisJsonDict } from "../../src/api/core.ts";
import type { Following } from "../../src/api/follow.ts";
import { slotOf } from "../../src/run/slot.ts";
import type { ClusterNode, TestCluster } from "./cluster.ts";
import { until } from "./until.ts";

/** Any values. */
export type Items = Record<string, unknown>;

/** All watches at once: one for each key, and one for all; a cache, and a document that follows for each key. */
export class Watchers {
  readonly seen: Map<string, unknown> = new Map();
  readonly copy: Map<string, unknown> = new Map();
  readonly #cached: CachedDict<Items>;
  readonly #following: Promise<(readonly [key: string, document: Following<unknown>])[]>;
  readonly #over: Promise<unknown>[];

  constructor(lab: RedisJsonDict<Items>, keys: readonly string[]) {
    this.#cached = cached(lab, new Map());
    this.#following = Promise.all(
      keys.map(async (key) => [key, await lab.at(key).live({ follow: true })] as const),
    );
    this.#over = keys.map(async (key) => {
      for await (const value of lab.at(key).watch()) this.seen.set(key, value);
    });
    this.#over.push((async () => {
      for await (const { key, value } of lab.watch({ initial: true })) {
        if (key === undefined) continue;
        if (value === undefined) this.copy.delete(key);
        else this.copy.set(key, value);
      }
    })());
  }

  /** Waits until all show this, and none of them has ended. */
  async show(what: string, values: ReadonlyMap<string, unknown>): Promise<void> {
    const failed = Promise.any(this.#over.map((over) => over.then(() => "ended")));
    const isShown = until(
      what,
      () => [...values].every(([key, value]) => this.seen.get(key) === value && this.copy.get(key) === value),
    );
    assertEquals(await Promise.race([isShown, failed]), undefined);
    const documents = await this.#following;
    await until(
      `${what}, in documents`,
      () => documents.every(([key, { snapshot }]) => !values.has(key) || snapshot() === values.get(key)),
    );
    await until(`${what}, through a cache`, async () => {
      const found = await Promise.all([...values.keys()].map((key) => this.#cached.get(key)));
      return [...values.values()].every((value, index) => value === found[index]);
    });
  }
}

/** What is watched: with the dictionary itself, 40 watches. */
export const KEYS = Array.from({ length: 39 }, (_, index) => `k${index}`);

/** Writes to all keys, each at the node that has it, as another program does. */
export async function write(client: Cluster, prefix: string, value: number): Promise<Map<string, unknown>> {
  await Promise.all(KEYS.map((key) => client.set(prefix + key, value)));
  return new Map(KEYS.map((key) => [key, value]));
}

/** Another program, which writes. */
export function otherProgram(on: TestCluster): Cluster & AsyncDisposable {
  const client = new Cluster([on.urls[0]]);
  return Object.assign(client, { [Symbol.asyncDispose]: async () => void await client.quit() });
}

/** Changes a cluster in every way, and sees after each change that nobody is behind. */
export async function changeAll(cluster: TestCluster, lab: RedisJsonDict<Items>): Promise<void> {
  await using program = otherProgram(cluster);
  const watchers = new Watchers(lab, KEYS);
  let value = 0;
  const next = async (what: string): Promise<void> => {
    await watchers.show(what, await write(program, lab.prefix, ++value));
  };
  await next("the first values");
  // Slots go to masters that were there, and to one that is new.
  const added = await cluster.add();
  for (let round = 1; round <= 6; round++) {
    const slot = slotOf(lab.prefix + KEYS[round]);
    const source = await cluster.ownerOf(slot);
    const target = round > 2 ? added : (await cluster.masters()).find((node) => node !== source)!;
    await cluster.moveSlot(slot, target, async () => {
      await watchers.show(`half of slot ${slot} moved`, new Map());
    });
    await next(`slot ${slot} moved`);
  }
  await Promise.all(cluster.nodes.map(({ client }) => client.call("CLIENT", "KILL", "TYPE", "pubsub")));
  await next("all connections that hear were killed");
  // By force: the slot goes to another master, and its keys are dropped where they were.
  const slot = slotOf(lab.prefix + KEYS[9]);
  const source = await cluster.ownerOf(slot);
  const target = (await cluster.masters()).find((node) => node !== source)!;
  // Its claim is the newer one, so the source gives in when it hears of it.
  await target.client.call("CLUSTER", "SETSLOT", slot, "NODE", target.id);
  await target.client.call("CLUSTER", "BUMPEPOCH");
  await cluster.ready();
  const lost = KEYS.filter((it) => slotOf(lab.prefix + it) === slot);
  assert(lost.length > 0);
  await until(
    "the loss is seen",
    () => lost.every((it) => watchers.seen.get(it) === undefined && !watchers.copy.has(it)),
  );
  await next("a slot was lost by force");
  const victim: ClusterNode = await cluster.ownerOf(slotOf(lab.prefix + KEYS[0]));
  await victim.client.wait(1, 10_000);
  await cluster.kill(victim);
  await cluster.ready();
  for (let round = 1; round <= 4; round++) await next(`a replica took over, ${round}`);
  await lab.close();
  await until("the connections are closed", async () => await trackers(cluster) === 0);
}

/** How many connections hear of changes, at all nodes. */
export async function trackers(cluster: TestCluster): Promise<number> {
  const lists = await Promise.all(
    cluster.nodes.map(({ client }) => client.call("CLIENT", "LIST", "TYPE", "pubsub")),
  );
  return lists.join("\n").split("\n").filter((line) => line.includes(" sub=1 ")).length;
}
