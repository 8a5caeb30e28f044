/** What every option `ttl` leaves in Redis: the text, and the milliseconds. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { CorruptValueError, KeyNotFoundError, WrongTypeError } from "../../src/errors/value.ts";
import { AmbiguousResultError } from "../../src/errors/delivery.ts";
import { removeKeys, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
type Values = Record<string, { n: number; list?: number[] } | number>;
const lab = new RedisJsonDict<Values>(client, { prefix: uniquePrefix("expiry") });
/** Long enough that nothing expires here. */
const LONG = 500_000;
const LONGER = 900_000;

/** What is there, with its expiry to the half of what was said. */
async function state(key: string): Promise<[text: string | null, expiry: string]> {
  const [text, left] = await Promise.all([client.get(lab.prefix + key), client.pttl(lab.prefix + key)]);
  return [text, left < 0 ? "none" : left > LONG && left <= LONGER ? "longer" : left <= LONG ? "long" : "?"];
}

describe("The option ttl", () => {
  it("RedisJsonDict.getOrInsert() lets only what it writes expire", async () => {
    assertEquals(await lab.getOrInsert("new", 1, { ttl: LONG }), 1);
    assertEquals(await state("new"), ["1", "long"]);
    assertEquals(await lab.getOrInsert("new", 2, { ttl: LONGER }), 1);
    assertEquals(await state("new"), ["1", "long"]);
    await lab.set("old", 3);
    assertEquals(await lab.getOrInsert("old", 4, { ttl: LONG }), 3);
    assertEquals(await state("old"), ["3", "none"]);
    await lab.getOrInsert("stays", 1);
    assertEquals(await state("stays"), ["1", "none"]);
  });

  it("RedisJsonDict.update() lets all values expire, or none", async () => {
    await lab.update({ a: 1, b: { n: 2 } }, { ttl: LONG });
    assertEquals([await state("a"), await state("b")], [["1", "long"], ['{"n":2}', "long"]]);
    await lab.update(new Map([["a", 5]]), { ttl: LONGER });
    await lab.update([["b", 6]]);
    assertEquals([await state("a"), await state("b")], [["5", "longer"], ["6", "none"]]);
  });

  it("RedisJsonDict.edit() lets the keys expire that it creates, and no others", async () => {
    await removeKeys(client, lab.prefix);
    await lab.set("old", { n: 1 }, { ttl: LONG });
    await lab.set("forever", { n: 1 });
    const recipe = (draft: { [key: string]: unknown }) => {
      draft.blind = { n: 0 };
      (draft.old as { n: number }).n++;
      draft.forever = { n: 2 };
      if (!("seen" in draft)) draft.seen = 7;
    };
    const explained = await lab.explain(recipe as never, { ttl: LONGER });
    await lab.edit(recipe as never, { ttl: LONGER });
    assertEquals(await state("blind"), ['{"n":0}', "longer"]);
    assertEquals(await state("old"), ['{"n":2}', "long"]);
    assertEquals(await state("forever"), ['{"n":2}', "none"]);
    assertEquals(await state("seen"), ["7", "longer"]);
    assertEquals(
      explained.filter((op) => op.kind === "set" && op.ttl === LONGER).map(({ path }) => path[0]),
      [
        "blind",
        "forever",
        "seen",
      ],
    );
    // Removed and made again in one edit: the expiry went with the old value.
    await lab.edit((draft) => {
      delete draft.old;
      draft.old = { n: 9 };
    }, { ttl: LONGER });
    assertEquals((await state("old"))[0], '{"n":9}');
    await lab.edit((draft) => void (draft.blind = 1));
    assertEquals(await state("blind"), ["1", "longer"]);
  });

  it("Ref.compareAndSet() of a whole value lets it expire if it was written", async () => {
    await removeKeys(client, lab.prefix);
    assertEquals(await lab.at("x").compareAndSet(undefined, 1, { ttl: LONG }), true);
    assertEquals(await state("x"), ["1", "long"]);
    assertEquals(await lab.at("x").compareAndSet(2, 3, { ttl: LONGER }), false);
    assertEquals(await state("x"), ["1", "long"]);
    assertEquals(await lab.at("x").compareAndSet(1, 2), true);
    assertEquals(await state("x"), ["2", "long"]);
    assertEquals(await lab.at("x").compareAndSet(2, { n: 1 }, { ttl: LONGER }), true);
    assertEquals(await state("x"), ['{"n":1}', "longer"]);
    const inside = lab.at("x", "n" as never) as unknown as {
      compareAndSet(...args: unknown[]): Promise<boolean>;
    };
    await assertRejects(
      () => inside.compareAndSet(1, 2, { ttl: LONG }),
      TypeError,
      "only whole values expire",
    );
    assertEquals(await state("x"), ['{"n":1}', "longer"]);
  });

  it("RedisJsonDict.get() moves the expiry, and leaves the text", async () => {
    const text = '{ "n": 1.0, "list": [1,\n2] }';
    await client.set(`${lab.prefix}x`, text);
    assertEquals(await lab.get("x", { ttl: LONG }), { n: 1, list: [1, 2] });
    assertEquals(await state("x"), [text, "long"]);
    assertEquals(await lab.getOrThrow("x", { ttl: LONGER }), { n: 1, list: [1, 2] });
    assertEquals(await state("x"), [text, "longer"]);
    assertEquals(await lab.get("x"), { n: 1, list: [1, 2] });
    assertEquals(await state("x"), [text, "longer"]);
    for (const value of ["null", '""', "0", "false"]) {
      await client.set(`${lab.prefix}x`, value);
      assertEquals(await lab.get("x", { ttl: LONG }), JSON.parse(value));
      assertEquals(await state("x"), [value, "long"]);
    }
    assertEquals([await lab.get("none", { ttl: LONG }), await client.exists(`${lab.prefix}none`)], [
      undefined,
      0,
    ]);
    await assertRejects(() => lab.getOrThrow("none", { ttl: LONG }), KeyNotFoundError);
  });

  it("RedisJsonDict.get() with a ttl has its place between the changes of the key", async () => {
    const [, before, , after] = await Promise.all([
      lab.set("x", 1),
      lab.get("x", { ttl: LONG }),
      lab.set("x", 2, { keepTtl: true }),
      lab.get("x"),
    ]);
    assertEquals([before, after, await state("x")], [1, 2, ["2", "long"]]);
    await Promise.all([lab.get("x", { ttl: LONGER }), lab.persist("x")]);
    assertEquals(await state("x"), ["2", "none"]);
  });

  it("RedisJsonDict.get() with a ttl refuses what is no JSON, or no string, and leaves it", async () => {
    await client.set(`${lab.prefix}x`, '{"n":');
    await assertRejects(() => lab.get("x", { ttl: LONG }), CorruptValueError);
    assertEquals(await state("x"), ['{"n":', "none"]);
    await client.del(`${lab.prefix}x`);
    await client.rpush(`${lab.prefix}x`, "1");
    const error = await assertRejects(() => lab.get("x", { ttl: LONG }), WrongTypeError);
    assertEquals([error.operation, error.found, await client.pttl(`${lab.prefix}x`)], ["get", "list", -1]);
    await client.del(`${lab.prefix}x`);
  });

  it("RedisJsonDict.get() with a ttl whose answer was lost moves no expiry later", async () => {
    // GETEX, held up on its way, would let a value expire that was made to stay.
    const held: (() => Promise<unknown>)[] = [];
    let isHolding = false;
    const slow = {
      call(command: string, ...args: (string | number)[]): Promise<unknown> {
        if (!isHolding || !/^(?:EVAL|EVALSHA|GETEX)$/.test(command)) return client.call(command, ...args);
        held.push(() => client.call(command, ...args));
        return new Promise(() => {});
      },
    };
    const late = new RedisJsonDict<Values>(slow, { prefix: lab.prefix, timeout: 1_500 });
    await late.set("x", 1);
    isHolding = true;
    const error = await assertRejects(() => late.get("x", { ttl: LONG }), AmbiguousResultError);
    isHolding = false;
    assertEquals([error.operation, await error.resolve()], ["get", "not-applied"]);
    assert(held.length > 0);
    for (const send of held) await send().catch(() => {});
    assertEquals(await state("x"), ["1", "none"]);
  });

  it("RangeError: ttl is a positive number of milliseconds everywhere, before any I/O", async () => {
    const refuse = async (options: { ttl: number }) => {
      const calls: (() => Promise<unknown>)[] = [
        () => lab.get("x", options),
        () => lab.getOrThrow("x", options),
        () => lab.set("x", 1, options),
        () => lab.getOrInsert("x", 1, options),
        () => lab.update({ x: 1 }, options),
        () => lab.edit(() => 1, options),
        () => lab.at("x").compareAndSet(1, 2, options),
      ];
      for (const call of calls) await assertRejects(call, RangeError, "positive integer of milliseconds");
    };
    for (const ttl of [0, -1, 1.5, NaN, Infinity, "5" as never, null as never]) await refuse({ ttl });
  });
});
