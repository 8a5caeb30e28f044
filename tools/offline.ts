/**
 * Says which modules stand behind `@std`: JSR's, or the adapters in `tests/offline` where JSR is out of reach.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

const TIME_LIMIT = 20_000;
const IMPORT_MAP = "tests/offline/import_map.json";
const ENTRY_POINTS: Readonly<Record<string, readonly string[]>> = {
  "@std/assert": [""],
  "@std/testing": ["/bdd"],
};

/** The arguments that make `deno test` and `deno check` find their modules on this machine: none where JSR answers. */
export async function importMapArgs(): Promise<string[]> {
  if (await jsrAnswers()) return [];
  console.error(`JSR is out of reach: the tests use tests/offline in place of @std.`);
  return [`--import-map=${IMPORT_MAP}`];
}

async function jsrAnswers(): Promise<boolean> {
  const specifiers = Object.entries(config.imports).flatMap(([name, target]) =>
    (ENTRY_POINTS[name] ?? []).map((entry) => target + entry)
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "--no-lock", ...specifiers],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  // A network that drops packets would keep us waiting for minutes.
  const timer = setTimeout(() => child.kill("SIGKILL"), TIME_LIMIT);
  const { success } = await child.status;
  clearTimeout(timer);
  return success;
}
