/**
 * Errors of leases.
 *
 * @module
 */

import { formatPlace } from "../data/path.ts";
import { because, JsonDictError, type JsonDictErrorData } from "./error.ts";

/**
 * Why a lease is over:
 *
 * - `"expired"`: it was not renewed in time, or the server does not know it any more.
 * - `"changed"`, `"removed"`: somebody else changed or removed the value.
 * - `"released"`: its holder gave it back.
 * - `"closed"`: its dictionary was closed.
 */
export type LeaseEnd = "expired" | "changed" | "removed" | "released" | "closed";

/** The data of a {@linkcode LeaseEndedError}. */
export interface LeaseEndedErrorData extends JsonDictErrorData {
  /** Why it is over. */
  readonly end: LeaseEnd;
  /** Its fencing number. */
  readonly fence: number;
}

const WHY: Readonly<Record<LeaseEnd, string>> = {
  expired: "it was not renewed in time",
  changed: "somebody else changed the value",
  removed: "somebody else removed the value",
  released: "it was released",
  closed: "its dictionary was closed",
};

/**
 * The reason of the `signal` of a lease that is over, and thrown by what needs one that is held. Nothing was changed.
 *
 * @example Why a lease is over
 * ```ts
 * import { LeaseEndedError, RedisJsonDict } from "@json-dict/redis";
 * import { assert, assertEquals } from "@std/assert";
 *
 * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:leaseEnded:" });
 * const lease = await lab.lease("busy", "ada", { ttl: 60_000 });
 * await lease!.release();
 * assert(lease!.signal.reason instanceof LeaseEndedError);
 * assertEquals(lease!.signal.reason.end, "released");
 * ```
 */
export class LeaseEndedError extends JsonDictError {
  static {
    this.prototype.name = "LeaseEndedError";
  }

  /** Always `"LEASE_ENDED"`. */
  readonly code: "LEASE_ENDED" = "LEASE_ENDED";
  /** Why it is over. */
  readonly end: LeaseEnd;
  /** Its fencing number. */
  readonly fence: number;

  /**
   * Creates an error.
   *
   * @param data Which lease, and why it is over.
   */
  constructor(data: LeaseEndedErrorData) {
    const place = formatPlace(data.path);
    super(
      data,
      `Cannot keep the lease of ${place}: ${WHY[data.end]}${because(data)}; stop what relies on it`,
    );
    this.end = data.end;
    this.fence = data.fence;
  }
}
