/**
 * What `./sync` guarantees, as a program for Deno, Node and Bun. It prints a line of JSON for each check. While it waits,
 * its own event loop stands still, so the network between it and Redis belongs to whoever started it: it asks for a change
 * by a line, and goes on when it gets one back.
 */

import assert from "node:assert/strict";
import { readSync, writeSync } from "node:fs";
import process from "node:process";
import { inspect } from "node:util";

const { AmbiguousResultError, connect, dictionary, toPlain, ...errors } = await import(
  "@json-dict/redis/sync"
);
const { PREFIX, REDIS_URL } = process.env;

/** For what must not fail, and for what is to fail at its deadline. */
const [LONG, SHORT] = [60_000, 1_000];

/** Asks for something, and waits until it is done. Returns what was answered. */
function ask(what, ...args) {
  writeSync(1, `${JSON.stringify({ ask: what, args })}\n`);
  const byte = new Uint8Array(1);
  let text = "";
  while (!text.endsWith("\n")) {
    try {
      if (readSync(0, byte) > 0) text += String.fromCharCode(byte[0]);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error; // nothing has come yet
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  return JSON.parse(text);
}

const range = (count) => Array.from({ length: count }, (_, index) => index);

/** The error of a call, which must fail. */
function errorOf(call) {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: `it did not fail: ${call}` });
}

