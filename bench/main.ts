/**
 * Runs the benchmarks on REDIS_URL: `deno task bench [--quick] [section...]`. `--check` only looks for a step of the engine
 * that is far slower than it should be, and fails then.
 *
 * @module
 */

import { Bench } from "./bench.ts";
import process from "node:process";
import { SingleBar } from "cli-progress";
import { benchBurst } from "./burst.ts";
import { checkFloors } from "./check.ts";
import { benchClient } from "./client.ts";
import { benchEdit } from "./edit.ts";
import { benchHold } from "./hold.ts";
import { benchHot } from "./hot.ts";
import { benchIteration } from "./iteration.ts";
import { benchMemory } from "./memory.ts";
import { benchNestedSet } from "./nested_set.ts";
import { drawPictures } from "./pictures.ts";
import { benchPlain } from "./plain.ts";
import { benchProcessor } from "./processor.ts";
import { benchReads } from "./reads.ts";
import { benchRecord } from "./record.ts";
import { Report } from "./report.ts";
import { type Environment, writeResults } from "./results.ts";
import { benchShapes, benchSizes } from "./sizes.ts";
import { benchWatch } from "./watch.ts";

const SECTIONS: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  "nested-set": benchNestedSet,
  "sizes": benchSizes,
  "shapes": benchShapes,
  "client": benchClient,
  "burst": benchBurst,
  "edit": benchEdit,
  "hot": benchHot,
  "record": benchRecord,
  "iteration": benchIteration,
  "memory": benchMemory,
  "reads": benchReads,
  "watch": benchWatch,
  "hold": benchHold,
  "processor": benchProcessor,
  "plain": benchPlain,
};

const flags = Deno.args.filter((arg) => arg.startsWith("-"));
const names = Deno.args.filter((arg) => !arg.startsWith("-"));
const unknown = [
  ...flags.filter((flag) => flag !== "--quick" && flag !== "--check"),
  ...names.filter((name) => !(name in SECTIONS)),
];
if (unknown.length > 0) {
  console.error(`Cannot run ${unknown.join(", ")}: the sections are ${Object.keys(SECTIONS).join(", ")}`);
  Deno.exit(2);
}
const url = Deno.env.get("REDIS_URL");
if (!url) {
  console.error("Cannot run: REDIS_URL is not set; `deno task bench` starts a server and sets it");
  Deno.exit(2);
}

const start = performance.now();
const bar = new SingleBar({
  format: "{bar} {value} of {total} sections | {duration_formatted} | {section}",
  hideCursor: true,
  clearOnComplete: true,
  stream: process.stderr,
});
const report = new Report((text) => {
  if (Deno.stderr.isTerminal()) process.stderr.write("\r\x1b[K"); // the bar draws itself again
  console.log(text);
});
const bench = new Bench(url, flags.includes("--quick"), report);
let slow: readonly string[] = [];
try {
  await bench.load();
  const environment = await look(bench);
  console.log(describe(environment));
  if (flags.includes("--check")) {
    slow = await checkFloors(bench);
  } else {
    const chosen = names.length > 0 ? names : Object.keys(SECTIONS);
    bar.start(chosen.length, 0, { section: "" });
    for (const name of chosen) {
      bar.update({ section: name });
      const begun = performance.now();
      await SECTIONS[name](bench);
      report.note(`(${seconds(begun)})`);
      bar.increment();
    }
    bar.stop();
    report.summary();
    if (names.length === 0) {
      await writeResults(report, environment, (performance.now() - start) / 1000);
      await drawPictures(report.pictures);
    }
  }
  console.log(`\n${seconds(start)} in all`);
} finally {
  bar.stop();
  await bench.close();
}
for (const line of slow) console.error(line);
if (slow.length > 0) Deno.exit(1);

async function look({ client, isQuick }: Bench): Promise<Environment> {
  const info = await client.info("server");
  const field = (name: string) => info.match(new RegExp(`^${name}:(.+?)\r?$`, "m"))?.[1];
  const server = field("valkey_version")
    ? `Valkey ${field("valkey_version")}`
    : `Redis ${field("redis_version")}`;
  const { os, arch } = Deno.build;
  return {
    server,
    system: `${os} ${arch}`,
    cores: navigator.hardwareConcurrency,
    load: Number(Deno.loadavg()[0].toFixed(1)),
    isQuick,
  };
}

function describe({ server, system, cores, load, isQuick }: Environment): string {
  return [
    `${server}, Deno ${Deno.version.deno}, ${system}, ${cores} cores, load ${load}`,
    isQuick ? "Few rounds (--quick): the figures are rough." : "",
  ].filter(Boolean).join("\n");
}

function seconds(begun: number): string {
  return `${((performance.now() - begun) / 1000).toFixed(0)} s`;
}
