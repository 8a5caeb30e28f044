/**
 * Live documents: objects and arrays whose changes go to Redis by themselves, burst by burst.
 *
 * @module
 */

import { toError } from "../call/answer.ts";
import { draftFragment, type DraftOf } from "../draft/draft.ts";
import { readContainer } from "./edit.ts";
import type { Group } from "../data/op.ts";
import { formatPlace, type Path } from "../data/path.ts";
import { Session } from "../draft/session.ts";
import type { Line } from "../run/sitting.ts";
import type { Outbox } from "../store/outbox.ts";
import type { Store } from "../store/store.ts";

/**
 * A live document: the value as it was when it was opened, and what was done to it since.
 *
 * @typeParam V The type of the value.
 */
export type Live<V> = DraftOf<V> & AsyncDisposable;

/**
 * Opens a live document. One round trip.
 *
 * @param store Where the changes go.
 * @param reading The same, with what may end the opening.
 * @param path The object or the array.
 * @returns The document.
 */
export async function openLive(store: Store, reading: Store, path: Path): Promise<object> {
  const { bursts } = store;
  const text = await reading.read({ kind: "get", path }, "live");
  const fragment = readContainer(store, text, "live", path);
  /** Where the burst that is held back began. */
  let origin: Error | undefined;
  let isHeld = false;
  const send = (): void => {
    isHeld = false;
    const group = session.takeOps();
    if (group.length > 0 && !outbox.failure) {
      bursts.follow(commit(store, group, outbox.line, origin!), outbox);
    }
  };
  const session: Session = new Session({
    ...store.settings,
    beforeChange: () => {
      if (outbox.failure) {
        throw new TypeError(
          `Cannot change the live document of ${formatPlace(path)}: a write has failed; open it again`,
          { cause: bursts.report(outbox) },
        );
      }
      if (!isHeld) origin = new Error();
    },
    onChange: () => {
      isHeld = true;
      bursts.hold(send);
    },
  });
  const outbox: Outbox = bursts.open(session);
  const dispose = async (): Promise<void> => {
    try {
      await bursts.settled(outbox);
    } finally {
      session.end(() => new TypeError(`Cannot use the live document of ${formatPlace(path)}: it is over`));
    }
  };
  return draftFragment(session, fragment, path, dispose).draft as object;
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
