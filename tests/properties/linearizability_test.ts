/** The judge of histories: it must find what is wrong, and must not cry wolf. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { decode } from "../../src/data/decoder.ts";
import type { Json } from "../../src/data/json.ts";
import { fuzz } from "../support/fuzz.ts";
import {
  type DictInput,
  dictModel,
  type DictOutput,
  type DictState,
  type ItemsInput,
  itemsModel,
  judge,
  type Operation,
  perform,
  performItems,
} from "../support/linearizability.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

type Op = Operation<DictInput, DictOutput>;
type ItemsOp = Operation<ItemsInput, DictOutput>;

const client = testClient();
const MAX_STEPS = 1_000_000;

const GET: DictInput = { kind: "get" };
const DELETE: DictInput = { kind: "delete" };
const POP: DictInput = { kind: "pop" };
const POP_ELEMENT: DictInput = { kind: "popElement" };
const set = (value: number | number[] | { n: number }): DictInput => ({ kind: "set", value });
const push = (...items: number[]): DictInput => ({ kind: "push", items });
const EDIT_READ: DictInput = { kind: "editRead" };
const EDIT_THROW: DictInput = { kind: "editThrow" };
const editAdd = (by = 1): DictInput => ({ kind: "editAdd", by });
const editSwap = (value: Json): DictInput => ({ kind: "editSwap", value });
const increment = (by = 1): DictInput => ({ kind: "increment", by });
const compareAndSet = (expected: number | undefined, value: number): DictInput => ({
  kind: "compareAndSet",
  expected,
  value,
});

/** What a hot key meets. */
const HOT: readonly (() => DictInput)[] = [
  () => GET,
  () => POP,
  () => set({ n: 1 }),
  () => set({ n: 10 }),
  () => increment(),
  () => EDIT_READ,
  () => EDIT_READ,
  () => EDIT_THROW,
  () => editAdd(),
  () => editAdd(),
  () => editAdd(3),
  () => editSwap({ n: 5 }),
];
const ROUNDS = Math.ceil(fuzz(0.05).numRuns);
const clients = [testClient(), testClient(), testClient()];

/** An operation of a client of its own that was answered. */
function done(from: number, to: number, input: DictInput, output?: DictOutput): Op {
  return { client: from, key: "k", input, output, from, to };
}

/** One that was never answered. */
function lost(from: number, input: DictInput): Op {
  return { client: from, key: "k", input, output: undefined, from, to: Infinity };
}

function verdict(...history: Op[]): string {
  const judgement = judge(dictModel, history, { maxSteps: MAX_STEPS });
  return judgement.ok ? "ok" : judgement.reason;
}

/** Numbers from 0 to 1 that are the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What happens on a store whose operations each happen at one moment. */
interface Simulation {
  readonly seed: number;
  readonly operations: number;
  readonly keys: number;
  readonly clients: number;
  /** The share of operations whose answer is lost, some of them before they took effect. */
  readonly lossRate?: number;
  /** Makes an operation; `serial` is a number that no other operation gets. */
  readonly input: (random: () => number, serial: number) => DictInput;
}

