/**
 * Reads of places that are watched: all that watch one key share them.
 *
 * @module
 */

import type { Path } from "../data/path.ts";
import type { Glance, Store } from "../store/store.ts";

/** What was found at a place. */
export interface Sight extends Pick<Glance, "ttl" | "isCertain"> {
  /** Its text, or why there is none. */
  readonly found: Glance["found"][number];
}

/** Who hears how far a read is. */
export interface ReadListener {
  /** It is issued: all changes of the dictionary that were issued before will be in it, and none of the later ones. */
  issued?(): void;
  /** It is sent: news that came before is answered by it. */
  sent?(): void;
}

/** A read that is asked for. */
interface Asked extends ReadListener {
  readonly path: Path;
}

/** Reads of one key: those that ask while one is under way share the next one, which is sent after they asked. */
class KeyReads {
  readonly #store: Store;
  #isBusy: boolean = false;
  #asked: Asked[] = [];
  #answer: Promise<ReadonlyMap<string, Sight>> | undefined;
  #current: Promise<unknown> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  get isIdle(): boolean {
    return !this.#isBusy && this.#answer === undefined;
  }

  async read(path: Path, listener: ReadListener): Promise<Sight> {
    this.#asked.push({ path, issued: () => listener.issued?.(), sent: () => listener.sent?.() });
    this.#answer ??= this.#send();
    return (await this.#answer).get(idOf(path))!;
  }

  /** Sends what is asked for until the read before is over, and in this turn. */
  #send(): Promise<ReadonlyMap<string, Sight>> {
    const answer = this.#current.then(async () => {
      const asked = this.#asked;
      this.#asked = [];
      this.#answer = undefined;
      this.#isBusy = true;
      const places = new Map(asked.map(({ path }) => [idOf(path), path]));
      const glance = this.#store.glance([...places.values()], () => {
        for (const { sent } of asked) sent?.();
      });
      for (const { issued } of asked) issued?.();
      const { found, ttl, isCertain } = await glance;
      return new Map([...places.keys()].map((id, index) => [id, { found: found[index], ttl, isCertain }]));
    }).finally(() => this.#isBusy = false);
    this.#current = answer.catch(() => {});
    return answer;
  }
}

const readsOf = new WeakMap<Store, Map<string, KeyReads>>();

/**
 * Reads a place, behind all changes of the dictionary that were issued before.
 *
 * @param store Where it is.
 * @param path The place.
 * @param operation The method that the caller used.
 * @param listener Hears how far the read is.
 * @returns What is there.
 */
export async function readPlace(
  store: Store,
  path: Path,
  operation: string,
  listener: ReadListener = {},
): Promise<Sight> {
  const key = String(path[0]);
  let ofStore = readsOf.get(store);
  if (ofStore === undefined) readsOf.set(store, ofStore = new Map());
  let reads = ofStore.get(key);
  if (reads === undefined) ofStore.set(key, reads = new KeyReads(store));
  try {
    return await reads.read(path, listener);
  } catch (error) {
    throw store.readError(error, operation, path);
  } finally {
    if (reads.isIdle && ofStore.get(key) === reads) ofStore.delete(key);
  }
}

const idOf = (path: Path): string => JSON.stringify(path);
