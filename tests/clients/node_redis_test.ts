/** What fromNodeRedis() refuses, and what a dictionary makes of the state and the errors of node-redis. */

import { EventEmitter } from "node:events";
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { createClient, createClientPool, createCluster, createSentinel } from "redis";
import { createClient as createClient5, createClientPool as createClientPool5 } from "redis5";
import { fromNodeRedis } from "../../src/clients/node_redis.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { UnavailableError } from "../../src/errors/delivery.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

// node-redis leaves timers behind.
Deno.test.sanitizer({ ops: false, resources: false });

const beside = testClient();
const LONG = 60_000;

const VERSIONS = [["6", createClient], ["5", createClient5 as unknown as typeof createClient]] as const;

describe("fromNodeRedis()", () => {
  it("fromNodeRedis() refuses clients whose commands have no order, or that change keys", () => {
    const cases: [unknown, string][] = [
      [undefined, "it is no client of node-redis"],
      [{}, "it is no client of node-redis"],
      [beside, "it is no client of node-redis"],
      [createClientPool(), "it is a pool, whose commands have no order"],
      [createClientPool5(), "it is a pool, whose commands have no order"],
      [
        createSentinel({ name: "m", sentinelRootNodes: [{ host: "127.0.0.1", port: 1 }] }),
        "it is a Sentinel client",
      ],
      [createClient({ keyPrefix: "app:" } as never), 'it has keyPrefix "app:"; give the dictionary a prefix'],
      [createCluster({ rootNodes: [], keyPrefix: "app:" } as never), 'it has keyPrefix "app:"'],
    ];
    for (const [client, message] of cases) {
      assertThrows(() => fromNodeRedis(client as never), TypeError, `Cannot use the client: ${message}`);
    }
  });

  it("fromNodeRedis() returns the same client each time, and listens once", () => {
    const client = createClient();
    const adapter = fromNodeRedis(client);
    const count = client.listenerCount("error");
    assertStrictEquals(fromNodeRedis(client), adapter);
    assertEquals(client.listenerCount("error"), count);
  });

  for (const [version, create] of VERSIONS) {
    it(`fromNodeRedis() tells a client of node-redis ${version} that was closed from one that waits`, async () => {
      const client = create({ url: redisUrl });
      const adapter = fromNodeRedis(client);
      const dict = new RedisJsonDict<{ n: number }>(adapter, { prefix: uniquePrefix("nr"), timeout: LONG });
      assertEquals(adapter.status, "wait");
      await dict.set("n", 1);
      assertEquals(adapter.status, "ready");
      await client.close();
      assertEquals(adapter.status, "end");
      const error = await assertRejects(() => dict.get("n"), UnavailableError);
      assertEquals(error.reason, "CLOSED");
    });

    it(`fromNodeRedis() ends calls when node-redis ${version} has given up`, async () => {
      const proxy = await FaultProxy.start(redisUrl);
      const client = create({ url: proxy.url, socket: { reconnectStrategy: false } });
      const prefix = uniquePrefix("nr");
      const dict = new RedisJsonDict<{ n: number }>(fromNodeRedis(client), { prefix, timeout: LONG });
      await dict.set("n", 1);
      proxy.fault = "drop request";
      const error = await assertRejects(() => dict.get("n"));
      assert(error instanceof UnavailableError || (error as Error).name === "TimeoutError", String(error));
      await proxy[Symbol.asyncDispose]();
    });

    it(`fromNodeRedis() tells at once that there is no such database, with node-redis ${version}`, async () => {
      const client = create({ url: `${redisUrl}/99999` });
      const dict = new RedisJsonDict<{ n: number }>(fromNodeRedis(client), {
        prefix: "late:",
        timeout: LONG,
      });
      const error = await assertRejects(() => dict.set("n", 1), UnavailableError, "DB index is out of range");
      assertEquals(error.reason, "ERR");
      client.destroy();
      assertEquals(await beside.exists("n"), 0);
    });

    it(`fromNodeRedis() knows the answers of a server in a minified node-redis ${version}`, async () => {
      const client = create({ url: redisUrl });
      // What a bundler makes of the names of classes.
      const send = client.sendCommand.bind(client);
      client.sendCommand = ((...args: Parameters<typeof send>) =>
        send(...args).catch((error) => {
          for (
            let at = Object.getPrototypeOf(error);
            at !== Error.prototype;
            at = Object.getPrototypeOf(at)
          ) {
            Object.defineProperty(at.constructor, "name", { value: "t" });
          }
          throw error;
        })) as never;
      const dict = new RedisJsonDict<{ n: number }>(fromNodeRedis(client), {
        prefix: uniquePrefix("nr"),
        timeout: LONG,
      });
      await beside.script("FLUSH");
      await dict.set("n", 1);
      await client.sendCommand(["SET", `${dict.prefix}n`, "{"]);
      await assertRejects(() => dict.at("n").increment(), Error, "is not JSON");
      client.destroy();
    });
  }

  it("fromNodeRedis() takes back what node-redis has not written when the connection is lost", async () => {
    /** Node-redis as it is between taking a command and writing it. */
    class Slow extends EventEmitter {
      isOpen = true;
      isReady = true;
      connect(): Promise<void> {
        return Promise.resolve();
      }
      sendCommand(_args: string[], { abortSignal }: { abortSignal: AbortSignal }): Promise<never> {
        return new Promise((_, reject) => {
          abortSignal.addEventListener("abort", () => reject(new Error("The command was aborted")));
        });
      }
    }
    const client = new Slow();
    const adapter = fromNodeRedis(client as never);
    const told: string[] = [];
    for (const event of ["close", "error", "ready", "end"] as const) {
      adapter.on?.(event, () => told.push(event));
    }
    const calls = ["a", "b"].map((name) => adapter.call("GET", name));
    client.isReady = false;
    client.emit("error", new Error("Socket closed unexpectedly"));
    for (const call of calls) await assertRejects(() => call, Error, "aborted");
    assertEquals(told, ["error", "close"]);
    assertThrows(() => adapter.call("GET", "c"), Error, "not connected");
    client.emit("error", new Error("connect ECONNREFUSED"));
    client.isReady = true;
    client.emit("ready");
    client.isOpen = client.isReady = false;
    client.emit("error", new Error("Socket closed unexpectedly"));
    assertEquals(told, ["error", "close", "error", "ready", "error", "close", "end"]);
    assertEquals(adapter.status, "end");
  });
});
