/**
 * A bad network for the demo: a proxy before Redis that passes requests on, and cuts the connection instead of passing
 * on each so many-th answer. The server has executed what was asked; the client cannot know.
 *
 * @module
 */

import { connect, createServer, type Socket } from "node:net";

/** A running proxy. */
export interface Cutter extends AsyncDisposable {
  /** Where it listens, as an address of Redis. */
  readonly url: string;
  /** How many answers it has swallowed. */
  readonly cuts: number;
}

/** Starts a proxy before a server that swallows each `every`-th answer. */
export async function startCutter(target: string, every: number): Promise<Cutter> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let answers = 0;
  let cuts = 0;
  const server = createServer((near) => {
    const far = connect(Number(port || 6379), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (bytes) => far.write(bytes));
    far.on("data", (bytes) => {
      if (++answers % every > 0) return near.write(bytes);
      cuts++;
      near.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(target); // with the user and the password
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return {
    url: url.href,
    get cuts() {
      return cuts;
    },
    async [Symbol.asyncDispose]() {
      const isClosed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await isClosed;
    },
  };
}
