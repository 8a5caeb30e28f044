/** Caches: what is read from them is what the server has, whoever writes, and whatever fails. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TTLCache } from "@isaacs/ttlcache";
import { Cluster, Redis } from "ioredis";
import { LRUCache } from "lru-cache";
import { cached, type CachedDict, type CacheEntry, type CacheMap } from "../../src/api/cached.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { CorruptValueError, KeyNotFoundError, WrongTypeError } from "../../src/errors/value.ts";
import { TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { twoWays } from "../support/two_ways.ts";
import { until } from "../support/until.ts";

// deno-lint-ignore no-explicit-any -- the tests look into any JSON
type Items = Record<string, any>;

// A server of its own: it is flushed, and its connections are counted.
const server = await startRedis();
/** Another program. */
const foreign = new Redis(server.url);
Deno.test.afterAll(async () => {
  foreign.disconnect();
  await server.stop();
});
let dictionaries = 0;

function open(options: Partial<DictOptions> = {}): RedisJsonDict<Items> {
  return RedisJsonDict.connect<Items>(server.url, { prefix: `c${dictionaries++}:`, ...options });
}

async function openCached(
  cache: CacheMap = new Map(),
): Promise<{ lab: RedisJsonDict<Items>; reads: CachedDict<Items> }> {
  const lab = open({ timeout: 60_000 });
  const reads = cached(lab, cache);
  await reads.ready();
  return { lab, reads };
}

/** Waits until a read gives something. A stale entry would give the old value for ever. */
async function untilRead(reads: CachedDict<Items>, key: string, value: unknown): Promise<void> {
  await until(
    `${key} is ${JSON.stringify(value)}`,
    async () => JSON.stringify(await reads.get(key)) === JSON.stringify(value),
  );
}

