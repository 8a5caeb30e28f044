/**
 * Redis by HTTP, in the REST protocol of Upstash. It needs nothing but `fetch`, so it runs where there are no sockets.
 *
 * @example In a function at the edge
 * ```ts
 * import { RedisJsonDict } from "@json-dict/redis/core";
 * import { fromUpstash } from "@json-dict/redis/upstash";
 *
 * const url = "https://name.upstash.io"; // as in UPSTASH_REDIS_REST_URL
 * const token = "..."; // as in UPSTASH_REDIS_REST_TOKEN
 * const site = new RedisJsonDict<{ hits: number }>(fromUpstash({ url, token }), { prefix: "site:" });
 * const count = () => site.at("hits").increment();
 * ```
 *
 * @module
 */

import type { RedisClient } from "../run/client.ts";
import { ReplyError } from "./reply_error.ts";

export type { Line, LineListener, RedisClient } from "../run/client.ts";

/** Where the database is. */
export interface UpstashOptions {
  /** The address of its REST interface, as `https://name.upstash.io`. */
  readonly url: string | URL;
  /** The token; no error shows it. */
  readonly token: string;
  /**
   * How long one request may take, in milliseconds. Then its answer counts as lost, and the dictionary asks again until
   * its own timeout.
   *
   * @default {5000}
   */
  readonly timeout?: number;
}

/** A command on its way. */
interface Waiting {
  readonly args: readonly string[];
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What the server says to one command. */
interface Answer {
  readonly result?: unknown;
  readonly error?: string;
}

const DEFAULT_TIMEOUT = 5_000;
const MAX_TIMEOUT = 2 ** 31 - 1;
/** How much goes into one request, in commands and in characters. */
const MAX_COMMANDS = 500;
const MAX_LENGTH = 256 * 1024;

/**
 * Makes a client of a database that is reached by the REST protocol of Upstash. No I/O.
 *
 * Commands go out in the order of the calls: one request at a time, which takes along all that has waited for it. What
 * is lost with one request is sent again with the next, as with a connection that breaks.
 *
 * Delivery is exactly once, and nothing else: the dictionary refuses `"at-most-once"` with it. Between the dictionary
 * and the server are the connections of `fetch` and the proxies of the service. They may send a request again whose
 * answer was lost, without reporting it. With records a change that arrives twice is applied once; without them it would
 * be applied twice.
 *
 * @param options Where the database is.
 * @returns The client for the dictionary. Use one for all dictionaries: it keeps the order of their calls.
 * @throws {TypeError} If the address is no HTTP address or holds a password, or the token is not one.
 * @throws {RangeError} If the timeout is not a positive number of milliseconds.
 */
export function fromUpstash(options: UpstashOptions): RedisClient {
  const { url, token, timeout = DEFAULT_TIMEOUT } = Object(options) as UpstashOptions;
  if (!(typeof timeout === "number" && timeout >= 1 && timeout <= MAX_TIMEOUT)) {
    throw new RangeError(
      `Cannot use the timeout: received ${String(timeout)}, expected 1 to ${MAX_TIMEOUT} ms`,
    );
  }
  // What a header may hold. `fetch` would refuse anything else, and quote it.
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new TypeError(
      "Cannot use the token: expected a text without spaces; copy it from the console of the database",
    );
  }
  return new UpstashClient(readAddress(url), token, Math.floor(timeout));
}

/** Errors never quote the address: some put the token there. */
function readAddress(url: string | URL): string {
  const refuse = (state: string): never => {
    throw new TypeError(`Cannot use the address: ${state}; it is like https://name.upstash.io`);
  };
  const text = String(url);
  if (/^rediss?:/i.test(text)) return refuse("it is the address of Redis, not of its REST interface");
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return refuse("it is no HTTP address");
  const address = new URL(text);
  if (address.username || address.password || address.search || address.hash) {
    return refuse("it has more than a host and a path; give the token as token");
  }
  return address.href.replace(/\/+$/, "");
}

class UpstashClient implements RedisClient {
  readonly resends: string = "fetch and the proxies behind it may send a request again whose answer was lost";
  readonly deaf: string =
    "REST only answers, so the server cannot tell of changes; to watch, connect by ioredis";
  readonly #url: string;
  readonly #token: string;
  readonly #timeout: number;
  #waiting: Waiting[] = [];
  #isSending: boolean = false;
  /** What makes a replica answer only when it has all that was written before. */
  #syncToken: string = "";

  constructor(url: string, token: string, timeout: number) {
    this.#url = url;
    this.#token = token;
    this.#timeout = timeout;
  }

  call(command: string, ...args: (string | number)[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ args: [command, ...args.map(String)], resolve, reject });
      if (this.#isSending) return;
      this.#isSending = true;
      queueMicrotask(() => this.#sendAll()); // what is called in the same turn goes along
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        const answers = await this.#send(batch);
        batch.forEach(({ resolve, reject }, index) => {
          const { error, result } = answers[index];
          if (error === undefined) resolve(result);
          else reject(new ReplyError(this.#withoutToken(error)));
        });
      } catch (error) {
        // Nothing may overtake what was lost: it is lost, too, as on a connection that breaks.
        const lost = [...batch, ...this.#waiting];
        this.#waiting = [];
        for (const { reject } of lost) reject(error);
      }
      // Whoever waited for an answer calls again now, and goes along.
      await undefined;
    }
    this.#isSending = false;
  }

  #takeBatch(): Waiting[] {
    let length = 0;
    let count = 0;
    for (const { args } of this.#waiting) {
      for (const arg of args) length += arg.length;
      if (count > 0 && (length > MAX_LENGTH || count === MAX_COMMANDS)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** Sends commands in one request. What is no whole answer counts as lost. */
  async #send(batch: readonly Waiting[]): Promise<readonly Answer[]> {
    const response = await this.#fetch(batch.map(({ args }) => args));
    const body: unknown = await response.json().catch((error) => {
      throw this.#lost(response.ok ? error : new Error(`the server answered with status ${response.status}`));
    });
    const { error } = Object(body) as Answer;
    // It refuses the request as a whole: its token, its size, how many there were today.
    if (typeof error === "string" && response.status >= 400 && response.status < 500) {
      return batch.map(() => ({ error }));
    }
    const answers = body as readonly Answer[];
    if (!Array.isArray(body) || body.length !== batch.length || !answers.every(isAnswer)) {
      throw this.#lost(
        new Error(`the server answered with status ${response.status}${error ? `: ${error}` : ""}`),
      );
    }
    this.#syncToken = response.headers.get("upstash-sync-token") ?? this.#syncToken;
    return answers;
  }

  async #fetch(commands: readonly (readonly string[])[]): Promise<Response> {
    try {
      return await fetch(`${this.#url}/pipeline`, {
        method: "POST",
        headers: {
          "authorization": `Bearer ${this.#token}`,
          "content-type": "application/json",
          ...this.#syncToken && { "upstash-sync-token": this.#syncToken },
        },
        body: JSON.stringify(commands),
        redirect: "error", // the token is for this server only
        signal: AbortSignal.timeout(this.#timeout),
      });
    } catch (error) {
      throw this.#lost(error);
    }
  }

  #lost(error: unknown): Error {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return Object.assign(new Error(this.#withoutToken(message)), { name });
  }

  #withoutToken(message: string): string {
    return message.replaceAll(this.#token, "...");
  }
}

function isAnswer(answer: unknown): answer is Answer {
  if (answer === null || typeof answer !== "object") return false;
  return "result" in answer || "error" in answer && typeof answer.error === "string";
}
