/**
 * Takes a lease, does nothing but look at the clock, and tells what it knows of its lease after it was stopped for longer
 * than that was kept. Arguments: address, prefix.
 *
 * @module
 */

import { RedisJsonDict } from "../../src/api/dict.ts";
import { LeaseEndedError } from "../../src/errors/lease.ts";

/** So late a timer is only in a process that was stopped, in milliseconds. */
const STOPPED = 3_000;

const [url, prefix] = Deno.args;
await using lab = RedisJsonDict.connect<{ beam: { by: string }; looks: boolean }>(url, { prefix });
const lease = await lab.lease("beam", { by: "ada" }, { ttl: 3_000 });
let last = performance.now();
await lab.set("looks", true); // now it may be stopped
const told = await new Promise<{ believed: boolean }>((resolve) => {
  const look = (): void => {
    const now = performance.now();
    // The first thing that runs: the timers of the lease may not have.
    if (now - last > STOPPED) return resolve({ believed: !lease!.signal.aborted });
    last = now;
    setTimeout(look, 10);
  };
  look();
});
const { reason } = lease!.signal;
console.log(JSON.stringify({
  ...told,
  end: reason instanceof LeaseEndedError ? reason.end : String(reason),
  update: await lease!.update({ by: "late" }).then(() => "written", (error) => error.code),
  released: await lease!.release(),
  fence: lease!.fence,
}));
