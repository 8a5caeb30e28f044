/**
 * A proxy before a test server that fails on command.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { Buffer } from "node:buffer";

/**
 * What it does with traffic:
 *
 * - `none` passes it on.
 * - `no requests`, `no answers` swallow it, and keep the connection.
 * - `drop request`, `drop answer` end the connection instead of passing it on.
 * - `late request` ends the connection, and brings the request to the server later, by itself.
 * - `part of answer` passes on half of the bytes, then ends the connection.
 * - `garbage` answers what is not the protocol of Redis.
 */
export type Fault =
  | "none"
  | "no requests"
  | "no answers"
  | "drop request"
  | "drop answer"
  | "late request"
  | "part of answer"
  | "garbage";

/**
 * Tells for each piece of traffic what to do with it.
 *
 * @param connection The same object for all traffic of one connection.
 */
export type Plan = (piece: "request" | "answer", bytes: Uint8Array, connection: object) => Fault;

/**
 * Loses one answer, to the next request that runs a script. What clients ask by themselves, as for the slots of a
 * cluster, comes through.
 */
export function loseAnswer(): Plan {
  let asked: object | undefined;
  let isLost = false;
  return (piece, bytes, connection) => {
    if (piece === "request") {
      if (/evalsha/i.test(Buffer.from(bytes).toString("latin1"))) asked ??= connection;
      return "none";
    }
    if (isLost || connection !== asked) return "none";
    isLost = true;
    return "drop answer";
  };
}

/** A connection of a client, with the one to the server behind it. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Whether nothing passes any more, in either direction. */
  isSilent: boolean;
}

/** A TCP proxy to one server. */
export class FaultProxy implements AsyncDisposable {
  /** What it does from now on. */
  fault: Fault | Plan = "none";
  /** Answers a request itself, instead of the server, where it returns something. */
  reply: (request: Uint8Array) => string | undefined = () => undefined;
  /** Where it connects to. What is connected stays. */
  target: string;
  /** How many connections it has taken. */
  connections = 0;
  /** How long a late request is kept back, in milliseconds. */
  delay = 50;
  /** How many requests were brought late. */
  late = 0;
  readonly #server: Server;
  readonly #pairs: Set<Pair> = new Set();
  readonly #carriers: Set<Promise<void>> = new Set();

  private constructor(target: string) {
    this.target = target;
    this.#server = createServer((near) => this.#accept(near));
  }

  #accept(near: Socket): void {
    this.connections++;
    const { port, hostname } = new URL(this.target);
    const target = { port: Number(port || 6379), host: hostname };
    const far = connect(target);
    const pair: Pair = { near, far, isSilent: false };
    this.#pairs.add(pair);
    for (const socket of [near, far]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (bytes) => {
      if (pair.isSilent) return;
      const reply = this.reply(bytes);
      if (reply !== undefined) return void near.write(reply);
      const fault = this.#next("request", bytes, pair);
      if (fault === "late request") this.#carry(bytes, target);
      if (fault === "drop request" || fault === "late request") near.destroy();
      else if (fault === "garbage") near.write("garbage\r\n");
      else if (fault !== "no requests") far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (pair.isSilent) return;
      const fault = this.#next("answer", bytes, pair);
      if (fault === "drop answer") near.destroy();
      else if (fault === "part of answer") near.end(bytes.subarray(0, bytes.length >> 1));
      else if (fault !== "no answers") near.write(bytes);
    });
  }

  #next(piece: "request" | "answer", bytes: Uint8Array, pair: Pair): Fault {
    return typeof this.fault === "function" ? this.fault(piece, bytes, pair) : this.fault;
  }

  /** Brings bytes to the server later, on a connection of its own. */
  #carry(bytes: Uint8Array, target: { port: number; host: string }): void {
    const carrier = new Promise<void>((resolve) => {
      setTimeout(() => {
        const socket = connect(target, () => {
          this.late++;
          // PING is answered when all before it was executed.
          socket.end(Buffer.concat([bytes, Buffer.from("PING\r\n")]));
        });
        socket.on("data", () => {});
        socket.on("error", () => {});
        socket.on("close", () => resolve());
      }, this.delay);
    });
    this.#carriers.add(carrier);
    carrier.then(() => this.#carriers.delete(carrier));
  }

  /** Starts one on a free port. */
  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** Where it listens, as an address of Redis. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new Error("Cannot tell the address: not listening");
    }
    return `redis://127.0.0.1:${address.port}`;
  }

  /** Waits until all late requests were executed. */
  async settled(): Promise<void> {
    while (this.#carriers.size > 0) await Promise.all(this.#carriers);
  }

  /** Ends all connections; new ones are taken. */
  drop(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** Lets all connections be as if the network between had gone: open, and nothing comes. New ones work. */
  silence(): void {
    for (const pair of this.#pairs) pair.isSilent = true;
  }

  /** Ends all connections and takes no new ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.drop();
    await this.settled();
    await closed;
  }
}
