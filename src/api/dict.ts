/**
 * The dictionary, which can also connect by itself: then ioredis comes along.
 *
 * @module
 */

import type { Json, OnlyJson } from "../data/json.ts";
import type { RedisClient } from "../run/client.ts";
import { openClient, type TlsOptions } from "../run/open.ts";
import { type DictOptions, readOptions } from "../run/options.ts";
import { type OptionsFor, owning, RedisJsonDict as Core } from "./core.ts";

/** How a dictionary with a connection of its own works. */
export interface ConnectOptions extends DictOptions {
  /**
   * How TLS is done, for an address that starts with `rediss://`: as with a certificate that a private authority has
   * signed. Without it, the authorities count that the runtime knows.
   */
  readonly tls?: TlsOptions;
}

/**
 * A dictionary of JSON values that lives in Redis; see the class of the same name in `./core`.
 *
 * @typeParam T The types of the values by key: an interface, or `Record<string, V>`.
 */
export type RedisJsonDict<T extends OnlyJson<T, bigint> = Record<string, Json>> = Core<T>;

/** The class of dictionaries, which can connect by itself. */
export interface RedisJsonDictClass {
  /** Makes a dictionary on a client that stays yours. No I/O. */
  new <T extends OnlyJson<T, bigint> = Record<string, Json>>(
    client: RedisClient,
    options: OptionsFor<T>,
  ): Core<T>;
  /** What all dictionaries have in common. */
  readonly prototype: Core;
  /**
   * Makes a dictionary with a connection of its own, which {@linkcode RedisJsonDict.close} ends. It connects in the
   * background, and again after a loss.
   *
   * @typeParam T The types of the values by key.
   * @param url Where the server is, as `redis://localhost:6379/0`. For a cluster, a list with the addresses of some of
   * its nodes; the user and the password of the first hold for all.
   * @param options How it works.
   * @returns The dictionary; `await using` closes it.
   * @throws {TypeError} If the address is not one of Redis, or there is no `prefix`, no such option, or one of the wrong
   * type.
   * @throws {RangeError} If the timeout or the heartbeat is not a positive number of milliseconds.
   *
   * @example Connect for as long as a block lasts
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:connect:" });
   * console.log(await lab.size());
   * ```
   */
  connect<T extends OnlyJson<T, bigint> = Record<string, Json>>(
    url: string | URL | readonly (string | URL)[],
    options: OptionsFor<T> & Pick<ConnectOptions, "tls">,
  ): Core<T>;
}

/**
 * The class of dictionaries: the very one of `./core`, and `connect`.
 *
 * It is defined here, and not only passed on, so that no bundler goes past it to the class without `connect`.
 */
export const RedisJsonDict: RedisJsonDictClass = /* @__PURE__ */ withConnect();

function withConnect(): RedisJsonDictClass {
  const value = <T extends object>(
    url: string | URL | readonly (string | URL)[],
    options: ConnectOptions,
  ): Core<T> => {
    const { tls, ...others } = options ?? {};
    const checked = options === undefined || options === null || typeof options !== "object"
      ? options
      : others;
    const { timeout } = readOptions(checked); // before there is a connection that nobody could close
    const { client, quit } = openClient(url, timeout, tls);
    return owning(new Core<T>(client, checked), quit);
  };
  Object.defineProperty(Core, "connect", { value, configurable: true, writable: true });
  return Core as unknown as RedisJsonDictClass; // it has connect now
}
