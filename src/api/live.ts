/**
 * Live documents: objects and arrays whose changes go to Redis by themselves, burst by burst.
 *
 * @module
 */

import { draftFragment, type DraftOf } from "../draft/draft.ts";
import { readContainer } from "./edit.ts";
import { Changes } from "./changes.ts";
import { formatPlace, type Path } from "../data/path.ts";
import type { CallOptions } from "../run/cancellation.ts";
import type { Store } from "../store/store.ts";

/**
 * A live document: the value as it was when it was opened, and what was done to it since.
 *
 * @typeParam V The type of the value.
 */
export type Live<V> = DraftOf<V> & AsyncDisposable;

/** How a live document is opened. */
export interface LiveOptions extends CallOptions {
  /**
   * Show what others do, too.
   *
   * @default {false}
   */
  readonly follow?: boolean;
}

/**
 * Opens a live document. One round trip.
 *
 * @param store Where the changes go.
 * @param reading The same, with what may end the opening.
 * @param path The object or the array.
 * @returns The document.
 */
export async function openLive(store: Store, reading: Store, path: Path): Promise<object> {
  const text = await reading.read({ kind: "get", path }, "live");
  const fragment = readContainer(store, text, "live", path);
  const changes = new Changes(store, path);
  const { session } = changes;
  const dispose = async (): Promise<void> => {
    try {
      await changes.settled();
    } finally {
      session.end(() => new TypeError(`Cannot use the live document of ${formatPlace(path)}: it is over`));
    }
  };
  return draftFragment(session, fragment, path, dispose).draft as object;
}
