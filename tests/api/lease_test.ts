/** Leases: one holder at a time, whatever is lost, stopped or written by others. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { RedisJsonDict as CoreDict } from "../../src/api/core.ts";
import type { Lease } from "../../src/api/lease.ts";
import { AmbiguousResultError, DurabilityError, UnavailableError } from "../../src/errors/delivery.ts";
import { type LeaseEnd, LeaseEndedError } from "../../src/errors/lease.ts";
import { WrongTypeError } from "../../src/errors/value.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { Records } from "../../src/run/record.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { until } from "../support/until.ts";

// deno-lint-ignore no-explicit-any -- the tests look into any JSON
type Items = Record<string, any>;

// A server of its own: it is flushed, and it is looked at as a whole.
const server = await startRedis();
const admin = new Redis(server.url);
Deno.test.afterAll(async () => {
  admin.disconnect();
  await server.stop();
});
let dictionaries = 0;
/** So long that nothing expires by itself. */
const LONG = 120_000;

function open(options: Partial<DictOptions> = {}, url = server.url): RedisJsonDict<Items> {
  return RedisJsonDict.connect<Items>(url, { prefix: `l${dictionaries++}:`, timeout: 60_000, ...options });
}

async function take(lab: RedisJsonDict<Items>, key = "beam", ttl = LONG): Promise<Lease<unknown>> {
  const lease = await lab.lease(key, { by: "ada" }, { ttl });
  assert(lease !== undefined);
  return lease;
}

/** Whether somebody hears of changes: who waits for a lease does. */
async function isTracked(): Promise<boolean> {
  return / flags=\w*t/.test(String(await admin.client("LIST")));
}

async function scriptCalls(): Promise<number> {
  const stats = String(await admin.info("commandstats"));
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** The name of what says whose it is. */
function leaseName(lab: RedisJsonDict<Items>, key = "beam"): string {
  return new Records("json-dict:op:").leaseOf(lab.prefix + key).lease;
}

/** Resolves with why a lease is over, at the latest after a minute. */
async function ended({ signal }: Lease<unknown>): Promise<LeaseEnd> {
  await until("the lease is over", () => signal.aborted);
  assert(signal.reason instanceof LeaseEndedError, String(signal.reason));
  return signal.reason.end;
}

/** What takes as long as some leases: it runs at the same time. */
const LASTING: Readonly<Record<string, () => Promise<void>>> = {
  async "a change of the key has no answer"() {
    const redis = new Redis(server.url, { maxRetriesPerRequest: 0 });
    let lose: (() => void) | undefined;
    const client = new Proxy(redis, {
      get(target, name) {
        if (name !== "call") return Reflect.get(target, name, target);
        return (...args: [string, ...(string | number)[]]) => {
          if (lose !== undefined || !args.includes('"stuck"')) return target.call(...args);
          return new Promise((_, reject) => lose = () => reject(new Error("lost")));
        };
      },
    });
    const prefix = `l${dictionaries++}:`;
    await using lab = new CoreDict<Items>(client, { prefix, timeout: 60_000 });
    await using lease = await lab.lease("beam", { by: "ada" }, { ttl: 5_000 });
    const change = lab.at("beam", "stuck").set(1);
    await until("the change is stuck", () => lose !== undefined);
    const end = performance.now() + 5_500;
    await until("its ttl is over", async () => {
      assertEquals(await admin.exists(`${prefix}beam`, leaseName(lab)), 2);
      return performance.now() > end;
    });
    assert(!lease!.signal.aborted);
    lose!();
    await change;
    assertEquals(await ended(lease!), "changed");
    await lab.close();
    redis.disconnect();
  },
  async "its connection falls silent, and is replaced in time"() {
    await using proxy = await FaultProxy.start(server.url);
    await using lab = open({}, proxy.url);
    await using lease = await take(lab, "beam", 9_000);
    proxy.silence();
    const end = performance.now() + 9_500;
    await until("its ttl is over", () => performance.now() > end);
    assert(!lease.signal.aborted);
    assertEquals(await lab.has("beam"), true);
  },
  async "others touch the expiry, or write the same text"() {
    await using lab = open();
    await using lease = await take(lab, "beam", 5_000);
    for (
      const deed of [
        () => lab.persist("beam"),
        () => lab.set("beam", { by: "ada" }),
        () => lab.get("beam", { ttl: LONG }),
      ]
    ) {
      await deed();
      await until("it is renewed", async () => {
        const left = await admin.pttl(`${lab.prefix}beam`);
        return left > 0 && left <= 5_000;
      });
    }
    assert(!lease.signal.aborted);
  },
  async "it is updated"() {
    await using lab = open();
    await using lease = await take(lab, "beam", 5_000);
    const seen: unknown[] = [];
    for (let n = 0; n < 300; n++) {
      lease.update({ n }).catch((error) => seen.push(error)); // 300 at once, beside the renewals
    }
    await lease.update({ n: "last" });
    assertEquals(seen, []);
    assertEquals(await admin.get(`${lab.prefix}beam`), '{"n":"last"}');
    const { fence } = JSON.parse((await admin.get(leaseName(lab)))!);
    assertEquals(fence, lease.fence);
    const end = performance.now() + 5_500;
    await until("a ttl is over", () => performance.now() > end);
    assert(!lease.signal.aborted);
    await assertRejects(() => lease.update(NaN), TypeError);
    await assertRejects(() => lease.update(undefined), TypeError);
  },
  async "it is delivered at most once"() {
    await using proxy = await FaultProxy.start(server.url);
    const client = new Redis(proxy.url, { maxRetriesPerRequest: 0 });
    const prefix = `l${dictionaries++}:`;
    await using lab = new CoreDict<Items>(client, { prefix, delivery: "at-most-once", timeout: 60_000 });
    const lease = await lab.lease("beam", 1, { ttl: 5_000 });
    const end = performance.now() + 5_500;
    await until("a ttl is over", () => performance.now() > end);
    assert(!lease!.signal.aborted);
    assertEquals(await lease!.release(), true);
    assertEquals(
      (await admin.keys("json-dict:op:*")).filter((name) => /\}[\w-]{12}$/.test(name)).length > 0,
      true,
    );
    proxy.fault = (piece) => piece === "answer" ? "drop answer" : "none";
    const error = await lab.lease("beam", 1, { ttl: 1_500 }).catch((error) => error);
    assert(error instanceof AmbiguousResultError, String(error));
    proxy.fault = "none";
    const next = await lab.lease("beam", 2, { ttl: LONG, wait: true });
    await next!.release();
    await lab.close();
    client.disconnect();
  },
};

