/**
 * A program that writes one key as fast as it can: `fast_writer.ts <url> <key> <count> <round>`. Each value has its number
 * and the round.
 *
 * @module
 */

import { Redis } from "ioredis";

const BATCH = 1000;
const [url, key, count, round] = Deno.args;
const client = new Redis(url);
for (let from = 1; from <= Number(count); from += BATCH) {
  const pipeline = client.pipeline();
  for (let n = from; n < from + BATCH; n++) pipeline.set(key, `{"n":${n},"round":${round}}`);
  await pipeline.exec();
}
client.disconnect();
