import { Redis } from "ioredis";
import { RedisJsonDict } from "../mod.ts";
import type { Bench } from "./bench.ts";
import { makeRuns } from "./documents.ts";
import { measure, sequential } from "./measure.ts";
import { changeByGetSet, changeByWatch } from "./peers.ts";
import { micros, ratio, size } from "./report.ts";

const CLIENTS = 8;

interface Document {
  count: number;
  parts: { n: number; list: number[] }[];
  rest: string;
}

type Dict = RedisJsonDict<{ doc: Document }>;

/** Plain code over a value: edits beside WATCH and MULTI, alone and among eight; bursts of a live document. */
export async function benchEdit(bench: Bench): Promise<void> {
  await alone(bench);
  await contended(bench);
  await live(bench);
}

function makeDocument(bytes: number): string {
  const parts = Array.from({ length: CLIENTS }, () => ({ n: 0, list: [] }));
  return JSON.stringify({ count: 0, parts, rest: makeRuns(bytes).text } satisfies Document);
}

/** Changes a document by JSON of a text. */
function changing(change: (document: Document) => void): (text: string) => string {
  return (text) => {
    const document: Document = JSON.parse(text);
    change(document);
    return JSON.stringify(document);
  };
}

/** Under WATCH, until nobody was in between. Returns how often it was tried. */
async function watchEdit(client: Redis, key: string, change: (document: Document) => void): Promise<number> {
  return await changeByWatch(client, key, changing(change));
}

/** Without WATCH. Returns that it was tried once. */
async function plainEdit(client: Redis, key: string, change: (document: Document) => void): Promise<number> {
  await changeByGetSet(client, key, changing(change));
  return 1;
}

async function alone(bench: Bench): Promise<void> {
  const { report, client } = bench;
  report.section(
    "edit",
    "What does a caller wait for one edit, one after another, nobody else there?\n" +
      "Microseconds by the clock of the caller; ratio: the best round over the edit that reads and writes.",
  );
  const own = new Redis(bench.url, { maxRetriesPerRequest: 0 });
  const rows: string[][] = [];
  try {
    const lab: Dict = new RedisJsonDict(own, { prefix: bench.prefix });
    const key = `${bench.prefix}doc`;
    for (const bytes of [1_000, 10_000]) {
      const text = makeDocument(bytes);
      const prepare = () => client.set(key, text);
      const turns = Math.round((bench.isQuick ? 1e6 : 4e6) / (bytes + 5_000));
      const times = await measure(client, {
        edit: { prepare, turns, batch: sequential(() => lab.edit((draft) => void draft.doc.count++)) },
        fragment: {
          prepare,
          turns,
          batch: sequential(() => lab.at("doc", "parts", 3).edit((part) => void part.n++)),
        },
        ref: { prepare, turns, batch: sequential(() => lab.at("doc", "count").increment()) },
        watch: { prepare, turns, batch: sequential(() => watchEdit(own, key, (doc) => void doc.count++)) },
        getSet: { prepare, turns, batch: sequential(() => plainEdit(own, key, (doc) => void doc.count++)) },
      }, bench.rounds(7));
      const row = (name: string, way: keyof typeof times) => [
        size(text.length),
        name,
        micros(times[way].wall.min),
        micros(times[way].wall.median),
        ratio(times[way].wall.min / times.edit.wall.min),
      ];
      rows.push(
        row("edit((draft) => draft.doc.count++)", "edit"),
        row("at(...).edit of a fragment", "fragment"),
        row("at(...).increment()", "ref"),
        row("WATCH, GET, change, MULTI, SET, EXEC", "watch"),
        row("GET, change, SET (loses updates)", "getSet"),
      );
    }
  } finally {
    await own.quit();
  }
  report.table(["size", "way", "min", "median", "ratio"], rows);
}

