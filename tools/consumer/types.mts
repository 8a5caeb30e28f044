// Compiled, not run: what the package's types let through and what they refuse.
import { RedisJsonDict } from "@json-dict/redis";
import { RedisJsonDict as Core } from "@json-dict/redis/core";
import { fromUpstash } from "@json-dict/redis/upstash";

interface Lab {
  k: { n: number; list: number[] };
}

const dict = RedisJsonDict.connect<Lab>("redis://localhost:6379", { prefix: "types:" });
const value: { n: number; list: number[] } | undefined = await dict.get("k");
const length: number = await dict.at("k", "list").push(2);
const n: number = await dict.at("k", "n").increment();
// @ts-expect-error: there is no such key
await dict.get("none");
// @ts-expect-error: a list has no such member
dict.at("k", "list", "none");
await dict.close();
const edge: RedisJsonDict<Lab> = new Core<Lab>(fromUpstash({ url: "https://name.upstash.io", token: "t" }), {
  prefix: "",
});
if (edge instanceof RedisJsonDict) await edge.close();
// @ts-expect-error: core has no connect
Core.connect("redis://localhost:6379");
console.log(value, length, n);