/** Makes a history that is fine by how it is made. */
function simulate({ seed, operations, keys, clients, lossRate = 0, input }: Simulation): Op[] {
  const random = randomOf(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const states = new Map<string, DictState>();
  const busy = new Map<
    number,
    { key: string; input: DictInput; from: number; output?: DictOutput; isDone: boolean }
  >();
  const history: Op[] = [];
  let sent = 0;
  for (let time = 0; history.length < operations; time++) {
    const client = pick(clients);
    const task = busy.get(client);
    if (task === undefined) {
      if (sent < operations) {
        busy.set(client, { key: `k${pick(keys)}`, input: input(random, sent++), from: time, isDone: false });
      }
      continue;
    }
    const isLost = random() < lossRate / 2; // there are two chances to get lost
    if (!isLost && !task.isDone) {
      const [state, output] = dictModel.step(states.get(task.key), task.input);
      states.set(task.key, state);
      Object.assign(task, { output, isDone: true });
      continue;
    }
    busy.delete(client);
    const { key, from, output } = task;
    history.push({
      client,
      key,
      input: task.input,
      output: isLost ? undefined : output,
      from,
      to: isLost ? Infinity : time,
    });
  }
  return history;
}

/** Reads, and writes of values that no other operation writes. */
const register: Simulation["input"] = (random, serial) => random() < 0.5 ? GET : set(serial);

/** All kinds of operations, on few values. */
const anything: Simulation["input"] = (random) => {
  const inputs = [
    GET,
    DELETE,
    POP,
    POP_ELEMENT,
    POP_ELEMENT,
    set(1),
    set([1]),
    set({ n: 1 }),
    push(1),
    push(2, 3),
    increment(),
    increment(2),
    compareAndSet(undefined, 1),
    compareAndSet(1, 2),
    EDIT_READ,
    EDIT_THROW,
    editAdd(),
    editSwap([2]),
  ];
  const insert: DictInput = { kind: "getOrInsert", value: [] };
  return inputs[Math.floor(random() * (inputs.length + 1))] ?? insert;
};

describe("judge", () => {
  it("judge accepts what happened in order, and no history at all", () => {
    assertEquals(verdict(), "ok");
    assertEquals(
      verdict(done(0, 1, set(1)), done(2, 3, GET, 1), done(4, 5, DELETE, true), done(6, 7, GET)),
      "ok",
    );
  });

  it("judge accepts either order of what overlaps, or shares a moment", () => {
    const [write, other] = [done(0, 5, set(1)), done(0, 5, set(2))];
    for (const value of [1, 2]) assertEquals(verdict(write, other, done(6, 7, GET, value)), "ok");
    for (const value of [undefined, 1]) assertEquals(verdict(write, done(1, 4, GET, value)), "ok");
    assertEquals(verdict(done(0, 1, set(1)), done(1, 2, GET)), "ok");
    assertEquals(verdict(done(0, 1, set(1)), done(1.5, 2, GET)), "violation");
  });

  it("judge finds a stale read", () => {
    assertEquals(verdict(done(0, 1, set(1)), done(2, 3, set(2)), done(4, 5, GET, 1)), "violation");
  });

  it("judge finds a read that goes back", () => {
    const writes = [done(0, 1, set(1)), done(2, 9, set(2))];
    assertEquals(verdict(...writes, done(3, 4, GET, 1), done(5, 6, GET, 2)), "ok");
    assertEquals(verdict(...writes, done(3, 4, GET, 2), done(5, 6, GET, 1)), "violation");
  });

  it("judge finds a lost update", () => {
    const first = done(0, 1, set({ n: 0 }));
    assertEquals(verdict(first, done(2, 5, increment(), 1), done(3, 4, increment(), 2)), "ok");
    assertEquals(verdict(first, done(2, 5, increment(), 1), done(3, 4, increment(), 1)), "violation");
    assertEquals(verdict(first, done(2, 5, increment(), 1), done(6, 7, GET, { n: 0 })), "violation");
  });

  it("judge finds what was applied twice", () => {
    const first = done(0, 1, set([]));
    assertEquals(verdict(first, done(2, 3, push(7), 1), done(4, 5, GET, [7])), "ok");
    assertEquals(verdict(first, done(2, 3, push(7), 1), done(4, 5, GET, [7, 7])), "violation");
    assertEquals(verdict(first, done(2, 3, push(7), 2)), "violation");
    const pops = [done(4, 6, POP, 1), done(4, 6, POP, 1)];
    assertEquals(verdict(done(2, 3, set(1)), ...pops), "violation");
  });

  it("judge finds that real time was not kept", () => {
    assertEquals(verdict(done(0, 1, GET, 1), done(2, 3, set(1))), "violation");
    assertEquals(verdict(done(0, 2, GET, 1), done(1, 3, set(1))), "ok");
  });

  it("judge finds replies that two clients cannot both have got", () => {
    const both = [
      done(0, 5, compareAndSet(undefined, 1), true),
      done(0, 5, compareAndSet(undefined, 2), true),
    ];
    assertEquals(verdict(...both), "violation");
    assertEquals(verdict(both[0], done(0, 5, compareAndSet(undefined, 2), false)), "ok");
  });

  it("judge lets what was never answered happen at once, later, or never", () => {
    const history = [done(0, 1, set([])), lost(2, push(7))];
    assertEquals(verdict(...history, done(3, 4, GET, [7])), "ok");
    assertEquals(verdict(...history, done(3, 4, GET, []), done(5, 6, GET, [7])), "ok");
    assertEquals(verdict(...history, done(3, 4, GET, []), done(5, 6, GET, [])), "ok");
  });

  it("judge finds what was never answered and happened twice, before it was sent, or not for good", () => {
    const first = done(0, 1, set([]));
    assertEquals(verdict(first, lost(2, push(7)), done(3, 4, GET, [7, 7])), "violation");
    assertEquals(verdict(first, lost(2, push(7)), lost(2, push(7)), done(3, 4, GET, [7, 7])), "ok");
    assertEquals(verdict(first, done(2, 3, GET, [7]), lost(4, push(7))), "violation");
    assertEquals(verdict(first, lost(2, push(7)), done(3, 4, GET, [7]), done(5, 6, GET, [])), "violation");
    const [one, two] = [done(3, 4, push(8), 2), done(5, 6, GET, [8])];
    assertEquals(verdict(first, lost(2, push(7)), one, two), "violation");
  });

  it("judge distinguishes which of two led to the same state, as the other one is left", () => {
    const first = done(0, 1, set({ n: 0 }));
    const last = [done(4, 5, GET, { n: 1 }), done(6, 7, set({ n: 5 })), done(8, 9, GET, { n: 6 })];
    for (const [one, other] of [[increment(), set({ n: 1 })], [set({ n: 1 }), increment()]]) {
      assertEquals(verdict(first, lost(2, one), lost(3, other), ...last), "ok");
      assertEquals(
        verdict(first, lost(2, one), lost(3, other), ...last, done(10, 11, GET, { n: 5 })),
        "violation",
      );
    }
    assertEquals(verdict(first, lost(2, increment()), ...last), "violation");
  });

  it("judge holds to it that something was applied whose answer is not known", () => {
    const first = done(0, 1, set(1));
    const applied: Op = { ...done(2, 3, set(2)), applied: true };
    assertEquals(verdict(first, applied, done(4, 5, GET, 2)), "ok");
    assertEquals(verdict(first, applied, done(4, 5, GET, 1)), "violation");
    assertEquals(verdict(first, { ...applied, to: Infinity }, done(4, 5, GET, 1)), "ok");
    assertEquals(verdict(first, { ...applied, applied: "maybe" }, done(4, 5, GET, 1)), "ok");
    assertEquals(
      verdict(first, { ...applied, applied: "maybe" }, done(4, 5, GET, 1), done(6, 7, GET, 2)),
      "ok",
    );
  });

  it("judge holds to the order of what a client did not await", () => {
    const [first, second] = [done(0, 9, set(1)), done(1, 8, set(2))];
    assertEquals(verdict(first, second, done(10, 11, GET, 1)), "ok");
    assertEquals(verdict(first, { ...second, behind: first }, done(10, 11, GET, 1)), "violation");
    assertEquals(verdict(first, { ...second, behind: first }, done(10, 11, GET, 2)), "ok");
  });

  it("judge judges each key by itself, and tells the key and what was done to it", () => {
    const bad = [done(4, 5, GET, 1), done(2, 3, set(2)), done(0, 1, set(1))];
    const others = bad.toReversed().slice(0, 2).map((operation) => ({ ...operation, key: "other" }));
    const judgement = judge(dictModel, [...others, ...bad], { maxSteps: MAX_STEPS });
    assertEquals(judgement, { ok: false, key: "k", history: bad.toReversed(), reason: "violation" });
    assertEquals(judge(dictModel, others, { maxSteps: MAX_STEPS }), { ok: true });
  });

  it("judge agrees with a trial of all orders", () => {
    const outputs: readonly DictOutput[] = [
      undefined,
      true,
      false,
      0,
      1,
      2,
      [],
      [1],
      { n: 1 },
      "KEY_NOT_FOUND",
    ];
    const inputs: readonly DictInput[] = [
      GET,
      DELETE,
      set([]),
      set({ n: 0 }),
      push(1),
      POP_ELEMENT,
      increment(),
      compareAndSet(undefined, 1),
    ];
    const operation = fc.record({
      input: fc.constantFrom(...inputs),
      output: fc.constantFrom(...outputs),
      /** Whether the output is one that some state gives. */
      isPlausible: fc.integer({ min: 0, max: 9 }).map((number) => number > 0),
      from: fc.nat(9),
      time: fc.nat(4),
      state: fc.constantFrom<DictState>(undefined, [], [1], { n: 0 }, { n: 1 }, 1),
      ending: fc.constantFrom("answered", "answered", "answered", "lost", "applied", "maybe"),
    }).map(({ input, output, isPlausible, from, time, state, ending }): Op => {
      const answer = isPlausible ? dictModel.step(state, input)[1] : output;
      switch (ending) {
        case "lost":
          return lost(from, input);
        case "applied":
          return { ...done(from, from + time, input), applied: true };
        case "maybe":
          return { ...done(from, from + time, input), applied: "maybe" };
        default:
          return done(from, from + time, input, answer);
      }
    });
    const counts: Record<string, number> = {};
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), (history) => {
        const expected = fitsSomeOrder(history) ? "ok" : "violation";
        counts[expected] = (counts[expected] ?? 0) + 1;
        assertEquals(verdict(...history), expected);
      }),
      fuzz(10),
    );
    assert(counts.ok > 0 && counts.violation > 0);
  });

  it("judge accepts whatever one store did, with lost answers too", () => {
    for (let seed = 0; seed < 200; seed++) {
      const lossRate = seed % 2 * 0.1;
      const input = seed % 4 < 2 ? anything : register;
      const history = simulate({ seed, operations: 60, keys: 2, clients: 5, lossRate, input });
      assertEquals([seed, verdict(...history)], [seed, "ok"]);
    }
  });

  it("judge finds one wrong answer among many", () => {
    let count = 0;
    for (let seed = 0; seed < 100; seed++) {
      const history = simulate({
        seed,
        operations: 120,
        keys: 2,
        clients: 5,
        lossRate: 0.02,
        input: register,
      });
      for (const output of [-1, ...impossible(history, seed)]) {
        const reads = history.filter(({ input, to }) => input === GET && to < Infinity);
        const [read, value] = typeof output === "number" ? [reads[seed % reads.length], output] : output;
        const corrupted = history.map((operation) =>
          operation === read ? { ...operation, output: value } : operation
        );
        const judgement = judge(dictModel, corrupted, { maxSteps: MAX_STEPS });
        assertEquals([seed, judgement.ok || judgement.reason, judgement.ok || judgement.key], [
          seed,
          "violation",
          read.key,
        ]);
        count++;
      }
    }
    assert(count > 250);
  });

  it("judge finds an operation that was applied twice in a long history", () => {
    const input: Simulation["input"] = (_random, serial) => serial === 0 ? set([]) : push(serial);
    const once = simulate({ seed: 1, operations: 300, keys: 1, clients: 1, input });
    for (const twice of [1, 150, 298]) {
      // From then on, every length is one more.
      const history = once.map((operation, index) =>
        index > twice ? { ...operation, output: Number(operation.output) + 1 } : operation
      );
      assertEquals(verdict(...once), "ok");
      assertEquals(verdict(...history), "violation");
    }
  });

  it("judge needs few steps and no deep stack for 6000 operations", () => {
    for (const [input, lossRate] of [[anything, 0], [anything, 0.02], [register, 0.02]] as const) {
      const history = simulate({ seed: 6, operations: 6000, keys: 12, clients: 8, lossRate, input });
      assertEquals(judge(dictModel, history, { maxSteps: 100_000 }), { ok: true });
    }
    const deep = simulate({ seed: 7, operations: 20_000, keys: 1, clients: 8, input: anything });
    assertEquals(judge(dictModel, deep, { maxSteps: MAX_STEPS }), { ok: true });
  });

  it("judge says so when it gives up, unless another key shows a violation", () => {
    const history = simulate({ seed: 8, operations: 50, keys: 1, clients: 4, input: anything });
    const judgement = judge(dictModel, history, { maxSteps: 10 });
    assertEquals([judgement.ok || judgement.reason, judgement.ok || judgement.key], ["budget", "k0"]);
    const bad = done(0, 1, GET, 1);
    assertEquals(judge(dictModel, [...history, bad], { maxSteps: 10 }), {
      ok: false,
      key: "k",
      history: [bad],
      reason: "violation",
    });
  });
});