async function calls(command: string): Promise<number> {
  const stats = String(await foreign.info("commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe("cached()", () => {
  it("cached() reads once what does not change, also that there is nothing, and everything is frozen", async () => {
    const { lab, reads } = await openCached();
    await lab.update({ a: { list: [1, { deep: true }] }, b: null, c: "text" });
    const first = await reads.get("a");
    assertEquals([await reads.get("b"), await reads.get("c"), await reads.get("none")], [
      null,
      "text",
      undefined,
    ]);
    const before = await calls("mget");
    assert(await reads.get("a") === first, "another object");
    assertEquals(await reads.getOrThrow("c"), "text");
    assertEquals([await reads.has("b"), await reads.has("none")], [true, false]);
    assertEquals([...await reads.getMany(["c", "none", "a", "c"])], [["c", "text"], ["a", first]]);
    await assertRejects(() => reads.getOrThrow("none"), KeyNotFoundError);
    assertEquals(await calls("mget"), before);
    assertEquals({ ...reads.statistics, invalidations: 0 }, {
      hits: 8,
      misses: 4,
      bypasses: 0,
      invalidations: 0,
    });
    assertThrows(() => first.list.push(1), TypeError);
    assertThrows(() => first.list[1].deep = false, TypeError);
    await reads.close();
    await lab.clear();
    await lab.close();
  });

  it("cached() sees every way in which a value changes", async () => {
    const { lab, reads } = await openCached();
    const name = `${lab.prefix}run`;
    const steps: [what: () => Promise<unknown>, value: unknown][] = [
      [() => foreign.set(name, '{"n":1}'), { n: 1 }],
      [() => foreign.eval("return redis.call('set', KEYS[1], '[3]')", 1, name), [3]],
      [() => foreign.del(name), undefined],
      [() => foreign.multi().set(`${name}2`, '"from"').rename(`${name}2`, name).exec(), "from"],
      [() => foreign.rename(name, `${name}3`), undefined],
      [() => foreign.copy(`${name}3`, name), "from"],
      [() => foreign.move(name, 1), undefined],
      [() => foreign.set(name, "null"), null],
      [() => foreign.flushdb(), undefined],
      [() => foreign.set(name, "0"), 0],
      [() => foreign.flushall(), undefined],
    ];
    for (const [step, value] of steps) {
      await reads.get("run");
      await step();
      await untilRead(reads, "run", value);
    }
    assert(reads.statistics.invalidations >= steps.length);
    await lab.close();
  });

  it("cached() forgets what has expired, when the server does not tell", async () => {
    const { lab, reads } = await openCached();
    await foreign.psetex(`${lab.prefix}gone`, 3_000, "1");
    await foreign.psetex(`${lab.prefix}kept`, 3_000, "1");
    await untilRead(reads, "gone", 1);
    await untilRead(reads, "kept", 1);
    await foreign.persist(`${lab.prefix}kept`);
    // While writes are paused, nothing is removed and nothing is told.
    await foreign.call("CLIENT", "PAUSE", 120_000, "WRITE");
    try {
      await untilRead(reads, "gone", undefined);
    } finally {
      await foreign.call("CLIENT", "UNPAUSE");
    }
    assertEquals(await reads.get("kept"), 1);
    await lab.clear();
    await lab.close();
  });

  it("cached() reads its own writes at once, by whatever handle they were made", async () => {
    const { lab, reads } = await openCached();
    await lab.set("doc", { n: 0, list: [0] });
    const live = await lab.at("doc").live() as { n: number };
    const ways: ((n: number) => unknown)[] = [
      (n) => lab.set("doc", { n }),
      (n) => lab.at("doc", "n").set(n),
      (n) => lab.edit((draft) => void (draft.doc.n = n), { keys: ["doc"] }),
      (n) => lab.at("doc").edit((draft: { n: number }) => void (draft.n = n)),
      (n) => live.n = n,
      (n) => lab.update({ doc: { n } }),
      (n) => lab.patch("doc", [{ op: "replace", path: "/n", value: n }]),
      (n) => lab.merge("doc", { n }),
      (n) => lab.copy("other", "doc", { replace: true }).then(() => lab.set("doc", { n })),
      async (n) => {
        await lab.clear();
        await lab.update({ doc: { n }, other: 1 });
      },
      async (n) => {
        await lab.delete("other");
        assertEquals((await lab.popItem())?.[0], "doc");
        assertEquals(await reads.get("doc"), undefined);
        await lab.update({ doc: { n }, other: 1 });
      },
    ];
    await lab.set("other", { n: -1 });
    for (let round = 1; round <= 1_100; round++) {
      await reads.get("doc"); // so that there is something to forget
      const way = ways[round % ways.length];
      const write = way(round);
      if (write instanceof Promise) await write;
      assertEquals((await reads.get("doc"))?.n, round, String(way));
    }
    assert(reads.statistics.bypasses > 0);
    await lab.clear();
    await lab.close();
  });

  it("cached() keeps nothing that was changed, or flushed, while it was read", async () => {
    const { lab, reads } = await openCached();
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    // At length, more than a thousand of each kind.
    const rounds = Deno.env.get("JSON_DICT_FUZZ") ? 160 : 100;
    let [changed, flushed] = [0, 0];
    for (let round = 1; round <= rounds; round++) {
      // Reads and writes leave at once, by two connections, so that each answer may overtake each news.
      const first = Promise.all(keys.map((key) => reads.get(key)));
      const isFlushed = round % 3 === 0;
      const writes = isFlushed
        ? foreign.flushdb()
        : Promise.all(keys.map((key) => foreign.set(lab.prefix + key, round)));
      const again = Promise.all(keys.map((key) => reads.get(key)));
      await Promise.all([first, writes, again]);
      for (const key of keys) await untilRead(reads, key, isFlushed ? undefined : round);
      if (isFlushed) flushed += keys.length;
      else changed += keys.length;
    }
    assert(flushed > 600 && changed > 600, `${flushed} and ${changed}`);
    await lab.clear();
    await lab.close();
  });

  it("cached() shows what the server has after random writes, expiries, flushes and lost connections", async () => {
    for (const cache of [new Map<string, CacheEntry>(), new LRUCache<string, CacheEntry>({ max: 20 })]) {
      const { lab, reads } = await openCached(cache);
      const keys = Array.from({ length: 60 }, (_, index) => `k${index}`);
      const pick = <E>(list: readonly E[]): E => list[Math.floor(Math.random() * list.length)];
      for (let step = 1; step <= 3_000; step++) {
        const key = pick(keys);
        const kind = Math.random();
        const reading = reads.get(pick(keys));
        if (kind < 0.4) await foreign.set(lab.prefix + key, step);
        else if (kind < 0.5) await foreign.psetex(lab.prefix + key, 1 + Math.floor(Math.random() * 30), step);
        else if (kind < 0.6) await foreign.del(lab.prefix + key);
        else if (kind < 0.8) await lab.set(key, step);
        else if (kind < 0.802) await foreign.flushdb();
        else if (kind < 0.805) await foreign.call("CLIENT", "KILL", "TYPE", "pubsub");
        await reading;
      }
      await reads.ready();
      await until("all is as on the server", async () => {
        const texts = await foreign.mget(keys.map((key) => lab.prefix + key));
        const values = await Promise.all(keys.map((key) => reads.get(key)));
        return texts.every((text, index) => (text === null ? undefined : Number(text)) === values[index]);
      });
      assert(reads.statistics.hits > 0);
      await lab.clear();
      await lab.close();
    }
  });

  it("cached() works over a Map, lru-cache and ttlcache, which may forget, and leaves them empty", async () => {
    const caches = [
      new Map<string, CacheEntry>(),
      new LRUCache<string, CacheEntry>({ max: 3 }),
      new LRUCache<string, CacheEntry>({ maxSize: 10, sizeCalculation: ({ size }) => size }),
      new TTLCache<string, CacheEntry>({ max: 5, ttl: 60_000 }),
    ];
    for (const cache of caches) {
      const { lab, reads } = await openCached(cache);
      const values = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, `v${index}`]));
      await lab.update(values);
      for (let round = 0; round < 3; round++) {
        for (const [key, value] of Object.entries(values)) assertEquals(await reads.get(key), value);
        assertEquals(await reads.get("k7"), "v7");
      }
      assert(reads.statistics.hits >= 3, JSON.stringify(reads.statistics));
      assert(cache.size > 0);
      await reads.close();
      assertEquals(cache.size, 0);
      await lab.clear();
      await lab.close();
    }
  });

  it("cached() takes no entry of another one, and nothing else that is in the cache", async () => {
    const cache = new Map<string, CacheEntry>();
    const one = await openCached(cache);
    const two = await openCached(cache);
    await one.lab.set("x", 1);
    await two.lab.set("x", 2);
    for (let round = 0; round < 3; round++) {
      assertEquals(await one.reads.get("x"), 1);
      assertEquals(await two.reads.get("x"), 2);
    }
    cache.set("x", { size: 1 });
    assertEquals(await one.reads.get("x"), 1);
    // A cache that does not forget harms nobody.
    const map = new Map<string, CacheEntry>();
    const broken = {
      get: (key: string) => map.get(key),
      set: (key: string, entry: CacheEntry) => map.set(key, entry),
      delete: (key: string) => map.delete(key),
      clear: () => {},
    };
    const { lab, reads } = await openCached(broken);
    await lab.set("x", 3);
    assertEquals([await reads.get("x"), await reads.get("x")], [3, 3]);
    await foreign.call("CLIENT", "KILL", "TYPE", "pubsub");
    await foreign.set(`${lab.prefix}x`, "4");
    await untilRead(reads, "x", 4);
    await reads.ready();
    const { hits } = reads.statistics;
    await until("it is used again", async () => {
      assertEquals(await reads.get("x"), 4);
      return reads.statistics.hits > hits;
    });
    for (const each of [one.lab, two.lab, lab]) {
      await each.clear();
      await each.close();
    }
  });
});

