/**
 * A program that watches on a client whose own connection does not keep it alive. It is bundled, and run by every runtime.
 *
 * @module
 */

import { Redis } from "ioredis";
import { createClient } from "redis";
import { createClient as createClient5 } from "redis5";
import process from "node:process";
import { cached } from "../../src/api/cached.ts";
import { RedisJsonDict } from "../../src/api/core.ts";
import { fromNodeRedis } from "../../src/clients/node_redis.ts";
import type { RedisClient } from "../../src/run/client.ts";

const [url, prefix, kind, what] = process.argv.slice(2);

async function open(): Promise<RedisClient> {
  if (kind === "ioredis") {
    const client = new Redis(url);
    await new Promise<void>((resolve) => client.once("ready", () => resolve()));
    client.stream.unref();
    return client as unknown as RedisClient;
  }
  const client = (kind === "redis5" ? createClient5 as unknown as typeof createClient : createClient)({
    url,
  });
  await client.connect();
  client.unref();
  return fromNodeRedis(client);
}

const lab = new RedisJsonDict<Record<string, unknown>>(await open(), { prefix, heartbeat: 200 });
const reads = cached(lab, new Map());
await reads.ready();
await reads.get("x");
const [watch, all] = [lab.at("x").watch(), lab.watch({ initial: true })];
await watch.next();
await all.next();
await lab.set("short", 1, { ttl: 3_600_000 });
await all.next(); // its expiry has a timer
console.log("watching");
process.on("exit", () => console.log("the end"));
if (what === "waits") {
  // Not by `await` of the module: that alone keeps a process of Deno and Bun.
  watch.next().then(({ value }) => console.log(`heard ${JSON.stringify(value)}`)); // and nobody waits any more
}
