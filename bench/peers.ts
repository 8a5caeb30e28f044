/**
 * The ways of changing a value that need no script: GET, change, SET by a plain client, as the Python original does,
 * and the same under WATCH and MULTI.
 *
 * @module
 */

import { Redis } from "ioredis";

/** The commands of one change by GET and SET. */
export const GET_SET_COMMANDS: readonly string[] = ["get", "set"];
/** The commands of one change under WATCH; EXEC counts what it executes. */
export const WATCH_COMMANDS: readonly string[] = ["watch", "get", "multi", "exec"];

/** Changes a text. */
export type Change = (text: string) => string;

/** Reads, changes and writes. What others wrote in between is lost. */
export async function changeByGetSet(client: Redis, key: string, change: Change): Promise<void> {
  await client.set(key, change((await client.get(key))!));
}

/** The same, again until nobody has written in between. Returns how often it was tried. The connection does nothing else. */
export async function changeByWatch(client: Redis, key: string, change: Change): Promise<number> {
  for (let tries = 1;; tries++) {
    await client.watch(key);
    const text = change((await client.get(key))!);
    if (await client.multi().set(key, text).exec() !== null) return tries;
  }
}

/** Some connections; each is lent to one at a time, for WATCH belongs to a connection. */
export class Pool {
  readonly #all: readonly Redis[];
  readonly #free: Redis[];
  readonly #waiting: ((client: Redis) => void)[] = [];

  constructor(url: string, count: number) {
    this.#all = Array.from({ length: count }, () => new Redis(url, { maxRetriesPerRequest: 0 }));
    this.#free = [...this.#all];
  }

  /** Waits for a connection, and lends it for as long as the work takes. */
  async lend<R>(work: (client: Redis) => Promise<R>): Promise<R> {
    const client = this.#free.pop() ?? await new Promise<Redis>((resolve) => this.#waiting.push(resolve));
    try {
      return await work(client);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(client);
      else this.#free.push(client);
    }
  }

  async close(): Promise<void> {
    for (const client of this.#all) await client.quit();
  }
}
