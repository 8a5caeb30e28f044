/**
 * Leases on the wire: an op of a lease becomes one call of `lua/lease.lua`, and its reply an answer.
 *
 * Pure, as `call.ts`.
 *
 * @module
 */

import { readOne, type Refusal } from "./answer.ts";
import type { Call, Once } from "./call.ts";
import { LEASE } from "./scripts.gen.ts";

/** What is done with the lease of a key. */
export type LeaseOp = {
  /** The key, without the prefix. */
  readonly key: string;
  /** Who does it: letters, digits, `-` and `_`. */
  readonly owner: string;
} & LeaseAct;

type LeaseAct =
  /** Takes it where neither value nor lease is there. */
  | { readonly kind: "acquire"; readonly ttl: number; readonly text: string }
  /** Moves the expiry. */
  | { readonly kind: "renew"; readonly ttl: number }
  /** Writes another value, and moves the expiry. */
  | { readonly kind: "replace"; readonly ttl: number; readonly text: string }
  /** Removes the lease, and the value if it is the one that the owner wrote. */
  | { readonly kind: "release" };

/** The names in Redis that belong to one lease, all in one slot. */
export interface LeaseNames {
  /** Of the value. */
  readonly value: string;
  /** Of what says whose it is. */
  readonly lease: string;
  /** Of the counter of fencing numbers, one for all leases of the slot. */
  readonly counter: string;
}

/**
 * Compiles an op of a lease to one call.
 *
 * @param names The names in Redis.
 * @param op The op.
 * @param once The record; none if the call does no harm when it arrives twice, or is never sent again.
 * @returns The call.
 */
export function compileLease({ value, lease, counter }: LeaseNames, op: LeaseOp, once?: Once): Call {
  const keys = [value, lease, counter];
  const args: string[] = [op.kind, op.owner];
  if (op.kind !== "release") args.push(String(op.ttl));
  if (op.kind === "acquire" || op.kind === "replace") args.push(op.text);
  if (once) args.unshift("once", String(keys.push(once.record)), String(once.ttl), String(once.until));
  return Object.freeze({ script: LEASE, keys: Object.freeze(keys), args: Object.freeze(args) });
}

/** What each op answers where it is not refused. */
const RESULTS = { acquire: /^\d+$/, renew: /^$/, replace: /^$/, release: /^(?:true|false)$/ } as const;

/**
 * Reads the answer to a call of an op of a lease.
 *
 * @param op The op.
 * @param answer The answer of the script.
 * @returns The result, or the refusal.
 * @throws {Error} If it is no answer to this op, as from a proxy that garbles replies: nobody may hold a lease by that.
 */
export function readLease({ kind }: LeaseOp, answer: unknown): string | Refusal {
  const outcome = readOne(answer);
  if (typeof outcome !== "string" || RESULTS[kind].test(outcome)) return outcome;
  throw new Error(`Cannot read the answer of the script: it is no answer to ${kind}`);
}

/**
 * Reads from the record of a call of an op of a lease whether it was done.
 *
 * @param answer The answer to the call that asked for the record.
 * @returns Whether it was. If there was no record, it never will be.
 * @throws {Error} If it is no answer of the script.
 */
export function readLeaseVerdict(answer: unknown): boolean {
  if (Array.isArray(answer) && answer.length === 0) return false;
  const result = readOne(answer);
  return typeof result === "string" && result !== "false";
}
