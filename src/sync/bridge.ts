/**
 * The bridge: drives the steps of a method in the caller, and waits for what the worker does of it.
 *
 * @module
 */

import { AmbiguousResultError, TimeoutError, UnavailableError, type Verdict } from "../errors/delivery.ts";
import { JsonDictError, type JsonDictErrorData } from "../errors/error.ts";
import { formatPlace, type Path } from "../data/path.ts";
import type { Settings } from "../run/options.ts";
import type { CallOptions } from "../run/cancellation.ts";
import type { Task } from "../api/task.ts";
import type { Request, Steps } from "../store/request.ts";
import { countChange } from "./moment.ts";
import { unpack } from "./parcel.ts";
import { END, type Peer, type Result, START, type Wish } from "./worker.ts";

/** How much longer than a call may take the worker is waited for, in milliseconds. */
const GRACE = 2_000;
/** How long the worker may take to start, in milliseconds. Deno may check the types of all of it first. */
const START_TIMEOUT = 60_000;
/** The longest wait without a look at what has come, in milliseconds. */
const STEP = 500;
/** The wait for a reply that the bell has announced, and that is still on its way, in milliseconds. */
const SOON = 1;

/** How many round trips one after the other a request may take; one when it is not here. */
const ROUNDS: Readonly<Partial<Record<Request["kind"], number>>> = {
  read: 2,
  readAll: 2,
  texts: 2,
  look: 2,
  ready: 4,
};

/** The requests that change something. */
const CHANGES: ReadonlySet<Request["kind"]> = new Set(["apply", "applyAll", "commit", "clear", "popItem"]);

/** Waits for a worker. */
export class Bridge {
  /** How the dictionary works. */
  readonly settings: Settings;
  readonly #peer: Peer;
  /** How many replies were taken. */
  #heard: number = 0;
  #next: number = START + 1;
  /** Why there is no worker any more; nothing while there is one. */
  #end: string | undefined;
  #isClosed: boolean = false;
  /** The keys that edits hold which are under way, by the number of the edit. */
  readonly #held: Map<number, readonly string[]> = new Map();

  /**
   * Waits until a worker has started.
   *
   * @param settings How the dictionary works.
   * @param start Starts it; it is given what to call when the worker ends by itself.
   * @throws {Error} If it cannot start; the message says why.
   */
  constructor(settings: Settings, start: (onEnd: () => void) => Peer) {
    this.settings = settings;
    this.#peer = start(() => this.#end ??= "it has ended by itself");
    const reply = this.#await(START, START_TIMEOUT);
    if (reply !== undefined && "answer" in reply) return;
    this.#peer.end();
    if (reply === undefined) {
      throw new Error(`Cannot start the worker: it has not answered within ${START_TIMEOUT} ms`);
    }
    const { name, message } = reply.error;
    // Wrong arguments are found in the worker, too.
    if (/^Cannot (?:connect|use|deliver)\b/.test(message)) throw this.#unpack(reply);
    throw new Error(`Cannot start the worker: ${name}: ${message.replace(/\.$/, "")}`);
  }

  /**
   * Does what a method does, and waits for all of it.
   *
   * @param begin Checks the arguments, and makes the steps.
   * @returns What they return.
   * @throws What they throw, with the stack of the caller.
   */
  run<R>(begin: () => Task<R>): R {
    try {
      const { options, steps } = begin();
      if (options?.signal !== undefined) {
        throw new TypeError(
          "Cannot use the option signal: nothing can abort a program that waits; use the option timeout",
        );
      }
      return this.#drive(steps, options);
    } catch (error) {
      throw pointToCaller(error, this.run);
    }
  }