const CHECKS = {
  "is used like a plain object"(open) {
    const lab = open();
    lab.sample = { color: "red", positions: [1] };
    lab.sample.color = "blue";
    lab.sample.positions.push(2, 3);
    lab.sample.positions.sort((a, b) => b - a);
    delete lab.sample.nothing;
    lab.then = { constructor: { close: 1 } };
    lab.__proto__ = { toJSON: 2 };
    const plain = { color: "blue", positions: [3, 2, 1] };
    assert.deepEqual(toPlain({ ...lab.sample }), plain);
    assert.deepEqual(Object.entries(lab.sample.positions), [["0", 3], ["1", 2], ["2", 1]]);
    assert.equal(JSON.stringify(lab.sample), JSON.stringify(plain));
    assert.equal(inspect(lab.sample), inspect(plain));
    assert.deepEqual(Object.keys(lab).sort(), ["__proto__", "sample", "then"]);
    assert.deepEqual([lab.then.constructor.close, lab.__proto__.toJSON], [1, 2]);
    assert.deepEqual(["sample" in lab, "x" in lab, "color" in lab.sample], [true, false, true]);
    const names = [];
    for (const name in lab.sample) names.push(name, typeof lab.sample[name]);
    assert.deepEqual(names, ["color", "string", "positions", "object"]);
    assert.equal(ask("get", `${PREFIX}sample`), '{"color":"blue","positions":[3,2,1]}');
    assert.equal(dictionary(lab).clear(), 3);
  },

  "connects when there is a server, which is later than the first call"(open) {
    const lab = open();
    ask("fail for a while");
    lab.n = 1;
    assert.equal(lab.n, 1);
  },

  "does every operation"(open) {
    const lab = open();
    const dict = dictionary(lab);
    dict.set("a", { n: 1, list: [1, 2], text: "é\u0000😀", "": null, on: false });
    dict.update({ b: 5, c: [3] });
    assert.deepEqual([...dict.getMany(["c", "nothing", "b"])], [["c", [3]], ["b", 5]]);
    assert.deepEqual([dict.pop("b"), dict.delete("c"), dict.size(), dict.getOrInsert("d", 1)], [
      5,
      true,
      1,
      1,
    ]);
    assert.equal(dict.at("a", "n").increment(2.5), 3.5);
    assert.equal(dict.at("a", "on").toggle(), true);
    assert.equal(dict.at("a", "text").append("x"), 5);
    assert.equal(dict.edit(({ a }) => a.list.reverse().length), 2);
    dict.merge("a", { text: null });
    dict.patch("a", [{ op: "remove", path: "/on" }]);
    assert.deepEqual(toPlain(lab.a), { n: 3.5, list: [2, 1], "": null });
    dict.expire("a", LONG);
    assert.ok(dict.ttl("a") > 0);
    assert.equal(dict.clear(), 2);
  },

  "has the errors of the dictionary, with the line of the caller"(open) {
    const lab = open();
    ask("set", `${PREFIX}bad`, "{not JSON");
    lab.a = { list: [1], x: 5 };
    const calls = [
      [errors.CorruptValueError, () => lab.bad],
      [errors.KeyNotFoundError, () => dictionary(lab).getOrThrow("none")],
      [errors.TypeMismatchError, () => dictionary(lab).at("a", "list").increment()],
      [errors.IndexOutOfRangeError, () => lab.a.list[5] = 1],
      [TypeError, () => lab.a.f = () => {}],
    ];
    for (const [Class, call] of calls) {
      const error = errorOf(call);
      assert.ok(error instanceof Class, `${error} is no ${Class.name}`);
      assert.ok(error.stack.includes("guarantees.mjs"), error.stack);
    }
    assert.equal(lab.a.list.length, 1);
  },

  "carries long values"(open) {
    const lab = open();
    const text = "é😀x".repeat(300_000);
    lab.text = [text];
    assert.ok(lab.text[0] === text);
    assert.equal(lab.text.push("end"), 2);
  },

  "goes on when the server has lost the scripts"(open) {
    const lab = open();
    lab.list = [];
    for (const index of range(6)) {
      if (index % 2 === 0) ask("flush scripts");
      assert.equal(lab.list.push(index), index + 1);
    }
    assert.deepEqual(toPlain(lab.list), range(6));
  },

  "applies each of 60 pushes once, with every third answer lost"(open) {
    const lab = open();
    lab.list = [];
    const { list } = lab;
    for (const index of range(60)) {
      if (index % 3 === 2) ask("lose an answer");
      assert.equal(list.push(index), index + 1);
    }
    assert.deepEqual(toPlain(list), range(60));
  },

  "runs a recipe again when others were in its way"(open) {
    const lab = open();
    lab.a = { n: 1, seen: [] };
    let runs = 0;
    const left = dictionary(lab).edit(({ a }) => {
      const before = a.n;
      if (runs++ === 0) ask("set", `${PREFIX}a`, '{"n":5,"seen":[]}');
      a.n += 1;
      a.seen.push(before);
      return a.n;
    });
    assert.deepEqual([left, runs, toPlain(lab.a)], [6, 2, { n: 6, seen: [5] }]);
    lab.list = [2, 3];
    let calls = 0;
    lab.list.sort((a, b) => {
      if (calls++ === 0) ask("set", `${PREFIX}list`, "[1,2,9]");
      return b - a;
    });
    assert.deepEqual(toPlain(lab.list), [9, 2, 1]);
  },

  "delivers at most once where it is asked to"(open) {
    const beside = open();
    beside.list = [];
    const lab = open({ delivery: "at-most-once" });
    lab.list.push(0);
    const applied = [0];
    let lost = 0;
    for (const index of range(30).slice(1)) {
      const { list } = lab;
      if (index % 3 === 2) ask("lose an answer");
      try {
        list.push(index);
        applied.push(index);
      } catch (error) {
        assert.ok(error instanceof AmbiguousResultError, String(error));
        assert.ok(errorOf(() => dictionary(lab).resolve(error)) instanceof TypeError);
        lost++;
      }
    }
    assert.equal(lost, 10);
    const list = toPlain(beside.list);
    assert.equal(new Set(list).size, list.length, "applied twice");
    for (const index of applied) assert.ok(list.includes(index), `${index} is not there`);
  },

  "tells what became of a change whose answer never came, and settles it"(open) {
    const lab = open({ timeout: SHORT });
    lab.list = [];
    lab.list.push(0); // so that the server has the script
    for (const [index, fault] of ["no answers", "no requests"].entries()) {
      const { list } = lab;
      ask("fault", fault);
      const error = errorOf(() => list.push(index + 1));
      ask("fault", "none");
      ask("drop");
      assert.ok(error instanceof AmbiguousResultError, String(error));
      assert.ok(error.stack.includes("guarantees.mjs"), error.stack);
      const verdict = error.resolve();
      assert.equal(verdict, fault === "no answers" ? "applied" : "not-applied");
      assert.equal(toPlain(list).includes(index + 1), verdict === "applied");
    }
  },

  "fails in time when there is no server, and goes on when there is one again"(open) {
    const lab = open({ timeout: SHORT });
    lab.n = 1;
    ask("fault", "drop request");
    ask("drop");
    for (const call of [() => lab.n, () => Object.keys(lab), () => lab.n = 2, () => JSON.stringify(lab)]) {
      const start = performance.now();
      const error = errorOf(call);
      assert.ok(/^(?:Timeout|AmbiguousResult)Error$/.test(error.name), String(error));
      assert.ok(performance.now() - start < 30_000);
    }
    ask("fault", "none");
    assert.ok([1, 2].includes(dictionary(lab).get("n", { timeout: LONG })));
    lab.n = 3;
    assert.equal(lab.n, 3);
  },
};

for (const [name, check] of Object.entries(CHECKS)) {
  const open = [];
  try {
    check((options = {}) => {
      const lab = connect(REDIS_URL, { prefix: PREFIX, timeout: LONG, ...options });
      open.push(lab);
      return lab;
    });
    writeSync(1, `${JSON.stringify({ name })}\n`);
  } catch (error) {
    writeSync(1, `${JSON.stringify({ name, error: error?.stack ?? String(error) })}\n`);
  }
  ask("fault", "none");
  dictionary(open[0]).clear({ timeout: LONG });
  for (const lab of open) dictionary(lab).close({ timeout: SHORT });
}
// One that nobody has closed does not keep the program from ending.
connect(REDIS_URL, { prefix: PREFIX }).n = 1;
writeSync(1, `${JSON.stringify({ end: true })}\n`);
