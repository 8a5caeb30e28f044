/** Live documents that follow: what they show, whoever writes, and what becomes of their own changes. */

import { describe, it } from "@std/testing/bdd";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { Cluster, Redis } from "ioredis";
import {
  CorruptValueError,
  type DictOptions,
  type Following,
  KeyNotFoundError,
  RedisJsonDict,
  StaleError,
  TimeoutError,
  TypeMismatchError,
  UnavailableError,
  WrongTypeError,
} from "../../mod.ts";
import { decode } from "../../src/data/decoder.ts";
import type { Json } from "../../src/data/json.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { fuzz } from "../support/fuzz.ts";
import { Unhandled } from "../support/garbage.ts";
import { HOSTILE_NAMES } from "../support/names.ts";
import { execute, json, steps } from "../support/programs.ts";
import { until } from "../support/until.ts";

interface Run {
  n: number;
  log: string[];
  tags: Record<string, Json>;
  runs: { id: number; name: string; ok?: boolean; log?: number[] }[];
}

// A server of its own: it is flushed, and connections are killed.
const server = await startRedis();
/** Another program. */
const foreign = new Redis(server.url);
Deno.test.afterAll(async () => {
  foreign.disconnect();
  await server.stop();
});
let dictionaries = 0;

function open<T extends object = { run: Run }>(
  options: Partial<DictOptions> = {},
  url: string = server.url,
): RedisJsonDict<T> {
  const prefix = `f${dictionaries++}:`;
  return RedisJsonDict.connect<T>(url, { prefix, ...options } as never);
}

const RUN: Run = {
  n: 0,
  log: [],
  tags: { a: { b: 1 } },
  runs: [{ id: 1, name: "x" }, { id: 2, name: "y" }, { id: 3, name: "z" }],
};

/** A follower of a run, and what others do. */
async function follow(options: Partial<DictOptions> = {}, url?: string) {
  const lab = open(options, url);
  const name = `${lab.prefix}run`;
  await foreign.set(name, JSON.stringify(RUN));
  const run = await lab.at("run").live({ follow: true });
  return {
    lab,
    run,
    name,
    text: () => foreign.get(name),
    /** Another program writes a value, and the follower has seen it. */
    write: async (value: unknown) => {
      await foreign.set(name, JSON.stringify(value));
      await shows(run, value);
    },
  };
}

/** What a user interface has of a follower. */
interface Shown {
  snapshot(): unknown;
  subscribe(listener: () => void): () => void;
}

/** Waits until a follower shows a value. */
async function shows(run: Shown, value: unknown): Promise<void> {
  const wanted = JSON.stringify(value);
  await until(`it shows ${wanted}`, () => JSON.stringify(run.snapshot()) === wanted);
}

/** What the server has, written as the values of followers are. */
async function contentOf(name: string): Promise<string | undefined> {
  const text = await foreign.get(name);
  return text === null ? undefined : JSON.stringify(decode(text));
}

/** What React does with a store (`useSyncExternalStore`), without React. */
class Screen {
  shown: unknown;
  renders = 0;
  readonly unsubscribe: () => void;
  readonly #store: Shown;

  constructor(store: Shown) {
    this.#store = store;
    this.shown = this.#read();
    this.unsubscribe = store.subscribe(() => {
      const next = this.#read();
      assert(!Object.is(next, this.shown), "called without a change");
      this.shown = next;
      this.renders++;
    });
    assertStrictEquals(this.#read(), this.shown);
  }

  #read(): unknown {
    const { snapshot } = this.#store;
    const value = snapshot();
    assertStrictEquals(snapshot(), value);
    return value;
  }
}

