/** lease.lua alone: who holds a value, until when, and under which number. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { LEASE } from "../../src/call/scripts.gen.ts";
import { startRedis } from "../../tools/redis_server.ts";

// A server of its own: its memory and its users are changed.
const server = await startRedis();
const client = new Redis(server.url);
Deno.test.afterAll(async () => {
  client.disconnect();
  await server.stop();
});
let cases = 0;

/** The names of a lease that nobody has used. */
function newNames(): { readonly value: string; readonly lease: string; readonly counter: string } {
  const id = cases++;
  return { value: `v${id}`, lease: `l${id}`, counter: `c${id}` };
}
type Names = ReturnType<typeof newNames>;

async function run({ value, lease, counter }: Names, ...args: (string | number)[]): Promise<string> {
  const [reply] = await client.eval(LEASE.text, 3, value, lease, counter, ...args) as string[];
  return reply;
}

async function once(
  { value, lease, counter }: Names,
  record: string,
  on: Redis,
  ...args: (string | number)[]
): Promise<string> {
  const time = Date.now() + 40_000;
  const all = [value, lease, counter, record, "once", 4, 80_000, time, ...args];
  return (await on.eval(LEASE.text, 4, ...all) as string[])[0];
}

/** What is in Redis, and whether it expires within a time. */
async function look({ value, lease }: Names, ttl = 60_000): Promise<(string | null)[]> {
  for (const name of [value, lease]) {
    const left = await client.pttl(name);
    assert(left === -2 || left > 0 && left <= ttl, `${name}: ${left}`);
  }
  return await client.mget(value, lease);
}

