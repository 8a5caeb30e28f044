/**
 * Tracking: hears of changes of all keys of a prefix, from one server or from all nodes of a cluster.
 *
 * @module
 */

import type { RedisClient } from "./client.ts";
import { Connection } from "./connection.ts";
import { Refused, toCause } from "./failure.ts";
import { isRecord } from "./record.ts";
import { holdBy, setIdleTimer, type Timer } from "./timer.ts";
import { Tracker, type TrackerSettings } from "./tracker.ts";

/** Who hears of changes. */
export interface TrackingListener {
  /** The whole name that it hears of; of all with the prefix if there is none. */
  readonly name?: string;
  /**
   * A name may have another value, and is to be read again: it is told also of writes that change nothing. Without a
   * name, any of them may.
   */
  changed(name: string | undefined): void;
  /** There will be no tracking. */
  failed(refused: Refused): void;
}

/** What a listener holds until it leaves. */
export interface Tracked {
  /** Resolves when nothing is missed any more, so that a read sees all that will not be told. */
  readonly ready: Promise<void>;
  /** Whether it heard of all that had happened a moment ago: at most `heartbeat` and `timeout` ago, when a connection is silent. */
  readonly isFresh: boolean;
  /** Why it is not ready yet, as far as that is known. */
  readonly failure: Error | undefined;
  /** Keeps the process alive, or does so no more. At first it does not: the connections and their timers do not. */
  hold(isHeld: boolean): void;
  /** Hears no more. The last one closes the connection, and this resolves when that is done. */
  leave(): Promise<void>;
}

/** What the client of a cluster has beside the rest. */
interface ClusterClient extends Omit<RedisClient, "on" | "off" | "nodes"> {
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
  nodes(role: "all"): readonly ClusterNode[];
  /** For each slot the addresses that have it, the master first. */
  readonly slots?: readonly (readonly string[] | undefined)[];
  refreshSlotsCache?(callback: () => void): void;
}

interface ClusterNode extends RedisClient {
  readonly options?: RedisClient["options"] & {
    readonly host?: string;
    readonly port?: number;
    readonly readOnly?: boolean;
  };
}

/** What may have changed the nodes of a cluster. The client tells of a new master only by `refresh`. */
const TOPOLOGY_EVENTS = ["ready", "refresh", "+node", "-node"];
/** A dead node comes and goes in the list of the client, many times. So the list is looked at no more often, in milliseconds. */
const SYNC_PAUSE = 100;

const trackings = new WeakMap<RedisClient, Map<string, Tracking>>();

/** Hears of changes for all listeners of one client and prefix. */
export class Tracking {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #settings: TrackerSettings;
  readonly #trackers: Map<string, Tracker> = new Map();
  /** The addresses that the client has dropped, with the time since when. */
  readonly #dropped: Map<string, number> = new Map();
  #masters: readonly string[] = [];
  /** Who has which slots, when that was looked at last. */
  #layout: string = "";
  /** Those that hear of one name, by name, and those that hear of all. */
  readonly #byName: Map<string, Set<TrackingListener>> = new Map();
  readonly #ofAll: Set<TrackingListener> = new Set();
  #wasOn: boolean = false;
  #isOver: boolean = false;
  readonly #waiting: Set<() => void> = new Set();
  /** The only one of all timers and connections here that may keep the process alive. */
  #timer: Timer | undefined;
  #syncing: Timer | undefined;
  /** Those who wait for what they hear. */
  readonly #holders: Set<TrackingListener> = new Set();
  #stop: (() => void) | undefined;
  /** Connections to nodes that left, while they are being closed. */
  readonly #closing: Set<Promise<void>> = new Set();
  #ended: Promise<void> | undefined;

  private constructor(client: RedisClient, prefix: string, settings: TrackerSettings) {
    this.#client = client;
    this.#prefix = prefix;
    this.#settings = settings;
  }