async function contended(bench: Bench): Promise<void> {
  const { report, client } = bench;
  const edits = bench.isQuick ? 20 : 100;
  report.section(
    "edit among eight",
    `${CLIENTS} clients do ${edits} edits each of one document of 10 KB at the same time.\n` +
      "Milliseconds for all of them; tries: how often a change was computed for one that was kept.",
  );
  const key = `${bench.prefix}doc`;
  const text = makeDocument(10_000);
  const rows: string[][] = [];
  const clients = Array.from({ length: CLIENTS }, () => new Redis(bench.url, { maxRetriesPerRequest: 0 }));
  try {
    const dicts: Dict[] = clients.map((own) => new RedisJsonDict(own, { prefix: bench.prefix }));
    const same = (document: Document): void => void document.count++;
    const different = (index: number) => (document: Document): void => {
      document.parts[index].n++;
      document.parts[index].list.push(1);
    };
    const run = async (
      name: string,
      way: string,
      edit: (index: number) => Promise<number>,
    ): Promise<void> => {
      await client.set(key, text);
      let tries = 0;
      const start = performance.now();
      await Promise.all(clients.map(async (_, index) => {
        for (let turn = 0; turn < edits; turn++) {
          const more = await edit(index);
          tries += more;
        }
      }));
      const ms = performance.now() - start;
      const document: Document = JSON.parse((await client.get(key))!);
      const kept = document.count + document.parts.reduce((sum, { n }) => sum + n, 0);
      if (kept !== CLIENTS * edits && way !== "GET, SET") {
        throw new Error(`Cannot be: ${kept} of ${CLIENTS * edits} edits were kept`);
      }
      rows.push([
        name,
        way,
        ms.toFixed(0),
        (tries / (CLIENTS * edits)).toFixed(2),
        String(CLIENTS * edits - kept),
      ]);
    };
    /** One edit; the run that only finds out what to read computes no change. */
    const edit = async (index: number, change: (document: Document) => void): Promise<number> => {
      let tries = 0;
      await dicts[index].edit((draft) => {
        const { doc } = draft;
        tries++;
        change(doc);
      }, { keys: ["doc"] });
      return tries;
    };
    await run("the same part", "edit", (index) => edit(index, same));
    await run("the same part", "WATCH/MULTI", (index) => watchEdit(clients[index], key, same));
    await run("the same part", "GET, SET", (index) => plainEdit(clients[index], key, same));
    await run("different parts", "edit", (index) => edit(index, different(index)));
    await run("different parts", "WATCH/MULTI", (index) => watchEdit(clients[index], key, different(index)));
    await run("different parts", "GET, SET", (index) => plainEdit(clients[index], key, different(index)));
  } finally {
    for (const own of clients) await own.quit();
  }
  report.table(["what", "way", "ms", "tries", "lost"], rows);
}

async function live(bench: Bench): Promise<void> {
  const { report, client } = bench;
  report.section(
    "live",
    "100 changes of a document of 1 KB: one burst of a live document, or a ref for each.\n" +
      "Microseconds by the clock of the caller; ratio: the best round over the burst.",
  );
  const own = new Redis(bench.url, { maxRetriesPerRequest: 0 });
  const rows: string[][] = [];
  try {
    const lab: Dict = new RedisJsonDict(own, { prefix: bench.prefix });
    const prepare = () => client.set(`${bench.prefix}doc`, makeDocument(1_000));
    const turns = bench.isQuick ? 10 : 40;
    const times = await measure(client, {
      burst: {
        prepare,
        turns,
        batch: async (count) => {
          const document = await lab.at("doc").live();
          for (let turn = 0; turn < count; turn++) {
            for (let index = 0; index < 100; index++) document.parts[index % CLIENTS].n = index;
            await lab.settled();
          }
        },
      },
      refs: {
        prepare,
        turns,
        batch: sequential(async () => {
          for (let index = 0; index < 100; index++) {
            await lab.at("doc", "parts", index % CLIENTS, "n").set(index);
          }
        }),
      },
    }, bench.rounds(5));
    for (const [name, way] of [["a burst of 100", "burst"], ["100 awaited at(...).set", "refs"]] as const) {
      rows.push([
        name,
        micros(times[way].wall.min),
        micros(times[way].wall.median),
        ratio(times[way].wall.min / times.burst.wall.min),
      ]);
    }
  } finally {
    await own.quit();
  }
  report.table(["way", "min", "median", "ratio"], rows);
}
