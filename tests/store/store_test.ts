/** Groups of ops on one or more keys, all or nothing, through a real Redis. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Outcome } from "../../src/call/answer.ts";
import { KeyNotFoundError, TypeMismatchError, WrongTypeError } from "../../src/errors/value.ts";
import type { Op } from "../../src/data/op.ts";
import { applyOp } from "../../src/api/task.ts";
import { Store } from "../../src/store/store.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();

function newStore(): Store {
  return new Store(client, {
    prefix: uniquePrefix("store"),
    bigints: false,
    timeout: 10_000,
    delivery: "exactly-once",
    recordPrefix: "json-dict:op:",
    heartbeat: 5_000,
    readWhole: 16_384,
    hints: true,
  });
}

function set(path: readonly [string, ...(string | number)[]], value: string): Op {
  return { kind: "set", path, value };
}

function codeOf(outcome: Outcome): string {
  return "refusal" in outcome ? `${outcome.refusal.code} at ${outcome.refusal.index}` : "applied";
}

async function texts(store: Store, ...keys: string[]): Promise<(string | null)[]> {
  return await client.mget(keys.map((key) => store.settings.prefix + key));
}

describe("Store.attempt()", () => {
  it("Store.attempt() applies a group on two keys and gives a result for each op", async () => {
    const store = newStore();
    const outcome = await store.attempt([
      set(["a"], '{"n":1}'),
      set(["b"], "[]"),
      { kind: "increment", path: ["a", "n"], by: "2" },
      { kind: "push", path: ["b"], items: ["1", "2"] },
    ]);
    assertEquals(outcome, { results: ["", "", "3", "2"] });
    assertEquals(await texts(store, "a", "b"), ['{"n":3}', "[1,2]"]);
  });

  it("Store.attempt() changes nothing on any key if one op is refused, and names it", async () => {
    const store = newStore();
    await store.applyAll([set(["a"], ' {"n": 1}'), set(["b"], " [1]")], "update");
    const groups: [Op[], string][] = [
      [[set(["a", "n"], "2"), { kind: "toggle", path: ["b", 0] }], "TYPE at 1"],
      [[set(["b", 0], "2"), set(["a", "x", "y"], "2")], "NOT_FOUND at 1"],
      [[set(["new"], "2"), set(["b", 9], "2"), set(["a", "n"], "7")], "RANGE at 1"],
      [[{ kind: "delete", path: ["a"] }, { kind: "test", path: ["b"], value: "[2]" }], "TEST at 1"],
      [[{ kind: "absent", path: ["a"] }, set(["b"], "2")], "TEST at 0"],
      [[{ kind: "exists", path: ["new"] }, set(["b"], "2")], "TEST at 0"],
      [[set(["b"], "2"), { kind: "push", path: ["nothing"], items: ["1"] }], "NO_KEY at 1"],
    ];
    for (const [group, code] of groups) {
      assertEquals(codeOf(await store.attempt(group)), code);
      assertEquals(await texts(store, "a", "b", "new"), [' {"n": 1}', " [1]", null], code);
    }
  });

  it("Store.attempt() applies ops behind guards that hold", async () => {
    const store = newStore();
    await store.applyAll([set(["a"], '{"v": 1.0}'), set(["b"], "0")], "update");
    const outcome = await store.attempt([
      { kind: "test", path: ["a"], value: '{"v":1}' },
      { kind: "test", path: ["a"], value: '{"v": 1.0}', by: "bytes" },
      { kind: "exists", path: ["a", "v"] },
      { kind: "absent", path: ["c"] },
      set(["c"], "1"),
      { kind: "increment", path: ["b"], by: "1" },
    ]);
    assertEquals(outcome, { results: ["", "", "", "", "", "1"] });
    assertEquals(await texts(store, "a", "b", "c"), ['{"v": 1.0}', "1", "1"]);
    const bytes = await store.attempt([{ kind: "test", path: ["a"], value: '{"v":1}', by: "bytes" }]);
    assertEquals(codeOf(bytes), "TEST at 0");
  });

  it("Store.attempt() leaves every key alone if one is no Redis string", async () => {
    const store = newStore();
    await client.rpush(`${store.settings.prefix}list`, "x");
    const outcome = await store.attempt([set(["a"], "1"), set(["list"], "2"), set(["b"], "3")]);
    assertEquals(codeOf(outcome), "WRONG_TYPE at 1");
    assertEquals(await texts(store, "a", "b"), [null, null]);
    assertEquals(await client.lrange(`${store.settings.prefix}list`, 0, -1), ["x"]);
  });

  it("Store.attempt() keeps groups of one batch apart: one refused harms no other", async () => {
    const store = newStore();
    const outcomes = await Promise.all([
      store.attempt([set(["a"], "1"), set(["b"], "1")]),
      store.attempt([set(["a"], "2"), { kind: "toggle", path: ["b"] }]),
      store.attempt([{ kind: "increment", path: ["a"], by: "10" }, {
        kind: "increment",
        path: ["b"],
        by: "10",
      }]),
      store.attempt([set(["b"], "[]"), { kind: "pop", path: ["a"] }]),
      store.attempt([{ kind: "push", path: ["b"], items: ["1"] }, { kind: "delete", path: ["a"] }]),
      store.attempt([{ kind: "delete", path: ["b"] }, { kind: "delete", path: ["a"] }]),
    ]);
    assertEquals(outcomes.map(codeOf), [
      "applied",
      "TYPE at 1",
      "applied",
      "TYPE at 1",
      "TYPE at 0",
      "applied",
    ]);
    assertEquals(outcomes[2], { results: ["11", "11"] });
    assertEquals(await texts(store, "a", "b"), [null, null]);
  });

  it("Store.attempt() orders groups of several keys with single ones, however they are issued", async () => {
    const store = newStore();
    await store.applyAll([set(["a"], "[]"), set(["b"], "[]"), set(["c"], "[]")], "update");
    const push = (key: string, value: number): Op => ({ kind: "push", path: [key], items: [String(value)] });
    const pairs: [string, string][] = [["a", "b"], ["b", "c"], ["c", "a"]];
    const done: Promise<Outcome>[] = [];
    for (let value = 0; value < 300; value++) {
      const [one, other] = pairs[value % 3];
      done.push(store.attempt(value % 2 ? [push(one, value), push(other, value)] : [push(one, value)]));
    }
    assertEquals(new Set((await Promise.all(done)).map(codeOf)), new Set(["applied"]));
    for (const text of await texts(store, "a", "b", "c")) {
      const list = JSON.parse(String(text)) as number[];
      assertEquals(list, [...list].sort((a, b) => a - b));
      assertEquals(list.length, 150);
    }
  });

  it("Store.attempt() keeps or changes the expiry of each key of a group", async () => {
    const store = newStore();
    const { prefix } = store.settings;
    await store.applyAll([
      { kind: "set", path: ["a"], value: "1", ttl: 90_000 },
      { kind: "set", path: ["b"], value: "1", ttl: 90_000 },
      { kind: "set", path: ["c"], value: "1" },
    ], "update");
    await store.applyAll([
      { kind: "increment", path: ["a"], by: "1" },
      { kind: "persist", path: ["b"] },
      { kind: "expire", path: ["c"], ttl: 90_000 },
    ], "update");
    assert(await client.pttl(`${prefix}a`) > 60_000);
    assertEquals(await client.pttl(`${prefix}b`), -1);
    assert(await client.pttl(`${prefix}c`) > 60_000);
    const refused = await store.attempt([
      { kind: "persist", path: ["a"] },
      { kind: "set", path: ["c"], value: "2", ttl: 0 },
      { kind: "toggle", path: ["b"] },
    ]);
    assertEquals(codeOf(refused), "TYPE at 2");
    assert(await client.pttl(`${prefix}a`) > 60_000);
    assert(await client.pttl(`${prefix}c`) > 60_000);
    assertEquals(await texts(store, "c"), ["1"]);
  });
});

describe("applyOp() and Store.applyAll()", () => {
  it("applyOp() throws what a refusal means", async () => {
    const store = newStore();
    await assertRejects(() => store.drive(applyOp({ kind: "pop", path: ["a"] })), KeyNotFoundError);
    assertEquals(await store.drive(applyOp(set(["a"], "1"))), "");
    const error = await assertRejects(
      () => store.drive(applyOp({ kind: "pop", path: ["a"] })),
      TypeMismatchError,
    );
    assertEquals([error.found, error.operation], ["number", "pop"]);
  });

  it("Store.applyAll() throws for the op that was refused", async () => {
    const store = newStore();
    await client.sadd(`${store.settings.prefix}s`, "x");
    const error = await assertRejects(
      () => store.applyAll([set(["a"], "1"), { kind: "delete", path: ["s"] }], "update"),
      WrongTypeError,
    );
    assertEquals([error.key, error.operation, error.found], ["s", "update", "set"]);
  });
});

describe("Store.read() and texts()", () => {
  it("Store.tryRead() gives the fragment as it stands, or why there is none", async () => {
    const store = newStore();
    await store.drive(applyOp(set(["a"], ' {"n": [ 1.0 , 2 ] } ')));
    assertEquals(await store.tryRead({ kind: "get", path: ["a", "n"] }), "[ 1.0 , 2 ]");
    assertEquals(await store.read({ kind: "get", path: ["a"] }), ' {"n": [ 1.0 , 2 ] } ');
    const missing = await store.tryRead({ kind: "get", path: ["a", "x"] });
    assertEquals(missing, { code: "NOT_FOUND", index: 0, segment: 0, found: "" });
    await assertRejects(() => store.read({ kind: "get", path: ["b"] }), KeyNotFoundError);
  });

  it("Store.texts() gives undefined where there is nothing, and needs no key", async () => {
    const store = newStore();
    await store.applyAll([set(["a"], "1"), set(["b"], '""')], "update");
    assertEquals(await store.texts(["b", "c", "a"]), ['""', undefined, "1"]);
    assertEquals(await store.texts([]), []);
  });
});
