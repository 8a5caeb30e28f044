/** Chaos, a short share of it: nothing lost, nothing twice, one order of all. `deno task chaos` runs longer. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { type ChaosOptions, type ChaosReport, runChaos } from "./chaos/chaos.ts";

const MILLISECONDS = 5_000;
/** On a machine that is busy with other things too little happens in that time. Then it is doubled, so often. */
const MAX_ROUNDS = 5;

type Outcome = Pick<ChaosReport, "lost" | "twice" | "verdict" | "behind">;

/** How one round went in which enough has happened, in the words of a good one. */
async function outcome(
  options: Omit<ChaosOptions, "milliseconds" | "seed">,
  hasShown: (outcome: Outcome) => boolean = () => true,
): Promise<Outcome> {
  let report: ChaosReport;
  for (let round = 0;; round++) {
    report = await runChaos({ ...options, milliseconds: MILLISECONDS * 2 ** round, seed: 1 });
    const isEnough = report.faults > 10 && report.operations > 100 && report.watched > 100;
    if (isEnough && hasShown(report) || round === MAX_ROUNDS) break;
    if (report.twice > 0 || report.lost > 0) break;
  }
  assert(report.faults > 10, `the network failed ${report.faults} times`);
  assert(report.operations > 100, `${report.operations} operations`);
  assert(report.watched > 100, `${report.watched} values`);
  const { lost, twice, verdict, behind } = report;
  return { lost, twice, verdict, behind };
}

const GOOD: Outcome = { lost: 0, twice: 0, verdict: "linearizable", behind: [] };

describe("chaos", () => {
  it("chaos is seen through: without records, on a client that sends again, changes are applied twice", async () => {
    const { twice, verdict } = await outcome(
      { mode: "standalone", subject: "unprotected" },
      ({ twice, verdict }) => twice > 0 && verdict === "violation",
    );
    assert(twice > 0, "the counter sees it");
    assertEquals(verdict, "violation", "the judge sees it");
  });

  it("RedisJsonDict.connect() loses nothing and applies nothing twice", async () => {
    assertEquals(await outcome({ mode: "standalone", subject: "exactly-once" }), GOOD);
  });

  it("RedisJsonDict on a client of ioredis with its defaults loses nothing and applies nothing twice", async () => {
    assertEquals(await outcome({ mode: "standalone", subject: "brought client" }), GOOD);
  });

  it("RedisJsonDict with at-most-once applies nothing twice, and reports a lost answer as ambiguous", async () => {
    assertEquals(await outcome({ mode: "standalone", subject: "at-most-once" }), GOOD);
  });

  it("RedisJsonDict loses nothing in a cluster whose slots move", async () => {
    assertEquals(await outcome({ mode: "cluster", subject: "exactly-once" }), GOOD);
  });

  it("RedisJsonDict applies nothing twice in a cluster that loses a master", async () => {
    const { twice, behind } = await outcome({ mode: "failover", subject: "exactly-once" });
    assertEquals([twice, behind], [0, []]);
  });
});