const sha1 = async (text: string): Promise<string> =>
  [...new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");

describe("lease.lua", () => {
  it("acquire writes the value, whose it is, and the number, and both expire together", async () => {
    const names = newNames();
    const before = Date.now() * 1000;
    const fence = await run(names, "acquire", "ada", 60_000, '{"a":"é"}');
    assert(Number(fence) >= before - 1e6 && Number(fence) <= (Date.now() + 1_000) * 1000, fence);
    const lease = `{"owner":"ada","fence":${fence},"sha1":"${await sha1('{"a":"é"}')}"}`;
    assertEquals(await look(names), ['{"a":"é"}', lease]);
    assertEquals(await client.get(names.counter), fence);
    assertEquals(await client.pttl(names.counter), -1);
    assert(Math.abs(await client.pttl(names.value) - await client.pttl(names.lease)) < 1_000);
  });

  it("acquire takes nothing that is there, and says how long it is busy", async () => {
    const names = newNames();
    await run(names, "acquire", "ada", 60_000, "1");
    const state = await look(names);
    for (const owner of ["bob", "ada"]) {
      const reply = await run(names, "acquire", owner, 60_000, "1");
      const left = Number(/^!TEST 0 (\d+)$/.exec(reply)?.[1]);
      assert(left > 30_000 && left <= 60_000, reply);
    }
    assertEquals(await look(names), state);
    const plain = newNames();
    await client.set(plain.value, "2");
    assertEquals(await run(plain, "acquire", "ada", 60_000, "1"), "!TEST 0 -1");
    const alone = newNames(); // somebody removed the value: the holder may not know it yet
    await client.set(alone.lease, "x", "PX", 60_000);
    assert(/^!TEST 0 \d+$/.test(await run(alone, "acquire", "ada", 60_000, "1")));
    const list = newNames();
    await client.rpush(list.value, "1");
    assertEquals(await run(list, "acquire", "ada", 60_000, "1"), "!WRONG_TYPE 0 list");
    for (const { counter } of [plain, alone, list]) assertEquals(await client.exists(counter), 0);
  });

  it("renew, replace and release compare the owner and the text of the value", async () => {
    const touched: [string, (names: Names) => Promise<unknown>, string, string | null][] = [
      ["another owner", () => Promise.resolve(), "expired", "1"],
      ["a foreign SET", (names) => client.set(names.value, "2", "PX", 50_000), "changed", "2"],
      ["a foreign DEL", (names) => client.del(names.value), "removed", null],
      ["a flush", (names) => client.del(names.value, names.lease), "expired", null],
      ["a lease that is none", (names) => client.set(names.lease, "x", "PX", 50_000), "expired", "1"],
    ];
    for (const [what, touch, why, value] of touched) {
      const names = newNames();
      await run(names, "acquire", "ada", 60_000, "1");
      await touch(names);
      const owner = what === "another owner" ? "bob" : "ada";
      const [, lease] = await look(names);
      for (const op of [["renew", owner, 90_000], ["replace", owner, 90_000, "3"]]) {
        assertEquals(await run(names, ...op), `!TEST 0 ${why}`, what);
        assertEquals(await look(names), [value, lease], what);
      }
      assertEquals(await run(names, "release", owner), "false", what);
      // What was not changed by others stays theirs; what was ours is gone.
      const isOurs = why === "changed" || why === "removed";
      assertEquals(await look(names), [value, isOurs ? null : lease], what);
    }
    const names = newNames();
    await run(names, "acquire", "ada", 60_000, "1");
    await client.del(names.value);
    await client.rpush(names.value, "1");
    assertEquals(await run(names, "renew", "ada", 60_000), "!TEST 0 changed");
    assertEquals(await run(names, "release", "ada"), "false");
    assertEquals(await client.exists(names.value), 1);
  });

  it("renew moves the expiry of both, also where somebody has written the same text without one", async () => {
    const names = newNames();
    await run(names, "acquire", "ada", 20_000, "1");
    await client.set(names.value, "1");
    assertEquals(await run(names, "renew", "ada", 90_000), "");
    assert(await client.pttl(names.value) > 60_000);
    assert(await client.pttl(names.lease) > 60_000);
    assertEquals((await look(names, 90_000))[0], "1");
  });

  it("replace keeps the number, and the lease is whole with the new text", async () => {
    const names = newNames();
    const fence = await run(names, "acquire", "ada", 20_000, "1");
    assertEquals(await run(names, "replace", "ada", 60_000, "[2]"), "");
    assertEquals(await look(names), [
      "[2]",
      `{"owner":"ada","fence":${fence},"sha1":"${await sha1("[2]")}"}`,
    ]);
    assertEquals(await run(names, "renew", "ada", 60_000), "");
    assertEquals(await run(names, "release", "ada"), "true");
    assertEquals(await client.exists(names.value, names.lease), 0);
    assertEquals(await client.get(names.counter), fence);
  });

  it("acquire gives growing numbers, where the clock goes back and where the counter is lost", async () => {
    const names = newNames();
    const take = async (): Promise<number> => {
      const fence = Number(await run(names, "acquire", "ada", 60_000, "1"));
      await run(names, "release", "ada");
      return fence;
    };
    const first = await take();
    const later = first + 3_600_000_000; // as if the clock had been an hour ahead
    await client.set(names.counter, later);
    assertEquals([await take(), await take()], [later + 1, later + 2]);
    await client.del(names.counter);
    assert(await take() > first);
    // One counter for all keys of a slot.
    const other = { ...newNames(), counter: names.counter };
    const last = await take();
    assert(Number(await run(other, "acquire", "ada", 60_000, "1")) > last);
  });

  it("an op with a record is done once, and not when it comes late", async () => {
    const names = newNames();
    const fence = await once(names, "r1", client, "acquire", "ada", 60_000, "1");
    assertEquals(await once(names, "r1", client, "acquire", "ada", 60_000, "1"), fence);
    assertEquals(await once(names, "r2", client, "acquire", "bob", 60_000, "1").then((it) => it[0]), "!");
    assertEquals(await once(names, "r3", client, "release", "ada"), "true");
    assertEquals(await once(names, "r3", client, "release", "ada"), "true");
    // Copies that come now take nothing, neither of what was granted nor of what was refused.
    assertEquals(await once(names, "r1", client, "acquire", "ada", 60_000, "1"), fence);
    assertEquals(await once(names, "r2", client, "acquire", "bob", 60_000, "1").then((it) => it[0]), "!");
    assertEquals(await client.exists(names.value, names.lease), 0);
    const { value, lease, counter } = names;
    const late = [
      value,
      lease,
      counter,
      "r4",
      "once",
      4,
      80_000,
      Date.now() - 1_000,
      "acquire",
      "eve",
      1,
      "1",
    ];
    await assertRejects(() => client.eval(LEASE.text, 4, ...late), Error, "LATE");
    assertEquals(await client.exists(names.value, "r4"), 0);
  });

  it("where memory is short nothing is taken, and what is held can be renewed and given back", async () => {
    const [held, free] = [newNames(), newNames()];
    await run(held, "acquire", "ada", 60_000, "1");
    await client.config("SET", "maxmemory", "1");
    try {
      for (const record of [undefined, "o1"]) {
        const take = record === undefined
          ? run(free, "acquire", "bob", 60_000, "1")
          : once(free, record, client, "acquire", "bob", 60_000, "1");
        await assertRejects(() => take, Error, "OOM");
      }
      await assertRejects(() => once(held, "o2", client, "replace", "ada", 60_000, "2"), Error, "OOM");
      assertEquals(await client.exists(free.value, free.lease, free.counter, "o1", "o2"), 0);
      assertEquals((await look(held))[0], "1");
      assertEquals(await run(held, "renew", "ada", 60_000), "");
      assertEquals(await once(held, "o3", client, "renew", "ada", 60_000), "");
      assertEquals(await once(held, "o4", client, "release", "ada"), "true");
    } finally {
      await client.config("SET", "maxmemory", "0");
    }
    assertEquals(await client.exists(held.value, held.lease), 0);
  });

  it("a user who may not write a name, or not keep or give back what it takes, changes nothing", async () => {
    // Servers before 7.0 do not say what a user may.
    const says = await client.eval("return redis.acl_check_cmd and 1 or 0", 0) === 1;
    const fewer = says
      ? [["%R~c*", "+@all"], ["~c*", "+@all", "-pexpire"], ["~c*", "+@all", "-del"]]
      : [["+@all"], ["~c*", "+@all", "-set"]];
    for (const rules of fewer) {
      const names = newNames();
      await client.call("ACL", "SETUSER", "few", "reset", "on", ">pw", "~v*", "~l*", "~r*", ...rules);
      const few = new Redis(server.url.replace("redis://", "redis://few:pw@"));
      try {
        const error = await once(names, "r9", few, "acquire", "ada", 60_000, "1").catch((error) => error);
        assert(/NOPERM|can't run this command/.test(error.message), error.message);
      } finally {
        few.disconnect();
      }
      assertEquals(await client.exists(names.value, names.lease, names.counter, "r9"), 0);
    }
  });
});
