/** Exactly once: lost answers, lost requests and late ones, with every setting of ioredis that matters. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { RedisOptions } from "ioredis";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { AmbiguousResultError, TimeoutError } from "../../src/errors/delivery.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, removeKeys, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();

interface Lab {
  x: number[];
  y: number;
}

interface Scope extends AsyncDisposable {
  readonly lab: RedisJsonDict<Lab>;
  readonly proxy: FaultProxy;
  readonly recordPrefix: string;
  /** The text of a key, seen from beside the proxy. */
  text(key: keyof Lab): Promise<string | null>;
}

/** A dictionary behind a proxy, on a client with such settings or, without, on its own one. */
async function start(options: Partial<DictOptions> = {}, settings?: RedisOptions): Promise<Scope> {
  const proxy = await FaultProxy.start(redisUrl);
  const recordPrefix = uniquePrefix("once-op");
  const all = { prefix: uniquePrefix("once"), recordPrefix, timeout: 10_000, ...options };
  const own = settings && new Redis(proxy.url, { retryStrategy: () => 5, ...settings });
  own?.on("error", () => {});
  const lab = own ? new RedisJsonDict<Lab>(own, all) : RedisJsonDict.connect<Lab>(proxy.url, all);
  // What must not fail has no short deadline: it goes beside the proxy, and gives the server the script.
  const beside = new RedisJsonDict<Lab>(client, { prefix: all.prefix, recordPrefix, timeout: 60_000 });
  await beside.set("x", []);
  await beside.at("x").push(0);
  await until(() => lab.has("x").then(() => true, () => false));
  return {
    lab,
    proxy,
    recordPrefix,
    text: (key) => client.get(lab.prefix + key),
    async [Symbol.asyncDispose]() {
      await lab.close();
      own?.disconnect();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

/** Waits until a condition holds that only the server or the proxy can bring about. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await client.ping();
}

/** Breaks the connection at the next so many requests or answers, then lets all through. */
async function breakTimes(proxy: FaultProxy, fault: "drop answer" | "drop request", times: number) {
  const before = proxy.connections;
  proxy.fault = fault;
  await until(() => proxy.connections >= before + times);
  proxy.fault = "none";
}

const SETTINGS: readonly [string, RedisOptions][] = [
  ["its defaults", {}],
  ["maxRetriesPerRequest 0", { maxRetriesPerRequest: 0 }],
  ["maxRetriesPerRequest null", { maxRetriesPerRequest: null }],
  ["autoResendUnfulfilledCommands false", { autoResendUnfulfilledCommands: false }],
  ["enableOfflineQueue false", { enableOfflineQueue: false, lazyConnect: false }],
  ["commandTimeout", { commandTimeout: 100 }],
  ["enableAutoPipelining", { enableAutoPipelining: true }],
  ["lazyConnect", { lazyConnect: true }],
  ["protocol 2", { protocol: 2 }],
];

describe("exactly once", () => {
  for (const [name, settings] of SETTINGS) {
    it(`RedisJsonDict applies a change once whose answer or request is lost, with ioredis and ${name}`, async () => {
      await using scope = await start({}, settings);
      const { lab, proxy, text } = scope;
      for (const fault of ["drop answer", "drop request"] as const) {
        const push = lab.at("x").push(fault.length);
        await breakTimes(proxy, fault, 3);
        assertEquals(await push, fault === "drop answer" ? 2 : 3);
      }
      assertEquals(await text("x"), "[0,11,12]");
    });
  }

  it("RedisJsonDict.connect() applies a change once, and says what it answered", async () => {
    await using scope = await start();
    const { lab, proxy, text } = scope;
    await lab.set("y", 5);
    const popped = lab.pop("y");
    await breakTimes(proxy, "drop answer", 4);
    assertEquals(await popped, 5);
    const many = [lab.at("x").push(1), lab.at("x").push(2, 3), lab.at("x", 0).increment(7)];
    await breakTimes(proxy, "drop answer", 2);
    assertEquals(await Promise.all(many), [2, 4, 7]);
    assertEquals([await text("x"), await text("y")], ["[7,1,2,3]", null]);
  });

  it("RedisJsonDict keeps order and read after write over lost connections", async () => {
    await using scope = await start();
    const { lab, proxy, text } = scope;
    const pushes = Array.from({ length: 30 }, (_, index) => lab.at("x").push(index + 1));
    const read = lab.get("x");
    const after = lab.set("x", [99]);
    await breakTimes(proxy, "drop answer", 2);
    assertEquals((await Promise.all(pushes)).at(-1), 31);
    assertEquals((await read)?.length, 31);
    await after;
    assertEquals(await text("x"), "[99]");
  });

  it("RedisJsonDict refuses the second arrival too where it refused the first", async () => {
    await using scope = await start();
    const { lab, proxy } = scope;
    const write = lab.at("x", 5).set(1).then(() => "applied", (error) => error.code);
    await breakTimes(proxy, "drop answer", 2);
    assertEquals(await write, "INDEX_OUT_OF_RANGE");
  });
});

describe("AmbiguousResultError.resolve()", () => {
  /** Lets a call run into its deadline, and gives its error. */
  async function lose(scope: Scope, call: () => Promise<unknown>, fault: FaultProxy["fault"]) {
    scope.proxy.fault = fault;
    const error = await assertRejects(call, AmbiguousResultError);
    scope.proxy.fault = "none";
    return error;
  }

  it("resolve() says applied where the call arrived, and changes nothing", async () => {
    await using scope = await start({ timeout: 1_000 }, { maxRetriesPerRequest: 0 });
    const { lab, proxy, text } = scope;
    const error = await lose(scope, () => lab.at("x").push(1), "no answers");
    assert(/^[\w-]{12}$/.test(error.callId ?? ""));
    proxy.drop();
    assertEquals(await error.resolve(), "applied");
    assertEquals(await error.resolve(), "applied");
    assertEquals(await text("x"), "[0,1]");
  });

  it("resolve() says not-applied where it did not, and stops it when it comes after all", async () => {
    await using scope = await start({ timeout: 1_000 }, { maxRetriesPerRequest: null });
    const { lab, proxy, text, recordPrefix } = scope;
    const error = await lose(scope, () => lab.at("x").push(1), "no requests");
    const beside = new RedisJsonDict<Lab>(client, { prefix: lab.prefix, recordPrefix });
    proxy.drop(); // the client sends its call again by itself, over the new connection
    assert(["applied", "not-applied"].includes(await error.resolve()));
    const verdict = await error.resolve();
    assertEquals(await text("x"), verdict === "applied" ? "[0,1]" : "[0]");
    await beside.at("x").push(2);
    assertEquals(await error.resolve(), verdict);
  });

  it("resolve() leaves a record by which a late request does nothing", async () => {
    const late: (() => Promise<unknown>)[] = [];
    let isSilent = false;
    const slow = {
      call(command: string, ...args: (string | number)[]): Promise<unknown> {
        if (!isSilent) return client.call(command, ...args);
        late.push(() => client.call(command, ...args));
        return new Promise(() => {});
      },
    };
    const lab = new RedisJsonDict<Lab>(slow, { prefix: uniquePrefix("once"), timeout: 1_000 });
    await lab.set("x", [0]);
    isSilent = true;
    const error = await assertRejects(() => lab.at("x").push(1), AmbiguousResultError);
    isSilent = false;
    assertEquals([await error.resolve(), late.length], ["not-applied", 1]);
    assertEquals(await late[0](), []);
    assertEquals(await client.get(`${lab.prefix}x`), "[0]");
    assertEquals(await error.resolve(), "not-applied");
  });

  it("resolve() reports each change of a shared call by itself", async () => {
    await using scope = await start({ timeout: 1_000 }, { maxRetriesPerRequest: 0 });
    const { lab, proxy, text } = scope;
    proxy.fault = "no answers";
    const calls = [lab.at("x").push(1), lab.at("x", 9).set(1), lab.at("x").push(2)];
    const errors = await Promise.all(calls.map((call) => assertRejects(() => call, AmbiguousResultError)));
    proxy.fault = "none";
    proxy.drop();
    const verdicts = await Promise.all(errors.map((error) => error.resolve()));
    assertEquals(verdicts, ["applied", "not-applied", "applied"]);
    assertEquals([new Set(errors.map((error) => error.callId)).size, await text("x")], [1, "[0,1,2]"]);
  });

  it("resolve() says TimeoutError while there is no answer, and the verdict later", async () => {
    await using scope = await start({ timeout: 1_000 });
    const { lab, proxy } = scope;
    const error = await lose(scope, () => lab.at("x").push(1), "no answers");
    proxy.fault = "no answers";
    await assertRejects(() => error.resolve(), TimeoutError, "resolve push");
    proxy.fault = "none";
    proxy.drop();
    let verdict: string | undefined;
    await until(async () => (verdict = await error.resolve().catch(() => undefined)) !== undefined);
    assertEquals(verdict, "applied");
  });
});

describe("a call that comes late", () => {
  const now = Date.now;

  /** Lets our clock be wrong by so many milliseconds while something runs. */
  async function wrongBy<R>(ms: number, run: () => Promise<R>): Promise<R> {
    Date.now = () => now() + ms;
    try {
      return await run();
    } finally {
      Date.now = now;
    }
  }

  /** The client of the tests, with all it was asked to send. */
  function recorder() {
    const sent: (() => Promise<unknown>)[] = [];
    const call = (command: string, ...args: (string | number)[]): Promise<unknown> => {
      sent.push(() => client.call(command, ...args));
      return sent.at(-1)!();
    };
    return { sent, call };
  }

  it("RedisJsonDict lets no copy of a call run when its record is gone", async () => {
    const { sent, call } = recorder();
    const recordPrefix = uniquePrefix("once-op");
    const lab = new RedisJsonDict<Lab>({ call }, {
      prefix: uniquePrefix("once"),
      recordPrefix,
      timeout: 1_000,
    });
    await lab.set("x", [0]);
    // Copies are late 31 s after they are sent, by a right clock; this one leaves them three seconds.
    await wrongBy(-28_000, async () => assertEquals(await lab.at("x").push(1), 2));
    const copy = sent.at(-1)!;
    assertEquals(await copy(), ["2"], "the record answers");
    await removeKeys(client, recordPrefix);
    let answer: unknown;
    await until(async () => {
      await client.set(`${lab.prefix}x`, "[0,1]");
      answer = await copy().catch((error) => error);
      await removeKeys(client, recordPrefix);
      return answer instanceof Error;
    });
    assert(String(answer).includes("LATE"), String(answer));
    assertEquals(await client.get(`${lab.prefix}x`), "[0,1]");
  });

  it("RedisJsonDict learns the time of a server whose clock is far from its own", async () => {
    for (const ms of [-3_600_000, 3_600_000]) {
      const { sent, call } = recorder();
      const lab = new RedisJsonDict<Lab>({ call }, { prefix: uniquePrefix("once"), timeout: 5_000 });
      await wrongBy(ms, async () => {
        await lab.set("x", []);
        const before = sent.length;
        for (let length = 1; length < 10; length++) assertEquals(await lab.at("x").push(length), length);
        assertEquals(sent.length - before, 9);
      });
      assertEquals(await lab.at("x").push(10), 10, "and again when its own clock is put right");
    }
  });
});

describe("at most once", () => {
  it("RedisJsonDict says AmbiguousResultError at once where an answer is lost, and sends nothing again", async () => {
    for (const fault of ["drop answer", "drop request"] as const) {
      await using scope = await start({ delivery: "at-most-once" });
      const { lab, proxy, text } = scope;
      proxy.fault = fault;
      const error = await assertRejects(() => lab.at("x").push(1), AmbiguousResultError);
      assertEquals(error.callId, undefined);
      await assertRejects(() => error.resolve(), TypeError, 'as delivery is "at-most-once"');
      proxy.fault = "none";
      await lab.at("x").push(2);
      assertEquals(await text("x"), fault === "drop answer" ? "[0,1,2]" : "[0,2]");
    }
  });

  it("RedisJsonDict does not wait where the client never settles what it lost", async () => {
    await using scope = await start({ delivery: "at-most-once" }, { autoResendUnfulfilledCommands: false });
    const { lab, proxy, text } = scope;
    proxy.fault = "drop answer";
    await assertRejects(() => lab.at("x").push(1), AmbiguousResultError);
    proxy.fault = "none";
    assertEquals(await lab.at("x").push(2), 3);
    assertEquals(await text("x"), "[0,1,2]");
  });

  it("RedisJsonDict refuses a client that would send a change again", () => {
    for (const settings of [{}, { maxRetriesPerRequest: 1 }, { maxRetriesPerRequest: null }]) {
      const own = testClient({ lazyConnect: true, ...settings });
      assertThrows(
        () => new RedisJsonDict(own, { prefix: "", delivery: "at-most-once" }),
        TypeError,
        "make it with maxRetriesPerRequest: 0",
      );
    }
  });

  it("RedisJsonDict refuses other words for delivery, and prefixes of records that hide their tag", () => {
    const own = testClient({ lazyConnect: true });
    for (const delivery of ["exactly", 1, null]) {
      assertThrows(
        () => new RedisJsonDict(own, { prefix: "", delivery } as never),
        TypeError,
        "Cannot use the delivery",
      );
    }
    for (const recordPrefix of ["", "a{b", 1, null]) {
      assertThrows(
        () => new RedisJsonDict(own, { prefix: "", recordPrefix } as never),
        TypeError,
        "recordPrefix",
      );
    }
  });
});

describe("a client that is ended", () => {
  it("RedisJsonDict settles every call when the client is ended under way, each by its deadline", async () => {
    for (const end of ["quit", "disconnect"] as const) {
      const proxy = await FaultProxy.start(redisUrl);
      const own = new Redis(proxy.url, { disconnectTimeout: 20 });
      own.on("error", () => {});
      const lab = new RedisJsonDict<Lab>(own, { prefix: uniquePrefix("once"), timeout: 1_000 });
      await lab.set("x", []);
      proxy.fault = "no answers";
      const calls = [lab.at("x").push(1), lab.get("y"), lab.set("y", 1)];
      const ended = own[end]();
      const codes = calls.map((call) => call.then(() => "", (error) => error.code as string));
      assertEquals((await Promise.all(codes)).map((code) => code.length > 0), [true, true, true]);
      assertEquals(await codes[0], "AMBIGUOUS_RESULT");
      proxy.drop();
      if (end === "quit" && own.status !== "end") own.disconnect();
      await Promise.resolve(ended).catch(() => {});
      await until(() => own.status === "end");
      await proxy[Symbol.asyncDispose]();
    }
  });
});
