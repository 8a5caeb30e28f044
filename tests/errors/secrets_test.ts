/** No error shows a password, or a value that was written: not in its message, its cause, or anywhere else. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { inspect } from "node:util";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { CorruptValueError } from "../../src/errors/value.ts";
import { JsonDictError } from "../../src/errors/error.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

/** Marks all that no error may show. */
const SECRET = "Hush7391";
const PASSWORD = `pw-${SECRET}`;
const VALUE = `value-${SECRET}`;

type Lab = Record<string, unknown>;

/** All that can be seen of an error, by printing it or by looking through it. */
function faceOf(error: unknown, seen: Set<unknown> = new Set()): string {
  if (error === null || typeof error !== "object" || seen.has(error)) return String(error);
  seen.add(error);
  const parts: string[] = [
    String(error),
    inspect(error, { depth: Infinity, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    Deno.inspect(error, { depth: 100, showHidden: true, strAbbreviateSize: 1e6, iterableLimit: 1e6 }),
    JSON.stringify(error) ?? "",
    JSON.stringify(structuredClone(error)) ?? "",
  ];
  for (const name of Reflect.ownKeys(error)) {
    const value = Reflect.get(error, name);
    parts.push(
      String(name),
      faceOf(value, seen),
      typeof value === "object" ? inspect(value, { depth: 9 }) : "",
    );
  }
  return parts.join("\n");
}

/** Checks that each call fails, by an error that shows nothing. */
async function assertHushed(
  calls: readonly (() => Promise<unknown>)[],
  codes: readonly string[],
): Promise<void> {
  for (const call of calls) {
    const error = await call().then(() => undefined, (error) => error);
    assert(error instanceof Error, `nothing was thrown by ${call}`);
    const code = error instanceof JsonDictError ? error.code : error.name;
    assert(codes.includes(code), `${code}: ${error.message}`);
    const face = faceOf(error);
    assert(!face.includes(SECRET), `${call} shows it:\n${face}`);
  }
}

/** All ways to write a secret. */
function writes(lab: RedisJsonDict<Lab>): (() => Promise<unknown>)[] {
  return [
    () => lab.set("k", VALUE),
    () => lab.set("k", { deep: [VALUE] }),
    () => lab.update({ k: VALUE }),
    () => lab.getOrInsert("new", VALUE),
    () => lab.at("list").push(VALUE),
    () => lab.at("list", 0).set(VALUE),
    () => lab.edit((draft) => void (draft.list = [VALUE])),
    () => lab.patch("list", [{ op: "add", path: "/0", value: VALUE }]),
    () => lab.merge("object", { member: VALUE }),
    () => lab.at("text").compareAndSet("old", VALUE),
  ];
}

async function fill(client: Redis, prefix: string): Promise<void> {
  await client.mset({ [`${prefix}list`]: "[0]", [`${prefix}object`]: "{}", [`${prefix}text`]: '"old"' });
}

/** A client of a server of its own, ended with the scope. */
async function start(args: readonly string[], url: (url: string) => string = (url) => url) {
  const server = await startRedis({ args });
  const client = new Redis(url(server.url), { disconnectTimeout: 20 });
  client.on("error", () => {});
  const dispose = async (): Promise<void> => {
    client.disconnect();
    await server.stop();
  };
  return { server, client, [Symbol.asyncDispose]: dispose };
}

describe("secrets", () => {
  it("errors of refused writes show nothing that was written", async () => {
    await using scope = await start([]);
    const { client, server } = scope;
    await using lab = RedisJsonDict.connect<Lab>(server.url, { prefix: "", timeout: 1_500 });
    await fill(client, "");
    await client.config("SET", "maxmemory", "1");
    await assertHushed(writes(lab), ["UNAVAILABLE"]);
    await client.config("SET", "maxmemory", "0");
    await client.config("SET", "min-replicas-to-write", "1");
    await assertHushed(writes(lab).slice(0, 2), ["UNAVAILABLE"]);
  });

  it("errors of missing rights and missing commands show nothing that was written, and no password", async () => {
    await using scope = await start([]);
    const { client, server } = scope;
    await fill(client, "");
    const url = server.url.replace("redis://", `redis://bob:${PASSWORD}@`);
    for (const rights of [["-set"], ["-eval", "-evalsha"], ["-eval", "-evalsha", "-get"], ["-@all"]]) {
      await client.call("ACL", "SETUSER", "bob", "reset", "on", `>${PASSWORD}`, "~*", "+@all", ...rights);
      await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "", timeout: 10_000 });
      await assertHushed(writes(lab).slice(0, 3), ["UNAVAILABLE"]);
    }
    await using bare = await start(["--rename-command", "EVAL", "", "--rename-command", "EVALSHA", ""]);
    await using lab = RedisJsonDict.connect<Lab>(bare.server.url, { prefix: "" });
    await assertHushed(writes(lab), ["UNAVAILABLE"]);
  });

  it("errors of wrong passwords and addresses show no password", async () => {
    await using scope = await start(
      ["--requirepass", PASSWORD],
      (url) => url.replace("//", `//:${PASSWORD}@`),
    );
    const { server } = scope;
    for (const who of [`:wrong-${SECRET}`, `bob:${PASSWORD}`]) {
      const url = server.url.replace("redis://", `redis://${who}@`);
      await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "", timeout: 10_000 });
      await assertHushed([...writes(lab), () => lab.get("k"), () => lab.size()], ["UNAVAILABLE"]);
    }
    await using none = RedisJsonDict.connect<Lab>(`redis://bob:${PASSWORD}@127.0.0.1:1`, {
      prefix: "",
      timeout: 1_000,
    });
    await assertHushed([() => none.set("k", VALUE), () => none.get("k")], ["TIMEOUT"]);
    const wrong = [
      `redis://h:99999/${SECRET}`,
      `redis:/${PASSWORD}@h`,
      `bob:${PASSWORD}@h`,
      `redis://bob:%${SECRET}@h`,
    ];
    await assertHushed(wrong.map((url) => async () => await RedisJsonDict.connect(url, { prefix: "" })), [
      "TypeError",
    ]);
  });

  it("errors of lost answers show nothing that was written", async () => {
    const client = testClient();
    const prefix = uniquePrefix("secrets");
    for (const delivery of ["exactly-once", "at-most-once"] as const) {
      await using proxy = await FaultProxy.start(
        redisUrl,
      );
      await using lab = RedisJsonDict.connect<Lab>(proxy.url, { prefix, timeout: 1_000, delivery });
      await fill(client, prefix);
      await lab.get("k");
      for (const fault of ["drop answer", "no answers", "garbage"] as const) {
        proxy.fault = fault;
        await assertHushed(writes(lab).slice(0, 2), ["AMBIGUOUS_RESULT", "TIMEOUT", "UNAVAILABLE"]);
        proxy.fault = "none";
        proxy.drop();
        while (await lab.get("k").then(() => false, () => true));
      }
    }
  });

  it("errors of strange clients show nothing that was written, whatever they quote", async () => {
    const quoting = (name: string, own: object) => ({
      call: (command: string, ...args: (string | number)[]): Promise<unknown> => {
        const message = `ERR unknown command '${command}', with args beginning with: '${args.join("' '")}'`;
        const text = name === "Error" ? `Cannot send ${command} ${args.join(" ")}` : message;
        return Promise.reject(Object.assign(new Error(text), { name, args, ...own }));
      },
    });
    for (
      const client of [
        quoting("ReplyError", {}),
        quoting("t", { command: { args: [VALUE] } }),
        quoting("Error", {}),
      ]
    ) {
      const lab = new RedisJsonDict<Lab>(client, { prefix: "", timeout: 1_000 });
      await assertHushed(writes(lab).slice(0, 2), ["UNAVAILABLE", "AMBIGUOUS_RESULT", "TIMEOUT"]);
    }
  });

  it("errors of the data show no value, neither one that was written nor one that was found", async () => {
    const client = testClient();
    const prefix = uniquePrefix("secrets");
    const lab = new RedisJsonDict<Lab>(client, { prefix });
    await client.mset({
      [`${prefix}bad`]: `{"a": ${VALUE}}`,
      [`${prefix}worse`]: VALUE,
      [`${prefix}short`]: SECRET,
      [`${prefix}text`]: `"${VALUE}"`,
      [`${prefix}list`]: `["${VALUE}"]`,
    });
    await assertHushed([
      () => lab.get("bad"),
      () => lab.get("worse"),
      () => lab.at("bad", "a").get(),
      () => lab.pop("worse"),
      () => lab.pop("short"),
    ], ["CORRUPT_VALUE"]);
    await assertHushed([
      () => lab.at("text").push(VALUE),
      () => lab.at("list", 7).set(VALUE),
      () => lab.at("text", "a").set(VALUE),
      () => lab.patch("list", [{ op: "test", path: "/0", value: `${VALUE}2` }]),
      () => lab.patch("list", [{ op: "add", path: "/9", value: VALUE }]),
    ], ["TYPE_MISMATCH", "INDEX_OUT_OF_RANGE", "PATCH"]);
    await assertHushed([
      async () => await lab.set("k", { a: VALUE, b: undefined, c: () => VALUE }),
      async () => await lab.set("k", [VALUE, NaN]),
      async () => await lab.at("list").push(VALUE, Symbol("x") as never),
    ], ["TypeError"]);
  });

  it("CorruptValueError keeps the text that was removed, for those who ask for it", async () => {
    const client = testClient();
    const prefix = uniquePrefix("secrets");
    await client.set(`${prefix}k`, VALUE);
    const lab = new RedisJsonDict<Lab>(client, { prefix });
    const error = await assertRejects(() => lab.pop("k"), CorruptValueError);
    assertEquals(error.text, VALUE);
  });

  it("PatchError stays short, however long the pointer", async () => {
    const lab = new RedisJsonDict<Lab>(testClient(), { prefix: uniquePrefix("secrets") });
    await lab.set("k", {});
    const path = `/${"x".repeat(1_000_000)}`;
    for (
      const patch of [[{ op: "remove", path }], [{ op: "nothing", path }], [{
        op: "add",
        path: path.slice(1),
      }]]
    ) {
      const error = await lab.patch("k", patch as never).catch((error) => error);
      assert(error.message.length < 1_000, String(error.message.length));
    }
  });
});
