/**
 * Long chaos runs: `deno task chaos --minutes 10 --mode all --seed 1`. Ends with 1 if anything was lost, applied twice,
 * does not fit one order, or was not seen by a watch; the history of it is written to a file.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { type ChaosReport, type Mode, runChaos, type Subject } from "./chaos.ts";

const MODES: readonly Mode[] = ["standalone", "cluster", "failover"];
const SUBJECTS: readonly Subject[] = ["exactly-once", "brought client", "at-most-once"];

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    mode: { type: "string", default: "all" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    round: { type: "string", default: "8" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    "deno task chaos [--minutes 1] [--mode standalone|cluster|failover|all] [--seed N] [--round SECONDS]",
  );
  Deno.exit(0);
}
const modes = MODES.filter((mode) => values.mode === "all" || values.mode === mode);
const [minutes, seconds, first] = [values.minutes, values.round, values.seed].map(Number);
if (modes.length === 0 || ![minutes, seconds, first].every((it) => it >= 0)) {
  console.error("Cannot read the arguments; --help shows them");
  Deno.exit(2);
}

const turns = modes.flatMap((mode) =>
  // What is sent once only has little to fear from slots that move.
  (mode === "standalone" ? SUBJECTS : SUBJECTS.slice(0, 2)).map((subject) => ({ mode, subject }))
);
const totals = new Map<string, Record<string, number>>();
const startedAt = Date.now();
const bar = new SingleBar({
  noTTYOutput: true,
  notTTYSchedule: 10_000,
  format: "{bar} {value} of {total} s | {rounds} rounds | {operations} operations | {bad} bad",
});
const state = { rounds: 0, operations: 0, bad: 0 };
bar.start(Math.round(minutes * 60), 0, state);
const elapsed = (): number => Math.round((Date.now() - startedAt) / 1000);
const ticker = setInterval(() => bar.update(Math.min(elapsed(), minutes * 60), state), 1000);

for (let round = 0; round < turns.length || elapsed() < minutes * 60; round++) {
  const { mode, subject } = turns[round % turns.length];
  const seed = first + round;
  const report = await runChaos({ mode, subject, milliseconds: seconds * 1000, seed });
  state.rounds++;
  state.operations += report.operations;
  if (isBad(report)) {
    state.bad++;
    const file = await Deno.makeTempFile({ prefix: `chaos-${seed}-`, suffix: ".json" });
    await Deno.writeTextFile(file, JSON.stringify({ subject, seed, ...report }, undefined, 1));
    console.error(
      `\nround with seed ${seed}, ${mode}, ${subject}: ${report.verdict}, ${report.behind.length} behind, see ${file}`,
    );
  }
  add(`${mode}, ${subject}`, report);
}
clearInterval(ticker);
bar.update(Math.min(elapsed(), minutes * 60), state);
bar.stop();
console.table(Object.fromEntries(totals));
console.log(`seeds ${first} to ${first + state.rounds - 1}; ${state.bad} of ${state.rounds} rounds were bad`);
Deno.exit(state.bad === 0 ? 0 : 1);

function isBad({ mode, lost, twice, verdict, behind }: ChaosReport): boolean {
  if (behind.length > 0) return true;
  // Without a failover nothing may be lost; with one, Redis may lose what it has answered.
  return twice > 0 || mode !== "failover" && lost > 0 || verdict === "violation";
}

function add(name: string, report: ChaosReport): void {
  const total = totals.get(name) ?? {
    ...{ rounds: 0, operations: 0, faults: 0, ambiguous: 0, open: 0, lost: 0, twice: 0 },
    ...{ watched: 0, "from cache": 0, behind: 0 },
    ...{ linearizable: 0, violations: 0, undecided: 0, "longest, ms": 0 },
  };
  totals.set(name, total);
  total.rounds++;
  total.operations += report.operations;
  total.faults += report.faults;
  total.ambiguous += report.ambiguous;
  total.open += report.maybe;
  total.lost += report.lost;
  total.twice += report.twice;
  total.watched += report.watched;
  total["from cache"] += report.hits;
  total.behind += report.behind.length;
  if (report.verdict === "linearizable") total.linearizable++;
  if (report.verdict === "violation") total.violations++;
  if (report.verdict === "budget") total.undecided++;
  total["longest, ms"] = Math.max(total["longest, ms"], report.longest);
}
