/**
 * The reader: everything that only reads, and waits for nothing.
 *
 * @module
 */

import { type CommandAnswers, readCommand, readResults, readTexts, type Refusal } from "../call/answer.ts";
import { compileReads } from "../call/call.ts";
import type { Read } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import type { Lanes } from "../run/lanes.ts";
import { Records } from "../run/record.ts";
import type { Runner } from "../run/runner.ts";
import { type Page, scanKeys } from "../run/scan.ts";
import { checkServer } from "../run/server.ts";
import type { Keyspace } from "./keyspace.ts";
import type { Places } from "./places.ts";

/** Reads the values of one dictionary. */
export class Reader {
  readonly #runner: Runner;
  readonly #keyspace: Keyspace;
  readonly #places: Places;
  readonly #timeout: number;

  /** @param timeout How long a part of a cluster may be away during a scan, in milliseconds. */
  constructor(runner: Runner, keyspace: Keyspace, places: Places, timeout: number) {
    this.#runner = runner;
    this.#keyspace = keyspace;
    this.#places = places;
    this.#timeout = timeout;
  }

  /** The same for calls that may take another time, in milliseconds. */
  within(timeout: number): Reader {
    const runner = this.#runner.within(timeout);
    return new Reader(runner, this.#keyspace, this.#places.by(runner), timeout);
  }

  /** Asks whether the server will do what is needed. One round trip. */
  ready(key: string, recordPrefix: string, hasReplicas: boolean): Promise<void> {
    const name = this.#keyspace.nameOf(key);
    return checkServer(this.#runner, name, new Records(recordPrefix).next(name).name, hasReplicas);
  }

  /** Reads one place. One round trip, shared with other reads of the key in this turn. */
  place(read: Read): Promise<string | Refusal> {
    return this.#places.read(read);
  }

  /** Sends a plain command about one key. One round trip. */
  command<N extends keyof CommandAnswers>(name: N, key: string): Promise<CommandAnswers[N]> {
    return this.#runner.command((answer) => readCommand(name, answer), name, this.#keyspace.prefix + key);
  }

  async #run(reads: readonly Read[]): Promise<readonly (string | Refusal)[]> {
    const call = compileReads(this.#keyspace.prefix, reads);
    return await this.#runner.run({
      resend: "resend",
      callFor: () => call,
      read: (answer) => readResults(reads, answer),
    });
  }

  /** What is at some places; in a cluster, the keys of each slot at a moment of their own. One round trip. */
  async fragments(places: readonly Path[]): Promise<readonly (string | Refusal)[]> {
    const answers = new Map<Path, string | Refusal>();
    await Promise.all(
      this.#keyspace.bySlot(places, ([key]) => String(key)).map(async (part) => {
        const found = await this.#run(part.map((path): Read => ({ kind: "get", path })));
        part.forEach((path, index) => answers.set(path, found[index]));
      }),
    );
    return places.map((path) => answers.get(path)!);
  }

  /**
   * What is at some places, at one moment. One round trip, two if a whole value is not there.
   *
   * @returns For each place its text, or why there is none.
   */
  async places(places: readonly Path[]): Promise<readonly (string | Refusal)[]> {
    if (places.some((path) => path.length > 1)) {
      const reads = places.map((path): Read => ({ kind: "get", path }));
      return await this.#run(reads);
    }
    const keys = places.map(([key]) => String(key));
    const texts = await this.#mget(keys);
    const types = await this.#typesOf(keys.filter((_, index) => texts[index] === null));
    return texts.map((text, index): string | Refusal => {
      if (text !== null) return text;
      const found = types.get(keys[index])!;
      const isMissing = found === "none" || found === "string"; // it was not there a moment ago
      return {
        code: isMissing ? "NO_KEY" : "WRONG_TYPE",
        index: 0,
        segment: 0,
        found: isMissing ? "" : found,
      };
    });
  }

  /** The Redis types of keys. MGET answers nil for a key that is no string, which must not look like a miss. */
  async #typesOf(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const names = [...new Set(keys)];
    const types = await Promise.all(names.map((key) => this.command("TYPE", key)));
    return new Map(names.map((key, index) => [key, types[index]]));
  }

  /** The values of some keys, without those that are not there. One round trip. */
  async items(keys: readonly string[]): Promise<(readonly [string, string])[]> {
    const texts = await this.#mget(keys);
    const items: (readonly [string, string])[] = [];
    for (let index = 0; index < keys.length; index++) {
      const text = texts[index];
      if (text !== null) items.push([keys[index], text]); // else it was removed since it was seen
    }
    return items;
  }

  /** The texts of some keys, `null` where there is none, and what PTTL answers for each. One round trip. */
  async kept(keys: readonly string[]): Promise<readonly (readonly [text: string | null, ttl: unknown])[]> {
    const [texts, ttls] = await Promise.all([
      this.#mget(keys),
      this.#runner.ofEach("PTTL", keys.map((key) => this.#keyspace.prefix + key)),
    ]);
    return texts.map((text, index) => [text, ttls[index]]);
  }

  /**
   * Pages of keys, without the prefix. One round trip each.
   *
   * @param from The cursor to begin with.
   * @param lanes Changes that each page must be read after; none when left out.
   * @param startsWith What the keys start with.
   */
  async *scan(from?: string, lanes?: Lanes, startsWith: string = ""): AsyncGenerator<Page, void> {
    const { prefix } = this.#keyspace;
    const begin = prefix + startsWith;
    for await (const { keys, next } of scanKeys(this.#runner, begin, this.#timeout, lanes, from)) {
      yield { keys: keys.map((name) => name.slice(prefix.length)), next };
    }
  }

  /** The texts of keys, `null` where there is none. */
  async #mget(keys: readonly string[]): Promise<readonly (string | null)[]> {
    const parts = this.#keyspace.bySlot(keys, (key) => key);
    const answers = await Promise.all(parts.map((part) => {
      const names = part.map((key) => this.#keyspace.prefix + key);
      return this.#runner.command((answer) => readTexts(names.length, answer), "MGET", ...names);
    }));
    if (parts.length === 1) return answers[0];
    const found = new Map<string, string | null>();
    parts.forEach((part, at) => part.forEach((key, index) => found.set(key, answers[at][index])));
    return keys.map((key) => found.get(key)!);
  }
}