  /**
   * Hears of changes. All that hear of the same prefix by the same client share one connection to each server, which
   * is made for the first one with its settings.
   *
   * @param client The client.
   * @param prefix What the names begin with.
   * @param settings How the connections are watched over.
   * @param listener Who hears; not before this has returned.
   * @returns What is to be left.
   * @throws {Refused} If the client cannot make another connection.
   */
  static join(
    client: RedisClient,
    prefix: string,
    settings: TrackerSettings,
    listener: TrackingListener,
  ): Tracked {
    const ofClient = trackings.get(client) ?? new Map<string, Tracking>();
    trackings.set(client, ofClient);
    let tracking = ofClient.get(prefix);
    if (tracking === undefined) {
      tracking = new Tracking(client, prefix, settings);
      ofClient.set(prefix, tracking);
      try {
        tracking.#start();
      } catch (error) {
        tracking.#end();
        throw error;
      }
    }
    return tracking.#add(listener);
  }

  #start(): void {
    const client = this.#client;
    if (client.status === "end") throw new Refused("CLOSED", new Error("The connection is closed"));
    if (client.nodes === undefined) this.#track("", client);
    else {
      this.#sync();
      for (const event of TOPOLOGY_EVENTS) (client as ClusterClient).on(event, this.#onTopology);
      if (client.status === "wait") client.connect?.().catch(() => {});
    }
    this.#stop = Connection.of(client).onChange((event) => {
      if (event === "end") this.#fail(new Refused("CLOSED", new Error("The connection is closed")));
    });
    this.#setTimer();
  }

  #setTimer(): void {
    this.#timer = setTimeout(this.#beat, this.#settings.heartbeat);
    holdBy(this.#timer, this.#holders.size > 0);
  }

  #hold(listener: TrackingListener, isHeld: boolean): void {
    if (isHeld && !this.#isOver) this.#holders.add(listener);
    else this.#holders.delete(listener);
    holdBy(this.#timer, this.#holders.size > 0);
  }

  #add(listener: TrackingListener): Tracked {
    const { name } = listener;
    const listeners = name === undefined ? this.#ofAll : this.#byName.get(name) ?? new Set();
    listeners.add(listener);
    if (name !== undefined) this.#byName.set(name, listeners);
    let isReady = (): void => {};
    const ready = new Promise<void>((resolve) => isReady = resolve);
    if (this.#isOn) isReady();
    else this.#waiting.add(isReady);
    const failureOf = (): Error | undefined => this.#failure;
    const isFresh = (): boolean => !this.#isOver && this.#areAll((tracker) => tracker.isFresh);
    return {
      ready,
      get isFresh() {
        return isFresh();
      },
      get failure() {
        return failureOf();
      },
      hold: (isHeld) => this.#hold(listener, isHeld),
      leave: async () => {
        this.#waiting.delete(isReady);
        this.#hold(listener, false);
        const wasThere = listeners.delete(listener);
        // case: it has left before, and others have come by the same name since.
        if (wasThere && name !== undefined && listeners.size === 0) this.#byName.delete(name);
        if (this.#ofAll.size === 0 && this.#byName.size === 0) await this.#end();
      },
    };
  }

  get #isOn(): boolean {
    return this.#areAll((tracker) => tracker.isOn);
  }

  /** Whether there is a tracker of the server, or of each master, and all are so. */
  #areAll(isSo: (tracker: Tracker) => boolean): boolean {
    const addresses = this.#client.nodes === undefined ? [""] : this.#masters;
    return addresses.length > 0 && addresses.every((address) => {
      const tracker = this.#trackers.get(address);
      return tracker !== undefined && isSo(tracker);
    });
  }

  get #failure(): Error | undefined {
    for (const { isOn, failure } of this.#trackers.values()) {
      if (!isOn && failure !== undefined) return toCause(failure);
    }
    return Connection.of(this.#client).failure;
  }

  #track(address: string, source: RedisClient): void {
    const tracker = new Tracker(source, this.#prefix, this.#settings, {
      on: () => {
        this.#checkOn();
        this.#tell(undefined);
      },
      changed: (name) => this.#tell(name),
      failed: (refused) => this.#fail(refused),
    });
    this.#trackers.set(address, tracker);
  }

  #checkOn(): void {
    if (!this.#isOn) return;
    this.#wasOn = true;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #tell(name: string | undefined): void {
    if (name === undefined) {
      for (const listener of this.#listeners()) listener.changed(undefined);
      return;
    }
    if (!name.startsWith(this.#prefix) || isRecord(name)) return;
    for (const listener of this.#byName.get(name) ?? []) listener.changed(name);
    for (const listener of this.#ofAll) listener.changed(name);
  }

  #listeners(): TrackingListener[] {
    return [...this.#ofAll, ...[...this.#byName.values()].flatMap((listeners) => [...listeners])];
  }

  #fail(refused: Refused): void {
    if (this.#isOver) return;
    const listeners = this.#listeners();
    this.#end();
    for (const listener of listeners) listener.failed(refused);
  }

  /** While it is not on nothing is told, so all is read again from time to time. */
  readonly #beat = (): void => {
    if (this.#client.nodes !== undefined) {
      (this.#client as ClusterClient).refreshSlotsCache?.(() => {});
      this.#follow();
    }
    if (this.#wasOn && !this.#isOn) this.#tell(undefined);
    if (!this.#isOver) this.#setTimer();
  };

  readonly #onTopology = (): void => {
    this.#syncing ??= setIdleTimer(() => {
      this.#syncing = undefined;
      this.#follow();
    }, SYNC_PAUSE);
  };

  #follow(): void {
    try {
      this.#sync();
    } catch (error) {
      this.#fail(error as Refused);
    }
  }

  /**
   * Tracks on every node of the cluster; on replicas too, for they tell as well, and one of them may take over.
   *
   * @throws {Refused} If the client of a node cannot make another connection.
   */
  #sync(): void {
    if (this.#isOver || this.#client.status !== "ready") return; // it may know only the addresses it was given
    const { slots = [], ...cluster } = readCluster(this.#client as ClusterClient);
    for (const [address, node] of cluster.nodes) {
      this.#dropped.delete(address);
      if (!this.#trackers.has(address)) this.#track(address, node);
    }
    for (const [address, tracker] of this.#trackers) {
      if (cluster.nodes.has(address)) continue;
      const since = this.#dropped.get(address) ?? performance.now();
      this.#dropped.set(address, since);
      if (performance.now() - since < this.#settings.heartbeat) continue; // it often comes back at once
      this.#dropped.delete(address);
      this.#trackers.delete(address);
      const closing = tracker.close().then(() => void this.#closing.delete(closing));
      this.#closing.add(closing);
    }
    this.#masters = cluster.masters;
    // A master that took over may have older values, and one that lost a slot does not always tell.
    const layout = `${cluster.masters.join(" ")} ${layoutOf(slots)}`;
    const isOther = this.#layout !== "" && this.#layout !== layout;
    this.#layout = layout;
    this.#checkOn();
    if (isOther) this.#tell(undefined);
  }

  /** Resolves, each time it is called, when all connections are closed. */
  #end(): Promise<void> {
    return this.#ended ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#isOver = true;
    trackings.get(this.#client)?.delete(this.#prefix);
    clearTimeout(this.#timer);
    clearTimeout(this.#syncing);
    this.#stop?.();
    if (this.#client.nodes !== undefined) {
      for (const event of TOPOLOGY_EVENTS) (this.#client as ClusterClient).off(event, this.#onTopology);
    }
    await Promise.all([...this.#closing, ...[...this.#trackers.values()].map((tracker) => tracker.close())]);
  }
}

/** What the client of a cluster knows of it. */
function readCluster(cluster: ClusterClient): {
  readonly nodes: ReadonlyMap<string, ClusterNode>;
  readonly masters: readonly string[];
  readonly slots?: ClusterClient["slots"];
} {
  const nodes = cluster.nodes("all");
  const addressOf = ({ options }: ClusterNode): string => `${options?.host}:${options?.port}`;
  return {
    nodes: new Map(nodes.map((node) => [addressOf(node), node])),
    masters: nodes.filter(({ options }) => options?.readOnly !== true).map(addressOf).sort(),
    slots: cluster.slots,
  };
}

/** Where in the list of slots another master begins. */
function layoutOf(slots: readonly (readonly string[] | undefined)[]): string {
  let last: string | undefined;
  let layout = "";
  for (let slot = 0; slot < slots.length; slot++) {
    const owner = slots[slot]?.[0];
    if (owner === last) continue;
    last = owner;
    layout += `${slot}=${owner} `;
  }
  return layout;
}
