/**
 * The lookout of a chaos run: watches and a cache over the same bad network. In the end they must show what the server has.
 *
 * @module
 */

import { cached, type CachedDict } from "../../../src/api/cached.ts";
import { RedisJsonDict } from "../../../src/api/dict.ts";
import { JsonDictError } from "../../../src/errors/error.ts";
import { sameValue } from "../../../src/replica/compare.ts";
import { until } from "../../support/until.ts";

type Items = Record<string, unknown>;

/** What goes wrong for a moment must not end a watch, however often it happens. */
const OPTIONS = { timeout: 5_000, heartbeat: 500 };

/** One watch for each key, one for all of them, and one who reads through a cache. */
export class Lookout {
  readonly #keys: readonly string[];
  readonly #lab: RedisJsonDict<Items>;
  readonly #reads: CachedDict<Items>;
  readonly #seen: Map<string, unknown> = new Map();
  readonly #copy: Map<string, unknown> = new Map();
  readonly #over: Promise<unknown>[];
  readonly #ended: string[] = [];
  #isOver: boolean = false;
  /** How many values the watches have given. */
  values: number = 0;

  constructor(urls: readonly string[], prefix: string, keys: readonly string[]) {
    this.#keys = keys;
    this.#lab = RedisJsonDict.connect<Items>(urls.length > 1 ? urls : urls[0], { prefix, ...OPTIONS });
    this.#reads = cached(this.#lab, new Map());
    this.#over = [...keys.map((key) => this.#watchKey(key)), this.#watchAll(), this.#read()];
    for (const over of this.#over) {
      over.then(
        () => this.#ended.push("one has ended"),
        (error) => this.#ended.push(`one has ended: ${error}`),
      );
    }
  }

  async #watchKey(key: string): Promise<void> {
    await persist(() => this.#lab.at(key).watch(), (value) => {
      this.values++;
      this.#seen.set(key, value);
    });
  }

  async #watchAll(): Promise<void> {
    await persist(() => this.#lab.watch({ initial: true }), ({ key, value }) => {
      if (key === undefined) return;
      this.values++;
      if (value === undefined) this.#copy.delete(key);
      else this.#copy.set(key, value);
    });
  }

  /** Keeps the cache full. */
  async #read(): Promise<void> {
    while (!this.#isOver) {
      await this.#reads.getMany(this.#keys).catch((error) => {
        if (!(error instanceof JsonDictError)) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** How many reads were answered from the cache. */
  get hits(): number {
    return this.#reads.statistics.hits;
  }

  /**
   * Who does not show what the server has, when nothing fails any more.
   *
   * @param texts What the server has, in the order of the keys.
   */
  async behind(texts: readonly (string | null)[]): Promise<string[]> {
    let behind: string[] = [];
    const look = async (): Promise<boolean> => {
      behind = [];
      const cached = await this.#reads.getMany(this.#keys).catch(() => new Map<string, unknown>());
      this.#keys.forEach((key, index) => {
        const shown = { watch: this.#seen.get(key), all: this.#copy.get(key), cache: cached.get(key) };
        for (const [who, value] of Object.entries(shown)) {
          if (!isSame(texts[index], value)) {
            behind.push(`${who} of ${key}: ${JSON.stringify(value)}, not ${texts[index]}`);
          }
        }
      });
      return behind.length === 0;
    };
    await until("all show what the server has", look).catch(() => {});
    return [...behind, ...this.#ended];
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#lab.close();
    await Promise.allSettled(this.#over);
  }
}

function isSame(text: string | null, value: unknown): boolean {
  return text === null
    ? value === undefined
    : value !== undefined && sameValue(text, JSON.stringify(value)) === true;
}

/** Watches; anew where there was no first value in time, which a watch need not survive. */
async function persist<V>(watch: () => AsyncIterable<V>, take: (value: V) => void): Promise<void> {
  for (let hasBegun = false; !hasBegun;) {
    try {
      for await (const value of watch()) {
        hasBegun = true;
        take(value);
      }
      return;
    } catch (error) {
      if (hasBegun || !(error instanceof JsonDictError)) throw error;
    }
  }
}