describe("lease()", () => {
  it("lease() writes the value, keeps others out, and release() removes all of it", async () => {
    await using lab = open();
    await using other = open({ prefix: lab.prefix });
    const lease = await take(lab);
    assertEquals(await admin.get(`${lab.prefix}beam`), '{"by":"ada"}');
    const text = await admin.get(leaseName(lab));
    assert(/^\{"owner":"[\w-]{12}","fence":\d+,"sha1":"[0-9a-f]{40}"\}$/.test(text!), text!);
    assertEquals(JSON.parse(text!).fence, lease.fence);
    assert(Number.isSafeInteger(lease.fence));
    for (const name of [`${lab.prefix}beam`, leaseName(lab)]) {
      const left = await admin.pttl(name);
      assert(left > LONG / 2 && left <= LONG, `${name}: ${left}`);
    }
    assertEquals(await other.lease("beam", { by: "ada" }, { ttl: LONG }), undefined);
    assertEquals(await lab.lease("beam", { by: "ada" }, { ttl: LONG }), undefined);
    assertEquals([lease.key, lease.signal.aborted], ["beam", false]);
    // Nothing of it is an item.
    assertEquals(await other.toObject(), { beam: { by: "ada" } });
    assertEquals(await lease.release(), true);
    assertEquals(await ended(lease), "released");
    assertEquals(await lease.release(), true);
    assertEquals(await admin.exists(`${lab.prefix}beam`, leaseName(lab)), 0);
    const next = await take(other);
    assert(next.fence > lease.fence);
    await next.release();
    await using all = open({ prefix: "" });
    await using held = await take(lab);
    assertEquals(await Array.fromAsync(all.keys()), [`${lab.prefix}beam`]);
    assertEquals(await all.size(), 1);
    assert(!held.signal.aborted);
  });

  it("lease() is kept for longer than its ttl, whatever goes on beside it", async () => {
    const failures: string[] = [];
    await Promise.all(
      Object.entries(LASTING).map(([what, run]) =>
        run().catch((error) => failures.push(`${what}: ${error?.stack}`))
      ),
    );
    assertEquals(failures, []);
  });

  it("lease() takes what others have left, and leaves alone what others have written", async () => {
    await using lab = open();
    await lab.set("beam", null);
    assertEquals(await lab.lease("beam", 1, { ttl: LONG }), undefined);
    assertEquals(await lab.get("beam"), null);
    await admin.rpush(`${lab.prefix}list`, "1");
    await assertRejects(() => lab.lease("list", 1, { ttl: LONG }), WrongTypeError);
    // In order with all other calls, awaited or not.
    const deleted = lab.delete("beam");
    const lease = lab.lease("beam", 1, { ttl: LONG });
    const read = lab.get("beam");
    const cleared = lab.clear();
    const again = lab.lease("beam", 2, { ttl: LONG });
    assertEquals([await deleted, await read, await cleared], [true, 1, 1]);
    // What clear has removed is still known to its holder as its own: nobody else gets it before that one knows.
    assertEquals(await again, undefined);
    await (await lease)!.release();
    await admin.del(`${lab.prefix}list`);
  });

  it("lease() refuses wrong arguments before any I/O", async () => {
    const lab = RedisJsonDict.connect<Items>("redis://127.0.0.1:1", { prefix: "x:" });
    const cases: [unknown[], typeof TypeError | typeof RangeError, string][] = [
      [["a", 1], TypeError, "Cannot lease: there is no ttl; write { ttl: 10_000 } for ten seconds"],
      [["a", 1, {}], TypeError, "there is no ttl"],
      [["a", 1, 5], TypeError, "write an object"],
      [["a", 1, { ttl: 0 }], RangeError, "received 0"],
      [["a", 1, { ttl: 1.5 }], RangeError, "positive integer"],
      [["a", 1, { ttl: 2 ** 31 }], RangeError, "expected 100 to 2147483647 ms for a lease"],
      [["a", 1, { ttl: 99 }], RangeError, "received 99"],
      [["a", 1, { ttl: 5_000, wait: "1" }], TypeError, "expected milliseconds, true or false"],
      [["a", 1, { ttl: 5_000, wait: -1 }], RangeError, "expected 0 to 2147483647 ms"],
      [["a", 1, { ttl: 5_000, wait: NaN }], RangeError, "wait is NaN"],
      [["a", 1, { ex: 5 }], TypeError, 'no option "ex"; use ttl'],
      [["a", 1, { ttl: 5_000, signal: 1 }], TypeError, "expected an AbortSignal"],
      [["a", undefined, { ttl: 5_000 }], TypeError, "undefined"],
      [["a", NaN, { ttl: 5_000 }], TypeError, "NaN"],
      [["\ud800", 1, { ttl: 5_000 }], TypeError, "lone surrogate"],
      [["json-dict:op:{a}lease:x", 1, { ttl: 5_000 }], TypeError, "named like the records"],
      [["json-dict:op:{a}fence", 1, { ttl: 5_000 }], TypeError, "named like the records"],
    ];
    for (const [args, Wrong, message] of cases) {
      const error = await (lab.lease as (...args: unknown[]) => Promise<unknown>)(...args).then(
        () => new Error("nothing"),
        (error: Error) => error,
      );
      assertEquals(error.constructor, Wrong, String(error));
      assert(error.message.includes(message), error.message);
    }
    const reason = new Error("never");
    const signal = AbortSignal.abort(reason);
    assertEquals(await lab.lease("a", 1, { ttl: 5_000, signal }).catch((it) => it), reason);
    await lab.close();
    await assertRejects(() => lab.lease("a", 1, { ttl: 5_000 }), TypeError, "closed");
  });

  it("lease() takes any key and any value", async () => {
    await using lab = open();
    for (const key of ["__proto__", "then", "", "\0", "*", "{", "{a}b", "é😀", "json-dict:op:"]) {
      await using lease = await lab.lease(key, { [key]: [] }, { ttl: LONG });
      assert(lease !== undefined, key);
      assertEquals(await lab.lease(key, null, { ttl: LONG }), undefined, key);
      assertEquals(await admin.get(lab.prefix + key), JSON.stringify({ [key]: [] }));
      await lease.update("x".repeat(100_000));
      assertEquals(await lease.release(), true, key);
    }
    assertEquals(await lab.size(), 0);
  });

  it("lease() is known to be lost, whatever others do to the value", async () => {
    const deeds: [string, (lab: RedisJsonDict<Items>, name: string) => Promise<unknown>, LeaseEnd][] = [
      ["SET", (_, name) => admin.set(name, "7"), "changed"],
      ["a change inside", (lab) => lab.at("beam", "by").set("eve"), "changed"],
      ["DEL", (_, name) => admin.del(name), "removed"],
      ["clear", (lab) => lab.clear(), "removed"],
      ["expire", async (lab) => {
        await lab.expire("beam", 1);
        await until("it has expired", async () => !await lab.has("beam"));
      }, "removed"],
      ["RENAME", (_, name) => admin.rename(name, `${name}2`), "removed"],
      ["a list", async (_, name) => (await admin.del(name), await admin.rpush(name, "1")), "changed"],
      ["FLUSHDB", () => admin.flushdb(), "expired"],
    ];
    await Promise.all(deeds.map(async ([what, deed, why]) => {
      if (what === "FLUSHDB") return;
      await using lab = open();
      await using other = open({ prefix: lab.prefix });
      const lease = await take(lab, "beam", 4_000);
      await deed(other, `${lab.prefix}beam`);
      const state = await admin.dump(`${lab.prefix}beam`);
      assertEquals(await ended(lease), why, what);
      // What is left of it goes at once, and what others wrote stays.
      await until("its lease is gone", async () => await admin.exists(leaseName(lab)) === 0);
      assertEquals(await admin.dump(`${lab.prefix}beam`), state, what);
      await assertRejects(() => lease.update(1), LeaseEndedError);
      assertEquals(await lease.release(), false);
    }));
    const [what, deed, why] = deeds.at(-1)!;
    await using lab = open();
    const lease = await take(lab, "beam", 3_000);
    await deed(lab, "");
    assertEquals(await ended(lease), why, what);
  });

  it("lease() tells holders apart that write the same value", async () => {
    await using a = open();
    await using b = open({ prefix: a.prefix });
    const first = await take(a, "beam", 4_000);
    await admin.del(`${a.prefix}beam`, leaseName(a)); // as if it had expired
    const second = await take(b, "beam", LONG);
    assertEquals(await ended(first), "expired");
    assertEquals(await first.release(), false);
    await assertRejects(() => first.update({ by: "ada" }), LeaseEndedError);
    assertEquals(await b.get("beam"), { by: "ada" });
    assertEquals(await second.release(), true);
    // Before its first renewal the holder that lost it does not know. What it sends changes nothing.
    const third = await take(a, "beam", LONG);
    await admin.del(`${a.prefix}beam`, leaseName(a));
    const fourth = await take(b, "beam", LONG);
    assertEquals(await third.release(), false);
    const fifth = await take(a, "other", LONG);
    await admin.del(`${a.prefix}other`, leaseName(a, "other"));
    const sixth = await take(b, "other", LONG);
    const error = await assertRejects(() => fifth.update("x"), LeaseEndedError);
    assertEquals([error.end, error.fence], ["expired", fifth.fence]);
    assertEquals([await b.get("beam"), await b.get("other")], [{ by: "ada" }, { by: "ada" }]);
    assertEquals([await fourth.release(), await sixth.release()], [true, true]);
  });
});

