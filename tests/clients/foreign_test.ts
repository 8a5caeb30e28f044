/** Clients of other libraries that are passed as they are. */

import { describe, it } from "@std/testing/bdd";
import { assertThrows } from "@std/assert";
import { createClient, createCluster } from "redis";
import { createClient as createClient5 } from "redis5";
import { RedisJsonDict } from "../../src/api/dict.ts";

describe("new RedisJsonDict()", () => {
  it("new RedisJsonDict() names the function to use for the client of another library", () => {
    const bun = { connected: false, connect() {}, send() {} };
    const upstash = { createScript() {}, evalsha() {}, pipeline() {} }; // methods of the class of @upstash/redis
    const cases: [unknown, string][] = [
      [createClient(), "fromNodeRedis(client) of @json-dict/redis/node-redis"],
      [createClient5(), "fromNodeRedis(client) of @json-dict/redis/node-redis"],
      [createCluster({ rootNodes: [] }), "fromNodeRedis(client) of @json-dict/redis/node-redis"],
      [bun, "fromBun(client) of @json-dict/redis/bun"],
      [upstash, "fromUpstash({ url, token }) of @json-dict/redis/upstash"],
      [{}, "pass a Redis of ioredis, or use RedisJsonDict.connect(url)"],
      ["redis://localhost", "pass a Redis of ioredis, or use RedisJsonDict.connect(url)"],
    ];
    for (const [client, advice] of cases) {
      assertThrows(
        () => new RedisJsonDict(client as never, { prefix: "foreign:" }),
        TypeError,
        `Cannot use the client: it has no method call(command, ...args); ${
          advice.startsWith("pass") ? "" : "for "
        }`,
      );
      assertThrows(() => new RedisJsonDict(client as never, { prefix: "foreign:" }), TypeError, advice);
    }
  });
});
