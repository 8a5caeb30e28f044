/**
 * The worker: it holds the client and the store, and does what the caller waits for.
 *
 * This module is loaded on both sides: the caller starts the worker from it, and the worker begins with {@linkcode serve}.
 * So it can come from wherever the library came from: a file, the web, or a package.
 *
 * @module
 */

import {
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import type { AmbiguousResultError } from "../errors/delivery.ts";
import { openClient, type TlsOptions } from "../run/open.ts";
import type { Settings } from "../run/options.ts";
import type { Request } from "../store/request.ts";
import { Store } from "../store/store.ts";
import { pack, type Parcel } from "./parcel.ts";

/** What the caller asks for. */
export type Wish =
  /** Perform a request. */
  | { readonly request: Request; readonly timeout: number | undefined }
  /** Find out what became of the call of an error. */
  | { readonly resolve: number }
  /** End the connection, in so many milliseconds. */
  | { readonly close: number };

/** How something ended that the caller asked for. */
export type Result =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: Parcel };

/** What the worker tells: how something ended, or that it is still at work, where that may take any number of round trips. */
export type Reply = Result | { readonly id: number; readonly isWorking: true };

/** The other side, as the caller sees it. */
export interface Peer {
  /** Asks for something, under a number. */
  send(id: number, wish: Wish): void;
  /** Takes the next reply, if one is there. */
  take(): Reply | undefined;
  /** Counts the replies; the worker notifies those who wait for it to change. */
  readonly bell: Int32Array;
  /** Ends the worker, whatever it does. */
  end(): void;
}

/** What the worker starts with. */
interface Start {
  readonly port: MessagePort;
  readonly bell: Int32Array;
  readonly url: string | readonly string[];
  readonly settings: Settings;
  readonly tls: TlsOptions | undefined;
}

/** The number of the reply that tells how the start went. */
export const START = 0;
/** The number of the reply that tells that the worker is at its end. */
export const END = -1;

/** Set in the worker: there, a program that was bundled together with the library must not start another one. */
const MARK = "json-dict:sync-worker";

/**
 * Starts a worker. It tells by its first reply whether it could start.
 *
 * @param url Where the server is; for a cluster, a list.
 * @param settings How the dictionary works.
 * @param tls How TLS is done.
 * @param onEnd Called when the worker has ended by itself.
 * @returns The other side.
 * @throws {TypeError} In a worker that this function has started.
 */
export function startWorker(
  url: string | readonly string[],
  settings: Settings,
  tls: TlsOptions | undefined,
  onEnd: () => void,
): Peer {
  if (MARK in globalThis) {
    throw new TypeError(
      "Cannot connect: this is the worker of another dictionary, which has loaded the whole program; leave the library out of the bundle",
    );
  }
  const { port1, port2 } = new MessageChannel();
  const bell = new Int32Array(new SharedArrayBuffer(4));
  const start: Start = { port: port2, bell, url, settings, tls };
  // Whatever keeps the module from loading, such as a permission, is told by this program, which needs nothing.
  const program = `import { workerData as start } from "node:worker_threads";
globalThis[${JSON.stringify(MARK)}] = true;
try {
  const module = await import(${JSON.stringify(import.meta.url)});
  const serve = module.serve ?? module.default?.serve;
  if (!serve) throw new TypeError("the library was bundled into another file; leave it out of the bundle");
  serve(start);
} catch (error) {
  start.port.postMessage({ id: ${START}, error: { name: error.name, message: error.message } });
  Atomics.add(start.bell, 0, 1);
  Atomics.notify(start.bell, 0);
}`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
    workerData: start,
    transferList: [port2],
    name: MARK,
  });
  worker.on("error", onEnd);
  worker.on("exit", onEnd);
  worker.unref();
  return {
    bell,
    send: (id, wish) => worker.postMessage({ id, wish }),
    take: () => receiveMessageOnPort(port1)?.message as Reply | undefined,
    end() {
      port1.close();
      void worker.terminate();
    },
  };
}

/** The requests that take any number of round trips, each of which has its deadline. */
const LONG: ReadonlySet<Request["kind"]> = new Set(["keys", "all", "count", "clear", "popItem"]);
/** How often the worker tells that it is at work on one of them, in milliseconds. */
const INTERVAL = 1_000;

/** How many errors can still be resolved. */
const MAX_KEPT = 1000;

/**
 * Works in the worker, until it is ended.
 *
 * @param start What it needs.
 */
export function serve({ port, bell, url, settings, tls }: Start): void {
  const kept = new Map<number, AmbiguousResultError>();
  let count = 0;
  const keep = (error: AmbiguousResultError): number => {
    kept.set(count, error);
    kept.delete(count - MAX_KEPT);
    return count++;
  };
  const reply = (reply: Reply): void => {
    port.postMessage(reply);
    Atomics.add(bell, 0, 1);
    Atomics.notify(bell, 0);
  };
  const fail = (id: number, error: unknown): void => reply({ id, error: pack(error, keep) });
  const { client, quit } = openClient(url, settings.timeout, tls);
  const store = new Store(client, settings);
  const perform = async (wish: Wish): Promise<unknown> => {
    if ("request" in wish) return await store.within(wish).perform(wish.request);
    if ("resolve" in wish) {
      const error = kept.get(wish.resolve);
      if (error === undefined) {
        throw new TypeError("Cannot resolve: too many errors have come since; read the value");
      }
      return await error.resolve();
    }
    const endsAt = performance.now() + wish.close;
    await store.close(wish.close);
    return await quit(endsAt - performance.now());
  };
  parentPort!.on("message", ({ id, wish }: { readonly id: number; readonly wish: Wish }) => {
    const isLong = "request" in wish && LONG.has(wish.request.kind);
    const timer = isLong ? setInterval(() => reply({ id, isWorking: true }), INTERVAL) : undefined;
    perform(wish).finally(() => clearInterval(timer))
      .then((answer) => reply({ id, answer }), (error) => fail(id, error));
  });
  const { process } = globalThis as {
    process?: { on?(event: string, listener: (error: unknown) => void): void };
  };
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process?.on?.(event, (error) => fail(END, error));
  }
  reply({ id: START, answer: undefined });
}
