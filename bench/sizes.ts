import { type Document, makeMap, makePretty, makeRuns, type Place, PLACES } from "./documents.ts";
import { type Contender, measure, sequential } from "./measure.ts";
import type { Bench } from "./bench.ts";
import type { Op } from "../src/data/op.ts";
import { changeByGetSet, changeByWatch, GET_SET_COMMANDS, WATCH_COMMANDS } from "./peers.ts";
import { type Goal, micros, ratio, size } from "./report.ts";
import { CJSON } from "./rivals.ts";

/** A change, for us and for the cjson script. */
interface Change {
  readonly name: string;
  readonly word: "set" | "increment" | "push";
  readonly member: string;
  /** JSON text of the argument; two, which take turns. */
  readonly values: readonly [string, string];
}

const SAME: Change = { name: "set, same length", word: "set", member: "value", values: ['"bbbb"', '"aaaa"'] };
const OTHER: Change = {
  name: "set, other length",
  word: "set",
  member: "value",
  values: ['"cccccc"', '"aaaa"'],
};
const CHANGES: readonly Change[] = [
  SAME,
  OTHER,
  { name: "increment", word: "increment", member: "counter", values: ["1", "1"] },
  { name: "push", word: "push", member: "list", values: ["7", "7"] },
];

/** How the cost of a change grows with the document. */
export async function benchSizes(bench: Bench): Promise<void> {
  bench.report.section(
    "sizes",
    "How does the cost of a change grow with the document, and with the place in it?\n" +
      "Microseconds on the server, of all commands of a change; ratio: the best round of the cjson script over ours.\n" +
      "GET+SET and WATCH leave the work to the client, and send it the whole value and back: see client for all of it.",
  );
  const sizes = bench.isQuick ? [1e4, 1e5, 1e6] : [1e4, 1e5, 1e6, 1e7];
  await benchDocuments(bench, sizes.map(makeRuns), ({ bytes }, change, place) => {
    if (change === OTHER && bytes < 50_000) return { first: 5.5, middle: 4, last: 5 }[place];
    if (change === OTHER && bytes < 500_000) return { first: 11, middle: 5.5, last: 7.5 }[place];
    if (bytes > 5_000_000 || place !== "middle") return undefined;
    return change === OTHER ? 7 : change === SAME && bytes > 500_000 ? 11 : undefined;
  });
}

/** The same for documents of other shapes. */
export async function benchShapes(bench: Bench): Promise<void> {
  bench.report.section(
    "shapes",
    "Does it hold for a map of 5,000 small objects, and for indented JSON?\n" +
      "Microseconds on the server, of all commands of a change; ratio: the best round of the cjson script over ours.\n" +
      "GET+SET and WATCH leave the work to the client, and send it the whole value and back: see client for all of it.",
  );
  await benchDocuments(
    bench,
    [makeMap(5_000), makePretty(1e4), makePretty(1e6)],
    ({ name, bytes }, change, place) => {
      if (place !== "middle" || bytes < 50_000 || change !== SAME && change !== OTHER) return undefined;
      return name === "map" ? (change === SAME ? 8.5 : 7.5) : (change === SAME ? 5.5 : 4.2);
    },
  );
}

async function benchDocuments(
  bench: Bench,
  documents: readonly Document[],
  goalOf: (document: Document, change: Change, place: Place) => number | undefined,
): Promise<void> {
  const { report } = bench;
  const rows: string[][] = [];
  for (const document of documents) {
    for (const change of CHANGES) {
      const times = await measureChange(bench, document, change);
      const cjson = times.cjson.server.min;
      for (const place of PLACES) {
        const { min, median } = times[place].server;
        const atLeast = goalOf(document, change, place);
        const title = `${size(document.bytes)}, ${change.name}, ${place}: cjson over ours`;
        const goal: Goal | undefined = atLeast && { name: title, value: cjson / min, atLeast } || undefined;
        const verdict = goal ? report.goal(goal) : "-";
        rows.push([
          document.name,
          size(document.bytes),
          change.name,
          place,
          micros(times.getSet.server.min),
          micros(times.watch.server.min),
          micros(cjson),
          micros(min),
          micros(median),
          ratio(cjson / min),
          verdict,
        ]);
      }
    }
  }
  report.table([
    "shape",
    "size",
    "change",
    "place",
    "GET+SET",
    "WATCH",
    "cjson",
    "ours",
    "median",
    "ratio",
    "goal",
  ], rows);
}

async function measureChange(bench: Bench, document: Document, change: Change) {
  const key = bench.prefix + "doc";
  // As many turns as the clock of the server needs, and few where one takes long.
  const turns = Math.round(
    Math.min(bench.isQuick ? 40 : 150, Math.max(2, (bench.isQuick ? 2e6 : 6e6) / document.bytes)),
  );
  const prepare = () => bench.client.set(key, document.text);
  const ours = (place: Place): Contender => ({
    prepare,
    batch: sequential(bench.sender((turn) => makeOp(change, document, place, turn))),
    turns,
    command: "evalsha",
  });
  // The cjson script decodes and encodes all of it: where the change is does not matter to it.
  const path = [...document.target("middle"), change.member];
  const cjson: Contender = {
    prepare,
    batch: sequential((turn) => bench.script(CJSON, "doc", change.word, change.values[turn % 2], ...path)),
    turns: Math.max(1, turns >> 2),
    command: "evalsha",
  };
  const rounds = bench.rounds(document.bytes > 5_000_000 ? 3 : 7);
  // What the client does between the commands is no time of the server.
  const peer = (commands: readonly string[], change: Contender["batch"]): Contender => ({
    prepare,
    batch: change,
    turns: Math.max(1, turns >> 2),
    commands,
  });
  const same = (text: string) => text;
  return await measure(
    bench.client,
    {
      cjson,
      getSet: peer(GET_SET_COMMANDS, sequential(() => changeByGetSet(bench.client, key, same))),
      watch: peer(WATCH_COMMANDS, sequential(() => changeByWatch(bench.client, key, same))),
      first: ours("first"),
      middle: ours("middle"),
      last: ours("last"),
    },
    rounds,
  );
}

function makeOp({ word, member, values }: Change, document: Document, place: Place, turn: number): Op {
  const path = ["doc", ...document.target(place), member];
  const value = values[turn % 2];
  switch (word) {
    case "set":
      return { kind: word, path, value };
    case "increment":
      return { kind: word, path, by: value };
    case "push":
      return { kind: word, path, items: [value] };
  }
}
