/** The work of a call grows with its ops and its values, not with their product; and many ops are little more than one. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const key = `${uniquePrefix("linear")}k`;

/**
 * A script that answers how much it did, and what it would have answered last: the calls of find, byte and sub, the
 * bytes that these went through, and those that went to Redis and came from there. Counted, so that no busy machine
 * makes a difference.
 */
function counted(text: string): string {
  const [start, returns] = [/^local find, byte, sub(, format)? = .*$/m, /\breturn replies\b/g];
  assert(start.test(text) && returns.test(text));
  return text
    .replace(
      start,
      `local work = 0
local function find(s, ...)
  local from, to, c = string.find(s, ...)
  work = work + 1 + (to or #s) - (select(2, ...) or 1)
  return from, to, c
end
local function byte(...) work = work + 1 return string.byte(...) end
local function sub(...) local s = string.sub(...) work = work + 1 + #s return s end
local format = string.format
local function count(name, ...)
  local answer = redis[name](...)
  for at = 1, select('#', ...) do work = work + #tostring(select(at, ...)) end
  if type(answer) == 'string' then work = work + #answer end
  return answer
end
local function counted_call(...) return count('call', ...) end
local function counted_pcall(...) return count('pcall', ...) end
`,
    )
    .replaceAll(/\bredis\.(p?call)\(/g, "counted_$1(")
    .replace(returns, "return { work, replies[#replies] }");
}

const COUNTED = { apply: counted(APPLY.text), read: counted(READ.text) };

async function workOf(
  text: string,
  tokens: readonly string[],
  script: keyof typeof COUNTED = "apply",
): Promise<number> {
  await client.set(key, text);
  const [work, last] = await client.call("EVAL", [COUNTED[script], 1, key, ...tokens]) as [number, string];
  assertEquals(last.startsWith("!"), false, last);
  return work;
}

const range = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));
/** The same numbers in another order. */
const turned = (count: number): number[] => range(count, (index) => index * 7919 % count);
const elements = (count: number): string =>
  `{"before":1,"items":[${range(count, (id) => `{"id":${id},"label":"w},{${id}","n":5}`).join()}]}`;
const members = (count: number): string => `{${range(count, (id) => `"k${id}":{"v":${id}}`).join()}}`;

/** A name that JSON cannot spell without escapes, as paths on Windows have it. */
const escaped = (id: number): string => JSON.stringify(`C:\\data\\${id}`);
/** As Python writes names by default. */
const ascii = (id: number): string => `"\\u00e9${id}"`;

/** A value and what is done to it, by a number of ops. */
const CASES: Readonly<Record<string, (count: number) => [string, string[]]>> = {
  "tests and sets one member in each element": (count) => [elements(count), [
    ...range(count, (at) => ["test", "3", '"items"', String(at), '"n"', "5"]).flat(),
    ...range(count, (at) => ["set", "3", '"items"', String(at), '"n"', "77"]).flat(),
  ]],
  "adds a member to each element, and removes one": (count) => [
    elements(count),
    range(count, (at) => [
      ...["set", "3", '"items"', String(at), '"new"', "77"],
      ...["delete", "3", '"items"', String(at), '"label"'],
    ]).flat(),
  ],
  "sets a member in each element, in any order": (count) => [
    elements(count),
    turned(count).flatMap((at) => ["set", "3", '"items"', String(at), '"n"', "77"]),
  ],
  "merges members into an object that has them": (count) => [members(count), [
    ...["unlessObject", "set", "0", "{}"],
    ...turned(count).flatMap((id) => ["set", "1", `"k${id}"`, "12345"]),
  ]],
  "merges objects into members, old and new": (count) => [members(count), [
    ...["unlessObject", "set", "0", "{}"],
    ...turned(count).flatMap((id) => {
      const name = `"k${2 * id}"`;
      return ["unlessObject", "set", "1", name, "{}", "set", "2", name, '"w"', "1"];
    }),
  ]],
  "adds members of names with escapes, and sets what is in them": (count) => [
    '{"before":1}',
    turned(count).flatMap((id) => ["set", "1", escaped(id), "{}", "set", "2", escaped(id), '"n"', "1"]),
  ],
  "sets members of names that are spelled otherwise": (count) => [
    `{${range(count, (id) => `${ascii(id)}:1`).join()}}`,
    turned(count).flatMap((id) => ["set", "1", `"é${id}"`, "22"]),
  ],
  "removes members in any order": (count) => [
    members(2 * count),
    turned(count).flatMap((id) => ["delete", "1", `"k${2 * id}"`]),
  ],
  "pushes, a group each": (count) => [
    elements(count),
    range(count, () => ["push", "1", '"items"', "{}", "1", ";"]).flat().slice(0, -1),
  ],
  "unshifts and pops, a group each": (count) => [
    elements(2 * count),
    range(count, () => ["unshift", "1", '"items"', "{}", "1", "pop", "1", '"items"', ";"]).flat().slice(
      0,
      -1,
    ),
  ],
  "increments one number, a group each": (count) => [
    elements(count),
    range(count, () => ["increment", "1", '"before"', "1", ";"]).flat().slice(0, -1),
  ],
  "pushes and pops in turn": (count) => [
    elements(count),
    range(count, () => ["push", "1", '"items"', "{}", "1", ";", "pop", "1", '"items"', ";"]).flat().slice(
      0,
      -1,
    ),
  ],
  "pushes an element, and sets a member in it": (count) => [
    elements(count),
    range(count, (at) => [
      ...["length", "1", '"items"', String(count + at), "push", "1", '"items"', "{}", "1"],
      ...["set", "3", '"items"', "-1", '"n"', "1", ";"],
    ]).flat().slice(0, -1),
  ],
  "refuses groups, a key read or not": (count) => [
    elements(count),
    range(count, () => ["test", "1", '"before"', "2", "set", "1", '"before"', "3", ";"]).flat().concat(
      "exists",
      "0",
    ),
  ],
  "shifts and pushes, a group each": (count) => [
    elements(2 * count),
    range(count, () => ["shift", "1", '"items"', "push", "1", '"items"', "{}", "1", ";"]).flat().slice(0, -1),
  ],
};

