/**
 * The busy flag of a beamline: two operators, each in a process of its own, take turns; a screen shows who has the beam.
 *
 * The flag is an ordinary value with an expiry, for every program to see. If the process of an operator dies, the flag
 * goes by itself a few seconds later.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/lease.ts`
 *
 * @module
 */

import { type Lease, LeaseEndedError, RedisJsonDict } from "@json-dict/redis";

const SCANS = 3;
const POINTS = 4;

interface Beam {
  by: string;
  point: number;
}

interface Beamline {
  /** Who has the beam; not there while nobody has it. */
  beam: Beam;
  /** What was measured, and the number of the lease under which that was written last. */
  log: { fence: number; scans: { by: string; fence: number }[] };
}

const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
await using beamline = RedisJsonDict.connect<Beamline>(url, { prefix: "beamline:" });

/** Measures under a lease. It stops when the lease is lost: then somebody else may have the beam. */
async function scan(by: string, lease: Lease<Beam>): Promise<void> {
  for (let point = 1; point <= POINTS; point++) {
    lease.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 25)); // a motor moves, a detector counts
    await lease.update({ by, point });
  }
  // The number makes it certain: who was paused at the wrong moment, and is late, cannot write behind the next one.
  await beamline.at("log").edit((log) => {
    if (log.fence > lease.fence) throw new Error("somebody else has the beam by now");
    log.fence = lease.fence;
    log.scans.push({ by, fence: lease.fence });
  });
}

/** Does some scans, one by one. */
async function operate(by: string): Promise<void> {
  for (let done = 0; done < SCANS;) {
    await using lease = await beamline.lease("beam", { by, point: 0 }, { ttl: 5_000, wait: true });
    try {
      await scan(by, lease);
      done++;
    } catch (error) {
      if (!(error instanceof LeaseEndedError)) throw error;
      console.error(`${by}: ${error.message}`); // and again, when the beam is free
    }
  }
}

/** Shows who has the beam, as any program with rights to read can. Returns all that it has shown. */
async function show(signal: AbortSignal): Promise<Set<string>> {
  const shown = new Set<string>();
  for await (const beam of beamline.at("beam").watch({ signal })) {
    shown.add(beam === undefined ? "free" : beam.by);
  }
  return shown;
}

const [operator] = Deno.args;
if (operator !== undefined) {
  await operate(operator);
} else {
  await beamline.set("log", { fence: 0, scans: [] });
  const screen = new AbortController();
  const shown = show(screen.signal);
  await Promise.all(["ada", "bob"].map(async (name) => {
    const args = ["run", "-A", "--quiet", import.meta.filename!, name];
    const { success } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
    if (!success) throw new Error(`${name} has failed`);
  }));
  screen.abort();

  const { scans } = await beamline.getOrThrow("log");
  const isGrowing = scans.every(({ fence }, index) => index === 0 || fence > scans[index - 1].fence);
  for (const name of ["ada", "bob"]) {
    console.log(`${name}: ${scans.filter(({ by }) => by === name).length} scans`);
  }
  console.log(`each lease has a greater number: ${isGrowing}`);
  console.log(`on the screen: ${[...await shown].sort().join(", ")}`);
  console.log(`busy: ${await beamline.has("beam")}`);
  await beamline.clear();
}