describe("Lease", () => {
  it("Lease has the type of the value", () => {
    const check = async (lab: RedisJsonDict<{ beam: { by: string }; n: number }>): Promise<void> => {
      const lease: Lease<{ by: string }> | undefined = await lab.lease("beam", { by: "ada" }, { ttl: 1 });
      await lease?.update({ by: "bob" });
      // @ts-expect-error -- of another type
      await lease?.update({ by: 1 });
      // @ts-expect-error -- of another type
      await lab.lease("beam", 1, { ttl: 1 });
      // @ts-expect-error -- no such key
      await lab.lease("none", 1, { ttl: 1 });
      // @ts-expect-error -- without a ttl it would be there for ever
      await lab.lease("n", 1, {});
      const sure: Lease<{ by: string }> = await lab.lease("beam", { by: "ada" }, { ttl: 1, wait: true });
      // @ts-expect-error -- it may be busy
      const unsure: Lease<{ by: string }> = await lab.lease("beam", { by: "ada" }, { ttl: 1, wait: 1 });
      const fence: number = lease!.fence;
      const signal: AbortSignal = lease!.signal;
      console.log(fence, signal, sure, unsure);
    };
    assert(check instanceof Function);
  });
});

describe("lease() with wait", () => {
  it("lease() waits until it is free: released, expired, or removed", async () => {
    await using a = open();
    await using b = open({ prefix: a.prefix });
    const lease = await take(a);
    const waiting = b.lease("beam", "b", { ttl: LONG, wait: true });
    await until("it is tracked", isTracked);
    const before = performance.now();
    await lease.release();
    const second = await waiting;
    assert(second!.fence > lease.fence);
    assert(performance.now() - before < 30_000); // not the ttl
    await second!.release();
    await admin.set(`${a.prefix}beam`, "1", "PX", 1_500);
    const third = await b.lease("beam", "b", { ttl: LONG, wait: true });
    await third!.release();
    await admin.set(`${a.prefix}beam`, "1");
    const fourth = b.lease("beam", "b", { ttl: LONG, wait: true });
    await admin.del(`${a.prefix}beam`);
    await (await fourth)!.release();
  });

  it("lease() waits no longer than it may", async () => {
    await using lab = open();
    await using lease = await take(lab);
    for (const wait of [0, false, 1_500] as const) {
      assertEquals(await lab.lease("beam", 1, { ttl: LONG, wait }), undefined);
    }
    assert(!lease.signal.aborted);
  });

  it("lease() whose wait ends while it looks is not taken for a server that does not answer", async () => {
    const redis = new Redis(server.url, { maxRetriesPerRequest: 0 });
    let looks = 0;
    let isOver = (): boolean => false;
    const client = new Proxy(redis, {
      get(target, name) {
        if (name !== "call") return Reflect.get(target, name, target);
        return async (...args: [string, ...(string | number)[]]) => {
          const answer = await target.call(...args);
          if (args[0].toLowerCase() !== "pttl") return answer;
          looks++;
          await until("the wait is over", isOver);
          return answer;
        };
      },
    });
    await using lab = new CoreDict<Items>(client, { prefix: `l${dictionaries++}:`, timeout: 60_000 });
    await using _lease = await lab.lease("beam", 1, { ttl: LONG });
    const end = performance.now() + 2_000;
    isOver = () => performance.now() > end;
    assertEquals(await lab.lease("beam", 2, { ttl: LONG, wait: 1_000 }), undefined);
    assert(looks > 0);
    await lab.close();
    redis.disconnect();
  });

  it("lease() is given to each of those that wait, one after the other, also of one dictionary", async () => {
    await using a = open();
    await using b = open({ prefix: a.prefix });
    let holders = 0;
    let last = 0;
    await Promise.all(Array.from({ length: 20 }, async (_, n) => {
      const lab = n % 2 === 0 ? a : b;
      const lease = await lab.lease("beam", n, { ttl: LONG, wait: true });
      assertEquals(++holders, 1);
      assert(lease!.fence > last);
      last = lease!.fence;
      assertEquals(await lab.get("beam"), n);
      holders--;
      await lease!.release();
    }));
  });

  it("lease() is given in the order of issue within one dictionary, and only one of them asks", async () => {
    await using lab = open();
    const first = await take(lab);
    const before = await scriptCalls();
    const reason = new Error("enough");
    const enough = new AbortController();
    const order: number[] = [];
    const waiting = Array.from({ length: 300 }, async (_, n) => {
      const options = n % 10 === 5 ? { signal: enough.signal } : n % 10 === 7 ? { wait: 200 } : {};
      try {
        const lease = await lab.lease("beam", n, { ttl: LONG, wait: true, ...options });
        if (lease === undefined) return;
        order.push(n);
        await lease.release();
      } catch (error) {
        assertEquals(error, reason);
      }
    });
    enough.abort(reason);
    await Promise.all(waiting.filter((_, n) => n % 10 === 5 || n % 10 === 7));
    assertEquals(order, []);
    await first.release();
    await Promise.all(waiting);
    const expected = Array.from({ length: 300 }, (_, n) => n).filter((n) => n % 10 !== 5 && n % 10 !== 7);
    assertEquals(order, expected);
    const calls = await scriptCalls() - before;
    assert(calls < 6 * 300, `${calls} calls of scripts`);
  });

  it("lease() waits by asking where nothing tells of changes", async () => {
    await using a = open();
    await admin.call("ACL", "SETUSER", "deaf", "reset", "on", ">pw", "~*", "+@all", "-client|tracking");
    await using b = open({ prefix: a.prefix }, server.url.replace("redis://", "redis://deaf:pw@"));
    const lease = await take(a);
    const waiting = b.lease("beam", "b", { ttl: LONG, wait: true });
    await until("it asks", async () => /cmdstat_pttl:/.test(String(await admin.info("commandstats"))));
    await lease.release();
    await (await waiting)!.release();
  });

  it("lease() is ended by its signal at once, and leaves nothing", async () => {
    await using proxy = await FaultProxy.start(server.url);
    await using a = open();
    await using b = open({ prefix: a.prefix }, proxy.url);
    const reason = new Error("enough");
    const lease = await take(a);
    const waits = new AbortController();
    const waiting = b.lease("beam", "b", { ttl: LONG, wait: true, signal: waits.signal });
    await until("it waits", isTracked);
    waits.abort(reason);
    assertEquals(await waiting.catch((error) => error), reason);
    await lease.release();
    // Aborted while the answer is on its way: it is given back when it comes.
    let asked = 0;
    proxy.fault = (piece) => {
      if (piece === "request") asked++;
      return piece === "answer" ? "no answers" : "none";
    };
    const sent = new AbortController();
    const sending = b.lease("beam", "b", { ttl: LONG, signal: sent.signal });
    await until("it is sent", async () => asked > 0 && await admin.exists(`${a.prefix}beam`) === 1);
    sent.abort(reason);
    assertEquals(await sending.catch((error) => error), reason);
    proxy.fault = "none";
    proxy.drop();
    await until("it is given back", async () => await admin.exists(`${a.prefix}beam`, leaseName(a)) === 0);
  });

  it("close() ends the waits and the leases of a dictionary, and gives them back", async () => {
    const a = open();
    const b = open({ prefix: a.prefix });
    const lease = await take(a);
    const others = [await take(a, "x"), await take(a, "y")];
    const waiting = b.lease("beam", "b", { ttl: LONG, wait: true });
    const error = waiting.catch((error) => error);
    await until("it waits", isTracked);
    await b.close();
    assert(await error instanceof UnavailableError, String(await error));
    assertEquals((await error).reason, "CLOSED");
    const late = a.lease("late", 1, { ttl: LONG }).catch((error) => error); // under way when it is closed
    await a.close();
    assertEquals([await ended(lease), await ended(others[0])], ["closed", "closed"]);
    assertEquals(await lease.release(), false);
    const got = await late;
    assert(got === undefined || got instanceof UnavailableError || got.signal.aborted, String(got));
    assertEquals(await admin.keys(`*${a.prefix}*`), []);
  });
});

