/** Which command a user may lack: what each method does without it. The table in docs/guarantees.md is made from this. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { UnavailableError } from "../../src/errors/delivery.ts";
import { startRedis } from "../../tools/redis_server.ts";

type Lab = Record<string, unknown>;

/** Each way in which a method uses the server. */
const CALLS: Readonly<Record<string, (lab: RedisJsonDict<Lab>) => Promise<unknown>>> = {
  "get": (lab) => lab.get("object"),
  "getMany": (lab) => lab.getMany(["object", "none"]),
  "has": (lab) => lab.has("object"),
  "size": (lab) => lab.size(),
  "ttl": (lab) => lab.ttl("object"),
  "set": (lab) => lab.set("new", 1),
  "delete": (lab) => lab.delete("object"),
  "pop": (lab) => lab.pop("object"),
  "popItem": (lab) => lab.popItem(),
  "clear": (lab) => lab.clear(),
  "expire": (lab) => lab.expire("object", 90_000),
  "persist": (lab) => lab.persist("kept"),
  "at.get": (lab) => lab.at("object", "n").get(),
  "at.set": (lab) => lab.at("object", "n").set(2),
  "lease": (lab) => lab.lease("flag", 1, { ttl: 900_000 }), // given back by closing
  "edit": (lab) => lab.edit((draft) => void ((draft.object as { n: number }).n = 2)),
};

const COMMANDS =
  "eval evalsha script|load get mget getrange strlen exists type time set setrange del pexpire persist pttl scan"
    .split(" ");

/** What is there before each call. */
async function fill(admin: Redis): Promise<string> {
  await admin.flushdb();
  await admin.set("object", '{"n":1}');
  await admin.set("kept", '"x"', "PX", 900_000);
  return await stateOf(admin);
}

/** All values but the records of calls, as text. */
async function stateOf(admin: Redis): Promise<string> {
  const keys = (await admin.keys("*")).filter((key) => !key.startsWith("json-dict:op:")).sort();
  const parts = await Promise.all(
    keys.map(async (key) =>
      `${key}=${await admin.get(key)} ${await admin.pttl(key) > 100_000 ? "long" : "other"}`
    ),
  );
  return parts.join("\n");
}

describe("users without a command", () => {
  it("RedisJsonDict works, or refuses by name and changes nothing, as docs/guarantees.md says", async () => {
    await using server = await startRedis();
    const admin = new Redis(server.url);
    const lines: string[] = [];
    try {
      for (const command of COMMANDS) {
        const rules = ["reset", "on", ">pw", "~*", "+@all", `-${command}`];
        await admin.call("ACL", "SETUSER", "few", ...rules);
        const url = server.url.replace("redis://", "redis://few:pw@");
        const refused: string[] = [];
        for (const [name, call] of Object.entries(CALLS)) {
          await admin.script("FLUSH");
          await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "", timeout: 60_000 });
          const before = await fill(admin);
          const error = await call(lab).then(() => undefined, (error) => error);
          if (error === undefined) continue;
          assert(error instanceof UnavailableError, `-${command}: ${name}: ${error}`);
          assertEquals(error.reason, "NOPERM", `-${command}: ${name}: ${error.message}`);
          assert(error.message.includes("docs/guarantees.md"), error.message);
          assertEquals(await stateOf(admin), before, `-${command}: ${name}`);
          refused.push(name);
        }
        const what = refused.length === 0
          ? "nothing"
          : refused.length === Object.keys(CALLS).length
          ? "everything"
          : refused.map((name) => `\`${name}\``).join(", ");
        lines.push(`| \`${command.replace("|", "\\|")}\` | ${what} |`);
      }
    } finally {
      admin.disconnect();
    }
    const normal = (text: string): string => text.replace(/ +/g, " ");
    const documented = normal(await Deno.readTextFile(new URL("../../docs/guarantees.md", import.meta.url)));
    for (const line of lines) {
      assert(documented.includes(line), `docs/guarantees.md lacks this table:\n${lines.join("\n")}`);
    }
  });
});
