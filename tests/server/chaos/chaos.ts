/**
 * Chaos: clients in several processes do all operations at once while the network and the servers fail. In the end
 * nothing may be lost, nothing applied twice, and what the clients saw must fit one order of all that they did. Those who
 * watch, and read through a cache, must show what the server has.
 *
 * @module
 */

import { Redis } from "ioredis";
import { slotOf } from "../../../src/run/slot.ts";
import { startRedis } from "../../../tools/redis_server.ts";
import { TestCluster } from "../../support/cluster.ts";
import { type Fault, FaultProxy } from "../../support/fault_proxy.ts";
import {
  type DictInput,
  dictModel,
  type DictOutput,
  judge,
  type Operation,
} from "../../support/linearizability.ts";
import { Lookout } from "./lookout.ts";
import { KEYS, LOGS, randomOf, type Story, type Subject, type Task } from "./worker.ts";

export type { Subject } from "./worker.ts";

/**
 * Where the clients work: on one server, behind proxies that fail; in a cluster whose slots move while connections are
 * cut; in a cluster that loses a master. In the last one, Redis itself may lose what it has answered.
 */
export type Mode = "standalone" | "cluster" | "failover";

/** One round. */
export interface ChaosOptions {
  readonly mode: Mode;
  readonly subject: Subject;
  readonly milliseconds: number;
  readonly seed: number;
}

/** What became of one round. */
export interface ChaosReport {
  readonly mode: Mode;
  /** Operations whose outcome is known. */
  readonly operations: number;
  /** Calls whose answer was lost until the deadline, and whose fate stayed open. */
  readonly ambiguous: number;
  readonly maybe: number;
  /** Elements that were pushed, answered and are not there; or are there more than once. */
  readonly lost: number;
  readonly twice: number;
  /** What the judge of histories said; `"not asked"` where Redis itself may lose writes. */
  readonly verdict: "linearizable" | "violation" | "budget" | "not asked";
  /** The key and its history, if that is not linearizable. */
  readonly evidence?: readonly Operation<DictInput, DictOutput>[];
  /** Watches and caches that do not show in the end what the server has. */
  readonly behind: readonly string[];
  /** Values that the watches gave, and reads that the cache answered. */
  readonly watched: number;
  readonly hits: number;
  /** How often the network or a server has failed. */
  readonly faults: number;
  /** The longest that a call has taken, in milliseconds. */
  readonly longest: number;
  readonly errors: Readonly<Record<string, number>>;
}

const PROCESSES = 2;
const CLIENTS = 4;
const TIMEOUT = 1_000;
const MAX_STEPS = 2_000_000;

/** A place to work at that fails again and again. */
interface Ground extends AsyncDisposable {
  /** The addresses for each process. */
  readonly urls: readonly (readonly string[])[];
  readonly faults: () => number;
  /** Waits until nothing is on its way any more, and nothing fails, and reads some names. */
  readonly read: (names: readonly string[]) => Promise<(string | null)[]>;
}

/** Runs one round. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { mode, subject, milliseconds, seed } = options;
  const prefix = `chaos:${seed}:`;
  await using ground = await (mode === "standalone" ? startServer(seed) : startCluster(mode, prefix, seed));
  const names = [...KEYS, ...LOGS];
  const lookout = new Lookout(ground.urls[0], prefix, names);
  const stories = await Promise.all(Array.from({ length: PROCESSES }, (_, index) =>
    runWorker({
      ...{ subject, prefix, clients: CLIENTS, first: index * CLIENTS, milliseconds, timeout: TIMEOUT, seed },
      urls: ground.urls[index],
    }))).catch(async (error) => {
      await lookout.close();
      throw error;
    });
  const texts = await ground.read(names.map((key) => prefix + key));
  const behind = await lookout.behind(texts);
  await lookout.close();
  const { values: watched, hits } = lookout;
  const faults = ground.faults();
  return { ...report(stories, texts.slice(KEYS.length), mode), behind, watched, hits, faults };
}

function report(
  stories: readonly Story[],
  texts: readonly (string | null)[],
  mode: Mode,
): Omit<ChaosReport, "behind" | "watched" | "hits" | "faults"> {
  const history = stories.flatMap((story) => story.history);
  let [lost, twice] = [0, 0];
  LOGS.forEach((key, index) => {
    const there = new Map<string, number>();
    for (const id of JSON.parse(texts[index] ?? "[]") as string[]) there.set(id, (there.get(id) ?? 0) + 1);
    for (const copies of there.values()) if (copies > 1) twice++;
    for (const { key: pushed, input, output, applied } of history) {
      if (pushed !== key || input.kind !== "push" || applied === "maybe") continue;
      // Before the list is made, a push is refused.
      if (typeof output !== "string" && !there.has(String(input.items[0]))) lost++;
    }
  });
  const judgement = mode === "failover"
    ? undefined
    : judge(dictModel, prepare(history), { maxSteps: MAX_STEPS });
  const errors: Record<string, number> = {};
  for (const story of stories) {
    for (const [code, count] of Object.entries(story.errors)) errors[code] = (errors[code] ?? 0) + count;
  }
  return {
    mode,
    operations: history.length,
    ambiguous: errors.AMBIGUOUS_RESULT ?? 0,
    maybe: history.filter(({ applied }) => applied === "maybe").length,
    lost,
    twice,
    verdict: judgement === undefined ? "not asked" : judgement.ok ? "linearizable" : judgement.reason,
    ...(judgement === undefined || judgement.ok ? {} : { evidence: judgement.history }),
    longest: Math.round(Math.max(...stories.map((story) => story.longest))),
    errors,
  };
}

/** The lists that are pushed to exist from the start. */
function prepare(history: readonly Operation<DictInput, DictOutput>[]): Operation<DictInput, DictOutput>[] {
  const seeds = LOGS.map((key): Operation<DictInput, DictOutput> => ({
    ...{ client: -1, key, input: { kind: "set", value: [] }, output: undefined, from: 0, to: 1 },
  }));
  return [...seeds, ...history];
}

