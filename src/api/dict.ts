/**
 * The dictionary with `connect`, which needs ioredis.
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
   * Settings of TLS, for an address that starts with `rediss://`: for example the certificate of a private authority.
   * Without it, the authorities that the runtime knows are trusted.
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
  /**
   * Makes a dictionary on a client that stays yours. No I/O.
   *
   * @typeParam T The types of the values by key.
   * @param client A `Redis` or `Cluster` of ioredis, or what fits {@linkcode RedisClient}.
   * @param options How it works.
   * @throws {TypeError} If the client does not fit, has a `keyPrefix`, or resends changes that must arrive at most once;
   * or if there is no `prefix`, no such option, or one of the wrong type.
   * @throws {RangeError} If the timeout is not a positive number of milliseconds.
   */
  new <T extends OnlyJson<T, bigint> = Record<string, Json>>(
    client: RedisClient,
    options: OptionsFor<T>,
  ): Core<T>;
  /** What all dictionaries have in common. */
  readonly prototype: Core;
  /**
   * Makes a dictionary with a connection of its own, which {@linkcode RedisJsonDict.close} ends. It connects in the
   * background, and reconnects after a loss. No round trip.
   *
   * @typeParam T The types of the values by key.
   * @param url Where the server is, as `redis://localhost:6379/0`. For a cluster, a list with the addresses of some of
   * its nodes; the user and the password of the first hold for all.
   * @param options How it works.
   * @returns The dictionary; `await using` closes it.
   * @throws {TypeError} If the address is no address of Redis, or does not fit `tls`; or if there is no `prefix`, no
   * such option, or one of the wrong type.
   * @throws {RangeError} If the timeout or the heartbeat is not a positive number of milliseconds.
   *
   * @example Connect for as long as a block lasts
   * ```ts
   * import { RedisJsonDict } from "@json-dict/redis";
   *
   * await using lab = RedisJsonDict.connect("redis://localhost:6379", { prefix: "doc:connect:" });
   * console.log(await lab.size()); // => 0
   * ```
   */
  connect<T extends OnlyJson<T, bigint> = Record<string, Json>>(
    url: string | URL | readonly (string | URL)[],
    options: OptionsFor<T> & Pick<ConnectOptions, "tls">,
  ): Core<T>;
}

/**
 * The class of dictionaries: the same class as in `./core`, with `connect`.
 *
 * It is defined here and not only re-exported, so that no bundler skips this file and takes the class without `connect`.
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
