/** One call, sent once, answered by a deadline: what happens when the server or the network does not play along. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { AmbiguousResultError, TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";
import { until } from "../support/until.ts";

const client = testClient();

interface Lab {
  x: number[];
  y: number;
}

/** A deadline that is meant to pass. What must be in time has longer, or is waited for. */
const SHORT = 1_000;
const LONG = 60_000;

interface Scope extends AsyncDisposable {
  readonly lab: RedisJsonDict<Lab>;
  readonly proxy: FaultProxy;
  /** The same dictionary without the proxy, for what must not fail. */
  readonly beside: RedisJsonDict<Lab>;
}

/** A dictionary behind a proxy, both ended with the scope. It is connected, and the server has the scripts. */
async function startLab(timeout: number): Promise<Scope> {
  const proxy = await FaultProxy.start(redisUrl);
  const prefix = uniquePrefix("runner");
  const beside = new RedisJsonDict<Lab>(client, { prefix, timeout: LONG });
  await beside.set("y", 0);
  await beside.at("y").get();
  const lab = RedisJsonDict.connect<Lab>(proxy.url, { prefix, timeout });
  await until("it is connected", () => lab.has("x").then(() => true, () => false));
  const end = async (): Promise<void> => {
    await lab.close();
    await proxy[Symbol.asyncDispose]();
  };
  return { lab, proxy, beside, [Symbol.asyncDispose]: end };
}

/** Lets the traffic through again, and waits until the dictionary has a new connection. */
async function restore(lab: RedisJsonDict<Lab>, proxy: FaultProxy): Promise<void> {
  proxy.fault = "none";
  proxy.drop();
  await until("it is connected again", () => lab.has("x").then(() => true, () => false));
}

async function callsOf(command: string): Promise<number> {
  const stats = await client.info("commandstats");
  return Number(stats.match(new RegExp(`cmdstat_${command}:calls=(\\d+)`))?.[1] ?? 0);
}

describe("Runner and a server that lost the scripts", () => {
  it("Runner sends a script again that the server does not know, and applies it once", async () => {
    const lab = new RedisJsonDict<Lab>(client, { prefix: uniquePrefix("runner") });
    await lab.set("x", []);
    await client.script("FLUSH");
    assertEquals(await lab.at("x").push(1), 1);
    assertEquals(await client.get(`${lab.prefix}x`), "[1]");
    await client.script("FLUSH");
    assertEquals(await lab.at("x", 0).get(), 1);
  });

  it("Runner needs EVAL once, then EVALSHA is enough", async () => {
    const lab = new RedisJsonDict<Lab>(client, { prefix: uniquePrefix("runner") });
    await client.script("FLUSH");
    const before = await callsOf("eval");
    for (let count = 0; count < 10; count++) await lab.set("y", count);
    assertEquals(await callsOf("eval") - before, 1);
  });

  it("Runner keeps the order of un-awaited changes while the script is missing", async () => {
    const lab = new RedisJsonDict<Lab>(client, { prefix: uniquePrefix("runner") });
    await lab.set("x", []);
    await client.script("FLUSH");
    const pushes = Array.from({ length: 50 }, (_, index) => lab.at("x").push(index));
    const read = lab.get("x");
    assertEquals(await Promise.all(pushes), Array.from({ length: 50 }, (_, index) => index + 1));
    assertEquals(await read, Array.from({ length: 50 }, (_, index) => index));
  });
});

