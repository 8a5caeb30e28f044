/** Hot keys: many edits that wait for one key are few calls, none is lost, and none is applied twice. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { AmbiguousResultError, DurabilityError, TimeoutError } from "../../src/errors/delivery.ts";
import type { RedisClient } from "../../src/run/client.ts";
import { type Fault, FaultProxy } from "../support/fault_proxy.ts";
import { runWorkers } from "../support/race.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";
import { until } from "../support/until.ts";

const client = testClient();
const rival = testClient();

interface Items {
  x: { n: number; m: number; list: number[] };
  y: { n: number };
}

const NEW: Items["x"] = { n: 0, m: 0, list: [] };

/** A client that counts the calls of scripts, and can hold a call back. */
class Gate implements RedisClient {
  scripts = 0;
  /** The most arguments of one call. */
  longest = 0;
  /** Awaited before each call of a script. */
  before: (args: readonly (string | number)[]) => Promise<unknown> | void = () => {};

  async call(command: string, ...args: (string | number)[]): Promise<unknown> {
    if (command === "EVALSHA" || command === "EVAL") {
      this.scripts++;
      this.longest = Math.max(this.longest, args.length);
      await this.before(args);
    }
    return await client.call(command, ...args);
  }
}

async function open(): Promise<{ gate: Gate; lab: RedisJsonDict<Items>; other: RedisJsonDict<Items> }> {
  const prefix = uniquePrefix("hot");
  const gate = new Gate();
  const lab = new RedisJsonDict<Items>(gate, { prefix });
  await lab.update({ x: NEW, y: { n: 0 } });
  gate.scripts = 0;
  return { gate, lab, other: new RedisJsonDict<Items>(rival, { prefix }) };
}

function times<R>(count: number, make: (index: number) => R): R[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function numbers(count: number): number[] {
  return times(count, (index) => index + 1);
}

/** What a call returned, or its error. */
function endOf(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error) => error);
}

