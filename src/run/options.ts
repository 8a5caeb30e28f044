/**
 * Options: what a user may set, checked once, and what follows from it.
 *
 * @module
 */

import { nameOf, readKey } from "../data/path.ts";
import { checkNames, checkTimeout, MAX_TIMEOUT } from "./option.ts";
import { RECORD_MARKER } from "./record.ts";

/** How a dictionary works. */
export interface DictOptions {
  /**
   * Put before each key, so that several dictionaries and other data can share a server. Usually it ends with a
   * separator, as `"lab:"`. A prefix that is the beginning of another one shares its keys. There is no default: with
   * `""` all keys of the database are those of the dictionary, and `clear` removes them.
   */
  readonly prefix: string;
  /**
   * Read integers beyond 2^53 - 1 as `bigint`, exactly, and write `bigint`. Without it they read as the nearest
   * number, as `JSON.parse` does, and `bigint` is refused.
   *
   * @default {false}
   */
  readonly bigints?: boolean;
  /**
   * How long one call may take, in milliseconds: waiting for a connection and all attempts to get an answer count,
   * waiting behind earlier changes of the same key does not.
   *
   * @default {10000}
   */
  readonly timeout?: number;
  /**
   * How often a change is applied when a connection is lost. With `"exactly-once"` it is sent again until there is an
   * answer, and the server keeps a record of it for a while, 2 * `timeout` + 60 seconds, so that a request that arrives
   * twice is applied once. With `"at-most-once"` it is sent once and there are no records: a lost answer is an
   * {@linkcode AmbiguousResultError} at once. The client must not resend it either; see
   * {@linkcode RedisJsonDict.constructor}.
   *
   * @default {"exactly-once"}
   */
  readonly delivery?: Delivery;
  /**
   * How often a connection that watches is asked whether it is still there, in milliseconds. One that has gone without a
   * word is noticed within `heartbeat` + `timeout`.
   *
   * @default {5000}
   */
  readonly heartbeat?: number;
  /**
   * What the names of records begin with. If it does not end with `json-dict:op:`, that is added, so that no dictionary
   * mistakes the records of another one for its own keys; a hash tag and the id of the call follow. A user of the server
   * who may not use all keys needs the right to these names.
   *
   * @default {"json-dict:op:"}
   */
  readonly recordPrefix?: string;
  /**
   * Waits after each change until that many replicas have it, for at most `timeout` milliseconds: half of the `timeout`
   * of the dictionary by default, and in addition to it. If too few have it by then, the call rejects with
   * {@linkcode DurabilityError}, though the change was applied. One round trip more for each change, two in a cluster;
   * nothing else is answered on the connection meanwhile. This makes the loss of a change with its server unlikely, not
   * impossible: Redis may promote a replica without it.
   */
  readonly durability?: { readonly replicas: number; readonly timeout?: number };
  /**
   * To read a part of a value that is known to have up to so many bytes, the whole value is read, and the part is cut
   * out in this program: that costs the server a fraction. It is known from the last read of a part. With 0 the server
   * always cuts out, which is better where a byte on the network costs more than the server's time.
   *
   * @default {16384}
   */
  readonly readWhole?: number;
  /**
   * Remember where the last change of a long value was, so that the script reads no more than that for the next one.
   * It costs memory for up to 1,000 numbers; a wrong hint costs time, nothing else.
   *
   * @default {true}
   */
  readonly hints?: boolean;
}

/** How a dictionary is closed. */
export interface CloseOptions {
  /**
   * How long closing may take, in milliseconds.
   *
   * @default The `timeout` of the dictionary.
   */
  readonly timeout?: number;
}

/** The options of a dictionary, checked and with all defaults filled in. */
export interface Settings {
  /** Put before each key. */
  readonly prefix: string;
  /** Whether integers beyond 2^53 - 1 are read as `bigint`. */
  readonly bigints: boolean;
  /** How long one call may take, in milliseconds. */
  readonly timeout: number;
  /** Whether a change is sent again when its answer is lost, under the protection of a record. */
  readonly delivery: Delivery;
  /** How often a connection that hears of changes is asked whether it is there, in milliseconds. */
  readonly heartbeat: number;
  /** What the names of records begin with, before marker, tag and call id. */
  readonly recordPrefix: string;
  /** How many replicas a change must reach; none when left out. */
  readonly durability?: Durability;
  /** The length up to which a value is read whole to read a part of it, in bytes. */
  readonly readWhole: number;
  /** Whether it remembers where the last change of a long value was. */
  readonly hints: boolean;
}

/** How many replicas a change must reach, and by when. */
export interface Durability {
  /** How many replicas must have it. */
  readonly replicas: number;
  /** How long to wait for them, in milliseconds. */
  readonly timeout: number;
}

/** How often a change is applied when its answer is lost. */
export type Delivery = "exactly-once" | "at-most-once";

const DEFAULT_TIMEOUT = 10_000;
const DEFAULT_HEARTBEAT = 5_000;
const DEFAULT_READ_WHOLE = 16_384;
/** The names of all options. */
const NAMES: readonly (keyof DictOptions)[] = [
  "prefix",
  "bigints",
  "timeout",
  "delivery",
  "heartbeat",
  "recordPrefix",
  "durability",
  "readWhole",
  "hints",
];