describe("Ref.live({ follow: true })", () => {
  it("follows every writer, and writes own changes and no other byte", async () => {
    const { lab, run, name, text } = await follow();
    await using _ = lab;
    await foreign.set(name, '{"n" : 1.0,"log":["a"], "tags":{}, "runs":[]}');
    await shows(run, { n: 1, log: ["a"], tags: {}, runs: [] });
    run.document!.log.push("b");
    run.document!.tags.x = 1;
    await run.settled();
    assertStrictEquals(await text(), '{"n" : 1.0,"log":["a","b"], "tags":{"x":1}, "runs":[]}');
    await lab.at("run", "n").increment(4);
    await shows(run, { n: 5, log: ["a", "b"], tags: { x: 1 }, runs: [] });
    const steps: [what: () => Promise<unknown>, value: unknown][] = [
      [() => foreign.eval("return redis.call('set', KEYS[1], '{\"n\":2}')", 1, name), { n: 2 }],
      [() => foreign.rename(name, `${name}2`), undefined],
      [() => foreign.copy(`${name}2`, name), { n: 2 }],
      [() => foreign.flushdb(), undefined],
      [() => lab.set("run", { ...RUN, n: 3 }), { ...RUN, n: 3 }],
      [() => lab.pop("run"), undefined],
      [() => foreign.set(name, '{"n":4}', "PX", 1_500), { n: 4 }],
      [() => Promise.resolve(), undefined], // it expires
    ];
    for (const [step, value] of steps) {
      await step();
      await shows(run, value);
    }
  });

  it("the document is the same object as long as there is an object, and again; parts of it end", async () => {
    const { lab, run, name, write } = await follow();
    await using _ = lab;
    const { document } = run;
    const tags = document!.tags;
    await foreign.del(name);
    await until("it is gone", () => run.document === undefined);
    assertThrows(() => document!.n, StaleError, 'Cannot use what was at "run"');
    assertThrows(() => tags.a, StaleError);
    for (const scalar of [5, "text", null, true]) {
      await write(scalar);
      assertEquals([run.document, run.snapshot()], [undefined, scalar]);
    }
    await write([1, { a: 1 }]);
    const list = run.document as unknown as unknown[];
    assert(Array.isArray(list));
    assertThrows(() => document!.n, StaleError);
    await write(RUN);
    assertStrictEquals(run.document, document);
    assertThrows(() => list.length, StaleError);
    assertThrows(() => tags.a, StaleError, 'Cannot use what was at ["tags"] of "run"');
    document!.tags.c = 1;
    await run.settled();
    assertEquals(JSON.parse((await foreign.get(name))!).tags, { a: { b: 1 }, c: 1 });
    await write([]);
    assertStrictEquals(run.document as unknown, list);
  });

  it("opens where there is nothing yet, also deep inside", async () => {
    await using lab = open();
    const run = await lab.at("run", "tags").live({ follow: true });
    assertEquals([run.document, run.snapshot()], [undefined, undefined]);
    await lab.set("run", RUN);
    await shows(run, RUN.tags);
    run.document!.z = [1];
    await run.settled();
    await foreign.set(`${lab.prefix}run`, '{"n":1}');
    await shows(run, undefined);
  });

  it("a part goes on as long as it stays what it is, and then throws StaleError", async () => {
    const [one, two, three] = RUN.runs;
    const cases: [what: string, runs: unknown, isKept: readonly boolean[]][] = [
      ["nothing", [one, two, three], [true, true, true]],
      ["a push", [one, two, three, { id: 4, name: "w" }], [true, true, true]],
      ["an unshift", [{ id: 0, name: "w" }, one, two, three], [false, false, false]],
      ["a shift", [two, three], [false, false, false]],
      ["a pop", [one, two], [true, true, false]],
      ["a splice", [one, three], [true, false, false]],
      ["a swap", [two, one, three], [false, false, true]],
      ["a member more", [one, { ...two, ok: true }, three], [true, true, true]],
      ["most of it the same", [one, two, { ...three, log: [1] }], [true, true, true]],
      ["half of it the same", [one, { id: 2, name: "other" }, three], [true, false, true]],
      ["another one", [{ id: 9, name: "other" }, two, three], [false, true, true]],
      ["another type", [[1], two, 3], [false, true, false]],
      ["no array", {}, [false, false, false]],
      ["nothing there", undefined, [false, false, false]],
    ];
    const { lab, run, write } = await follow();
    await using _ = lab;
    for (const [what, runs, isKept] of cases) {
      await write(RUN);
      const parts = [0, 1, 2].map((index) => run.document!.runs[index]);
      await write({ ...RUN, n: 1, runs });
      parts.forEach((part, index) => {
        if (!isKept[index]) return void assertThrows(() => part.id, StaleError, undefined, what);
        assertStrictEquals(run.document!.runs[index], part, what);
        assertEquals(JSON.stringify(part), JSON.stringify((runs as unknown[])[index]), what);
      });
    }
    // Elements that are alike are told apart by where they have gone.
    const alike = [1, 2, 3].map((id) => ({ id, name: "x", ok: true, log: [] }));
    for (
      const [runs, isKept] of [[[alike[1], alike[0], alike[2]], [false, false, true]], [
        alike.slice(1),
        [],
      ]] as const
    ) {
      await write({ ...RUN, runs: alike });
      const parts = [...run.document!.runs];
      await write({ ...RUN, runs });
      parts.forEach((part, index) => {
        if (isKept[index]) assertEquals(part.id, alike[index].id);
        else assertThrows(() => part.id, StaleError);
      });
    }
    await write(RUN);
    const dead = run.document!.runs[1];
    await write({ ...RUN, runs: [one] });
    const error = assertThrows(() => dead.id, StaleError);
    assertEquals([error.code, error.key, error.path], ["STALE", "run", ["run", "runs", 1]]);
    const uses = [
      () => dead.ok = true,
      () => "id" in dead,
      () => Object.keys(dead),
      () => delete dead.ok,
      () => run.document!.tags.copy = dead as unknown as Json,
    ];
    for (const use of uses) assertThrows(use, StaleError);
    await write(RUN);
    assertThrows(() => dead.id, StaleError); // for good
    assertStrictEquals(run.document!.runs[1].id, 2);
  });

  it("own changes keep parts in hand, also when they move", async () => {
    const { lab, run, write, text } = await follow();
    await using _ = lab;
    const { document } = run;
    const [first, second] = document!.runs;
    document!.runs.unshift({ id: 0, name: "new" });
    document!.runs.reverse();
    second.ok = true;
    await run.settled();
    first.name = "changed";
    await run.settled();
    document!.runs.splice(0, 1);
    first.ok = false;
    await run.settled();
    const runs = JSON.parse((await text())!).runs;
    assertEquals(runs, [
      { id: 2, name: "y", ok: true },
      { id: 1, name: "changed", ok: false },
      { id: 0, name: "new" },
    ]);
    assertStrictEquals(document!.runs[1], first);
    await write({ ...RUN, runs: [...runs, { id: 7, name: "theirs" }] });
    first.ok = true;
    await run.settled();
    assertEquals(JSON.parse((await text())!).runs[1], { id: 1, name: "changed", ok: true });
  });

  it("snapshots are frozen, the same until something changes, and share what is equal", async () => {
    const { lab, run, name, write } = await follow();
    await using _ = lab;
    const first = run.snapshot()!;
    assertStrictEquals(run.snapshot(), first);
    for (const part of [first, first.log, first.tags, first.tags.a, first.runs, first.runs[0]]) {
      assert(Object.isFrozen(part));
    }
    // The same value, spelled in another way, is no change.
    const screen = new Screen(run);
    await foreign.set(name, JSON.stringify(RUN, null, 1).replace('"n": 0', '"n": 0.0'));
    await write({ ...RUN, n: 1 });
    assertStrictEquals(screen.renders, 1);
    const second = run.snapshot()!;
    assert(second !== first);
    for (const part of ["log", "tags", "runs"] as const) assertStrictEquals(second[part], first[part]);
    // Elements are found where they have moved.
    await write({ ...RUN, runs: [{ id: 0, name: "w" }, ...RUN.runs.slice(1), RUN.runs[0]] });
    const third = run.snapshot()!;
    assertStrictEquals(third.tags, first.tags);
    assertStrictEquals(third.runs[1], first.runs[1]);
    assertStrictEquals(third.runs[2], first.runs[2]);
    assertStrictEquals(third.runs[3], first.runs[0]);
    // Own changes share, too, and their arrival from the server changes nothing.
    run.document!.runs[1].ok = true;
    assertStrictEquals(run.snapshot(), third); // the turn is not over
    await new Promise((resolve) => setTimeout(resolve, 0));
    const fourth = run.snapshot()!;
    assertEquals(fourth.runs[1], { id: 2, name: "y", ok: true });
    assertStrictEquals(fourth.tags, third.tags);
    assertStrictEquals(fourth.runs[0], third.runs[0]);
    const renders = screen.renders;
    await run.settled();
    assertStrictEquals(run.snapshot(), fourth);
    assertStrictEquals(screen.renders, renders);
    // Another order of members is another value: the text of both is what the server has.
    await foreign.set(name, '{"runs":[],"n":1}');
    await shows(run, { runs: [], n: 1 });
    await foreign.set(name, '{"n":1,"runs":[]}');
    await shows(run, { n: 1, runs: [] });
    screen.unsubscribe();
  });

  it("is a store as user interfaces take it: stable between calls, no call without a change, no tearing", async () => {
    const { lab, run, name } = await follow();
    await using _ = lab;
    const screens = [new Screen(run), new Screen(run)];
    const seen = new Set<unknown>([run.snapshot()]);
    const stop = run.subscribe(() => {
      seen.add(run.snapshot());
      // All components that were called so far show the same.
      assertStrictEquals(new Set(screens.map(({ shown }) => shown)).size, 1);
    });
    let isOver = false;
    const polling = (async () => {
      for (let step = 0; !isOver; step++) {
        assert(seen.has(run.snapshot()), "the snapshot changed, and nobody was called");
        if (step % 10 > 0) await Promise.resolve();
        else await new Promise((resolve) => setTimeout(resolve, 0));
      }
    })();
    for (let round = 0; round < 40; round++) {
      const own = run.document!;
      own.n++;
      own.log.push(`${round}`);
      if (round % 3 === 0) await foreign.set(name, JSON.stringify({ ...RUN, n: round }));
      if (round % 4 === 0) await lab.at("run", "n").increment(100);
      if (round % 5 === 0) await run.settled();
      assertStrictEquals(screens[0].shown, run.snapshot());
    }
    await run.settled();
    isOver = true;
    await polling;
    assertStrictEquals(screens[0].shown, screens[1].shown);
    assertEquals(screens[0].renders, screens[1].renders);
    stop();
    for (const screen of screens) screen.unsubscribe();
    const { renders } = screens[0];
    run.document!.n = -1;
    await run.settled();
    assertStrictEquals(screens[0].renders, renders);
  });

  it("a listener may end itself and others, begin others, change the document, and throw", async () => {
    using unhandled = new Unhandled();
    const { lab, run } = await follow();
    await using _ = lab;
    const calls: string[] = [];
    const ends: (() => void)[] = [];
    const stops = [
      run.subscribe(() => {
        calls.push("once");
        stops[0]();
        stops[1]();
        ends.push(run.subscribe(() => calls.push("late")));
        throw new Error("a listener failed");
      }),
      run.subscribe(() => calls.push("ended")),
      run.subscribe(() => {
        calls.push("changes");
        if (run.snapshot()!.n < 3) {
          run.document!.n++;
          lab.has("run").catch(() => {}); // sends it at once
        }
      }),
      run.subscribe(() => calls.push(`last ${run.snapshot()!.n}`)),
    ];
    const twice = (): void => void calls.push("twice");
    const [first, second] = [run.subscribe(twice), run.subscribe(twice)];
    run.document!.n = 1;
    await run.settled();
    assertEquals(calls.slice(0, 5), ["once", "changes", "last 1", "twice", "twice"]);
    assertEquals(run.snapshot()!.n, 3);
    assertEquals(calls.filter((call) => call === "ended" || call === "once"), ["once"]);
    assertEquals(calls.filter((call) => call.startsWith("last")), ["last 1", "last 2", "last 3"]);
    assertEquals(calls.filter((call) => call === "late").length, 2);
    await until("it is told", () => unhandled.reasons.length > 0);
    assertEquals(unhandled.reasons.map(String), ["Error: a listener failed"]);
    for (const stop of [...stops, ...ends, first]) stop();
    calls.length = 0;
    run.document!.n = 9;
    await run.settled();
    assertEquals(calls, ["twice"]);
    second();
    assertThrows(() => run.subscribe(5 as never), TypeError, "Cannot subscribe: received number");
    // Its methods need no `this`, and nobody can replace them.
    const { snapshot, subscribe, settled } = run;
    subscribe(() => {})();
    await settled();
    assertEquals(snapshot()!.n, 9);
    assert(Object.isFrozen(run));
  });

  it("after settled() it shows a state with its own writes; so after settled() of the dictionary", async () => {
    const { lab, run } = await follow();
    await using _ = lab;
    let marks = 0;
    for (let round = 0; round < 60; round++) {
      run.document!.log.push(`${++marks}`);
      const foreignWrite = lab.at("run", "n").increment();
      if (round % 2 === 0) await run.settled();
      else await lab.settled();
      assertEquals(run.snapshot()!.log.length, marks);
      await foreignWrite;
    }
    const n = run.snapshot()!.n;
    assert(n >= 59, `${n}`);
    // What the server makes of it, not only what the document thinks.
    const other = open({ prefix: lab.prefix });
    await other.at("run", "log").push("theirs");
    run.document!.log.push("mine");
    await run.settled();
    assertEquals(run.snapshot()!.log.slice(-2), ["theirs", "mine"]);
    await other.close();
  });

  it("a refused burst is reported once; then the document shows what the server has, and goes on", async () => {
    using unhandled = new Unhandled();
    const { lab, run, name, text } = await follow();
    const document = run.document!;
    const asks: (() => Promise<unknown>)[] = [
      () => run.settled(),
      () => lab.settled(),
      async () => {
        await until("it has failed", () => !Object.hasOwn(document, "lost"));
        document.n = 1;
      },
    ];
    for (const ask of asks) {
      await foreign.set(name, JSON.stringify(RUN));
      await shows(run, RUN);
      await foreign.set(name, '{"n":7,"log":{},"runs":[]}');
      (document as unknown as { lost: number }).lost = 1; // not seen yet that `log` is no array
      document.log.push("lost");
      const error = await assertRejects(ask) as Error;
      const reason = error instanceof TypeError ? error.cause : error;
      assertInstanceOf(reason, TypeMismatchError);
      assertEquals([reason.operation, reason.path], ["push", ["run", "log"]]);
      await run.settled(); // told once
      await shows(run, { n: 7, log: {}, runs: [] });
      document.n++;
      await run.settled();
      assertStrictEquals(await text(), '{"n":8,"log":{},"runs":[]}');
    }
    // Nobody asked: close() tells.
    await foreign.del(name);
    const failing = (): void => void (document.n = 1);
    try {
      failing();
    } catch (error) {
      assertInstanceOf(error, StaleError); // it has seen it already
      await lab.close();
      return;
    }
    await assertRejects(() => lab.close(), KeyNotFoundError);
    assertEquals(unhandled.reasons, []);
  });

  it("a burst behind a refused one is not applied, and shows no longer", async () => {
    const { lab, run, name, text } = await follow();
    await using _ = lab;
    const document = run.document!;
    for (let round = 0; round < 20; round++) {
      await foreign.set(name, JSON.stringify(RUN));
      await shows(run, RUN);
      await foreign.set(name, `{"n":${round},"log":5,"tags":{},"runs":[]}`);
      let isReported = false;
      try {
        document.log.push("lost");
        lab.has("run").catch(() => {});
        document.tags.lost = 1;
        if (round % 2 === 0) await Promise.resolve();
        document.tags.lost = 2;
      } catch (error) {
        // The read came first; or the failure, which is told here.
        assert(error instanceof TypeError, String(error));
        isReported = "cause" in error;
      }
      await run.settled().then(() => {}, (error) => {
        assert(!isReported && error instanceof TypeMismatchError, String(error));
      });
      await shows(run, { n: round, log: 5, tags: {}, runs: [] });
      assertStrictEquals(await text(), `{"n":${round},"log":5,"tags":{},"runs":[]}`);
    }
  });

  it("tells why the value cannot be read, while it cannot, and goes on after that", async () => {
    await using lab = open<Record<string, Json>>();
    const name = `${lab.prefix}x`;
    await foreign.set(name, '{"a":{"n":1}}');
    const a = await lab.at("x", "a").live({ follow: true });
    const screen: unknown[] = [];
    a.subscribe(() => {
      try {
        screen.push(a.snapshot());
      } catch (error) {
        screen.push(error);
      }
    });
    const { document } = a;
    const bad: [() => Promise<unknown>, new (...args: never[]) => Error][] = [
      [() => foreign.set(name, '{"a":{"n":1'), CorruptValueError],
      [() => foreign.set(name, '{"a":{"n":01}}'), CorruptValueError],
      [() => foreign.multi().del(name).rpush(name, "1").exec(), WrongTypeError],
      [() => foreign.multi().del(name).set(name, "5").exec(), TypeMismatchError],
    ];
    for (const [damage, Class] of bad) {
      await damage();
      await until("it is noticed", () => screen.at(-1) instanceof Class);
      assertThrows(() => a.snapshot(), Class);
      assertThrows(() => a.document, Class);
      assertThrows(() => (document as { n: number }).n, Class);
      assertThrows(() => void ((document as { n: number }).n = 1), Class);
      await foreign.del(name);
      await foreign.set(name, '{"a":{"n":2}}');
      await until("it is mended", () => JSON.stringify(screen.at(-1)) === '{"n":2}');
      assertStrictEquals(a.document, document);
      (document as { n: number }).n = 3;
      await a.settled();
      assertStrictEquals(await foreign.get(name), '{"a":{"n":3}}');
    }
    // The same damage again is no news.
    await foreign.set(name, '{"a":{"n":1');
    await until("it is noticed", () => screen.at(-1) instanceof CorruptValueError);
    const { length } = screen;
    await foreign.set(name, '{"a":{"n":1');
    await a.settled();
    await lab.get("y"); // behind the read
    await foreign.set(name, '{"a":{"n":4}}');
    await until("it is mended", () => JSON.stringify(screen.at(-1)) === '{"n":4}');
    assertEquals(screen.length, length + 1);
    for (const [damage, Class] of bad) {
      await damage();
      await assertRejects(() => lab.at("x", "a").live({ follow: true }), Class);
    }
  });

  it("keeps names that mean something to JavaScript", async () => {
    await using lab = open<Record<string, Json>>();
    for (const name of [...HOSTILE_NAMES, "", "\u0000", "0", "*", 'é"\\']) {
      const key = `${lab.prefix}${name}`;
      await foreign.set(key, `{${JSON.stringify(name)}:{"x":[1]},"list":[{"id":1,"b":2}]}`);
      // deno-lint-ignore no-explicit-any -- any JSON
      const followed = await lab.at(name).live({ follow: true }) as Following<any>;
      const part = followed.document[name];
      const before = followed.snapshot();
      await foreign.set(key, `{${JSON.stringify(name)}:{"x":[1],"y":1},"list":[{"id":1,"b":2}]}`);
      await until("it is seen", () => followed.snapshot() !== before);
      assertStrictEquals(followed.snapshot().list, before.list);
      assertStrictEquals(followed.document[name], part);
      part.x.push(2);
      await followed.settled();
      const value = Object.getOwnPropertyDescriptor(followed.snapshot(), name)!.value;
      assertEquals(value, { x: [1, 2], y: 1 });
      assertEquals(JSON.stringify(followed.snapshot()), await contentOf(key));
      await followed[Symbol.asyncDispose]();
    }
  });

  it("shows long integers digit for digit", async () => {
    await using lab = open<{ x: { n: bigint; list: { id: bigint; a: string }[] } }>({ bigints: true });
    const name = `${lab.prefix}x`;
    await foreign.set(name, '{"n":12345678901234567890,"list":[{"id":99999999999999999999,"a":"b"}]}');
    const x = await lab.at("x").live({ follow: true });
    const { list } = x.snapshot()!;
    const element = x.document!.list[0];
    await foreign.set(name, '{"n":12345678901234567891,"list":[{"id":99999999999999999999,"a":"b"}]}');
    await until("it is seen", () => x.snapshot()!.n === 12345678901234567891n);
    assertStrictEquals(x.snapshot()!.list, list);
    await foreign.set(name, '{"n":1,"list":[0,{"id":99999999999999999999,"a":"b"}]}');
    await until("it is seen", () => x.snapshot()!.list.length === 2);
    assertStrictEquals(x.snapshot()!.list[1], list[0]);
    assertThrows(() => element.id, StaleError);
  });

  it("ends by disposal, its signal, close(), and leaves no connection", async () => {
    const controller = new AbortController();
    const ends: ((lab: RedisJsonDict<{ run: Run }>, run: Following<Run>) => unknown)[] = [
      (_, run) => run[Symbol.asyncDispose](),
      (lab) => lab.close(),
      () => controller.abort(),
    ];
    for (const end of ends) {
      const lab = open();
      await lab.set("run", RUN);
      const run = await lab.at("run").live({ follow: true, signal: controller.signal });
      const { document } = run;
      let calls = 0;
      run.subscribe(() => calls++);
      document!.log.push("last");
      const last = calls;
      await end(lab, run);
      await until("it is over", () => {
        try {
          return document!.n === Infinity;
        } catch (error) {
          return error instanceof TypeError && error.message.includes("it is over");
        }
      });
      assertEquals(run.snapshot()!.log, ["last"]); // what it showed last
      assertEquals(calls, last + 1);
      assertThrows(() => run.document!.log.push("late"), TypeError, "it is over");
      await run.settled();
      await run[Symbol.asyncDispose](); // twice
      const stop = run.subscribe(() => calls++);
      await foreign.set(`${lab.prefix}run`, "5");
      await lab.close();
      assertEquals(calls, last + 1);
      stop();
    }
    await until("no connection is left", async () => {
      const list = String(await foreign.call("CLIENT", "LIST", "TYPE", "pubsub"));
      return list.trim() === "";
    });
  });

  it("what was changed is written, whatever ends the document in the same turn", async () => {
    for (const way of ["dispose", "abort", "close"]) {
      const { lab, name } = await follow();
      const controller = new AbortController();
      const run = await lab.at("run").live({ follow: true, signal: controller.signal });
      run.document!.log.push("kept");
      if (way === "dispose") await run[Symbol.asyncDispose]();
      else if (way === "abort") controller.abort();
      await lab.close();
      assertEquals(JSON.parse((await foreign.get(name))!).log, ["kept"], way);
    }
  });

  it("refuses wrong options, and what ends before it is open", async () => {
    const { lab } = await follow();
    const ref = lab.at("run");
    await assertRejects(() => lab.at("run").live({ follow: 1 } as never), TypeError, "follow is");
    await assertRejects(() => lab.at("run").live({ folow: true } as never), TypeError, "use follow");
    const reason = new Error("no more");
    await assertRejects(
      () => lab.at("run").live({ follow: true, signal: AbortSignal.abort(reason) }),
      Error,
      "no more",
    );
    const controller = new AbortController();
    const opening = lab.at("run").live({ follow: true, signal: controller.signal });
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => opening), reason);
    const closed = lab.at("run").live({ follow: true });
    const closing = lab.close();
    assertEquals((await assertRejects(() => closed, UnavailableError)).reason, "CLOSED");
    await closing;
    await assertRejects(() => ref.live({ follow: true }), TypeError, "it is closed");
    const cluster = new Cluster([server.url], { scaleReads: "slave", lazyConnect: true });
    const replicas = new RedisJsonDict<{ run: Run }>(cluster, { prefix: "r:" });
    await assertRejects(() => replicas.at("run").live({ follow: true }), TypeError, "scaleReads");
    cluster.disconnect();
    const nowhere = open({ timeout: 30_000 }, "redis://127.0.0.1:1");
    const error = await assertRejects(
      () => nowhere.at("run").live({ follow: true, timeout: 300 }),
      TimeoutError,
    );
    assertEquals([error.operation, error.timeout], ["live", 300]);
    await nowhere.close({ timeout: 100 });
  });

  it("says what the server refuses, at the opening and later", async () => {
    await foreign.call("ACL", "SETUSER", "eye", "reset", "on", ">pw", "~*", "+@all", "allchannels");
    const url = server.url.replace("redis://", "redis://eye:pw@");
    const { lab, run, name } = await follow({ heartbeat: 200 }, url);
    const { document } = run;
    const errors: unknown[] = [];
    run.subscribe(() => errors.push(assertThrows(() => run.snapshot(), UnavailableError).reason));
    await foreign.call("ACL", "SETUSER", "eye", "resetchannels"); // cuts off those that subscribe
    await until("it is told", () => errors.length > 0);
    assertEquals(errors, ["NOPERM"]);
    assertThrows(() => run.document, UnavailableError);
    assertThrows(() => document!.n, UnavailableError);
    const error = await assertRejects(() => lab.at("run").live({ follow: true }), UnavailableError);
    assertEquals([error.reason, error.operation], ["NOPERM", "live"]);
    await lab.at("run", "n").increment(); // the dictionary goes on
    assertEquals(JSON.parse((await foreign.get(name))!).n, 1);
    await lab.close();
    await foreign.call("ACL", "DELUSER", "eye");
  });

  it("outlives that connections are killed all the time", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const { lab, run } = await follow({ heartbeat: 1_000, timeout: 30_000 }, proxy.url);
    for (let round = 0; round < 5; round++) {
      run.document!.log.push(`${round}`);
      proxy.drop();
      await lab.at("run", "n").increment();
      run.document!.log.push(`${round}+`);
      await run.settled();
      assertEquals(run.snapshot()!.log.length, 2 * (round + 1));
    }
    await lab.close();
  });

  it("outlives that the server is away; settled() tells what was not written or not read", async () => {
    await using proxy = await FaultProxy.start(server.url);
    const { lab, run, name } = await follow({ heartbeat: 1_000, timeout: 1_000 }, proxy.url);
    proxy.fault = "drop request";
    proxy.drop();
    await foreign.set(name, '{"n":100}');
    await assertRejects(() => lab.get("run"), TimeoutError);
    assertEquals(run.snapshot(), RUN); // the last one that it knows
    run.document!.n = 6;
    await assertRejects(() => run.settled(), TimeoutError);
    proxy.fault = "none";
    await shows(run, { n: 100 });
    run.document!.n++;
    await run.settled();
    assertStrictEquals(await foreign.get(name), '{"n":101}');
    await lab.close();
  });

  it("a read that is sent again does not show twice what was changed meanwhile", async () => {
    const client = new Redis(server.url);
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    let lost = Promise.resolve();
    let reads = 0;
    (client as { call: typeof call }).call = async (...args) => {
      if (args[0] === "mget" && ++reads === 2) {
        await lost;
        throw new Error("the answer was lost");
      }
      return await call(...args);
    };
    const lab = new RedisJsonDict<{ run: Run }>(client, { prefix: `f${dictionaries++}:` });
    const name = `${lab.prefix}run`;
    await foreign.set(name, JSON.stringify(RUN));
    const run = await lab.at("run").live({ follow: true });
    const seen: string[] = [];
    run.subscribe(() => seen.push(run.snapshot()!.log.join()));
    const { promise, resolve } = Promise.withResolvers<void>();
    lost = promise;
    await foreign.set(name, JSON.stringify({ ...RUN, n: 1 }));
    await until("it reads", () => reads === 2);
    run.document!.log.push("mine");
    await until("it is written", async () => (await foreign.get(name))!.includes("mine"));
    resolve();
    await run.settled();
    await shows(run, { ...RUN, n: 1, log: ["mine"] });
    assertEquals([...new Set(seen)], ["mine"]);
    await lab.close();
    await client.quit();
  });

  it("settled() tells that the changes are written and the value cannot be read, and the document goes on", async () => {
    const client = new Redis(server.url);
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    let isSilent = false;
    (client as { call: typeof call }).call = async (...args) => {
      if (args[0] === "mget" && isSilent) await new Promise(() => {});
      return await call(...args);
    };
    const prefix = `f${dictionaries++}:`;
    const lab = new RedisJsonDict<{ run: Run }>(client, { prefix, timeout: 1_000 });
    await foreign.set(`${prefix}run`, JSON.stringify(RUN));
    const run = await lab.at("run").live({ follow: true });
    isSilent = true;
    for (const settled of [() => run.settled(), () => lab.settled()]) {
      run.document!.log.push("mine");
      const error = await assertRejects(settled, TimeoutError);
      assertEquals([error.operation, error.path], ["live", ["run"]]);
    }
    assertEquals(JSON.parse((await foreign.get(`${prefix}run`))!).log, ["mine", "mine"]);
    assertEquals(run.snapshot()!.log, ["mine", "mine"]);
    isSilent = false;
    run.document!.log.push("more");
    await lab.at("run", "n").increment();
    await shows(run, { ...RUN, n: 1, log: ["mine", "mine", "more"] });
    await run.settled();
    await lab.close();
    await client.quit();
  });

  it("a large value that changes all the time is read one at a time, and own writes go on", async () => {
    const client = new Redis(server.url);
    let [reading, most, reads] = [0, 0, 0];
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    (client as { call: typeof call }).call = async (...args) => {
      if (args[0] !== "mget") return await call(...args);
      reads++;
      most = Math.max(most, ++reading);
      try {
        return await call(...args);
      } finally {
        reading--;
      }
    };
    const lab = new RedisJsonDict<{ run: Run & { text: string[] } }>(client, {
      prefix: `f${dictionaries++}:`,
    });
    const name = `${lab.prefix}run`;
    const text = Array.from({ length: 1000 }, (_, index) => `${index}`.repeat(300));
    await foreign.set(name, JSON.stringify({ ...RUN, text }));
    const run = await lab.at("run").live({ follow: true });
    const big = run.snapshot()!.text;
    const other = open<{ run: Run }>({ prefix: lab.prefix });
    let isOver = false;
    let writes = 0;
    const writing = (async () => {
      while (!isOver) {
        await Promise.all(Array.from({ length: 20 }, () => other.at("run", "n").increment()));
        writes += 20;
      }
    })();
    for (let mark = 0; mark < 30; mark++) {
      run.document!.log.push(`${mark}`);
      await run.settled();
      assertEquals(run.snapshot()!.log.length, mark + 1);
    }
    isOver = true;
    await writing;
    await until("all is seen", () => run.snapshot()!.n === writes);
    assertStrictEquals(run.snapshot()!.text, big);
    assertEquals(most, 1);
    assert(reads < writes, `${reads} reads for ${writes} writes`);
    await Promise.all([lab.close(), other.close()]);
    await client.quit();
  });
});

