/** The contract on every client that Deno can run, on one server. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { Redis as Valkey } from "iovalkey";
import { createClient } from "redis";
import { createClient as createClient5 } from "redis5";
import { fromNodeRedis } from "../../src/clients/node_redis.ts";
import { fromUpstash } from "../../src/clients/upstash.ts";
import type { RedisClient } from "../../src/run/client.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, uniquePrefix } from "../support/redis.ts";
import { RestServer } from "../support/rest_server.ts";
import { type Check, CONTRACT } from "./contract.ts";

// iovalkey, ioredis 5 and node-redis leave timers behind. That no connection is left is checked in any case.
Deno.test.sanitizer({ ops: false, resources: false });

/** A client, and how to end it. */
interface Opened {
  readonly client: RedisClient;
  close(): void;
}

interface Kind {
  readonly name: string;
  /** Whether it can deliver at most once; else how the dictionary refuses to. */
  readonly atMostOnce?: string;
  /** Starts what it needs beside a Redis. */
  serve?(): Promise<{ readonly url: string } & AsyncDisposable>;
  open(url: string, server: unknown): Opened;
}

const retryStrategy = (): number => 5;
const reconnectStrategy = (): number => 5;
const ofIoredis = (
  client: { disconnect(): void; on(event: "error", listener: () => void): unknown },
): Opened => {
  client.on("error", () => {});
  return { client: client as unknown as RedisClient, close: () => client.disconnect() };
};

const KINDS: readonly Kind[] = [
  {
    name: "ioredis 6",
    open: (url) => ofIoredis(new Redis(url, { maxRetriesPerRequest: 0, retryStrategy })),
  },
  {
    name: "ioredis 6 as it is",
    atMostOnce: "make it with maxRetriesPerRequest: 0",
    open: (url) => ofIoredis(new Redis(url, { retryStrategy })),
  },
  {
    name: "ioredis 5",
    open: (url) => ofIoredis(new Redis5(url, { maxRetriesPerRequest: 0, retryStrategy })),
  },
  {
    name: "iovalkey",
    open: (url) => ofIoredis(new Valkey(url, { maxRetriesPerRequest: 0, retryStrategy })),
  },
  {
    name: "node-redis 6",
    open: (url) => {
      const client = createClient({ url, socket: { reconnectStrategy } });
      return { client: fromNodeRedis(client), close: () => client.destroy() };
    },
  },
  {
    name: "node-redis 6 with RESP 2 and bytes",
    open: (url) => {
      const client = createClient({
        ...{ url, socket: { reconnectStrategy }, RESP: 2, disableOfflineQueue: true },
        commandOptions: { typeMapping: { 36: Uint8Array }, timeout: 1 },
      } as never);
      return { client: fromNodeRedis(client), close: () => client.destroy() };
    },
  },
  {
    name: "node-redis 5",
    open: (url) => {
      const client = createClient5({ url, socket: { reconnectStrategy } });
      return { client: fromNodeRedis(client), close: () => client.destroy() };
    },
  },
  {
    name: "Upstash's REST",
    atMostOnce: "may send a request again whose answer was lost",
    serve: () => RestServer.start(redisUrl),
    open: (url, server) => {
      const { token } = server as RestServer;
      return {
        client: fromUpstash({ url: url.replace("redis:", "http:"), token }),
        close: () => {},
      };
    },
  },
];

/** Runs a check on a client of its own, behind a network of its own. */
async function runOn({ atMostOnce, serve, open }: Kind, check: Check): Promise<void> {
  const server = await serve?.();
  const proxy = await FaultProxy.start(server?.url ?? redisUrl);
  const { client, close } = open(proxy.url, server);
  try {
    await check.run({
      client,
      atMostOnce: atMostOnce ?? true,
      prefix: uniquePrefix("contract"),
      network: { set: (fault) => proxy.fault = fault, drop: () => proxy.drop() },
    });
  } finally {
    close();
    await proxy[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  }
}

for (const kind of KINDS) {
  describe(`RedisJsonDict on ${kind.name}`, () => {
    for (const check of CONTRACT.filter(({ isSlow }) => !isSlow)) {
      it(`RedisJsonDict on ${kind.name} ${check.name}`, () => runOn(kind, check));
    }
  });
}

describe("RedisJsonDict on all clients at once", () => {
  for (const check of CONTRACT.filter(({ isSlow }) => isSlow)) {
    it(`RedisJsonDict on all clients at once ${check.name}`, async () => {
      const runs = await Promise.allSettled(KINDS.map((kind) => runOn(kind, check)));
      const failed = runs.flatMap((run, index) =>
        run.status === "rejected" ? [`${KINDS[index].name}: ${run.reason?.stack ?? run.reason}`] : []
      );
      assertEquals(failed, []);
    });
  }
});
