/**
 * Iteration: the keys of a dictionary, page by page.
 *
 * @module
 */

import type { Records } from "./record.ts";
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
 * @param records Tells the records of calls from keys.
 * @returns Pages of names in Redis, prefix included, of strings only; no page is empty.
 */
export async function* scanKeys(
  runner: Runner,
  prefix: string,
  records: Records,
): AsyncGenerator<readonly string[], void> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
  const step = (cursor: string): Promise<unknown> => {
    const answer = runner.command(
      "repeat",
      "SCAN",
      cursor,
      "MATCH",
      pattern,
      "COUNT",
      COUNT,
      "TYPE",
      "string",
    );
    answer.catch(() => {}); // it is told when its turn comes
    return answer;
  };
  const mayMeet = records.mayMeet(prefix);
  const seen = new Set<string>();
  // A cursor means nothing to another server, such as a replica that took over, so a new connection begins again.
  let isMoved = false;
  const stop = runner.onChange((event) => isMoved ||= event === "ready");
  let answer = step("0");
  try {
    while (true) {
      const [next, keys] = readPage(await answer);
      const isOver = String(next) === "0" && !isMoved;
      // Ahead of time: the server looks for the next page while the caller has this one.
      if (!isOver) answer = step(isMoved ? "0" : next);
      isMoved = false;
      const page = keys.filter((key) => {
        if (!key.startsWith(prefix) || seen.has(key) || mayMeet && records.has(key)) return false;
        seen.add(key);
        return true;
      });
      if (page.length > 0) yield page;
      if (isOver) return;
    }
  } finally {
    stop();
    await answer.catch(() => {});
  }
}

function readPage(answer: unknown): [next: string, keys: string[]] {
  if (Array.isArray(answer) && answer.length === 2 && Array.isArray(answer[1])) return [answer[0], answer[1]];
  throw new Error("Cannot read the answer to SCAN: expected a cursor and keys, received something else");
}
