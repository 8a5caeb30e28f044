/**
 * One process of a race for a lease: several contenders, each a client of its own, that take it, work under it and give
 * it back, again and again, until it is killed. It writes down each moment at which it believed to hold the lease.
 *
 * Arguments: address of the proxy, address of the server, prefix, ttl, number of contenders, file, mutant.
 *
 * @module
 */

import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { LEASE } from "../../src/call/scripts.gen.ts";
import { JsonDictError } from "../../src/errors/error.ts";

/** What is wrong on purpose, so that it is seen that the judge sees it. */
export const MUTANTS: Readonly<Record<string, readonly [from: string, to: string]>> = {
  "none": ["", ""],
  "no owner": ["local mine = holder == owner", "local mine = holder ~= nil"],
};

/** Writes where no greater number has written before. */
const WRITE = `
  if tonumber(redis.call('GET', KEYS[1]) or 0) > tonumber(ARGV[1]) then return redis.call('INCR', KEYS[3]) end
  redis.call('SET', KEYS[1], ARGV[1])
  if redis.call('LINDEX', KEYS[2], -1) ~= ARGV[1] then redis.call('RPUSH', KEYS[2], ARGV[1]) end
  return 0`;

async function main(): Promise<void> {
  const [proxy, url, prefix, ttl, contenders, file, mutant] = Deno.args;
  if (mutant !== "none") {
    const [from, to] = MUTANTS[mutant];
    const text = LEASE.text.replace(from, to);
    if (text === LEASE.text) throw new Error(`The script has no "${from}"`);
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
    const sha1 = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    Object.assign(LEASE, { text, sha1 });
  }
  const log = await Deno.open(file, { append: true, create: true });
  const encoder = new TextEncoder();
  const note = (...words: readonly (string | number)[]): void => {
    log.writeSync(encoder.encode(`${words.join(" ")}\n`));
  };
  const direct = new Redis(url);
  const contend = async (name: number): Promise<void> => {
    // The same value in all of them: only their owners tell them apart.
    await using lab = RedisJsonDict.connect<{ beam: string }>(proxy, { prefix, timeout: 2_000 });
    while (true) {
      try {
        const wait = Math.random() < 0.8 ? 2_000 : false;
        const lease = await lab.lease("beam", "busy", { ttl: Number(ttl), wait });
        if (lease === undefined) continue;
        const { signal } = lease;
        for (let steps = Math.random() * 5; steps > 0; steps--) {
          const now = Date.now(); // before it is asked: then it was held
          if (lease.signal.aborted) break;
          note("held", lease.fence, now);
          const stale = await direct.eval(
            WRITE,
            3,
            `${prefix}last`,
            `${prefix}order`,
            `${prefix}stale`,
            lease.fence,
          );
          if (stale !== 0) note("refused", lease.fence, Date.now());
          if (Math.random() < 0.1) {
            for (const end = Date.now() + Number(ttl) * 1.5 * Math.random(); Date.now() < end;); // blocks
          } else if (Math.random() < 0.05) {
            await lease.update("busy").catch(ignoreFailure);
          } else await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
          // What was saved is told by the timer alone. It has run by now, unless it is late by as much as its margin.
          const later = Date.now();
          if (!signal.aborted && !lease.signal.aborted) note("held", lease.fence, later);
        }
        await lease.release();
      } catch (error) {
        ignoreFailure(error);
        note("error", (error as JsonDictError).code, name);
      }
    }
  };
  await Promise.all(Array.from({ length: Number(contenders) }, (_, name) => contend(name)));
}

/** What is lost, late or over is what this is about. */
function ignoreFailure(error: unknown): void {
  if (!(error instanceof JsonDictError)) throw error;
}

if (import.meta.main) await main();
