/**
 * A dashboard: shows in a terminal what an experiment in another process does, and stops it when it gets too hot.
 *
 * Both hold the same run as a document that follows: the experiment writes its progress, and sees that it is to pause;
 * the dashboard draws each state, and pauses it. Nobody asks in a loop. `dashboard.ts [frames]` starts the experiment,
 * and ends with it, or by Ctrl-C.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/dashboard.ts`
 *
 * @module
 */

import { styleText } from "node:util";
import Table from "cli-table3";
import { createLogUpdate } from "log-update";
import process from "node:process";
import { type Following, RedisJsonDict } from "@json-dict/redis";

/** What both processes share. */
interface Run {
  status: "running" | "done";
  scan_id: number;
  frames: number;
  total: number;
  paused: boolean;
  temperature: number;
  motors: Record<string, number>;
  counts: number[];
  log: string[];
}

type Lab = { run: Run };

/** The dashboard pauses the run above the one, and lets it go on below the other. */
const TOO_HOT = 60;
const COOL = 40;
const WIDTH = 24;

const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
const isTerminal = Deno.stdout.isTerminal();
const interruption = new AbortController();
Deno.addSignalListener("SIGINT", () => interruption.abort());

/** The experiment: takes frames, moves motors, heats up; cools down while it is paused. */
async function experiment(lab: RedisJsonDict<Lab>): Promise<void> {
  await using run = await lab.at("run").live({ follow: true });
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));
  while (!interruption.signal.aborted) {
    const { document } = run;
    if (document === undefined || document.frames === document.total) break;
    if (document.paused) {
      document.temperature -= 3;
    } else { // all of it is one call
      document.frames++;
      document.temperature += 4;
      document.motors.x = Math.round(100 * Math.sin(document.frames / 5)) / 100;
      document.motors.y += 0.5;
      document.counts.push(Math.round(500 + 300 * Math.sin(document.frames / 3)));
      if (document.counts.length > WIDTH) document.counts.shift();
    }
    await run.settled();
    await pause();
  }
  if (run.document) run.document.status = "done";
}

/** The dashboard. */
async function dashboard(lab: RedisJsonDict<Lab>, prefix: string, total: number): Promise<void> {
  await lab.set("run", {
    ...{ status: "running", scan_id: 48_212, frames: 0, total, paused: false, temperature: 20 },
    ...{ motors: { x: 0, y: 0 }, counts: [], log: ["started"] },
  });
  await using run = await lab.at("run").live({ follow: true });
  const screen = createLogUpdate(process.stdout);
  const draw = (): void => {
    const now = run.snapshot();
    if (now && isTerminal) screen(picture(now));
  };
  const guard = (): void => {
    const { document } = run;
    if (document === undefined) return;
    const isDue = document.paused ? document.temperature <= COOL : document.temperature >= TOO_HOT;
    if (!isDue) return;
    document.paused = !document.paused;
    document.log.push(document.paused ? `too hot at frame ${document.frames}: paused` : "cool: goes on");
  };
  run.subscribe(draw);
  run.subscribe(guard);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", import.meta.filename!, "experiment", prefix],
    env: { REDIS_URL: url },
  }).spawn();
  const isOver = child.status;
  interruption.signal.addEventListener("abort", () => {
    try {
      child.kill("SIGINT"); // from a terminal it has come to both already
    } catch {
      // it is over
    }
  });
  await isOver;
  await run.settled(); // what the experiment wrote last is here
  if (isTerminal) screen.done();
  else console.log(picture(run.snapshot()!));
}

/** One picture of a run. */
function picture(run: NonNullable<ReturnType<Following<Run>["snapshot"]>>): string {
  const share = run.frames / run.total;
  const bar = "█".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, "░");
  const [least, most] = [Math.min(...run.counts), Math.max(...run.counts)];
  const line = run.counts.map((count) => "▁▂▃▄▅▆▇█"[Math.round(7 * (count - least) / (most - least || 1))]);
  const hot = run.temperature >= TOO_HOT || run.paused ? "red" : "green";
  const table = new Table({ style: { head: [], border: [] }, colWidths: [14, WIDTH + 10] });
  const colour = (format: "red" | "green" | "cyan" | "yellow", text: string): string =>
    isTerminal && !Deno.noColor ? styleText(format, text, { validateStream: false }) : text;
  const status = run.paused && run.status === "running" ? "paused" : run.status;
  table.push(
    ["scan", String(run.scan_id)],
    ["status", colour(status === "paused" ? "yellow" : "cyan", status)],
    ["frames", `${bar} ${run.frames}/${run.total}`],
    ["temperature", colour(hot, `${run.temperature} °C`)],
    ["motors", Object.entries(run.motors).map(([name, at]) => `${name} ${at.toFixed(2)}`).join("   ")],
    ["counts", line.join("")],
    ["log", run.log.slice(-3).join("\n")],
  );
  return table.toString();
}

const [first, second] = Deno.args;
const isExperiment = first === "experiment";
const prefix = isExperiment ? second : `dashboard:${crypto.randomUUID().slice(0, 8)}:`;
{
  await using lab = RedisJsonDict.connect<Lab>(url, { prefix });
  if (isExperiment) await experiment(lab);
  else {
    await dashboard(lab, prefix, Number(first ?? 60));
    await lab.clear();
  }
}
Deno.exit(interruption.signal.aborted && !isExperiment ? 130 : 0);
