/** Where the last change of a long value was, as the next call says it. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { RedisClient } from "../../src/run/client.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
type Lab = Record<string, { first: number; pad: string; middle: number; rest: string; last: number }>;

/** A client that notes the hint of each change, and can lose answers. */
function noting(): {
  hints: (number | undefined)[];
  calls: string[];
  losing: { count: number };
  client: RedisClient;
} {
  const hints: (number | undefined)[] = [];
  const calls: string[] = [];
  const losing = { count: 0 };
  const call = async (name: string, ...args: (string | number)[]): Promise<unknown> => {
    const reply = await client.call(name, ...args);
    if (!/^EVAL/.test(name) || !args.includes("once")) return reply;
    const at = args.indexOf("near");
    hints.push(at < 0 ? undefined : Number(args[at + 1]));
    calls.push(args.join(" "));
    if (losing.count-- > 0) throw new Error("Connection is closed.");
    return reply;
  };
  return { hints, calls, losing, client: { call } };
}

const value = (bytes: number) => ({
  ...{ first: 1, pad: "p".repeat(bytes / 2), middle: 1, rest: "r".repeat(bytes / 2), last: 1 },
});

describe("hints", () => {
  it("a change of a long value says where the last one was, of a short one nothing", async () => {
    const { hints, client: noted } = noting();
    const lab = new RedisJsonDict<Lab>(noted, { prefix: uniquePrefix("hints") });
    await lab.update({ long: value(100_000), short: value(1000) });
    hints.length = 0;
    for (let turn = 0; turn < 3; turn++) {
      assertEquals(await lab.at("long", "middle").increment(), turn + 2);
      assertEquals(await lab.at("short", "middle").increment(), turn + 2);
    }
    const [unknown, none, known] = hints;
    assertEquals([unknown, none], [undefined, undefined]);
    assert(known! > 50_000 && known! < 60_000, String(known));
    assertEquals(hints.slice(2), [known, undefined, known, undefined]);
    // Elsewhere it is wrong, which changes nothing but the next hint.
    hints.length = 0;
    assertEquals(await lab.at("long", "last").increment(), 2);
    assertEquals(await lab.at("long", "first").increment(), 2);
    assertEquals(await lab.at("long", "first").increment(), 3);
    assertEquals(hints[0], known);
    assert(hints[1]! > 100_000 && hints[2]! < 16_384, hints.join());
    // A value that became short, and one that was replaced by another writer.
    await lab.set("long", value(10));
    await lab.at("long", "last").increment();
    await lab.at("long", "last").increment();
    assertEquals(hints.at(-1), undefined);
    assertEquals(await lab.get("long"), { ...value(10), last: 3 });
  });

  it("a change that is sent again says the same again, and none is said where the option is off", async () => {
    const { hints, calls, losing, client: noted } = noting();
    const prefix = uniquePrefix("hints");
    const lab = new RedisJsonDict<Lab>(noted, { prefix });
    await lab.set("long", value(100_000));
    await lab.at("long", "middle").increment();
    calls.length = 0;
    losing.count = 3;
    assertEquals(await lab.at("long", "middle").increment(), 3);
    assertEquals(await lab.at("long", "middle").get(), 3);
    assertEquals(calls.length, 4);
    assert(calls[0].includes(" near "));
    assertEquals(new Set(calls).size, 1);
    const off = new RedisJsonDict<Lab>(noted, { prefix, hints: false });
    hints.length = 0;
    await off.at("long", "middle").increment();
    await off.at("long", "middle").increment();
    assertEquals(hints, [undefined, undefined]);
    assertEquals(await lab.at("long", "middle").get(), 5);
  });
});
