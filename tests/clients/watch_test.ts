/** Watching and caching on every client, also where the server refuses to redirect. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { Redis as Valkey } from "iovalkey";
import { createClient } from "redis";
import { createClient as createClient5 } from "redis5";
import { cached } from "../../src/api/cached.ts";
import { fromBun } from "../../src/clients/bun.ts";
import { fromNodeRedis } from "../../src/clients/node_redis.ts";
import { fromUpstash } from "../../src/clients/upstash.ts";
import { RedisJsonDict } from "../../src/api/core.ts";
import { UnavailableError } from "../../src/errors/delivery.ts";
import type { RedisClient } from "../../src/run/client.ts";
import { Pushes } from "../../src/run/pushes.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { RestServer } from "../support/rest_server.ts";
import { until } from "../support/until.ts";

// iovalkey, ioredis 5 and node-redis leave timers behind. That no connection is left is checked in any case.
Deno.test.sanitizer({ ops: false, resources: false });

// A server of its own: it is flushed, and its connections are counted.
const server = await startRedis();
/** Another program. */
const foreign = new Redis(server.url);
Deno.test.afterAll(async () => {
  foreign.disconnect();
  await server.stop();
});

/** A client, and how to end it. */
interface Opened {
  readonly client: RedisClient;
  close(): unknown;
}

interface Kind {
  readonly name: string;
  /** Whether it can be told by the newer protocol. */
  readonly hasPushes: boolean;
  /** Whether the client itself hears of changes, beside us. */
  readonly tracks?: boolean;
  open(url: string): Opened;
}

const retryStrategy = (): number => 5;
const reconnectStrategy = (): number => 5;
const ofIoredis = (
  client: { disconnect(): void; on(event: "error", listener: () => void): unknown },
): Opened => {
  client.on("error", () => {});
  return { client: client as unknown as RedisClient, close: () => client.disconnect() };
};
const ofNodeRedis = (settings: object) => (url: string): Opened => {
  const client = createClient({ url, socket: { reconnectStrategy }, ...settings });
  return { client: fromNodeRedis(client), close: () => client.isOpen && client.destroy() };
};

const KINDS: readonly Kind[] = [
  { name: "ioredis 6", hasPushes: true, open: (url) => ofIoredis(new Redis(url, { retryStrategy })) },
  {
    name: "ioredis 6 with RESP2",
    hasPushes: true,
    open: (url) => ofIoredis(new Redis(url, { retryStrategy, protocol: 2 })),
  },
  { name: "ioredis 5", hasPushes: false, open: (url) => ofIoredis(new Redis5(url, { retryStrategy })) },
  { name: "iovalkey", hasPushes: false, open: (url) => ofIoredis(new Valkey(url, { retryStrategy })) },
  { name: "node-redis 6", hasPushes: true, open: ofNodeRedis({}) },
  {
    name: "node-redis 6 with a cache of its own, in another database",
    hasPushes: true,
    tracks: true,
    open: ofNodeRedis({ clientSideCache: {}, pingInterval: 1000, database: 3 }),
  },
  {
    name: "node-redis 6 with RESP2 and bytes",
    hasPushes: true,
    open: ofNodeRedis({ RESP: 2, commandOptions: { typeMapping: { 36: Uint8Array }, timeout: 1 } }),
  },
  {
    name: "node-redis 5",
    hasPushes: true,
    open: (url) => {
      const client = createClient5({ url, socket: { reconnectStrategy } });
      return { client: fromNodeRedis(client), close: () => client.isOpen && client.destroy() };
    },
  },
];

/** The server tells nobody. */
const OK = "+OK\r\n";
const refuseRedirect = (request: Uint8Array): string | undefined =>
  new TextDecoder().decode(request).includes("REDIRECT")
    ? "-ERR REDIRECT is not supported here\r\n"
    : undefined;

/** How many connections hear of changes. */
async function trackers(): Promise<number> {
  const list = String(await foreign.call("CLIENT", "LIST"));
  return list.split("\n").filter((line) => / flags=\S*t/.test(line)).length;
}

/** A dictionary on such a client, a proxy before its server, and another connection to its database. */
async function openOn(
  kind: Kind,
  run: (lab: RedisJsonDict<Items>, proxy: FaultProxy, other: Redis) => Promise<void>,
  set: (proxy: FaultProxy) => void = () => {},
): Promise<void> {
  await using proxy = await FaultProxy.start(server.url);
  set(proxy);
  const { client, close } = kind.open(proxy.url);
  const lab = new RedisJsonDict<Items>(client, { prefix: "w:", heartbeat: 500, timeout: 10_000 });
  const other = new Redis(server.url, { db: kind.name.includes("another database") ? 3 : 0 });
  try {
    await run(lab, proxy, other);
  } finally {
    await lab.close();
    close();
    await until("the connection is closed", async () => await trackers() === 0);
    await other.flushall();
    other.disconnect();
  }
}