const SWAP = `if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("set", KEYS[1], ARGV[2]) return 1`;

/** A step of a random program. */
type Step =
  | "push"
  | "push of the other"
  | "set"
  | "foreign SET"
  | "increment"
  | "turn"
  | "settle"
  | "cut";

describe("two followers and others", () => {
  it("own changes are never lost and never shown twice; in the end both show what the server has", async () => {
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 4, arbitrary: fc.constant<Step>("push") },
      { weight: 4, arbitrary: fc.constant<Step>("push of the other") },
      { weight: 2, arbitrary: fc.constant<Step>("set") },
      { weight: 4, arbitrary: fc.constant<Step>("foreign SET") },
      { weight: 2, arbitrary: fc.constant<Step>("increment") },
      { weight: 4, arbitrary: fc.constant<Step>("turn") },
      { weight: 1, arbitrary: fc.constant<Step>("settle") },
      { weight: 1, arbitrary: fc.constant<Step>("cut") },
    );
    const control = new Redis(server.url).on("error", () => {});
    const labs = [open({ timeout: 30_000 }), undefined!, open({ timeout: 30_000 })];
    const { prefix } = labs[0];
    labs[1] = open({ prefix, timeout: 30_000 });
    const writer = open({ prefix, timeout: 30_000 });
    interface Shared {
      n: number;
      log: string[];
      by: Record<string, number>;
    }
    let counter = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (program) => {
        const key = `k${counter++}`;
        const name = prefix + key;
        await foreign.set(name, '{"n":0,"log":[],"by":{}}');
        const followers = await Promise.all(
          [labs[0], labs[1]].map((lab) =>
            // deno-lint-ignore no-explicit-any -- other keys than the type names
            (lab as any).at(key).live({ follow: true }) as Promise<Following<Shared>>
          ),
        );
        const made: [string[], string[]] = [[], []];
        const wrong: string[] = [];
        const check = (who: 0 | 1): void => {
          const { log } = followers[who].snapshot()!;
          const mine = log.filter((mark) => mark.startsWith(`${who}:`));
          // All that was made before the turn began, each once, in order.
          if (JSON.stringify(mine) !== JSON.stringify(made[who])) {
            wrong.push(`${who} shows ${mine}, made ${made[who]}`);
          }
        };
        const stops = followers.map((follower, who) => follower.subscribe(() => check(who as 0 | 1)));
        let increments = 0;
        let marks = 0;
        const others: Promise<unknown>[] = [];
        let swaps = Promise.resolve();
        const push = (who: 0 | 1): void => {
          const mark = `${who}:${marks++}`;
          followers[who].document!.log.push(mark);
          made[who].push(mark);
        };
        for (const [index, what] of program.entries()) {
          if (what === "push") push(0);
          else if (what === "push of the other") push(1);
          else if (what === "set") followers[index % 2].document!.by[`${index}`] = index;
          else if (what === "increment") {
            increments++;
            // deno-lint-ignore no-explicit-any -- as above
            others.push((writer as any).at(key, "n").increment());
          } else if (what === "foreign SET") {
            // Another program that knows of nobody, but takes care: it reads, changes, and writes if nobody else did.
            swaps = swaps.then(async () => {
              while (true) {
                const text = (await control.get(name))!;
                const value: Shared = JSON.parse(text);
                if (value.log.includes(`f:${index}`)) return; // the answer was lost
                if (index % 2 === 0) value.log.unshift(`f:${index}`);
                else value.log.splice(value.log.length >> 1, 0, `f:${index}`);
                if (await control.eval(SWAP, 1, name, text, JSON.stringify(value, null, index % 3)) === 1) {
                  return;
                }
              }
            });
          } else if (what === "turn") await foreign.ping();
          else if (what === "settle") await followers[index % 2].settled();
          else {await foreign.call("CLIENT", "KILL", "TYPE", index % 2 ? "pubsub" : "normal", "SKIPME", "yes")
              .catch(() => {});}
        }
        await Promise.all([...others, swaps, labs[0].settled(), labs[1].settled()]);
        const final = JSON.parse((await foreign.get(name))!) as Shared;
        for (const follower of followers) await shows(follower, final);
        assertEquals(wrong, []);
        for (const who of [0, 1]) {
          assertEquals(final.log.filter((mark) => mark.startsWith(`${who}:`)), made[who]);
        }
        assertEquals(
          final.log.filter((mark) => mark.startsWith("f:")).length,
          program.filter((what) => what === "foreign SET").length,
        );
        assertEquals(final.n, increments);
        assertEquals(Object.keys(final.by).length, program.filter((what) => what === "set").length);
        for (const stop of stops) stop();
        await Promise.all(followers.map((follower) => follower[Symbol.asyncDispose]()));
      }),
      fuzz(0.15),
    );
    control.disconnect();
    await Promise.all([...labs, writer].map((lab) => lab.close()));
  });

  it("whatever others write and own programs do, in the end both show what the server has", async () => {
    const write = fc.oneof(
      {
        weight: 4,
        arbitrary: json.map((value) => JSON.stringify({ a: value, b: [value] }) as string | null),
      },
      { weight: 2, arbitrary: json.map((value) => JSON.stringify(value) as string | null) },
      { weight: 1, arbitrary: fc.constantFrom<string | null>(null, '{"a":1', "01") },
    );
    const action = fc.record({ who: fc.nat(2), burst: steps, text: write, waits: fc.boolean() });
    const labs = [open<Record<string, Json>>()];
    labs.push(open({ prefix: labs[0].prefix }));
    const name = `${labs[0].prefix}x`;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 10 }), async (program) => {
        await foreign.set(name, '{"a":{},"b":[]}');
        const followers = await Promise.all(labs.map((lab) => lab.at("x").live({ follow: true })));
        const screens = followers.map((follower) => {
          let calls = 0;
          follower.subscribe(() => calls++);
          return () => calls;
        });
        for (const { who, burst, text, waits } of program) {
          if (who === 2) await (text === null ? foreign.del(name) : foreign.set(name, text));
          else {
            try {
              const { document } = followers[who];
              if (document) execute(document as never, burst);
            } catch (error) {
              const isExpected = error instanceof TypeError || error instanceof RangeError ||
                error instanceof StaleError || error instanceof CorruptValueError;
              assert(isExpected, String(error));
            }
          }
          if (waits) await foreign.ping();
        }
        for (const follower of followers) await follower.settled().catch(() => {});
        const content = await contentOf(name).catch(() => "damaged");
        for (const follower of followers) {
          await until("it shows what the server has", () => {
            try {
              return JSON.stringify(follower.snapshot()) === content;
            } catch {
              return content === "damaged";
            }
          });
          // The draft shows the same as the snapshot.
          if (content !== "damaged" && follower.document !== undefined) {
            assertEquals(JSON.stringify(plain(follower.document)), content);
          }
        }
        assert(screens.every((calls) => calls() <= 3 * program.length + 3));
        await Promise.all(followers.map((follower) => follower[Symbol.asyncDispose]()));
      }),
      fuzz(0.5),
    );
    await Promise.all(labs.map((lab) => lab.close().catch(() => {})));
  });
});

/** A plain copy of a draft; a member `toJSON` would confuse `JSON.stringify` otherwise. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, plain);
  const copy = {};
  for (const name of Object.keys(value)) {
    const part = plain((value as Record<string, unknown>)[name]);
    Object.defineProperty(copy, name, { value: part, writable: true, enumerable: true, configurable: true });
  }
  return copy;
}
