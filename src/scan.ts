/**
 * Iteration: the keys of a dictionary, page by page.
 *
 * @module
 */

import { Refused } from "./failure.ts";
import type { Records } from "./record.ts";
import type { Runner } from "./runner.ts";
import { tagOf } from "./slot.ts";

/** How many keys of the server one step looks at: few round trips, and a server that is busy for about 0.5 ms. */
const COUNT = 1000;

/** How often a cluster whose slots move is walked over. */
const MAX_PASSES = 5;
/** Between two looks at a cluster of which a part is not there, in milliseconds. */
const PAUSE = 50;
const SLOTS = 16_384;

/**
 * Walks over the keys that start with a prefix. One round trip for each 1000 keys of the server, or of each master of a
 * cluster.
 *
 * A key that is there from the first to the last page comes exactly once; one that is made or removed meanwhile
 * comes at most once. A cluster is walked over until no slot has moved meanwhile, but no more than five times.
 *
 * @param runner Sends the commands.
 * @param prefix The prefix of the dictionary.
 * @param records Tells the records of calls from keys.
 * @param timeout How long a part of a cluster may be away, in milliseconds.
 * @returns Pages of names in Redis, prefix included, of strings only; no page is empty.
 */
export async function* scanKeys(
  runner: Runner,
  prefix: string,
  records: Records,
  timeout: number,
): AsyncGenerator<readonly string[], void> {
  const mayMeet = records.mayMeet(prefix);
  const seen = new Set<string>();
  const isNew = (name: string): boolean => {
    if (!name.startsWith(prefix) || seen.has(name) || mayMeet && records.has(name)) return false;
    seen.add(name);
    return true;
  };
  if (!runner.isCluster) return yield* scanServer(runner, prefix, isNew);
  let giveUpAt: number | undefined;
  for (let pass = 1; pass <= MAX_PASSES;) {
    try {
      const masters = runner.masters();
      const layout = await readLayout(runner, masters);
      for (const master of masters) yield* scanServer(master, prefix, isNew);
      giveUpAt = undefined;
      pass++;
      if (!layout.isMoving && layout.text === (await readLayout(runner, runner.masters())).text) return;
    } catch (error) {
      // A master that is gone is replaced by one of its replicas, if there is one.
      giveUpAt ??= performance.now() + timeout;
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Which master has which slots, in its own words. */
interface Layout {
  readonly text: string;
  /** Whether keys are on their way from one master to another. */
  readonly isMoving: boolean;
}

/**
 * Asks masters for their slots.
 *
 * @throws {Refused} If they do not have all slots: then there are masters that the client has not heard of.
 */
async function readLayout(runner: Runner, masters: readonly Runner[]): Promise<Layout> {
  const lines = await Promise.all(masters.map(async (master) => {
    const nodes = String(await master.command("repeat", "CLUSTER", "NODES"));
    const [id, , , , , , , , ...slots] = nodes.split("\n").find((line) =>
      / \S*myself/.test(line)
    )?.split(" ") ?? [];
    return { id, slots };
  }));
  const owned = new Uint8Array(SLOTS);
  for (const range of lines.flatMap(({ slots }) => slots)) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (first !== undefined) owned.fill(1, Number(first), Number(last) + 1);
  }
  const missing = owned.indexOf(0);
  if (missing >= 0) {
    // A master that has not got the slot tells who has, and the client takes note of that.
    await runner.command("repeat", "EXISTS", `{${tagOf(missing)}}`);
    throw new Refused("CLUSTERDOWN", new Error(`No master is known that has slot ${missing}`));
  }
  const text = lines.map(({ id, slots }) => `${id} ${slots.join(" ")}`).sort().join("\n");
  return { text, isMoving: text.includes("[") };
}

async function* scanServer(
  runner: Runner,
  prefix: string,
  isNew: (name: string) => boolean,
): AsyncGenerator<readonly string[], void> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
  const step = (cursor: string): Promise<unknown> => {
    const args = [cursor, "MATCH", pattern, "COUNT", COUNT, "TYPE", "string"];
    const answer = runner.command("repeat", "SCAN", ...args);
    answer.catch(() => {}); // it is told when its turn comes
    return answer;
  };
  // A cursor means nothing to another server, such as a replica that took over, so a new connection begins again.
  let isMoved = false;
  const stop = runner.onChange((event) => isMoved ||= event === "ready");
  let answer = step("0");
  try {
    while (true) {
      const [next, names] = readPage(await answer);
      const isOver = String(next) === "0" && !isMoved;
      // Ahead of time: the server looks for the next page while the caller has this one.
      if (!isOver) answer = step(isMoved ? "0" : next);
      isMoved = false;
      const page = names.filter(isNew);
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
