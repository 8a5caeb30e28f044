import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Deadlines, type Timed } from "../../src/run/deadlines.ts";
import { type Entry, Roster } from "../../src/run/roster.ts";

describe("Roster", () => {
  it("Roster keeps the order in which they came, whoever leaves, and however often", () => {
    const roster = new Roster<string>();
    assert(roster.isEmpty);
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => roster.add(name));
    assertEquals(roster.all(), ["a", "b", "c", "d"]);
    roster.remove(b);
    roster.remove(b);
    assertEquals(roster.all(), ["a", "c", "d"]);
    roster.remove(d);
    roster.remove(a);
    assertEquals([roster.first, roster.all()], ["c", ["c"]]);
    const e = roster.add("e");
    roster.remove(c);
    roster.remove(a);
    assertEquals(roster.all(), ["e"]);
    roster.remove(e);
    roster.remove(e);
    assert(roster.isEmpty);
    roster.add("f");
    assertEquals(roster.all(), ["f"]);
  });

  it("Roster leads from nobody who has left to anybody else", () => {
    const roster = new Roster<number>();
    const entries = Array.from({ length: 100 }, (_, index) => roster.add(index));
    for (const entry of entries) roster.remove(entry);
    assert(entries.every(({ previous, next }) => previous === undefined && next === undefined));
  });
});

describe("Deadlines", () => {
  it("Deadlines ends each when its time is over, in order, but none that has left, and keeps no timer", async () => {
    const deadlines = new Deadlines();
    const ended: string[] = [];
    const start = performance.now();
    let leaveLast = (): void => {};
    await new Promise<void>((resolve) => {
      const add = (name: string, ms: number): () => void => {
        const timed: Timed = {
          endsAt: performance.now() + ms,
          timeout() {
            assert(performance.now() >= timed.endsAt);
            ended.push(name);
            deadlines.remove(entry);
            if (name === "first") leaveLast = add("last", 60_000);
            if (name === "later") resolve();
          },
        };
        const entry: Entry<Timed> = deadlines.add(timed);
        return () => deadlines.remove(entry);
      };
      const leave = add("has left", 0);
      add("first", 1);
      add("with it", 1);
      leave();
      add("later", 20);
    });
    assertEquals(ended, ["first", "with it", "later"]); // the runner of tests fails where a timer is left
    assert(performance.now() - start < 30_000); // what is added meanwhile delays nobody
    leaveLast();
    deadlines.remove(deadlines.add({ endsAt: performance.now() + 60_000, timeout() {} }));
  });
});
