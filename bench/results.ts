/**
 * The results of a whole run as a file, `bench/results.json`, which `bench/README.md` describes.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import type { Report, Section } from "./report.ts";

/** What the figures belong to. */
export interface Environment {
  /** As `Redis 7.0.15`. */
  readonly server: string;
  /** As `linux x86_64`. */
  readonly system: string;
  readonly cores: number;
  /** How busy the machine was before, as the system counts it. */
  readonly load: number;
  /** Whether few rounds were done. */
  readonly isQuick: boolean;
}

/** Writes the file. */
export async function writeResults(
  report: Report,
  environment: Environment,
  seconds: number,
): Promise<void> {
  const { server, system, cores, load, isQuick } = environment;
  const sections: readonly Section[] = report.sections;
  const results = {
    schema: 1,
    date: new Date().toISOString(),
    machine: { system, cores, load },
    versions: { "json-dict": config.version, server, deno: Deno.version.deno, v8: Deno.version.v8 },
    isQuick,
    seconds: Math.round(seconds),
    sections,
    goals: report.goals,
    pictures: report.pictures,
  };
  await Deno.writeTextFile(new URL("results.json", import.meta.url), JSON.stringify(results, null, 1) + "\n");
}
