import { Redis } from "ioredis";
import { RedisJsonDict } from "../mod.ts";
import type { Bench } from "./bench.ts";
import { type Contender, measure } from "./measure.ts";
import { changeByGetSet, changeByWatch } from "./peers.ts";
import { micros, ratio } from "./report.ts";

const EDITS = 1000;
const PROCESSES = 8;
const EDITS_OF_EACH = 100;
/** The peers, one by one. */
const WATCH = "WATCH, MULTI, one by one";
const GET_SET = "GET, SET, one by one";

interface Items {
  x: { n: number; parts: { n: number }[]; rest: string };
  cart: { items: { sku: string; price: number; qty: number }[]; total: number };
}

type Lab = RedisJsonDict<Items>;

const NEW: Items["x"] = { n: 0, parts: Array.from({ length: 10 }, () => ({ n: 0 })), rest: "x".repeat(300) };

/** What edits cost that wait for the same key: of one client, and of eight processes. */
export async function benchHot(bench: Bench): Promise<void> {
  await burst(bench);
  await processes(bench);
}

async function atOnce<R>(count: number, call: (index: number) => Promise<R>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => call(index)));
}

async function burst(bench: Bench): Promise<void> {
  const { report, client, url, prefix } = bench;
  report.section(
    "hot",
    `How long do ${EDITS} changes of one key take that one client issues at once, and how many calls are they?\n` +
      "Microseconds for each by the clock of the caller; ratio: the best round over that of the increments.",
  );
  const own = new Redis(url, { maxRetriesPerRequest: 0 });
  try {
    const lab: Lab = new RedisJsonDict(own, { prefix });
    let runs = 0;
    const prepare = () => lab.update({ x: NEW, cart: { items: [], total: 0 } });
    const contender = (call: (index: number) => Promise<unknown>): Contender => ({
      prepare,
      turns: EDITS,
      batch: (turns) => atOnce(turns, call),
    });
    const ways = {
      increment: () => lab.at("x", "n").increment(),
      edit: () => lab.edit((draft) => (runs++, ++draft.x.n)),
      fragment: () => lab.at("x").edit((x) => (runs++, ++x.n)),
      parts: (index: number) => lab.edit((draft) => (runs++, ++draft.x.parts[index % 10].n)),
      cart: (index: number) =>
        lab.edit(({ cart }) => {
          runs++;
          const sku = `article ${index % 20}`;
          const item = cart.items.find((each) => each.sku === sku);
          if (item) item.qty++;
          else cart.items.push({ sku, price: index % 20 + 1, qty: 1 });
          return cart.total = cart.items.reduce((sum, { price, qty }) => sum + price * qty, 0);
        }),
    };
    const times = await measure(
      client,
      {
        increment: contender(ways.increment),
        edit: contender(ways.edit),
        fragment: contender(ways.fragment),
        parts: contender(ways.parts),
        cart: contender(ways.cart),
      },
      bench.rounds(5),
    );
    const row = async (name: string, way: keyof typeof ways, atMost?: number): Promise<string[]> => {
      await prepare();
      runs = 0;
      const before = await callsOf(client);
      await atOnce(EDITS, ways[way]);
      const calls = await callsOf(client) - before;
      const value = times[way].wall.min / times.increment.wall.min;
      return [
        name,
        micros(times[way].wall.min),
        micros(times[way].wall.median),
        ratio(value),
        String(calls),
        way === "increment" ? "" : (runs / EDITS).toFixed(2),
        atMost === undefined ? "" : report.goal({ name: `${name} over increments`, value, atMost }),
      ];
    };
    report.table(["way", "min", "median", "ratio", "calls", "runs", "goal"], [
      await row("at(...).increment()", "increment"),
      await row("edit((draft) => ++draft.x.n)", "edit", 20),
      await row("at(...).edit((x) => ++x.n)", "fragment", 20),
      await row("edits of ten parts", "parts"),
      await row("a cart of 20 articles", "cart"),
    ]);
  } finally {
    await own.quit();
  }
}

async function callsOf(client: Redis): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info("commandstats"))?.[1] ?? 0);
}

async function processes({ report, client, url, prefix, isQuick }: Bench): Promise<void> {
  report.section(
    "hot among eight processes",
    `${PROCESSES} processes do ${EDITS_OF_EACH} edits each of one number at the same time.\n` +
      "Milliseconds until the last is done; runs: how often a recipe ran for each edit, the run that finds the key included.",
  );
  const rows: string[][] = [];
  for (const way of ["all at once", "one by one", WATCH, GET_SET]) {
    const rounds = isQuick || way === WATCH || way === GET_SET ? 1 : 3;
    for (let round = 0; round < rounds; round++) {
      const lab: Lab = new RedisJsonDict(client, { prefix });
      await lab.set("x", NEW);
      const go = `${prefix}go`;
      const args = ["run", "-A", "--quiet", import.meta.filename!, url, prefix, way];
      const children = Array.from(
        { length: PROCESSES },
        () => new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn(),
      );
      while (Number(await client.get(`${prefix}ready`)) < PROCESSES) await client.ping();
      await client.set(go, 1);
      const outputs = await Promise.all(children.map((child) => child.output()));
      const ends: Ends[] = outputs.map(({ stdout }) => JSON.parse(new TextDecoder().decode(stdout)));
      await client.del(go, `${prefix}ready`);
      const sum = (name: keyof Ends): number => ends.reduce((total, end) => total + end[name], 0);
      const all = PROCESSES * EDITS_OF_EACH;
      const { n } = await lab.getOrThrow("x");
      const lost = all - sum("errors") - n;
      if (lost !== 0 && way !== GET_SET) throw new Error(`Cannot be: ${n} of ${all} edits were kept`);
      const value = sum("runs") / all;
      const goal = way === "all at once" ? report.goal({ name: "runs for each edit", value, atMost: 3 }) : "";
      const ms = Math.max(...ends.map((end) => end.ms));
      rows.push([way, ms.toFixed(0), value.toFixed(2), String(sum("errors")), String(lost), goal]);
    }
  }
  report.table(["way", "ms", "runs", "errors", "lost", "goal"], rows);
}

/** What one process has come to. */
interface Ends {
  readonly ms: number;
  readonly runs: number;
  readonly errors: number;
}

async function work(url: string, prefix: string, way: string): Promise<Ends> {
  const client = new Redis(url);
  const lab = RedisJsonDict.connect<Items>(url, { prefix });
  await lab.has("x");
  await client.incr(`${prefix}ready`);
  while (!await client.exists(`${prefix}go`));
  let [runs, errors] = [0, 0];
  const key = `${prefix}x`;
  const change = (text: string): string => {
    const x: Items["x"] = JSON.parse(text);
    x.n++;
    runs++;
    return JSON.stringify(x);
  };
  const edit = async (): Promise<void> => {
    try {
      if (way === WATCH) return void await changeByWatch(client, key, change);
      if (way === GET_SET) return await changeByGetSet(client, key, change);
      await lab.edit((draft) => (runs++, ++draft.x.n));
    } catch {
      errors++;
    }
  };
  const startedAt = performance.now();
  if (way === "all at once") await atOnce(EDITS_OF_EACH, edit);
  else for (let index = 0; index < EDITS_OF_EACH; index++) await edit();
  const ms = performance.now() - startedAt;
  await lab.close();
  await client.quit();
  return { ms, runs, errors };
}

if (import.meta.main) {
  const [url, prefix, way] = Deno.args;
  console.log(JSON.stringify(await work(url, prefix, way)));
}
