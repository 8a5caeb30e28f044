/** What the script does for a user who lacks a right: all of a call or nothing, and it says which. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { APPLY } from "../../src/call/scripts.gen.ts";
import { startRedis } from "../../tools/redis_server.ts";

const RIGHTS = [
  ...["get", "getrange", "strlen", "exists", "type", "time"],
  ...["set", "setrange", "del", "pexpire", "persist", "pttl"],
];
const KEYS = ["a", "b", "c", "d"];
/** What a call does at one key. */
const WORK: Readonly<Record<string, readonly string[]>> = {
  set: ["set", "1", '"x"', "9"],
  delete: ["delete", "0"],
  expire: ["expire", "0", "90000"],
  persist: ["persist", "0"],
};

interface Attempt {
  readonly reply: string;
  readonly changed: number;
}

/** Every order of some of the work, at a key each. */
function* orders(left = Object.keys(WORK)): Generator<string[]> {
  for (const name of left) {
    yield [name];
    for (const more of orders(left.filter((it) => it !== name))) yield [name, ...more];
  }
}

async function withServer(body: (admin: Redis, server: { url: string }) => Promise<void>): Promise<void> {
  await using server = await startRedis();
  const admin = new Redis(server.url);
  try {
    await body(admin, server);
  } finally {
    admin.disconnect();
  }
}

function sayOf(error: unknown): string {
  assert(error instanceof Error);
  return error.message;
}

async function snapshot(admin: Redis): Promise<string[]> {
  return await Promise.all(
    KEYS.map(async (key) => `${await admin.get(key)} ${await admin.pttl(key) > 0 ? "expires" : ""}`),
  );
}

describe("apply for a user who lacks a right", () => {
  for (const recorded of [true, false]) {
    const how = recorded ? "with a record" : "without a record";

    it(`apply ${how} changes all keys or none, or says PARTIAL, and says the same when it comes again`, async () => {
      await withServer(async (admin, { url }) => {
        const mayTell = String(
          await admin.eval("return redis.acl_check_cmd and 'yes' or 'no'", 0),
        ) === "yes";
        let calls = 0;
        let partial = 0;
        let refused = 0;
        for (const missing of RIGHTS) {
          const rights = RIGHTS.filter((right) => right !== missing).map((right) => `+${right}`);
          await admin.call("ACL", "SETUSER", "u", "reset", "on", ">p", "~*", "+eval", ...rights);
          const user = new Redis(url, { username: "u", password: "p", enableReadyCheck: false });
          try {
            for (const order of orders()) {
              await admin.mset("a", '{"x":1}', "b", '{"x":1}', "c", '{"x":1}', "d", '{"x":1}');
              for (const [at, name] of order.entries()) {
                if (name === "persist") await admin.pexpire(KEYS[at], 900_000);
              }
              const before = await snapshot(admin);
              const keys = KEYS.slice(0, order.length);
              const tokens = order.flatMap((
                name,
                at,
              ) => [...(at === 0 ? [] : ["@", `${at + 1}`]), ...WORK[name]]);
              const record = `record${calls++}`;
              const call = async (): Promise<Attempt> => {
                const names = recorded ? [...keys, record] : keys;
                const once = ["once", String(names.length), "80000", String(Date.now() + 40_000)];
                const args = [...(recorded ? once : []), ...tokens];
                const reply = await user.eval(APPLY.text, names.length, ...names, ...args).then(
                  String,
                  sayOf,
                );
                const after = await snapshot(admin);
                return { reply, changed: after.filter((it, at) => it !== before[at]).length };
              };
              const said = `without ${missing}: ${order.join(", ")}`;
              const { reply, changed } = await call();
              if (reply.startsWith("PARTIAL ")) {
                partial++;
                assert(changed > 0 && changed < order.length, `${said}: ${reply}`);
              } else if (/NOPERM|permission|can't run/.test(reply)) {
                refused++;
                assertEquals(changed, 0, `${said}: ${reply}`);
              } else {
                assertEquals(changed, order.length, `${said}: ${reply}`);
              }
              if (!recorded || await admin.exists(record) === 0) continue;
              await admin.call("ACL", "SETUSER", "u", `+${missing}`);
              assertEquals(await call(), { reply, changed }, `${said}, again`);
              await admin.call("ACL", "SETUSER", "u", `-${missing}`);
            }
          } finally {
            user.disconnect();
          }
        }
        assert(refused > 0);
        if (mayTell) assertEquals(partial, 0, "a server that tells of rights is asked before");
      });
    });
  }
});
