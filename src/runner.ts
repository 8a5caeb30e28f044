/**
 * Running: one call or one command, sent until it is answered, or its deadline is over.
 *
 * @module
 */

import type { Call } from "./call.ts";
import { isResending, type RedisClient } from "./client.ts";
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

/** The server, or the client, refused to run the command: it is certain to have changed nothing. */
export class Refused extends Error {
  static {
    this.prototype.name = "Refused";
  }

  /** The first word of the answer. */
  readonly reason: string;

  /** Tells why. */
  constructor(reason: string, cause: unknown) {
    super("The call was refused", { cause });
    this.reason = reason;
  }
}

/** What happens to the connection: there is a new one; it was lost; there will be none any more. */
export type ConnectionEvent = "ready" | "close" | "end";

/** Whether a command may be sent again when its answer was lost. */
export type Repeat = "repeat" | "once";

/** What is wrong for a while only: not yet, not here, not now. The command was not executed. */
const TRANSIENT: ReadonlySet<string> = new Set([
  "LOADING",
  "TRYAGAIN",
  "MOVED",
  "ASK",
  "CLUSTERDOWN",
  "MASTERDOWN",
  "READONLY",
  "BUSY",
  "NOREPLICAS",
  "LATE",
]);
/** The first pause before a command is sent again, and the longest one, in milliseconds. */
const PAUSE = 5;
const MAX_PAUSE = 250;

interface Job<R> {
  readonly repeat: Repeat;
  readonly run: (send: RedisClient["call"]) => Promise<unknown>;
  readonly read: (answer: unknown) => R;
}

/** Sends commands and scripts to one client. */
export class Runner {
  readonly #client: RedisClient;
  readonly #timeout: number;
  readonly #isResending: boolean;
  #lastFailure: Error | undefined;
  readonly #listeners: Set<(event: ConnectionEvent) => void> = new Set();
  #hasRead: boolean = false;
  /** Whether the server takes EVALSHA from us; some users may only use EVAL. */
  #hasEvalsha: boolean = true;
  /** Ends each job that is under way, as its deadline would. */
  readonly #jobs: Set<() => void>;
  /** Whether nothing more is sent. */
  #isEnded: boolean = false;
  /** How far the clock of the server is ahead of ours, in milliseconds, as far as we were told. */
  #ahead: number = 0;

  /** @param timeout How long a call may take, all its attempts together, in milliseconds. */
  constructor(client: RedisClient, timeout: number, jobs: Set<() => void> = new Set()) {
    this.#jobs = jobs;
    this.#client = client;
    this.#timeout = timeout;
    this.#isResending = client.nodes !== undefined && isResending(client);
  }

  /** Whether it is a cluster that the client is connected to. */
  get isCluster(): boolean {
    return this.#client.nodes !== undefined;
  }