type Items = Record<string, unknown>;

/** Watches a place, all items and a cache, while much happens. */
async function watchAll(
  { tracks = false }: Kind,
  lab: RedisJsonDict<Items>,
  proxy: FaultProxy,
  other: Redis,
): Promise<void> {
  let last: unknown = "none yet";
  const copy = new Map<string, unknown>();
  const reads = cached(lab, new Map());
  await reads.ready();
  const watches = [lab.at("a", "n").watch(), lab.watch({ initial: true })] as const;
  const over = [
    (async () => {
      for await (const value of watches[0]) last = value;
    })(),
    (async () => {
      for await (const { key, value } of watches[1]) {
        if (key !== undefined) value === undefined ? copy.delete(key) : copy.set(key, value);
      }
    })(),
  ];
  const shows = (what: string, value: unknown): Promise<void> =>
    until(what, async () =>
      last === value && (copy.get("a") as { n: number } | undefined)?.n === value &&
      (await reads.get("a") as { n: number } | undefined)?.n === value);
  await shows("nothing is there", undefined);
  assertEquals(await trackers(), tracks ? 2 : 1);
  await other.set("w:a", '{"n":1}');
  await shows("a foreign write", 1);
  await lab.at("a", "n").increment();
  await shows("an own write", 2);
  await other.mset("w:\u00e9,\ufeff", "1", Buffer.from("w:\xff", "latin1"), "2");
  await until("names of any kind", () => copy.get("\u00e9,\ufeff") === 1);
  await other.flushdb();
  await shows("a flush", undefined);
  await until("a flush of all", () => copy.size === 0);
  await other.set("w:a", '{"n":3}');
  await shows("a write after it", 3);
  proxy.drop();
  await other.set("w:a", '{"n":4}');
  await shows("a write while the connections are lost", 4);
  proxy.fault = "drop answer";
  proxy.drop();
  await other.set("w:a", '{"n":5}');
  proxy.fault = "none";
  await shows("a write while none could be made", 5);
  const { hits } = reads.statistics;
  await until("the cache is used", async () => {
    assertEquals((await reads.get("a") as { n: number }).n, 5);
    return reads.statistics.hits > hits;
  });
  for (const watch of watches) await watch.return();
  await Promise.all(over);
  await reads.close();
}

for (const kind of KINDS) {
  describe(`Watching on ${kind.name}`, () => {
    it(`Watching on ${kind.name} sees the last state through lost connections and flushes, and so does cached()`, () =>
      openOn(kind, (...args) => watchAll(kind, ...args)));

    it(`Watching on ${kind.name} where REDIRECT is refused ${kind.hasPushes ? "works by RESP3" : "says so"}`, () =>
      openOn(kind, async (lab, proxy, other) => {
        if (kind.hasPushes) return await watchAll(kind, lab, proxy, other);
        const error = await assertRejects(
          () => lab.at("x").watch().next(),
          UnavailableError,
          "by REDIRECT: ERR REDIRECT is not supported here; by RESP3: the client speaks no RESP3",
        );
        assertEquals(error.reason, "TRACKING");
        await assertRejects(() => cached(lab, new Map()).ready(), UnavailableError, "speaks no RESP3");
      }, (proxy) => proxy.reply = refuseRedirect));

    it(`Watching on ${kind.name} says what the server lacks`, () =>
      openOn(kind, async (lab) => {
        const error = await assertRejects(() => lab.watch().next(), UnavailableError, "unknown command");
        assertEquals(error.reason, "TRACKING");
      }, (proxy) => {
        proxy.reply = (request) => {
          const text = new TextDecoder().decode(request);
          return /\nCLIENT\r\n\$\d+\r\n(?:ID|TRACKING)\r/.test(text)
            ? "-ERR unknown command 'CLIENT'\r\n"
            : undefined;
        };
      }));
  });
}

