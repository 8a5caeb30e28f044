/**
 * The documents of the benchmarks: the kinds of JSON that people keep, made up, the same in every run.
 *
 * Each has an object `first`, one `middle` and one `last`, at the positions in its text that these words name, and the
 * same things to change in each of them. A script that scans the text meets them early, half way, or at the end.
 *
 * @module
 */

import type { Json } from "../mod.ts";

/** Where in the text the change happens. */
export type Place = "first" | "middle" | "last";

/** All places, in the order of the text. */
export const PLACES: readonly Place[] = ["first", "middle", "last"];

/** A document with its targets. */
export interface Document {
  /** What kind it is, for the tables. */
  readonly name: string;
  /** Its JSON text. */
  readonly text: string;
  /** The size of the text in bytes. */
  readonly bytes: number;
  /** The way to the target at a place, without the key. */
  target(place: Place): readonly string[];
}

type JsonObject = { [name: string]: Json };

const PLAIN =
  ("run plan scan sample motor shutter detector filter sweep dark field beam energy count total " +
    "Müller Žižka naïve Å température 試料 образец 🔬").split(" ");
// A scanner that mistakes the inside of a string for structure stumbles over these.
const TRICKY = [
  'say "hi"',
  "C:\\data\\run",
  "{not: an object}",
  "[3]",
  "line\nbreak",
  "tab\there",
  '"}],',
  "a/b",
];

/** Numbers between 0 and 1 that look random and are the same in every run (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function words(random: () => number, count: number): string {
  const isTricky = random() < 0.06;
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)];
  return Array.from({ length: count }, () => pick(isTricky && random() < 0.5 ? TRICKY : PLAIN)).join(" ");
}

/** One run of a measurement: about 600 bytes, with a bit of everything. */
function makeRun(random: () => number, id: number): JsonObject {
  const started = 1_700_000_000 + id * 97 + random();
  return {
    uid: `${Math.floor(random() * 2 ** 32).toString(16)}-${id}`,
    scan_id: id,
    plan: words(random, 1),
    user: { name: words(random, 2), mail: `user${id % 50}@lab.example`, active: random() < 0.5 },
    started,
    stopped: random() < 0.1 ? null : started + random() * 600,
    motors: {
      x: random() * 20 - 10,
      y: random() * 20 - 10,
      theta: { readback: random() * 360, unit: "deg" },
    },
    detectors: [words(random, 1), words(random, 1)],
    counts: Array.from({ length: 8 }, () => Math.floor(random() * 100_000)),
    tags: [],
    note: words(random, 14),
    done: random() < 0.9,
  };
}

function makeTarget(): JsonObject {
  return { nested: { deep: { value: "aaaa", counter: 41, list: [1] } }, on: true };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function rootTarget(place: Place): readonly string[] {
  return [place, "nested", "deep"];
}

/** Fills the room between the targets with what `make` makes, up to a size. */
function fill(bytes: number, make: (id: number) => Json): readonly [Json[], Json[]] {
  const made: Json[] = [];
  let left = bytes;
  while (true) {
    const next = make(made.length);
    left -= byteLength(JSON.stringify(next)) + 1;
    if (left < 0) break;
    made.push(next);
  }
  const half = Math.floor(made.length / 2);
  return [made.slice(0, half), made.slice(half)];
}

/**
 * The metadata of many runs, as compact JSON.
 *
 * @param bytes About how large.
 */
export function makeRuns(bytes: number): Document {
  return document("runs", JSON.stringify(makeRunsValue(bytes)), rootTarget);
}

/**
 * The same, indented by two spaces as a person or a tool wrote it.
 *
 * @param bytes About how large.
 */
export function makePretty(bytes: number): Document {
  const compact = JSON.stringify(makeRunsValue(bytes));
  const ratio = byteLength(compact) / byteLength(JSON.stringify(JSON.parse(compact), null, 2));
  return document("pretty", JSON.stringify(makeRunsValue(bytes * ratio), null, 2), rootTarget);
}

function makeRunsValue(bytes: number): Json {
  const random = randomNumbers(7);
  const frame = { first: makeTarget(), before: [], middle: makeTarget(), after: [], last: makeTarget() };
  const room = bytes - byteLength(JSON.stringify(frame));
  // A document of 1 KB has no room for whole runs: readings fill what is left.
  const [before, after] = room > 2_000 ? fill(room, (id) => makeRun(random, id)) : fill(
    room,
    () => ({ name: words(random, 2), value: Math.round(random() * 1e6) / 100, ok: random() < 0.5 }),
  );
  return { ...frame, before, after };
}

/**
 * A map of small objects by their ids, with targets among its members.
 *
 * @param count How many.
 */
export function makeMap(count: number): Document {
  const random = randomNumbers(11);
  const names: Record<Place, string> = { first: "s-0", middle: `s-${count >> 1}`, last: `s-${count - 1}` };
  const members: JsonObject = {};
  for (let id = 0; id < count; id++) {
    const name = `s-${id}`;
    members[name] = Object.values(names).includes(name)
      ? makeTarget()
      : { id, label: words(random, 2), mass: Math.round(random() * 1e5) / 1e3, stock: id % 7, ok: true };
  }
  return document("map", JSON.stringify(members), (place) => [names[place], "nested", "deep"]);
}

function document(name: string, text: string, target: Document["target"]): Document {
  return Object.freeze({ name, text, bytes: byteLength(text), target });
}
