/** The contract on the client of Bun, in Bun. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertThrows } from "@std/assert";
import { fromBun } from "../../src/clients/bun.ts";
import { run } from "../../tools/command.ts";
import { findBun } from "../support/bun.ts";
import { redisUrl, uniquePrefix } from "../support/redis.ts";
import { CONTRACT } from "./contract.ts";

describe("fromBun()", () => {
  it("fromBun() makes a client that keeps the whole contract, in Bun", async () => {
    const program = new URL("bun_program.ts", import.meta.url).pathname;
    const env = { REDIS_URL: redisUrl, PREFIX: uniquePrefix("bun") };
    const { ok, output } = await run(await findBun(), ["run", program], { env });
    const lines = output.trim().split("\n").filter((line) => line.startsWith("{"));
    const results = lines.map((line): { name: string; error?: string } => JSON.parse(line));
    assertEquals(results.filter(({ error }) => error !== undefined), []);
    assertEquals(results.map(({ name }) => name).sort(), CONTRACT.map(({ name }) => name).sort(), output);
    assertEquals(ok, true, output);
  });

  it("fromBun() refuses what is no client of Bun", () => {
    for (const client of [undefined, null, 1, {}, { send() {} }, { connected: true }]) {
      assertThrows(() => fromBun(client as never), TypeError, "pass its redis, or a RedisClient of it");
    }
  });

  it("fromBun() returns the same client each time", () => {
    const client = { connected: false, connect: () => Promise.resolve(), send: () => Promise.resolve() };
    assertEquals(fromBun(client) === fromBun(client), true);
  });
});
