/**
 * Clients whose connections go by different ways, so that only some of them fail.
 *
 * @module
 */

import { Redis } from "ioredis";
import type { RedisClient } from "../../src/run/client.ts";

/** A client whose other connections go by another way. */
export function twoWays(url: string, away: string): RedisClient & { end(): Promise<unknown> } {
  const client = new Redis(url);
  const { call, on, off } = client;
  return {
    get status() {
      return client.status;
    },
    options: client.options as RedisClient["options"],
    call: (...args) => Reflect.apply(call, client, args),
    on: (...args) => Reflect.apply(on, client, args),
    off: (...args) => Reflect.apply(off, client, args),
    duplicate: (settings: object) => new Redis(away, settings),
    end: () => client.quit(),
  } as RedisClient & { end(): Promise<unknown> };
}
