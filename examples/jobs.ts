/**
 * A job store: several workers claim jobs and note what came of them. Each job is claimed once.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/jobs.ts`
 *
 * @module
 */

import { RedisJsonDict } from "@json-dict/redis";

const WORKERS = 4;
const JOBS = 120;

interface Job {
  state: "waiting" | "running" | "done";
  input: number;
  worker?: string;
  result?: number;
}

interface Store {
  jobs: Record<string, Job>;
}

const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
await using store = RedisJsonDict.connect<Store>(url, { prefix: "jobs:" });

/** Takes the first job that waits. The recipe may run again when others were faster; it claims only once. */
async function claim(worker: string): Promise<string | undefined> {
  return await store.at("jobs").edit((jobs) => {
    for (const [id, job] of Object.entries(jobs)) {
      if (job.state !== "waiting") continue;
      job.state = "running";
      job.worker = worker;
      return id;
    }
  });
}

/** Works until no job waits. Returns how many it has done. */
async function work(worker: string): Promise<number> {
  let count = 0;
  for (let id = await claim(worker); id !== undefined; id = await claim(worker)) {
    const input = await store.at("jobs", id, "input").getOrThrow();
    await store.at("jobs", id).merge({ state: "done", result: input ** 2 });
    count++;
  }
  return count;
}

const [worker] = Deno.args;
if (worker !== undefined) {
  console.log(await work(worker));
} else {
  const jobs: [string, Job][] = Array.from(
    { length: JOBS },
    (_, index) => [`job${index}`, { state: "waiting", input: index }],
  );
  await store.set("jobs", Object.fromEntries(jobs));
  // Each worker is a process of its own.
  const counts = await Promise.all(Array.from({ length: WORKERS }, async (_, index) => {
    const args = ["run", "-A", "--quiet", import.meta.filename!, `worker ${index}`];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
    return Number(new TextDecoder().decode(stdout));
  }));
  const all = Object.values(await store.getOrThrow("jobs"));
  const isRight = all.every(({ state, input, result }) => state === "done" && result === input ** 2);
  console.log(`${counts.reduce((sum, count) => sum + count, 0)} claims for ${JOBS} jobs`);
  console.log(`all done, each with its result: ${isRight}`);
  await store.clear();
}