/** A value and what is read of it. */
const READS: Readonly<Record<string, (count: number) => [string, string[]]>> = {
  "members in any order": (count) => [
    members(count),
    turned(count).flatMap((id) => ["get", "2", `"k${id}"`, '"v"']),
  ],
  "elements in any order": (count) => [
    elements(count),
    turned(count).flatMap((at) => ["get", "3", '"items"', String(at), '"label"']),
  ],
  "elements from the end": (count) => [
    elements(count),
    range(count, (at) => ["get", "3", '"items"', String(-1 - at), '"n"']).flat(),
  ],
  "members of names that are spelled otherwise": (count) => [
    `{${range(count, (id) => `${ascii(id)}:1`).join()}}`,
    turned(count).flatMap((id) => ["get", "1", `"é${id}"`]),
  ],
};

describe("read of many places of one value", () => {
  for (const [name, make] of Object.entries(READS)) {
    it(`read gets ${name}, with ten times the work for ten times as many`, async () => {
      const [many, more] = [
        await workOf(...make(1_000), "read"),
        await workOf(...make(10_000), "read"),
      ];
      assert(more < 13 * many, `${more} for 10,000 and ${many} for 1,000`);
    });
  }
});

describe("apply of many ops on one value", () => {
  for (const [name, make] of Object.entries(CASES)) {
    it(`apply ${name}, with ten times the work for ten times as many`, async () => {
      const [few, many, more] = [
        await workOf(...make(100)),
        await workOf(...make(1_000)),
        await workOf(...make(10_000)),
      ];
      // What a short call spares may be five times the work of its first ops.
      assert(many < 50 * few, `${many} for 1,000 and ${few} for 100`);
      assert(more < 13 * many, `${more} for 10,000 and ${many} for 1,000`);
    });
  }

  const pushes = (count: number, path: readonly string[]): string[] =>
    range(count, () => ["push", String(path.length), ...path, `"${"x".repeat(1000)}"`, "1", ";"])
      .flat().slice(0, -1);
  /** Values of a list, and the way to it. */
  const LISTS: Readonly<Record<string, [value: string, path: string[]]>> = {
    "a long list": [elements(30_000).replace(/^.*?\[/, "[").slice(0, -1), []],
    "a long list in an object": [elements(30_000), ['"items"']],
    "a long list in an object in an object": [`{"a":{"b":1,"c":${elements(30_000)}}}`, [
      '"a"',
      '"c"',
      '"items"',
    ]],
    "a short list behind all else": [`${elements(30_000).slice(0, -1)},"list":[1]}`, ['"list"']],
    "a short list before all else": [`{"list":[1],${elements(30_000).slice(1)}`, ['"list"']],
  };
  for (const [name, [value, path]] of Object.entries(LISTS)) {
    it(`apply pushes 300 times onto ${name}, with at most twice the work of one push`, async () => {
      const one = await workOf(value, ["near", String(2 * value.length), ...pushes(1, path)]);
      const many = await workOf(value, pushes(300, path));
      assert(many <= 2 * one, `${many} for 300 and ${one} for one`);
    });
  }

  it("apply undoes refused groups among others with work in proportion", async () => {
    const make = (count: number): [string, string[]] => [
      elements(count),
      range(count, (at) => [
        ...[
          "set",
          "3",
          '"items"',
          String(at),
          '"n"',
          "77",
          "test",
          "1",
          '"before"',
          at % 2 === 0 ? "1" : "2",
          ";",
        ],
      ]).flat().concat(["exists", "0"]),
    ];
    const [many, more] = [await workOf(...make(1_000)), await workOf(...make(10_000))];
    assert(more < 13 * many, `${more} for 10,000 and ${many} for 1,000`);
    const after = JSON.parse((await client.get(key))!);
    assertEquals(after.items.map((it: { n: number }) => it.n), range(10_000, (at) => at % 2 === 0 ? 77 : 5));
  });
});
