/**
 * Running: one call or one command, sent once, answered by a deadline.
 *
 * @module
 */

import type { Call } from "./call.ts";
import type { RedisClient } from "./client.ts";
import { READ } from "./scripts.gen.ts";

/** Why there is no answer. `sent` is false only where the server cannot have seen the command. */
export class NoAnswer extends Error {
  static {
    this.prototype.name = "NoAnswer";
  }

  /** Whether the command may have reached the server. */
  readonly sent: boolean;
  /** Whether it was the deadline that ended the wait. */
  readonly isLate: boolean;

  /** Tells what is known of the command, and the failure behind it. */
  constructor(sent: boolean, isLate: boolean, cause?: unknown) {
    super("There is no answer", { cause });
    this.sent = sent;
    this.isLate = isLate;
  }
}

/** Sends commands and scripts to one client. */
export class Runner {
  readonly #client: RedisClient;
  readonly #timeout: number;
  #lastFailure: Error | undefined;
  readonly #listeners: Set<() => void> = new Set();
  #hasRead: boolean = false;

  /** @param timeout How long one round trip may take, in milliseconds. */
  constructor(client: RedisClient, timeout: number) {
    this.#client = client;
    this.#timeout = timeout;
  }

  /** Whether a command would be sent at once. A client that does not tell is taken to be connected. */
  get isReady(): boolean {
    const { status, on } = this.#client;
    return status === undefined || status === "ready" || on === undefined;
  }

  /**
   * Calls a listener each time there is a new connection, or none any more for good. All listeners share one of the
   * client, which warns of more than ten.
   *
   * @returns Ends it.
   */
  onChange(listener: () => void): () => void {
    if (this.#listeners.size === 0) {
      this.#client.on?.("ready", this.#changed);
      this.#client.on?.("end", this.#changed);
      this.#client.on?.("error", this.#failed);
    }
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) {
        this.#client.off?.("ready", this.#changed);
        this.#client.off?.("end", this.#changed);
        this.#client.off?.("error", this.#failed);
      }
    };
  }

  /** What kept the client from connecting is told by the calls that wait for it. */
  readonly #failed = (error?: Error): void => {
    this.#lastFailure = error;
  };

  readonly #changed = (): void => {
    for (const listener of [...this.#listeners]) listener();
  };

  /**
   * Runs a script. One round trip; two the first time a server sees the script.
   *
   * @returns What the script returned.
   * @throws {NoAnswer} If there is none. Errors that the server answers are passed on as they are.
   */
  run(call: Call): Promise<unknown> {
    const { script, keys, args } = call;
    return this.#send(async (send) => {
      if (script === READ && !this.#hasRead) {
        // A read that the server had to be sent twice would see changes that were issued after it.
        this.#hasRead = true;
        send("SCRIPT", "LOAD", script.text).catch(() => {});
      }
      try {
        return await send("EVALSHA", script.sha1, keys.length, ...keys, ...args);
      } catch (error) {
        if (!isReply(error) || !error.message.startsWith("NOSCRIPT")) throw error;
        // It was not executed. EVAL is, and SCRIPT LOAD before it keeps the server from evicting the script
        // (Redis 7.4 and Valkey 8 keep only 500 that came by EVAL). Who may not load may still have EVAL.
        send("SCRIPT", "LOAD", script.text).catch(() => {});
        return await send("EVAL", script.text, keys.length, ...keys, ...args);
      }
    });
  }

  /**
   * Sends a plain command. One round trip.
   *
   * @returns What the server answered.
   * @throws {NoAnswer} If there is none. Errors that the server answers are passed on as they are.
   */
  command(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#send((send) => send(name, ...args));
  }

  #send(job: (send: RedisClient["call"]) => Promise<unknown>): Promise<unknown> {
    const client = this.#client;
    return new Promise((resolve, reject) => {
      let sent = false;
      let isOver = false;
      let stopWaiting = (): void => {};
      const finish = (): void => {
        isOver = true;
        clearTimeout(timer);
        stopWaiting();
      };
      const send: RedisClient["call"] = (command, ...args) => {
        // case: the deadline passed between EVALSHA and EVAL. The caller was told; nothing more may be sent.
        if (isOver) return Promise.reject(new NoAnswer(sent, true));
        sent = true;
        return client.call(command, ...args);
      };
      const start = (): void => {
        stopWaiting();
        if (client.status === "end") {
          finish();
          return reject(new NoAnswer(false, false, new Error("The connection is closed")));
        }
        job(send).then((answer) => {
          finish();
          resolve(answer);
        }, (error) => {
          finish();
          reject(isReply(error) ? error : new NoAnswer(sent, false, error));
        });
      };
      const timer = setTimeout(() => {
        finish();
        reject(new NoAnswer(sent, true, sent ? undefined : this.#lastFailure));
      }, this.#timeout);
      // A client that is not connected would queue the command and lose track of whether it was sent.
      if (this.isReady || client.status === "end") return start();
      stopWaiting = this.onChange(start);
      if (client.status === "wait") client.connect?.().catch(() => {});
    });
  }
}

/** Whether the server answered with this error, so that the command is known to have had no effect. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