describe("lease() and what is lost", () => {
  it("lease() whose answers are lost comes back as ours, and is believed no longer than the server keeps it", async () => {
    await using proxy = await FaultProxy.start(server.url);
    await using lab = open({ timeout: 60_000 }, proxy.url);
    await lab.has("beam");
    const ttl = 6_000;
    let lost = 0;
    const since = performance.now();
    proxy.fault = (piece, bytes) => {
      if (piece !== "answer" || performance.now() - since > 3_000) return "none";
      // Answers of the script are lists of one number; those of a handshake are not.
      if (!/^\*1\r\n\$16\r\n\d{16}\r\n/.test(new TextDecoder().decode(bytes))) return "none";
      lost++;
      return "drop answer";
    };
    const lease = await take(lab, "beam", ttl);
    proxy.fault = "no requests"; // and from now on it cannot be renewed
    assert(lost > 1, `lost ${lost} answers`);
    assertEquals(JSON.parse((await admin.get(leaseName(lab)))!).fence, lease.fence);
    let isThere = true;
    let looks = 0;
    while (isThere) {
      isThere = await admin.exists(`${lab.prefix}beam`) === 1;
      // What the server no longer has is no longer believed. The saved signal is told by the timer alone.
      if (!isThere) assert(lease.signal.aborted, "it is believed longer than the server keeps it");
      looks++;
    }
    assert(looks > 10);
    assertEquals(await ended(lease), "expired");
    proxy.fault = "none";
    proxy.drop();
  });

  it("lease() is not held by what is no answer to it: that counts as lost", async () => {
    const redis = new Redis(server.url, { maxRetriesPerRequest: 0 });
    const wrong: unknown[] = [[""], ["true"], ["NaN"], ["1e3"]];
    const client = new Proxy(redis, {
      get(target, name) {
        if (name !== "call") return Reflect.get(target, name, target);
        return async (...args: [string, ...(string | number)[]]) => {
          const answer = await target.call(...args);
          return args.includes("acquire") && wrong.length > 0 ? wrong.shift() : answer;
        };
      },
    });
    await using lab = new CoreDict<Items>(client, { prefix: `l${dictionaries++}:`, timeout: 60_000 });
    await using lease = await lab.lease("beam", 1, { ttl: LONG });
    assertEquals(wrong, []);
    assertEquals(lease!.fence, JSON.parse((await admin.get(leaseName(lab)))!).fence);
    await lab.close();
    redis.disconnect();
  });

  it("Lease.update() begins no new time when the old one is over: neither at its turn nor on its way", async () => {
    const redis = new Redis(server.url, { maxRetriesPerRequest: 0 });
    let isDeaf = false;
    const held = new Map<string, () => void>();
    const client = new Proxy(redis, {
      get(target, name) {
        if (name !== "call") return Reflect.get(target, name, target);
        return async (...args: [string, ...(string | number)[]]) => {
          if (isDeaf && args.includes("renew")) throw new Error("lost");
          const what = ['"stuck"', '"on its way"'].find((it) => args.includes(it) && !held.has(it));
          if (what === '"stuck"') await new Promise<void>((resolve) => held.set(what, resolve));
          const answer = await target.call(...args);
          if (what === '"on its way"') await new Promise<void>((resolve) => held.set(what, resolve));
          return answer;
        };
      },
    });
    await using lab = new CoreDict<Items>(client, { prefix: `l${dictionaries++}:`, timeout: 60_000 });
    const [stuck, sent] = ["stuck", "sent"];
    const names = [stuck, sent].map((key) => [lab.prefix + key, leaseName(lab, key)]);
    const leases = await Promise.all([stuck, sent].map((key) => lab.lease(key, 1, { ttl: 4_000 })));
    isDeaf = true;
    const change = lab.at(stuck, "stuck").set(1).catch((error) => error); // refused: it is a number
    const updates = [leases[0]!.update(2), leases[1]!.update("on its way")];
    const outcomes = Promise.allSettled(updates);
    await until("one waits, and one is on its way", () => held.size === 2);
    // As if a renewal had arrived whose answer was lost.
    for (const name of names.flat()) await admin.pexpire(name, LONG);
    for (const lease of leases) assertEquals(await ended(lease!), "expired");
    for (const goOn of held.values()) goOn();
    const [waited, arrived] = await outcomes;
    assert(waited.status === "rejected" && waited.reason instanceof LeaseEndedError, waited.status);
    assertEquals(await admin.get(names[0][0]), "1");
    assertEquals(arrived.status, "fulfilled"); // it was written
    await until("it is given back", async () => await admin.exists(...names[1]) === 0);
    await change;
    await lab.close();
    redis.disconnect();
  });

  it("lease() that too few replicas have is given back", async () => {
    await using lab = open({ durability: { replicas: 1, timeout: 100 } });
    await assertRejects(() => lab.lease("beam", 1, { ttl: LONG }), DurabilityError);
    assertEquals(await admin.exists(`${lab.prefix}beam`, leaseName(lab)), 0);
  });

  it("lease() of a process that was stopped is over when it runs again, and touches nothing of the next holder", async () => {
    await using lab = open();
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-q", "--no-check", `--config=${new URL("../../deno.json", import.meta.url).pathname}`],
        ...["--allow-net", "--allow-env", "--allow-read"],
        ...[new URL("../support/lease_holder.ts", import.meta.url).pathname, server.url, lab.prefix],
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      await until("it holds it, and looks", async () => await lab.has("looks"));
      child.kill("SIGSTOP");
      const resumeAt = performance.now() + 4_000; // longer than what its timers may be late by themselves
      const lease = await lab.lease("beam", { by: "bob" }, { ttl: LONG, wait: true }); // once it has expired
      assert(lease !== undefined);
      const state = await admin.mget(`${lab.prefix}beam`, leaseName(lab));
      await until("it was stopped for long enough", () => performance.now() > resumeAt);
      child.kill("SIGCONT");
      const { stdout } = await child.output();
      const told = JSON.parse(new TextDecoder().decode(stdout));
      assertEquals(told, {
        believed: false,
        end: "expired",
        update: "LEASE_ENDED",
        released: false,
        fence: told.fence,
      });
      assert(told.fence < lease.fence);
      assertEquals(await admin.mget(`${lab.prefix}beam`, leaseName(lab)), state);
      assertEquals(await lease.release(), true);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    }
  });
});
