/** Calls that are cancelled: what they leave in Redis, what their caller hears, and that nobody else notices. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { AmbiguousResultError, TimeoutError } from "../../src/errors/delivery.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";
import { until } from "../support/until.ts";

const client = testClient();
// deno-lint-ignore no-explicit-any -- every method at every place
type Loose = any;
const REASON = new Error("the user went away");

/** A dictionary whose scripts are held on their way there, or their answers on the way back, until they are let go. */
async function gated(options: Partial<DictOptions> = {}) {
  const sent: (readonly (string | number)[])[] = [];
  let held: (() => void)[] = [];
  /** What is held, and where; another object each time, so that what went through before is let through. */
  let mode: { readonly at?: "there" | "back"; readonly only?: string } = {};
  const hold = (): Promise<void> => new Promise((resolve) => held.push(resolve));
  const gate = {
    async call(command: string, ...args: (string | number)[]): Promise<unknown> {
      const { at, only } = mode;
      if (at === undefined || only !== undefined && only !== command) {
        return await client.call(command, ...args);
      }
      const mine = mode;
      sent.push([command, ...args]);
      if (at === "there") await hold();
      const answer = await client.call(command, ...args);
      if (at === "back" && mine === mode) await hold();
      return answer;
    },
  };
  const prefix = uniquePrefix("cancel");
  const dict = new RedisJsonDict<Loose>(gate, { prefix, ...options });
  await dict.set("x", { n: 0, list: [] });
  await dict.at("x", "n").get();
  return {
    dict,
    sent,
    text: (key = "x") => client.get(prefix + key),
    hold: (at: "there" | "back", only?: string) => void (mode = { at, only }),
    count: () => held.length,
    letGo: () => {
      mode = {};
      held.forEach((resolve) => resolve());
      held = [];
    },
  };
}

/** Every method that asks the server. */
const CALLS: Readonly<Record<string, (dict: Loose, options: unknown) => Promise<unknown>>> = {
  get: (dict, options) => dict.get("x", options),
  getTtl: (dict, options) => dict.get("x", { ...options as object, ttl: 5_000_000 }),
  getOrThrow: (dict, options) => dict.getOrThrow("x", options),
  getMany: (dict, options) => dict.getMany(["x"], options),
  readMany: (dict, options) => dict.readMany([dict.at("x")], options),
  has: (dict, options) => dict.has("x", options),
  set: (dict, options) => dict.set("x", 1, options),
  delete: (dict, options) => dict.delete("x", options),
  pop: (dict, options) => dict.pop("x", options),
  popItem: (dict, options) => dict.popItem(options),
  getOrInsert: (dict, options) => dict.getOrInsert("y", 1, options),
  rename: (dict, options) => dict.rename("x", "y", options),
  copy: (dict, options) => dict.copy("x", "y", options),
  patch: (dict, options) => dict.patch("x", [{ op: "remove", path: "/n" }], options),
  merge: (dict, options) => dict.merge("x", { n: 1 }, options),
  edit: (dict, options) => dict.edit((draft: Loose) => void draft.x.n++, options),
  editBlind: (dict, options) => dict.edit((draft: Loose) => void (draft.x = 1), options),
  explain: (dict, options) => dict.explain((draft: Loose) => void draft.x.n++, options),
  ttl: (dict, options) => dict.ttl("x", options),
  expire: (dict, options) => dict.expire("x", 5_000_000, options),
  persist: (dict, options) => dict.persist("x", options),
  update: (dict, options) => dict.update({ x: 1, y: 2 }, options),
  keys: (dict, options) => Array.fromAsync(dict.keys(options)),
  values: (dict, options) => Array.fromAsync(dict.values(options)),
  entries: (dict, options) => Array.fromAsync(dict.entries(options)),
  size: (dict, options) => dict.size(options),
  clear: (dict, options) => dict.clear(options),
  toObject: (dict, options) => dict.toObject(options),
  ready: (dict, options) => dict.ready(options),
  "ref.get": (dict, options) => dict.at("x", "n").get(options),
  "ref.getOrThrow": (dict, options) => dict.at("x", "n").getOrThrow(options),
  "ref.exists": (dict, options) => dict.at("x", "n").exists(options),
  "ref.type": (dict, options) => dict.at("x", "n").type(options),
  "ref.length": (dict, options) => dict.at("x", "list").length(options),
  "ref.keys": (dict, options) => dict.at("x").keys(options),
  "ref.set": (dict, options) => dict.at("x", "n").set(1, options),
  "ref.delete": (dict, options) => dict.at("x", "n").delete(options),
  "ref.getOrInsert": (dict, options) => dict.at("x", "m").getOrInsert(1, options),
  "ref.compareAndSet": (dict, options) => dict.at("x", "n").compareAndSet(0, 1, options),
  "ref.increment": (dict, options) => dict.at("x", "n").increment(1, options),
  "ref.toggle": (dict, options) => dict.at("x", "b").toggle(options),
  "ref.append": (dict, options) => dict.at("x", "s").append("a", { ...options as object, parents: true }),
  "ref.push": (dict, options) => dict.at("x", "list").with(options).push(1),
  "ref.unshift": (dict, options) => dict.at("x").with(options).at("list").unshift(1),
  "ref.splice": (dict, options) => dict.at("x", "list").with(options).parents().splice(0, 0, 1),
  "ref.pop": (dict, options) => dict.at("x", "list").pop(options),
  "ref.shift": (dict, options) => dict.at("x", "list").shift(options),
  "ref.edit": (dict, options) => dict.at("x").edit((draft: Loose) => void draft.n++, options),
  "ref.explain": (dict, options) => dict.at("x").explain((draft: Loose) => void draft.n++, options),
  "ref.patch": (dict, options) => dict.at("x").patch([{ op: "remove", path: "/n" }], options),
  "ref.merge": (dict, options) => dict.at("x").merge({ n: 1 }, options),
};

