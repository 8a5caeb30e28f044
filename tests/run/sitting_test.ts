/** Edits in a batch that others are in the way of: how long it waits, and for whom. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import type { Outcome } from "../../src/call/answer.ts";
import { Seat } from "../../src/run/seat.ts";
import { Sitting } from "../../src/run/sitting.ts";

const REFUSED: Outcome = { refusal: { code: "TEST", index: 0, segment: 0, found: "" }, fresh: ["1"] };
const PATH = ["count"];

/** Runs some work while no timer ends by itself. Gives it the pauses that were begun and not taken back. */
async function withoutTime(work: (pauses: Map<number, () => void>) => Promise<void>): Promise<void> {
  const { setTimeout, clearTimeout } = globalThis;
  const pauses = new Map<number, () => void>();
  let last = 0;
  Object.assign(globalThis, {
    setTimeout: (end: () => void) => {
      pauses.set(++last, end);
      return last;
    },
    clearTimeout: (timer: number) => void pauses.delete(timer),
  });
  try {
    await work(pauses);
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

/** Lets everything happen that needs no timer. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A sitting whose groups are all refused, after some time. */
function refusing(): Sitting {
  return new Sitting({
    apply: async (groups) => {
      const startedAt = performance.now();
      while (performance.now() === startedAt) await turn();
      return groups.map(() => REFUSED);
    },
    read: (places) => Promise.resolve(places.map(() => "1")),
  });
}

describe("Sitting", () => {
  it("Sitting does not pause for edits that give up", () =>
    withoutTime(async (pauses) => {
      const seats = [new Seat([PATH]), new Seat([PATH])];
      const running = refusing().run(seats);
      const attempt = async (seat: Seat): Promise<void> => {
        await seat.look();
        assertEquals(await seat.commit([{ kind: "test", path: PATH, value: "2" }]), REFUSED);
      };
      await Promise.all(seats.map(attempt)); // the first time it goes on at once
      for (const seat of seats) { // from now on one at a time
        await attempt(seat);
        while (pauses.size === 0) await turn();
        seat.leave();
      }
      await running;
      assertEquals(pauses.size, 0);
    }));

  it("Sitting asks an edit again when its pause is over", () =>
    withoutTime(async (pauses) => {
      const seat = new Seat([PATH]);
      const running = refusing().run([seat]);
      let ended = 0;
      for (let attempts = 0; attempts < 5; attempts++) {
        let isAsked = false;
        seat.look().then(() => isAsked = true);
        for (; !isAsked; await turn()) {
          ended += pauses.size;
          for (const end of pauses.values()) end();
        }
        await seat.commit([{ kind: "test", path: PATH, value: "2" }]);
      }
      seat.leave();
      await running;
      assertEquals([ended, pauses.size], [3, 0]); // the first time it goes on at once
    }));
});
