/** Clusters: real ones, with slots that move and nodes that die. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cluster } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { CrossSlotError } from "../../src/errors/delivery.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { isRecord } from "../../src/run/record.ts";
import { slotOf } from "../../src/run/slot.ts";
import { TestCluster } from "../support/cluster.ts";

const cluster = await TestCluster.start();
Deno.test.afterAll(() => cluster[Symbol.asyncDispose]());
let dictionaries = 0;

type Values = Record<string, number[]>;

/** A dictionary of its own, on a client that is ended with the scope. */
function open(options: Partial<DictOptions> = {}, on = cluster): RedisJsonDict<Values> & AsyncDisposable {
  return RedisJsonDict.connect<Values>(on.urls.slice(0, 1), { prefix: `c${dictionaries++}:`, ...options });
}

/** Keys of a dictionary in different slots. */
const KEYS = ["a", "b", "c", "d", "{x}1", "{x}2", "{}e", "f{", ""];

describe("slotOf()", () => {
  it("slotOf() is the slot that the server computes", async () => {
    const alphabet = ["{", "}", "{}", "a", "b", "é", "😀", "\0", "key", ":"];
    let state = 1;
    const next = (below: number): number => (state = state * 48271 % 2147483647) % below;
    const [{ client }] = cluster.nodes;
    for (let round = 0; round < 50; round++) {
      const names = Array.from(
        { length: 2000 },
        () => Array.from({ length: next(8) }, () => alphabet[next(alphabet.length)]).join(""),
      );
      const pipeline = client.pipeline();
      for (const name of names) pipeline.call("CLUSTER", "KEYSLOT", name);
      const answers = (await pipeline.exec())!.map(([, slot]) => slot);
      assertEquals(names.map(slotOf), answers);
    }
  });
});

