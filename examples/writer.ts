/**
 * One of the processes that the demo lets loose on one value: some writers, each of which appends again and again.
 *
 * `writer.ts <json-dict | get-change-set> <prefix> <name> <writers> <appends of each>`. It says when it is ready and
 * waits for a line, so that all processes start at once.
 *
 * @module
 */

import { Redis } from "ioredis";
import { RedisJsonDict } from "@json-dict/redis";

/** What the writers change: a run that collects frames. */
export interface Run {
  frames: string[];
  count: number;
}

type Append = (frame: string) => Promise<void>;

async function main(): Promise<void> {
  const [way, prefix, name, writers, appends] = Deno.args;
  const client = new Redis(Deno.env.get("REDIS_URL") ?? "redis://localhost:6379", {
    maxRetriesPerRequest: 0,
  });
  const append = way === "json-dict" ? withDict(client, prefix) : withGetAndSet(client, prefix);
  await client.ping();
  console.log("ready");
  await Deno.stdin.read(new Uint8Array(16));
  await Promise.all(
    Array.from({ length: Number(writers) }, async (_, writer) => {
      for (let n = 0; n < Number(appends); n++) await append(`${name}${writer}-${n}`);
    }),
  );
  await client.quit();
}

function withDict(client: Redis, prefix: string): Append {
  const run = new RedisJsonDict<{ run: Run }>(client, { prefix }).at("run");
  return async (frame) => {
    // Neither waits for the other; both leave in one call.
    await Promise.all([run.at("frames").push(frame), run.at("count").increment()]);
  };
}

/** What many programs do, and what is lost when two of them do it at once. */
function withGetAndSet(client: Redis, prefix: string): Append {
  return async (frame) => {
    const run: Run = JSON.parse(await client.get(`${prefix}run`) ?? "");
    run.frames.push(frame);
    run.count++;
    await client.set(`${prefix}run`, JSON.stringify(run));
  };
}

if (import.meta.main) await main();
