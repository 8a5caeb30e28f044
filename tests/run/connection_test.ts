/** Connections that cannot be made, or are not what they seem: what a call says, and when. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Redis, type RedisOptions } from "ioredis";
import process from "node:process";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { AmbiguousResultError, TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import { type RedisServer, startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

interface Lab {
  x: number[];
  y: number;
}

/** An error that must come at once comes long before this. */
const LONG = 60_000;
const SHORT = 1_500;
/** A CA with three certificates of it, by `openssl ca`: good and other until 2120, expired since 2001. One key is for all. */
const TLS = new URL("../support/tls/", import.meta.url);
const ca = await Deno.readTextFile(new URL("ca.pem", TLS));

/** Checks that calls are refused for a reason, without waiting for the deadline. */
async function assertAtOnce(lab: RedisJsonDict<Lab>, reason: string, message: string): Promise<void> {
  const start = performance.now();
  for (const call of [() => lab.set("y", 1), () => lab.get("y"), () => lab.size()]) {
    const error = await assertRejects(call, UnavailableError, message);
    assertEquals([error.reason, error.code], [reason, "UNAVAILABLE"]);
  }
  assert(performance.now() - start < LONG / 2);
}

/** Does the same for a dictionary of its own. */
async function assertRefused(url: string, reason: string, message: string): Promise<void> {
  await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "", timeout: LONG });
  await assertAtOnce(lab, reason, message);
}

/** A server that speaks TLS with such a certificate. */
async function startTls(certificate: string): Promise<{ server: RedisServer; url: string; plain: string }> {
  let port = 0;
  const path = (name: string): string => new URL(name, TLS).pathname;
  const server = await startRedis({
    args: (plain) => {
      port = plain < 60_000 ? plain + 5_000 : plain - 5_000;
      return [
        ...["--tls-port", String(port), "--tls-auth-clients", "no"],
        ...["--tls-cert-file", path(`${certificate}.pem`), "--tls-key-file", path("server.key")],
        ...["--tls-ca-cert-file", path("ca.pem")],
      ];
    },
  });
  return { server, url: `rediss://localhost:${port}`, plain: `redis://localhost:${port}` };
}

/** A client that is ended with the scope. */
function open(url: string, options: RedisOptions): { client: Redis } & AsyncDisposable {
  const client = new Redis(url, { disconnectTimeout: 20, ...options });
  client.on("error", () => {});
  const dispose = async (): Promise<void> => {
    const isOver = new Promise((resolve) => client.once("end", resolve));
    client.disconnect();
    if (client.status !== "end" && client.status !== "reconnecting") await isOver;
  };
  return { client, [Symbol.asyncDispose]: dispose };
}

describe("a connection that will not get better by waiting", () => {
  it("RedisJsonDict says at once that a password is wrong or missing", async () => {
    await using server = await startRedis({ args: ["--requirepass", "right"] });
    await assertRefused(server.url, "NOAUTH", "pass a user name and a password in the address");
    for (const who of [":wrong", "nobody:right"]) {
      const url = server.url.replace("redis://", `redis://${who}@`);
      await assertRefused(url, "WRONGPASS", "the user name or the password in the address is wrong");
    }
  });

  it("RedisJsonDict says at once that there is no such database, and uses no other one", async () => {
    await using server = await startRedis();
    await assertRefused(`${server.url}/99`, "ERR", "DB index is out of range; choose another number");
    await using beside = open(server.url, {});
    assertEquals(await beside.client.info("keyspace"), "# Keyspace\r\n");
    for (const protocol of [2, 3] as const) {
      // It is connected, and believes that it is in database 99.
      await using scope = open(`${server.url}/99`, { protocol });
      await scope.client.ping();
      assertEquals(await scope.client.call("EXISTS", "y"), 0);
      await assertAtOnce(
        new RedisJsonDict<Lab>(scope.client, { prefix: "", timeout: LONG }),
        "ERR",
        "DB index is out of range",
      );
    }
    assertEquals(await beside.client.info("keyspace"), "# Keyspace\r\n");
  });

  it("RedisJsonDict says at once that the user may not select the database", async () => {
    await using server = await startRedis();
    await using admin = open(server.url, {});
    await admin.client.call("ACL", "SETUSER", "bob", "on", ">pw", "~*", "+@all", "-select");
    const url = server.url.replace("redis://", "redis://bob:pw@");
    await assertRefused(`${url}/3`, "NOPERM", "docs/guarantees.md");
    await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "" });
    await lab.set("y", 1);
  });

  it("RedisJsonDict.connect() takes the certificate of a private authority", async () => {
    const { server, url, plain } = await startTls("good");
    await using _ = server;
    for (const tls of [{ ca }, { ca: [ca] }, { ca, servername: "localhost" }]) {
      await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "tls:", tls, timeout: LONG });
      await lab.set("y", 1);
      assertEquals(await lab.at("y").increment(), 2);
    }
    for (const tls of [{}, { ca, servername: "elsewhere.example" }]) {
      await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "tls:", tls, timeout: LONG });
      await assertAtOnce(lab, "TLS", "check the address, the certificate and who has signed it");
    }
    const refused = (url: string | string[], tls: unknown, message: string): void => {
      assertThrows(
        () => RedisJsonDict.connect(url, { prefix: "tls:", tls: tls as { ca: string } }),
        TypeError,
        message,
      );
    };
    refused(plain, { ca }, "the address must start with rediss://");
    refused([plain], { ca }, "the address must start with rediss://");
    refused(url, null, "expected an object such as { ca }");
    refused(url, true, "expected an object such as { ca }");
  });

  it("RedisJsonDict says at once what is wrong with a certificate", async () => {
    const cases: [string, RedisOptions, RegExp | undefined][] = [
      ["good", { tls: { ca } }, undefined],
      ["good", {}, /certificate/],
      ["expired", { tls: { ca } }, /certificate/],
      ["other", { tls: { ca } }, /other\.example|certificate/],
    ];
    for (const [certificate, options, message] of cases) {
      const { server, url } = await startTls(certificate);
      await using _ = server;
      await using scope = open(url, options);
      const lab = new RedisJsonDict<Lab>(scope.client, { prefix: "", timeout: LONG });
      if (message === undefined) {
        await lab.set("y", 1);
        assertEquals(await lab.get("y"), 1);
      } else {
        const error = await assertRejects(() => lab.set("y", 1), UnavailableError);
        assert(error.reason === "TLS" && message.test(error.message), error.message);
        await assertAtOnce(lab, "TLS", "check the address, the certificate and who has signed it");
      }
    }
  });

  it("RedisJsonDict.connect() says at once that a port speaks TLS, or does not", async () => {
    const { server, url, plain } = await startTls("good");
    await using _ = server;
    await assertRefused(url, "TLS", "certificate"); // it does not know the issuer of ours
    await assertRefused(
      plain,
      "TLS",
      "the server speaks TLS on this port, so the address must start with rediss://",
    );
    const wrong = server.url.replace("redis://", "rediss://");
    await assertRefused(
      wrong,
      "TLS",
      "the server speaks no TLS on this port, so the address must start with redis://",
    );
  });
});

