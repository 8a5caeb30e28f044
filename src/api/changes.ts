/**
 * Changes: what is done to a live document, on its way to Redis, burst by burst.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import type { Group } from "../data/op.ts";
import { formatPlace, type Path } from "../data/path.ts";
import { Session } from "../draft/session.ts";
import type { Line } from "../run/sitting.ts";
import type { Outbox } from "../store/outbox.ts";
import type { Store } from "../store/store.ts";

/** A document that shows what became of its changes. */
export interface Follower {
  /** Whether it shows what the server has made of all bursts that were sent. */
  readonly isUpToDate: boolean;
  /**
   * A burst was issued.
   *
   * @param line Whether it is broken says whether the burst will not be applied.
   * @returns Resolves when the document shows a state that is no older.
   */
  issued(group: Group, line: Line): Promise<void>;
  /**
   * A burst was made that will not be sent, because one before it has failed.
   *
   * @returns Resolves when the document shows it no longer.
   */
  dropped(): Promise<void>;
}

/** The changes of one live document. */
export class Changes {
  /** The session of its drafts. */
  readonly session: Session;
  readonly #store: Store;
  readonly #path: Path;
  readonly #follower: Follower | undefined;
  #outbox: Outbox;
  /** Where the burst that is held back began. */
  #origin: Error | undefined;
  #isHeld: boolean = false;

  /**
   * Changes of a document.
   *
   * @param store Where they go.
   * @param path The place of the document.
   * @param follower The document, if it goes on after a burst has failed.
   */
  constructor(store: Store, path: Path, follower?: Follower) {
    this.#store = store;
    this.#path = path;
    this.#follower = follower;
    this.session = new Session({
      ...store.settings,
      beforeChange: () => this.#check(),
      onChange: () => {
        this.#isHeld = true;
        store.bursts.hold(this.#send);
      },
    });
    this.#outbox = store.bursts.open(this.session);
  }

  /**
   * Waits until all of them are in Redis, and the document shows it if it follows.
   *
   * @throws The failure that was not reported.
   */
  settled(): Promise<void> {
    return this.#store.bursts.settled(this.#outbox);
  }

  #check(): void {
    const { bursts } = this.#store;
    if (this.#outbox.failure === undefined) {
      if (!this.#isHeld) this.#origin = new Error();
      return;
    }
    if (this.#outbox.isReported && this.#follower?.isUpToDate) {
      // Whoever changes it now knows of the failure, and sees what is there.
      this.#outbox = bursts.open(this.session);
      return this.#check();
    }
    throw new TypeError(
      `Cannot change the live document of ${formatPlace(this.#path)}: a write has failed; ${
        this.#follower ? "await settled(), and look at it again" : "open it again"
      }`,
      { cause: bursts.report(this.#outbox) },
    );
  }

  readonly #send = (): void => {
    this.#isHeld = false;
    const group = this.session.takeOps();
    const outbox = this.#outbox;
    if (group.length === 0) return;
    const { bursts } = this.#store;
    const follower = this.#follower;
    if (outbox.failure) {
      if (follower) bursts.wait(follower.dropped(), outbox);
      return;
    }
    bursts.follow(commit(this.#store, group, outbox.line, this.#origin!), outbox);
    if (follower) bursts.wait(follower.issued(group, outbox.line), outbox);
  };
}

async function commit(store: Store, group: Group, line: Line, origin: Error): Promise<void> {
  try {
    const outcome = await store.attempt(group, undefined, line);
    // It was not applied because one before it was not, and that one is the failure.
    if (!("refusal" in outcome) || outcome.refusal.code === "AFTER") return;
    throw toError(group[outcome.refusal.index], outcome.refusal);
  } catch (error) {
    throw pointTo(error, origin);
  }
}

/** Lets the stack of an error lead to where the changes were made: nobody awaits them, so it leads nowhere else. */
function pointTo(error: unknown, origin: Error): unknown {
  if (error instanceof Error && origin.stack) {
    error.stack = `${error.name}: ${error.message}\n${origin.stack.replace(/^Error\n/, "")}`;
  }
  return error;
}
