/**
 * Iteration: the keys of a dictionary, page by page.
 *
 * @module
 */

import { readCommand, readList, readPage } from "../call/answer.ts";
import { Refused } from "./failure.ts";
import type { Lanes } from "./lanes.ts";
import { isRecord } from "./record.ts";
import type { Runner } from "./runner.ts";
import { tagOf } from "./slot.ts";

/** How many keys one step visits: few round trips, and the server is busy for about 0.5 ms. */
const COUNT = 1000;

/** How often a cluster is scanned if its slots move meanwhile. */
const MAX_PASSES = 5;
/** Clients return it for bytes that are not UTF-8; a key may also contain it. */
const REPLACEMENT = "\uFFFD";
/** The pause before a cluster is scanned again when a part of it was down, in milliseconds. */
const PAUSE = 50;
const SLOTS = 16_384;

/** Some keys, and the cursor for the next page; `"0"` at the end, and always in a cluster. */
export interface Page {
  /** Names in Redis, prefix included, of strings only; at least one. */
  readonly keys: readonly string[];
  /** The cursor. */
  readonly next: string;
}

/**
 * Walks over the keys that start with a prefix. One round trip for each 1000 keys of the server, or of each master of a
 * cluster.
 *
 * A key that is there from the first to the last page comes exactly once; one that is made or removed meanwhile
 * comes at most once. A name that is not UTF-8 is left out: no string addresses it. A cluster is scanned again until no
 * slot has moved meanwhile, but at most five times.
 *
 * @param runner Sends the commands.
 * @param prefix The prefix of the dictionary.
 * @param timeout How long a part of a cluster may be down, in milliseconds.
 * @param lanes Each page is read after the changes that were issued before it; none when left out.
 * @param from The cursor to begin with; a cluster is always scanned as a whole.
 * @returns Pages.
 */
export async function* scanKeys(
  runner: Runner,
  prefix: string,
  timeout: number,
  lanes?: Lanes,
  from: string = "0",
): AsyncGenerator<Page, void> {
  const seen = new Set<string>();
  const isNew = (name: string): boolean => {
    if (!name.startsWith(prefix) || seen.has(name) || isRecord(name)) return false;
    seen.add(name);
    return true;
  };
  const select = async (names: readonly string[]): Promise<readonly string[]> => {
    const unsure = names.filter((name) => name.includes(REPLACEMENT, prefix.length));
    const types = await Promise.all(
      unsure.map((name) => runner.command((answer) => readCommand("TYPE", answer), "TYPE", name)),
    );
    const strangers = new Set(unsure.filter((_, index) => types[index] !== "string"));
    return names.filter((name) => !strangers.has(name) && isNew(name)); // new only once nothing can fail any more
  };
  if (!runner.isCluster) return yield* scanServer(runner, prefix, select, lanes, from);
  let giveUpAt: number | undefined;
  for (let pass = 1; pass <= MAX_PASSES;) {
    try {
      const masters = runner.masters();
      const layout = await readLayout(runner, masters);
      for (const master of masters) {
        for await (const { keys } of scanServer(master, prefix, select, lanes)) yield { keys, next: "0" };
      }
      giveUpAt = undefined;
      pass++;
      if (!layout.isMoving && layout.text === (await readLayout(runner, runner.masters())).text) return;
    } catch (error) {
      // A replica may take over from a master that failed.
      giveUpAt ??= performance.now() + timeout;
      if (performance.now() > giveUpAt || runner.isEnded) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Which master has which slots, as each master reports it. */
interface Layout {
  readonly text: string;
  /** Whether keys are on their way from one master to another. */
  readonly isMoving: boolean;
}

/**
 * Asks masters for their slots.
 *
 * @throws {Refused} If they do not have all slots: then the client does not know all masters.
 */
async function readLayout(runner: Runner, masters: readonly Runner[]): Promise<Layout> {
  const lines = await Promise.all(masters.map(async (master) => {
    const [nodes] = await master.command((answer) => readList("CLUSTER NODES", [answer]), "CLUSTER", "NODES");
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
    // A master without the slot replies with the address of its owner, and the client learns it.
    await runner.command(String, "EXISTS", `{${tagOf(missing)}}`);
    throw new Refused("CLUSTERDOWN", new Error(`No master is known that has slot ${missing}`));
  }
  const text = lines.map(({ id, slots }) => `${id} ${slots.join(" ")}`).sort().join("\n");
  return { text, isMoving: text.includes("[") };
}

async function* scanServer(
  runner: Runner,
  prefix: string,
  select: (names: readonly string[]) => Promise<readonly string[]>,
  lanes: Lanes | undefined,
  from: string = "0",
): AsyncGenerator<Page, void> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
  const step = (cursor: string) => {
    const args = [cursor, "MATCH", pattern, "COUNT", COUNT, "TYPE", "string"];
    const answer = runner.command(readPage, "SCAN", ...args);
    answer.catch(() => {}); // reported when the answer is awaited
    return answer;
  };
  // A cursor means nothing to another server, such as a replica that took over, so a new connection begins again.
  let isMoved = false;
  const stop = runner.onChange((event) => isMoved ||= event === "ready");
  let cursor = from;
  let issued = lanes?.issued;
  let answer = step(cursor);
  try {
    while (true) {
      if (issued !== lanes?.issued) {
        // Changes were issued since the page was asked for: ask again behind them.
        await answer.catch(() => {});
        await lanes!.idle();
        issued = lanes!.issued;
        answer = step(isMoved ? "0" : cursor);
        isMoved = false;
      }
      const [next, names] = await answer;
      const isOver = next === "0" && !isMoved;
      // Prefetch: the server scans the next page while the caller uses this one.
      cursor = isMoved ? "0" : next;
      issued = lanes?.issued;
      if (!isOver) answer = step(cursor);
      isMoved = false;
      const keys = await select(names);
      if (keys.length > 0) yield { keys, next };
      if (isOver) return;
    }
  } finally {
    stop();
    await answer.catch(() => {});
  }
}
