/**
 * Watching under load: foreign writes at full speed, races, connections that die in every way, and a model of what the
 * server has. A short share of it; with JSON_DICT_FUZZ all of it, and figures.
 */

import { describe, it } from "@std/testing/bdd";
import { assert } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { run } from "../../tools/command.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { until } from "../support/until.ts";

type Items = Record<string, unknown>;

const isLong = Boolean(Deno.env.get("JSON_DICT_FUZZ"));
/** What is done in a short run, and in a long one. */
const pick = (short: number, long: number): number => isLong ? long : short;
const tell = (what: string): void => {
  if (isLong) console.log(what);
};

// A server of its own: it is flushed, stopped and continued.
const server = await startRedis();
/** Another program. */
const foreign = new Redis(server.url);
Deno.test.afterAll(async () => {
  foreign.disconnect();
  await server.stop();
});

const program = new URL("../support/fast_writer.ts", import.meta.url).pathname;
const config = new URL("../../deno.json", import.meta.url).pathname;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The last value that a watch has given; what takes it is slow. */
function lastOf(
  watch: AsyncIterable<unknown>,
  ms: number,
): { value: unknown; count: number; over: Promise<void> } {
  const last = { value: "none yet" as unknown, count: 0, over: Promise.resolve() };
  last.over = (async () => {
    for await (const value of watch) {
      last.value = value;
      last.count++;
      if (ms > 0) await pause(ms);
    }
  })();
  return last;
}

/** Numbers that are the same each time. */
function randomOf(seed: number): (below: number) => number {
  let state = seed + 1;
  return (below) => (state = state * 48_271 % 2_147_483_647) % below;
}

