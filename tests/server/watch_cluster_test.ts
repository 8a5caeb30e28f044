/** Watching in real clusters: slots that move, also by force, and masters that die. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cluster } from "ioredis";
import { cached, type CachedDict } from "../../src/api/cached.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { Following } from "../../src/api/follow.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { UnavailableError } from "../../src/errors/delivery.ts";
import { slotOf } from "../../src/run/slot.ts";
import { type ClusterNode, TestCluster } from "../support/cluster.ts";
import { until } from "../support/until.ts";

const cluster = await TestCluster.start({ replicas: 1, nodeTimeout: 2_000 });
Deno.test.afterAll(() => cluster[Symbol.asyncDispose]());
let dictionaries = 0;
/** More than pass before a replica takes over. */
const ROUNDS = 10;
/** The master that is lost for a while. */
let frozen: ClusterNode | undefined;

type Items = Record<string, unknown>;

function open(on = cluster, options: Partial<DictOptions> = {}): RedisJsonDict<Items> {
  const urls = on.urls.slice(0, 2);
  return RedisJsonDict.connect<Items>(urls, {
    prefix: `wc${dictionaries++}:`,
    timeout: 60_000,
    heartbeat: 1000,
    ...options,
  });
}

/** How many connections hear of changes, at all nodes. */
async function trackers(on = cluster): Promise<number> {
  const lists = await Promise.all(
    on.nodes.map(({ client }) => client.call("CLIENT", "LIST", "TYPE", "pubsub")),
  );
  return lists.join("\n").split("\n").filter((line) => line.includes(" sub=1 "))
    .length;
}

/** All watches at once: one for each key, and one for all; a cache, and a document that follows for each key. */
class Watchers {
  readonly seen: Map<string, unknown> = new Map();
  readonly copy: Map<string, unknown> = new Map();
  readonly #cached: CachedDict<Items>;
  readonly #following: readonly Promise<Following<unknown>>[];
  readonly #over: Promise<unknown>[];

  constructor(lab: RedisJsonDict<Items>, keys: readonly string[]) {
    this.#cached = cached(lab, new Map());
    this.#following = keys.map((key) => lab.at(key).live({ follow: true }));
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
    const following = new Map(
      await Promise.all(this.#following.map(async (each, index) => {
        return [KEYS[index], await each] as const;
      })),
    );
    await until(
      `${what}, in documents`,
      () => [...values].every(([key, value]) => following.get(key)!.snapshot() === value),
    );
    await until(`${what}, through a cache`, async () => {
      const found = await Promise.all([...values.keys()].map((key) => this.#cached.get(key)));
      return [...values.values()].every((value, index) => value === found[index]);
    });
  }
}

const KEYS = Array.from({ length: 24 }, (_, index) => `k${index}`);

/** Writes to all keys, each at the node that has it, as another program does. */
async function write(client: Cluster, prefix: string, value: number): Promise<Map<string, unknown>> {
  await Promise.all(KEYS.map((key) => client.set(prefix + key, value)));
  return new Map(KEYS.map((key) => [key, value]));
}

function otherProgram(on = cluster): Cluster & AsyncDisposable {
  const client = new Cluster([on.urls[0]]);
  return Object.assign(client, { [Symbol.asyncDispose]: async () => void await client.quit() });
}

describe("Watch in a cluster", () => {
  it("Watch hears of changes on every node, and leaves no connection", async () => {
    await using program = otherProgram();
    const lab = open();
    const watchers = new Watchers(lab, KEYS);
    for (let round = 1; round <= 10; round++) {
      await watchers.show(`round ${round}`, await write(program, lab.prefix, round));
    }
    await until("there is a connection to each node", async () => await trackers() === cluster.nodes.length);
    await Promise.all(cluster.nodes.map(({ client }) => client.call("CLIENT", "KILL", "TYPE", "pubsub")));
    await watchers.show("after a kill", await write(program, lab.prefix, 11));
    await lab.close();
    await until("the connections are closed", async () => await trackers() === 0);
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
  it("Watch follows slots that move, with a word and without one", async () => {
    await using program = otherProgram();
    const lab = open();
    const watchers = new Watchers(lab, KEYS);
    await watchers.show("the first values", await write(program, lab.prefix, 0));
    for (let round = 1; round <= 4; round++) {
      const slot = slotOf(lab.prefix + KEYS[round]);
      const source = await cluster.ownerOf(slot);
      const target = (await cluster.masters()).find((node) => node !== source)!;
      await cluster.moveSlot(slot, target, async () => {
        await watchers.show(`half of slot ${slot} moved`, new Map());
      });
      await watchers.show(`slot ${slot} moved`, await write(program, lab.prefix, round));
    }
    // By force: the slot goes to another master, and its keys are dropped where they were.
    const key = KEYS[9];
    const slot = slotOf(lab.prefix + key);
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
    await watchers.show("the last values", await write(program, lab.prefix, 100));
    await lab.close();
    await Promise.all(KEYS.map((it) => program.del(lab.prefix + it)));
  });

  it("Watch goes on with the replica of a master that dies", async () => {
    await using own = await TestCluster.start({ replicas: 1, nodeTimeout: 2_000 });
    await using program = otherProgram(own);
    const lab = open(own);
    const watchers = new Watchers(lab, KEYS);
    const values = await write(program, lab.prefix, 1);
    await watchers.show("the first values", values);
    const victim: ClusterNode = await own.ownerOf(slotOf(lab.prefix + KEYS[0]));
    await victim.client.wait(1, 10_000);
    await own.kill(victim);
    await own.ready();
    for (let round = 2; round <= 5; round++) {
      await watchers.show(`round ${round}`, await write(program, lab.prefix, round));
    }
    await lab.close();
    await until("the connections are closed", async () => await trackers(own) === 0);
  });
});
