/**
 * Leases: values that one holder keeps, in order with all other changes of their keys.
 *
 * @module
 */

import type { LeaseOp } from "../call/lease.ts";
import type { ChangeSender, LeaseAnswer } from "../run/delivery.ts";
import type { Lanes } from "../run/lanes.ts";
import { Records } from "../run/record.ts";
import type { Runner } from "../run/runner.ts";
import type { Keyspace } from "./keyspace.ts";
import type { Searches } from "./searches.ts";

/** How the leases of a dictionary reach the server. */
export interface LeaseWays {
  /** The order of all changes. */
  readonly lanes: Lanes;
  /** The calls that look for their keys. */
  readonly searches: Searches;
  /** The names of the keys. */
  readonly keyspace: Keyspace;
  /** Sends changes. */
  readonly sender: ChangeSender;
  /** Sends what closing does not wait for. */
  readonly renewer: ChangeSender;
  /** Reads what closing does not wait for. */
  readonly runner: Runner;
  /** What the names of records begin with. */
  readonly recordPrefix: string;
}

/** The leases of one dictionary. */
export class Leases {
  readonly #ways: LeaseWays;
  readonly #records: Records;

  /** @param ways How they reach the server. */
  constructor(ways: LeaseWays) {
    this.#ways = ways;
    this.#records = new Records(ways.recordPrefix);
  }

  /**
   * Does something with a lease, behind all earlier changes of its key. One round trip.
   *
   * @param op The op.
   * @param timeout How long the call may take, in milliseconds.
   * @param isWanted Asked when it has its turn: otherwise nothing is sent.
   * @returns The answer; nothing if nothing was sent.
   */
  async change(
    op: LeaseOp,
    timeout: number | undefined,
    isWanted: () => boolean = () => true,
  ): Promise<LeaseAnswer | undefined> {
    const { searches, lanes, sender } = this.#ways;
    searches.goAhead([op.key]);
    const turn = lanes.enter([op.key]);
    try {
      await turn.comes;
      return isWanted() ? await sender.lease(op, timeout) : undefined;
    } finally {
      turn.leave();
    }
  }

  /** Renews a lease, or tries to for so many milliseconds. It waits for no other call. One round trip. */
  async renew(key: string, owner: string, ttl: number, timeout: number): Promise<LeaseAnswer> {
    return await this.#ways.renewer.lease({ kind: "renew", key, owner, ttl }, timeout);
  }

  /**
   * For how long a key is taken, if nobody renews it. It waits for no other call. One round trip.
   *
   * @param timeout How long it may take, in milliseconds.
   * @returns Milliseconds; `Infinity` if what is there does not expire, nothing if the key is free.
   */
  async left(key: string, timeout: number): Promise<number | undefined> {
    const { runner, keyspace } = this.#ways;
    const { value, lease } = this.#records.leaseOf(keyspace.nameOf(key));
    const times = (await runner.within(timeout).ofEach("PTTL", [value, lease])).map(Number);
    if (times.every((time) => time === -2)) return undefined;
    return times.includes(-1) ? Infinity : Math.max(...times, 0);
  }
}