async function runWorker(task: Task): Promise<Story> {
  const worker = new URL("worker.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", worker, JSON.stringify(task)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await process.output();
  if (code !== 0) throw new Error(`A worker failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout), (_, value) => value === "never" ? Infinity : value);
}

/** Repeats something until stop() is called; a failure stops everything. */
function keepDoing(step: () => Promise<void>): () => Promise<void> {
  let isOver = false;
  const work = (async () => {
    while (!isOver) await step();
  })();
  work.catch(() => {}); // reported by stop()
  return async () => {
    isOver = true;
    await work;
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function startServer(seed: number): Promise<Ground> {
  const server = await startRedis();
  const client = new Redis(server.url);
  await client.mset(Object.fromEntries(LOGS.map((key) => [`chaos:${seed}:${key}`, "[]"])));
  const proxies = await Promise.all(Array.from({ length: PROCESSES }, () => FaultProxy.start(server.url)));
  const random = randomOf(seed);
  const kinds: readonly Fault[] = [
    "drop request",
    "drop answer",
    "drop answer",
    "late request",
    "part of answer",
  ];
  let faults = 0;
  const mute = new Set<FaultProxy>();
  for (const proxy of proxies) {
    proxy.delay = 1 + random(100);
    proxy.fault = () => {
      if (mute.has(proxy)) return "no answers";
      if (random(150) > 0) return "none";
      faults++;
      return kinds[random(kinds.length)];
    };
  }
  const stop = keepDoing(async () => {
    await pause(50 + random(200));
    faults++;
    const proxy = proxies[random(PROCESSES)];
    const turn = random(20);
    if (turn < 5) await client.script("FLUSH");
    else if (turn < 9) proxy.silence();
    else if (turn < 11) {
      // Calls run into their deadline: some were applied, and some come yet.
      mute.add(proxy);
      await pause(TIMEOUT * 1.2);
      mute.delete(proxy);
      proxy.drop(); // no network loses bytes in the middle: each answer would be taken for that of an earlier call
    } else proxy.drop();
  });
  return {
    urls: proxies.map(({ url }) => [url]),
    faults: () => faults,
    async read(names) {
      await stop();
      for (const proxy of proxies) {
        proxy.drop();
        await proxy.settled();
      }
      return await client.mget(...names);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
      client.disconnect();
      await server.stop();
    },
  };
}

async function startCluster(mode: Mode, prefix: string, seed: number): Promise<Ground> {
  const cluster = await TestCluster.start({
    masters: 3,
    replicas: 1,
    nodeTimeout: mode === "failover" ? 1_000 : 15_000,
  });
  const random = randomOf(seed);
  const on = async (name: string): Promise<Redis> => (await cluster.ownerOf(slotOf(name))).client;
  for (const key of LOGS) await (await on(prefix + key)).set(prefix + key, "[]");
  let faults = 0;
  let isKilled = false;
  const stop = keepDoing(async () => {
    await pause(20 + random(100));
    faults++;
    const nodes = await cluster.masters();
    const node = nodes[random(nodes.length)];
    if (random(3) === 0) {
      await node.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    } else if (random(10) === 0) {
      await node.client.script("FLUSH");
    } else if (mode === "cluster") {
      const names = [...KEYS, ...LOGS];
      await cluster.moveSlot(slotOf(prefix + names[random(names.length)]), node, () => pause(random(100)));
    } else if (!isKilled && faults > 3) {
      isKilled = true;
      await cluster.kill(node);
    }
  });
  return {
    urls: Array.from({ length: PROCESSES }, () => cluster.urls),
    faults: () => faults,
    async read(names) {
      await stop();
      await cluster.ready();
      return await Promise.all(names.map(async (name) => await (await on(name)).get(name)));
    },
    async [Symbol.asyncDispose]() {
      await stop().catch(() => {});
      await cluster[Symbol.asyncDispose]();
    },
  };
}
