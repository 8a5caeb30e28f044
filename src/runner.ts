/**
 * Running: one call or one command, sent until it is answered, or its deadline is over.
 *
 * @module
 */

import { Attempts, checkLength, type Job, type Repeat, type Send } from "./attempt.ts";
import type { Call } from "./call.ts";
import { isResending, type RedisClient } from "./client.ts";
import { Connection, type ConnectionEvent } from "./connection.ts";
import { answerOf, NoAnswer } from "./failure.ts";
import { READ } from "./scripts.gen.ts";

/** A server may be set to take no longer texts than this in one piece, in bytes. */
const SURE_LENGTH = 1024 * 1024;

/** Sends commands and scripts to one client. */
export class Runner {
  readonly #connection: Connection;
  readonly #client: RedisClient;
  readonly #timeout: number;
  readonly #isResending: boolean;
  #hasRead: boolean = false;
  /** Whether the server takes EVALSHA from us; some users may only use EVAL. */
  #hasEvalsha: boolean = true;
  /** How far the clock of the server is ahead of ours, in milliseconds, as far as we were told. */
  #ahead: number = 0;

  /** What is under way, also for single masters of a cluster. */
  readonly #running: Set<Attempts<unknown>>;
  #isEnded: boolean = false;

  /** @param timeout How long a call may take, all its attempts together, in milliseconds. */
  constructor(client: RedisClient, timeout: number, running: Set<Attempts<unknown>> = new Set()) {
    this.#running = running;
    this.#connection = Connection.of(client);
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
    return (this.#client.nodes?.("master") ?? []).map((node) =>
      new Runner(node, this.#timeout, this.#running)
    );
  }

  /**
   * Calls a listener each time that a connection is lost, that there is a new one, or none any more.
   *
   * @returns Ends it.
   */
  onChange(listener: (event: ConnectionEvent) => void): () => void {
    return this.#connection.onChange(listener);
  }

  /**
   * Runs a script. One round trip; two the first time a server sees the script, or where its clock is far from ours.
   *
   * @param callFor Makes the call, for a server whose clock is so many milliseconds ahead of ours.
   * @param repeat Whether it may arrive twice: it has a record, or only reads.
   * @param read Makes sense of the answer; if it throws, the answer counts as lost.
   * @param ask Makes the call that asks for its record, and leaves an empty one where there is none.
   * @returns What `read` returned.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server answered that it would not run it.
   * @throws {RangeError} If it is too long to be sent.
   */
  async run<R>(
    callFor: (ahead: number) => Call,
    repeat: Repeat,
    read: (answer: unknown) => R,
    ask?: (ahead: number) => Call,
  ): Promise<R> {
    const first = callFor(this.#ahead);
    const { script, keys, args } = first;
    checkLength(this.#connection, [script.text], keys, args);
    return await this.#send({
      repeat,
      read,
      isRead: script === READ,
      written: args,
      run: (send) => this.#runScript(callFor(this.#ahead), send),
      ask: ask && args.some((arg) => arg.length > SURE_LENGTH / 3)
        ? async (send) => {
          const answer = await this.#runScript(ask(this.#ahead), send);
          return Array.isArray(answer) && answer.length === 0 ? undefined : { answer };
        }
        : undefined,
    });
  }

  async #runScript({ script, keys, args }: Call, send: Send): Promise<unknown> {
    if (script === READ && !this.#hasRead) {
      // A read that the server had to be sent twice would see changes that were issued after it.
      this.#hasRead = true;
      this.#load(script.text, send);
    }
    const rest = [keys.length, ...keys, ...args];
    if (this.#hasEvalsha) {
      try {
        return await send("EVALSHA", [script.sha1, ...rest]);
      } catch (error) {
        const answer = answerOf(error) ?? "";
        if (isWithoutEvalsha(answer)) this.#hasEvalsha = false;
        else if (!answer.startsWith("NOSCRIPT")) throw error;
        // It was not executed. EVAL is, and SCRIPT LOAD before it keeps the server from evicting the script
        // (Redis 7.4 and Valkey 8 keep only 500 that came by EVAL). Who may not load may still have EVAL.
        else this.#load(script.text, send);
      }
    }
    return await send("EVAL", [script.text, ...rest]);
  }

