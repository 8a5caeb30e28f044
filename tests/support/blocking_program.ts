/**
 * Runs `tests/sync/guarantees.mjs`, and is the network between it and Redis.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { Redis } from "ioredis";
import { FaultProxy, loseAnswer } from "./fault_proxy.ts";

/** How a check went. */
export interface Checked {
  readonly name: string;
  readonly error?: string;
}

/**
 * Runs the program.
 *
 * @param command The runtime.
 * @param args Its arguments, with the program.
 * @param redisUrl The server.
 * @param prefix What the keys of the program start with.
 * @param cwd Where it runs.
 * @returns How each check went.
 * @throws {Error} If the program did not come to its end.
 */
export async function runGuarantees(
  command: string,
  args: readonly string[],
  redisUrl: string,
  prefix: string,
  cwd?: string,
): Promise<readonly Checked[]> {
  await using proxy = await FaultProxy.start(redisUrl);
  const client = new Redis(redisUrl);
  try {
    const child = new Deno.Command(command, {
      args: [...args],
      cwd,
      env: { PREFIX: prefix, REDIS_URL: proxy.url, NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    const errors = new Response(child.stderr).text();
    const checked: Checked[] = [];
    let isOver = false;
    for await (const line of createInterface({ input: Readable.fromWeb(child.stdout as never) })) {
      if (!line.startsWith("{")) continue;
      const message = JSON.parse(line);
      if ("ask" in message) {
        const answer = await DEEDS[message.ask](proxy, client, ...message.args) ?? null;
        await input.write(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
      } else if ("name" in message) checked.push(message);
      else isOver = true;
    }
    const { code } = await child.status;
    await input.close().catch(() => {}); // the program is gone
    const output = await errors;
    if (!isOver || code !== 0) throw new Error(`The program ended with ${code}: ${output}`);
    return checked;
  } finally {
    client.disconnect();
  }
}

/** What the program may ask for. */
const DEEDS: Readonly<
  Record<string, (proxy: FaultProxy, client: Redis, ...args: string[]) => unknown>
> = {
  "get": (_proxy, client, key) => client.get(key),
  "set": (_proxy, client, key, text) => client.set(key, text),
  "flush scripts": (_proxy, client) => client.script("FLUSH"),
  "drop": (proxy) => proxy.drop(),
  "fault": (proxy, _client, fault) => void (proxy.fault = fault as "none"),
  "fail for a while": (proxy) => {
    let attempts = 0;
    proxy.fault = (piece) => piece === "request" && attempts++ < 3 ? "drop request" : "none";
    proxy.drop();
  },
  "lose an answer": (proxy) => void (proxy.fault = loseAnswer()),
};