describe("Hot keys", () => {
  it("1,000 un-awaited edits of one key are at most 30 calls, in order, and each recipe runs twice", async () => {
    const { gate, lab } = await open();
    let runs = 0;
    const got = await Promise.all(
      times(1000, () => lab.edit((draft) => (runs++, ++draft.x.n))),
    );
    assertEquals(got, numbers(1000));
    assertStrictEquals((await lab.get("x"))!.n, 1000);
    assert(gate.scripts <= 30, `${gate.scripts} calls`);
    assertStrictEquals(runs, 2000); // the first run finds the key
  });

  it("1,000 un-awaited edits of parts of one value are few calls, and each recipe runs once", async () => {
    const { gate, lab } = await open();
    let runs = 0;
    const got = await Promise.all(times(1000, (index) =>
      lab.at("x").edit((x) => {
        runs++;
        return index % 2 ? ++x.n : ++x.m;
      })));
    assertEquals(got.filter((_, index) => index % 2), numbers(500));
    assert(gate.scripts <= 30, `${gate.scripts} calls`);
    assertStrictEquals(runs, 1000);
  });

  it("2,000 un-awaited edits at a place each are calls that every server takes, and few", async () => {
    const { gate, other } = await open();
    const lab = new RedisJsonDict<Record<string, { n: number }[]>>(gate, { prefix: other.prefix });
    await lab.set("list", times(2000, (n) => ({ n })));
    gate.scripts = gate.longest = 0;
    const edits = times(2000, (index) => lab.at("list", index).edit((item) => ++item.n));
    assertEquals(await Promise.all(edits), numbers(2000));
    assert(gate.longest < 3999, `${gate.longest} arguments`);
    assert(gate.scripts <= 80, `${gate.scripts} calls`);
    assertEquals(await lab.get("list"), times(2000, (index) => ({ n: index + 1 })));
  });

  it("edits of different parts leave together, and the refusal of one does not refuse the other", async () => {
    const { gate, lab, other } = await open();
    let isFirst = true;
    gate.before = async () => {
      if (isFirst) await other.at("x", "n").set(100);
      isFirst = false;
    };
    const runs = { n: 0, m: 0, list: 0 };
    const edit = (part: "n" | "m") =>
      lab.at("x").edit((x) => {
        runs[part]++;
        return ++x[part];
      });
    const push = lab.at("x").edit((x) => {
      runs.list++;
      return x.list.push(1);
    });
    assertEquals(await Promise.all([edit("n"), edit("m"), edit("n"), push, edit("m")]), [101, 1, 102, 1, 2]);
    // Of "n" both are done again: the second one has seen what the first could not do.
    assertEquals(runs, { n: 4, m: 2, list: 1 });
    assert(gate.scripts <= 3, `${gate.scripts} calls`);
    assertEquals(await lab.get("x"), { n: 102, m: 2, list: [1] });
  });

  it("an edit that has waited for long has all its time when its turn comes", async () => {
    const { gate, other } = await open();
    const lab = new RedisJsonDict<Items>(gate, { prefix: other.prefix, timeout: 1_000 });
    let calls = 0;
    gate.before = async () => {
      calls++;
      if (calls === 1) await new Promise(() => {}); // the call ahead of the edit is never sent, and times out
      if (calls === 2) await other.at("x", "n").set(100);
    };
    const ahead = endOf(lab.at("x", "m").set(7));
    const edit = lab.edit((draft) => ++draft.x.n);
    assertInstanceOf(await ahead, AmbiguousResultError);
    assertStrictEquals(await edit, 101);
    assertEquals(await lab.get("x"), { n: 101, m: 0, list: [] });
  });

  it("edits of different keys do not wait for each other", async () => {
    const { gate, lab } = await open();
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.before = (args) => args.includes(`${lab.prefix}x`) ? promise : undefined;
    const first = lab.edit((draft) => ++draft.x.n);
    assertStrictEquals(await lab.edit((draft) => ++draft.y.n), 1); // the first cannot have gone on yet
    resolve();
    assertStrictEquals(await first, 1);
  });

  it("edits that only read, or throw, tell what those before them have left", async () => {
    const { gate, lab, other } = await open();
    let isFirst = true;
    gate.before = async () => {
      if (isFirst) await other.at("x", "n").set(50);
      isFirst = false;
    };
    const ends = times(60, (index) =>
      endOf(
        lab.at("x").edit((x) => {
          if (index % 3 === 0) return ++x.n;
          if (index % 3 === 1) return x.n;
          throw new Error(`saw ${x.n}`);
        }),
      ));
    const got = (await Promise.all(ends)).map((end) => end instanceof Error ? end.message : end);
    assertEquals(got, numbers(20).flatMap((step) => [50 + step, 50 + step, `saw ${50 + step}`]));
  });

  it("eight processes with 100 un-awaited edits each: no error, nothing lost, few runs", async () => {
    const prefix = uniquePrefix("hot");
    const lab = new RedisJsonDict<Items>(client, { prefix });
    await lab.set("x", NEW);
    const got = await runWorkers(8, redisUrl, prefix, "hotEdits", 1, 100);
    assertEquals(got.length, 8);
    const seen = got.flat() as { readonly n: number; readonly runs: number }[];
    assertEquals(seen.map(({ n }) => n).sort((a, b) => a - b), numbers(800));
    assertStrictEquals((await lab.get("x"))!.n, 800);
    const runs = seen.reduce((sum, edit) => sum + edit.runs, 0) / 800;
    assert(runs <= 6, `${runs} runs per edit`); // about 2.5 where nothing else runs; bench/hot.ts has the figure
  });
});