  #load(text: string, send: Send): void {
    if (this.#client.nodes) return; // it would go to some node, not to the one that runs the script
    send("SCRIPT", ["LOAD", text]).catch(() => {});
  }

  /**
   * Sends a plain command. One round trip.
   *
   * @param repeat Whether it may arrive twice, as reads may.
   * @returns What the server answered.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server answered that it would not run it.
   * @throws {RangeError} If it is too long to be sent.
   */
  async command(repeat: Repeat, name: string, ...args: (string | number)[]): Promise<unknown> {
    checkLength(this.#connection, args);
    const isRead = repeat === "repeat"; // a plain command that changes something has no record
    return await this.#send({ repeat, isRead, read: (answer) => answer, run: (send) => send(name, args) });
  }

  /**
   * Sends a read about each of several keys, all at once.
   *
   * @param name The command, which takes one key.
   * @param keys Their whole names.
   * @returns What the server answered, in their order.
   * @throws {NoAnswer} If an answer is missing.
   * @throws {Refused} If the server answered that it would not run one.
   */
  async ofEach(name: string, keys: readonly string[]): Promise<readonly unknown[]> {
    checkLength(this.#connection, keys);
    return await this.#send({
      repeat: "repeat",
      isRead: true,
      read: (answers) => answers as readonly unknown[],
      run: (send) => Promise.all(keys.map((key) => send(name, [key]))),
    });
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
    const confirm = async (send: Send): Promise<unknown> => {
      const [before, isKnown, count, after] = await Promise.all([
        send("CLIENT", ["ID"]),
        send("PEXPIRE", [record, ttl]),
        send("WAIT", [replicas, ms]),
        send("CLIENT", ["ID"]),
      ]);
      // case: the connection broke and the client sent the rest again on a new one. There, WAIT waits for nothing.
      if (before !== after) throw new Error("The connection was replaced");
      return Number(isKnown) === 0 ? undefined : Number(count);
    };
    return this.#send({
      repeat: "repeat",
      isRead: true,
      read: (count) => count as number | undefined,
      run: this.isCluster ? async () => confirm(await this.#findHome(record, ttl)) : confirm,
    });
  }

  /** The master that has a record. Only it takes commands about it. */
  async #findHome(record: string, ttl: number): Promise<Send> {
    const masters = this.#client.nodes?.("master") ?? [];
    const answers = await Promise.allSettled(masters.map((node) => node.call("PEXPIRE", record, ttl)));
    const home = answers.findIndex(({ status }) => status === "fulfilled");
    if (home >= 0) return (command, args) => masters[home].call(command, ...args);
    const [answer] = answers;
    throw answer?.status === "rejected" ? answer.reason : new Error("No master is known");
  }

  /** Ends all that is under way, as its deadline would, and sends nothing more. */
  end(): void {
    this.#isEnded = true;
    for (const attempts of [...this.#running]) attempts.expire();
  }

  /** Sends a command whose answer nobody needs, if it can be sent at once. */
  post(name: string, ...args: (string | number)[]): void {
    if (!this.#connection.isReady) return;
    // case: some clients throw before there is a promise. What it follows is done all the same.
    (async () => await this.#client.call(name, ...args))().catch(() => {});
  }

  async #send<R>(job: Job<R>): Promise<R> {
    if (this.#isEnded) throw new NoAnswer(false, true);
    const attempts = new Attempts(this.#connection, this.#timeout, {
      ...job,
      isResent: this.#isResending,
      refused: ({ cause }) => {
        const now = /^LATE (\d+)/.exec(cause instanceof Error ? cause.message : "")?.[1];
        if (now !== undefined) this.#ahead = Number(now) - Date.now();
      },
    });
    this.#running.add(attempts as Attempts<unknown>);
    try {
      return await attempts.result;
    } finally {
      this.#running.delete(attempts as Attempts<unknown>);
    }
  }
}

function isWithoutEvalsha(message: string): boolean {
  return /^ERR unknown command ['`]?evalsha\b/i.test(message) || /^NOPERM .*'evalsha\b/i.test(message);
}
