/**
 * A proxy before the test server that fails on command.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * What it does with traffic: passes it on; swallows requests; swallows answers; ends the connection instead of passing
 * on a request, or instead of passing on the answer to it.
 */
export type Fault = "none" | "no requests" | "no answers" | "drop request" | "drop answer";

/** A TCP proxy to one server. */
export class FaultProxy implements AsyncDisposable {
  /** What it does from now on. */
  fault: Fault = "none";
  /** How many connections it has taken. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();

  private constructor(target: URL) {
    this.#server = createServer((near) => {
      this.connections++;
      const far = connect(Number(target.port || 6379), target.hostname);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.on("data", (bytes) => {
        if (this.fault === "drop request") near.destroy();
        else if (this.fault !== "no requests") far.write(bytes);
      });
      far.on("data", (bytes) => {
        if (this.fault === "drop answer") near.destroy();
        else if (this.fault !== "no answers") near.write(bytes);
      });
    });
  }

  /** Starts one on a free port. */
  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(new URL(target));
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

  /** Ends all connections; new ones are taken. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all connections and takes no new ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.drop();
    await closed;
  }
}
