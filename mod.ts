/**
 * A dictionary of JSON values that lives in Redis. Every change, however deep, is one atomic operation on the
 * server; nothing is cached, nothing else in the value is touched, nothing is lost.
 *
 * @example Write, change and read
 * ```ts
 * import { RedisJsonDict } from "@json-dict/redis";
 * import { assertEquals } from "@std/assert";
 *
 * interface Lab {
 *   sample: { color: string; positions: number[] };
 *   scan_id: number;
 * }
 *
 * await using lab = RedisJsonDict.connect<Lab>("redis://localhost:6379", { prefix: "doc:mod:" });
 * await lab.set("sample", { color: "red", positions: [1] });
 * await lab.at("sample", "color").set("blue");
 * await lab.at((lab) => lab.sample.positions).push(2, 3);
 * assertEquals(await lab.get("sample"), { color: "blue", positions: [1, 2, 3] });
 * await lab.clear();
 * ```
 *
 * @module
 */

export * from "./core.ts";
// These take the place of what `./core` exports by the same names.
export { type ConnectOptions, RedisJsonDict, type RedisJsonDictClass } from "./src/api/dict.ts";
export type { TlsOptions } from "./src/run/open.ts";
