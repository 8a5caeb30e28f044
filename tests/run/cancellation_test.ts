/** What ends a call early, and what it leaves. */

import { describe, it } from "@std/testing/bdd";
import { assertRejects, assertStrictEquals } from "@std/assert";
import { Cancellation } from "../../src/run/cancellation.ts";

describe("Cancellation", () => {
  it("Cancellation begins no time for a call that is over", async () => {
    const controller = new AbortController();
    const cancelled = new Cancellation({ signal: controller.signal, timeout: 60_000 });
    const waiting = cancelled.wait(() => new Promise(() => {}));
    controller.abort(new Error("enough"));
    await assertRejects(() => waiting, Error, "enough");
    cancelled.start(); // as a call does whose turn comes only now; a timer that is left fails the test

    const answered = new Cancellation({ timeout: 60_000 });
    assertStrictEquals(await answered.wait(() => Promise.resolve(5)), 5);
    answered.start();
  });
});
