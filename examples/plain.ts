/**
 * A script in the manner of a notebook: plain statements on values that other processes change, too.
 *
 * It stops the event loop at each statement, and so is no model for a server.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/plain.ts`
 *
 * @module
 */

import { connect, dictionary, toPlain } from "@json-dict/redis/sync";

interface Lab {
  sample: { color: string; positions: number[]; tags?: string[] };
  runs: { id: number; frames: number; done?: boolean }[];
  scan_id: number;
}

const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
using lab = connect<Lab>(url, { prefix: `plain:${crypto.randomUUID()}:` });

lab.sample = { color: "red", positions: [1] };
lab.sample.color = "blue";
lab.sample.positions.push(3, 2);
lab.sample.positions.sort((a, b) => a - b);
lab.sample.tags = ["new"];
delete lab.sample.tags;
console.log(lab.sample);

lab.scan_id = 48212;
lab.runs = [];
for (const frames of [100, 250, 80]) {
  const id = dictionary(lab).at("scan_id").increment();
  lab.runs.push({ id, frames });
}
for (const run of lab.runs) if (run.frames >= 100) run.done = true;
const open = lab.runs.filter((run) => !run.done);
console.log(
  "open:",
  open.map((run) => run.id),
  "frames:",
  lab.runs.reduce((sum, run) => sum + run.frames, 0),
);

const before = toPlain(lab.sample); // a copy that stays
lab.sample.color = "green";
console.log(before.color, "->", lab.sample.color, "| keys:", Object.keys(lab).sort());

const moved = dictionary(lab).edit((draft) => {
  draft.sample.positions = draft.sample.positions.map((position) => position + 0.5);
  return draft.sample.positions; // all of it or nothing, whatever others do
});
console.log("moved to", moved);
console.log("removed:", dictionary(lab).clear());
