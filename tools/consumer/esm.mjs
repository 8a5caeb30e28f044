// What a user of the npm package writes: prints the final value for tools/pack_check.ts to compare.
import { RedisJsonDict } from "@json-dict/redis";
import { fromBun } from "@json-dict/redis/bun";
import { RedisJsonDict as Core } from "@json-dict/redis/core";
import { fromNodeRedis } from "@json-dict/redis/node-redis";
import { connect, dictionary } from "@json-dict/redis/sync";
import { fromUpstash } from "@json-dict/redis/upstash";

if (Core !== RedisJsonDict) throw new Error("core is another class");
for (const make of [fromBun, fromNodeRedis, fromUpstash]) {
  if (typeof make !== "function") throw new Error("an adapter is missing");
}

const dict = RedisJsonDict.connect(process.env.REDIS_URL, { prefix: "esm:" });
await dict.set("k", { n: 1, list: [1] });
await dict.at("k", "list").push(2);
await dict.at("k", "n").increment();
console.log(JSON.stringify(await dict.get("k")));

const plain = connect(process.env.REDIS_URL, { prefix: "esm:" });
plain.k.list.push(3);
if (JSON.stringify(plain.k) !== '{"n":2,"list":[1,2,3]}') throw new Error("./sync has lost something");
dictionary(plain).close();
await dict.clear();
await dict.close();
