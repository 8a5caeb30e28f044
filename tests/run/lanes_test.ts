/** Group commit: order without awaiting, few calls for a burst, and nobody harmed by a neighbour. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Outcome } from "../../src/call/answer.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { TypeMismatchError } from "../../src/errors/value.ts";
import { compile } from "../../src/call/call.ts";
import { Lanes } from "../../src/run/lanes.ts";
import type { Group, Op } from "../../src/data/op.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();

// deno-lint-ignore no-explicit-any -- any op at any place
function newLab(): RedisJsonDict<any> {
  return new RedisJsonDict(client, { prefix: uniquePrefix("lanes") });
}

function set(key: string, value: string): Op {
  return { kind: "set", path: [key], value };
}

/** Runs no server: keeps the batches, which the test answers. */
class Desk {
  readonly batches: (readonly Group[])[] = [];
  readonly lanes: Lanes;
  readonly #answers: PromiseWithResolvers<readonly Outcome[]>[] = [];

  constructor() {
    this.lanes = new Lanes({
      apply: (groups) => {
        this.batches.push(groups);
        const answer = Promise.withResolvers<readonly Outcome[]>();
        this.#answers.push(answer);
        return answer.promise;
      },
      read: () => Promise.resolve([]),
    });
  }

  /** The values that the batches write, in order. */
  get written(): string[] {
    return this.batches.map((groups) =>
      groups.map((group) => group.map((op) => "value" in op ? op.value : op.kind).join("+")).join()
    );
  }

  answer(batch: number): void {
    this.#answers[batch].resolve(this.batches[batch].map((group) => ({ results: group.map(() => "") })));
  }

  fail(batch: number, error: unknown): void {
    this.#answers[batch].reject(error);
  }
}

