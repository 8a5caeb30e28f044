/**
 * Running: one call or one command, sent until there is an answer or the deadline passes.
 *
 * @module
 */

import {
  Attempts,
  checkLength,
  type Expiring,
  type Job,
  type Resend,
  type Send,
  type Terms,
} from "./attempt.ts";
import type { Call } from "../call/call.ts";
import { isResending, type RedisClient } from "./client.ts";
import { Connection, type ConnectionEvent } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { answerOf, NoAnswer } from "./failure.ts";
import { READ } from "../call/scripts.gen.ts";
import { Roster } from "./roster.ts";

/** The smallest limit that a server can have for one argument (`proto-max-bulk-len`), in bytes. */
const SURE_LENGTH = 1024 * 1024;

/** What is known of one server, for all that send to it. */
interface Known {
  /** Whether it was given the script of reads. */
  hasRead: boolean;
  /** Whether it takes EVALSHA from us; some users may only use EVAL. */
  hasEvalsha: boolean;
  /** How far its clock is ahead of ours, in milliseconds, as far as we were told. */
  ahead: number;
}

/** What is under way, at all servers of a client. */
interface Flight {
  readonly running: Roster<Expiring>;
  isEnded: boolean;
  /** How often something was sent again. */
  repeats: number;
}

/** What is sent to a script, and what is made of its answer. */
export interface Errand<R> {
  /** Whether it may be sent again: it has a record, or only reads. */
  readonly resend: Resend;
  /** Aborted when nobody waits for it any more. */
  readonly abandoned?: AbortSignal;
  /**
   * Builds the call for a server whose clock is so many milliseconds ahead of ours.
   *
   * @param isFirst Whether it is sent now, and no earlier attempt can have reached the server.
   */
  callFor(ahead: number, isFirst: boolean): Call;
  /** Parses the answer; if it throws, the answer counts as lost. */
  read(answer: unknown): R;
  /** Builds the call that asks for its record, and leaves an empty one if there is none. */
  askFor?(ahead: number): Call;
}

/** Sends commands and scripts to one client. */
export class Runner {
  readonly #connection: Connection;
  readonly #client: RedisClient;
  readonly #timeout: number;
  readonly #terms: Terms;
  readonly #known: Known;
  readonly #flight: Flight;