  #drive<R>(steps: Steps<R>, options: CallOptions | undefined): R {
    let step = steps.next();
    while (!step.done) {
      let answer: unknown;
      try {
        answer = this.#perform(step.value, options?.timeout);
      } catch (error) {
        step = steps.throw(error);
        continue;
      }
      step = steps.next(answer as never); // what a request of this kind is answered, says `ask`
    }
    return step.value;
  }

  #perform(request: Request, timeout: number | undefined): unknown {
    const target = targetOf(request);
    if (request.kind === "leave") {
      this.#held.delete(request.edit);
      // Where there is no worker, there is nothing to leave, and the error that the edit ends with says more.
      if (this.#isClosed || this.#end !== undefined) return undefined;
    }
    this.#check(target);
    this.#checkHeld(request, target);
    const ms = timeout ?? this.settings.timeout;
    const limit = ms * (ROUNDS[request.kind] ?? 1) + GRACE + (this.settings.durability?.timeout ?? 0);
    if (CHANGES.has(request.kind)) countChange();
    const answer = this.#call({ request, timeout }, limit, () => {
      const cause = new Error(this.#end);
      return CHANGES.has(request.kind)
        ? new AmbiguousResultError({ ...target, cause })
        : new TimeoutError({ ...target, timeout: limit, cause });
    });
    if (request.kind === "join") this.#held.set(answer as number, request.keys);
    if (request.kind === "extend") this.#held.set(request.edit, request.keys);
    return answer;
  }

  /** In an edit, its keys are its own: whoever waits for them there waits for ever. */
  #checkHeld(request: Request, { operation }: JsonDictErrorData): void {
    if (this.#held.size === 0) return;
    const keys = keysOf(request);
    for (const [edit, held] of this.#held) {
      if ("edit" in request && request.edit === edit) continue;
      const key = keys === undefined ? held[0] : keys.find((key) => held.includes(key));
      if (key === undefined) continue;
      throw new TypeError(
        `Cannot ${operation} in the recipe of an edit of ${
          formatPlace([key])
        }: it would wait for that edit; use the draft`,
      );
    }
  }

  /**
   * Ends the worker, once all that it does is done.
   *
   * @param ms How long that may take, in milliseconds.
   */
  close(ms: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#end !== undefined) return;
    try {
      this.#call({ close: ms }, ms + GRACE, () => undefined);
    } finally {
      this.#end = "it is closed";
      this.#peer.end();
    }
  }

  #resolve(kept: number): Verdict {
    const target = { operation: "resolve", path: [] };
    try {
      this.#check(target);
      const limit = this.settings.timeout + GRACE;
      return this.#call({ resolve: kept }, limit, () => {
        return new TimeoutError({ ...target, timeout: limit, cause: new Error(this.#end) });
      }) as Verdict;
    } catch (error) {
      throw pointToCaller(error, this.#resolve);
    }
  }

  #check(target: JsonDictErrorData): void {
    if (this.#isClosed) throw new TypeError("Cannot use the dictionary: it is closed");
    if (this.#end === undefined) return;
    const cause = new Error(`there is no worker: ${this.#end}`);
    throw new UnavailableError({ ...target, reason: "CLOSED", cause });
  }

  /** Asks the worker, and waits for its answer. */
  #call(wish: Wish, limit: number, toError: () => Error | undefined): unknown {
    const id = this.#next++;
    this.#peer.send(id, wish);
    const reply = this.#await(id, limit);
    if (reply !== undefined && "answer" in reply) return reply.answer;
    if (reply !== undefined && reply.id === id) throw this.#unpack(reply);
    this.#end = reply === undefined
      ? `the worker has not answered within ${Math.round(limit)} ms, so it was ended`
      : `the worker has failed: ${reply.error.message}`;
    this.#peer.end();
    const error = toError();
    if (error !== undefined) throw error;
  }

  /** Waits for the reply with a number, longer while the worker says that it is working on it. */
  #await(id: number, limit: number): Result | undefined {
    const { bell } = this.#peer;
    let endsAt = performance.now() + limit;
    while (true) {
      const rung = Atomics.load(bell, 0);
      const reply = rung === this.#heard ? undefined : this.#peer.take();
      if (reply !== undefined) {
        this.#heard = (this.#heard + 1) | 0; // as the bell counts, which may come to its end
        if (reply.id === id && "isWorking" in reply) endsAt = performance.now() + limit;
        else if (reply.id === id || reply.id === END) return reply as Result;
        continue;
      }
      const left = endsAt - performance.now();
      if (left <= 0) return undefined;
      Atomics.wait(bell, 0, rung, Math.min(left, rung === this.#heard ? STEP : SOON));
    }
  }

  #unpack({ error }: { readonly error: Parameters<typeof unpack>[0] }): Error {
    return unpack(error, (kept) => this.#resolve(kept));
  }
}

/** What a request does, for errors. */
function targetOf(request: Request): { readonly operation: string; readonly path: Path } {
  switch (request.kind) {
    case "read":
      return { operation: request.operation ?? request.read.kind, path: request.read.path };
    case "apply":
      return { operation: request.operation, path: request.group[0].path };
    case "applyAll":
      return { operation: request.operation, path: [] };
    case "commit":
      return { operation: "edit", path: request.group[0].path };
    case "command":
    case "commands":
      return { operation: request.operation, path: [request.key] };
    case "readAll":
    case "fragments":
    case "texts":
    case "all":
    case "count":
      return { operation: request.operation, path: [] };
    case "join":
    case "extend":
    case "look":
    case "leave":
    case "shorten":
      return { operation: "edit", path: [] };
    default:
      return { operation: request.kind, path: [] };
  }
}

/** The keys that a request waits for; nothing if it may be any. */
function keysOf(request: Request): readonly string[] | undefined {
  const keysIn = (places: readonly Path[]): string[] => places.map(([key]) => String(key));
  switch (request.kind) {
    case "read":
      return keysIn([request.read.path]);
    case "apply":
    case "applyAll":
      return keysIn(request.group.map(({ path }) => path));
    case "command":
    case "commands":
      return [request.key];
    case "readAll":
    case "fragments":
      return keysIn(request.places);
    case "texts":
    case "join":
    case "extend":
      return request.keys;
    case "look":
    case "commit":
    case "leave":
    case "shorten":
      return [];
    default:
      return undefined;
  }
}

/** Lets the stack of an error of ours begin where the library was called, however deep in it the error was made. */
function pointToCaller(error: unknown, entry: (...args: never[]) => unknown): unknown {
  if (!(error instanceof Error) || !(error instanceof JsonDictError || error.message.startsWith("Cannot "))) {
    return error;
  }
  const { captureStackTrace } = Error as { captureStackTrace?(target: object, entry: unknown): void };
  if (captureStackTrace === undefined) return error;
  const origin: { stack?: string } = {};
  captureStackTrace(origin, entry);
  const frames = origin.stack?.split("\n").filter((line) => /^\s+at /.test(line)).join("\n");
  const value = `${error.name}: ${error.message}\n${frames}`;
  Object.defineProperty(error, "stack", { value, configurable: true, writable: true });
  return error;
}