/** Fails where something is not settled long after it should be. */
async function inTime<R>(promise: Promise<R>, what: string): Promise<R> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs`)), 30_000);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Whether a call changes something, or would. */
const READS =
  /^(?:ref\.)?(?:get|getOrThrow|getMany|readMany|has|explain|ttl|keys|values|entries|size|toObject|exists|type|length)$/;

describe("Calls with a signal", () => {
  it("every method rejects with the reason of a signal that is aborted, and sends nothing", async () => {
    const { dict, sent, hold, text, letGo } = await gated();
    hold("there");
    for (const [name, call] of Object.entries(CALLS)) {
      const error = await call(dict, { signal: AbortSignal.abort(REASON) }).then(
        () => name,
        (error) => error,
      );
      assertEquals([error, sent.length], [REASON, 0], name);
    }
    letGo();
    assertEquals(await text(), '{"n":0,"list":[]}');
    await dict.close();
  });

  it("every method that is cancelled before it is sent changes nothing, and its neighbours are applied", async () => {
    for (const [name, call] of Object.entries(CALLS)) {
      const { dict, hold, count, letGo, text } = await gated();
      hold("there");
      const first = dict.at("x", "list").push("first");
      await until("it is held", () => count() === 1);
      const controller = new AbortController();
      // It waits behind the first, in one request with its neighbours.
      const before = dict.at("x", "list").push("before");
      const cancelled = call(dict, { signal: controller.signal });
      const after = dict.at("x", "list").push("after");
      controller.abort(REASON);
      const error = await cancelled.then(() => `${name} did it`, (error) => error);
      letGo();
      // Whatever looks for its keys may have asked for some before.
      assertEquals(error, REASON, name);
      assertEquals(await Promise.all([first, before, after]), [1, 2, 3], name);
      assertEquals(await text(), '{"n":0,"list":["first","before","after"]}', name);
      await dict.close();
      assertEquals(await text("y"), null, name);
    }
  });

  it("every method may be cancelled at any step, beside edits, and close() waits for nobody who has gone", async () => {
    for (const [name, call] of Object.entries(CALLS)) {
      for (let steps = 0; steps < 8; steps++) {
        const { dict, hold, count, letGo, text } = await gated();
        const push = (item: string) => dict.edit((draft: Loose) => draft.x.list.push(item));
        hold("there");
        const first = dict.at("x", "list").push("first");
        await until("it is held", () => count() === 1);
        const controller = new AbortController();
        const before = push("before");
        const cancelled = call(dict, { signal: controller.signal });
        const after = push("after");
        for (let step = 0; step < steps; step++) await Promise.resolve();
        controller.abort(REASON);
        const error = await cancelled.then(() => `${name} did it`, (error) => error);
        letGo();
        // What touches other keys does not wait, so it may have been sent.
        if (!(error instanceof AmbiguousResultError)) assertEquals(error, REASON, `${name}, ${steps}`);
        assertEquals([await first, await before, await after], [1, 2, 3], `${name}, ${steps}`);
        assertEquals(await text(), '{"n":0,"list":["first","before","after"]}', name);
        await inTime(dict.close(), `close() after ${name}, ${steps} steps`);
      }
    }
  });

  it("edits behind a read that fails end with it, and close() does not wait for them", async () => {
    const { dict, hold, count, letGo } = await gated({ timeout: 1_000 });
    hold("back");
    const controller = new AbortController();
    const edits = Array.from(
      { length: 50 },
      (_, index) =>
        dict.edit((draft: Loose) => draft.x.n++, index % 5 === 4 ? { signal: controller.signal } : {}),
    );
    const errors = Promise.all(edits.map((edit) => edit.then(() => "did it", (error: unknown) => error)));
    await until("they look", () => count() > 0);
    controller.abort(REASON);
    for (const [index, error] of (await errors).entries()) {
      if (index % 5 === 4) assertEquals(error, REASON);
      else assertInstanceOf(error, TimeoutError);
    }
    assertEquals(count(), 1, "each has read for itself, and waited for a timeout of its own");
    letGo();
    await inTime(dict.close(), "close()");
  });

  it("many calls share one listener of a signal", async () => {
    const { dict } = await gated();
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    let most = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (
      ...args: Parameters<typeof add>
    ) => (most = Math.max(most, ++listeners), add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
    await Promise.all(Array.from({ length: 100 }, () => dict.at("x", "n").increment(1, { signal })));
    assertEquals([most, listeners], [1, 0]);
    assertEquals(await dict.at("x", "n").increment(1, { signal }), 101);
    assertEquals([most, listeners], [1, 0]);
    const aborted = Promise.allSettled([dict.get("x", { signal }), dict.at("x", "n").get({ signal })]);
    controller.abort(REASON);
    assertEquals((await aborted).map((result) => (result as PromiseRejectedResult).reason), [REASON, REASON]);
    await dict.close();
  });

  it("every change that was sent is told as ambiguous, and resolve() knows what became of it", async () => {
    for (const delivery of ["exactly-once", "at-most-once"] as const) {
      for (const [name, call] of Object.entries(CALLS)) {
        if (READS.test(name) || /popItem|clear|edit|ready/i.test(name)) continue;
        const { dict, hold, count, letGo } = await gated({ delivery });
        hold("there");
        const controller = new AbortController();
        const cancelled = call(dict, { signal: controller.signal });
        const neighbour = dict.at("z").set(1);
        await until("it is held", () => count() > 0);
        controller.abort(REASON);
        const error = await cancelled.then(() => `${name} did it`, (error) => error);
        assertInstanceOf(error, AmbiguousResultError, `${name}: ${error}`);
        assertEquals((error.cause as Error).message, REASON.message);
        letGo();
        if (delivery === "exactly-once") {
          const isRefused = /toggle/.test(name); // there is nothing to turn
          assertEquals(await error.resolve(), isRefused ? "not-applied" : "applied", name);
        } else await assertRejects(() => error.resolve(), TypeError);
        await neighbour;
        await dict.close();
      }
    }
  });

  it("a change that was sent together with others rejects for its own caller only", async () => {
    const { dict, hold, count, letGo, text } = await gated();
    const controller = new AbortController();
    hold("back");
    const [one, two, three] = [1, 2, 3].map((item) => {
      const list = dict.at("x", "list");
      return (item === 2 ? list.with({ signal: controller.signal }) : list).push(item);
    });
    await until("it is held", () => count() === 1);
    controller.abort(REASON);
    const error = await assertRejects(() => two, AmbiguousResultError);
    const verdict = error.resolve();
    letGo();
    assertEquals([await one, await three, await verdict], [1, 3, "applied"]);
    assertEquals(await text(), '{"n":0,"list":[1,2,3]}');
  });

  it("reads that were sent end at once", async () => {
    for (const [name, call] of Object.entries(CALLS)) {
      if (!READS.test(name)) continue;
      const { dict, hold, count, letGo } = await gated();
      hold("there");
      const controller = new AbortController();
      const cancelled = call(dict, { signal: controller.signal });
      await until("it is held", () => count() > 0);
      controller.abort(REASON);
      assertEquals(await cancelled.then(() => name, (error) => error), REASON, name);
      letGo();
      await dict.close();
    }
  });

  it("edits of one key that are cancelled leave the edits around them as they are", async () => {
    const { dict, hold, count, letGo, text } = await gated();
    hold("there");
    const controller = new AbortController();
    const edits = Array.from({ length: 6 }, (_, index) => {
      const options = index % 2 === 1 ? { signal: controller.signal } : {};
      return dict.edit((draft: Loose) => draft.x.list.push(index) && draft.x.n++, options) as Promise<number>;
    });
    const settled = Promise.allSettled(edits);
    await until("it is held", () => count() === 1); // they look
    controller.abort(REASON);
    letGo();
    const results = await settled;
    assertEquals(results.map((result) => result.status === "rejected" ? result.reason : result.value), [
      0,
      REASON,
      1,
      REASON,
      2,
      REASON,
    ]);
    assertEquals(await text(), '{"n":3,"list":[0,2,4]}');
    // While the chain is on its way, its members are only told as ambiguous.
    hold("back");
    const second = new AbortController();
    const lost = dict.edit((draft: Loose) => draft.x.n++, { signal: second.signal });
    const kept = dict.edit((draft: Loose) => draft.x.n++);
    await until("it is held", () => count() > 0);
    letGo();
    await kept;
    await lost;
    assertEquals(await text(), '{"n":5,"list":[0,2,4]}');
    second.abort();
  });

  it("a call that waits for a connection is left out of the request, and ends at once where it is alone", async () => {
    const listeners: Record<string, (() => void)[]> = {};
    const lazy = {
      status: "connecting",
      on: (event: string, listener: () => void) => void (listeners[event] ??= []).push(listener),
      off: () => {},
      call: (command: string, ...args: (string | number)[]) => client.call(command, ...args),
    };
    const dict = new RedisJsonDict<Loose>(lazy as never, { prefix: uniquePrefix("cancel"), timeout: 60_000 });
    const controller = new AbortController();
    const { signal } = controller;
    const kept = dict.at("x").getOrInsert("kept");
    const dropped = dict.set("x", "dropped", { signal });
    const alone = dict.set("alone", 1, { signal });
    const hasty = dict.set("hasty", 1, { timeout: 1_000 });
    const read = dict.get("other", { timeout: 1_000 });
    await Promise.resolve();
    controller.abort(REASON);
    const outcomes = await Promise.all(
      [dropped, alone, hasty, read].map((call) => call.then(() => "done", (error: unknown) => error)),
    );
    assertEquals(outcomes.slice(0, 2), [REASON, REASON]);
    for (const error of outcomes.slice(2)) {
      assertInstanceOf(error, TimeoutError);
      assertEquals([error.timeout, error.message.includes("within 1000 ms")], [1_000, true]);
    }
    lazy.status = "ready";
    for (const listener of listeners.ready) listener();
    assertEquals(await kept, "kept");
    assertEquals(await dict.toObject(), { x: "kept" });
    await dict.close();
  });

  it("the time of a call may be longer than that of the dictionary, and shorter than that of its neighbours", async () => {
    const { dict, hold, count, letGo, text } = await gated({ timeout: 1_000 });
    hold("back");
    const patient = dict.at("x", "list").with({ timeout: 60_000 }).push("patient");
    const behind = dict.at("x", "list").push("behind"); // waiting for earlier changes does not count
    const usual = dict.set("usual", 1);
    const read = dict.get("other", { timeout: 60_000 });
    await until("it is held", () => count() === 3);
    const error = await assertRejects(() => usual, AmbiguousResultError);
    letGo();
    assertEquals([await patient, await behind], [1, 2]);
    assertEquals([await error.resolve(), await read], ["applied", undefined]);
    assertEquals(await text(), '{"n":0,"list":["patient","behind"]}');
    await assertRejects(() => dict.get("x", { timeout: 0 }), RangeError, "Cannot use the timeout");
    await assertRejects(() => dict.get("x", { timeout: "5" as never }), TypeError, "Cannot use the timeout");
    for (const signal of [{}, null, 5, new AbortController()]) {
      await assertRejects(
        () => dict.get("x", { signal: signal as never }),
        TypeError,
        "expected an AbortSignal",
      );
    }
  });

  it("what looks for its keys ends in its own time, too", async () => {
    const { dict, hold, count, letGo } = await gated({ timeout: 60_000 });
    const calls: Readonly<Record<string, (options: { timeout: number }) => Promise<unknown>>> = {
      clear: (options) => dict.clear(options),
      popItem: (options) => dict.popItem(options),
      size: (options) => dict.size(options),
      toObject: (options) => dict.toObject(options),
    };
    for (const held of ["SCAN", "EVALSHA", "MGET"]) {
      for (const [name, call] of Object.entries(calls)) {
        const isUsed = held === "SCAN" ||
          (held === "MGET" ? name === "toObject" : /clear|popItem/.test(name));
        if (!isUsed) continue;
        await dict.set("x", 1);
        hold("back", held);
        const error: Loose = await inTime(call({ timeout: 1_000 }), `${name} while ${held} is held`).catch((
          error,
        ) => error);
        assert(count() > 0, `${name} has not sent ${held}`);
        if (held === "EVALSHA") assertInstanceOf(error, AmbiguousResultError, `${name}: ${error}`);
        else {
          assertInstanceOf(error, TimeoutError, `${name}: ${error}`);
          assertEquals([error.timeout, error.message.includes("within 1000 ms")], [1_000, true], name);
        }
        letGo();
        await dict.size(); // behind what is left of it
      }
    }
    await inTime(dict.close(), "close()");
  });

  it("live() takes a signal and a time for what it reads, and knows its options", async () => {
    const { dict, hold, count, letGo, text } = await gated();
    await assertRejects(() => dict.at("x").live({ ex: 5 } as never), TypeError, 'there is no option "ex"');
    await assertRejects(
      () => dict.at("x").live({ signal: AbortSignal.abort(REASON) }),
      Error,
      REASON.message,
    );
    hold("back");
    const late = dict.at("x").with({ timeout: 1_000 }).live();
    await until("it is held", () => count() === 1);
    await assertRejects(() => late, TimeoutError, "within 1000 ms");
    letGo();
    // What ends the opening does not end what is written later.
    const controller = new AbortController();
    const live = await dict.at("x").live({ signal: controller.signal });
    controller.abort(REASON);
    live.n = 5;
    await dict.settled();
    assertEquals(await text(), '{"n":5,"list":[]}');
    await dict.close();
  });

  it("close() waits for what is left of a call that was cancelled", async () => {
    const { dict, hold, count, letGo, text } = await gated();
    hold("there");
    const controller = new AbortController();
    const cancelled = dict.set("x", 1, { signal: controller.signal });
    await until("it is held", () => count() === 1);
    controller.abort(REASON);
    await assertRejects(() => cancelled, AmbiguousResultError);
    let isClosed = false;
    const closing = dict.close().then(() => void (isClosed = true));
    await client.ping();
    assert(!isClosed, "closed ahead of a call that was sent");
    letGo();
    await closing;
    assertEquals(await text(), "1");
  });

  it("clear() that is cancelled stops, and says whether it may have removed something", async () => {
    const { dict, hold, count, letGo } = await gated();
    await dict.update(Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, index])));
    for (const calls of [1, 2]) {
      hold("there", calls === 1 ? "SCAN" : "EVALSHA"); // before the first page of keys, or after it
      const controller = new AbortController();
      const cancelled = dict.clear({ signal: controller.signal }).catch((error: unknown) => error);
      await until("it is held", () => count() === 1);
      controller.abort(REASON);
      const error = await cancelled;
      if (calls === 1) assertEquals(error, REASON);
      else assertInstanceOf(error, AmbiguousResultError);
      letGo();
      await dict.has("k0");
      const size = await dict.size();
      assert(calls === 1 ? size === 21 : size < 21, `${size} are left`);
    }
  });
});
