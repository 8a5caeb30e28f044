/** Which clients are taken, and the one that the library makes. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Cluster, Redis } from "ioredis";
import { checkClient } from "../../src/run/client.ts";
import { openClient } from "../../src/run/open.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { redisUrl, testClient } from "../support/redis.ts";

describe("checkClient()", () => {
  it("checkClient() takes a Redis of ioredis and anything with call()", () => {
    const client = testClient();
    assertStrictEquals(checkClient(client), client);
    const bare = { call: () => Promise.resolve(null) };
    assertStrictEquals(checkClient(bare), bare);
  });

  it("checkClient() refuses what has no call()", () => {
    const others = [undefined, null, 5, "redis://localhost", {}, [], { call: 1 }, () => {}, Redis];
    for (const other of others) {
      const error = assertThrows(
        () => checkClient(other),
        TypeError,
        "it has no method call(command, ...args)",
      );
      assert(error.message.includes("RedisJsonDict.connect(url)"));
      assertThrows(
        () => new RedisJsonDict(other as never, { prefix: "" }),
        TypeError,
        "Cannot use the client",
      );
    }
  });

  it("checkClient() refuses a keyPrefix and says what to do instead", () => {
    const client = new Redis(redisUrl, { keyPrefix: "lab:", lazyConnect: true });
    assertThrows(
      () => checkClient(client),
      TypeError,
      'it has keyPrefix "lab:"; give the dictionary a prefix instead',
    );
    client.disconnect();
    const none = new Redis(redisUrl, { keyPrefix: "", lazyConnect: true });
    assertStrictEquals(checkClient(none), none);
    none.disconnect();
  });

  it("checkClient() takes the client of a cluster, but for one with a keyPrefix", () => {
    const cluster = new Cluster([redisUrl], { lazyConnect: true });
    assertStrictEquals(checkClient(cluster), cluster);
    cluster.disconnect();
    for (const options of [{ keyPrefix: "p:" }, { redisOptions: { keyPrefix: "p:" } }]) {
      const prefixed = new Cluster([redisUrl], { lazyConnect: true, ...options });
      assertThrows(() => checkClient(prefixed), TypeError, 'keyPrefix "p:"');
      prefixed.disconnect();
    }
  });
});

describe("openClient()", () => {
  it("openClient() refuses what is no address of Redis", () => {
    for (
      const url of ["", "localhost:6379", "http://localhost", "/tmp/redis.sock", "6379", "redis:localhost"]
    ) {
      const error = assertThrows(
        () => openClient(url, 1000),
        TypeError,
        "the address must start with redis:// or rediss://",
      );
      assertEquals(error.message.includes("not with http://"), url.startsWith("http:"));
    }
  });

  it("openClient() says what is wrong with an address, and quotes nothing of it", () => {
    const cases: [string, string][] = [
      ["redis://h:99999", "the address has a port above 65535"],
      ["redis://bob:TopSecret@h:70000/1", "a port above 65535"],
      ["redis://bob:Top/Secret@h:6379", "no host that can be read"],
      ["redis://:TopSecret@", "no host that can be read"],
      ["redis://bob:Top%Secret@h", "a % that starts no escape"],
      ["redis://%zz:TopSecret@h", "a % that starts no escape"],
      ["redis://h/TopSecret", "no database number"],
      ["redis://h/-1", "no database number"],
      ["redis://h/1.5", "no database number"],
      ["redis://h/1/TopSecret", "no database number"],
      ["redes://bob:TopSecret@h", "must start with redis:// or rediss://, not with redes://"],
      ["bob:TopSecret@h:6379", "must start with redis:// or rediss://"],
      ["TopSecret", "must start with redis:// or rediss://"],
    ];
    for (const [url, message] of cases) {
      for (const address of [url, [redisUrl, url]]) {
        const error = assertThrows(() => openClient(address, 1000), TypeError, message);
        assert(!/Secret|bob/.test(`${error.message}${error.stack}`), error.message);
        assertEquals([error.cause, Object.keys(error)], [undefined, []]);
      }
    }
  });

  it("openClient() refuses lists that are no addresses of a cluster", () => {
    const lists: [string[], string][] = [
      [[], "the list of addresses is empty"],
      [["redis://a", "b:6379"], "must start with redis:// or rediss://"],
      [["redis://a/1"], "no databases but 0"],
    ];
    for (const [urls, message] of lists) assertThrows(() => openClient(urls, 1000), TypeError, message);
  });

  it("openClient() takes a URL object and a database number", async () => {
    const url = new URL(redisUrl);
    url.pathname = "/3";
    const { client, quit } = openClient(url, 1000);
    try {
      assert(String(await client.call("CLIENT", "INFO")).includes(" db=3 "));
    } finally {
      await quit();
    }
    assertEquals(client.status, "end");
  });

  it("openClient() makes a client that sends no command twice", async () => {
    const { client, quit } = openClient(redisUrl, 1000);
    assertEquals((client.options as { maxRetriesPerRequest?: number }).maxRetriesPerRequest, 0);
    await quit();
  });
});

describe("RedisJsonDict options", () => {
  it("RedisJsonDict works on a client that waits for its first command", async () => {
    const client = testClient({ lazyConnect: true });
    const lab = new RedisJsonDict(client, { prefix: "client:lazy:" });
    assertEquals(client.status, "wait");
    assertEquals(await lab.get("x"), undefined);
  });

  it("RedisJsonDict refuses options of the wrong type", () => {
    const make = (options: unknown) => () =>
      new RedisJsonDict(testClient({ lazyConnect: true }), options as never);
    for (const prefix of [5, null, {}, ["a"], true]) {
      assertThrows(make({ prefix }), TypeError, "Cannot use the prefix");
    }
    assertThrows(make({ prefix: "a\ud800" }), TypeError, "lone surrogate");
    for (const bigints of [1, "true", null]) {
      assertThrows(make({ prefix: "", bigints }), TypeError, "bigints");
      assertThrows(make({ prefix: "", hints: bigints }), TypeError, "hints");
    }
    for (const readWhole of ["5", null, {}, 5n]) {
      assertThrows(make({ prefix: "", readWhole }), TypeError, "Cannot use the option readWhole");
    }
    for (const readWhole of [-1, 0.5, NaN, Infinity]) {
      assertThrows(make({ prefix: "", readWhole }), RangeError, "Cannot use the option readWhole");
    }
    for (const timeout of ["5", null, 5n]) {
      assertThrows(make({ prefix: "", timeout }), TypeError, "Cannot use the timeout");
    }
    for (const timeout of [0, -1, NaN, Infinity, 2 ** 31]) {
      assertThrows(make({ prefix: "", timeout }), RangeError, "Cannot use the timeout");
    }
    for (const options of [null, 5, "prefix", ["prefix"]]) {
      assertThrows(make(options), TypeError, 'write an object, as { prefix: "lab:" }');
    }
    const named = {
      prefx: "prefix",
      keyPrefix: "prefix",
      timeOut: "timeout",
      bigint: "bigints",
      durable: "durability",
    };
    for (const [wrong, right] of Object.entries(named)) {
      const message = `there is no option "${wrong}"; use ${right}`;
      assertThrows(make({ prefix: "", [wrong]: "lab:" }), TypeError, message);
    }
    assertThrows(make({ prefix: "", durability: { replica: 1 } }), TypeError, "use replicas");
    assertThrows(() => RedisJsonDict.connect(redisUrl, { prefix: "", timeout: 0 }), RangeError);
  });
});
