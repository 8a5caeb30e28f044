/**
 * Attempts: one command or script, sent until there is an answer or the deadline passes.
 *
 * @module
 */

import type { Connection, ConnectionEvent, ConnectionListener } from "./connection.ts";
import type { Deadlines, Timed } from "./deadlines.ts";
import {
  isListening,
  isTooLong,
  isTransient,
  isUnrecognised,
  isUnsent,
  MAX_TEXT,
  NoAnswer,
  PartlyApplied,
  Refused,
  toCause,
  toRefused,
  unrecognised,
  Unsent,
  Unusable,
} from "./failure.ts";
import type { Entry, Roster } from "./roster.ts";

/** Whether a command may be sent again after its answer was lost. */
export type Resend = "resend" | "never";

/** Sends one command of an attempt. */
export type Send = (command: string, args: readonly (string | number)[]) => Promise<unknown>;

/** One command or script, and how it is sent. */
export interface Job<R> {
  /** Whether it may be sent again: it has a record, or only reads. */
  readonly resend: Resend;
  /** Whether it changes nothing. */
  readonly isRead: boolean;
  /** The values that it writes; no error may show them. */
  readonly written?: readonly (string | number)[];
  /** Sends it. `isFirst` if it is certain that no earlier attempt has reached the server. */
  run(send: Send, isFirst: boolean): Promise<unknown>;
  /** Sends it in another way, if that is what the server has answered. Nothing if there is no other way. */
  instead?(send: Send, error: unknown): Promise<unknown> | undefined;
  /** Aborted when nobody waits for it any more: then it is not sent, if it was not yet. */
  readonly abandoned?: AbortSignal;
  /** Parses the answer; if it throws, the answer counts as lost. */
  read(answer: unknown): R;
  /** Instead of a resend: looks up the recorded answer. `undefined` if it was not applied; then it never will be. */
  readonly ask?: (send: Send) => Promise<{ readonly answer: unknown } | undefined>;
}

/** How the calls of a runner are sent. */
export interface Terms {
  /** Where they are sent. */
  readonly connection: Connection;
  /** How long all attempts of a call may take together, in milliseconds. */
  readonly timeout: number;
  /** Ends them then. */
  readonly deadlines: Deadlines;
  /** Whether the client may resend by itself and reports only the last reply. */
  readonly isResent: boolean;
  /** All that are under way, at all servers of a client. */
  readonly running: Roster<Expiring>;
  /** Called with each refusal that may pass. */
  refused(refusal: Refused): void;
  /** Called when something was sent again so many times. */
  repeated(times: number): void;
}

/** What can be ended with what is known so far. */
export interface Expiring {
  /** Ends it. */
  expire(): void;
}

/** The first pause before a command is sent again, and the longest one, in milliseconds. */
const PAUSE = 5;
const MAX_PAUSE = 250;
/** After so many lost connections a long value is not sent again. */
const MAX_LOSSES = 3;
/** A longer list of arguments is passed as one list, if the client accepts that. */
const MAX_SPREAD = 500;
/** So many arguments fit on the stack in all runtimes. */
const MAX_ARGUMENTS = 30_000;
/** What the protocol adds to one argument, at most, in bytes. */
const OVERHEAD = 16;

/**
 * Checks before any I/O that a command can be sent: the client builds one string of it.
 *
 * @param connection Where it would be sent.
 * @param args All that is sent.
 * @throws {RangeError} If it is too long.
 */
export function checkLength(
  connection: Connection,
  ...args: readonly (readonly (string | number)[])[]
): void {
  let length = 0;
  let count = 0;
  for (const list of args) {
    count += list.length;
    for (const arg of list) length += OVERHEAD + (typeof arg === "string" ? arg.length : 20);
  }
  if (length > MAX_TEXT) {
    throw new RangeError(
      `Cannot send ${length} characters in one call: at most ${MAX_TEXT} fit into one text; write less at once`,
    );
  }
  if (count > MAX_ARGUMENTS && !connection.flattens) {
    throw new RangeError(
      `Cannot send ${count} arguments in one call: at most ${MAX_ARGUMENTS} can be passed to the client; write less at once`,
    );
  }
}

/** Sends a job until there is an answer or the deadline passes. */
export class Attempts<R> implements Timed, Expiring {
  /** What the job returned. */
  readonly result: Promise<R>;
  /** When its time is over, by `performance.now()`. */
  readonly endsAt: number;
  readonly #terms: Terms;
  readonly #connection: Connection;
  readonly #job: Job<R>;
  readonly #lastCall: number;
  readonly #place: Entry<Expiring>;
  readonly #deadline: Entry<Timed>;
  readonly #listener: Entry<ConnectionListener>;
  #resolve!: (result: R) => void;
  #reject!: (error: unknown) => void;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #isOver: boolean = false;
  /** How many attempts the client has not settled yet. */
  #flying: number = 0;
  /** Whether an attempt may have reached the server without an answer. */
  #isLost: boolean = false;
  /** Whether it waits until the connection is prepared. */
  #isWaiting: boolean = false;
  #attempts: number = 0;
  /** The last refusal that may pass. */
  #refusal: Refused | undefined;
  #failure: unknown;

