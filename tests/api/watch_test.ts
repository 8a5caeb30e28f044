/** Watching: what is seen, whoever writes, and however connections, servers and consumers behave. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import type { RedisClient } from "../../src/run/client.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import { CorruptValueError, TypeMismatchError, WrongTypeError } from "../../src/errors/value.ts";
import type { Watch } from "../../src/api/feed.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { HOSTILE_NAMES } from "../support/names.ts";
import { twoWays } from "../support/two_ways.ts";
import { until } from "../support/until.ts";

type Items = Record<string, unknown>;

// A server of its own: it is flushed, and its connections are counted.
const server = await startRedis();
/** Another program. */
const foreign = new Redis(server.url);
Deno.test.afterAll(async () => {
  foreign.disconnect();
  await server.stop();
});
let dictionaries = 0;

function open(options: Partial<DictOptions> = {}, url: string = server.url): RedisJsonDict<Items> {
  return RedisJsonDict.connect<Items>(url, { prefix: `w${dictionaries++}:`, ...options });
}

/** How many connections hear of changes. */
async function trackers(): Promise<number> {
  const list = String(await foreign.call("CLIENT", "LIST", "TYPE", "pubsub"));
  return list.trim() === "" ? 0 : list.trim().split("\n").length;
}

/** How often the server was sent a command. */
async function calls(command: string): Promise<number> {
  const stats = String(await foreign.info("commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

async function valueOf<V>(watch: Watch<V>): Promise<V> {
  const result = await watch.next();
  assert(!result.done, "the watch is over");
  return result.value;
}

/** Consumes a watch in the background. */
class Consumer<V> {
  readonly values: V[] = [];
  readonly over: Promise<unknown>;

  constructor(watch: Watch<V>, slowly: () => Promise<unknown> = () => Promise.resolve()) {
    this.over = (async () => {
      for await (const value of watch) {
        this.values.push(value);
        await slowly();
      }
    })();
    this.over.catch(() => {});
  }

  get last(): V | undefined {
    return this.values.at(-1);
  }
}

/** Puts changes together to what they make of a dictionary. */
function follow(lab: RedisJsonDict<Items>): { copy: Map<string, unknown>; consumer: Consumer<unknown> } {
  const copy = new Map<string, unknown>();
  const watch = lab.watch({ initial: true });
  const consumer = new Consumer<unknown>({
    async next() {
      const result = await watch.next();
      if (result.done || result.value.key === undefined) return result;
      if (result.value.value === undefined) assert(copy.delete(result.value.key), result.value.key);
      else copy.set(result.value.key, result.value.value);
      return result;
    },
    return: () => watch.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  });
  return { copy, consumer };
}

/** Strings with the prefix that are there, in a form that can be compared. */
async function contentOf(prefix: string): Promise<Map<string, unknown>> {
  const names = (await foreign.keys("*")).filter((name) => name.startsWith(prefix)).sort();
  const texts = await Promise.all(names.map((name) => foreign.get(name)));
  return new Map(
    names.flatMap((name, index) =>
      texts[index] === null ? [] : [[name.slice(prefix.length), JSON.parse(texts[index]!)]]
    ),
  );
}

function sorted(map: ReadonlyMap<string, unknown>): Map<string, unknown> {
  return new Map([...map].sort(([a], [b]) => a < b ? -1 : 1));
}

async function untilEqual(copy: ReadonlyMap<string, unknown>, prefix: string): Promise<void> {
  await until("the copy is what the server has", async () => {
    // case: a key expires between the two looks.
    const [mine, theirs] = [sorted(copy), await contentOf(prefix)];
    return JSON.stringify([...mine]) === JSON.stringify([...theirs]);
  });
}

describe("Ref.watch()", () => {
  it("Ref.watch() gives the value that is there, then each other one, whoever writes it", async () => {
    await using lab = open();
    const name = `${lab.prefix}run`;
    const watch = lab.at("run").watch();
    assertEquals(await valueOf(watch), undefined);
    await foreign.set("seed", '"restored"');
    const dump = await foreign.dumpBuffer("seed");
    const evict = async (): Promise<void> => {
      await foreign.config("SET", "maxmemory-policy", "allkeys-random");
      await foreign.config("SET", "maxmemory", 1);
      await foreign.set("seed", "1").catch(() => {}); // before it refuses a write it evicts all that there is
      await foreign.config("SET", "maxmemory", 0);
    };
    const steps: [what: () => Promise<unknown>, value: unknown][] = [
      [() => foreign.restore(name, 0, dump), "restored"],
      [evict, undefined],
      [() => foreign.set(name, '{"n":1}'), { n: 1 }],
      [() => lab.at("run", "n").increment(), { n: 2 }],
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
      [() => lab.set("run", "x", { ttl: 90_000 }), "x"],
      [() => lab.pop("run"), undefined],
    ];
    for (const [step, value] of steps) {
      const next = valueOf(watch);
      await step();
      assertEquals(await next, value, String(step));
    }
  });

  it("Ref.watch() gives only other values: not other spellings, and not those beside a place", async () => {
    await using lab = open();
    const name = `${lab.prefix}run`;
    await foreign.set(name, '{"a":{"b":[1,2]},"c":1}');
    const whole = new Consumer(lab.at("run").watch());
    const part = new Consumer(lab.at("run", "a", "b").watch());
    const element = new Consumer(lab.at("run", "a", "b", -1).watch());
    await until(
      "all have the first value",
      () => element.values.length + part.values.length + whole.values.length === 3,
    );
    // Each change comes after the watches have seen the one before it.
    const change = async (text: string): Promise<void> => {
      const before = await calls("evalsha");
      await foreign.set(name, text);
      await until("it was read", async () => await calls("evalsha") > before);
    };
    await change('{"a": {"b": [1, 2]}, "c": 1}');
    await change('{"c":1,"a":{"b":[1,2]}}');
    await change('{"c":1,"a":{"b":[1,2]}}');
    await change('{"c":2,"a":{"b":[1,2]}}');
    await change('{"c":2,"a":{"b":[0,2]}}');
    await change('{"c":2,"a":{}}');
    await change('{"c":2,"a":{"b":["\\u0061"]}}');
    await change('{"c":2,"a":{"b":["a"]}}');
    await change('{"c":2,"a":{"b":["over"]}}');
    await until("all have the last value", () => element.last === "over");
    await until("all have the last value", () => (part.last as string[])?.[0] === "over");
    await until("all have the last value", () => JSON.stringify(whole.last).includes("over"));
    assertEquals(element.values, [2, undefined, "a", "over"]);
    assertEquals(part.values, [[1, 2], [0, 2], undefined, ["a"], ["over"]]);
    assertEquals(whole.values.length, 6);
  });

  it("Ref.watch() sees by itself that a value expires, when the server does not tell", async () => {
    await using lab = open({ timeout: 60_000 });
    await lab.set("kept", 1);
    const kept = new Consumer(lab.at("kept").watch());
    const gone = new Consumer(lab.at("gone").watch());
    const { copy } = follow(lab);
    await until("all have begun", () => gone.values.length === 1 && copy.has("kept"));
    await foreign.psetex(`${lab.prefix}gone`, 3_000, "1");
    await until("it is there", () => gone.last === 1 && copy.has("gone") && kept.last === 1);
    // While writes are paused, nothing is removed and nothing is told.
    await foreign.call("CLIENT", "PAUSE", 120_000, "WRITE");
    try {
      await until("it has expired", () => gone.values.length === 3 && !copy.has("gone"));
    } finally {
      await foreign.call("CLIENT", "UNPAUSE");
    }
    assertEquals([gone.values, kept.values], [[undefined, 1, undefined], [1]]);
  });

  it("Ref.watch() ends with the error that get() has", async () => {
    await using lab = open();
    const name = `${lab.prefix}x`;
    const cases: [() => Promise<unknown>, new (...args: never[]) => Error][] = [
      [() => foreign.multi().del(name).rpush(name, "a").exec(), WrongTypeError],
      [() => foreign.set(name, '{"a":'), CorruptValueError],
      [() => foreign.set(name, "1"), TypeMismatchError],
    ];
    for (const [spoil, type] of cases) {
      for (const isLate of [false, true]) {
        await foreign.set(name, '{"a":1}');
        if (!isLate) await spoil();
        const watch = lab.at("x", "a").watch();
        if (isLate) {
          assertEquals(await valueOf(watch), 1);
          await spoil();
        }
        const error = await assertRejects(() => watch.next(), type);
        assertEquals([(error as WrongTypeError).key, (error as WrongTypeError).operation], ["x", "watch"]);
        assertEquals(await watch.next(), { done: true, value: undefined });
        await foreign.del(name);
        await until("the connection is closed", async () => await trackers() === 0);
      }
    }
  });

  it("Ref.watch() works on any key", async () => {
    await using lab = open();
    const names = [
      ...HOSTILE_NAMES,
      "",
      "\0",
      "\ufeff",
      "\ufeffx",
      "{",
      "*",
      "a,b",
      "é😀",
      "\ufffd",
      "0",
      "hasOwnProperty",
    ];
    const watches = names.map((key) => lab.at(key).watch());
    assertEquals(await Promise.all(watches.map(valueOf)), names.map(() => undefined));
    const values = watches.map(valueOf);
    await foreign.set(Buffer.from(`${lab.prefix}\xff`, "latin1"), '"not a string"');
    for (const key of names) await foreign.set(lab.prefix + key, JSON.stringify(`of ${key}`));
    assertEquals(await Promise.all(values), names.map((key) => `of ${key}`));
    const { copy } = follow(lab);
    await until("all have come", () => copy.size >= names.length);
    await foreign.flushdb();
    await until("all have gone", () => copy.size === 0);
  });

  it("Ref.watch() refuses wrong options and records, and a closed dictionary, before any I/O", async () => {
    const lab = open();
    assertThrows(() => lab.at("x").watch(null as never), TypeError, "write an object");
    assertThrows(() => lab.at("x").watch({ signal: {} as never }), TypeError, "AbortSignal");
    assertThrows(() => lab.watch({ initial: 1 as never }), TypeError, "true or false");
    assertThrows(() => lab.at("x").watch({ initial: true } as never), TypeError, 'no option "initial"');
    await assertRejects(() => lab.at("json-dict:op:{a}123456789012").watch().next(), TypeError, "records");
    assertThrows(() => open({ heartbeat: 0 }), RangeError, "heartbeat");
    assertThrows(() => open({ heartbeat: "1" as never }), TypeError, "heartbeat");
    const ref = lab.at("x");
    await lab.close();
    assertThrows(() => ref.watch(), TypeError, "closed");
    assertThrows(() => lab.watch(), TypeError, "closed");
  });
});

describe("Watch", () => {
  it("Watch ends at once by return, break, abort and close, also where next waits; the last closes the connection", async () => {
    const done = { done: true, value: undefined };
    const ends: Record<
      string,
      (watch: Watch<unknown>, lab: RedisJsonDict<Items>, abort: AbortController) => unknown
    > = {
      return: (watch) => watch.return(),
      dispose: (watch) => watch[Symbol.asyncDispose](),
      abort: (_watch, _lab, abort) => abort.abort(),
      close: (_watch, lab) => lab.close(),
    };
    for (const [name, end] of Object.entries(ends)) {
      for (const isOfAll of [false, true]) {
        const lab = open();
        const abort = new AbortController();
        const { signal } = abort;
        const watch: Watch<unknown> = isOfAll
          ? lab.watch({ signal, initial: true })
          : lab.at("x").watch({ signal });
        await watch.next();
        assertEquals(await trackers(), 1, name);
        const waiting = [watch.next(), watch.next(), watch.next()];
        await end(watch, lab, abort);
        assertEquals(await Promise.all([...waiting, watch.next(), watch.return()]), [
          done,
          done,
          done,
          done,
          done,
        ]);
        await until("the connection is closed", async () => await trackers() === 0);
        await lab.close();
      }
    }
  });

  it("Watch ends while it connects, and while it reads, and leaves no connection", async () => {
    for (let round = 0; round < 40; round++) {
      const lab = open();
      const watches = [lab.at("x").watch(), lab.watch({ initial: true }), lab.at("y", "z").watch()];
      const nexts = watches.map((watch) => watch.next());
      for (let turn = 0; turn < round; turn++) await foreign.ping();
      if (round % 2 > 0) watches.forEach((watch) => watch.return());
      await lab.close();
      for (const next of nexts) await next;
    }
    await until("the connections are closed", async () => await trackers() === 0);
  });

  it("Watch sends nothing before the first next, and nothing if its signal is aborted", async () => {
    await using lab = open();
    const watches = [lab.at("x").watch(), lab.watch(), lab.at("x").watch({ signal: AbortSignal.abort() })];
    await lab.set("x", 1);
    assertEquals(await trackers(), 0);
    assertEquals(await watches[2].next(), { done: true, value: undefined });
    assertEquals(await trackers(), 0);
  });

  it("Watch shares one connection for each client and prefix, and one read for all that watch a key", async () => {
    await using lab = open();
    await using client = Object.assign(new Redis(server.url), {
      [Symbol.asyncDispose]: async () => void await client.quit(),
    });
    const outer = new RedisJsonDict<Items>(client, { prefix: "over:" });
    const inner = new RedisJsonDict<Items>(client, { prefix: "over:lap:" });
    const others = [new Consumer(outer.at("lap:x").watch()), new Consumer(inner.at("x").watch())];
    const consumers = Array.from({ length: 50 }, () => new Consumer(lab.at("x").watch()));
    await until(
      "all have the first value",
      () => [...others, ...consumers].every(({ values }) => values.length > 0),
    );
    assertEquals(await trackers(), 3);
    const before = await calls("mget");
    for (let round = 1; round <= 20; round++) {
      await foreign.set(`${lab.prefix}x`, round);
      await until("all have it", () => consumers.every(({ last }) => last === round));
    }
    const reads = await calls("mget") - before;
    assert(reads >= 20 && reads <= 40, `${reads} reads`);
    await foreign.set("over:lap:x", "1");
    await until("both have it", () => others.every(({ last }) => last === 1));
    await Promise.all([outer.close(), inner.close()]);
    await until("their connections are closed", async () => await trackers() === 1);
  });
});

describe("Watch and races", () => {
  it("Ref.watch() and RedisJsonDict.watch() end on the last value, however writes and reads meet", async () => {
    await using lab = open();
    const { copy } = follow(lab);
    for (const pause of [undefined, 1, 20]) {
      for (let round = 0; round < 40; round++) {
        const key = `k${pause}-${round}`;
        const name = lab.prefix + key;
        const slowly = (): Promise<unknown> =>
          pause === undefined ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, pause));
        const watches = [lab.at(key).watch(), lab.at(key, "n").watch()];
        const [whole, part] = watches.map((watch) => new Consumer(watch, slowly));
        for (let turn = round % 8; turn > 0; turn--) await foreign.ping();
        for (let n = 0; n <= 20; n++) {
          const written = foreign.set(name, `{"n":${n}}`);
          if (n % 3 === round % 3) await written;
        }
        await until(
          "the last value is seen",
          () =>
            part.last === 20 &&
            [whole.last, copy.get(key)].every((value) => (value as { n: number } | undefined)?.n === 20),
        );
        await Promise.all(watches.map((watch) => watch.return()));
        await foreign.del(name);
      }
    }
  });

  it("RedisJsonDict.watch() and Ref.watch() see the last state after their connections were killed", async () => {
    await using lab = open();
    const { copy } = follow(lab);
    const consumer = new Consumer(lab.at("a").watch());
    await until("it has begun", () => consumer.values.length === 1);
    for (let round = 0; round < 30; round++) {
      if (round % 3 === 0) await foreign.call("CLIENT", "KILL", "TYPE", "pubsub");
      await foreign.mset(`${lab.prefix}a`, round, `${lab.prefix}k${round}`, round);
      await foreign.del(`${lab.prefix}k${round - 2}`);
      if (round % 3 === 1) await foreign.call("CLIENT", "KILL", "TYPE", "pubsub");
      if (round % 7 === 6) await foreign.flushdb();
      await foreign.set(`${lab.prefix}a`, -round);
      await untilEqual(copy, lab.prefix);
      await until("the value is seen", () => consumer.last === -round);
    }
  });
});

describe("RedisJsonDict.watch()", () => {
  it("RedisJsonDict.watch() tells with initial what is there, once, then that it has, then what changes", async () => {
    await using lab = open();
    const values = Object.fromEntries(Array.from({ length: 450 }, (_, index) => [`k${index}`, index]));
    await lab.update(values);
    const watch = lab.watch({ initial: true });
    const first: Items = {};
    for (let index = 0; index < 450; index++) {
      const { key, value } = await valueOf(watch);
      assert(key !== undefined && !Object.hasOwn(first, key));
      first[key] = value;
      if (index === 3) await foreign.set(`${lab.prefix}new`, '"meanwhile"');
    }
    const rest: unknown[] = [];
    while (rest.length < 2) rest.push(await valueOf(watch));
    // The scan may have seen it or not. Either way it comes once.
    const isSeen = Object.hasOwn(first, "new");
    assertEquals(isSeen ? first : { ...first, new: "meanwhile" }, { ...first, ...values, new: "meanwhile" });
    assert(rest.some((change) => (change as { key: unknown }).key === undefined));
    await foreign.del(`${lab.prefix}k7`);
    assertEquals(await valueOf(watch), { key: "k7", value: undefined });
  });

  it("RedisJsonDict.watch() without initial tells what changes, and knows what a flush has removed", async () => {
    await using lab = open();
    await lab.update({ a: 1, b: { c: [1, 2] } });
    await foreign.set(`${lab.prefix}corrupt`, "{");
    await foreign.rpush(`${lab.prefix}list`, "x");
    const { values } = new Consumer(lab.watch());
    for (let n = 0; values.length === 0; n++) await foreign.set(`${lab.prefix}beat`, n);
    assert(values.every(({ key }) => key === "beat"));
    values.length = 0;
    await foreign.set(`${lab.prefix}b`, '{ "c": [1, 2] }'); // Python writes white space
    await foreign.mset(`${lab.prefix}a`, "2", `${lab.prefix}corrupt`, "3");
    await until("both are told", () => values.some(({ key }) => key === "corrupt"));
    assertEquals(values.filter(({ key }) => key !== "beat"), [{ key: "a", value: 2 }, {
      key: "corrupt",
      value: 3,
    }]);
    values.length = 0;
    await foreign.flushdb();
    await until("all are told", () => values.length === 4);
    assertEquals(new Set(values.map(({ key }) => key)), new Set(["a", "b", "beat", "corrupt"]));
    assert(values.every(({ value }) => value === undefined));
  });

  it("RedisJsonDict.watch() with an empty prefix tells nothing of records", async () => {
    await foreign.flushall();
    await using lab = open({ prefix: "" });
    await using other = open({ prefix: "", recordPrefix: "mine" });
    const { copy, consumer } = follow(lab);
    await until("it has begun", () => consumer.values.length === 1);
    for (let n = 1; n <= 20; n++) await other.at("n").set(n, { parents: true });
    await until("the last is told", () => copy.get("n") === 20);
    assertEquals(
      new Set((consumer.values.slice(1) as { key: string }[]).map(({ key }) => key)),
      new Set(["n"]),
    );
    await other.clear();
  });

  it("RedisJsonDict.watch() keeps a bound however many names change while its consumer does nothing", async () => {
    await using lab = open();
    await lab.set("a", 1);
    const watch = lab.watch({ initial: true });
    assertEquals(await valueOf(watch), { key: "a", value: 1 });
    assertEquals(await valueOf(watch), { key: undefined, value: undefined });
    for (let round = 0; round < 30; round++) {
      const names = Array.from({ length: 1000 }, (_, index) => `${lab.prefix}s${round}-${index}`);
      await foreign.mset(names.flatMap((name) => [name, "1"]));
      await foreign.unlink(names);
    }
    const before = await calls("pttl");
    await foreign.set(`${lab.prefix}a`, "2");
    assertEquals(await valueOf(watch), { key: "a", value: 2 });
    const reads = await calls("pttl") - before;
    assert(reads < 20_000, `${reads} of 30,000 names were remembered`);
  });
});

describe("Watch and connections that fail", () => {
  it("Ref.watch() notices a connection that falls silent within heartbeat + timeout", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const client = twoWays(server.url, proxy.url);
    const lab = new RedisJsonDict<Items>(client, { prefix: "silent:", heartbeat: 1000, timeout: 4000 });
    const consumer = new Consumer(lab.at("x").watch());
    await until("it has begun", () => consumer.values.length === 1);
    proxy.silence();
    await foreign.set("silent:x", "1");
    const start = performance.now();
    await until("it was noticed", () => consumer.last === 1);
    const ms = performance.now() - start;
    assert(ms < 30_000, `${ms} ms`);
    await lab.close();
    await client.end();
    await foreign.del("silent:x");
  });

  it("Watch goes on when all its connections fall silent, also that by which it reads", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const lab = open({ heartbeat: 1000, timeout: 2000 }, proxy.url);
    const consumer = new Consumer(lab.at("x").watch());
    const { copy } = follow(lab);
    await until("it has begun", () => consumer.values.length === 1);
    for (let round = 1; round <= 2; round++) {
      proxy.silence();
      await foreign.set(`${lab.prefix}x`, round);
      await until("it is seen", () => consumer.last === round && copy.get("x") === round);
    }
    await lab.close();
  });

  it("Watch reads from time to time while there is no connection that tells", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const client = twoWays(server.url, proxy.url);
    const lab = new RedisJsonDict<Items>(client, { prefix: "blind:", heartbeat: 1000, timeout: 5000 });
    const consumer = new Consumer(lab.at("x").watch());
    const { copy } = follow(lab);
    await until("it has begun", () => consumer.values.length === 1);
    proxy.fault = "drop request";
    proxy.drop();
    await until("it tries again", () => proxy.connections > 3);
    await foreign.set("blind:x", "1");
    await until("it was noticed", () => consumer.last === 1 && copy.get("x") === 1);
    await lab.close();
    await client.end();
    await foreign.del("blind:x");
  });

  it("Watch outlives that the server is away for longer than a call may take", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const lab = open({ heartbeat: 1000, timeout: 1000 }, proxy.url);
    const consumer = new Consumer(lab.at("x").watch());
    const { copy } = follow(lab);
    await until("it has begun", () => consumer.values.length === 1);
    proxy.fault = "drop request";
    proxy.drop();
    await foreign.set(`${lab.prefix}x`, "1");
    await assertRejects(() => lab.get("x"), TimeoutError);
    await assertRejects(() => lab.get("x"), TimeoutError);
    assertEquals(consumer.values, [undefined]);
    proxy.fault = "none";
    await until("it is seen", () => consumer.last === 1 && copy.get("x") === 1);
    await lab.close();
  });

  it("Watch sees the last state through connections that break all the time", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const lab = open({ timeout: 60_000 }, proxy.url);
    const { copy } = follow(lab);
    let piece = 0;
    for (let round = 1; round <= 12; round++) {
      proxy.fault = () =>
        ++piece % 7 === 0 ? (["drop request", "drop answer", "part of answer"] as const)[piece % 3] : "none";
      for (let n = 0; n < 20; n++) await foreign.set(`${lab.prefix}k${n % 5}`, round * n);
      if (round % 4 === 0) await foreign.flushdb();
      if (round % 3 === 0) proxy.drop();
      await foreign.set(`${lab.prefix}round`, round);
      if (round % 2 === 0) proxy.fault = "none";
      await untilEqual(copy, lab.prefix);
    }
    proxy.fault = "none";
    await lab.close();
  });

  it("Watch ends at once by return, abort and close while the server is frozen or dead, and close() with it", async () => {
    for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
      const own = await startRedis();
      const done = { done: true, value: undefined };
      const program = new Redis(own.url, { retryStrategy: () => null });
      program.on("error", () => {});
      const [lab, other] = [
        open({ timeout: 600_000, heartbeat: 1000 }, own.url),
        open({ timeout: 600_000 }, own.url),
      ];
      const abort = new AbortController();
      const byReturn = [lab.at("x").watch(), lab.watch({ initial: true })];
      const byAbort = [lab.at("x", "y").watch(abort), lab.watch(abort)];
      const byClose = [other.at("x").watch(), other.watch({ initial: true })];
      const watches: Watch<unknown>[] = [...byReturn, ...byAbort, ...byClose];
      const first = watches.map((watch) => watch.next()); // that of a watch without initial waits
      await Promise.all(first.filter((_, index) => index !== 3));
      const untils = [lab, other].map((it) =>
        it.at("z").until((value) => value === 1, it === lab ? abort : {}).catch((error) => error)
      );
      await until("all are told", async () => {
        const list = String(await program.call("CLIENT", "LIST", "TYPE", "pubsub"));
        return list.trim().split("\n").length === 2;
      });
      await program.pipeline().set(`${lab.prefix}x`, "1").set(`${other.prefix}x`, "1").exec();
      Deno.kill(own.pid, signal); // reads are under way, or about to be
      const waiting = watches.map((watch) => watch.next());
      const late = [lab.at("late").watch(), other.watch({ initial: true })].map((watch) => watch.next());
      await new Promise((resolve) => setTimeout(resolve, 1500)); // more than one heartbeat
      byReturn.forEach((watch) => watch.return());
      abort.abort(new Error("enough"));
      const start = performance.now();
      await Promise.all([lab.close(), other.close()]);
      const ms = performance.now() - start;
      assert(ms < 60_000, `${signal}: ${ms} ms`);
      for (const next of [...first, ...waiting, ...late]) await next;
      for (const watch of watches) assertEquals(await watch.next(), done);
      const [aborted, closed] = await Promise.all(untils);
      assertEquals(aborted.message, "enough");
      assertInstanceOf(closed, UnavailableError);
      program.disconnect();
      if (signal === "SIGSTOP") Deno.kill(own.pid, "SIGCONT");
      await own.stop();
    }
  });

  it("Watch fails with TimeoutError if there is no first value in time, and leaves no connection", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const client = twoWays(server.url, proxy.url);
    proxy.fault = "no answers";
    const lab = new RedisJsonDict<Items>(client, { prefix: "late:", timeout: 1000 });
    const error = await assertRejects(() => lab.at("x").watch().next(), TimeoutError, "Cannot watch");
    assertEquals(error.key, "x");
    await assertRejects(() => lab.watch().next(), TimeoutError);
    await lab.close();
    const refused = twoWays(server.url, "redis://127.0.0.1:1");
    const gone = new RedisJsonDict<Items>(refused, { prefix: "late:", timeout: 1000 });
    await assertRejects(() => gone.at("x").watch().next(), TimeoutError, "ECONNREFUSED");
    await gone.close();
    await refused.end();
    await client.end();
  });

  it("Watch says at once what will not get better by waiting", async () => {
    await foreign.call("ACL", "SETUSER", "eye", "reset", "on", ">pw", "~*", "+@all", "allchannels");
    const client = twoWays(server.url, server.url.replace("redis://", "redis://eye:wrong@"));
    const lab = new RedisJsonDict<Items>(client, { prefix: "eye:", timeout: 600_000 });
    for (const watch of [lab.at("x").watch(), lab.watch()]) {
      const error = await assertRejects(() => watch.next(), UnavailableError);
      assert(/^(?:WRONGPASS|NOAUTH)$/.test(error.reason), error.reason);
      assert(!String(error.stack).includes("wrong@"));
    }
    await lab.close();
    await client.end();
    await foreign.call("ACL", "DELUSER", "eye");
  });

  it("Watch ends with UnavailableError when its client is ended", async () => {
    const client = new Redis(server.url);
    const lab = new RedisJsonDict<Items>(client, { prefix: "ended:" });
    const watch = lab.at("x").watch();
    assertEquals(await valueOf(watch), undefined);
    const next = watch.next();
    await client.quit();
    const error = await assertRejects(() => next, UnavailableError);
    assertEquals(error.reason, "CLOSED");
    await until("the connection is closed", async () => await trackers() === 0);
    await lab.close();
  });
});

