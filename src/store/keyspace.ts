/**
 * The keyspace: which names in Redis the keys of a dictionary have, and which of them can be used together.
 *
 * @module
 */

import { formatPlace } from "../data/path.ts";
import { CrossSlotError } from "../errors/delivery.ts";
import { isRecord } from "../run/record.ts";
import { slotOf } from "../run/slot.ts";

/** The keys behind one prefix. */
export class Keyspace {
  /** Put before each key. */
  readonly prefix: string;
  readonly #isCluster: boolean;

  /** The keys behind a prefix, on a server or in a cluster. */
  constructor(prefix: string, isCluster: boolean) {
    this.prefix = prefix;
    this.#isCluster = isCluster;
  }

  /**
   * Checks before any I/O that keys can be used.
   *
   * @throws {TypeError} If one is named like the record of a call.
   */
  check(keys: readonly string[]): void {
    for (const key of keys) this.nameOf(key);
  }

  /**
   * Checks before any I/O that keys can be used in one call.
   *
   * @throws {CrossSlotError} If a cluster keeps them apart.
   */
  checkSlots(keys: readonly string[], operation: string): void {
    if (!this.#isCluster) return;
    const [[first], second] = this.bySlot(keys, (key) => key);
    if (second) throw new CrossSlotError({ operation, path: [first], keys: [first, second[0]] });
  }

  /** Parts what belongs to keys in different slots of a cluster. */
  bySlot<I>(items: readonly I[], keyOf: (item: I) => string): readonly (readonly I[])[] {
    if (!this.#isCluster) return [items];
    const slots = new Map<number, I[]>();
    for (const item of items) {
      const slot = slotOf(this.prefix + keyOf(item));
      const others = slots.get(slot);
      if (others) others.push(item);
      else slots.set(slot, [item]);
    }
    return [...slots.values()];
  }

  /** The name in Redis of a key. */
  nameOf(key: string): string {
    const name = this.prefix + key;
    if (isRecord(name)) {
      throw new TypeError(
        `Cannot use the key ${formatPlace([key])}: with its prefix it is named like the records of calls`,
      );
    }
    return name;
  }
}
