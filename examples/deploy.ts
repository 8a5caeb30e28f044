/**
 * A shopping cart as a function: `deno serve`, Deno Deploy, or any host that starts many short processes of it.
 *
 * ```
 * REDIS_URL=redis://localhost:6379 deno serve --allow-net --allow-env examples/deploy.ts
 * curl -X POST 'localhost:8000/carts/ada?article=book'
 * curl localhost:8000/carts/ada
 * ```
 *
 * @module
 */

import { RedisJsonDict, TimeoutError, UnavailableError } from "@json-dict/redis";

interface Cart {
  articles: Record<string, number>;
  changes: number;
}

/** How long a cart is kept after its last change. */
const DAY = 86_400_000;
/** The host ends a function soon after SIGINT. */
const TIME_TO_END = 4_000;

let carts: RedisJsonDict<Record<string, Cart>> | undefined;

/** One connection for each process, opened by its first request and not while the file is loaded. */
function open(): RedisJsonDict<Record<string, Cart>> {
  return carts ??= RedisJsonDict.connect(Deno.env.get("REDIS_URL") ?? "redis://localhost:6379", {
    prefix: `${Deno.env.get("DEPLOYMENT") ?? "local"}:cart:`, // previews must not change the carts of customers
    timeout: 3_000, // less than a visitor waits
  });
}

async function handle(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const user = /^\/carts\/([^/]+)$/.exec(pathname)?.[1];
  if (user === undefined) return new Response("GET or POST /carts/:user", { status: 404 });
  if (request.method === "GET") return Response.json(await open().get(user) ?? { articles: {}, changes: 0 });
  const article = searchParams.get("article");
  if (request.method !== "POST" || article === null) {
    return new Response("POST ?article=name", { status: 400 });
  }
  await open().edit((carts) => {
    const cart = carts[user] ??= { articles: {}, changes: 0 };
    cart.articles[article] = (cart.articles[article] ?? 0) + 1;
    cart.changes++;
  });
  await open().expire(user, DAY);
  return Response.json(await open().get(user));
}

export default {
  async fetch(request: Request): Promise<Response> {
    try {
      return await handle(request);
    } catch (error) {
      // It did not happen. What may have happened, an AmbiguousResultError, is for the log.
      if (!(error instanceof TimeoutError || error instanceof UnavailableError)) throw error;
      return Response.json({ error: error.message }, { status: 503, headers: { "retry-after": "1" } });
    }
  },
} satisfies Deno.ServeDefaultExport;

Deno.addSignalListener("SIGINT", async () => {
  await carts?.close({ timeout: TIME_TO_END });
  Deno.exit(0);
});
