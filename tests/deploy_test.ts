/** The function of examples/deploy.ts as a host runs it. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { importMapArgs } from "../tools/offline.ts";
import { startRedis } from "../tools/redis_server.ts";
import { FaultProxy } from "./support/fault_proxy.ts";
import { redisUrl, testClient, uniquePrefix } from "./support/redis.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const importMap = await importMapArgs();
const client = testClient();

/** A running function. */
class Process implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #address: Promise<string>;
  #output = "";
  readonly #reading: Promise<void>;

  constructor(url: string, deployment: string) {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["serve", "--port=0", "--host=127.0.0.1", "--allow-env", "--allow-net", "--no-check"],
        ...[...importMap, "examples/deploy.ts"],
      ],
      cwd: ROOT,
      env: { REDIS_URL: url, DEPLOYMENT: deployment, NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    const started = Promise.withResolvers<string>();
    this.#address = started.promise;
    this.#reading = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        this.#output += text;
        const address = /http:\/\/127\.0\.0\.1:\d+/.exec(this.#output)?.[0];
        if (address) started.resolve(address);
      }
      started.reject(new Error(`The function did not start: ${this.#output}`));
      started.promise.catch(() => {});
    })();
  }

  async add(user: string, article: string): Promise<Response> {
    return await fetch(`${await this.#address}/carts/${user}?article=${article}`, { method: "POST" });
  }

  async cart(user: string): Promise<{ articles: Record<string, number>; changes: number }> {
    return await (await fetch(`${await this.#address}/carts/${user}`)).json();
  }

  /** Ends it as a host does. */
  async end(): Promise<{ code: number; ms: number }> {
    const start = performance.now();
    this.#child.kill("SIGINT");
    const { code } = await this.#child.status;
    await this.#reading;
    return { code, ms: performance.now() - start };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#child.status;
    await this.#reading;
  }
}

async function added(response: Response): Promise<number> {
  const body = await response.text();
  assertEquals(response.status, 200, body);
  return JSON.parse(body).changes;
}

describe("examples/deploy.ts", () => {
  it("deploy.ts counts right over many short processes", async () => {
    const deployment = uniquePrefix("deploy");
    for (let wave = 0; wave < 3; wave++) {
      const processes = Array.from({ length: 3 }, () => new Process(redisUrl, deployment));
      try {
        await Promise.all(processes.map(async (process) => {
          await added(await process.add("ada", "book"));
          await added(await process.add("ada", "pen"));
          assertEquals((await process.end()).code, 0);
        }));
      } finally {
        await Promise.all(processes.map((process) => process[Symbol.asyncDispose]()));
      }
    }
    const text = await client.get(`${deployment}:cart:ada`);
    assertEquals(JSON.parse(text!), { articles: { book: 9, pen: 9 }, changes: 18 });
    assert(await client.pttl(`${deployment}:cart:ada`) > 0);
  });

  it("deploy.ts serves 300 requests at once over one connection, also when connections are killed", async () => {
    const deployment = uniquePrefix("deploy");
    await using proxy = await FaultProxy.start(redisUrl);
    await using process = new Process(proxy.url, deployment);
    await added(await process.add("ada", "first"));
    const before = proxy.connections;
    const many = Array.from({ length: 300 }, (_, n) => process.add(`user${n % 10}`, "book").then(added));
    await Promise.all(many);
    assertEquals(proxy.connections, before);
    for (let n = 0; n < 10; n++) assertEquals((await process.cart(`user${n}`)).changes, 30);

    let done = 0;
    const more = Array.from({ length: 30 }, async (_, n) => {
      await added(await process.add("ada", `a${n}`));
      done++;
      if (done % 10 === 0) proxy.drop();
    });
    await Promise.all(more);
    assertEquals((await process.cart("ada")).changes, 31);
    assertEquals((await process.end()).code, 0);
  });

  it("deploy.ts answers 503 while the server is frozen, and ends in time", async () => {
    await using server = await startRedis();
    await using process = new Process(server.url, "deploy");
    await added(await process.add("ada", "book"));
    Deno.kill(server.pid, "SIGSTOP");
    try {
      const response = await process.cart("ada").catch((error) => error);
      assert("error" in response, JSON.stringify(response));
      const last = process.add("ada", "pen").then((response) => response.text()).catch(() => {}); // under way when it ends
      const { code, ms } = await process.end();
      await last;
      assertEquals(code, 0);
      assert(ms < 5_000, `it took ${ms} ms`);
    } finally {
      Deno.kill(server.pid, "SIGCONT");
    }
  });
});
