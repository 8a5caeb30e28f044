/**
 * Connecting: a facade, and what is not data of it.
 *
 * @module
 */

import type { OptionsFor } from "../api/core.ts";
import type { ConnectOptions } from "../api/dict.ts";
import type { Json, OnlyJson } from "../data/json.ts";
import type { DraftOf } from "../draft/draft.ts";
import { readOptions } from "../run/options.ts";
import { Bridge } from "./bridge.ts";
import { Lab, labOf } from "./facade.ts";
import { BlockingDict } from "./handle.ts";
import { startWorker } from "./worker.ts";

/**
 * A dictionary that is used like a plain object. Its members are the values, `any` where a value can be any JSON; `using`
 * closes it.
 *
 * What the type does not say: a value may be missing, and then it is `undefined`; and an object or an array that was read
 * is a place, whose members are read and written where they are.
 *
 * @typeParam T The types of the values by key.
 */
export type Facade<T> = { [K in keyof T]: DraftOf<T[K]> } & Disposable & {
  /** Only for the compiler; it has no value. */
  readonly "~types"?: T;
};

/**
 * Connects to a dictionary that is used like a plain object: each statement returns when Redis has answered.
 *
 * **It stops the event loop while it waits**: nothing else of the program runs meanwhile, no timer, no request. Use it in
 * scripts, in a REPL and in notebooks; never in a server, which uses `RedisJsonDict`.
 *
 * A read of a member is one fetch, of that member only; so are `in`, `Object.keys`, spread, iteration, `JSON.stringify` and
 * each method of an array. An assignment, `delete`, and the changing methods of arrays are one atomic op each, or one
 * guarded write, and are in Redis when the statement ends. `lab.n += 1` is two: a read, and a write that does not look at what
 * others did between; count with `dictionary(lab).at("n").increment()`, and decide with `dictionary(lab).edit(...)`.
 *
 * The client works in a worker, which is started here and needs what the library needs: to read its own files, the net,
 * the environment. It does not keep the program from ending.
 *
 * @typeParam T The types of the values by key: an interface, or `Record<string, V>`.
 * @param url Where the server is, as `redis://localhost:6379/0`; for a cluster, a list with some of its nodes.
 * @param options How it works, as for `RedisJsonDict.connect`.
 * @returns The dictionary; all of its own that is no data is in {@linkcode dictionary}.
 * @throws {TypeError} If the address is not one of Redis, or there is no `prefix`, no such option, or one of the wrong type.
 * @throws {RangeError} If the timeout is not a positive number of milliseconds.
 * @throws {Error} If the worker cannot start, as for want of a permission; the message says why.
 *
 * @example Plain assignment
 * ```ts
 * import { connect, dictionary } from "@json-dict/redis/sync";
 * import { assertEquals } from "@std/assert";
 *
 * interface Lab {
 *   sample: { color: string; positions: number[]; tags?: string[] };
 * }
 *
 * using lab = connect<Lab>("redis://localhost:6379", { prefix: "doc:sync:" });
 * lab.sample = { color: "red", positions: [1] };
 * lab.sample.color = "blue"; // one op: only these bytes change
 * lab.sample.positions.push(2, 3); // many processes at once lose nothing
 * delete lab.sample.tags;
 * assertEquals("sample" in lab, true);
 * assertEquals(JSON.stringify(lab), '{"sample":{"color":"blue","positions":[1,2,3]}}');
 * dictionary(lab).clear();
 * ```
 */
export function connect<T extends OnlyJson<T, bigint> = Record<string, Json>>(
  url: string | URL | readonly (string | URL)[],
  options: OptionsFor<T> & Pick<ConnectOptions, "tls">,
): Facade<T> {
  const { tls, ...others } = (options ?? {}) as ConnectOptions;
  const isObject = options !== undefined && options !== null && typeof options === "object";
  const settings = readOptions(isObject ? others : options);
  const address = Array.isArray(url) ? url.map(String) : String(url);
  const bridge = new Bridge(settings, (onEnd) => startWorker(address, settings, tls, onEnd));
  const lab = new Lab(bridge, () => bridge.close(settings.timeout));
  return lab.root as Facade<T>; // its members are what is in Redis, which is what the user says it is
}

/** The handles of the dictionaries. */
const handles: WeakMap<Lab, BlockingDict<never>> = new WeakMap();

/**
 * All of a dictionary that is no data: the methods of `RedisJsonDict`, each of which returns when it is done. It stands
 * beside the facade, and not in it, so that any name may be a key: `edit`, `close`, `then`, `constructor`.
 *
 * @typeParam T The types of the values by key.
 * @param facade What `connect` returned.
 * @returns The methods; the same object each time.
 * @throws {TypeError} If it is something else.
 *
 * @example Count, decide, expire
 * ```ts
 * import { connect, dictionary } from "@json-dict/redis/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using runs = connect<{ frames: number; log: string[] }>("redis://localhost:6379", { prefix: "doc:dictionary:" });
 * const dict = dictionary(runs);
 * dict.update({ frames: 1, log: [] });
 * assertEquals(dict.at("frames").increment(2), 3);
 * dict.edit((draft) => {
 *   if (draft.frames > 2) draft.log.push("many");
 * });
 * dict.expire("log", 60_000);
 * assertEquals(dict.get("log"), ["many"]);
 * dict.clear();
 * ```
 */
export function dictionary<T>(facade: Facade<T>): BlockingDict<T> {
  const lab = labOf(facade);
  if (lab === undefined) {
    throw new TypeError(
      "Cannot use it as a dictionary: it is not what connect of @json-dict/redis/sync returned",
    );
  }
  let handle = handles.get(lab);
  if (handle === undefined) handles.set(lab, handle = new BlockingDict<never>(lab.bridge, lab.local));
  return handle as unknown as BlockingDict<T>; // the type of the facade says what it holds
}