describe("a connection that may get better", () => {
  it("RedisJsonDict says at the deadline why there is no connection", async () => {
    await using full = await startRedis({ args: ["--maxclients", "1"] });
    await using only = open(full.url, {});
    await only.client.ping();
    const closed = await FaultProxy.start(redisUrl);
    const { url } = closed;
    await closed[Symbol.asyncDispose]();
    const cases: [string, typeof TimeoutError | typeof UnavailableError, string][] = [
      [url, TimeoutError, `(ECONNREFUSED ${new URL(url).host})`],
      ["redis://nowhere.invalid", TimeoutError, "nowhere.invalid)"],
      [full.url, UnavailableError, "max number of clients reached"],
    ];
    await Promise.all(cases.map(async ([address, type, message]) => {
      await using lab = RedisJsonDict.connect<Lab>(address, { prefix: "", timeout: SHORT });
      for (const call of [() => lab.get("y"), () => lab.set("y", 1)]) {
        await assertRejects<Error>(call, type as never, message);
      }
    }));
  });

  it("RedisJsonDict waits where a password is changed under it, and says so at the deadline", async () => {
    await using server = await startRedis({ args: ["--requirepass", "first"] });
    const url = server.url.replace("redis://", "redis://:first@");
    await using admin = open(url, {});
    await using lab = RedisJsonDict.connect<Lab>(url, { prefix: "", timeout: SHORT });
    await using patient = RedisJsonDict.connect<Lab>(url, { prefix: "", timeout: LONG });
    await Promise.all([lab.set("y", 1), patient.set("x", [])]);
    await admin.client.config("SET", "requirepass", "second");
    await admin.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    const push = patient.at("x").push(1);
    // The first one may have been sent before the client has seen that the connection is gone.
    const lost = await assertRejects(() => lab.set("y", 2), Error, "WRONGPASS");
    assert(lost instanceof AmbiguousResultError || lost instanceof UnavailableError, String(lost));
    const error = await assertRejects(() => lab.set("y", 2), UnavailableError);
    assertEquals(error.reason, "WRONGPASS");
    await admin.client.config("SET", "requirepass", "first");
    assertEquals(await push, 1);
    await lab.set("y", 3);
  });

  it("RedisJsonDict waits too where the client was connected before there was a dictionary", async () => {
    await using server = await startRedis({ args: ["--requirepass", "first"] });
    const url = server.url.replace("redis://", "redis://:first@");
    await using admin = open(url, {});
    await using scope = open(url, { retryStrategy: () => 20 });
    await scope.client.ping();
    const lab = new RedisJsonDict<Lab>(scope.client, { prefix: "", timeout: LONG });
    await admin.client.config("SET", "requirepass", "second");
    const isGone = new Promise((resolve) => scope.client.once("error", resolve));
    await admin.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    assertEquals(String(await isGone).includes("WRONGPASS"), true);
    const write = lab.set("y", 1);
    await new Promise((resolve) => scope.client.once("error", resolve));
    await admin.client.config("SET", "requirepass", "first");
    await write;
    assertEquals(await lab.get("y"), 1);
  });

  it("RedisJsonDict uses no other database after the server was replaced by one that has fewer", async () => {
    await using first = await startRedis();
    await using second = await startRedis({ args: ["--databases", "4"] });
    await using beside = open(second.url, {});
    for (const isOwn of [true, false]) {
      await using proxy = await FaultProxy.start(first.url);
      await using scope = open(`${proxy.url}/9`, {});
      await using own = RedisJsonDict.connect<Lab>(`${proxy.url}/9`, { prefix: "", timeout: SHORT });
      const lab = isOwn ? own : new RedisJsonDict<Lab>(scope.client, { prefix: "", timeout: SHORT });
      await lab.set("y", 1);
      proxy.drop();
      await lab.set("y", 2);
      proxy.target = second.url;
      proxy.drop();
      // The first one is on its way when the connection is lost, and the client may send it again by itself.
      const lost = await assertRejects(() => lab.set("y", 3), Error, "DB index is out of range");
      assert(lost instanceof AmbiguousResultError || lost instanceof UnavailableError);
      const error = await assertRejects(() => lab.set("y", 3), UnavailableError, "DB index is out of range");
      assertEquals(error.reason, "ERR");
      await assertRejects(() => lab.get("y"), UnavailableError, "DB index is out of range");
      assertEquals(await beside.client.info("keyspace"), "# Keyspace\r\n");
      proxy.target = first.url;
      proxy.drop();
      // The one that was lost may be applied yet, in its own database.
      let value: number | undefined;
      while (value === undefined) value = await lab.get("y").catch(() => undefined);
      assert(value === 2 || value === 3);
    }
  });

  it("RedisJsonDict selects again where the answer to SELECT is lost, even if the client never settles it", async () => {
    await using server = await startRedis();
    await using beside = open(server.url, {});
    for (const settings of [{}, { maxRetriesPerRequest: 0 }, { autoResendUnfulfilledCommands: false }]) {
      await beside.client.flushall();
      await using proxy = await FaultProxy.start(server.url);
      await using scope = open(`${proxy.url}/3`, { retryStrategy: () => 5, ...settings });
      await scope.client.ping();
      const lab = new RedisJsonDict<Lab>(scope.client, { prefix: "", timeout: LONG });
      const { connections } = proxy;
      proxy.fault = "drop answer";
      const write = lab.set("x", [1]);
      while (proxy.connections < connections + 2) await beside.client.ping();
      proxy.fault = "none";
      await write;
      assertEquals(await lab.at("x").push(2), 2);
      assertEquals(await beside.client.get("x"), null);
      await beside.client.select(3);
      assertEquals(await beside.client.get("x"), "[1,2]");
      await beside.client.select(0);
    }
  });

  it("RedisJsonDict goes with the database that the owner of the client selects", async () => {
    await using server = await startRedis();
    await using scope = open(`${server.url}/3`, {});
    const { client } = scope;
    const lab = new RedisJsonDict<Lab>(client, { prefix: "" });
    await lab.set("y", 3);
    for (const database of [0, 5]) {
      await client.select(database);
      await lab.set("y", database);
      client.disconnect(true);
      await lab.at("y").increment(10);
    }
    assertEquals(
      (await client.info("keyspace")).match(/db\d+:keys=1,/g)?.length ?? 0,
      0, // each has the records too
    );
    for (const [database, value] of [[3, "3"], [0, "10"], [5, "15"]] as const) {
      await client.select(database);
      assertEquals(await client.get("y"), value);
    }
  });
});

describe("Connection", () => {
  it("Connection listens once to a client, however many dictionaries and calls there are", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error): number => warnings.push(warning);
    process.on("warning", warn);
    try {
      const client = testClient();
      const counts = (): number[] =>
        ["ready", "close", "end", "error"].map((name) => client.listenerCount(name));
      await client.ping();
      const before = counts();
      const prefix = uniquePrefix("connection");
      const labs = Array.from({ length: 30 }, () => new RedisJsonDict<Lab>(client, { prefix }));
      const calls = labs.flatMap((lab) =>
        Array.from({ length: 5 }, () => lab.at("y").set(1, { parents: true }))
      );
      const reads = labs.map((lab) => lab.get("x"));
      const pages = labs.map(async (lab) => {
        for await (const _ of lab) break;
      });
      assertEquals(counts().map((count, index) => count - before[index]), [1, 1, 1, 1]);
      await Promise.all([...calls, ...reads, ...pages]);
      // Errors are heard again by who wants to, as by ioredis, which writes them to the console.
      assertEquals(counts().map((count, index) => count - before[index]), [1, 1, 1, 0]);
      await new Promise((resolve) => setTimeout(resolve));
      assertEquals(warnings, []);
    } finally {
      process.off("warning", warn);
    }
  });
});
