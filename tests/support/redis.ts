/**
 * A real Redis for a test file: clients that are closed and prefixes that are emptied when the file is done.
 *
 * Import this module from a test file only: it registers hooks.
 *
 * @module
 */

import { Redis, type RedisOptions } from "ioredis";
import { startRedis } from "../../tools/redis_server.ts";

/** The server of this run: REDIS_URL (set by `deno task test`), else one that this file starts for itself. */
export const redisUrl: string = Deno.env.get("REDIS_URL") || (await startRedis()).url;

// On a server that someone else uses too, strange connections are no leak of ours.
const isOwn = !Deno.env.get("REDIS_URL") || Deno.env.get("JSON_DICT_OWN_SERVER") === "1";
const clients = new Set<Redis>();
const prefixes = new Set<string>();

/** A client of the test server, closed after the last test of the file. */
export function testClient(options: RedisOptions = {}): Redis {
  const client = new Redis(redisUrl, options);
  clients.add(client);
  return client;
}

/** A key prefix that nobody else uses, emptied after the last test of the file. */
export function uniquePrefix(name = "test"): string {
  const prefix = `${name}:${crypto.randomUUID()}:`;
  prefixes.add(prefix);
  return prefix;
}

/** Removes the keys that start with a prefix. */
export async function removeKeys(client: Redis, prefix: string): Promise<void> {
  const match = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
  let cursor = "0";
  do {
    const [next, keys] = await client.scan(cursor, "MATCH", match, "COUNT", 1000);
    if (keys.length > 0) await client.unlink(keys);
    cursor = next;
  } while (cursor !== "0");
}

/** The connections of the server, but for the one that asks. */
async function otherConnections(client: Redis): Promise<string[]> {
  const self = `id=${await client.client("ID")} `;
  const lines = String(await client.client("LIST")).trim().split("\n");
  return lines.filter((line) => !line.startsWith(self));
}

async function cleanUp(): Promise<void> {
  const janitor = new Redis(redisUrl);
  try {
    for (const prefix of prefixes) await removeKeys(janitor, prefix);
    for (const client of clients) client.disconnect();
    if (!isOwn) return;
    // The server sees a closed socket a moment after we closed it.
    const giveUpAt = Date.now() + 30_000;
    let others = await otherConnections(janitor);
    while (others.length > 0 && Date.now() < giveUpAt) others = await otherConnections(janitor);
    if (others.length > 0) {
      throw new Error(`The tests of this file left connections open:\n${others.join("\n")}`);
    }
  } finally {
    janitor.disconnect();
  }
}

Deno.test.afterAll(cleanUp);
