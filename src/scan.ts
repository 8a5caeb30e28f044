/**
 * Iteration: the keys of a dictionary, page by page.
 *
 * @module
 */

import type { Runner } from "./runner.ts";

/** How many keys of the server one step looks at: few round trips, and a server that is busy for about 0.5 ms. */
const COUNT = 1000;

/**
 * Walks over the keys that start with a prefix. One round trip for each 1000 keys of the server.
 *
 * A key that is there from the first to the last page comes exactly once; one that is made or removed meanwhile
 * comes at most once.
 *
 * @param runner Sends the commands.
 * @param prefix The prefix of the dictionary.
 * @returns Pages of names in Redis, prefix included, of strings only; no page is empty.
 */
export async function* scanKeys(runner: Runner, prefix: string): AsyncGenerator<readonly string[], void> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
  const seen = new Set<string>();
  // A cursor means nothing to another server, such as a replica that took over, so a new connection begins again.
  let isMoved = false;
  const stop = runner.onChange(() => isMoved = true);
  try {
    let cursor = "0";
    while (true) {
      if (cursor === "0") isMoved = false;
      const answer = await runner.command("SCAN", cursor, "MATCH", pattern, "COUNT", COUNT, "TYPE", "string");
      const [next, keys] = answer as [string, string[]];
      const page = keys.filter((key) => {
        if (!key.startsWith(prefix) || seen.has(key)) return false;
        seen.add(key);
        return true;
      });
      if (page.length > 0) yield page;
      if (isMoved) cursor = "0";
      else if (String(next) === "0") return;
      else cursor = next;
    }
  } finally {
    stop();
  }
}
