/** What fromUpstash() sends, what it refuses, and that no error shows the token. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fromUpstash } from "../../src/clients/upstash.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import { redisUrl, uniquePrefix } from "../support/redis.ts";
import { RestServer } from "../support/rest_server.ts";

const TOKEN = "secret-token";

/** All that an error shows, with its causes. */
function shown(error: unknown): string {
  return Deno.inspect(error, { depth: 20, showHidden: true }) + String((error as Error)?.stack);
}

describe("fromUpstash()", () => {
  it("fromUpstash() refuses wrong addresses and tokens before any I/O, and shows none of them", () => {
    const addresses: [unknown, string][] = [
      ["redis://localhost:6379", "it is the address of Redis"],
      ["localhost", "it is no HTTP address"],
      [undefined, "it is no HTTP address"],
      ["https://", "it is no HTTP address"],
      [`https://default:${TOKEN}@x.upstash.io`, "give the token as token"],
      [`https://x.upstash.io/?_token=${TOKEN}`, "give the token as token"],
    ];
    for (const [url, message] of addresses) {
      const error = assertThrows(() => fromUpstash({ url, token: "t" } as never), TypeError, message);
      assert(!shown(error).includes(TOKEN));
    }
    for (const token of [undefined, "", `${TOKEN}\n`, `Bearer ${TOKEN}`, `${TOKEN}é`]) {
      const error = assertThrows(
        () => fromUpstash({ url: "https://x.upstash.io", token } as never),
        TypeError,
        "Cannot use the token",
      );
      assert(!shown(error).includes(TOKEN));
    }
    for (const timeout of [0, NaN, 2 ** 31, "1"]) {
      assertThrows(
        () => fromUpstash({ url: "https://x.upstash.io", token: TOKEN, timeout } as never),
        RangeError,
        "Cannot use the timeout",
      );
    }
    assertThrows(() => fromUpstash(undefined as never), TypeError);
    const client = fromUpstash({ url: "https://x.upstash.io", token: TOKEN });
    assert(!Deno.inspect(client, { showHidden: true, depth: 9 }).includes(TOKEN));
    assert(!JSON.stringify(client).includes(TOKEN));
  });

  it("fromUpstash() sends what is called at once in one request, in order, behind what is under way", async () => {
    await using server = await RestServer.start(redisUrl);
    const client = fromUpstash(server);
    const key = uniquePrefix("rest");
    const calls = [1, 2, 3].map((n) => client.call("RPUSH", key, n));
    assertEquals(await Promise.all(calls), [1, 2, 3]);
    assertEquals(server.requests, 1);
    assertEquals(await client.call("LRANGE", key, 0, -1), ["1", "2", "3"]);
    await assertRejects(() => client.call("GET", key), Error, "WRONGTYPE");
    assertEquals(server.requests, 3);
    // Each request names the state that it must see.
    assertEquals(server.syncTokens, ["token-1", "token-2"]);
    assertEquals(await client.call("DEL", key), 1);
  });

  it("fromUpstash() tells at once that the token is wrong, or that the service refuses", async () => {
    await using server = await RestServer.start(redisUrl);
    const wrong = new RedisJsonDict<{ n: number }>(fromUpstash({ url: server.url, token: TOKEN }), {
      prefix: "rest:",
      timeout: 60_000,
    });
    const error = await assertRejects(() => wrong.set("n", 1), UnavailableError);
    assertEquals(error.reason, "WRONGPASS");
    assert(!shown(error).includes(TOKEN));
    server.mood = "refuses";
    const dict = new RedisJsonDict<{ n: number }>(fromUpstash(server), { prefix: "rest:", timeout: 60_000 });
    await assertRejects(() => dict.set("n", 1), UnavailableError, "max daily request limit");
  });

  it("fromUpstash() takes what is no answer for a lost one, and shows no token", async () => {
    await using server = await RestServer.start(redisUrl);
    const dict = new RedisJsonDict<{ n: number }>(fromUpstash(server), {
      prefix: uniquePrefix("rest"),
      timeout: 1_000,
    });
    await dict.set("n", 1);
    const moods = [["is not JSON", "JSON"], ["fails", "status 502"]] as const;
    for (const [mood, words] of moods) {
      server.mood = mood;
      const error = await assertRejects(() => dict.get("n"), TimeoutError, words);
      assert(!shown(error).includes(server.token));
    }
    server.mood = "answers";
    assertEquals(await dict.get("n"), 1);
  });
});
