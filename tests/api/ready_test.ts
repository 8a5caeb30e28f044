/** What ready() finds out, each by its own error. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import { isRecord } from "../../src/run/record.ts";
import { startRedis } from "../../tools/redis_server.ts";

const PREFIX = "ready:";
const LONG = 60_000;

/** What ready() says of an address. */
async function says(url: string, prefix = PREFIX): Promise<UnavailableError> {
  await using dict = RedisJsonDict.connect(url, { prefix, timeout: LONG });
  return await assertRejects(() => dict.ready(), UnavailableError);
}

describe("RedisJsonDict.ready()", () => {
  it("RedisJsonDict.ready() resolves where calls work, and leaves no key but a record", async () => {
    await using server = await startRedis();
    const admin = new Redis(server.url, { disconnectTimeout: 20 });
    await using dict = RedisJsonDict.connect(server.url, { prefix: "" });
    await dict.ready();
    await dict.ready({ timeout: LONG });
    assertEquals((await admin.keys("*")).filter((name) => !isRecord(name)), []);
    await admin.set("ready", "text of others");
    await dict.ready();
    assertEquals(await admin.get("ready"), "text of others");
    await admin.quit();
  });

  it("UnavailableError: a password, a database, TLS, and rights", async () => {
    await using server = await startRedis({ args: ["--requirepass", "secret"] });
    const { port } = new URL(server.url);
    const password = await says(`redis://:wrong@127.0.0.1:${port}`);
    assertEquals([password.reason, password.operation, password.path], ["WRONGPASS", "ready", []]);
    assert(
      password.message.includes("the user name or the password in the address is wrong"),
      password.message,
    );
    assertEquals((await says(`redis://127.0.0.1:${port}`)).reason, "NOAUTH");
    const database = await says(`redis://:secret@127.0.0.1:${port}/99`);
    assert(database.message.includes("choose another number in the address"), database.message);
    const tls = await says(`rediss://:secret@127.0.0.1:${port}`);
    assertEquals(tls.reason, "TLS");
    const admin = new Redis(server.url, { password: "secret", disconnectTimeout: 20 });
    const rules = {
      "~* +@all -setrange -mget": "the user has not the right to MGET of keys, SETRANGE of keys",
      [`~${PREFIX}* +@all`]:
        "the user has not the right to GET of records, SET of records, PEXPIRE of records",
      "~json-dict:op:* +@all": "the user has not the right to GET of keys,",
      "~* +@all -scan": "the user has not the right to SCAN",
      "~* +@all -eval": "'eval'",
    };
    for (const [rule, message] of Object.entries(rules)) {
      await admin.call("ACL", "SETUSER", "few", "reset", "on", ">pw", ...rule.split(" "));
      const error = await says(`redis://few:pw@127.0.0.1:${port}`);
      if (rule.startsWith("~* ") || error.message.includes("the user has")) {
        assert(error.message.includes(message), `${rule}: ${error.message}`);
      }
      assertEquals(error.reason, "NOPERM", rule);
      assert(error.message.includes("docs/guarantees.md"), error.message);
    }
    await admin.call(
      "ACL",
      "SETUSER",
      "few",
      "reset",
      "on",
      ">pw",
      `~${PREFIX}*`,
      "~json-dict:op:*",
      "+@all",
    );
    await using enough = RedisJsonDict.connect(`redis://few:pw@127.0.0.1:${port}`, { prefix: PREFIX });
    await enough.ready();
    await admin.quit();
  });

  it("UnavailableError: a server that is too old; one that does not tell its version is not", async () => {
    const versions = {
      "5.0.7": true,
      "6.0.16": true,
      "6.2.6": true,
      "6.2.7": false,
      "7.0.0": false,
      "10.0": false,
      "": false,
    };
    for (const [version, isOld] of Object.entries(versions)) {
      const call = (command: string, ...args: (string | number)[]): Promise<unknown> => {
        if (command === "EVALSHA") {
          const error = new Error("NOSCRIPT No matching script");
          error.name = "ReplyError";
          return args[0] === "0".repeat(40) ? Promise.reject(error) : Promise.resolve([""]);
        }
        return Promise.resolve(String(args[0]).startsWith("return") ? ["a"] : [version]);
      };
      const dict = new RedisJsonDict({ call }, { prefix: PREFIX });
      if (!isOld) {
        await dict.ready();
        continue;
      }
      const error = await assertRejects(
        () => dict.ready(),
        UnavailableError,
        `the server is Redis ${version}`,
      );
      assertEquals(error.reason, "VERSION");
      assert(error.message.includes("use Redis 6.2.7 or later"), error.message);
    }
  });

  it("TimeoutError: nobody is at the address; a replica takes no changes", async () => {
    {
      await using nobody = RedisJsonDict.connect("redis://127.0.0.1:1", { prefix: PREFIX, timeout: LONG });
      const error = await assertRejects(
        () => nobody.ready({ timeout: 1_000 }),
        TimeoutError,
        "ECONNREFUSED 127.0.0.1:1",
      );
      assertEquals([error.timeout, error.operation], [1_000, "ready"]);
    }
    await using server = await startRedis();
    const admin = new Redis(server.url, { disconnectTimeout: 20 });
    await admin.replicaof("127.0.0.1", 1);
    await using dict = RedisJsonDict.connect(server.url, { prefix: PREFIX });
    const refused = await assertRejects(() => dict.ready({ timeout: 3_000 }), UnavailableError);
    assert(["READONLY", "MASTERDOWN"].includes(refused.reason), refused.message);
    await admin.quit();
  });
});
