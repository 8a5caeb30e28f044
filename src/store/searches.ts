/**
 * The calls of a dictionary that look for their keys, `clear` and `popItem`, in order with all others.
 *
 * @module
 */

import type { Cancellation } from "../run/cancellation.ts";
import type { Outcome } from "../call/answer.ts";
import type { Group } from "../data/op.ts";
import { toChangeError, toReadError } from "../run/failure.ts";
import type { Lanes, Turn } from "../run/lanes.ts";
import type { Page } from "../run/scan.ts";
import type { Keyspace } from "./keyspace.ts";
import type { Reader } from "./reader.ts";
import { Search } from "./search.ts";

/** How many keys one call removes: with their tokens they stay below what some servers take in a request. */
const MAX_REMOVED = 500;

/** The searches of one dictionary. */
export class Searches {
  readonly #lanes: Lanes;
  readonly #reader: Reader;
  readonly #keyspace: Keyspace;
  readonly #timeout: number;
  /** Those that are under way. */
  readonly #searches: Set<Search> = new Set();
  /** Resolves when all that were issued so far are over. */
  #over: Promise<unknown> = Promise.resolve();
  /** Where `popItem` goes on: keys that it has seen, and the cursor behind them. */
  #candidates: readonly string[] = [];
  #cursor: string = "0";

  /**
   * Searches what a reader sees, and changes it through lanes.
   *
   * @param timeout How long a call may take, in milliseconds, for errors.
   */
  constructor(lanes: Lanes, reader: Reader, keyspace: Keyspace, timeout: number) {
    this.#lanes = lanes;
    this.#reader = reader;
    this.#keyspace = keyspace;
    this.#timeout = timeout;
  }

  /** A call that is issued now touches keys: does there first what the searches before it want. */
  goAhead(keys: readonly string[]): void {
    for (const search of this.#searches) for (const key of keys) search.meet(key);
  }

  /** Resolves when all that was issued so far is settled, searches included. */
  async earlier(): Promise<void> {
    await Promise.all([this.#lanes.idle(), this.#over]);
  }

  /**
   * Removes all keys that are there when it is called. A call that is issued meanwhile removes its own keys first and
   * waits for nothing else.
   *
   * @returns How many there were.
   */
  async clear(cancellation?: Cancellation): Promise<number> {
    let count = 0;
    const before = this.earlier();
    const search = new Search((key) =>
      this.#remove([key], cancellation).then((removed) => void (count += removed))
    );
    await this.#run(search, async () => {
      await before;
      cancellation?.start();
      for await (const { keys } of this.#scan("clear", cancellation)) {
        if (cancellation?.isCancelled) return;
        const removed = await this.#remove(keys.filter((key) => search.claim(key)), cancellation);
        count += removed; // not in one step with the await, during which others count, too
      }
    });
    return count;
  }

  /** Removes keys, each by itself. A round trip for each 500. Returns how many were there. */
  async #remove(keys: readonly string[], cancellation?: Cancellation): Promise<number> {
    const outcomes: Promise<Outcome>[] = [];
    for (const part of this.#keyspace.bySlot(keys, (key) => key)) {
      for (let from = 0; from < part.length; from += MAX_REMOVED) {
        const some = part.slice(from, from + MAX_REMOVED);
        const groups = some.map((key): Group => [{ kind: "delete", path: [key] }]);
        outcomes.push(...this.#lanes.commitAll(groups, some, cancellation));
      }
    }
    const settled = await Promise.all(outcomes);
    return settled.filter((outcome) => "results" in outcome && outcome.results[0] === "true").length;
  }

  /**
   * Removes some item. One round trip where an earlier call has seen more keys than it took, else those of a scan up to
   * the first key, which goes on where the last one ended. That there is none takes a scan of the whole server.
   *
   * @returns Its key and text, nothing if there is none.
   */
  async popItem(cancellation?: Cancellation): Promise<readonly [string, string] | undefined> {
    let item: readonly [string, string] | undefined;
    const before = this.earlier();
    // One key after the other, for it takes only one; but it has its place at each of them at once.
    let last: Promise<unknown> = Promise.resolve();
    const search = new Search((key) => {
      if (item) return Promise.resolve();
      const turn = this.#lanes.enter([key]);
      const act = last.then(async () => {
        if (item) return;
        const text = await this.#take(turn, key, cancellation);
        if (text !== undefined) item = [key, text];
      }).finally(() => turn.leave());
      last = act;
      return act;
    });
    await this.#run(search, async () => {
      const [known] = this.#candidates;
      this.#candidates = this.#candidates.slice(1);
      if (known !== undefined) this.goAhead([known]);
      await search.settled();
      await before;
      cancellation?.start();
      for (let from = this.#cursor; !item && !cancellation?.isCancelled;) {
        await this.#popFrom(search, from, () => item !== undefined, cancellation);
        if (from === "0") break; // all keys were looked at
        from = "0";
      }
    });
    return item;
  }

  /** Looks for an item from a cursor on, and remembers what it has not come to. */
  async #popFrom(
    search: Search,
    from: string,
    isFound: () => boolean,
    cancellation: Cancellation | undefined,
  ): Promise<void> {
    for await (const { keys, next } of this.#scan("popItem", cancellation, from)) {
      for (const [index, key] of keys.entries()) {
        search.meet(key);
        await search.settled();
        if (!isFound() && !cancellation?.isCancelled) continue;
        this.#candidates = keys.slice(index + 1);
        this.#cursor = next;
        return;
      }
    }
    this.#cursor = "0";
  }

  /** Pages of keys. What fails here has changed nothing. */
  async *#scan(
    operation: string,
    cancellation: Cancellation | undefined,
    from?: string,
  ): AsyncGenerator<Page, void> {
    try {
      yield* this.#reader.scan(from);
    } catch (error) {
      throw toReadError(error, { operation, path: [], timeout: cancellation?.timeout ?? this.#timeout });
    }
  }

  /** Takes the value of a key when its turn has come. */
  async #take(turn: Turn, key: string, cancellation: Cancellation | undefined): Promise<string | undefined> {
    await turn.comes;
    if (cancellation?.isCancelled) return undefined;
    cancellation?.start();
    try {
      const outcome = await turn.commit([{ kind: "take", path: [key] }], cancellation);
      return "results" in outcome && outcome.results[0] !== "" ? outcome.results[0] : undefined;
    } catch (error) {
      const timeout = cancellation?.timeout ?? this.#timeout;
      throw toChangeError(error, { operation: "popItem", path: [key], timeout }); // here the key is known
    }
  }

  /** Does the work of a search, and until it is over that of what is issued meanwhile. */
  async #run(search: Search, work: () => Promise<void>): Promise<void> {
    this.#searches.add(search);
    this.#over = Promise.all([this.#over, search.isOver]);
    try {
      await work();
      await search.settled();
    } finally {
      this.#searches.delete(search);
      search.end();
    }
  }
}
