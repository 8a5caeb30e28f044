/** How the script writes a value: which commands it uses, and that each way leaves the same. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import fc from "fast-check";
import { APPLY } from "../../src/call/scripts.gen.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { fuzz } from "../support/fuzz.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
const [key, record] = ["k", "r"].map((name) => uniquePrefix("write") + name);
/** A server that tells of rights, from 7.0 on, may be asked to change a long value in place. */
const IN_PLACE = await client.eval("return redis.acl_check_cmd and 1 or 0", 0) === 1;

/** The script that writes every value as a whole. */
const WHOLE = APPLY.text.replace(
  "if from and edits == 1 and not ttl and (partial or #text > 128) then",
  "if false then",
);
assertNotEquals(WHOLE, APPLY.text);
const SCRIPTS = [APPLY.text, WHOLE];

/** A value of so many bytes that has a list and a text at its begin, in its middle and at its end. */
function longText(bytes: number): string {
  const part = (name: string) => `"${name}":{"list":[1],"text":"x"}`;
  const pad = "é{]\\\\".repeat(Math.ceil(bytes / 12));
  return `{${part("first")},"a":"${pad}",${part("middle")},"b":"${pad}",${part("last")}}`;
}

type Change = (place: string) => string[];
const CHANGES: Readonly<Record<string, Change>> = {
  "push": (place) => ["push", "2", `"${place}"`, '"list"', "22,333", "2"],
  "longer": (place) => ["set", "2", `"${place}"`, '"text"', '"longer than it was"'],
  "shorter": (place) => ["set", "2", `"${place}"`, '"text"', '""'],
  "same length": (place) => ["set", "2", `"${place}"`, '"text"', '"y"'],
  "delete": (place) => ["delete", "2", `"${place}"`, '"list"'],
  "large": (place) => ["set", "2", `"${place}"`, '"text"', `"${"z".repeat(9000)}"`],
  "two changes": (place) => [
    ...["push", "2", `"${place}"`, '"list"', "4", "1"],
    ...["push", "2", '"middle"', '"list"', "5", "1"],
  ],
  "changes near each other": (place) => [
    ...["push", "2", `"${place}"`, '"list"', "4", "1", ";"],
    ...["set", "2", `"${place}"`, '"text"', '"longer than it was"', ";"],
    ...["push", "2", `"${place}"`, '"list"', "[5]", "1"],
  ],
};