/** Lets everything happen that can happen without an answer. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

describe("Lanes", () => {
  it("Lanes sends what is issued in one turn as one batch, in order", async () => {
    const desk = new Desk();
    const done = ["1", "2", "3"].map((value) => desk.lanes.commit([set("a", value)]));
    await turn();
    assertEquals(desk.written, ["1,2,3"]);
    desk.answer(0);
    assertEquals(await Promise.all(done), [{ results: [""] }, { results: [""] }, { results: [""] }]);
  });

  it("Lanes sends a burst as one batch, as long as servers take so many arguments", async () => {
    const ops: readonly Op[] = [
      { kind: "push", path: ["k", "list"], items: ["1"] },
      { kind: "set", path: ["k", "n"], value: "1", when: "absent", parents: true },
      { kind: "set", path: ["k"], value: "1", when: "absent", ttl: 1000 },
      { kind: "add", path: ["k", "list", "-"] },
      { kind: "increment", path: ["k"], by: "1", exact: true, parents: true },
      { kind: "take", path: ["k"] },
    ];
    for (const group of [...ops.map((op) => [op]), ops.map((op, at) => ({ ...op, path: [`k${at % 2}`] }))]) {
      const desk = new Desk();
      for (let count = 0; count < 3000; count++) desk.lanes.commit(group);
      await Promise.resolve();
      const { keys, args } = compile("", desk.batches[0]);
      // Of 3,999 that ElastiCache takes, with the command and a record.
      const count = keys.length + args.length + 8;
      assert(count > 2000 && count < 3999, `${count} of ${JSON.stringify(group)}`);
    }
    const desk = new Desk();
    for (let count = 0; count < 300; count++) desk.lanes.commit([ops[0]]);
    await Promise.resolve();
    assertEquals(desk.batches.map((batch) => batch.length), [300]);
  });

  it("Lanes has one batch of a key under way, and collects behind it", async () => {
    const desk = new Desk();
    desk.lanes.commit([set("a", "1")]);
    await turn();
    desk.lanes.commit([set("a", "2")]);
    await turn();
    desk.lanes.commit([set("a", "3")]);
    await turn();
    assertEquals(desk.written, ["1"]);
    desk.answer(0);
    await turn();
    assertEquals(desk.written, ["1", "2,3"]);
    desk.answer(1);
    await desk.lanes.after(undefined, () => Promise.resolve());
  });

  it("Lanes lets other keys go at once", async () => {
    const desk = new Desk();
    desk.lanes.commit([set("a", "1")]);
    desk.lanes.commit([set("b", "2")]);
    await turn();
    assertEquals(desk.written, ["1", "2"]);
    desk.answer(1);
    desk.answer(0);
    await turn();
  });

  it("Lanes orders a group of several keys behind and before those of each key", async () => {
    const desk = new Desk();
    desk.lanes.commit([set("a", "1")]);
    desk.lanes.commit([set("b", "2")]);
    desk.lanes.commit([set("a", "3"), set("b", "3")]);
    desk.lanes.commit([set("b", "4")]);
    desk.lanes.commit([set("a", "5"), set("c", "5")]);
    await turn();
    assertEquals(desk.written, ["1", "2"]);
    desk.answer(1);
    await turn();
    assertEquals(desk.written, ["1", "2"]);
    desk.answer(0);
    await turn();
    assertEquals(desk.written, ["1", "2", "3+3"]);
    desk.answer(2);
    await turn();
    assertEquals(desk.written, ["1", "2", "3+3", "4", "5+5"]);
    desk.answer(3);
    desk.answer(4);
    await turn();
  });

  it("Lanes lets a read go after what was issued before it and before what is issued after it", async () => {
    const desk = new Desk();
    const order: string[] = [];
    desk.lanes.commit([set("a", "1")]);
    const read = desk.lanes.after(["a"], () => {
      order.push(`read after ${desk.written}`);
      return Promise.resolve("seen");
    });
    desk.lanes.commit([set("a", "2")]);
    await turn();
    assertEquals([desk.written, order], [["1"], []]);
    desk.answer(0);
    assertEquals(await read, "seen");
    await turn();
    assertEquals([desk.written, order], [["1", "2"], ["read after 1"]]);
    desk.answer(1);
    await turn();
  });

  it("Lanes lets a read of an idle key go at once", async () => {
    const desk = new Desk();
    desk.lanes.commit([set("a", "1")]);
    assertEquals(await desk.lanes.after(["b"], () => Promise.resolve(1)), 1);
    await turn();
    desk.answer(0);
    await turn();
  });

  it("Lanes lets a read of a busy and an idle key go before what is issued after it on either", async () => {
    const desk = new Desk();
    desk.lanes.commit([set("busy", "1")]);
    let seen = "";
    const read = desk.lanes.after(["idle", "busy", "idle"], () => {
      seen = desk.written.join();
      return Promise.resolve();
    });
    desk.lanes.commit([set("idle", "2")]);
    desk.lanes.commit([set("busy", "3")]);
    desk.lanes.commit([set("other", "4")]);
    await turn();
    assertEquals(desk.written, ["1", "4"]);
    desk.answer(0);
    await read;
    await turn();
    assertEquals([seen, desk.written], ["1,4", ["1", "4", "2", "3"]]);
    for (const batch of [1, 2, 3]) desk.answer(batch);
    await turn();
  });

  it("Lanes lets a read that is sent in a microtask go before what waits for two keys", async () => {
    const desk = new Desk();
    desk.lanes.commit([set("a", "1")]);
    desk.lanes.commit([set("b", "2")]);
    let sent = -1;
    desk.lanes.after(["a"], () => Promise.resolve().then(() => void (sent = desk.batches.length)));
    desk.lanes.commit([set("a", "3"), set("b", "3")]);
    await turn();
    desk.answer(0);
    desk.answer(1);
    await turn();
    assertEquals([sent, desk.batches.length], [2, 3]);
  });

  it("Lanes rejects all of a batch that fails, and goes on", async () => {
    const desk = new Desk();
    const failed = [desk.lanes.commit([set("a", "1")]), desk.lanes.commit([set("a", "2")])];
    await turn();
    const next = desk.lanes.commit([set("a", "3")]);
    const read = desk.lanes.after(["a"], () => Promise.resolve(desk.written.length));
    desk.fail(0, new Error("broken"));
    for (const change of failed) await assertRejects(() => change, Error, "broken");
    await turn();
    assertEquals(desk.written, ["1,2", "3"]);
    desk.answer(1);
    assertEquals([await next, await read], [{ results: [""] }, 2]);
  });

  it("Lanes splits what is more than some servers take in one request", async () => {
    const desk = new Desk();
    for (let count = 0; count < 1000; count++) desk.lanes.commit([set("a", "1")]);
    let batch = 0;
    while (true) {
      await turn();
      if (desk.batches.length <= batch) break;
      assert(desk.batches[batch].length * 4 < 3999);
      desk.answer(batch++);
    }
    assertEquals(desk.batches.flat().length, 1000);
    assert(batch > 1 && batch < 10);
  });
});

describe("RedisJsonDict without awaiting", () => {
  it("RedisJsonDict applies changes of one key in the order of the program", async () => {
    const lab = newLab();
    const done = [
      lab.set("x", { n: 1, l: [] }),
      lab.at("x", "n").increment(),
      lab.at("x", "l").push("a"),
      lab.at("x", "l").push("b"),
      lab.at("x", "l").shift(),
      lab.at("x", "s").set("t"),
      lab.at("x", "s").append("u"),
      lab.at("x", "n").delete(),
      lab.at("x", "n").getOrInsert(7),
      lab.at("x", "n").compareAndSet(7, 8),
    ];
    assertEquals(await Promise.all(done), [undefined, 2, 1, 2, "a", undefined, 2, true, 7, true]);
    assertEquals(await client.get(`${lab.prefix}x`), '{"l":["b"],"s":"tu","n":8}');
  });

  it("RedisJsonDict makes few calls of a burst of 1000, each with a result of its own", async () => {
    const lab = newLab();
    await lab.set("n", 0);
    const calls = async () =>
      Number((await client.info("commandstats")).match(/cmdstat_evalsha:calls=(\d+)/)?.[1]);
    const before = await calls();
    const results = await Promise.all(Array.from({ length: 1000 }, () => lab.at("n").increment()));
    assert(await calls() - before <= 6);
    assertEquals(results, Array.from({ length: 1000 }, (_, index) => index + 1));
    assertEquals(await client.get(`${lab.prefix}n`), "1000");
  });

  it("RedisJsonDict keeps a refused change from harming its neighbours", async () => {
    const lab = newLab();
    const name = `${lab.prefix}x`;
    await client.set(name, ' {"l": [1] } ');
    const one = lab.at("x", "l").push(2);
    const refused = assertRejects(() => lab.at("x", "l", "no").set(1), TypeMismatchError);
    const away = assertRejects(() => lab.at("x", "l").increment(), TypeMismatchError);
    const two = lab.at("x", "l").push(3);
    await Promise.all([refused, away]);
    assertEquals([await one, await two, await client.get(name)], [2, 3, ' {"l": [1,2,3] } ']);
  });

  it("RedisJsonDict leaves the text as it is if all changes of a burst are refused", async () => {
    const lab = newLab();
    const text = ' {"l": [1] } ';
    await client.set(`${lab.prefix}x`, text, "PX", 90_000);
    const refused = Array.from(
      { length: 10 },
      () => assertRejects(() => lab.at("x", "l").toggle(), TypeMismatchError),
    );
    await Promise.all(refused);
    assertEquals(await client.get(`${lab.prefix}x`), text);
    assert(await client.pttl(`${lab.prefix}x`) > 60_000);
  });

  it("RedisJsonDict reads see earlier changes and not later ones", async () => {
    const lab = newLab();
    lab.set("x", [1]);
    const first = lab.get("x");
    const push = lab.at("x").push(2);
    const reads = [lab.get("x"), lab.at("x").get(), lab.at("x", 1).get(), lab.at("x").length(), lab.has("x")];
    const many = lab.getMany(["y", "x"]);
    const all = lab.toObject();
    const size = lab.size();
    lab.delete("x");
    const gone = [lab.get("x"), lab.has("x"), lab.at("x").exists()];
    assertEquals([await first, await push], [[1], 2]);
    assertEquals(await Promise.all(reads), [[1, 2], [1, 2], 2, 2, true]);
    assertEquals([...await many], [["x", [1, 2]]]);
    assertEquals(await Promise.all(gone), [undefined, false, false]);
    await all;
    await size;
  });

  it("RedisJsonDict keeps any number of reads of several keys behind a change", async () => {
    const lab = newLab();
    await lab.update({ x: 1, y: 2 });
    lab.set("x", 3);
    const reads = Array.from(
      { length: 20_000 },
      (_, index) => index % 2 ? lab.getMany(["x", "y"]) : lab.readMany([lab.at("y"), lab.at("x")]),
    );
    lab.set("x", 4);
    const seen = new Set((await Promise.all(reads)).map((read) => JSON.stringify([...read])));
    assertEquals([...seen].sort(), ["[2,3]", '[["x",3],["y",2]]']);
    assertEquals(await lab.get("x"), 4);
  });

  it("RedisJsonDict iterates over what was issued before", async () => {
    const lab = newLab();
    lab.set("a", 1);
    lab.update({ b: 2, c: 3 });
    assertEquals(await lab.toObject(), { a: 1, b: 2, c: 3 });
    lab.set("d", 4);
    assertEquals(await lab.size(), 4);
    lab.set("e", 5);
    assertEquals(await lab.clear(), 5);
  });

  it("RedisJsonDict orders an update of several keys between changes of each", async () => {
    const lab = newLab();
    const done = [
      lab.set("a", 1),
      lab.set("b", 1),
      lab.update({ a: 10, b: 10 }),
      lab.at("a").increment(),
      lab.at("b").increment(2),
      lab.update({ b: 20, c: 20 }),
      lab.at("b").increment(),
    ];
    assertEquals(await Promise.all(done), [undefined, undefined, undefined, 11, 12, undefined, 21]);
    assertEquals(await lab.toObject(), { a: 11, b: 21, c: 20 });
  });
});
