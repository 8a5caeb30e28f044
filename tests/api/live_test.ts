/** Live documents through a real Redis. */
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  AmbiguousResultError,
  KeyNotFoundError,
  type Live,
  RedisJsonDict,
  TypeMismatchError,
} from "../../mod.ts";
import { decode } from "../../src/data/decoder.ts";
import type { Json } from "../../src/data/json.ts";
import { fuzz } from "../support/fuzz.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { collectGarbage, Unhandled } from "../support/garbage.ts";
import { execute, json, steps } from "../support/programs.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";
import { until } from "../support/until.ts";

interface Sample {
  color: string;
  positions: number[];
  tags?: Record<string, Json>;
  runs: { id: number; ok?: boolean }[];
}

const client = testClient();
const rival = testClient();

async function newSample() {
  const prefix = uniquePrefix("live");
  const lab = new RedisJsonDict<{ sample: Sample; other?: number }>(client, { prefix });
  await client.set(
    `${prefix}sample`,
    '{"color": "red", "positions": [1, 2.0], "runs":[{"id":1},{"id":2}]}',
    "PX",
    90_000,
  );
  const text = (): Promise<string | null> => rival.get(`${prefix}sample`);
  return { prefix, lab, sample: await lab.at("sample").live(), text };
}

/** The members with their texts; the value itself may have a member `toJSON`. */
function members(value: unknown): string {
  return JSON.stringify(Object.entries(value as object).map(([name, part]) => [name, JSON.stringify(part)]));
}

async function callsOf(work: () => Promise<unknown>): Promise<number> {
  const read = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await rival.info("commandstats")))?.[1] ?? 0);
  const before = await read();
  await work();
  return await read() - before;
}

