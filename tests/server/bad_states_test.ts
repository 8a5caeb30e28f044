/** Servers in a bad state: each has its class, nothing is half written, and what was not applied is not ambiguous. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import { type RedisServer, startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

interface Lab {
  x: number[];
  y: number;
  text: string;
}

interface Scope extends AsyncDisposable {
  readonly server: RedisServer;
  readonly client: Redis;
  readonly lab: RedisJsonDict<Lab>;
}

/** A server of its own with such settings, and a dictionary that gives up after so many milliseconds. */
async function start(
  args: readonly string[],
  timeout: number,
  url?: (server: RedisServer) => string,
): Promise<Scope> {
  const server = await startRedis({ args });
  const client = new Redis(server.url, { disconnectTimeout: 20 });
  client.on("error", () => {});
  const lab = RedisJsonDict.connect<Lab>(url?.(server) ?? server.url, { prefix: "", timeout });
  return {
    server,
    client,
    lab,
    async [Symbol.asyncDispose]() {
      const isOver = new Promise((resolve) => client.once("end", resolve));
      client.disconnect();
      if (client.status !== "end" && client.status !== "reconnecting") await isOver;
      await lab.close();
      await server.stop();
    },
  };
}

/** Checks that a call is refused for a reason, not later than it may take. */
async function assertUnavailable(
  call: () => Promise<unknown>,
  reason: string,
  advice: string,
): Promise<void> {
  const error = await assertRejects(call, UnavailableError, advice);
  assertEquals([error.reason, error.code], [reason, "UNAVAILABLE"]);
}

/** In its last tenth nothing is sent any more: so long a busy machine has for the answer before. */
const SHORT = 3_000;
const LONG = 30_000;

describe("a server that refuses for good", () => {
  it("OOM: changes that need memory are refused whole, reads and removals work", async () => {
    await using scope = await start(["--maxmemory-policy", "noeviction"], LONG);
    const { lab, client } = scope;
    await lab.update({ x: [1], y: 1 });
    await client.config("SET", "maxmemory", "1");
    await assertUnavailable(() => lab.set("y", 2), "OOM", "delete something, or raise it");
    await assertUnavailable(() => lab.at("x").push(2), "OOM", "maxmemory");
    await assertUnavailable(() => lab.edit((draft) => (draft.x.push(draft.y), 0)), "OOM", "maxmemory");
    assertEquals(await lab.toObject(), { x: [1], y: 1 });
    assertEquals(await lab.pop("x"), [1]);
    assertEquals(await lab.clear(), 1);
    await client.config("SET", "maxmemory", "0");
    assertEquals(
      await lab.at("x").push(3, { parents: true } as never).catch((error) => error.code),
      "KEY_NOT_FOUND",
    );
  });

  it("MISCONF: a server that cannot save is no place to write to", async () => {
    await using scope = await start(["--save", "3600 1"], LONG);
    const { lab, client } = scope;
    await lab.set("y", 1);
    const [, dir] = await client.config("GET", "dir") as string[];
    await Deno.mkdir(`${dir}/dump.rdb`); // it cannot be replaced by a file
    await client.bgsave();
    while (!(await client.info("persistence")).includes("rdb_last_bgsave_status:err"));
    await assertUnavailable(() => lab.set("y", 2), "MISCONF", "see its log");
    assertEquals(await lab.get("y"), 1);
    await client.config("SET", "save", ""); // else it refuses to end
  });

  it("NOAUTH and WRONGPASS: the call says so, not only that time is up", async () => {
    await using scope = await start(["--requirepass", "secret"], 1_500);
    await assertUnavailable(() => scope.lab.get("y"), "NOAUTH", "a user name and a password in the address");
    const wrong = scope.server.url.replace("redis://", "redis://:wrong@");
    await using lab = RedisJsonDict.connect<Lab>(wrong, { prefix: "", timeout: 1_500 });
    await assertUnavailable(() => lab.set("y", 1), "WRONGPASS", "in the address is wrong");
    const right = scope.server.url.replace("redis://", "redis://:secret@");
    await using open = RedisJsonDict.connect<Lab>(right, { prefix: "" });
    await open.set("y", 1);
  });

  it("a value that is longer than the server takes is refused, and its neighbours are applied once", async () => {
    await using scope = await start(["--proto-max-bulk-len", "1mb"], LONG);
    const { lab, client } = scope;
    await lab.set("x", []);
    const long = lab.set("text", "x".repeat(2_000_000)).catch((error) => error);
    const pushes = await Promise.all([lab.at("x").push(1), lab.at("x").push(2)]);
    // The server ends the connection in the middle of the value, and its error mostly gets lost with it.
    const error = await long;
    assert(error instanceof UnavailableError, String(error));
    if (error.reason === "SIZE") assert(error.message.includes("proto-max-bulk-len"), error.message);
    else assert(/Protocol error/.test(error.message), error.message);
    assertEquals([pushes, await client.get("x"), await client.exists("text")], [[1, 2], "[1,2]", 0]);
  });
});

