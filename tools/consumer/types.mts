// Compiled, not run: what the package's types let through and what they refuse.
import { RedisJsonDict } from "@json-dict/redis";
import { RedisJsonDict as Core } from "@json-dict/redis/core";
import { connect, dictionary } from "@json-dict/redis/sync";
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
// @ts-expect-error: JSON holds no Date
RedisJsonDict.connect<{ k: { made: Date } }>("redis://localhost:6379", { prefix: "types:" });
// @ts-expect-error: a recipe is synchronous
const edited: Promise<unknown> = dict.edit(async (draft) => void (draft.k.n = await Promise.resolve(1)));
await dict.close();
const edge: RedisJsonDict<Lab> = new Core<Lab>(fromUpstash({ url: "https://name.upstash.io", token: "t" }), {
  prefix: "",
});
if (edge instanceof RedisJsonDict) await edge.close();
// @ts-expect-error: core has no connect
Core.connect("redis://localhost:6379");
const lab = connect<Lab>("redis://localhost:6379", { prefix: "types:" });
const list: number[] = lab.k.list;
const counted: number = dictionary(lab).at("k", "n").increment();
const whole: Lab = lab;
// @ts-expect-error: a list of numbers
lab.k.list.push("x");
// @ts-expect-error: there is no such key
lab.none = 1;
// @ts-expect-error: JSON holds no Date
connect<{ k: { made: Date } }>("redis://localhost:6379", { prefix: "types:" });
console.log(value, length, n, edited, list, counted, whole);
