import { EventEmitter } from "node:events";
import process from "node:process";
import { setImmediate } from "node:timers";
import { type RedisClient, RedisJsonDict } from "../mod.ts";
import type { Bench } from "./bench.ts";

/** So many calls are under way at once. */
const AT_ONCE = 50;
const KEYS = 100;

/** A client that answers each increment by itself, in the next turn of the event loop: no socket, no server. */
class Answering extends EventEmitter {
  readonly status = "ready";
  readonly options = { maxRetriesPerRequest: 0 };
  #waiting: ((answer: unknown) => void)[] = [];

  /** By this the library knows ioredis, and sends as to it. */
  callBuffer(): void {}

  call(..._: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) > 1) return;
      setImmediate(() => {
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const resolve of waiting) resolve(["1"]);
      });
    });
  }
}

/** What a call costs the processor of the client, without the client library and the server. */
export async function benchProcessor({ report, isQuick }: Bench): Promise<void> {
  report.section(
    "processor",
    "How much time of the processor does a call take in the library itself, the collection of garbage included?\n" +
      `Microseconds for one increment of ${KEYS} keys, beyond the same of a bare client that answers by itself.`,
  );
  const client = new Answering();
  const lab = new RedisJsonDict<Record<string, { n: number }>>(client as unknown as RedisClient, {
    prefix: "none:",
  });
  const refs = Array.from({ length: KEYS }, (_, index) => lab.at(`k${index}`, "n"));
  const ours = (turn: number) => refs[turn % KEYS].increment();
  const bare = (turn: number) =>
    client.call("EVALSHA", "0".repeat(40), 2, `none:k${turn % KEYS}`, "record", "increment", "1", '"n"', "1");
  const calls = isQuick ? 20_000 : 60_000;
  const rows: string[][] = [];
  for (const atOnce of [1, AT_ONCE]) {
    const time = async (call: (turn: number) => Promise<unknown>): Promise<number> => {
      const before = process.cpuUsage();
      for (let turn = 0; turn < calls; turn += atOnce) {
        await Promise.all(Array.from({ length: atOnce }, (_, index) => call(turn + index)));
      }
      const { user, system } = process.cpuUsage(before);
      return (user + system) / calls;
    };
    await time(ours); // compiled before it is measured
    await time(bare);
    let [best, bestBare] = [Infinity, Infinity];
    for (let round = 0; round < (isQuick ? 2 : 5); round++) {
      bestBare = Math.min(bestBare, await time(bare));
      best = Math.min(best, await time(ours));
    }
    rows.push([String(atOnce), bestBare.toFixed(1), best.toFixed(1), (best - bestBare).toFixed(1)]);
  }
  report.table(["calls at once", "bare", "json-dict", "beyond"], rows);
}
