// The same as esm.mjs, by require.
const { RedisJsonDict } = require("@json-dict/redis");

async function main() {
  const dict = RedisJsonDict.connect(process.env.REDIS_URL, { prefix: "cjs:" });
  await dict.set("k", { n: 1, list: [1] });
  await dict.at("k", "list").push(2);
  await dict.at("k", "n").increment();
  console.log(JSON.stringify(await dict.get("k")));
  await dict.clear();
  await dict.close();
}

main();
