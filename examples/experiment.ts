/**
 * The metadata of an experiment: a run takes data, an operator looks on and interferes, nothing is overwritten.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/experiment.ts`
 *
 * @module
 */

import { JsonDictError, RedisJsonDict } from "@json-dict/redis";

interface Experiment {
  scan_id: number;
  sample: { name: string; color: string; positions: number[]; tags?: Record<string, string> };
  run: { status: "idle" | "running" | "paused"; log: string[]; started_ns: bigint | null };
}

const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
const prefix = `experiment:${crypto.randomUUID().slice(0, 8)}:`;

await using lab = RedisJsonDict.connect<Experiment>(url, { prefix, bigints: true });

await lab.update({
  scan_id: 48211,
  sample: { name: "LiCoO₂", color: "black", positions: [] },
  run: { status: "idle", log: [], started_ns: null },
});

// The run: what it issues on one key keeps its order, awaited or not.
const scanId = await lab.at("scan_id").increment();
const log = lab.at((lab) => lab.run.log);
await Promise.all([
  lab.at("run", "status").set("running"),
  lab.at("run", "started_ns").set(1784192940134586021n),
  log.push(`scan ${scanId} started`),
]);
for (const position of [-3.25, 0, 3.25]) {
  await Promise.all([
    lab.at("sample", "positions").push(position),
    log.push(`moved to ${position}`),
  ]);
}

// The operator, elsewhere: pauses only what runs, and tags a sample that has no tags yet.
const paused = await lab.at("run", "status").compareAndSet("running", "paused");
await lab.at("sample", "tags", "checked by").set("ada", { parents: true });
console.log(`paused: ${paused}, ${await log.length()} lines in the log, last: ${await log.at(-1).get()}`);

// A slip is refused, and says where and why.
try {
  await lab.at("sample", "positions", 17).set(0);
} catch (error) {
  if (!(error instanceof JsonDictError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}

for await (const [key, value] of lab) {
  if (key === "sample") console.log(key, value);
}
console.log(`started_ns: ${await lab.at("run", "started_ns").get()}, scan_id: ${await lab.get("scan_id")}`);
await lab.clear();