  /** @param timeout How long a call may take, all its attempts together, in milliseconds. */
  constructor(
    client: RedisClient,
    timeout: number,
    known: Known = { hasRead: false, hasEvalsha: true, ahead: 0 },
    flight: Flight = { running: new Roster(), isEnded: false, repeats: 0 },
  ) {
    this.#known = known;
    this.#flight = flight;
    this.#connection = Connection.of(client);
    this.#client = client;
    this.#timeout = timeout;
    this.#terms = {
      connection: this.#connection,
      timeout,
      deadlines: new Deadlines(),
      running: flight.running,
      isResent: (client.nodes !== undefined || client.resends !== undefined) && isResending(client),
      refused({ cause }) {
        const now = /^LATE (\d+)/.exec(cause instanceof Error ? cause.message : "")?.[1];
        if (now !== undefined) known.ahead = Number(now) - Date.now();
      },
      repeated(times) {
        flight.repeats += times;
      },
    };
  }

  /** Whether it is a cluster that the client is connected to. */
  get isCluster(): boolean {
    return this.#client.nodes !== undefined;
  }

  /** A runner for each master of a cluster that the client knows. */
  masters(): readonly Runner[] {
    return (this.#client.nodes?.("master") ?? []).map((node) =>
      new Runner(node, this.#timeout, undefined, this.#flight)
    );
  }

  /** The same for calls that may take another time, in milliseconds. */
  within(timeout: number): Runner {
    return timeout === this.#timeout ? this : new Runner(this.#client, timeout, this.#known, this.#flight);
  }

  /**
   * Calls a listener each time that the connection is lost, made, or ended for good, or that connecting has failed.
   *
   * @returns Ends it.
   */
  onChange(listener: (event: ConnectionEvent) => void): () => void {
    return this.#connection.onChange(listener);
  }

  /**
   * Runs a script. One round trip; two the first time a server sees the script, or where its clock is far from ours.
   *
   * @returns What `read` returned.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server refused to run it.
   * @throws {RangeError} If it is too long to be sent.
   */
  run<R>(errand: Errand<R>): Promise<R> {
    const call = errand.callFor(this.#known.ahead, false);
    const job = new ScriptJob(this.#client, this.#known, this.#flight, errand, call);
    return this.#send(job, [call.script.text], call.keys, call.args);
  }

  /**
   * Sends a plain command. One round trip.
   *
   * @param read Parses the answer; if it throws, the answer counts as lost.
   * @returns What `read` returned.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server refused to run it.
   * @throws {RangeError} If it is too long to be sent.
   */
  command<R>(
    read: (answer: unknown) => R,
    name: string,
    ...args: readonly (string | number)[]
  ): Promise<R> {
    return this.#send({ resend: "resend", isRead: true, read, run: (send) => send(name, args) }, args);
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
  ofEach(name: string, keys: readonly string[]): Promise<readonly unknown[]> {
    const job: Job<readonly unknown[]> = {
      resend: "resend",
      isRead: true,
      read: (answers) => answers as readonly unknown[],
      run: (send) => Promise.all(keys.map((key) => send(name, [key]))),
    };
    return this.#send(job, keys);
  }

  /**
   * Waits until replicas have what a call has written. Two round trips in a cluster, else one, which takes as long as the
   * replicas need. The connection is blocked meanwhile.
   *
   * @param record The record of the call. Its expiry is written again, because WAIT waits only for the writes of its own
   * connection.
   * @param ttl How long it is kept, in milliseconds.
   * @param replicas How many replicas should have it.
   * @param ms How long to wait, in milliseconds.
   * @returns How many have it; `undefined` if the record is gone, and perhaps the change with it.
   * @throws {NoAnswer} If there is none.
   * @throws {Refused} If the server refused to run it.
   */
  replicate(record: string, ttl: number, replicas: number, ms: number): Promise<number | undefined> {
    const confirm = async (send: Send): Promise<unknown> => {
      const [before, isKnown, count, after] = await Promise.all([
        send("CLIENT", ["ID"]),
        send("PEXPIRE", [record, ttl]),
        send("WAIT", [replicas, ms]),
        send("CLIENT", ["ID"]),
      ]);
      // case: the connection broke and the client resent the rest on a new one. There, WAIT waits for nothing.
      if (before !== after) throw new Error("The connection was replaced");
      return Number(isKnown) === 0 ? undefined : Number(count);
    };
    return this.#send({
      resend: "resend",
      isRead: true,
      read: (count) => count as number | undefined,
      run: this.isCluster ? async () => confirm(await this.#findHome(record, ttl)) : confirm,
    });
  }

  /** Sends to the master that has a record. Only that master accepts commands on it. */
  async #findHome(record: string, ttl: number): Promise<Send> {
    const masters = this.#client.nodes?.("master") ?? [];
    const answers = await Promise.allSettled(masters.map((node) => node.call("PEXPIRE", record, ttl)));
    const home = answers.findIndex(({ status }) => status === "fulfilled");
    if (home >= 0) return (command, args) => masters[home].call(command, ...args);
    const [answer] = answers;
    throw answer?.status === "rejected" ? answer.reason : new Error("No master is known");
  }

  /** How often something was sent again, so that it may have been done behind what was issued later. */
  get repeats(): number {
    return this.#flight.repeats;
  }

  /** Whether nothing is sent any more. */
  get isEnded(): boolean {
    return this.#flight.isEnded;
  }

  /** Ends all calls under way as their deadline would, and sends nothing more. */
  end(): void {
    this.#flight.isEnded = true;
    for (const attempts of this.#flight.running.all()) attempts.expire();
  }

  /** Sends a command whose reply is not needed, if it can be sent at once. */
  post(name: string, ...args: (string | number)[]): void {
    if (!this.#connection.isReady) return;
    // case: some clients throw before there is a promise. The call that this follows has succeeded all the same.
    (async () => await this.#client.call(name, ...args))().catch(() => {});
  }

  /** Sends a job, if all that it sends fits into one call. It never throws. */
  #send<R>(job: Job<R>, ...args: readonly (readonly (string | number)[])[]): Promise<R> {
    if (this.isEnded) return Promise.reject(new NoAnswer(false, true));
    try {
      checkLength(this.#connection, ...args);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Attempts(this.#terms, job).result;
  }
}

/** The call of a script. */
class ScriptJob<R> implements Job<R> {
  readonly resend: Resend;
  readonly isRead: boolean;
  readonly written: readonly string[];
  readonly abandoned: AbortSignal | undefined;
  readonly #client: RedisClient;
  readonly #known: Known;
  readonly #flight: Flight;
  readonly #errand: Errand<R>;
  /** What was sent last. */
  #call: Call;
  /** Whether that was with the text of the script. */
  #isText: boolean = false;

  constructor(client: RedisClient, known: Known, flight: Flight, errand: Errand<R>, call: Call) {
    this.resend = errand.resend;
    this.isRead = call.script === READ;
    this.written = call.args;
    this.abandoned = errand.abandoned;
    this.#client = client;
    this.#known = known;
    this.#flight = flight;
    this.#errand = errand;
    this.#call = call;
  }

  run(send: Send, isFirst: boolean): Promise<unknown> {
    return this.#run(this.#errand.callFor(this.#known.ahead, isFirst), send);
  }

  read(answer: unknown): R {
    return this.#errand.read(answer);
  }

  get ask(): Job<R>["ask"] {
    const isLong = this.written.some((arg) => arg.length > SURE_LENGTH / 3);
    return isLong && this.#errand.askFor ? (send) => this.#ask(send) : undefined;
  }

  async #ask(send: Send): Promise<{ readonly answer: unknown } | undefined> {
    const sent = this.#run(this.#errand.askFor!(this.#known.ahead), send);
    const answer = await sent.catch((error) => this.instead(send, error) ?? Promise.reject(error));
    return Array.isArray(answer) && answer.length === 0 ? undefined : { answer };
  }

  #run(call: Call, send: Send): Promise<unknown> {
    this.#call = call;
    const { script } = call;
    if (script === READ && !this.#known.hasRead) {
      // Without the script, the read would be sent again and could see changes that were issued after it.
      this.#known.hasRead = true;
      this.#load(send);
    }
    this.#isText = !this.#known.hasEvalsha;
    return this.#isText ? this.#runText(send) : send("EVALSHA", listOf(script.sha1, call));
  }

  instead(send: Send, error: unknown): Promise<unknown> | undefined {
    if (this.#isText) return undefined;
    const answer = answerOf(error) ?? "";
    if (isWithoutEvalsha(answer)) this.#known.hasEvalsha = false;
    else if (!answer.startsWith("NOSCRIPT")) return undefined;
    // EVALSHA was not executed; EVAL follows. SCRIPT LOAD before it prevents the eviction of the script: Redis 7.4
    // and Valkey 8 keep only 500 scripts from EVAL. A user without the right to SCRIPT LOAD may still have EVAL.
    else this.#load(send);
    this.#isText = true;
    return this.#runText(send);
  }

  #runText(send: Send): Promise<unknown> {
    this.#flight.repeats++;
    return send("EVAL", listOf(this.#call.script.text, this.#call));
  }

  #load(send: Send): void {
    if (this.#client.nodes) return; // it would go to any node, not to the one that runs the script
    send("SCRIPT", ["LOAD", this.#call.script.text]).catch(() => {});
  }
}

function listOf(script: string, { keys, args }: Call): (string | number)[] {
  return [script, keys.length, ...keys, ...args];
}

function isWithoutEvalsha(message: string): boolean {
  return /^ERR unknown command ['`]?evalsha\b/i.test(message) || /^NOPERM .*'evalsha\b/i.test(message);
}
