/**
 * Web sessions that end by themselves: each request changes a part of one, and puts its end off.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/sessions.ts`
 *
 * @module
 */

import { RedisJsonDict } from "@json-dict/redis";

interface Session {
  user: string;
  visits: number;
  cart: { article: string; count: number }[];
  theme?: string;
}

const TTL = 30 * 60_000;
const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
const prefix = `sessions:${crypto.randomUUID().slice(0, 8)}:`;

await using sessions = RedisJsonDict.connect<Record<string, Session>>(url, { prefix });

/** What each request does first: the session of a visitor, made on the first visit. */
async function visit(id: string, user: string): Promise<Session> {
  const session = await sessions.getOrInsert(id, { user, visits: 0, cart: [] });
  // Neither is awaited: both leave in one call, and in this order.
  const visits = sessions.at(id, "visits").increment();
  const isAlive = sessions.expire(id, TTL);
  if (!await isAlive) throw new Error("The session ended while it was used");
  return { ...session, visits: await visits };
}

const id = crypto.randomUUID();
await visit(id, "ada");

// Two tabs put something into the cart at once: neither overwrites the other.
await Promise.all([
  sessions.at(id, "cart").push({ article: "slides, 100", count: 1 }),
  sessions.at(id, "cart").push({ article: "tweezers", count: 2 }),
]);
await sessions.at(id, "theme").set("dark");

const session = await visit(id, "ada");
const names = (await sessions.at(id, "cart").get() ?? []).map((item) => item.article);
console.log(`${session.user}, visit ${session.visits}, ${session.theme} theme, cart: ${names.join(" and ")}`);

const left = await sessions.ttl(id) ?? 0;
console.log(`ends in ${Math.round(left / 60_000)} minutes`);

const wasThere = await sessions.delete(id);
console.log(`signed out: ${wasThere}; sessions left: ${await sessions.size()}`);
