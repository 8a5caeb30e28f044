import { compile } from "../src/call/call.ts";
import { readOutcomes } from "../src/call/answer.ts";
import type { Group, Op } from "../src/data/op.ts";
import { makeRuns, type Place, PLACES } from "./documents.ts";
import type { Bench } from "./bench.ts";
import { ratio, size } from "./report.ts";

const EDITS = 1000;

/** The memory of a value after many changes, beside the same text written once. */
export async function benchMemory(bench: Bench): Promise<void> {
  const { report, client } = bench;
  report.section(
    "memory",
    `How much memory does a value take after ${EDITS} changes, beside the same text written by one SET?\n` +
      "Bytes by MEMORY USAGE.",
  );
  const rows: string[][] = [];
  for (const bytes of bench.isQuick ? [1e3, 1e4, 1e5] : [1e3, 1e4, 1e5, 1e6]) {
    const document = makeRuns(bytes);
    const [edited, plain] = ["edited", "plain."].map((name) => bench.prefix + name); // names of one length
    await client.set(edited, document.text);
    // As a client sends them that does not wait: in groups, which leave in one call.
    for (let from = 0; from < EDITS; from += 50) {
      const groups = Array.from({ length: 50 }, (_, index) => [makeEdit(document.target, from + index)]);
      await apply(bench, groups);
    }
    // And by one edit a call at the end, as a value is most of the time.
    for (let turn = 0; turn < 20; turn++) await apply(bench, [[makeEdit(document.target, turn)]]);
    const text = await client.get(edited);
    await client.set(plain, text!);
    const [ours, theirs] = [await usage(bench, edited), await usage(bench, plain)];
    rows.push([
      size(document.bytes),
      ours.toLocaleString("en"),
      theirs.toLocaleString("en"),
      ratio(ours / theirs),
    ]);
    await client.unlink(edited, plain);
  }
  report.table(["size", "after edits", "after one SET", "ratio"], rows);
}

function makeEdit(target: (place: Place) => readonly string[], turn: number): Op {
  const path = ["edited", ...target(PLACES[turn % 3])];
  switch (turn % 5) {
    case 0:
      return { kind: "set", path: [...path, "value"], value: JSON.stringify("x".repeat(turn % 40)) };
    case 1:
      return { kind: "increment", path: [...path, "counter"], by: "1" };
    case 2:
      return { kind: "push", path: [...path, "list"], items: [String(turn)] };
    case 3:
      return { kind: "set", path: [...path, "value"], value: '"same"' };
    default:
      return { kind: "shift", path: [...path, "list"] };
  }
}

async function apply(bench: Bench, groups: readonly Group[]): Promise<void> {
  const { script, keys, args } = compile(bench.prefix, groups);
  const answer = await bench.client.evalsha(script.sha1, keys.length, ...keys, ...args);
  const refused = readOutcomes(groups, answer).find((outcome) => "refusal" in outcome);
  if (refused) throw new Error(`Cannot measure refused ops: ${JSON.stringify(refused)}`);
}

async function usage(bench: Bench, key: string): Promise<number> {
  return Number(await bench.client.memory("USAGE", key));
}