  /** @param terms How it is sent. */
  constructor(terms: Terms, job: Job<R>) {
    const { connection, timeout } = terms;
    this.#terms = terms;
    this.#connection = connection;
    this.#job = job;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const now = performance.now();
    this.#lastCall = now + timeout * 0.9;
    this.endsAt = now + timeout;
    this.#place = terms.running.add(this);
    this.#deadline = terms.deadlines.add(this);
    this.#listener = connection.join(this);
    job.abandoned?.addEventListener("abort", () => {
      if (!this.#mayBeApplied) this.expire();
    });
    this.#attempt();
  }

  get #mayBeApplied(): boolean {
    return this.#isLost || this.#flying > 0;
  }

  readonly #send: Send = (command, args) => {
    // case: the deadline passed between two commands of a job. The caller has its error; nothing more may be sent.
    if (this.#isOver) return Promise.reject(new Unsent(undefined));
    return send(this.#connection, command, args);
  };

  readonly #attempt = (): void => {
    if (this.#pause !== undefined) clearTimeout(this.#pause);
    if (this.#isOver) return;
    if (this.#job.abandoned?.aborted && !this.#mayBeApplied) return this.expire();
    const connection = this.#connection;
    if (connection.client.status === "end") {
      const cause = new Error("The connection is closed");
      return this.#fail(this.#mayBeApplied ? new NoAnswer(true, false, cause) : new Refused("CLOSED", cause));
    }
    // A client that is not connected would queue the command and lose track of whether it was sent.
    if (!connection.isReady) {
      if (connection.client.status === "wait") connection.client.connect?.().catch(() => {});
      const { hopeless } = connection;
      if (hopeless && !this.#mayBeApplied) this.#fail(hopeless);
      return;
    }
    if (this.#isWaiting) return;
    const preparing = connection.prepare();
    if (preparing === undefined) return this.#start();
    this.#isWaiting = true;
    preparing.then(() => {
      this.#isWaiting = false;
      this.#attempt();
    }, (error) => {
      this.#isWaiting = false;
      if (!this.#isOver) this.#unprepared(error);
    });
  };

  #unprepared(error: unknown): void {
    const refused = toRefused(error) ?? (isListening(error) ? modeRefusal(error) : undefined);
    if (error instanceof Unusable) return this.#refuse(error);
    if (refused === undefined) {
      this.#failure = error;
      return this.#again();
    }
    if (!isTransient(refused) && !this.#connection.wasUsable) return this.#refuse(refused);
    this.#refusal = refused;
    this.#again();
  }

  #start(): void {
    const isFirst = !this.#mayBeApplied;
    this.#attempts++;
    this.#flying++;
    const job = this.#job;
    const ask = this.#isLost && this.#attempts > MAX_LOSSES ? job.ask : undefined;
    if (ask === undefined) return this.#follow(job.run(this.#send, isFirst));
    ask(this.#send).then((answered) => {
      if (answered !== undefined) return this.#take(answered.answer);
      this.#flying--;
      if (this.#isOver) return;
      this.#fail(new Refused("SIZE", new Error("the connection ended each time that the call was sent")));
    }, (error) => this.#settle(error));
  }

  /** Waits for an answer. Directly at the promise of the client: each promise in between costs every call. */
  #follow(answer: Promise<unknown>): void {
    answer.then((answer) => this.#take(answer), (error) => this.#settle(error));
  }

  #take(answer: unknown): void {
    this.#flying--;
    if (this.#isOver) return;
    let result: R;
    try {
      result = this.#job.read(answer);
    } catch (error) {
      return this.#lose(error); // something between client and server garbled it
    }
    this.#finish();
    this.#resolve(result);
  }

  #settle(error: unknown): void {
    this.#flying--;
    if (this.#isOver) return;
    const job = this.#job;
    const instead = job.instead?.(this.#send, error);
    if (instead !== undefined) {
      this.#flying++;
      return this.#follow(instead);
    }
    if (isUnsent(error)) {
      if (error instanceof Unsent) this.#failure = error.cause;
      return isTooLong(this.#failure) ? this.#refuse(this.#failure) : this.#again();
    }
    if (isListening(error)) return this.#refuse(modeRefusal(error));
    if (isTooLong(error)) {
      // The next answer would be as long, so a retry is useless.
      const cause = toCause(error);
      return this.#fail(job.isRead ? new Refused("LIMIT", cause) : new NoAnswer(true, false, cause));
    }
    const refused = toRefused(error, job.written);
    if (refused === undefined) {
      if (!isUnrecognised(error)) return this.#lose(error);
      const cause = unrecognised();
      return this.#fail(job.isRead && !this.#mayBeApplied ? cause : new NoAnswer(true, false, cause));
    }
    if (refused.reason === "PARTIAL") return this.#fail(new PartlyApplied(refused.cause));
    if (!isTransient(refused)) {
      if (this.#isLost && job.ask) return this.#again();
      return this.#refuse(refused);
    }
    this.#refusal = refused;
    this.#terms.refused(refused);
    if (this.#terms.isResent) this.#isLost = true; // the client may have resent it before this reply
    this.#again();
  }

  /** Ends with a refusal, unless an earlier attempt may still be applied. */
  #refuse(error: unknown): void {
    if (!this.#mayBeApplied) return this.#fail(error);
    this.#fail(new NoAnswer(true, false, error instanceof Refused ? error.cause : error));
  }

  #lose(error: unknown): void {
    this.#isLost = true;
    this.#failure = error;
    if (this.#job.resend === "resend") this.#again();
    else this.#fail(new NoAnswer(true, false, toCause(error, this.#job.written)));
  }

  #again(): void {
    clearTimeout(this.#pause);
    const longest = Math.min(MAX_PAUSE, PAUSE * 2 ** Math.min(this.#attempts, 10));
    const ms = longest * (0.5 + Math.random() / 2);
    // case: an attempt that is under way at the deadline would turn a known refusal into an ambiguous result.
    if (this.#refusal && !this.#mayBeApplied && performance.now() + ms > this.#lastCall) {
      return this.#fail(this.#refusal);
    }
    this.#pause = setTimeout(this.#attempt, ms);
  }

  /** Something happened to the connection. */
  changed(event: ConnectionEvent): void {
    if (event === "close") {
      if (this.#flying > 0) this.#lose(new Error("The connection was lost"));
    } else if (event === "error" ? !this.#connection.isReady : this.#flying === 0 || this.#isLost) {
      // The client may never settle an attempt of the old connection. One of the new connection is on its way.
      this.#attempt();
    }
  }

  /** Its time is over. */
  timeout(): void {
    if (this.#isOver) return;
    this.expire();
    this.#connection.suspect?.();
  }

  /** Ends it with what is known so far. */
  expire(): void {
    if (this.#isOver) return;
    const connection = this.#connection;
    const failure = this.#failure === undefined ? undefined : toCause(this.#failure, this.#job.written);
    const cause = connection.failure ?? this.#refusal?.cause ?? failure;
    if (this.#mayBeApplied) this.#fail(new NoAnswer(true, true, cause));
    else this.#fail(this.#refusal ?? connection.refusal ?? new NoAnswer(false, true, cause));
  }

  #fail(error: unknown): void {
    this.#finish();
    this.#reject(error);
  }

  #finish(): void {
    this.#isOver = true;
    const { running, deadlines, connection } = this.#terms;
    running.remove(this.#place);
    deadlines.remove(this.#deadline);
    connection.leave(this.#listener);
    if (this.#pause !== undefined) clearTimeout(this.#pause);
    if (this.#attempts > 1) this.#terms.repeated(this.#attempts - 1);
  }
}

function modeRefusal(error: unknown): Refused {
  return new Refused("MODE", toCause(error));
}

/** Passes a command to the client. It never throws: an error before there is a promise means that nothing was sent. */
function send(
  { client, flattens }: Connection,
  command: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    if (!flattens) return Promise.resolve(client.call(command, ...args));
    // The cluster of iovalkey finds the keys of a command, and with them its node, by a name in small letters only. Else
    // it asks any node, and what is redirected comes behind later commands.
    const name = command.toLowerCase();
    // Not one by one: the stack has no room for them. ioredis and iovalkey make one list of it.
    if (args.length > MAX_SPREAD) return (client as unknown as Listed).call(name, args);
    return client.call(name, ...args);
  } catch (error) {
    // case: the stack may overflow after the command was written to the socket.
    return Promise.reject(isStackOverflow(error) ? error : new Unsent(error));
  }
}

function isStackOverflow(error: unknown): boolean {
  return error instanceof Error && /call stack|too much recursion/i.test(error.message);
}

/** A client that takes all arguments as one list. */
interface Listed {
  call(command: string, args: readonly (string | number)[]): Promise<unknown>;
}
