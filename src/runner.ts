/**
 * Running: one call or one command, sent once, answered by a deadline.
 *
 * @module
 */

import type { Call } from "./call.ts";
import type { RedisClient } from "./client.ts";

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

  /** @param timeout How long one call may take in all, in milliseconds. */
  constructor(client: RedisClient, timeout: number) {
    this.#client = client;
    this.#timeout = timeout;
  }

  /** The client, for what listens to its connection. */
  get client(): RedisClient {
    return this.#client;
  }

  /**
   * Runs a script. One round trip; two the first time a server sees the script.
   *
   * @returns What the script returned.
   * @throws {NoAnswer} If there is none. Errors that the server answers are passed on as they are.
   */
  run(call: Call): Promise<unknown> {
    const { script, keys, args } = call;
    return this.#send(async (send) => {
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
      const finish = (): void => {
        isOver = true;
        clearTimeout(timer);
        client.off?.("ready", start);
      };
      const send: RedisClient["call"] = (command, ...args) => {
        // case: the deadline passed between EVALSHA and EVAL. The caller was told; nothing more may be sent.
        if (isOver) return Promise.reject(new NoAnswer(sent, true));
        sent = true;
        return client.call(command, ...args);
      };
      const start = (): void => {
        client.off?.("ready", start);
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
        reject(new NoAnswer(sent, true));
      }, this.#timeout);
      // A client that is not connected would queue the command and lose track of whether it was sent.
      if (client.status === undefined || client.status === "ready" || client.on === undefined) return start();
      if (client.status === "end") {
        finish();
        return reject(new NoAnswer(false, false, new Error("The connection is closed")));
      }
      client.on("ready", start);
      if (client.status === "wait") client.connect?.().catch(() => {});
    });
  }
}

/** Whether the server answered with this error, so that the command is known to have had no effect. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
