/**
 * Counters that many processes share: this program starts copies of itself, and all count into one value.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/counters.ts`
 *
 * @module
 */

import { RedisJsonDict } from "@json-dict/redis";

interface Hits {
  total: number;
  byPath: Record<string, number>;
  slowest: { path: string; ms: number } | null;
}

const WORKERS = 3;
const REQUESTS = 200;
const PATHS = ["/", "/about", "/api/v1/scans", "/größe"];
const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";

function open(prefix: string): RedisJsonDict<{ hits: Hits }> {
  return RedisJsonDict.connect<{ hits: Hits }>(url, { prefix });
}

async function work(prefix: string): Promise<void> {
  await using stats = open(prefix);
  const hits = stats.at("hits");
  for (let n = 0; n < REQUESTS; n++) {
    const path = PATHS[n % PATHS.length];
    await Promise.all([
      hits.at("total").increment(),
      hits.at("byPath", path).increment(1, { parents: true }), // starts at 0
    ]);
    await report(stats, path, Math.random() * 100);
  }
}

/** Keeps the slowest request of all: written only if nobody else has written meanwhile. */
async function report(stats: RedisJsonDict<{ hits: Hits }>, path: string, ms: number): Promise<void> {
  const slowest = stats.at("hits", "slowest");
  while (true) {
    const present = await slowest.getOrThrow();
    if (present !== null && present.ms >= ms) return;
    if (await slowest.compareAndSet(present, { path, ms })) return;
  }
}

async function main(): Promise<void> {
  const prefix = `counters:${crypto.randomUUID().slice(0, 8)}:`;
  await using stats = open(prefix);
  await stats.set("hits", { total: 0, byPath: {}, slowest: null });
  const program = new URL(import.meta.url).pathname;
  const workers = Array.from(
    { length: WORKERS },
    () => new Deno.Command(Deno.execPath(), { args: ["run", "-A", program, prefix] }).spawn(),
  );
  const statuses = await Promise.all(workers.map((worker) => worker.status));
  if (!statuses.every((status) => status.success)) throw new Error("A worker failed");
  const { total, byPath, slowest } = await stats.getOrThrow("hits");
  for (const path of PATHS) console.log(`${path.padEnd(14)} ${String(byPath[path]).padStart(4)}`);
  console.log(`${"total".padEnd(14)} ${String(total).padStart(4)} of ${WORKERS * REQUESTS}`);
  console.log(`slowest: ${slowest?.path}, over 90 ms: ${(slowest?.ms ?? 0) > 90}`);
  await stats.clear();
}

const [prefix] = Deno.args;
if (import.meta.main) await (prefix === undefined ? main() : work(prefix));
