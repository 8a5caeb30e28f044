import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertRejects } from "@std/assert";
import { CorruptValueError, RedisJsonDict } from "@json-dict/redis";
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