describe("Hot keys and lost answers", () => {
  /** A dictionary behind a proxy. */
  async function behindProxy(options: { timeout?: number; delivery?: "at-most-once" } = {}) {
    const proxy = await FaultProxy.start(redisUrl);
    const prefix = uniquePrefix("hot");
    const lab = RedisJsonDict.connect<Items>(proxy.url, { prefix, timeout: 10_000, ...options });
    await new RedisJsonDict<Items>(client, { prefix }).set("x", NEW);
    await until("it is connected", () => lab.has("x").catch(() => false));
    return {
      lab,
      proxy,
      value: async (): Promise<Items["x"]> => JSON.parse((await client.get(`${prefix}x`))!),
      async [Symbol.asyncDispose]() {
        await until("it is connected", () => lab.has("x").catch(() => false));
        await lab.close();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  /** A fault now and then, in the same places in each run. */
  function often(fault: Fault): () => Fault {
    let state = 7;
    return () => (state = state * 48271 % 2147483647) % 6 === 0 ? fault : "none";
  }

  for (const fault of ["drop answer", "drop request", "late request", "part of answer"] as const) {
    it(`un-awaited edits are applied once over connections that end: ${fault}`, async () => {
      await using scope = await behindProxy();
      const { lab, proxy, value } = scope;
      const before = proxy.connections;
      const got: number[] = [];
      proxy.fault = often(fault);
      while (got.length < 300 || proxy.connections < before + 3) {
        got.push(
          ...await Promise.all(times(30, (index) =>
            lab.edit((draft) => {
              draft.x.list.push(index);
              return ++draft.x.n;
            }))),
        );
      }
      proxy.fault = "none";
      await proxy.settled();
      const { length } = got;
      assertEquals(got, numbers(length));
      assertEquals(await value(), { n: length, m: 0, list: times(length, (index) => index % 30) });
    });
  }

  it("an edit that changes nothing, or throws, in a call that ends ambiguous is a TimeoutError", async () => {
    await using scope = await behindProxy({ timeout: 1_000 });
    const { lab, proxy, value } = scope;
    const ends = ["change", "read", "throw", "change"].map((what) =>
      endOf(
        lab.at("x").edit((x) => {
          // The value was read by now; what comes is the call that applies.
          proxy.fault = "no answers";
          if (what === "change") return ++x.n;
          if (what === "throw") throw new Error(`saw ${x.n}`);
          return x.n;
        }),
      )
    );
    const [first, read, thrown, last] = await Promise.all(ends);
    assertInstanceOf(first, AmbiguousResultError);
    assertInstanceOf(last, AmbiguousResultError);
    assertInstanceOf(read, TimeoutError);
    assertInstanceOf(thrown, TimeoutError);
    proxy.fault = "none";
    proxy.drop(); // what comes now would be taken for answers that were swallowed
    assertStrictEquals((await value()).n, 2);
    await until("it is connected", () => lab.has("x").catch(() => false));
    assertEquals([await first.resolve(), await last.resolve()], ["applied", "applied"]);
    assertStrictEquals((await value()).n, 2);
  });

  it("with at-most-once un-awaited edits are applied at most once, and say what they cannot tell", async () => {
    for (const fault of ["drop answer", "drop request"] as const) {
      await using scope = await behindProxy({ delivery: "at-most-once" });
      const { lab, proxy, value } = scope;
      const ends: unknown[] = [];
      proxy.fault = often(fault);
      while (!ends.some((end) => end instanceof AmbiguousResultError) || ends.length < 200) {
        ends.push(...await Promise.all(times(40, () => endOf(lab.edit((draft) => ++draft.x.n)))));
      }
      proxy.fault = "none";
      const lost = ends.filter((end) => end instanceof AmbiguousResultError).length;
      const known = ends.filter((end) => typeof end === "number") as number[];
      assert(known.length > 0, "all was lost");
      for (const end of ends) assert(typeof end === "number" || end instanceof Error);
      const { n } = await value();
      assert(known.length <= n && n <= known.length + lost, `${n}: ${known.length} known, ${lost} lost`);
      assertStrictEquals(new Set(known).size, known.length);
      assertEquals(known, [...known].sort((a, b) => a - b));
    }
  });

  it("with too few replicas changes say DurabilityError, and edits that change nothing say what they saw", async () => {
    const prefix = uniquePrefix("hot");
    const lab = new RedisJsonDict<Items>(client, { prefix, durability: { replicas: 1, timeout: 20 } });
    await new RedisJsonDict<Items>(client, { prefix }).set("x", NEW);
    const ends = await Promise.all(times(9, (index) =>
      endOf(
        lab.at("x").edit((x) => {
          if (index % 3 === 0) return ++x.n;
          if (index % 3 === 1) return x.n;
          throw new Error(`saw ${x.n}`);
        }),
      )));
    for (const step of [1, 2, 3]) {
      const [change, read, thrown] = ends.slice(3 * step - 3, 3 * step);
      assertInstanceOf(change, DurabilityError);
      assertEquals([read, (thrown as Error).message], [step, `saw ${step}`]);
    }
    assertStrictEquals(JSON.parse((await client.get(`${prefix}x`))!).n, 3);
  });
});
