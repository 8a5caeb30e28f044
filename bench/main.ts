/**
 * Runs the benchmarks on REDIS_URL: `deno task bench [--quick] [section...]`.
 *
 * @module
 */

import { Bench } from "./bench.ts";
import { benchBurst } from "./burst.ts";
import { benchClient } from "./client.ts";
import { benchEdit } from "./edit.ts";
import { benchHot } from "./hot.ts";
import { benchIteration } from "./iteration.ts";
import { benchMemory } from "./memory.ts";
import { benchNestedSet } from "./nested_set.ts";
import { benchPlain } from "./plain.ts";
import { benchReads } from "./reads.ts";
import { benchRecord } from "./record.ts";
import { Report } from "./report.ts";
import { benchShapes, benchSizes } from "./sizes.ts";

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
  "plain": benchPlain,
};

const flags = Deno.args.filter((arg) => arg.startsWith("-"));
const names = Deno.args.filter((arg) => !arg.startsWith("-"));
const unknown = [
  ...flags.filter((flag) => flag !== "--quick"),
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
const report = new Report();
const bench = new Bench(url, flags.includes("--quick"), report);
try {
  await bench.load();
  console.log(await environment(bench));
  for (const name of names.length > 0 ? names : Object.keys(SECTIONS)) {
    const begun = performance.now();
    await SECTIONS[name](bench);
    report.note(`(${seconds(begun)})`);
  }
  report.summary();
  report.note(`${seconds(start)} in all`);
} finally {
  await bench.close();
}

async function environment({ client, isQuick }: Bench): Promise<string> {
  const info = await client.info("server");
  const field = (name: string) => info.match(new RegExp(`^${name}:(.+?)\r?$`, "m"))?.[1];
  const version = field("valkey_version")
    ? `Valkey ${field("valkey_version")}`
    : `Redis ${field("redis_version")}`;
  const { os, arch } = Deno.build;
  const load = Deno.loadavg()[0].toFixed(1);
  return [
    `${version}, Deno ${Deno.version.deno}, ${os} ${arch}, ${navigator.hardwareConcurrency} cores, load ${load}`,
    isQuick ? "Few rounds (--quick): the figures are rough." : "",
  ].filter(Boolean).join("\n");
}

function seconds(begun: number): string {
  return `${((performance.now() - begun) / 1000).toFixed(0)} s`;
}
