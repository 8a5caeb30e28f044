/**
 * Records: what the server keeps of a call for a while, so that a call that arrives twice is applied once.
 *
 * @module
 */

import { slotOf, tagOf } from "./slot.ts";

/** The name of a call, and of its record in Redis. */
export interface RecordName {
  /** The name of the call: 9 random bytes, in letters, digits, `-` and `_`. */
  readonly callId: string;
  /** The whole name of the record in Redis. */
  readonly name: string;
}

/**
 * What stands in the name of every record, directly before tag and id: by it each dictionary knows the records of all
 * others, whatever their `recordPrefix`.
 */
export const RECORD_MARKER = "json-dict:op:";
/** The end of the name of a record. */
const RECORD_END = new RegExp(`${RECORD_MARKER}\\{[0-9a-z]{1,4}\\}[\\w-]{12}$`);

/** As good as unique: of a thousand calls a second, one in a million years meets the record of another. */
const ID_BYTES = 9;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Random bytes in store: asking for them costs more than using them. */
const pool = new Uint8Array(ID_BYTES * 100);
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

/** Names records. */
export class Records {
  readonly #prefix: string;

  /** @param prefix What their names begin with; the marker is added where it does not end with it. It holds no `{`. */
  constructor(prefix: string) {
    this.#prefix = prefix.endsWith(RECORD_MARKER) ? prefix : prefix + RECORD_MARKER;
  }

  /**
   * Names a new call.
   *
   * @param key The whole name of a key that the call touches. In a cluster, the record lives beside it.
   * @returns A name that no other call has.
   */
  next(key: string): RecordName {
    const callId = newCallId();
    return { callId, name: `${this.#prefix}{${tagOf(slotOf(key))}}${callId}` };
  }
}

/**
 * Tells the records of all dictionaries from keys.
 *
 * @param name A name in Redis.
 * @returns Whether it is that of a record, whatever its prefix.
 */
export function isRecord(name: string): boolean {
  return name.at(-13) === "}" && RECORD_END.test(name); // each op asks, and most names need one look
}

/**
 * How long after it is sent a call may come to the server. Records are kept for twice that time, so that neither a
 * call sent just before its deadline nor a clock that is somewhat wrong lets a copy come after its record.
 *
 * @param timeout How long a call may take, in milliseconds.
 * @returns Milliseconds.
 */
export function maxDelay(timeout: number): number {
  return recordTtl(timeout) / 2;
}

/**
 * How long a record is kept: until no request of the call can arrive any more, with time to ask what became of it.
 *
 * @param timeout How long a call may take, in milliseconds.
 * @returns Milliseconds from the last time that the call arrived.
 */
export function recordTtl(timeout: number): number {
  return 2 * Math.ceil(timeout) + 60_000;
}
