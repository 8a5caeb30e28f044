// What a user of the npm package writes: prints the final value for tools/pack_check.ts to compare.
import { RedisJsonDict } from "@json-dict/redis";

const dict = RedisJsonDict.connect(process.env.REDIS_URL, { prefix: "esm:" });
await dict.set("k", { n: 1, list: [1] });
await dict.at("k", "list").push(2);
await dict.at("k", "n").increment();
console.log(JSON.stringify(await dict.get("k")));
await dict.clear();
await dict.close();