describe("RedisJsonDict in a cluster", () => {
  it("RedisJsonDict works on keys in all slots, with a client of its own or one that was brought", async () => {
    await using own = open();
    const client = new Cluster([{ host: "127.0.0.1", port: cluster.nodes[1].server.port }]);
    const brought = new RedisJsonDict<Values>(client, { prefix: own.prefix });
    for (const key of KEYS) {
      await own.set(key, [1]);
      assertEquals(await brought.at(key).push(2), 2, key);
      assertEquals([await own.get(key), await own.at(key, 1).get(), await brought.ttl(key)], [
        [1, 2],
        2,
        Infinity,
      ]);
      assertEquals(await own.pop(key), [1, 2]);
      assertEquals(await brought.has(key), false);
    }
    client.disconnect();
  });

  it("lease() works in all slots, with all that belongs to it beside the value", async () => {
    await using lab = open();
    await using other = open({ prefix: lab.prefix });
    await Promise.all(KEYS.map(async (key) => {
      const lease = await lab.lease(key, [1], { ttl: 60_000 });
      const waiting = other.lease(key, [2], { ttl: 60_000, wait: true });
      assertEquals(await other.lease(key, [2], { ttl: 60_000 }), undefined);
      await lease!.update([3]);
      assertEquals(await other.get(key), [3]);
      await lease!.release();
      const next = await waiting;
      assert(next!.fence > lease!.fence);
      assertEquals([await lab.get(key), await next!.release()], [[2], true]);
    }));
    assertEquals(await lab.size(), 0);
    for (const { client } of cluster.nodes) {
      const names = await client.keys(`*${lab.prefix}*`);
      assertEquals(names, []);
      for (const counter of await client.keys("*}fence")) assert(isRecord(counter), counter);
    }
  });

  it("RedisJsonDict reads, writes, iterates and clears across slots", async () => {
    await using lab = open();
    const values = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${index}`, [index]]));
    await lab.update(values);
    assertEquals([...await lab.getMany(["k9", "none", "k1", "k5"])], [["k9", [9]], ["k1", [1]], ["k5", [5]]]);
    const refs = ["k9", "none", "k1"].map((key) => lab.at(key, 0));
    assertEquals(await lab.readMany(refs), [9, undefined, 1]);
    assertEquals((await Array.fromAsync(lab.keys({ startsWith: "k49" }))).length, 11);
    assertEquals((await Array.fromAsync(lab.keys({ limit: 7 }))).length, 7);
    assertEquals(await lab.toObject(), values);
    assertEquals([await lab.size(), (await Array.fromAsync(lab.keys())).length], [500, 500]);
    const item = await lab.popItem();
    assertEquals(item?.[1], values[item![0]]);
    assertEquals([await lab.clear(), await lab.size()], [499, 0]);
  });

  it("RedisJsonDict leaves records beside the keys and never shows them", async () => {
    await using lab = open({ prefix: "" });
    for (const key of KEYS) await lab.set(key, [1]);
    assertEquals((await Array.fromAsync(lab.keys())).sort(), [...KEYS].sort());
    let slotsOfKeys = 0;
    for (const node of cluster.nodes) {
      const names = await node.client.keys("*");
      const records = names.filter(isRecord);
      const slots = new Set(names.filter((name) => !isRecord(name)).map(slotOf));
      slotsOfKeys += slots.size;
      for (const slot of slots) assert(records.some((name) => slotOf(name) === slot), String(slot));
    }
    assertEquals(slotsOfKeys, new Set(KEYS.map(slotOf)).size);
    assertEquals(await lab.clear(), KEYS.length);
  });

  it("RedisJsonDict refuses calls on keys in different slots before it sends anything", async () => {
    await using lab = open();
    await lab.update({ a: [1], b: [2] });
    const edits = [
      () => lab.edit((draft) => draft.a.push(draft.b[0])),
      () => lab.edit((draft) => (draft.x = [1], draft.y = [2], 0)),
      () => lab.edit((draft) => draft.a.push(1), { keys: ["a", "b"] }),
      () => lab.rename("a", "b"),
      () => lab.copy("a", "b", { replace: true }),
    ];
    for (const edit of edits) {
      const error = await assertRejects(edit, CrossSlotError, '"{lab}:"');
      assertEquals([error.code, error.keys.length], ["CROSS_SLOT", 2]);
    }
    assertEquals(await lab.toObject(), { a: [1], b: [2] });
    await using tagged = open({ prefix: "{lab}:" });
    await tagged.update({ a: [1], b: [2] });
    await tagged.edit((draft) => {
      draft.a.push(draft.b[0]);
      delete draft.b;
    });
    assertEquals(await tagged.toObject(), { a: [1, 2] });
    await lab.clear();
    await tagged.clear();
  });

  it("RedisJsonDict.edit() of two keys of one slot, un-awaited and from two clients, loses nothing", async () => {
    const prefix = "{hot}:";
    await using one = open({ prefix });
    await using two = open({ prefix });
    await one.update({ a: Array.from({ length: 100 }, (_, index) => index), b: [] });
    const move = (lab: typeof one): Promise<number> =>
      lab.edit((draft) => {
        const item = draft.a.pop()!;
        draft.b.push(item); // the second key is found late
        return item;
      });
    const moved = await Promise.all(Array.from({ length: 100 }, (_, index) => move(index % 2 ? one : two)));
    assertEquals(moved.sort((x, y) => x - y), Array.from({ length: 100 }, (_, index) => index));
    assertEquals(await one.get("a"), []);
    assertEquals(new Set(await one.get("b")).size, 100);
    await one.clear();
  });

  it("RedisJsonDict says TypeError where at-most-once meets a cluster's client that sends again", () => {
    const client = new Cluster([cluster.urls[0]], { lazyConnect: true });
    let message = "";
    try {
      new RedisJsonDict(client, { prefix: "", delivery: "at-most-once" });
    } catch (error) {
      message = String(error);
    }
    assert(message.includes("retryDelayOnFailover: 0"), message);
    client.disconnect();
  });
});

describe("RedisJsonDict without a cluster", () => {
  it("RedisJsonDict.close() ends where no node could be reached, and leaves nothing that keeps a program alive", async () => {
    const program = `
      import { RedisJsonDict } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
      for (const isAwaited of [false, true]) {
        const lab = RedisJsonDict.connect(["redis://127.0.0.1:1", "redis://127.0.0.1:2"], {
          prefix: "",
          timeout: 1000,
        });
        const read = lab.get("x").catch((error) => console.log(error.code));
        if (isAwaited) await read;
        await lab.close();
        await read;
      }
      console.log("closed");`;
    const process = new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      cwd: new URL("../../", import.meta.url),
      signal: AbortSignal.timeout(60_000),
    });
    const { code, stdout, stderr } = await process.output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assertEquals([code, lines.length, lines.at(-1)], [0, 3, "closed"], new TextDecoder().decode(stderr));
  });
});

describe("RedisJsonDict in a cluster whose slots move", () => {
  it("RedisJsonDict waits for a slot that is half moved, and loses nothing", async () => {
    await using lab = open({ prefix: "{move}:", timeout: 60_000 });
    const keys = ["a", "b", "c", "d"];
    for (const key of keys) await lab.set(key, [0]);
    const slot = slotOf(lab.prefix);
    for (let round = 1; round <= 3; round++) {
      const source = await cluster.ownerOf(slot);
      const target = cluster.nodes.find((node) => node !== source)!;
      let pushes: Promise<number>[] = [];
      let reads: Promise<number[] | undefined>[] = [];
      await cluster.moveSlot(slot, target, async () => {
        reads = keys.map((key) => lab.get(key));
        await Promise.all(reads);
        pushes = keys.map((key) => lab.at(key).push(round));
      });
      assertEquals(await Promise.all(pushes), keys.map(() => round + 1));
      assertEquals(await cluster.ownerOf(slot), target);
    }
    assertEquals([...(await lab.getMany(keys)).values()], keys.map(() => [0, 1, 2, 3]));
    await lab.clear();
  });

  it("RedisJsonDict finds keys that move from a master it has still to ask to one it has asked", async () => {
    await using lab = open();
    const keys = Array.from({ length: 60 }, (_, index) => `k${index}`);
    await lab.update(Object.fromEntries(keys.map((key) => [key, [1]])));
    const iterator = lab.keys();
    const found = [String((await iterator.next()).value)];
    const asked = await cluster.ownerOf(slotOf(lab.prefix + found[0]));
    for (const key of keys) await cluster.moveSlot(slotOf(lab.prefix + key), asked);
    for await (const key of iterator) found.push(key);
    assertEquals(found.sort(), [...keys].sort());
    assertEquals(await lab.clear(), keys.length);
  });

  it("RedisJsonDict finds each key once while slots move", async () => {
    await using lab = open({ timeout: 60_000 });
    const keys = Array.from({ length: 300 }, (_, index) => `k${index}`);
    await lab.update(Object.fromEntries(keys.map((key) => [key, [1]])));
    let isOver = false;
    let moved = 0;
    const mover = (async () => {
      for (let next = 0; !isOver; next++) {
        const slot = slotOf(lab.prefix + keys[next * 7 % keys.length]);
        const source = await cluster.ownerOf(slot);
        const others = cluster.nodes.filter((node) => node !== source);
        await cluster.moveSlot(slot, others[next % 2]);
        moved++;
      }
    })();
    for (let round = 0; round < 5; round++) {
      assertEquals((await Array.fromAsync(lab.keys())).sort(), [...keys].sort());
    }
    isOver = true;
    await mover;
    assert(moved > 0);
    assertEquals(await lab.clear(), keys.length);
  });
});

describe("RedisJsonDict in a cluster that loses a master", () => {
  it("RedisJsonDict goes on with the replica, and settles each call", async () => {
    await using own = await TestCluster.start({ replicas: 1, nodeTimeout: 2_000 });
    await using lab = open({ timeout: 60_000 }, own);
    const keys = Array.from({ length: 30 }, (_, index) => `k${index}`);
    for (const key of keys) await lab.set(key, [0]);
    const victim = await own.ownerOf(slotOf(lab.prefix + keys[0]));
    await victim.client.wait(1, 10_000); // asynchronous replication may lose what no replica has
    await own.kill(victim);
    const lengths = await Promise.all(keys.map((key) => lab.at(key).push(1)));
    assertEquals(lengths, keys.map(() => 2));
    await own.ready();
    assertEquals(await lab.toObject(), Object.fromEntries(keys.map((key) => [key, [0, 1]])));
  });
});