describe("Watch where it is not possible", () => {
  it("Watch says what a client lacks", async () => {
    const client = new Redis(server.url);
    const plain: RedisClient = { call: (command, ...args) => client.call(command, ...args) };
    const lab = new RedisJsonDict<Items>(plain, { prefix: "plain:" });
    for (const watch of [lab.at("x").watch(), lab.watch()]) {
      const error = await assertRejects(() => watch.next(), UnavailableError, "no method duplicate");
      assertEquals(error.reason, "TRACKING");
      assertEquals(await watch.next(), { done: true, value: undefined });
    }
    await lab.close();
    await client.quit();
  });

  it("Watch says what a server lacks", async () => {
    await using bare = await startRedis({ args: () => ["--rename-command", "CLIENT", ""] });
    const lab = open({ prefix: "x:" }, bare.url);
    const error = await assertRejects(() => lab.at("x").watch().next(), UnavailableError, "unknown command");
    assertEquals(error.reason, "TRACKING");
    await lab.close();
  });

  it("Watch needs the rights that docs/guarantees.md lists, no more, and ends when they are taken away", async () => {
    const guarantees = await Deno.readTextFile(new URL("../../docs/guarantees.md", import.meta.url));
    const rights = /Watching needs\s+`([^`]*)`/.exec(guarantees)?.[1].split(/\s+/) ?? [];
    assertEquals(rights.length, 5, "docs/guarantees.md tells the rights");
    const basic = ["+get", "+mget", "+type", "+pttl", "+scan", "+info", "+evalsha", "+eval", "+select"];
    const user = async (...rules: string[]): Promise<RedisJsonDict<Items>> => {
      await foreign.call(
        "ACL",
        "SETUSER",
        "eye",
        "reset",
        "on",
        ">pw",
        "~eye:*",
        "resetchannels",
        ...basic,
        ...rules,
      );
      return open({ prefix: "eye:", heartbeat: 1000 }, server.url.replace("redis://", "redis://eye:pw@"));
    };
    const lab = await user(...rights);
    const consumers: Consumer<unknown>[] = [new Consumer(lab.at("x").watch()), new Consumer(lab.watch())];
    const haveSeen = (): boolean => consumers.every(({ values }) => values.length > 1);
    for (let n = 0; !haveSeen(); n++) await foreign.set("eye:x", n);
    await foreign.call("ACL", "SETUSER", "eye", "resetchannels"); // cuts off those that subscribe
    for (const { over } of consumers) {
      const error = await assertRejects(() => over, UnavailableError);
      assertEquals(error.reason, "NOPERM");
    }
    for (const right of rights.filter((it) => it !== "+ping")) {
      const less = await user(...rights.filter((it) => it !== right));
      const error = await assertRejects(() => less.at("x").watch().next(), UnavailableError);
      assertEquals(error.reason, "NOPERM", right);
      assert(error.message.includes("docs/guarantees.md"), error.message);
      await less.close();
    }
    await lab.close();
    await foreign.call("ACL", "DELUSER", "eye");
    await foreign.del("eye:x");
  });
});

describe("Ref.until()", () => {
  it("Ref.until() resolves with the first value that fits, and leaves no connection", async () => {
    await using lab = open();
    await lab.set("n", 1);
    assertEquals(await lab.at("n").until((n) => n === 1), 1);
    const late = lab.at("n").until((n): n is 5 => typeof n === "number" && n >= 5);
    const gone = lab.at("n").until((n) => n === undefined);
    for (let n = 2; n <= 5; n++) await foreign.set(`${lab.prefix}n`, n);
    assertEquals(await late, 5);
    await foreign.del(`${lab.prefix}n`);
    assertEquals(await gone, undefined);
    await until("the connection is closed", async () => await trackers() === 0);
  });

  it("Ref.until() rejects with what ends it", async () => {
    const lab = open();
    const ref = lab.at("n");
    const reason = new Error("enough");
    const abort = new AbortController();
    const aborted = ref.until(() => false, { signal: abort.signal }).catch((error) => error);
    const closed = ref.until(() => false).catch((error) => error);
    const thrown = ref.until(() => {
      throw reason;
    }).catch((error) => error);
    assertEquals(await thrown, reason);
    abort.abort(reason);
    assertEquals(await aborted, reason);
    assertEquals(await ref.until(() => true, { signal: abort.signal }).catch((error) => error), reason);
    await assertRejects(() => ref.until((() => Promise.resolve(true)) as never), TypeError, "asynchronous");
    await assertRejects(() => ref.until(1 as never), TypeError, "expected a function");
    await lab.close();
    const error = await closed;
    assertInstanceOf(error, UnavailableError);
    assertEquals(error.reason, "CLOSED");
    await until("the connection is closed", async () => await trackers() === 0);
  });
});
