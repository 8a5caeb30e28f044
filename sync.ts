/**
 * Plain assignment: a dictionary of JSON values in Redis that is used like a plain object. Each statement returns when
 * Redis has answered.
 *
 * **It stops the event loop while it waits.** It is for scripts, a REPL and notebooks, on Deno, Node and Bun; not for
 * servers, which use `RedisJsonDict` of the main module. Both work on the same data.
 *
 * @example Plain assignment
 * ```ts
 * import { connect, dictionary } from "@json-dict/redis/sync";
 * import { assertEquals } from "@std/assert";
 *
 * interface Lab {
 *   sample: { color: string; positions: number[] };
 *   scan_id: number;
 * }
 *
 * using lab = connect<Lab>("redis://localhost:6379", { prefix: "doc:plain:" });
 * lab.sample = { color: "red", positions: [1] };
 * lab.sample.color = "blue";
 * lab.sample.positions.push(2, 3);
 * lab.scan_id = 41;
 * console.log(Object.keys(lab.sample), lab.scan_id); // => [ "color", "positions" ] 41
 * assertEquals(dictionary(lab).at("scan_id").increment(), 42);
 * assertEquals(dictionary(lab).clear(), 2);
 * ```
 *
 * @module
 */

export { connect, dictionary, type Facade } from "./src/sync/connect.ts";
export { toPlain } from "./src/sync/facade.ts";
export type {
  AnyBlockingRef,
  BlockingContainerRef,
  BlockingDict,
  BlockingRef,
  Waiting,
} from "./src/sync/handle.ts";
export type { ConnectOptions } from "./src/api/dict.ts";
export type { TlsOptions } from "./src/run/open.ts";
export * from "./core.ts";
