/**
 * Runs the contract on the client that is built into Bun, in Bun; one line of JSON for each check.
 *
 * @module
 */

import { CONTRACT } from "./contract.ts";
import { fromBun } from "../../src/clients/bun.ts";
import { FaultProxy } from "../support/fault_proxy.ts";

/** What is used of Bun. Deno, which checks the types of this file, does not know it. */
interface BunGlobal {
  readonly RedisClient: new (url: string) => Parameters<typeof fromBun>[0] & { close(): void };
  readonly env: Readonly<Record<string, string | undefined>>;
}

const { RedisClient, env } = (globalThis as unknown as { Bun: BunGlobal }).Bun;

async function run(check: (typeof CONTRACT)[number]): Promise<void> {
  const proxy = await FaultProxy.start(env.REDIS_URL!);
  const client = new RedisClient(proxy.url);
  try {
    await check.run({
      client: fromBun(client),
      atMostOnce: true,
      prefix: `${env.PREFIX}${crypto.randomUUID()}:`,
      network: { set: (fault) => proxy.fault = fault, drop: () => proxy.drop() },
    });
    console.log(JSON.stringify({ name: check.name }));
  } catch (error) {
    console.log(
      JSON.stringify({ name: check.name, error: error instanceof Error ? error.stack : String(error) }),
    );
  } finally {
    client.close();
    await proxy[Symbol.asyncDispose]();
  }
}

for (const check of CONTRACT.filter(({ isSlow }) => !isSlow)) await run(check);
await Promise.all(CONTRACT.filter(({ isSlow }) => isSlow).map(run));
