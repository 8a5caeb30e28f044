/**
 * One of the processes that the demo lets loose on one value: some writers, each of which appends again and again.
 *
 * `writer.ts <json-dict | by-hand> <prefix> <name> <writers> <appends of each>`. It says when it is ready and
 * waits for a line, so that all processes start at once.
 *
 * @module
 */

import { Redis } from "ioredis";
import { RedisJsonDict, type Ref } from "@json-dict/redis";

/** What the writers change: a run that collects frames. */
export interface Run {
  frames: string[];
  count: number;
}

async function main(): Promise<void> {
  const [way, prefix, name, writers, appends] = Deno.args;
  const client = new Redis(Deno.env.get("REDIS_URL") ?? "redis://localhost:6379", {
    maxRetriesPerRequest: 0,
  });
  const run = new RedisJsonDict<{ run: Run }>(client, { prefix }).at("run");
  await client.ping();
  console.log("ready");
  await Deno.stdin.read(new Uint8Array(16));
  await Promise.all(
    Array.from({ length: Number(writers) }, async (_, writer) => {
      for (let n = 0; n < Number(appends); n++) {
        const frame = `${name}${writer}-${n}`;
        await (way === "json-dict" ? appendHere(run, frame) : appendByHand(client, `${prefix}run`, frame));
      }
    }),
  );
  await client.quit();
}

/** What many programs do, and what is lost when two of them do it at once. The demo shows these lines. */
async function appendByHand(redis: Redis, key: string, frame: string): Promise<void> {
  const run = JSON.parse(await redis.get(key) ?? "");
  run.frames.push(frame);
  run.count++;
  await redis.set(key, JSON.stringify(run));
}

/** The same as two changes that leave in one call. The demo shows these lines. */
async function appendHere(run: Ref<Run>, frame: string): Promise<void> {
  const pushed = run.at("frames").push(frame);
  await Promise.all([pushed, run.at("count").increment()]);
}

if (import.meta.main) await main();
