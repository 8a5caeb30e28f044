// The same as esm.mjs, by require.
const { RedisJsonDict } = require("@json-dict/redis");
const { fromBun } = require("@json-dict/redis/bun");
const { RedisJsonDict: Core } = require("@json-dict/redis/core");
const { fromNodeRedis } = require("@json-dict/redis/node-redis");
const { connect, dictionary } = require("@json-dict/redis/sync");
const { fromUpstash } = require("@json-dict/redis/upstash");

if (Core !== RedisJsonDict) throw new Error("core is another class");
for (const make of [fromBun, fromNodeRedis, fromUpstash]) {
  if (typeof make !== "function") throw new Error("an adapter is missing");
}

async function main() {
  const dict = RedisJsonDict.connect(process.env.REDIS_URL, { prefix: "cjs:" });
  await dict.set("k", { n: 1, list: [1] });
  await dict.at("k", "list").push(2);
  await dict.at("k", "n").increment();
  console.log(JSON.stringify(await dict.get("k")));
  const plain = connect(process.env.REDIS_URL, { prefix: "cjs:" });
  plain.k.list.push(3);
  if (JSON.stringify(plain.k) !== '{"n":2,"list":[1,2,3]}') throw new Error("./sync has lost something");
  dictionary(plain).close();
  await dict.clear();
  await dict.close();
}

main();