describe("Watching on all clients at once", () => {
  it("Watching on all clients at once ends while it connects, and leaves no connection", async () => {
    await Promise.all(KINDS.map(async (kind, index) => {
      for (let round = 0; round < 12; round++) {
        const { client, close } = kind.open(server.url);
        const lab = new RedisJsonDict<Items>(client, { prefix: `early${index}:`, timeout: 60_000 });
        await lab.ready(); // node-redis itself does not let go of a connection that it is making
        const nexts = [lab.at("x").watch(), lab.watch()].map((watch) => watch.next());
        for (let turn = 0; turn < round; turn++) await foreign.ping();
        await lab.close();
        await Promise.all(nexts);
        close();
      }
    }));
    await until("the connections are closed", async () => await trackers() === 0);
  });

  it("Watching on all clients at once notices a connection that no longer answers", async () => {
    await Promise.all(KINDS.map(async (kind, index) => {
      await using proxy = await FaultProxy.start(server.url);
      const { client, close } = kind.open(proxy.url);
      const prefix = `silent${index}:`;
      const lab = new RedisJsonDict<Items>(client, { prefix, heartbeat: 500, timeout: 10_000 });
      const watch = lab.at("x").watch();
      assertEquals(await watch.next(), { done: false, value: undefined });
      const before = proxy.connections;
      // Only what is asked by who listens.
      proxy.reply = (request) => /\nping\r/.test(new TextDecoder().decode(request)) ? "" : undefined;
      const next = watch.next();
      await until(`${kind.name} makes another connection`, () => proxy.connections > before);
      proxy.reply = () => undefined;
      await lab.set("x", 1);
      assertEquals(await next, { done: false, value: 1 }, kind.name);
      await lab.clear();
      await lab.close();
      close();
    }));
    await until("the connections are closed", async () => await trackers() === 0);
  });
});

describe("Watching where the client cannot hear", () => {
  it("Watching says why the clients of Upstash and Bun cannot", async () => {
    await using rest = await RestServer.start(server.url);
    const clients = [
      [fromUpstash({ url: rest.url.replace("redis:", "http:"), token: rest.token }), "REST only answers"],
      [
        fromBun({ connected: true, connect: () => Promise.resolve(), send: () => Promise.resolve(OK) }),
        "the client of Bun drops what the server tells",
      ],
    ] as const;
    for (const [client, message] of clients) {
      const lab = new RedisJsonDict<Items>(client, { prefix: "w:" });
      for (const watch of [lab.at("x").watch(), lab.watch()]) {
        const error = await assertRejects(() => watch.next(), UnavailableError, message);
        assertEquals(error.reason, "TRACKING");
      }
      await assertRejects(() => cached(lab, new Map()).ready(), UnavailableError, message);
      await lab.close();
    }
  });
});

describe("Pushes", () => {
  const push = (...names: string[]): string =>
    `>2\r\n$10\r\ninvalidate\r\n*${names.length}\r\n` +
    names.map((name) => `$${new TextEncoder().encode(name).length}\r\n${name}\r\n`).join("");

  it("Pushes finds all names, however the bytes are cut, and whatever else comes", () => {
    const text = "%2\r\n+proto\r\n:3\r\n$4\r\nlist\r\n*2\r\n,1.5\r\n#t\r\n" +
      push("a", ">2\r\n", "", "\u00e9\0") +
      "$-1\r\n_\r\n*-1\r\n-ERR no\r\n" + ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$10\r\ninvalidate\r\n" +
      ">2\r\n$10\r\ninvalidate\r\n_\r\n" +
      "|1\r\n+ttl\r\n:1\r\n=5\r\ntxt:a\r\n!3\r\nERR\r\n~1\r\n(12\r\n+PONG\r\n" +
      push("b") + push(...Array.from({ length: 300 }, (_, index) => `n${index}`));
    const bytes = new TextEncoder().encode(text);
    const expected = [
      ["a", ">2\r\n", "", "\u00e9\0"],
      undefined,
      ["b"],
      Array.from({ length: 300 }, (_, index) => `n${index}`),
    ];
    for (const size of [1, 2, 3, 7, 64, 1000, bytes.length]) {
      const told: (string[] | undefined)[] = [];
      const pushes = new Pushes((names) => told.push(names?.map((name) => new TextDecoder().decode(name))));
      for (let from = 0; from < bytes.length; from += size) {
        const piece = bytes.slice(from, from + size);
        pushes.read(piece);
        piece.fill(0); // its memory is used again
      }
      assertEquals(told, expected, `pieces of ${size}`);
    }
    assert(bytes.length > 1000);
  });

  it("Pushes reads each part of a long push once, in however many pieces it comes", () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `n${index}`);
    const bytes = new TextEncoder().encode(push(...names));
    let told = 0;
    const pushes = new Pushes((names) => told += names!.length);
    const methods = Object.getPrototypeOf(Uint8Array.prototype);
    const { indexOf } = methods;
    let looks = 0; // one for each part, and one more for each piece
    methods.indexOf = function (...args: unknown[]): number {
      looks++;
      return indexOf.apply(this, args);
    };
    try {
      for (let from = 0; from < bytes.length; from += 1_000) pushes.read(bytes.slice(from, from + 1_000));
    } finally {
      methods.indexOf = indexOf;
    }
    assertEquals(told, names.length);
    assert(looks < 2 * names.length, `${looks} looks`);
  });
});