describe("how apply writes", () => {
  it("apply leaves the same text, replies, record, expiry, encoding and memory as by a SET of the whole", async () => {
    const oneCase = fc.record({
      bytes: fc.constantFrom(300, 3900, 4200, 9000, 40_000, 300_000),
      place: fc.constantFrom("first", "middle", "last", "last"),
      changes: fc.array(fc.constantFrom(...Object.keys(CHANGES)), { minLength: 1, maxLength: 4 }),
      expires: fc.boolean(),
      isRecorded: fc.boolean(),
    });
    const at = Date.now() + 1_000_000_000;
    await fc.assert(
      fc.asyncProperty(oneCase, async ({ bytes, place, changes, expires, isRecorded }) => {
        const [ours, plain] = await Promise.all(SCRIPTS.map(async (script) => {
          const own = `${key}${SCRIPTS.indexOf(script)}`;
          const ownRecord = `${record}${SCRIPTS.indexOf(script)}`;
          await client.set(own, longText(bytes));
          if (expires) await client.pexpireat(own, at);
          const seen: unknown[] = [];
          for (const name of changes) {
            await client.del(ownRecord);
            const once = isRecorded ? ["once", "2", "80000000", String(Date.now() + 40_000_000)] : [];
            const keys = isRecorded ? [own, ownRecord] : [own];
            seen.push(await client.eval(script, keys.length, ...keys, ...once, ...CHANGES[name](place)));
            seen.push(await client.get(own), await client.get(ownRecord));
            seen.push(await client.call("MEMORY", "USAGE", own), await client.object("ENCODING", own));
            // To the millisecond, where the server can tell.
            seen.push(IN_PLACE ? await client.call("PEXPIRETIME", own) : await client.pttl(own) > 0);
          }
          return seen;
        }));
        assertEquals(ours, plain, JSON.stringify({ bytes, place, changes, expires, isRecorded }));
      }),
      fuzz(0.3),
    );
  });

  it("apply never removes a value to write it again, and writes it by SET where that says more", async () => {
    await using server = await startRedis();
    const own = new Redis(server.url);
    // ioredis takes what it sees of others for answers until it knows that it watches.
    await own.ping();
    const monitor = await own.monitor();
    const lines: string[] = [];
    let end: ((value: unknown) => void) | undefined;
    monitor.on("monitor", (_time: string, args: string[], source: string) => {
      if (args[1] === "end") end?.(undefined);
      if (source !== "lua") return;
      if (!/^(get|getrange|strlen|pttl|pexpiretime)$/i.test(args[0])) lines.push(args[0]);
    });
    const written = async (text: string, tokens: string[], expiry?: number): Promise<string> => {
      await own.set("k", text);
      if (expiry) await own.pexpire("k", expiry);
      lines.length = 0;
      await own.eval(APPLY.text, 1, "k", ...tokens);
      const ended = new Promise((resolve) => end = resolve);
      await own.ping("end");
      await ended;
      return lines.join(" ");
    };
    try {
      const long = longText(9000);
      const grown = IN_PLACE ? "SETRANGE BITOP" : "SET";
      for (const place of ["first", "middle", "last"]) {
        // What stands behind the change is written alone where it is long.
        const tail = IN_PLACE && place !== "last" ? "SETRANGE " : "";
        assertEquals(await written(long, CHANGES.push(place)), tail + grown, place);
        const shrunk = IN_PLACE ? `SET ${tail}${grown}` : "SET";
        assertEquals(await written(long, CHANGES.shorter(place)), shrunk, place);
      }
      assertEquals(await written(long, CHANGES["two changes"]("last")), "SET");
      assertEquals(await written(long, CHANGES["same length"]("last")), "SETRANGE");
      const expiring = IN_PLACE ? `${grown} PEXPIREAT` : "SET";
      assertEquals(await written(long, CHANGES.push("last"), 900_000), expiring);
      const longer = longText(90_000);
      assertEquals(await written(longer, CHANGES["changes near each other"]("last")), grown);
      assertEquals(await written(longer, CHANGES["two changes"]("last")), "SET");
      assertEquals(await written(longText(300), CHANGES.push("last")), "SET");
      // A value that is longer than the server takes in one piece.
      await own.config("SET", "proto-max-bulk-len", String(2 ** 20));
      const halves =
        `'{"b":"' .. string.rep('x', 700000) .. string.rep('y', 700000) .. '","last":{"list":[1]}}'`;
      const wide = await own.eval(`return redis.call('SET', KEYS[1], ${halves})`, 1, "w");
      assertEquals(wide, "OK");
      assertEquals(await own.eval(APPLY.text, 1, "w", ...CHANGES.push("last")), ["3", "1575032"]);
      assertEquals(await own.getrange("w", -27, -1), '"last":{"list":[1,22,333]}}');
      assertEquals(
        (await own.eval(APPLY.text, 1, "w", "take", "2", '"last"', '"list"') as string[])[0],
        "[1,22,333]",
      );
      assertEquals(await own.strlen("w"), 1_400_018);
      assertEquals(await own.getrange("w", -13, -1), 'y","last":{}}');
    } finally {
      monitor.disconnect();
      own.disconnect();
    }
  });

  it("apply writes for a user who lacks a right, reports nothing to the log of rights, and keeps how hot a key is", async () => {
    await using server = await startRedis({ args: ["--maxmemory-policy", "allkeys-lfu"] });
    const own = new Redis(server.url);
    try {
      const push = CHANGES.push("last");
      const pushed = longText(9000).replace(/1(?=\],"text":"x"}}$)/, "1,22,333");
      const shortened = longText(9000).replace(/x(?="},"b")/, "");
      const rights = ["bitop", "setrange", "pttl", "pexpireat", ...(IN_PLACE ? ["pexpiretime"] : [])];
      for (const missing of rights) {
        await own.call("ACL", "SETUSER", "few", "reset", "on", ">pw", "~*", "+@all", `-${missing}`);
        await own.call("ACL", "LOG", "RESET");
        const few = new Redis(server.url, { username: "few", password: "pw" });
        for (const expiry of [0, 900_000]) {
          for (
            const [change, expected] of [[push, pushed], [CHANGES.shorter("middle"), shortened]] as const
          ) {
            await own.set("k", longText(9000));
            if (expiry) await own.pexpire("k", expiry);
            await few.eval(APPLY.text, 1, "k", ...change);
            assertEquals([await own.get("k"), await own.ttl("k") > 0], [expected, expiry > 0], missing);
          }
        }
        few.disconnect();
        // What may be missing for good is asked before.
        if (/^bitop|^pexpire/.test(missing)) assertEquals(await own.call("ACL", "LOG"), [], missing);
      }
      await own.set("k", longText(9000));
      for (let turn = 0; turn < 2000; turn++) own.getrange("k", 0, 0);
      const before = Number(await own.object("FREQ", "k"));
      assert(before > 10);
      await own.eval(APPLY.text, 1, "k", ...push);
      assert(Number(await own.object("FREQ", "k")) >= before);
    } finally {
      own.disconnect();
    }
  });

  it("apply keeps an expiry that no number of Lua tells, and does without a command that the server hides", async () => {
    for (const hidden of ["none", "pexpireat", "pexpiretime", "bitop"]) {
      const args = hidden === "none" ? [] : ["--rename-command", hidden, "renamed"];
      await using server = await startRedis({ args: IN_PLACE || hidden !== "pexpiretime" ? args : [] });
      const own = new Redis(server.url);
      try {
        for (const change of [CHANGES.push("last"), CHANGES.shorter("middle")]) {
          await own.set("k", longText(9000));
          // Some 285 million years; 300,000 is the most that such a number tells.
          await own.call("PEXPIRE", "k", hidden === "none" ? "9000000000000000000" : "900000");
          const before = await own.strlen("k");
          const once = ["once", "2", "80000000", String(Date.now() + 40_000_000)];
          await own.del("r");
          await own.eval(APPLY.text, 2, "k", "r", ...once, ...change);
          assertNotEquals(await own.strlen("k"), before, hidden);
          assert(await own.pttl("k") > 0, hidden);
        }
      } finally {
        own.disconnect();
      }
    }
  });

  it("apply refuses to let a long value grow where memory is short, and leaves it", async () => {
    await using server = await startRedis({ args: ["--maxmemory-policy", "noeviction"] });
    const own = new Redis(server.url);
    try {
      await own.set("k", longText(9000));
      await own.config("SET", "maxmemory", "1");
      await assertRejects(() => own.eval(APPLY.text, 1, "k", ...CHANGES.push("last")), Error, "OOM");
      assertEquals(await own.get("k"), longText(9000));
    } finally {
      own.disconnect();
    }
  });
});
