/**
 * Records: the server keeps the answer of each call for a while, so that a call that arrives twice is applied once.
 *
 * @module
 */

import type { LeaseNames } from "../call/lease.ts";
import { slotOf, tagOf } from "./slot.ts";

/** The id of a call, and the name of its record in Redis. */
export interface RecordName {
  /** The id of the call: 9 random bytes, in letters, digits, `-` and `_`. */
  readonly callId: string;
  /** The whole name of the record in Redis. */
  readonly name: string;
}

/**
 * Stands in the name of every record, directly before tag and id. By it each dictionary recognises the records of all
 * others, whatever their `recordPrefix`.
 */
export const RECORD_MARKER = "json-dict:op:";
/** The end of the name of a record. */
const RECORD_END = new RegExp(`${RECORD_MARKER}\\{[0-9a-z]{1,4}\\}[\\w-]{12}$`);
/** What stands behind the tag of the name of a lease, before the name of its value, and of a counter of leases. */
const LEASE = "lease:";
const COUNTER = "fence";
/** The names of leases, and of their counters. */
const OF_LEASES = new RegExp(`${RECORD_MARKER}\\{[0-9a-z]{1,4}\\}(?:${LEASE}|${COUNTER}$)`);

/** Practically unique: at 1000 calls a second, two records have the same id once in a million years. */
const ID_BYTES = 9;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A pool of random bytes: one request for many is cheaper than many requests. */
const pool = new Uint8Array(ID_BYTES * 1000);
let used = pool.length;

function newCallId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (const end = used + ID_BYTES; used < end; used += 3) {
    const bits = pool[used] << 16 | pool[used + 1] << 8 | pool[used + 2];
    id += ALPHABET[bits >> 18] + ALPHABET[bits >> 12 & 63] + ALPHABET[bits >> 6 & 63] + ALPHABET[bits & 63];
  }
  return id;
}

/** A name that nobody else has: of a call, or of who holds a lease. */
export function newOwner(): string {
  return newCallId();
}

/** Names records, and what belongs to leases. */
export class Records {
  readonly #prefix: string;

  /** @param prefix Their names begin with it; the marker is added if it does not end with it. It holds no `{`. */
  constructor(prefix: string) {
    this.#prefix = prefix.endsWith(RECORD_MARKER) ? prefix : prefix + RECORD_MARKER;
  }

  /**
   * Names a new call.
   *
   * @param key The whole name of a key that the call touches. In a cluster, the record lives in the same slot.
   * @returns A name that no other call has.
   */
  next(key: string): RecordName {
    const callId = newCallId();
    return { callId, name: this.#nameOf(key, callId) };
  }

  /**
   * Names what belongs to the lease of a key. In a cluster, all of it lives in the slot of the key.
   *
   * @param key The whole name of the key.
   * @returns The names.
   */
  leaseOf(key: string): LeaseNames {
    return { value: key, lease: this.#nameOf(key, LEASE + key), counter: this.#nameOf(key, COUNTER) };
  }

  #nameOf(key: string, rest: string): string {
    return `${this.#prefix}{${tagOf(slotOf(key))}}${rest}`;
  }
}

/**
 * Recognises the records of all dictionaries, and what belongs to their leases.
 *
 * @param name A name in Redis.
 * @returns Whether it is the name of one, whatever its prefix.
 */
export function isRecord(name: string): boolean {
  // Called for every key: a comparison and a short search settle most names.
  return name.at(-13) === "}" && RECORD_END.test(name) ||
    name.includes(RECORD_MARKER) && OF_LEASES.test(name);
}

/**
 * How long after it was sent a call may arrive at the server. Records are kept for twice that time, so that no copy of a
 * call arrives after its record has expired, even if it was sent just before the deadline or a clock is somewhat wrong.
 *
 * @param timeout How long a call may take, in milliseconds.
 * @returns Milliseconds.
 */
export function maxDelay(timeout: number): number {
  return recordTtl(timeout) / 2;
}

/**
 * How long a record is kept: until no request of the call can arrive any more, and `resolve` has had time to ask for it.
 *
 * @param timeout How long a call may take, in milliseconds.
 * @returns Milliseconds from the last time that the call arrived.
 */
export function recordTtl(timeout: number): number {
  return 2 * Math.ceil(timeout) + 60_000;
}