describe("a server that takes only short texts", () => {
  it("a value that has grown beyond what the server takes in one piece is changed all the same", async () => {
    await using scope = await start(["--proto-max-bulk-len", "1mb"], LONG);
    const { lab, client } = scope;
    await lab.set("text", "");
    for (let count = 0; count < 3; count++) await lab.at("text").append("x".repeat(500_000));
    await lab.set("x", [0]);
    await lab.edit((draft) => void (draft.x = [1, 2, 3]));
    await client.eval("redis.call('SET', 'x', '[' .. string.rep('1,', 700000) .. '7,8]')", 0);
    await lab.at("x", -1).set(9);
    assertEquals(await client.getrange("x", -5, -1), ",7,9]");
    assertEquals(await client.strlen("text"), 1_500_002);
  });
});

describe("a server that refuses for now", () => {
  it("READONLY: a replica is waited for until it is the master, or until the deadline", async () => {
    await using master = await startRedis();
    await using scope = await start(["--replicaof", "127.0.0.1", String(master.port)], SHORT);
    const { lab, client } = scope;
    await assertUnavailable(() => lab.set("y", 1), "READONLY", "connect to its master");
    await assertUnavailable(
      () => lab.clear().then(() => lab.set("y", 1)),
      "READONLY",
      "connect to its master",
    );
    await using patient = RedisJsonDict.connect<Lab>(scope.server.url, { prefix: "", timeout: LONG });
    const write = patient.set("y", 2);
    await assertUnavailable(() => lab.set("y", 1), "READONLY", "connect to its master");
    await client.call("REPLICAOF", "NO", "ONE");
    await write;
    assertEquals(await client.get("y"), "2");
  });

  it("BUSY: a script that runs for ever is waited for until the deadline, and then no more", async () => {
    await using scope = await start(["--busy-reply-threshold", "1", "--lua-time-limit", "1"], SHORT);
    const { lab, client } = scope;
    await lab.set("x", []);
    const killer = new Redis(scope.server.url);
    await killer.ping();
    const loop = client.eval("while true do end", 0).catch((error) => error);
    while (await killer.ping().then(() => true, () => false));
    await assertUnavailable(() => lab.at("x").push(1), "BUSY", "SCRIPT KILL");
    await using patient = RedisJsonDict.connect<Lab>(scope.server.url, { prefix: "", timeout: LONG });
    const push = patient.at("x").push(2);
    await assertUnavailable(() => lab.get("x"), "BUSY", "SCRIPT KILL");
    await killer.script("KILL");
    assertEquals(await push, 1);
    assert(String(await loop).includes("killed"));
    killer.disconnect();
    assertEquals(await lab.get("x"), [2]);
  });

  it("LOADING: a server that reads its data is waited for", async () => {
    await using scope = await start([
      ...["--enable-debug-command", "yes", "--key-load-delay", "10000"],
      ...["--loading-process-events-interval-bytes", "1024"],
    ], LONG);
    const { lab, client } = scope;
    await lab.set("x", []);
    const pipeline = client.pipeline();
    for (let count = 0; count < 3000; count++) pipeline.set(`fill${count}`, "x".repeat(100));
    await pipeline.exec();
    const reload = client.call("DEBUG", "RELOAD");
    reload.catch(() => {}); // looked at below
    const other = new Redis(scope.server.url, { enableReadyCheck: false });
    other.on("error", () => {});
    while (!String(await other.get("x").catch((error) => error)).includes("LOADING"));
    const impatient = new RedisJsonDict<Lab>(other, { prefix: "", timeout: 3 * SHORT });
    await assertUnavailable(() => impatient.at("x").push(0), "LOADING", "wait, or raise the timeout");
    await other.config("SET", "key-load-delay", "0"); // it would take long
    assertEquals(await lab.at("x").push(1), 1);
    assertEquals(await reload, "OK");
    assertEquals(await client.get("x"), "[1]");
    other.disconnect();
  });

  it("MASTERDOWN and NOREPLICAS: too few servers are no reason to be ambiguous", async () => {
    await using scope = await start(["--min-replicas-to-write", "1"], SHORT);
    await assertUnavailable(() => scope.lab.set("y", 1), "NOREPLICAS", "too few replicas");
    const lost = ["--replicaof", "127.0.0.1", "1", "--replica-serve-stale-data", "no"];
    await using stale = await start(lost, SHORT);
    const own = new Redis(stale.server.url, { enableReadyCheck: false });
    const dict = new RedisJsonDict<Lab>(own, { prefix: "", timeout: SHORT });
    await assertUnavailable(() => dict.get("y"), "MASTERDOWN", "INFO replication");
    own.disconnect();
  });
});