/**
 * Checks the options of a dictionary, once.
 *
 * @param options What the caller gave.
 * @returns Everything decided, frozen.
 * @throws {TypeError} If there is no prefix, if there is no such option, if one is of the wrong type, or if two exclude
 * each other.
 * @throws {RangeError} If a number is out of its range.
 */
export function readOptions(options: DictOptions | undefined): Settings {
  if (options !== undefined) checkNames("use the options", options, NAMES, '{ prefix: "lab:" }');
  const {
    prefix,
    bigints = false,
    timeout = DEFAULT_TIMEOUT,
    delivery = "exactly-once",
    heartbeat = DEFAULT_HEARTBEAT,
    recordPrefix = RECORD_MARKER,
    durability,
    readWhole = DEFAULT_READ_WHOLE,
    hints = true,
  }: Partial<DictOptions> = options ?? {};
  if (prefix === undefined) {
    throw new TypeError(
      'Cannot use the options: there is no prefix; write prefix: "lab:", or prefix: "" for all keys of the database, ' +
        "which clear() removes then",
    );
  }
  if (typeof prefix !== "string") {
    throw new TypeError(`Cannot use the prefix: received ${nameOf(prefix)}, expected a string`);
  }
  if (typeof bigints !== "boolean") {
    throw new TypeError(`Cannot use the option bigints: received ${typeof bigints}, expected a boolean`);
  }
  if (typeof hints !== "boolean") {
    throw new TypeError(`Cannot use the option hints: received ${typeof hints}, expected a boolean`);
  }
  checkTimeout(timeout);
  checkHeartbeat(heartbeat);
  if (delivery !== "exactly-once" && delivery !== "at-most-once") {
    throw new TypeError(
      `Cannot use the delivery: received ${String(delivery)}, expected "exactly-once" or "at-most-once"`,
    );
  }
  if (typeof recordPrefix !== "string" || recordPrefix === "" || recordPrefix.includes("{")) {
    throw new TypeError("Cannot use the recordPrefix: expected a string that is not empty and holds no {");
  }
  if (!Number.isInteger(readWhole) || readWhole < 0) {
    const received = typeof readWhole === "number" ? readWhole : nameOf(readWhole);
    const Wrong = typeof readWhole === "number" ? RangeError : TypeError;
    throw new Wrong(
      `Cannot use the option readWhole: received ${received}, expected a number of bytes, 0 or more`,
    );
  }
  return Object.freeze({
    prefix: readKey(prefix),
    bigints,
    timeout,
    delivery,
    heartbeat,
    recordPrefix: readKey(recordPrefix),
    readWhole,
    hints,
    ...(durability === undefined ? {} : { durability: readDurability(durability, delivery, timeout) }),
  });
}

function checkHeartbeat(heartbeat: unknown): void {
  if (typeof heartbeat !== "number") {
    throw new TypeError(`Cannot use the heartbeat: received ${typeof heartbeat}, expected a number`);
  }
  if (heartbeat >= 1 && heartbeat <= MAX_TIMEOUT) return;
  throw new RangeError(`Cannot use the heartbeat: received ${heartbeat}, expected 1 to ${MAX_TIMEOUT} ms`);
}

function readDurability(
  durability: NonNullable<DictOptions["durability"]>,
  delivery: Delivery,
  timeout: number,
): Durability {
  checkNames("use the durability", durability, ["replicas", "timeout"], "{ replicas: 1 }");
  const { replicas, timeout: ms = Math.ceil(timeout / 2) } = durability;
  if (!Number.isInteger(replicas) || replicas < 1) {
    throw new RangeError(
      `Cannot use the durability: replicas is ${String(replicas)}, expected a positive integer`,
    );
  }
  if (typeof ms !== "number" || !(ms >= 1 && ms < timeout)) {
    throw new RangeError(
      `Cannot use the durability: its timeout is ${
        String(ms)
      }, expected 1 to less than the timeout, ${timeout} ms`,
    );
  }
  if (delivery === "at-most-once") {
    throw new TypeError('Cannot use the durability: it needs the records of delivery "exactly-once"');
  }
  return Object.freeze({ replicas, timeout: Math.floor(ms) });
}

/**
 * Checks how long closing may take.
 *
 * @param options What the caller gave.
 * @param timeout The timeout of the dictionary.
 * @returns Milliseconds.
 * @throws {TypeError} If the options are no object, or if there is no such option.
 * @throws {RangeError} If the timeout is no positive number of milliseconds.
 */
export function readCloseTimeout(options: CloseOptions, timeout: number): number {
  checkNames("close", options, ["timeout"], "{ timeout: 5000 }");
  const { timeout: ms = timeout } = options;
  if (typeof ms === "number" && ms > 0 && ms <= MAX_TIMEOUT) return ms;
  throw new RangeError(`Cannot close: timeout is ${String(ms)}, expected 1 to ${MAX_TIMEOUT} ms`);
}