/** The plain meaning of it: tries all orders, and all choices of what never happened. */
function fitsSomeOrder(left: readonly Op[], state: DictState = dictModel.init): boolean {
  const isOptional = ({ applied, to }: Op) => applied === "maybe" || applied === undefined && to === Infinity;
  if (left.every(isOptional)) return true;
  return left.some((operation) => {
    if (left.some((other) => !isOptional(other) && other.to < operation.from)) return false;
    const [next, output] = dictModel.step(state, operation.input);
    if (
      operation.applied === undefined && !isOptional(operation) && !dictModel.same(output, operation.output)
    ) {
      return false;
    }
    return fitsSomeOrder(left.filter((other) => other !== operation), next);
  });
}

/** Reads with answers that they cannot have got: of a write that came later, and of one that was written over. */
function impossible(history: readonly Op[], seed: number): (readonly [read: Op, value: DictOutput])[] {
  const found: (readonly [Op, DictOutput])[] = [];
  const pick = (pairs: (readonly [Op, DictOutput])[]) => {
    if (pairs.length > 0) found.push(pairs[seed % pairs.length]);
  };
  const writes = history.filter(({ input }) => input.kind === "set");
  const reads = history.filter(({ input, to }) => input === GET && to < Infinity);
  const pairs = reads.flatMap((read) =>
    writes.filter(({ key }) => key === read.key).map((write) => ({ read, write }))
  );
  const valueOf = ({ input }: Op) => input.kind === "set" ? input.value : undefined;
  pick(
    pairs.filter(({ read, write }) => write.from > read.to).map(({ read, write }) => [read, valueOf(write)]),
  );
  pick(
    pairs
      .filter(({ read, write }) =>
        writes.some(({ key, from, to }) => key === read.key && write.to < from && to < read.from)
      )
      .map(({ read, write }) => [read, valueOf(write)]),
  );
  return found;
}

