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
 * @param store Where the value is.
 * @param path The object or the array.
 * @returns The document.
 */
export async function openLive(store: Store, path: Path): Promise<object> {
  const text = await store.read({ kind: "get", path }, "open");
  const fragment = readContainer(store, text, "open", path);
  const send = (): void => {
    const group = session.takeOps();
    if (group.length === 0) return;
    const write = commit(store, group);
    write.catch((cause) => {
      session.refuseChanges(() =>
        new TypeError(
          `Cannot change the live document of ${formatPlace(path)}: a write has failed; open it again`,
          { cause },
        )
      );
    });
    store.bursts.follow(write, session);
  };
  const session: Session = new Session({ ...store.settings, onChange: () => store.bursts.hold(send) });
  const dispose = async (): Promise<void> => {
    try {
      await store.bursts.settled(session);
    } finally {
      session.end(() => new TypeError(`Cannot use the live document of ${formatPlace(path)}: it is over`));
    }
  };
  return draftFragment(session, fragment, path, dispose).draft as object;
}

async function commit(store: Store, group: Group): Promise<void> {
  const outcome = await store.attempt(group);
  if ("refusal" in outcome) throw toError(group[outcome.refusal.index], outcome.refusal);
}