  /** One for each master of a cluster that the client knows of. */
  masters(): readonly Runner[] {
    return (this.#client.nodes?.("master") ?? []).map((node) => new Runner(node, this.#timeout, this.#jobs));
  }

  /** Whether a command would be sent at once. A client that does not tell is taken to be connected. */
  get isReady(): boolean {
    const { status, on } = this.#client;
    return status === undefined || status === "ready" || on === undefined;
  }

  /**
   * Calls a listener each time that a connection is lost, that there is a new one, or none any more. All listeners share one of the
   * client, which warns of more than ten.
   *
   * @returns Ends it.
   */
  onChange(listener: (event: ConnectionEvent) => void): () => void {
    const client = this.#client;
    if (this.#listeners.size === 0) {
      client.on?.("ready", this.#ready);
      client.on?.("close", this.#closed);
      client.on?.("end", this.#ended);
      client.on?.("error", this.#failed);
    }
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) {
        client.off?.("ready", this.#ready);
        client.off?.("close", this.#closed);
        client.off?.("end", this.#ended);
        client.off?.("error", this.#failed);
      }
    };
  }

  /** What kept the client from connecting is told by the calls that wait for it. */
  readonly #failed = (error?: Error): void => {
    this.#lastFailure = error;
  };

  readonly #ready = (): void => {
    this.#lastFailure = undefined;
    this.#tell("ready");
  };
  readonly #closed = (): void => this.#tell("close");
  readonly #ended = (): void => this.#tell("end");

  #tell(event: ConnectionEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  /**
   * Runs a script. One round trip; two the first time a server sees the script, or where its clock is far from ours.
   *
   * @param callFor Makes the call, for a server whose clock is so many milliseconds ahead of ours.
   * @param repeat Whether it may arrive twice: it has a record, or only reads.
   * @param read Makes sense of the answer; if it throws, the answer counts as lost.
   * @returns What `read` returned.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server answered that it would not run it.
   */
  run<R>(callFor: (ahead: number) => Call, repeat: Repeat, read: (answer: unknown) => R): Promise<R> {
    return this.#send({
      repeat,
      read,
      run: (send) => this.#runScript(callFor(this.#ahead), send),
    });
  }

  async #runScript({ script, keys, args }: Call, send: RedisClient["call"]): Promise<unknown> {
    if (script === READ && !this.#hasRead) {
      // A read that the server had to be sent twice would see changes that were issued after it.
      this.#hasRead = true;
      this.#load(script.text, send);
    }
    if (this.#hasEvalsha) {
      try {
        return await send("EVALSHA", script.sha1, keys.length, ...keys, ...args);
      } catch (error) {
        const answer = answerOf(error) ?? "";
        if (isWithoutEvalsha(answer)) this.#hasEvalsha = false;
        else if (!answer.startsWith("NOSCRIPT")) throw error;
        // It was not executed. EVAL is, and SCRIPT LOAD before it keeps the server from evicting the script
        // (Redis 7.4 and Valkey 8 keep only 500 that came by EVAL). Who may not load may still have EVAL.
        else this.#load(script.text, send);
      }
    }
    return await send("EVAL", script.text, keys.length, ...keys, ...args);
  }

  #load(text: string, send: RedisClient["call"]): void {
    if (this.#client.nodes) return; // it would go to some node, not to the one that runs the script
    send("SCRIPT", "LOAD", text).catch(() => {});
  }

  /**
   * Sends a plain command. One round trip.
   *
   * @param repeat Whether it may arrive twice, as reads may.
   * @returns What the server answered.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server answered that it would not run it.
   */
  command(repeat: Repeat, name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#send({ repeat, read: (answer) => answer, run: async (send) => await send(name, ...args) });
  }

  /**
   * Waits until replicas have what a call has written. Two round trips in a cluster, else one, which lasts as long as the
   * replicas need. The connection does nothing else meanwhile.
   *
   * @param record The record of the call. It is touched: WAIT waits only for what was written on its own connection.
   * @param ttl How long it is kept, in milliseconds.
   * @param replicas How many replicas should have it.
   * @param ms How long to wait, in milliseconds.
   * @returns How many have it; nothing if the record is gone, and with it perhaps what the call has changed.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server answered that it would not do it.
   */
  replicate(record: string, ttl: number, replicas: number, ms: number): Promise<number | undefined> {
    const confirm = async (send: RedisClient["call"]): Promise<unknown> => {
      const [before, isKnown, count, after] = await Promise.all([
        send("CLIENT", "ID"),
        send("PEXPIRE", record, ttl),
        send("WAIT", replicas, ms),
        send("CLIENT", "ID"),
      ]);
      // case: the connection broke and the client sent the rest again on a new one. There, WAIT waits for nothing.
      if (before !== after) throw new Error("The connection was replaced");
      return Number(isKnown) === 0 ? undefined : Number(count);
    };
    return this.#send({
      repeat: "repeat",
      read: (count) => count as number | undefined,
      run: this.isCluster ? async () => confirm(await this.#findHome(record, ttl)) : confirm,
    });
  }

  /** The master that has a record. Only it takes commands about it. */
  async #findHome(record: string, ttl: number): Promise<RedisClient["call"]> {
    const masters = this.#client.nodes?.("master") ?? [];
    const answers = await Promise.allSettled(masters.map((node) => node.call("PEXPIRE", record, ttl)));
    const home = answers.findIndex(({ status }) => status === "fulfilled");
    if (home >= 0) return (command, ...args) => masters[home].call(command, ...args);
    const [answer] = answers;
    throw answer?.status === "rejected" ? answer.reason : new Error("No master is known");
  }

