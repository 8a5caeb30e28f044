/**
 * Snapshots: the values of a live dictionary, page by page.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { RedisClient } from "../run/client.ts";
import type { Connection } from "./connection.ts";
import type { DumpItem } from "./dump_format.ts";

/** How many values, and about how many bytes, are read at once. */
const PAGE = 200;
const PAGE_BYTES = 4_000_000;

/** What was read, or the key of a value that holds bytes that no text can hold. */
export type Snapshot = { readonly item: DumpItem } | { readonly unreadable: string };

/**
 * Reads all values. At most 200 values, or 4 MB of them and one more, are in memory at the same time.
 *
 * On a single server each page is read at one moment; values that come, go or change meanwhile are in it or not.
 *
 * @param connection Where they are.
 * @param signal Ends it between two pages.
 * @returns The values, in no order.
 */
export async function* snapshot(connection: Connection, signal: AbortSignal): AsyncGenerator<Snapshot> {
  let page: string[] = [];
  for await (const key of connection.dict.keys({ signal })) {
    page.push(key);
    if (page.length < PAGE) continue;
    yield* readPage(connection, page);
    page = [];
  }
  yield* readPage(connection, page);
}

/** Reads values by their keys; those that are not there are left out. */
async function* readPage(connection: Connection, keys: readonly string[]): AsyncGenerator<Snapshot> {
  const { client, prefix } = connection;
  const sizes = await connection.answerOf(
    Promise.all(keys.map((key) => client.call("STRLEN", prefix + key))),
  );
  for (let from = 0; from < keys.length;) {
    let to = from;
    for (let bytes = 0; to < keys.length && (to === from || bytes < PAGE_BYTES); to++) {
      bytes += Number(sizes[to]);
    }
    const part = keys.slice(from, to);
    const names = part.map((key) => prefix + key);
    const answers = await connection.answerOf(readAtOnce(client, names));
    for (const [index, [text, ttl]] of answers.entries()) {
      if (text === null || ttl === -2) continue;
      const key = part[index];
      const isSure = !text.includes("\ufffd") ||
        await connection.answerOf(isExact(client, names[index], text));
      if (!isSure) yield { unreadable: key };
      // A value with less than a millisecond left has 0; it expires, too.
      else yield { item: { key, text, ...ttl === -1 ? {} : { ttl: Math.max(ttl, 1) } } };
    }
    from = to;
  }
}

type Answer = readonly [text: string | null, ttl: number];

async function readAtOnce(client: RedisClient, names: readonly string[]): Promise<Answer[]> {
  if (client.nodes !== undefined) {
    return await Promise.all(names.map(async (name): Promise<Answer> => {
      const [text, ttl] = await Promise.all([client.call("GET", name), client.call("PTTL", name)]);
      return [text as string | null, Number(ttl)];
    }));
  }
  const commands = [
    client.call("MULTI"),
    client.call("MGET", ...names),
    ...names.map((name) => client.call("PTTL", name)),
  ];
  const [answers] = await Promise.all([client.call("EXEC"), ...commands]);
  const [texts, ...ttls] = answers as [(string | null)[], ...number[]];
  return texts.map((text, index) => [text, ttls[index]]);
}

/**
 * Whether a text is all of the value. U+FFFD may be in it, or may stand for bytes that are no UTF-8.
 *
 * @param client Reads the bytes.
 * @param name The name in Redis.
 * @param text What was read as a text.
 * @returns Whether they are the same.
 */
export async function isExact(client: RedisClient, name: string, text: string): Promise<boolean> {
  return (await bytesOf(client, name))?.equals(Buffer.from(text)) ?? false;
}

/**
 * Reads a value as it is.
 *
 * @param client Reads it.
 * @param name The name in Redis.
 * @returns Its bytes; nothing if there are none, or the client cannot read them.
 */
export async function bytesOf(client: RedisClient, name: string): Promise<Buffer | undefined> {
  const { callBuffer } = client as { callBuffer?: (command: string, key: string) => Promise<Buffer | null> };
  return await callBuffer?.call(client, "GET", name) ?? undefined;
}
