/**
 * `json-dict` on a prefix of its own, as a test file uses it.
 *
 * Import this module from a test file only: it registers hooks.
 *
 * @module
 */

import type { Redis } from "ioredis";
import { redisUrl, uniquePrefix } from "./redis.ts";
import { type Ended, runHere, TestTerminal } from "./test_terminal.ts";

/** Runs `json-dict` on a prefix of its own. */
export class Shell {
  readonly prefix: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
    this.prefix = uniquePrefix("cli");
    this.env = { REDIS_URL: redisUrl, JSON_DICT_PREFIX: this.prefix };
  }

  /** In a pipe. */
  async run(...args: readonly string[]): Promise<Ended> {
    return await runHere(new TestTerminal(this.env), ...args);
  }

  /** In a pipe that brings something. */
  async feed(input: string, ...args: readonly string[]): Promise<Ended> {
    return await runHere(new TestTerminal(this.env, undefined, input), ...args);
  }

  /** On a terminal where a person answers. */
  async sit(answers: readonly string[], ...args: readonly string[]): Promise<Ended> {
    return await runHere(new TestTerminal(this.env, answers), ...args);
  }

  /** Writes a text. */
  async put(key: string, text: string): Promise<void> {
    await this.#redis.set(this.prefix + key, text);
  }

  /** Reads a text. */
  async text(key: string): Promise<string | null> {
    return await this.#redis.get(this.prefix + key);
  }

  /** Reads all texts. */
  async texts(): Promise<Record<string, string | null>> {
    const names = (await this.#redis.keys(`${this.prefix}*`)).sort();
    const texts = names.length === 0 ? [] : await this.#redis.mget(names);
    return Object.fromEntries(names.map((name, index) => [name.slice(this.prefix.length), texts[index]]));
  }
}
