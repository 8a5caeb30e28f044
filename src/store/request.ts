/**
 * Requests: what the methods of dictionaries and refs need of a store, as plain data.
 *
 * A method is written once, as steps that yield requests and take answers. Who drives it decides how it waits: by
 * promises, or by blocking, with the store elsewhere.
 *
 * @module
 */

import type { CommandAnswers, Outcome, Refusal } from "../call/answer.ts";
import type { Group, Read } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import type { View } from "../run/speculation.ts";

/** Of a request that says it all by its kind. */
type Nothing = { readonly [name in never]: never };

/** What can be requested; each member is a request without its kind, and its answer. */
interface Requests {
  /** Reads one place by the script. */
  readonly read: {
    readonly ask: { readonly read: Read; readonly operation?: string };
    readonly answer: string | Refusal;
  };
  /** Reads some places at one moment. */
  readonly readAll: {
    readonly ask: { readonly places: readonly Path[]; readonly operation: string };
    readonly answer: readonly (string | Refusal)[];
  };
  /** Sends a plain command about one key that only reads. */
  readonly command: {
    readonly ask: { readonly operation: string; readonly name: "GET" | "TYPE"; readonly key: string };
    readonly answer: string | null;
  };
  /** What is at some places, in one round trip. */
  readonly fragments: {
    readonly ask: { readonly places: readonly Path[]; readonly operation: string };
    readonly answer: readonly (string | Refusal)[];
  };
  /** The texts of several values. */
  readonly texts: {
    readonly ask: { readonly keys: readonly string[]; readonly operation: string };
    readonly answer: readonly (string | undefined)[];
  };
  /** Sends plain commands about one key at once. */
  readonly commands: {
    readonly ask: {
      readonly operation: string;
      readonly names: readonly (keyof CommandAnswers)[];
      readonly key: string;
    };
    readonly answer: readonly CommandAnswers[keyof CommandAnswers][];
  };
  /** Applies a group. */
  readonly apply: {
    readonly ask: { readonly group: Group; readonly operation: string };
    readonly answer: Outcome;
  };
  /** Applies ops on any number of keys; in a cluster, those of each slot by themselves. */
  readonly applyAll: {
    readonly ask: { readonly group: Group; readonly operation: string };
    readonly answer: void;
  };
  /** Shortens the guards of a group, as they are sent. */
  readonly shorten: { readonly ask: { readonly group: Group }; readonly answer: Group };
  /** Finds out whether calls will work. */
  readonly ready: { readonly ask: Nothing; readonly answer: void };
  /** Lists keys. */
  readonly keys: {
    readonly ask: { readonly startsWith: string; readonly limit: number };
    readonly answer: readonly string[];
  };
  /** Reads the keys and texts of all values. */
  readonly all: {
    readonly ask: { readonly operation: string };
    readonly answer: readonly (readonly [string, string])[];
  };
  /** Counts the keys. */
  readonly count: { readonly ask: { readonly operation: string }; readonly answer: number };
  /** Removes all keys. The answer is how many there were. */
  readonly clear: { readonly ask: Nothing; readonly answer: number };
  /** Removes some item. */
  readonly popItem: { readonly ask: Nothing; readonly answer: readonly [string, string] | undefined };
  /** Takes the place of an edit at some keys. The answer names the edit. */
  readonly join: {
    readonly ask: { readonly keys: readonly string[]; readonly places: readonly Path[] };
    readonly answer: number;
  };
  /** Takes more keys for an edit. The answer is whether it still has its turn; else it has queued again. */
  readonly extend: {
    readonly ask: {
      readonly edit: number;
      readonly keys: readonly string[];
      readonly places: readonly Path[];
    };
    readonly answer: boolean;
  };
  /** Waits for the turn of an edit. */
  readonly look: {
    readonly ask: { readonly edit: number; readonly places: readonly Path[] };
    readonly answer: View;
  };
  /** Applies a group of an edit. */
  readonly commit: {
    readonly ask: { readonly edit: number; readonly group: Group };
    readonly answer: Outcome;
  };
  /** Gives up the place of an edit. */
  readonly leave: { readonly ask: { readonly edit: number }; readonly answer: void };
}

/** One request. */
export type Request = { [K in keyof Requests]: { readonly kind: K } & Requests[K]["ask"] }[keyof Requests];

/** The answer to a request of a kind. */
export type Answer<K extends keyof Requests> = Requests[K]["answer"];

/** The steps of a method: it yields requests, takes their answers, and returns its result. */
export type Steps<R> = Generator<Request, R, never>;

/**
 * One step: a request and its answer. Used with `yield*`.
 *
 * @param kind What is requested.
 * @param ask The rest of the request.
 * @returns The answer.
 */
export function* ask<K extends keyof Requests>(
  kind: K,
  ask: Requests[K]["ask"],
): Generator<Request, Answer<K>, Answer<K>> {
  return yield { kind, ...ask } as Request; // the mapped type does not see that the two belong together
}

/** Who performs requests. */
export interface Performer {
  /**
   * Performs one request.
   *
   * @returns The answer, or a promise of it.
   */
  perform(request: Request): unknown;
  /** Called when the steps begin. */
  begin?(): void;
  /** Called when they are over. */
  end?(): void;
}

/**
 * Drives steps by promises. The first request is performed before this returns.
 *
 * @param performer Performs the requests.
 * @param steps The steps.
 * @returns What they return.
 */
export async function drive<R>(performer: Performer, steps: Steps<R>): Promise<R> {
  performer.begin?.();
  try {
    let step = steps.next();
    while (!step.done) {
      let answer: unknown;
      try {
        answer = await performer.perform(step.value);
      } catch (error) {
        step = steps.throw(error);
        continue;
      }
      step = steps.next(answer as never); // what a request of this kind is answered, says `ask`
    }
    return step.value;
  } finally {
    performer.end?.();
  }
}
