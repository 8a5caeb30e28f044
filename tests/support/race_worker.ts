/**
 * One process of a race: several clients that do one job at the same time and print what they got, as JSON.
 *
 * Arguments: address, prefix, job, number of clients, number of rounds of each, name of this process.
 *
 * @module
 */

import { RedisJsonDict } from "../../src/api/dict.ts";

// deno-lint-ignore no-explicit-any -- one dictionary for all jobs
type Race = RedisJsonDict<any>;

/** One client of a race: returns what it got. */
export type Job = (dict: Race, name: string, rounds: number) => Promise<unknown[]>;

async function repeat(rounds: number, step: (round: number) => Promise<unknown>): Promise<unknown[]> {
  const got: unknown[] = [];
  for (let round = 0; round < rounds; round++) got.push(await step(round));
  return got;
}

/** The jobs by name. */
export const JOBS: Readonly<Record<string, Job>> = {
  push: (dict, name, rounds) => repeat(rounds, (round) => dict.at("x", "list").push(`${name}.${round}`)),
  increment: (dict, _name, rounds) => repeat(rounds, () => dict.at("x", "n").increment()),
  burst: (dict, _name, rounds) =>
    Promise.all(Array.from({ length: rounds }, () => dict.at("x", "n").increment())),
  pop: async (dict) => {
    const got: unknown[] = [];
    for (let item = await dict.at("x").pop(); item !== undefined; item = await dict.at("x").pop()) {
      got.push(item);
    }
    return got;
  },
  popItem: async (dict) => {
    const got: unknown[] = [];
    for (let item = await dict.popItem(); item !== undefined; item = await dict.popItem()) got.push(item[0]);
    return got;
  },
  getOrInsert: (dict, name, rounds) => repeat(rounds, (round) => dict.getOrInsert(`k${round}`, name)),
  getOrInsertInside: (dict, name, rounds) =>
    repeat(rounds, (round) => dict.at("x", `k${round}`).getOrInsert(name)),
  compareAndSet: (dict, _name, rounds) =>
    repeat(rounds, async () => {
      let tries = 0;
      while (true) {
        tries++;
        const { n } = await dict.getOrThrow("x");
        if (await dict.at("x", "n").compareAndSet(n, n + 1)) return tries;
      }
    }),
  transfer: (dict, _name, rounds) =>
    repeat(rounds, async (round) => {
      const [from, to] = [`k${round % 4}`, `k${(round * 7 + 1) % 4}`];
      const before = await dict.edit((draft) => {
        const sum = draft.k0.money + draft.k1.money + draft.k2.money + draft.k3.money;
        if (from !== to && draft[from].money > 0) {
          draft[from].money -= 1;
          draft[to].money += 1;
          draft[to].log.push(round);
        }
        return sum;
      }, { keys: ["k0", "k1", "k2", "k3"], attempts: 10_000 });
      return before;
    }),
  edit: (dict, name, rounds) =>
    repeat(rounds, async (round) => {
      let runs = 0;
      await dict.edit((draft) => {
        const { x } = draft;
        runs++;
        x[name] ??= [];
        x.shared.push(`${name}.${round}`);
      }, { keys: ["x"] });
      return runs;
    }),
  hotEdits: (dict, _name, rounds) =>
    Promise.all(Array.from({ length: rounds }, async () => {
      let runs = 0;
      const n = await dict.edit((draft) => {
        runs++;
        return ++draft.x.n;
      });
      return { n, runs };
    })),
  members: (dict, name, rounds) => repeat(rounds, (round) => dict.at("x", `${name}.${round}`).set(round)),
  update: (dict, name, rounds) =>
    repeat(rounds, async (round) => {
      await dict.update({ a: `${name}.${round}`, b: `${name}.${round}` });
      const both = await dict.getMany(["a", "b"]);
      return both.get("a") === both.get("b");
    }),
};

async function main(): Promise<void> {
  const [url, prefix, job, clients, rounds, process] = Deno.args;
  const dicts = Array.from({ length: Number(clients) }, () => RedisJsonDict.connect(url, { prefix }));
  await Promise.all(dicts.map((dict) => dict.has("x")));
  const got = await Promise.all(
    dicts.map((dict, index) => JOBS[job](dict, `${process}${index}`, Number(rounds))),
  );
  await Promise.all(dicts.map((dict) => dict.close()));
  console.log(JSON.stringify(got));
}

if (import.meta.main) await main();
