/**
 * Listeners to the connection of a client.
 *
 * @module
 */

import type { RedisClient } from "../run/client.ts";

/** One more than all clients have: the nodes of a cluster, or what they have, may have changed. */
type Event = Parameters<NonNullable<RedisClient["on"]>>[0] | "refresh";
type Listener = Parameters<NonNullable<RedisClient["on"]>>[1];

/** Who listens to the connection of an adapter, in the events of {@linkcode RedisClient}. */
export class Listeners {
  readonly #listeners: Map<Event, Set<Listener>> = new Map();

  /** Listens. */
  readonly on = (event: Event, listener: Listener): void => {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  };

  /** Stops listening. */
  readonly off = (event: Event, listener: Listener): void => {
    this.#listeners.get(event)?.delete(listener);
  };

  /** Calls all who listen to an event. */
  emit(event: Event, error?: Error): void {
    for (const listener of [...this.#listeners.get(event) ?? []]) listener(error);
  }
}