describe("Runner and a server that does not answer", () => {
  it("Runner ends a read with TimeoutError and a write with AmbiguousResultError", async () => {
    await using scope = await startLab(SHORT);
    const { lab, proxy, beside } = scope;
    await beside.set("x", [1]);
    proxy.fault = "no requests";
    const reads = [
      () => lab.get("x"),
      () => lab.at("x", 0).get(),
      () => lab.has("x"),
      () => lab.size(),
      () => lab.ttl("x"),
    ];
    const errors = await Promise.all(reads.map((read) => assertRejects(read, TimeoutError)));
    assertEquals(errors.length, reads.length);
    for (const error of errors) assertEquals([error.timeout, error.code], [SHORT, "TIMEOUT"]);
    const error = await assertRejects(() => lab.at("x").push(2), AmbiguousResultError);
    assertEquals([error.operation, error.path, error.code], ["push", ["x"], "AMBIGUOUS_RESULT"]);
    await assertRejects(() => lab.clear(), TimeoutError);
    await restore(lab, proxy);
  });

  it("Runner reports a lost write by the same error, applied or not", async () => {
    await using scope = await startLab(SHORT);
    const { lab, proxy, beside } = scope;
    await beside.set("x", [0]);
    proxy.fault = "no answers";
    await assertRejects(() => lab.at("x").push(1), AmbiguousResultError);
    await until("the push has arrived", async () => await client.get(`${lab.prefix}x`) === "[0,1]");
    await restore(lab, proxy);
    assertEquals(await lab.at("x").push(2), 3);
    assertEquals(await client.get(`${lab.prefix}x`), "[0,1,2]");
  });

  it("Runner ends every change of a batch, and those that waited behind it are sent", async () => {
    await using scope = await startLab(SHORT);
    const { lab, proxy } = scope;
    proxy.fault = "no requests";
    const batch = [lab.at("y").increment(), lab.at("y").increment(), lab.set("y", 5)];
    for (const change of batch) await assertRejects(() => change, AmbiguousResultError);
    await restore(lab, proxy);
    assertEquals(await lab.at("y").increment(), 1);
  });

  it("Runner waits for a connection until the deadline and then says that nothing was sent", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    proxy.fault = "no requests";
    await using lab = RedisJsonDict.connect<Lab>(proxy.url, {
      prefix: uniquePrefix("runner"),
      timeout: SHORT,
    });
    const calls = [
      () => lab.get("x"),
      () => lab.at("x").get(),
      () => lab.set("x", []),
      () => lab.at("y").increment(1),
    ];
    await Promise.all(calls.map((call) => assertRejects(call, TimeoutError)));
    assertEquals(await client.exists(`${lab.prefix}x`, `${lab.prefix}y`), 0);
  });

  it("Runner sends what was called before there was a connection, in order", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    await using lab = RedisJsonDict.connect<Lab>(proxy.url, {
      prefix: uniquePrefix("runner"),
      timeout: LONG,
    });
    const done = [lab.set("x", []), lab.at("x").push(1), lab.at("x").push(2)];
    assertEquals(await lab.get("x"), [1, 2]);
    assertEquals(await Promise.all(done), [undefined, 1, 2]);
  });

  it("Runner says TimeoutError where there is no server at all", async () => {
    const proxy = await FaultProxy.start(redisUrl);
    const { url } = proxy;
    await proxy[Symbol.asyncDispose]();
    await using lab = RedisJsonDict.connect<Lab>(url, { prefix: uniquePrefix("runner"), timeout: SHORT });
    await assertRejects(() => lab.get("x"), TimeoutError, `${SHORT} ms`);
    await assertRejects(() => lab.set("y", 1), TimeoutError);
  });

  it("Runner lets close() of a dictionary end although the server is silent", async () => {
    await using scope = await startLab(SHORT);
    const { lab, proxy } = scope;
    proxy.fault = "no requests";
    const write = assertRejects(() => lab.set("y", 2), AmbiguousResultError);
    await lab.close();
    await write;
  });
});

describe("Runner and a connection that breaks", () => {
  it("Runner sends a read again whose answer is lost", async () => {
    await using scope = await startLab(LONG);
    const { lab, proxy } = scope;
    await lab.set("x", [1]);
    proxy.fault = "drop answer";
    const read = lab.get("x");
    await until("there is a new connection", () => proxy.connections >= 2);
    proxy.fault = "none";
    assertEquals(await read, [1]);
  });

  it("Runner fails at once on a client that was ended", async () => {
    const ended = testClient();
    const lab = new RedisJsonDict<Lab>(ended, { prefix: uniquePrefix("runner") });
    await lab.set("y", 1);
    const isOver = new Promise<void>((resolve) => ended.once("end", resolve));
    ended.disconnect();
    await isOver;
    for (const call of [() => lab.get("y"), () => lab.set("y", 2)]) {
      const error = await assertRejects(call, UnavailableError, "The connection is closed");
      assertEquals(error.reason, "CLOSED");
    }
    assertEquals(await client.get(`${lab.prefix}y`), "1");
  });

  it("Runner does not wait for a client that ends while a call waits for a connection", async () => {
    const proxy = await FaultProxy.start(redisUrl);
    proxy.fault = "no requests";
    const waiting = new Redis(proxy.url);
    const lab = new RedisJsonDict<Lab>(waiting, { prefix: uniquePrefix("runner"), timeout: LONG });
    const read = assertRejects(() => lab.get("y"), UnavailableError, "The connection is closed");
    await until("it is connected", () => proxy.connections > 0);
    waiting.disconnect();
    await read;
    await proxy[Symbol.asyncDispose]();
  });
});