describe("Ref.live()", () => {
  it("a live document writes each change, and no other byte", async () => {
    const { lab, sample, text } = await newSample();
    sample.color = "blue";
    sample.positions.push(3, 4);
    sample.runs[1].ok = true;
    sample.tags = { a: { b: [] } };
    (sample.tags.a as { b: number[] }).b.push(1);
    await lab.settled();
    assertStrictEquals(
      await text(),
      '{"color": "blue", "positions": [1, 2.0,3,4], "runs":[{"id":1},{"id":2,"ok":true}],"tags":{"a":{"b":[1]}}}',
    );
    assert((await lab.ttl("sample"))! <= 90_000);
    assertEquals(sample.tags, { a: { b: [1] } });
  });

  it("100 changes without an await are one call", async () => {
    const { lab, sample, text } = await newSample();
    sample.color = "first";
    await lab.settled(); // the server knows the script from here on
    const calls = await callsOf(async () => {
      for (let index = 0; index < 50; index++) {
        sample.positions.push(index);
        sample.runs[0].id = index;
      }
      await lab.settled();
    });
    assertStrictEquals(calls, 1);
    const value = JSON.parse((await text())!);
    assertEquals([value.positions.length, value.runs[0].id], [52, 49]);
  });

  it("a burst of 40,000 pushes is one call with one op", async () => {
    const { lab, sample, text } = await newSample();
    sample.color = "first";
    await lab.settled();
    const calls = await callsOf(async () => {
      for (let index = 0; index < 40_000; index++) sample.positions.push(index);
      await lab.settled();
    });
    assertStrictEquals(calls, 1);
    assertStrictEquals(JSON.parse((await text())!).positions.length, 40_002);
  });

  it("a live document refuses to change a name that stands twice", async () => {
    const { lab, prefix } = await newSample();
    await rival.set(`${prefix}sample`, '{"color":"a","runs":[],"color":"b"}');
    const sample = await lab.at("sample").live();
    assertStrictEquals(sample.color, "b");
    assertThrows(() => void (sample.color = "c"), TypeError, "the name stands twice");
    sample.runs.push({ id: 1 });
    await lab.settled();
    assertStrictEquals(await rival.get(`${prefix}sample`), '{"color":"a","runs":[{"id":1}],"color":"b"}');
  });

  it("changes keep the order of the program, also among other calls of the dictionary", async () => {
    const { lab, sample } = await newSample();
    sample.color = "a";
    const seen = lab.at("sample", "color").get();
    sample.color = "b";
    const set = lab.at("sample", "color").set("c");
    sample.color = "d";
    const last = lab.get("sample");
    assertEquals([await seen, await set, (await last)!.color], ["a", undefined, "d"]);
  });

  it("pushes go behind what others have pushed, and pop takes what is last there", async () => {
    const { lab, prefix, sample, text } = await newSample();
    const other = new RedisJsonDict<{ sample: Sample }>(rival, { prefix });
    await other.at("sample", "positions").push(7);
    sample.positions.push(8);
    sample.runs.pop();
    await lab.settled();
    assertStrictEquals(await text(), '{"color": "red", "positions": [1, 2.0,7,8], "runs":[{"id":1}]}');
  });

  it("what is assigned is copied; what is moved within the document stays itself", async () => {
    const { lab, sample, text } = await newSample();
    const tag = { n: 1 };
    sample.tags = { x: tag, y: tag };
    tag.n = 2;
    (sample.tags.x as { n: number }).n = 3;
    const first = sample.runs[0];
    sample.runs.reverse();
    first.ok = true;
    assertStrictEquals(sample.runs[1], first);
    delete sample.tags.y;
    sample.runs.splice(0, 1);
    first.id = 9;
    sample.runs.unshift({ id: 0 });
    first.id++;
    await lab.settled();
    assertStrictEquals(
      await text(),
      '{"color": "red", "positions": [1, 2.0], "runs":[{"id":0},{"id":10,"ok":true}],"tags":{"x":{"n":3}}}',
    );
  });

  it("a failed write is told by settled(), and the document refuses further changes with the cause", async () => {
    const { lab, prefix, sample } = await newSample();
    await rival.del(`${prefix}sample`);
    sample.positions.push(3);
    const error = await assertRejects(() => lab.settled(), KeyNotFoundError);
    assertEquals([error.operation, error.path], ["push", ["sample", "positions"]]);
    for (
      const change of [
        () => void (sample.color = "x"),
        () => sample.positions.push(1),
        () => delete sample.tags,
      ]
    ) {
      const refused = assertThrows(change, TypeError, 'Cannot change the live document of "sample"');
      assertStrictEquals(refused.cause, error);
    }
    assertStrictEquals(sample.color, "red"); // it can still be read
    await lab.settled(); // told once
    assertStrictEquals(await rival.exists(`${prefix}sample`), 0);
  });

  it("a value that has become another type refuses the whole burst", async () => {
    const { lab, prefix, sample, text } = await newSample();
    await rival.set(`${prefix}sample`, '{"color":"x","positions":{}}');
    sample.color = "lost";
    sample.positions.push(3);
    await assertRejects(() => lab.settled(), TypeMismatchError);
    assertStrictEquals(await text(), '{"color":"x","positions":{}}');
  });

  it("a failure of a document that is dropped, and whom nobody asked, is an unhandled rejection", async () => {
    using unhandled = new Unhandled();
    const fail = async (isKept: boolean): Promise<unknown> => {
      const { prefix, sample } = await newSample();
      await rival.del(`${prefix}sample`);
      sample.color = "x";
      return isKept ? sample : undefined;
    };
    const kept = await fail(true);
    await fail(false); // its dictionary is dropped, too
    await until("the failure surfaces", async () => {
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 0));
      return unhandled.reasons.length > 0;
    });
    assertEquals(unhandled.reasons.map((reason) => (reason as Error).name), ["KeyNotFoundError"]);
    assertThrows(() => (kept as Sample).color = "y", TypeError, "a write has failed");
  });

  it("a failure waits for who asks: a change, settled(), dispose, or close()", async () => {
    using unhandled = new Unhandled();
    const asks: ((lab: RedisJsonDict<{ sample: Sample }>, sample: Live<Sample>) => Promise<unknown>)[] = [
      async (_, sample) => {
        await Promise.resolve();
        sample.color = "y";
      },
      (lab) => lab.settled(),
      async (_, sample) => await sample[Symbol.asyncDispose](),
      (lab) => lab.close(),
      async (lab) => {
        await using closing = lab;
        assertStrictEquals(closing, lab);
      },
      async (_, sample) => {
        await using disposing = sample;
        assertStrictEquals(disposing, sample);
        await rival.ping();
      },
    ];
    for (const ask of asks) {
      const { prefix, lab, sample } = await newSample();
      await rival.del(`${prefix}sample`);
      sample.color = "x";
      await lab.has("other"); // a round trip
      await lab.has("sample"); // behind the burst
      await new Promise((resolve) => setTimeout(resolve, 0)); // by now a rejection would be unhandled
      const error = await assertRejects(() => ask(lab, sample), Error) as Error;
      const reason = error instanceof TypeError ? error.cause : error;
      assert(reason instanceof KeyNotFoundError, String(error));
      await lab.settled(); // told once
      await lab.close();
    }
    assertEquals(unhandled.reasons, []);
  });

  it("failures of several documents are told together", async () => {
    const { prefix } = await newSample();
    const lab = new RedisJsonDict<{ sample: Sample; other: { n: number } }>(client, { prefix });
    await lab.set("other", { n: 1 });
    const [sample, other] = [await lab.at("sample").live(), await lab.at("other").live()];
    await rival.del(`${prefix}sample`, `${prefix}other`);
    sample.color = "x";
    other.n = 2;
    const error = await assertRejects(() => lab.close(), AggregateError);
    assertEquals(error.errors.map((each) => each.key).sort(), ["other", "sample"]);
  });

  it("a burst behind a failed one is not applied: in the same call, queued, or behind an edit", async () => {
    const between: ((lab: RedisJsonDict<{ sample: Sample; other?: number }>) => Promise<unknown>)[] = [
      (lab) => lab.set("other", 1), // the bursts leave together
      (lab) => lab.get("sample"), // the second waits for the answer of the first
      (lab) => lab.edit((draft) => void draft.sample.runs.push({ id: 9 })),
      (lab) => lab.at("sample", "runs").edit((runs) => void runs.push({ id: 9 })),
    ];
    for (const call of between) {
      const { lab, sample, text } = await newSample();
      await rival.set(`${lab.prefix}sample`, '{"color":"x","positions":{},"runs":[]}');
      sample.positions.push(3); // fails
      const first = call(lab);
      sample.color = "lost";
      const second = call(lab);
      sample.tags = {};
      await Promise.all([first, second]);
      await assertRejects(() => lab.settled(), TypeMismatchError);
      const { color, tags } = JSON.parse((await text())!);
      assertEquals([color, tags], ["x", undefined]);
    }
  });

  it("a burst behind one whose answer was lost is not sent", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const prefix = uniquePrefix("live");
    const lab = RedisJsonDict.connect<{ x: { n: number } }>(proxy.url, { prefix, timeout: 1_000 });
    await lab.set("x", { n: 0 });
    const document = await lab.at("x").live();
    proxy.fault = "no answers";
    document.n = 1;
    await new Promise((resolve) => setTimeout(resolve, 0));
    document.n = 2;
    await assertRejects(() => lab.settled(), AmbiguousResultError);
    assertStrictEquals(await rival.get(`${prefix}x`), '{"n":1}');
    proxy.fault = "none";
    await lab.close();
    assertStrictEquals(await rival.get(`${prefix}x`), '{"n":1}');
  });

  it("random bursts among other calls: applied is what stands before the first that fails, and that is told once", async () => {
    using unhandled = new Unhandled();
    const step = fc.oneof(
      fc.constant("push to b"),
      fc.constant("push to both"),
      fc.constant("break a"),
      fc.constant("mend a"),
      fc.constant("call"),
      fc.constant("read"),
      fc.constant("edit"),
      fc.constant("turn"),
      fc.constant("ask"),
    );
    let failures = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (program) => {
        const prefix = uniquePrefix("live");
        const lab = new RedisJsonDict<{ x: { a: number[]; b: number[]; c: number }; y: number }>(client, {
          prefix,
        });
        await lab.set("x", { a: [], b: [], c: 0 });
        const document = await lab.at("x").live();
        const others: Promise<unknown>[] = [];
        const issued: number[] = [];
        let told = 0;
        for (const [index, what] of program.entries()) {
          if (what === "push to b" || what === "push to both") {
            try {
              document.b.push(index);
              issued.push(index);
              if (what === "push to both") document.a.push(index);
            } catch (error) {
              // The document refuses changes from now on; the first time, that is how it is told.
              assert(error instanceof TypeError && error.cause instanceof TypeMismatchError, String(error));
              told = 1;
            }
          } else if (what === "break a") others.push(lab.at("x", "a").set({} as never));
          else if (what === "mend a") others.push(lab.at("x", "a").set([]));
          else if (what === "call") others.push(lab.set("y", index));
          else if (what === "read") others.push(lab.get("x"));
          else if (what === "edit") others.push(lab.edit((draft) => void draft.x.c++));
          else if (what === "turn") await rival.ping();
          else {
            try {
              await lab.settled();
            } catch (error) {
              assert(error instanceof TypeMismatchError && told === 0, String(error));
              told = 1;
            }
          }
        }
        await Promise.all(others);
        const last = await lab.close().then(() => undefined, (error) => error);
        if (last !== undefined) {
          assert(last instanceof TypeMismatchError && told === 0, String(last));
          told = 1;
        }
        const { b, c } = JSON.parse((await client.get(`${prefix}x`))!);
        assertEquals(b, issued.slice(0, b.length));
        assertStrictEquals(told === 1, b.length < issued.length);
        assertStrictEquals(c, program.filter((what) => what === "edit").length);
        failures += told;
      }),
      { ...fuzz(2), examples: [[["break a", "push to both", "call", "push to b", "edit", "push to b"]]] },
    );
    assert(failures > 0);
    assertEquals(unhandled.reasons, []);
  });

  it("the stack of a failure leads to where its burst began", async () => {
    const { prefix, lab, sample } = await newSample();
    await rival.del(`${prefix}sample`);
    const here = /live_test\.ts:(\d+)/.exec(new Error().stack!)![1];
    assertThrows(() => void (sample.positions[7] = 1), RangeError); // no change
    sample.positions.push(3);
    sample.color = "x";
    const { stack } = await assertRejects(() => lab.settled(), KeyNotFoundError);
    assert(stack!.startsWith("KeyNotFoundError: Cannot push"), stack);
    assertStrictEquals(/live_test\.ts:(\d+)/.exec(stack!)?.[1], String(Number(here) + 2), stack);
  });

  it("await using waits for the writes, and ends the document", async () => {
    const { lab, text } = await newSample();
    let kept: { color: string };
    {
      await using sample = await lab.at("sample").live();
      kept = sample;
      sample.color = "green";
    }
    assert((await text())!.includes('"color": "green"'));
    assertThrows(() => kept.color, TypeError, "it is over");
    const failing = async (): Promise<void> => {
      await using sample = await lab.at("sample").live();
      await rival.set(`${lab.prefix}sample`, "5");
      sample.color = "x";
    };
    await assertRejects(failing, TypeMismatchError);
  });

  it("close() of the dictionary waits for live documents and tells what failed", async () => {
    const { lab, sample, text } = await newSample();
    sample.color = "last";
    await lab.close();
    assert((await text())!.includes('"color": "last"'));
    assertThrows(
      () => {
        sample.color = "too late";
        throw new Error("no error yet");
      },
      Error,
      "no error yet",
    );
    await assertRejects(() => lab.settled(), TypeError, "it is closed");
  });

  it("a live document refuses what JSON cannot hold, at once", async () => {
    const { lab, sample, text } = await newSample();
    const before = await text();
    assertThrows(
      () => void (sample.positions[0] = NaN),
      TypeError,
      'Cannot write ["positions"][0] of "sample"',
    );
    assertThrows(
      () => sample.positions.push(1, Infinity),
      TypeError,
      'Cannot write ["positions"][3] of "sample"',
    );
    assertThrows(() => sample.positions.fill(NaN), TypeError, "NaN is not JSON");
    assertThrows(
      () => void (sample.tags = { a: undefined as unknown as Json, b: new Map() as unknown as Json }),
      TypeError,
    );
    assertThrows(
      () => void ((sample as unknown as { self: unknown }).self = undefined),
      TypeError,
      "undefined",
    );
    await lab.settled();
    assertEquals([await text(), sample.positions], [before, [1, 2]]);
  });

  it("a live document shows its value on the console", async () => {
    const { sample } = await newSample();
    sample.color = "seen";
    assert(Deno.inspect(sample).includes('color: "seen"'), Deno.inspect(sample));
    assertEquals(JSON.parse(JSON.stringify(sample)), {
      color: "seen",
      positions: [1, 2],
      runs: [{ id: 1 }, { id: 2 }],
    });
  });

  it("random bursts over a live document do to Redis what they do to it", async () => {
    const prefix = uniquePrefix("live");
    const dict = new RedisJsonDict<Record<string, Json>>(client, { prefix });
    await fc.assert(
      fc.asyncProperty(
        fc.array(json, { maxLength: 3 }),
        json,
        fc.array(steps, { maxLength: 3 }),
        async (a, b, bursts) => {
          await client.set(`${prefix}key`, JSON.stringify({ a, b }));
          const document = await dict.at("key").live();
          for (const burst of bursts) {
            execute(document, burst);
            await dict.settled();
          }
          const text = await client.get(`${prefix}key`);
          assertStrictEquals(members(document), members(decode(text!)));
        },
      ),
      fuzz(),
    );
  });
});