describe("cached() and connections that fail", () => {
  it("cached() reads from the server while it is not told of changes", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const client = twoWays(server.url, proxy.url);
    const lab = new RedisJsonDict<Items>(client, { prefix: "off:", heartbeat: 1000, timeout: 60_000 });
    const reads = cached(lab, new Map());
    await reads.ready();
    await foreign.set("off:x", "0");
    await untilRead(reads, "x", 0);
    proxy.fault = "drop request";
    proxy.drop();
    const { bypasses } = reads.statistics;
    await until("it is noticed", async () => {
      await reads.get("x");
      return reads.statistics.bypasses > bypasses;
    });
    for (let n = 1; n <= 20; n++) {
      await foreign.set("off:x", n);
      assertEquals(await reads.get("x"), n); // at once
    }
    proxy.fault = "none";
    await reads.ready();
    const { hits } = reads.statistics;
    await until("it is used again", async () => {
      assertEquals(await reads.get("x"), 20);
      return reads.statistics.hits > hits;
    });
    await lab.clear();
    await lab.close();
    await client.end();
  });

  it("cached() is not stale for longer than heartbeat + timeout when the connection that tells falls silent", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const client = twoWays(server.url, proxy.url);
    const lab = new RedisJsonDict<Items>(client, { prefix: "silent:", heartbeat: 1000, timeout: 2000 });
    const reads = cached(lab, new Map());
    await reads.ready();
    await foreign.set("silent:x", "0");
    await untilRead(reads, "x", 0);
    for (let round = 1; round <= 3; round++) {
      proxy.silence();
      await foreign.set("silent:x", round);
      const changedAt = performance.now();
      let lastAt = changedAt;
      await until("it is seen", async () => {
        const askedAt = performance.now();
        if (await reads.get("x") === round) return true;
        lastAt = askedAt; // an old value
        return false;
      });
      assert(lastAt - changedAt <= 3000, `${lastAt - changedAt} ms`);
      await reads.ready();
    }
    await lab.clear();
    await lab.close();
    await client.end();
  });

  it("cached() takes nothing from the cache when the process was stopped meanwhile", async () => {
    const lab = open({ heartbeat: 1000, timeout: 1000 });
    const reads = cached(lab, new Map());
    await reads.ready();
    const name = `${lab.prefix}x`;
    await foreign.set(name, "1");
    await untilRead(reads, "x", 1);
    await until("it is cached", async () => {
      const { hits } = reads.statistics;
      await reads.get("x");
      return reads.statistics.hits > hits;
    });
    // The server changes it half a second later, when this process does nothing any more.
    const late = foreign.eval(
      // From Redis 7.2 on TIME stands still in a script; before, there was no os.
      `local has, clock = pcall(function() return os.clock end)
       if not has then
         clock = function() local t = redis.call('TIME'); return t[1] + t[2] / 1e6 end
       end
       local start = clock()
       while clock() - start < 0.5 do end
       redis.call('SET', KEYS[1], '2')`,
      1,
      name,
    );
    await new Promise((resolve) => setTimeout(resolve, 100)); // it is sent
    const start = performance.now();
    while (performance.now() - start < 3000);
    assertEquals(await reads.get("x"), 2);
    await late;
    await lab.clear();
    await lab.close();
  });

  it("cached() goes on without a cache where the server or the client does not tell, and ready() says why", async () => {
    await foreign.call("ACL", "SETUSER", "eye", "reset", "on", ">pw", "~*", "+@all", "resetchannels");
    const url = server.url.replace("redis://", "redis://eye:pw@");
    const plain = new Redis(server.url);
    const labs = [
      RedisJsonDict.connect<Items>(url, { prefix: "without:" }),
      new RedisJsonDict<Items>({ call: (command, ...args) => plain.call(command, ...args) }, {
        prefix: "without:",
      }),
    ];
    for (const [index, lab] of labs.entries()) {
      const reads = cached(lab, new Map());
      const error = await assertRejects(() => reads.ready(), UnavailableError, "Cannot cache");
      assertEquals(error.reason, ["NOPERM", "TRACKING"][index]);
      for (let n = 0; n < 5; n++) {
        await foreign.set("without:x", n);
        assertEquals(await reads.get("x"), n);
      }
      assertEquals(reads.statistics, { hits: 0, misses: 0, bypasses: 5, invalidations: 0 });
      await lab.close();
    }
    await plain.quit();
    await foreign.del("without:x");
    await foreign.call("ACL", "DELUSER", "eye");
    const gone = twoWays(server.url, "redis://127.0.0.1:1");
    const lab = new RedisJsonDict<Items>(gone, { prefix: "gone:", timeout: 1000 });
    await assertRejects(() => cached(lab, new Map()).ready(), TimeoutError, "ECONNREFUSED");
    await lab.close();
    await gone.end();
  });

  it("cached() fails as get() does, and keeps no failure", async () => {
    const { lab, reads } = await openCached();
    const name = `${lab.prefix}x`;
    await foreign.rpush(name, "a");
    for (let n = 0; n < 2; n++) await assertRejects(() => reads.get("x"), WrongTypeError, "Cannot get");
    await foreign.set(name, "{");
    await until(
      "it is another failure",
      () => reads.get("x").then(() => false, (error) => error instanceof CorruptValueError),
    );
    await assertRejects(() => reads.getMany(["y", "x"]), CorruptValueError);
    await foreign.set(name, "1");
    await untilRead(reads, "x", 1);
    await lab.clear();
    await lab.close();
  });

  it("cached() ends with close() or with its dictionary, and leaves no connection", async () => {
    const { lab, reads } = await openCached();
    await lab.set("x", 1);
    assertEquals(await reads.get("x"), 1);
    await reads.close();
    const trackers = async (): Promise<boolean> =>
      String(await foreign.call("CLIENT", "LIST", "TYPE", "pubsub")).trim() === "";
    await until("the connection is closed", trackers);
    await foreign.set(`${lab.prefix}x`, "2");
    assertEquals(await reads.get("x"), 2);
    const cache = new Map<string, CacheEntry>();
    const other = cached(lab, cache);
    await other.ready();
    await other.get("x");
    await other.get("y");
    const last = other.get("x");
    await lab.clear();
    await lab.close();
    assertEquals(cache.size, 0);
    await last;
    await assertRejects(() => other.get("x"), TypeError, "closed");
    await until("the connection is closed", trackers);
  });

  it("cached() refuses what is no cache, no dictionary and no key, and a client that reads from replicas", async () => {
    const lab = open();
    for (
      const wrong of [undefined, null, {}, new Set(), { get: () => {}, set: () => {}, delete: () => {} }]
    ) {
      assertThrows(() => cached(lab, wrong as never), TypeError, "pass a Map");
    }
    assertThrows(() => cached({} as never, new Map()), TypeError, "RedisJsonDict");
    const reads = cached(lab, new Map());
    await assertRejects(() => reads.get(1 as never), TypeError);
    await assertRejects(() => reads.getMany("ab" as never), TypeError, "array of keys");
    const cluster = new Cluster([server.url], { scaleReads: "slave", lazyConnect: true });
    const replicas = new RedisJsonDict<Items>(cluster as never, { prefix: "r:" });
    assertThrows(() => cached(replicas, new Map()), TypeError, "scaleReads");
    await lab.close();
    assertThrows(() => cached(lab, new Map()), TypeError, "closed");
  });

  it("cached() types what it reads as readonly", async () => {
    interface Lab {
      sample: { list: number[] };
      n: number;
      any: unknown;
    }
    const lab = RedisJsonDict.connect<Lab>(server.url, { prefix: "types:" });
    const reads = cached(lab, new Map());
    const check = async (): Promise<void> => {
      const sample: { readonly list: readonly number[] } = await reads.getOrThrow("sample");
      const n: number | undefined = await reads.get("n");
      const many: Map<"n", number> = await reads.getMany(["n"]);
      const any: unknown = await reads.get("any");
      // @ts-expect-error frozen
      (await reads.getOrThrow("sample")).list.push(1);
      // @ts-expect-error no such key
      await reads.get("nothing");
      void [sample, n, many, any];
    };
    void check;
    await lab.close();
  });
});