describe("a server that knows less", () => {
  it("RedisJsonDict works where EVALSHA, or SCRIPT, has another name", async () => {
    for (const name of ["EVALSHA", "SCRIPT"]) {
      await using scope = await start(["--rename-command", name, "hidden"], LONG);
      const { lab, client } = scope;
      await lab.set("x", []);
      for (let length = 1; length < 4; length++) assertEquals(await lab.at("x").push(0), length);
      assertEquals([await lab.at("x", 1).get(), await client.get("x")], [0, "[0,0,0]"]);
    }
  });

  it("RedisJsonDict goes on where the server forgets scripts that it was not asked to keep", async () => {
    const client = testClient();
    const recordPrefix = uniquePrefix("bad-states");
    const lab = new RedisJsonDict<Lab>(client, { prefix: uniquePrefix("bad-states"), recordPrefix });
    await lab.set("x", []);
    for (let round = 1; round <= 2; round++) {
      // Redis 7.4 and Valkey 8 keep 500 of those that came by EVAL.
      await Promise.all(
        Array.from({ length: 600 }, (_, index) => client.eval(`return ${round * 1000 + index}`, 0)),
      );
      assertEquals(await lab.at("x").push(round), round);
      assertEquals(await lab.at("x", -1).get(), round);
    }
  });

  it("RedisJsonDict says so where there are no scripts at all", async () => {
    await using scope = await start(
      ["--rename-command", "EVAL", "", "--rename-command", "EVALSHA", ""],
      LONG,
    );
    const { lab } = scope;
    await assertUnavailable(() => lab.set("y", 1), "ERR", "unknown command");
    assertEquals(await lab.get("y"), undefined);
  });

  it("RedisJsonDict goes on with a server that was restarted, or a replica that took over", async () => {
    const first = await startRedis({ args: ["--shutdown-timeout", "0"] });
    await using second = await startRedis({ args: ["--replicaof", "127.0.0.1", String(first.port)] });
    await using proxy = await FaultProxy.start(first.url);
    await using lab = RedisJsonDict.connect<Lab>(proxy.url, { prefix: "", timeout: LONG });
    const client = new Redis(second.url);
    await lab.set("x", []);
    while (await client.get("x") !== "[]");
    assertEquals(await lab.at("x").push(1), 1);
    while (await client.get("x") !== "[1]");
    Deno.kill(first.pid, "SIGKILL");
    await first.stop();
    proxy.drop();
    const pushes = [lab.at("x").push(2), lab.at("x").push(3)];
    proxy.target = second.url;
    await client.call("REPLICAOF", "NO", "ONE");
    assertEquals(await Promise.all(pushes), [2, 3]);
    assertEquals([await client.get("x"), await lab.at("x", 2).get()], ["[1,2,3]", 3]);
    client.disconnect();
  });
});