describe("Runner and errors of the server", () => {
  it("Runner reports a missing right in the words of the server, and that nothing was changed", async () => {
    const prefix = uniquePrefix("runner");
    await client.call("ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@all", "-evalsha", "-eval", "-get");
    const limited = testClient({ username: "reader", password: "any" });
    try {
      const lab = new RedisJsonDict<Lab>(limited, { prefix });
      const calls = [() => lab.set("y", 1), () => lab.get("y"), () => lab.at("y").increment()];
      for (const call of calls) {
        const error = await assertRejects(call, UnavailableError, "NOPERM");
        assertEquals([error.reason, (error.cause as Error).name], ["NOPERM", "ReplyError"]);
      }
    } finally {
      limited.disconnect();
      await client.call("ACL", "DELUSER", "reader");
    }
  });

  it("Runner leaves no listener of a call on the client", async () => {
    const own = testClient();
    const lab = new RedisJsonDict<Lab>(own, { prefix: uniquePrefix("runner") });
    const before = [own.listenerCount("ready"), own.listenerCount("end"), own.listenerCount("error")];
    await Promise.all(Array.from({ length: 20 }, (_, index) => lab.set("y", index)));
    for await (const _ of lab) break;
    assertEquals([own.listenerCount("ready"), own.listenerCount("end"), own.listenerCount("error")], before);
  });

  it("Runner takes a client that only has call()", async () => {
    const bare = { call: (command: string, ...args: (string | number)[]) => client.call(command, ...args) };
    const lab = new RedisJsonDict<Lab>(bare, { prefix: uniquePrefix("runner") });
    await lab.set("x", [1]);
    assertEquals([await lab.at("x").push(2), await lab.size(), await lab.clear()], [2, 1, 1]);
  });

  it("Runner finds the word of the server's error, wherever the server puts it", async () => {
    const answers: [string, string][] = [
      ["OOM command not allowed when used memory > 'maxmemory'.", "OOM"],
      ["@user_script: 1310: -OOM command not allowed when used memory > 'maxmemory'.", "OOM"],
      [
        "ERR Error running script (call to f_0a): @user_script:9: @user_script: 9: -MISCONF Redis is",
        "MISCONF",
      ],
      ["NOPERM this user has no permissions to run the 'evalsha' command", "NOPERM"],
      ["READONLY You can't write against a read only replica. script: 0a, on @user_script:9.", "READONLY"],
      ["ERR unknown command 'EVAL'", "ERR"],
      ["strange", "ERR"],
    ];
    for (const [message, reason] of answers) {
      const answer = Object.assign(new Error(message), { name: "ReplyError" });
      const lab = new RedisJsonDict<Lab>({ call: () => Promise.reject(answer) }, {
        prefix: "",
        timeout: SHORT,
      });
      const error = await assertRejects(() => lab.set("y", 1), UnavailableError);
      const { name, message: said } = error.cause as Error;
      assertEquals([error.reason, name, said], [reason, "ReplyError", message], message);
    }
  });

  it("Runner says AmbiguousResultError when a write's answer is garbled", async () => {
    const garbled = { call: () => Promise.resolve("strange") };
    const lab = new RedisJsonDict<Lab>(garbled, { prefix: "", timeout: SHORT });
    await assertRejects(() => lab.set("y", 1), AmbiguousResultError);
  });
});