describe("dictModel", () => {
  it("dictModel does what a dictionary does", async () => {
    // deno-lint-ignore no-explicit-any -- any op at any place
    const lab = new RedisJsonDict<any>(client, { prefix: uniquePrefix("linearizability") });
    const values: Json[] = [null, 0, "s", [], [1, null], { n: 1 }, { n: "s" }, { m: 1 }, { n: -0.5, m: [] }];
    const random = randomOf(9);
    const value = () => values[Math.floor(random() * values.length)];
    const inputs: readonly (() => DictInput)[] = [
      () => ({ kind: "set", value: value() }),
      () => DELETE,
      () => POP,
      () => GET,
      () => ({ kind: "getOrInsert", value: value() }),
      () => ({ kind: "compareAndSet", expected: random() < 0.2 ? undefined : value(), value: value() }),
      () => ({ kind: "push", items: [value(), 1].slice(Math.floor(random() * 3)) }),
      () => POP_ELEMENT,
      () => increment(random() < 0.5 ? 1 : 0.25),
      () => EDIT_READ,
      () => EDIT_THROW,
      () => editAdd(random() < 0.5 ? 1 : 0.25),
      () => editSwap(value()),
    ];
    const seen = new Set<string>();
    for (const start of [undefined, ...values]) {
      for (const input of inputs) {
        for (let round = 0; round < 6; round++) {
          await lab.delete("k");
          if (start !== undefined) await lab.set("k", start);
          const asked = input();
          const [state, output] = dictModel.step(start, asked);
          assertEquals([start, asked, await perform(lab, "k", asked)], [start, asked, output]);
          assertEquals([start, asked, await lab.get("k")], [start, asked, state]);
          if (typeof output === "string" && !output.startsWith("threw")) seen.add(output);
          if (dictModel.isInert?.(asked, output)) assertEquals(state, start);
        }
      }
    }
    assertEquals([...seen].sort(), ["KEY_NOT_FOUND", "PATH_NOT_FOUND", "TYPE_MISMATCH", "s"]);
  });

  it("dictModel judges what clients of a dictionary really saw", async () => {
    const prefix = uniquePrefix("linearizability");
    const history: Op[] = [];
    let time = 0;
    const run = async (number: number): Promise<void> => {
      // deno-lint-ignore no-explicit-any -- any op at any place
      const lab = new RedisJsonDict<any>(testClient(), { prefix });
      const random = randomOf(number);
      for (let count = 0; count < 50; count++) {
        const key = `k${Math.floor(random() * 2)}`;
        const input = anything(random, count);
        const from = time++;
        const output = await perform(lab, key, input);
        history.push({ client: number, key, input, output, from, to: time++ });
      }
    };
    await Promise.all([1, 2, 3, 4].map(run));
    assertEquals(judge(dictModel, history, { maxSteps: MAX_STEPS }), { ok: true });
  });

  it("itemsModel judges what several clients saw that awaited little, over keys that edits find late", async () => {
    const KEYS = ["a", "b", "c"];
    for (let round = 0; round < ROUNDS; round++) {
      const prefix = uniquePrefix("linearizability");
      const history: ItemsOp[] = [];
      let time = 0;
      const run = async (number: number): Promise<void> => {
        // deno-lint-ignore no-explicit-any -- any op at any place
        const lab = new RedisJsonDict<any>(clients[number], { prefix });
        const random = randomOf(round * 10 + number);
        const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
        /** The last call of each key: the next one comes behind it, awaited or not. */
        const last = new Map<string, ItemsOp>();
        /** Issues one call, and writes down what it is told. */
        const issue = async (): Promise<void> => {
          const from = time++;
          const isClear = random() < 0.03;
          if (isClear) {
            await lab.clear();
            // At each key it is a delete that may have come before what others put there.
            for (const key of KEYS) {
              history.push({
                client: number,
                key: "all",
                input: { key, input: DELETE },
                output: undefined,
                from,
                to: time++,
                applied: "maybe",
              });
            }
            return;
          }
          const input: ItemsInput = random() < 0.2
            ? { kind: "move", from: pick(KEYS), to: pick(KEYS) }
            : { key: pick(KEYS), input: pick(HOT)() };
          const key = "key" in input ? input.key : input.from;
          const operation: { -readonly [K in keyof ItemsOp]: ItemsOp[K] } = {
            client: number,
            key: "all",
            input,
            output: undefined,
            from,
            to: from,
            behind: last.get(key),
          };
          // What a move finds late it puts in its place only then, so what is issued behind it may come before it.
          if ("key" in input) last.set(key, operation);
          operation.output = await performItems(lab, input);
          operation.to = time++;
          history.push(operation);
        };
        for (let burst = 0; burst < 8; burst++) {
          await Promise.all(Array.from({ length: 1 + Math.floor(random() * 5) }, issue));
        }
      };
      await Promise.all(clients.map((_, number) => run(number)));
      const judgement = judge(itemsModel, history, { maxSteps: MAX_STEPS });
      assert(judgement.ok, `round ${round}: ${Deno.inspect(judgement, { depth: 9 })}`);
    }
  });

  it("dictModel tells states apart, but not by the order of members", () => {
    const texts = ["1", '"1"', "null", '""', "[]", "{}", '["1"]', '{"a":1,"b":[2]}', '{"b":[2],"a":1}'].map((
      text,
    ) => dictModel.stateText(decode(text)));
    assertEquals(new Set([...texts, dictModel.stateText(undefined)]).size, texts.length);
    assertEquals(texts.at(-1), texts.at(-2));
  });
});
