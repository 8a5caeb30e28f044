/**
 * A cart service: each request changes a cart by plain code, in one atomic call.
 *
 * However many requests come at once for one cart, none is lost and none fails: those that wait for the same cart leave
 * together.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/cart.ts`
 *
 * @module
 */

import { RedisJsonDict } from "@json-dict/redis";

interface Item {
  sku: string;
  price: number;
  qty: number;
}

interface Cart {
  items: Item[];
  total: number;
}

const PRICES: Readonly<Record<string, number>> = { slides: 4.5, tweezers: 12, gloves: 7.25 };

const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
await using carts = RedisJsonDict.connect<Record<string, Cart>>(url, { prefix: "cart:" });

/** Adds one piece to a cart: `POST /<cart>/<sku>`. */
async function handle(request: Request): Promise<Response> {
  const [, id, sku] = new URL(request.url).pathname.split("/");
  const price = PRICES[sku];
  if (price === undefined) return new Response("no such article", { status: 404 });
  const total = await carts.edit((draft) => {
    const cart = draft[id] ??= { items: [], total: 0 };
    const item = cart.items.find((each) => each.sku === sku);
    if (item) item.qty++;
    else cart.items.push({ sku, price, qty: 1 });
    cart.total = cart.items.reduce((sum, each) => sum + each.price * each.qty, 0);
    return cart.total;
  });
  return Response.json({ total });
}

// Stands for its clients, too: 1,000 requests at once, all for one cart.
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handle);
const skus = Object.keys(PRICES);
const statuses = await Promise.all(Array.from({ length: 1000 }, async (_, index) => {
  const request = `http://127.0.0.1:${server.addr.port}/ada/${skus[index % skus.length]}`;
  const response = await fetch(request, { method: "POST" });
  await response.body?.cancel();
  return response.status;
}));
await server.shutdown();

const { items, total } = await carts.getOrThrow("ada");
console.log(`${statuses.filter((status) => status === 200).length} of ${statuses.length} requests answered`);
console.log(items.map(({ sku, qty }) => `${qty} ${sku}`).sort().join(", "));
console.log(`total ${total}`);
await carts.clear();
