/**
 * A real cluster on this machine, for tests that move slots and lose nodes.
 *
 * @module
 */

import { Redis } from "ioredis";
import { type RedisServer, startRedis } from "../../tools/redis_server.ts";

const SLOTS = 16_384;
/** How long the nodes may take to agree, in milliseconds: a machine may be busy. */
const PATIENCE = 60_000;

/** One server of a cluster. */
export interface ClusterNode {
  readonly server: RedisServer;
  /** What the nodes call it. */
  readonly id: string;
  readonly url: string;
  /** A connection beside all others. */
  readonly client: Redis;
}

/** How large the cluster is. */
export interface ClusterOptions {
  readonly masters?: number;
  /** Of each master. */
  readonly replicas?: number;
  /** After so many milliseconds without a word a node is taken for dead. */
  readonly nodeTimeout?: number;
}

/** A cluster that is stopped with its scope. */
export class TestCluster implements AsyncDisposable {
  readonly #nodes: ClusterNode[];
  readonly #nodeTimeout: number;

  private constructor(nodes: ClusterNode[], nodeTimeout: number) {
    this.#nodes = nodes;
    this.#nodeTimeout = nodeTimeout;
  }

  /** Starts one, and waits until it takes commands for all slots. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const { masters = 3, replicas = 0, nodeTimeout = 5_000 } = options;
    const count = masters * (1 + replicas);
    const starts = await Promise.allSettled(Array.from({ length: count }, () => startNode(nodeTimeout)));
    const servers = starts.flatMap((start) => start.status === "fulfilled" ? [start.value] : []);
    const failed = starts.find((start) => start.status === "rejected");
    if (failed) {
      await Promise.all(servers.map((server) => server.stop()));
      throw failed.reason;
    }
    const cluster = new TestCluster(await Promise.all(servers.map(openNode)), nodeTimeout);
    try {
      await cluster.#join(masters);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  async #join(masters: number): Promise<void> {
    const [first, ...others] = this.#nodes;
    for (const [index, node] of this.#nodes.entries()) {
      // Nodes that begin with different epochs need not argue about them first.
      await node.client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      if (index >= masters) continue;
      const [from, to] = [index, index + 1].map((it) => Math.floor(it * SLOTS / masters));
      const slots = Array.from({ length: to - from }, (_, offset) => from + offset);
      await node.client.call("CLUSTER", "ADDSLOTS", ...slots);
    }
    for (const node of others) {
      await first.client.call("CLUSTER", "MEET", "127.0.0.1", node.server.port, busOf(node.server.port));
    }
    for (const [index, node] of this.#nodes.entries()) {
      if (index < masters) continue;
      const master = this.#nodes[index % masters];
      await until(() => node.client.call("CLUSTER", "REPLICATE", master.id).then(() => true, () => false));
    }
    await this.ready();
    const replicas = this.#nodes.slice(masters);
    await until(async () => {
      const states = await Promise.all(replicas.map((node) => node.client.info("replication")));
      return states.every((state) => state.includes("master_link_status:up"));
    });
  }

  /** The nodes that were not killed. */
  get nodes(): readonly ClusterNode[] {
    return this.#nodes;
  }

  /** Where the nodes are. */
  get urls(): readonly string[] {
    return this.#nodes.map((node) => node.url);
  }

  /** Those that have slots, as they say themselves. */
  async masters(): Promise<ClusterNode[]> {
    const lines = await Promise.all(this.#nodes.map(readMyself));
    return this.#nodes.filter((_, index) => lines[index].slots.length > 0);
  }

  /** Who has a slot. */
  async ownerOf(slot: number): Promise<ClusterNode> {
    let owner: ClusterNode | undefined;
    await until(async () => {
      const lines = await Promise.all(this.#nodes.map(readMyself));
      const has = ([first, last]: readonly number[]): boolean => first <= slot && slot <= last;
      owner = this.#nodes.find((_, index) => lines[index].slots.some(has));
      return owner !== undefined;
    });
    return owner!;
  }

  /**
   * Moves a slot with its keys, as the tools of Redis do.
   *
   * @param onHalf Runs when half of the keys have moved, the first one among them.
   */
  async moveSlot(slot: number, target: ClusterNode, onHalf?: () => Promise<void>): Promise<void> {
    const source = await this.ownerOf(slot);
    if (source === target) return;
    await target.client.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id);
    await source.client.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id);
    const namesIn = async (): Promise<string[]> =>
      await source.client.call("CLUSTER", "GETKEYSINSLOT", slot, 100_000) as string[];
    const move = async (names: readonly string[]): Promise<void> => {
      if (names.length === 0) return;
      const { port } = target.server;
      await source.client.call("MIGRATE", "127.0.0.1", port, "", 0, 5000, "REPLACE", "KEYS", ...names);
    };
    if (onHalf) {
      const names = (await namesIn()).sort();
      await move(names.slice(0, Math.ceil(names.length / 2)));
      await onHalf();
    }
    for (let names = await namesIn(); names.length > 0; names = await namesIn()) await move(names);
    for (
      const node of [
        target,
        source,
        ...(await this.masters()).filter((it) => it !== target && it !== source),
      ]
    ) {
      await node.client.call("CLUSTER", "SETSLOT", slot, "NODE", target.id);
    }
    // Moves that are faster than the news of them can leave a slot to nobody.
    await this.ready();
  }

