/**
 * Races of several processes.
 *
 * @module
 */

import { assert } from "@std/assert";

const WORKER = new URL("race_worker.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/**
 * Runs a job of `race_worker.ts` in several processes at once.
 *
 * @param processes Their names, or how many.
 * @param url The server.
 * @param prefix The prefix of the dictionary.
 * @param job The name of the job.
 * @param clients How many clients each process has.
 * @param rounds How many rounds each client does.
 * @returns What each client got.
 */
export async function runWorkers(
  processes: readonly string[] | number,
  url: string,
  prefix: string,
  job: string,
  clients: number,
  rounds: number,
): Promise<unknown[][]> {
  const names = typeof processes === "number"
    ? Array.from({ length: processes }, (_, index) => `p${index}.`)
    : processes;
  const args = [
    "run",
    "-q",
    "--no-check",
    `--config=${CONFIG}`,
    "--allow-net",
    "--allow-env",
    "--allow-read",
    WORKER,
  ];
  const outputs = await Promise.all(names.map(async (name) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args, url, prefix, job, String(clients), String(rounds), name],
      stdout: "piped",
      stderr: "inherit",
    });
    const { success, stdout } = await child.output();
    assert(success, `the process for ${job} failed`);
    return JSON.parse(new TextDecoder().decode(stdout)) as unknown[][];
  }));
  return outputs.flat();
}
