/**
 * The process of the demo that looks on: it prints each item that changes, whoever changes it, as a line of JSON.
 *
 * `watcher.ts <prefix>`. Its first line says that it has seen all that was there. It ends when its input does.
 *
 * @module
 */

import { RedisJsonDict } from "@json-dict/redis";

const [prefix] = Deno.args;
const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
await using lab = RedisJsonDict.connect(url, { prefix });
const end = new AbortController();
Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => end.abort());

let isReady = false;
try {
  for await (const { key, value } of lab.watch({ initial: true, signal: end.signal })) {
    if (key === undefined) console.log(JSON.stringify("ready"));
    // What was there before is of no interest here.
    if (isReady) console.log(JSON.stringify({ key, value }));
    isReady ||= key === undefined;
  }
} catch (error) {
  if (!end.signal.aborted) throw error;
}