describe("users with few rights", () => {
  const recordPrefix = "bad-states-op:";
  /** What docs/guarantees.md lists. */
  const RIGHTS =
    "+eval +evalsha +script|load +get +getrange +strlen +exists +type +time +set +setrange +del +pexpire +persist " +
    "+pttl +mget +scan +info";

  it("RedisJsonDict needs no other rights than those that are documented", async () => {
    const prefix = uniquePrefix("bad-states");
    const admin = testClient();
    const documented = await Deno.readTextFile(new URL("../../docs/guarantees.md", import.meta.url));
    for (const right of RIGHTS.split(" ")) assert(documented.includes(right), right);
    const rules = [`~${prefix}*`, `~${recordPrefix}*`, "-@all", ...RIGHTS.split(" ")];
    await admin.call("ACL", "SETUSER", "few", "reset", "on", ">pw", ...rules);
    const url = redisUrl.replace("redis://", "redis://few:pw@");
    try {
      await using lab = RedisJsonDict.connect<Lab>(url, { prefix, recordPrefix, timeout: LONG });
      await lab.update({ x: [1], y: 1 });
      await lab.at("x").push(2);
      await lab.at("y").increment(2);
      await lab.at("x", 0).set(7);
      await lab.edit((draft) => (draft.y += draft.x.length, draft.text = "new", 0));
      await lab.merge("y", 9);
      assertEquals(await lab.toObject(), { x: [7, 2], y: 9, text: "new" });
      assertEquals([...await lab.getMany(["x", "none" as never])].length, 1);
      assertEquals([await lab.expire("x", 90_000), await lab.persist("x"), await lab.ttl("x")], [
        true,
        true,
        Infinity,
      ]);
      assertEquals([await lab.has("x"), await lab.at("x").length(), await lab.pop("y")], [true, 2, 9]);
      await lab.set("text", "x".repeat(300));
      await lab.at("text").append("y");
      await lab.set("text", "z");
      assertEquals([await lab.size(), await lab.clear()], [2, 2]);
      await admin.call("ACL", "SETUSER", "few", "-evalsha", "-script|load");
      await admin.script("FLUSH");
      assertEquals(await lab.at("y").set(1, { parents: true }), undefined);
      assertEquals(await lab.pop("y"), 1);
      await using stranger = RedisJsonDict.connect<Lab>(url, {
        prefix: "other:",
        recordPrefix,
        timeout: LONG,
      });
      await assertUnavailable(() => stranger.set("y", 1), "NOPERM", "docs/guarantees.md");
      await using unrecorded = RedisJsonDict.connect<Lab>(url, { prefix, timeout: LONG });
      await assertUnavailable(() => unrecorded.set("y", 1), "NOPERM", "of the records");
    } finally {
      await admin.call("ACL", "DELUSER", "few");
      await admin.unlink(await admin.keys(`${recordPrefix}*`));
    }
  });
});

describe("a network that garbles", () => {
  it("RedisJsonDict applies a change once over late requests, parts of answers, silence and garbage", async () => {
    const prefix = uniquePrefix("bad-states");
    const recordPrefix = uniquePrefix("bad-states");
    const beside = testClient();
    for (const fault of ["late request", "part of answer", "garbage"] as const) {
      await using proxy = await FaultProxy.start(redisUrl);
      await using lab = RedisJsonDict.connect<Lab>(proxy.url, { prefix, recordPrefix, timeout: LONG });
      await lab.set("x", []);
      proxy.fault = fault;
      const { connections } = proxy;
      const push = lab.at("x").push(1);
      while (proxy.connections < connections + 2) await beside.ping();
      proxy.fault = "none";
      if (fault === "garbage") proxy.drop();
      assertEquals(await push, 1, fault);
      await proxy.settled();
      assertEquals(await beside.get(`${prefix}x`), "[1]", fault);
      if (fault === "late request") assert(proxy.late > 0);
    }
  });

  it("RedisJsonDict ends a call by its deadline where the network is gone without a word, then connects anew", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    const prefix = uniquePrefix("bad-states");
    const recordPrefix = uniquePrefix("bad-states");
    await using lab = RedisJsonDict.connect<Lab>(proxy.url, { prefix, recordPrefix, timeout: SHORT });
    await lab.set("x", []);
    proxy.silence();
    const isLate = assertRejects(() => lab.get("x"), TimeoutError);
    const error = await lab.at("x").push(1).catch((error) => error);
    assertEquals(error.code, "AMBIGUOUS_RESULT");
    await isLate;
    let verdict: unknown;
    while (verdict === undefined) verdict = await error.resolve().catch(() => undefined);
    assertEquals(verdict, "not-applied");
    assertEquals(await lab.at("x").push(2), 1);
  });

  it("RedisJsonDict keeps the connection to a server that does nothing for a while, and all calls in it", async () => {
    await using scope = await start([], SHORT);
    const { server, client, lab } = scope;
    await using once = RedisJsonDict.connect<Lab>(server.url, {
      prefix: lab.prefix,
      timeout: LONG,
      delivery: "at-most-once",
    });
    await lab.set("x", []);
    await once.at("x").length();
    const connections = async (): Promise<number> =>
      Number(/total_connections_received:(\d+)/.exec(await client.info("stats"))?.[1]);
    const before = await connections();
    Deno.kill(server.pid, "SIGSTOP");
    const patient = lab.at("x").with({ timeout: LONG }).push(1);
    await assertRejects(() => once.get("text", { timeout: SHORT }), TimeoutError);
    const fragile = once.at("y").getOrInsert(1);
    await assertRejects(() => lab.get("text"), TimeoutError);
    await assertRejects(() => lab.get("text"), TimeoutError); // both were asked whether they are there meanwhile
    Deno.kill(server.pid, "SIGCONT");
    assertEquals([await patient, await fragile], [1, 1]);
    assertEquals(await lab.get("x"), [1]);
    assert(await connections() > before);
  });
});