describe("Watch under load", () => {
  const rounds = pick(2, 20);
  const writes = pick(5_000, 100_000);
  it(`Ref.watch() ends on the last of ${writes} writes at full speed, however slow its consumer, ${rounds} times`, async () => {
    await using lab = RedisJsonDict.connect<Items>(server.url, { prefix: "speed:", timeout: 60_000 });
    const { rss } = Deno.memoryUsage();
    let [count, most] = [0, 0];
    for (let round = 1; round <= rounds; round++) {
      const watches = [lab.at("x").watch(), lab.at("x", "n").watch()];
      const [whole, part] = [lastOf(watches[0], 20), lastOf(watches[1], 0)];
      const args = [server.url, "speed:x", writes, round].map(String);
      let isWriting = true;
      const written = run(Deno.execPath(), ["run", "-A", "--quiet", "--config", config, program, ...args])
        .finally(() => isWriting = false);
      while (isWriting) {
        most = Math.max(most, Deno.memoryUsage().rss - rss);
        await pause(5);
      }
      const { ok, output } = await written;
      assert(ok, output);
      await until(
        "the last is seen",
        () => part.value === writes && JSON.stringify(whole.value) === `{"n":${writes},"round":${round}}`,
      );
      await Promise.all(watches.map((watch) => watch.return()));
      await Promise.all([whole.over, part.over]);
      count += whole.count + part.count;
    }
    tell(
      `last state seen ${rounds} of ${rounds}; ${count} values given; memory + ${Math.round(most / 1e6)} MB`,
    );
    assert(most < 150e6, `${most} bytes`);
    await lab.clear();
  });

  const races = pick(60, 300);
  it(`Ref.watch() and RedisJsonDict.watch() miss nothing in ${races} races of their start with a write`, async () => {
    await using lab = RedisJsonDict.connect<Items>(server.url, { prefix: "race:", timeout: 60_000 });
    for (let round = 1; round <= races; round++) {
      const key = `k${round}`;
      await foreign.set(`race:${key}`, "0");
      const copy = new Map<string, unknown>();
      const watches = [lab.at(key).watch(), lab.watch({ initial: true })] as const;
      const one = lastOf(watches[0], 0);
      const all = (async () => {
        for await (const change of watches[1]) {
          if (change.key !== undefined) copy.set(change.key, change.value);
        }
      })();
      for (let turn = round % 10; turn > 0; turn--) await (turn % 2 ? foreign.ping() : Promise.resolve());
      await foreign.set(`race:${key}`, "1");
      await until("it is seen", () => one.value === 1 && copy.get(key) === 1);
      await Promise.all(watches.map((watch) => watch.return()));
      await Promise.all([one.over, all]);
      await foreign.del(`race:${key}`);
    }
    tell(`${races} races: 0 lost`);
  });

  const deaths = pick(3, 40);
  it(`Watch sees the last state after ${deaths} connections that were killed, half open, or to a frozen server`, async () => {
    await using proxy = await FaultProxy.start(server.url);
    const lab = RedisJsonDict.connect<Items>(proxy.url, { prefix: "death:", timeout: 2_000, heartbeat: 500 });
    const watches = [lab.at("x").watch(), lab.at("x", "n").watch()];
    const [whole, part] = watches.map((watch) => lastOf(watch, 0));
    const copy = new Map<string, unknown>();
    const watch = lab.watch({ initial: true });
    const all = (async () => {
      for await (const { key, value } of watch) if (key !== undefined) copy.set(key, value);
    })();
    await until("it has begun", () => whole.count + part.count === 2);
    for (let round = 1; round <= deaths; round++) {
      const text = `{"n":${round}}`;
      const before = proxy.connections;
      const change = (): Promise<unknown> => foreign.set("death:x", text);
      if (round % 3 === 0) {
        await Promise.all([foreign.call("CLIENT", "KILL", "TYPE", "pubsub"), change()]);
      } else if (round % 3 === 1) {
        proxy.silence();
        await change();
      } else {
        Deno.kill(server.pid, "SIGSTOP");
        const changed = change();
        await until("it gives up the connection", () => proxy.connections > before);
        Deno.kill(server.pid, "SIGCONT");
        await changed;
      }
      await until(
        `round ${round} is seen`,
        () => part.value === round && JSON.stringify([whole.value, copy.get("x")]) === `[${text},${text}]`,
      );
    }
    tell(`${deaths} deaths: 0 behind`);
    await Promise.all([...watches, watch].map((it) => it.return()));
    await Promise.all([whole.over, part.over, all]);
    await lab.close();
    await foreign.del("death:x");
  });

  const keys = pick(300, 2_000);
  const changes = pick(4_000, 100_000);
  it(`RedisJsonDict.watch() is a model of ${keys} keys through ${changes} changes, flushes, expiries and kills`, async () => {
    await using lab = RedisJsonDict.connect<Items>(server.url, { prefix: "model:", timeout: 60_000 });
    const copy = new Map<string, unknown>();
    const watch = lab.watch({ initial: true });
    let count = 0;
    const over = (async () => {
      for await (const { key, value } of watch) {
        count++;
        if (key === undefined) continue;
        if (value === undefined) assert(copy.delete(key), key);
        else copy.set(key, value);
      }
    })();
    const next = randomOf(changes);
    const name = (): string => `model:k${next(keys)}`;
    for (let done = 0; done < changes; done += 500) {
      const pipeline = foreign.pipeline();
      for (let step = 0; step < 500; step++) {
        const kind = next(12);
        if (kind < 6) pipeline.set(name(), JSON.stringify({ n: next(5) }));
        else if (kind === 6) pipeline.set(name(), `{"n": ${next(5)}} `);
        else if (kind === 7) pipeline.psetex(name(), 1 + next(300), String(next(5)));
        else if (kind === 8) pipeline.del(name());
        else if (kind === 9) {
          pipeline.call("EVAL", "return redis.pcall('rename', KEYS[1], KEYS[2])", 2, name(), name());
        } else if (kind === 10) pipeline.rpush(`model:list${next(5)}`, "x");
        else pipeline.persist(name());
      }
      await pipeline.exec();
      if (next(10) === 0) await foreign.call("CLIENT", "KILL", "TYPE", "pubsub");
      if (next(12) === 0) await foreign.flushdb();
      if (next(4) === 0) await lab.set(`own${next(20)}`, done);
    }
    const readAll = async (): Promise<string> => {
      const names = (await foreign.keys("model:*")).filter((it) => !it.includes("list")).sort();
      const texts = names.length === 0 ? [] : await foreign.mget(names);
      return JSON.stringify(
        names.flatMap((it, index) =>
          texts[index] === null ? [] : [[it.slice("model:".length), JSON.parse(texts[index]!)]]
        ),
      );
    };
    await until(
      "the copy is what the server has",
      async () => await readAll() === JSON.stringify([...copy].sort(([a], [b]) => a < b ? -1 : 1)),
    );
    tell(`${keys} keys, ${changes} changes: the model is equal; ${count} changes told`);
    await watch.return();
    await over;
    await foreign.flushdb();
  });
});
