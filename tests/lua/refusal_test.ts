import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { CorruptValueError, RedisJsonDict, UnavailableError } from "@json-dict/redis";
import { startRedis } from "../../tools/redis_server.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

/** Texts that are no JSON and look like what the scripts answer, the empty one like "none". */
const TEXTS = ["", "!NO_KEY 0 ", "!NOT_FOUND 0 ", "!TEST 0 ", "!", "!TYPE 1 string"];

const client = testClient();
const prefix = uniquePrefix("refusal");
const dict = new RedisJsonDict<Record<string, number>>(client, { prefix });

describe("a value that looks like an answer of the script", () => {
  for (const text of TEXTS) {
    it(`get, getOrInsert and compareAndSet of ${JSON.stringify(text)} tell that it is corrupt and leave it`, async () => {
      await client.set(`${prefix}a`, text);
      await assertRejects(() => dict.at("a").get(), CorruptValueError);
      await assertRejects(() => dict.at("a").getOrThrow(), CorruptValueError);
      await assertRejects(() => dict.getOrInsert("a", 1), CorruptValueError);
      await assertRejects(() => dict.at("a").getOrInsert(1), CorruptValueError);
      await assertRejects(() => dict.at("a").compareAndSet(1, 2), CorruptValueError);
      assertEquals(await client.get(`${prefix}a`), text);
    });

    it(`pop of ${JSON.stringify(text)} carries the text that it removed`, async () => {
      await client.set(`${prefix}a`, text);
      const error = await assertRejects(() => dict.pop("a"), CorruptValueError);
      assertEquals((error as CorruptValueError).text?.trimStart(), text);
      assertEquals(await client.exists(`${prefix}a`), 0);
    });
  }
});

describe("changes of one turn where memory is short", () => {
  it("set and patch fail by OOM, and what needs no memory is done", async () => {
    await using server = await startRedis({ args: ["--maxmemory-policy", "noeviction"] });
    const own = new Redis(server.url, { maxRetriesPerRequest: 0 });
    try {
      const lab = new RedisJsonDict<Record<string, string | number>>(own, { prefix: "lab:" });
      await lab.update({ v: "x", w: 1 });
      await own.config("SET", "maxmemory", "1");
      const outcomes = await Promise.allSettled([
        lab.delete("v"),
        lab.set("v", "y"),
        lab.patch("v", [{ op: "add", path: "", value: 2 }]),
        lab.expire("v", 1000),
        lab.delete("none"),
        lab.expire("none", 1000),
      ]);
      const said = outcomes.map((outcome) => {
        if (outcome.status === "fulfilled") return outcome.value;
        return outcome.reason instanceof UnavailableError ? outcome.reason.reason : outcome.reason;
      });
      assertEquals(said, [true, "OOM", "OOM", false, false, false]);
      assertEquals([await lab.get("v"), await lab.get("w")], [undefined, 1]);
    } finally {
      own.disconnect();
    }
  });
});