  /** Ends all that is under way, as its deadline would, and sends nothing more. */
  end(): void {
    this.#isEnded = true;
    for (const expire of [...this.#jobs]) expire();
  }

  /** Sends a command whose answer nobody needs, if it can be sent at once. */
  post(name: string, ...args: (string | number)[]): void {
    if (this.isReady) this.#client.call(name, ...args).catch(() => {});
  }

  #send<R>(job: Job<R>): Promise<R> {
    const client = this.#client;
    return new Promise((resolve, reject) => {
      let isOver = false;
      let flying = 0; // attempts that the client has and did not settle
      let isLost = false; // whether an attempt may have reached the server without an answer
      let refusal: Refused | undefined; // the last answer, if that was to come back later
      let failure: unknown;
      let attempts = 0;
      const lastCall = performance.now() + this.#timeout * 0.9;
      let pause: ReturnType<typeof setTimeout> | undefined;
      const finish = (): void => {
        isOver = true;
        clearTimeout(timer);
        clearTimeout(pause);
        this.#jobs.delete(expire);
        stop();
      };
      const fail = (error: unknown): void => {
        finish();
        reject(error);
      };
      const send: RedisClient["call"] = (command, ...args) => {
        // case: the deadline passed between EVALSHA and EVAL. The caller was told; nothing more may be sent.
        if (isOver) return Promise.reject(new NoAnswer(false, true));
        return client.call(command, ...args);
      };
      const attempt = (): void => {
        clearTimeout(pause);
        if (client.status === "end") {
          const cause = new Error("The connection is closed");
          return fail(isLost || flying > 0 ? new NoAnswer(true, false, cause) : new Refused("CLOSED", cause));
        }
        // A client that is not connected would queue the command and lose track of whether it was sent.
        if (!this.isReady) {
          if (client.status === "wait") client.connect?.().catch(() => {});
          return;
        }
        flying++;
        attempts++;
        job.run(send).then((answer) => {
          flying--;
          if (isOver) return;
          let result: R;
          try {
            result = job.read(answer);
          } catch (error) {
            return lose(error); // something between us and the server garbled it
          }
          finish();
          resolve(result);
        }, (error) => {
          flying--;
          if (!isOver) settle(error);
        });
      };
      const settle = (error: unknown): void => {
        if (isUnsent(error)) return again();
        const refused = toRefused(error);
        if (refused === undefined) return lose(error);
        if (!TRANSIENT.has(refused.reason)) {
          // An earlier attempt may still arrive where this one was refused.
          return fail(isLost || flying > 0 ? new NoAnswer(true, false, refused.cause) : refused);
        }
        refusal = refused;
        const now = /^LATE (\d+)/.exec(refused.cause instanceof Error ? refused.cause.message : "")?.[1];
        if (now !== undefined) this.#ahead = Number(now) - Date.now();
        if (this.#isResending) isLost = true; // whatever the client did before it got this answer
        again();
      };
      const lose = (error: unknown): void => {
        isLost = true;
        failure = error;
        if (job.repeat === "repeat") again();
        else fail(new NoAnswer(true, false, error));
      };
      const again = (): void => {
        clearTimeout(pause);
        const longest = Math.min(MAX_PAUSE, PAUSE * 2 ** Math.min(attempts, 10));
        const ms = longest * (0.5 + Math.random() / 2);
        // case: an attempt that is under way at the deadline would make ambiguous what is known to be refused.
        if (refusal && !isLost && flying === 0 && performance.now() + ms > lastCall) return fail(refusal);
        pause = setTimeout(attempt, ms);
      };
      const changed = (event: ConnectionEvent): void => {
        if (event !== "close") return attempt(); // the client may never settle what it was given before
        if (flying > 0) lose(new Error("The connection was lost"));
      };
      const expire = (): void => {
        if (isLost || flying > 0) fail(new NoAnswer(true, true, failure));
        else fail(refusal ?? toRefused(this.#lastFailure) ?? new NoAnswer(false, true, this.#lastFailure));
      };
      const timer = setTimeout(expire, this.#timeout);
      const stop = this.onChange(changed);
      this.#jobs.add(expire);
      if (this.#isEnded) expire();
      else attempt();
    });
  }
}

/** What an error says of a command that the server answered with it; nothing if it may have been executed. */
function toRefused(error: unknown): Refused | undefined {
  const answer = answerOf(error);
  return answer === undefined ? undefined : new Refused(wordOf(answer), error);
}

/** What the server answered, where that is what an error tells. */
function answerOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === "ReplyError") return error.message;
  // The client of a cluster has tried more than once. What counts is the last answer.
  return /^Too many Cluster redirections\. Last error: ReplyError: (.*)$/s.exec(error.message)?.[1];
}

/** The word that an error of the server starts with; of one inside a script, where servers put it differently. */
function wordOf(message: string): string {
  const inside = /@user_script: ?\d+: -?([A-Z]+) (?!.*@user_script:)/s.exec(message);
  return inside?.[1] ?? /^-?([A-Z]+)\b/.exec(message)?.[1] ?? "ERR";
}

/** Whether the client itself did not want to send the command: it was connected a moment ago, and may not queue. */
function isUnsent(error: unknown): boolean {
  return error instanceof Error && error.message.includes("enableOfflineQueue");
}

function isWithoutEvalsha(message: string): boolean {
  return /^ERR unknown command ['`]?evalsha\b/i.test(message) || /^NOPERM .*'evalsha\b/i.test(message);
}
