/** Reads of parts of values: cut out by the server or here, alone or many at once. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import fc from "fast-check";
import { decode } from "../../src/data/decoder.ts";
import { CorruptValueError } from "../../src/errors/value.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { Read } from "../../src/data/op.ts";
import type { Path } from "../../src/data/path.ts";
import { readOptions } from "../../src/run/options.ts";
import { Store } from "../../src/store/store.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { fuzz } from "../support/fuzz.ts";
import { documentText, HOSTILE, locate, pathsOf } from "../support/json_text.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const KINDS = ["get", "type", "length", "keys", "exists"] as const;

/** Says what a read does: its result, the refusal, or the error. */
async function say(store: Store, read: Read): Promise<unknown> {
  return await store.tryRead(read).catch((error) => `${error.name}: ${error.message}`);
}

/** How often the server ran some commands. */
async function counts(own: Redis, ...names: string[]): Promise<Record<string, number>> {
  const stats = await own.info("commandstats");
  return Object.fromEntries(
    names.map((name) => [name, Number(stats.match(new RegExp(`cmdstat_${name}:calls=(\\d+)`))?.[1] ?? 0)]),
  );
}

describe("Places", () => {
  it("read() gives the same, to the byte, whether the server cuts out or the client does", async () => {
    const prefix = uniquePrefix("places");
    const [byScript, byGet] = [0, 1e9].map((readWhole) =>
      new Store(client, readOptions({ prefix, readWhole }))
    );
    const oneCase = fc.record({
      text: fc.oneof({ weight: 9, arbitrary: documentText }, {
        weight: 1,
        arbitrary: fc.constant(undefined),
      }),
      picks: fc.array(
        fc.record({
          kind: fc.constantFrom(...KINDS),
          pick: fc.nat(),
          more: fc.constantFrom<readonly (string | number)[]>([], [], [], [0], [-1], ["a"], ["1"], ["-"], [
            1,
            2,
          ]),
          hostile: fc.constantFrom(undefined, undefined, undefined, ...HOSTILE),
        }),
        { minLength: 1, maxLength: 12 },
      ),
      /** Bytes to put in anywhere, which mostly leaves no JSON. */
      damage: fc.option(fc.tuple(fc.nat(), fc.constantFrom('"', "{", "}", "\\", ",", "]", "")), { freq: 9 }),
    });
    let key = 0;
    await fc.assert(
      fc.asyncProperty(oneCase, async ({ text, picks, damage }) => {
        const name = `k${key++}`;
        const at = damage && text ? damage[0] % text.length : 0;
        const written = damage && text
          ? text.slice(0, at) + damage[1] + text.slice(at + damage[0] % 2)
          : text;
        if (written !== undefined) await client.set(prefix + name, written);
        const all = text === undefined ? [[]] : pathsOf(locate(text)).map(({ path }) => path);
        const reads = picks.map(({ kind, pick, more, hostile }): Read => {
          const path: Path = [
            name,
            ...all[pick % all.length],
            ...more,
            ...(hostile === undefined ? [] : [hostile]),
          ];
          return { kind, path };
        });
        const expected: unknown[] = [];
        for (const read of reads) expected.push(await say(byScript, read));
        await say(byGet, { kind: "exists", path: [name] }); // which tells how long the value is
        const found = await Promise.all(reads.map((read) => say(byGet, read)));
        const isDamaged = written !== undefined && !isJson(written);
        reads.forEach((read, index) => {
          const story = JSON.stringify({ written, read });
          if (!isDamaged) return assertEquals(strip(found[index]), strip(expected[index]), story);
          // The script reads no further than it must, so it may miss what the client takes for a damage.
          if (isCorrupt(found[index])) return;
          assert(typeof found[index] === "string", `${story} ${JSON.stringify(found[index])}`);
          assert(!isMiss(found[index], read), story);
        });
        await client.unlink(prefix + name);
      }),
      fuzz(0.5),
    );
  });

  it("read() of a known small value is a GET, of a large or unknown one the script, and follows the value", async () => {
    await using server = await startRedis();
    const own = new Redis(server.url);
    const lab = new RedisJsonDict<{ v: { a: number; pad: string } }>(own, { prefix: "p:" });
    const used = async (): Promise<string> => {
      const before = await counts(own, "get", "evalsha", "eval");
      assertEquals(await lab.at("v", "a").get(), 1);
      const after = await counts(own, "get", "evalsha", "eval");
      return after.get > before.get ? "GET" : "script";
    };
    const put = (bytes: number) => own.set("p:v", JSON.stringify({ a: 1, pad: "x".repeat(bytes) }));
    try {
      await put(100);
      assertEquals([await used(), await used(), await used()], ["script", "GET", "GET"]);
      await put(30_000);
      assertEquals([await used(), await used(), await used()], ["GET", "script", "script"]);
      await put(100);
      assertEquals([await used(), await used()], ["script", "GET"]);
      const before = await counts(own, "get", "evalsha", "eval");
      await own.del("p:v");
      await lab.at("v", "a").get();
      assertEquals(await lab.at("v", "a").get(), undefined);
      assertEquals((await counts(own, "evalsha")).evalsha, before.evalsha);
      await own.lpush("p:v", 1);
      assertEquals(
        await lab.at("v", "a").get().catch((error) => `${error.name} ${error.found}`),
        "WrongTypeError list",
      );
    } finally {
      own.disconnect();
    }
  });

  it("read() of a part of a damaged value is one GET, tells no miss, and sees no later change", async () => {
    await using server = await startRedis();
    const own = new Redis(server.url);
    const lab = new RedisJsonDict<{ v: { a: number; b: number } }>(own, { prefix: "p:" });
    try {
      await lab.set("v", { a: 1, b: 2 });
      await lab.at("v", "a").get(); // which tells how long the value is
      for (const text of ['{"a":1,"b":', '{"a":1 "b":2}', "oops", ""]) {
        await own.set("p:v", text);
        const before = await counts(own, "evalsha");
        const reads = [lab.at("v", "b").get(), lab.at("v", "b").exists(), lab.at("v", "b").type()];
        const change = lab.set("v", { a: 3, b: 4 });
        for (const read of reads) await assertRejects(() => read, CorruptValueError, "not JSON", text);
        await change;
        // The one script is that of the change.
        assertEquals(await counts(own, "evalsha"), { evalsha: before.evalsha + 1 });
      }
    } finally {
      own.disconnect();
    }
  });

  it("read() of many places of one key at once is one call, of many keys one each", async () => {
    await using server = await startRedis();
    const own = new Redis(server.url);
    const lab = new RedisJsonDict<Record<string, Record<string, number>>>(own, { prefix: "" });
    const value = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`n${index}`, index]));
    try {
      await own.mset(
        "small",
        JSON.stringify(value),
        "large",
        JSON.stringify({ ...value, pad: "x".repeat(20_000) }),
      );
      const readAll = (key: string) => Promise.all(Object.keys(value).map((name) => lab.at(key, name).get()));
      for (const key of ["small", "large"]) await lab.at(key, "n0").get();
      const before = await counts(own, "get", "evalsha");
      assertEquals(await readAll("large"), Object.values(value));
      assertEquals(await counts(own, "get", "evalsha"), { ...before, evalsha: before.evalsha + 1 });
      const [small, large] = await Promise.all([readAll("small"), readAll("large")]);
      assertEquals([small, large], [Object.values(value), Object.values(value)]);
      assertEquals(await counts(own, "get", "evalsha"), { get: before.get + 1, evalsha: before.evalsha + 2 });
    } finally {
      own.disconnect();
    }
  });

  it("read() sees all changes that were issued before it, and none that were issued after it", async () => {
    const prefix = uniquePrefix("places");
    const lab = new RedisJsonDict<Record<string, { n: number; pad: string }>>(client, { prefix });
    const step = fc.constantFrom("change", "change", "read", "read", "wait", "turn");
    await lab.update({ small: { n: 0, pad: "" }, large: { n: 0, pad: "x".repeat(20_000) } });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 2, maxLength: 24 }),
        fc.constantFrom("small", "large"),
        async (steps, key) => {
          await lab.at(key, "n").set(0);
          await lab.at(key, "n").get();
          let issued = 0;
          const seen: Promise<[unknown, number]>[] = [];
          const changes: Promise<unknown>[] = [];
          for (const it of steps) {
            const now = issued;
            if (it === "change") changes.push(lab.at(key, "n").set(++issued));
            else if (it === "read") seen.push(lab.at(key, "n").get().then((found) => [found, now]));
            else if (it === "wait") await seen.at(-1);
            else await undefined;
          }
          for (const [found, expected] of await Promise.all(seen)) {
            assertEquals(found, expected, `${key}: ${steps.join()}`);
          }
          await Promise.all(changes);
        },
      ),
      fuzz(1),
    );
  });
});

function isJson(text: string): boolean {
  try {
    decode(text);
    return true;
  } catch {
    return false;
  }
}

function isMiss(found: unknown, { kind }: Read): boolean {
  return kind === "exists" && found === "false";
}

function isCorrupt(found: unknown): boolean {
  return typeof found === "object" && found !== null && "code" in found && found.code === "CORRUPT";
}

/** Without what only one of the two can know. */
function strip(found: unknown): unknown {
  return typeof found === "object" && found !== null ? { ...found, index: 0 } : found;
}