  /** Adds a node that has no slots yet. */
  async add(): Promise<ClusterNode> {
    const node = await openNode(await startNode(this.#nodeTimeout));
    const [first] = this.#nodes;
    this.#nodes.push(node);
    await first.client.call("CLUSTER", "MEET", "127.0.0.1", node.server.port, busOf(node.server.port));
    await this.ready();
    return node;
  }

  /** Kills a node, without a word to the others. */
  async kill(node: ClusterNode): Promise<void> {
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    node.client.disconnect();
    Deno.kill(node.server.pid, "SIGKILL");
    await node.server.stop();
  }

  /**
   * Waits until all nodes agree on who has which slot since when, that all slots have somebody who was not killed, and
   * all is well.
   */
  async ready(): Promise<void> {
    await until(async () => {
      const living = new Set(this.#nodes.map(({ id }) => id));
      const views = await Promise.all(this.#nodes.map(async ({ client }) => {
        const info = String(await client.call("CLUSTER", "INFO"));
        if (!/cluster_state:ok\r\ncluster_slots_assigned:16384\r/.test(info)) return undefined;
        const owners = (await readNodes(client)).filter(({ slots }) => slots.length > 0);
        // Until the others miss a killed node they call all well, with its slots still its own.
        if (!owners.every(({ id }) => living.has(id))) return undefined;
        return JSON.stringify(owners.map(({ id, epoch, slots }) => [id, epoch, slots]).sort());
      }));
      return views[0] !== undefined && views.every((view) => view === views[0]);
    });
  }

  /** Stops all nodes. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.#nodes) client.disconnect();
    await Promise.all(this.#nodes.map(({ server }) => server.stop()));
  }
}

/** The port on which nodes talk to each other. It is given to the server, as port + 10000 may not exist. */
function busOf(port: number): number {
  return port > 32_767 ? port - 20_000 : port + 20_000;
}

async function startNode(nodeTimeout: number): Promise<RedisServer> {
  let failure: unknown;
  // The port of the bus may be taken. Then it is another port's turn.
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      return await startRedis({
        args: (port) => [
          ...["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"],
          ...["--cluster-node-timeout", String(nodeTimeout), "--cluster-port", String(busOf(port))],
          ...["--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"],
        ],
      });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function openNode(server: RedisServer): Promise<ClusterNode> {
  const client = new Redis(server.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on("error", () => {});
  return { server, id: String(await client.call("CLUSTER", "MYID")), url: server.url, client };
}

/** What a node knows of another, or of itself. */
interface NodeLine {
  readonly id: string;
  readonly isMyself: boolean;
  /** How new its claim to the slots is. Of two claims the newer one counts, so all must know it before the next one. */
  readonly epoch: number;
  readonly slots: readonly (readonly [first: number, last: number])[];
}

async function readNodes(client: Redis): Promise<NodeLine[]> {
  const lines = String(await client.call("CLUSTER", "NODES")).trim().split("\n");
  return lines.map((line) => {
    const [id, , flags, , , , epoch, , ...ranges] = line.split(" ");
    const slots = ranges.flatMap((range): [number, number][] => {
      const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
      return first === undefined ? [] : [[Number(first), Number(last)]];
    });
    return { id, isMyself: flags.includes("myself"), epoch: Number(epoch), slots };
  });
}

async function readMyself({ client }: ClusterNode): Promise<NodeLine> {
  return (await readNodes(client)).find(({ isMyself }) => isMyself)!;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE;
  while (!await condition().catch(() => false)) {
    if (Date.now() > giveUpAt) throw new Error("The cluster did not come to rest in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
