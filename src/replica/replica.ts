/**
 * Replicas: apply ops to known values as the scripts would.
 *
 * Given texts that `decode` accepts, each op and each read gives the reply, the refusal, the text and the expiry that
 * `lua/apply.lua` and `lua/read.lua` give, byte for byte; `tests/properties/replica_fuzz_test.ts` compares them. On a
 * text that is not JSON a replica may refuse when a script does not, or with another refusal. So use it only for decoded
 * texts.
 *
 * A text is a JavaScript string. If the bytes on the server are not UTF-8, it holds U+FFFD instead; only the caller can
 * know that. The limits of about 512 MB, of a value and of an answer, are not checked.
 *
 * @module
 */

import { applyOp, type Clipboard, Unknown } from "./apply.ts";
import { Document, Refused } from "./document.ts";
import type { Group, Read } from "../data/op.ts";
import { readPlace } from "./place.ts";
import { Damage } from "./token.ts";

/**
 * Values of some keys, to which groups of ops are applied as the server would.
 *
 * A group costs the bytes that no earlier group has read, and for each op little more than its depth. In addition,
 * `append` costs the length of its string, `test` that of the compared text, and an op on an array the move of its
 * elements. `text` after a change costs the length of the text.
 */
export class Replica {
  readonly #documents: Map<string, Document> = new Map();

  /** @param texts The known values by dictionary key: JSON text, or `null` for no such key. */
  constructor(texts: Iterable<readonly [key: string, text: string | null]> = []) {
    for (const [key, text] of texts) this.put(key, text);
  }

  /**
   * Sets the value of a key to what the server has.
   *
   * @param key The dictionary key.
   * @param text JSON text, or `null` for no such key.
   */
  put(key: string, text: string | null): void {
    this.#documents.set(key, new Document(text));
  }

  /**
   * The text of a value, after all groups that were applied.
   *
   * @param key The dictionary key.
   * @returns The text, `null` if there is no such key, `undefined` if nothing is known of it.
   */
  text(key: string): string | null | undefined {
    return this.#documents.get(key)?.text;
  }

  /**
   * The expiry of a value.
   *
   * @param key The dictionary key.
   * @returns Milliseconds, 0 if it has none, `undefined` if no group has changed the one that it has on the server.
   */
  expiry(key: string): number | undefined {
    return this.#documents.get(key)?.expiry;
  }

  /**
   * Applies a group: all of it, or nothing.
   *
   * @param group The ops.
   * @param isBehindRefusal Whether a group before it in the same call was refused, so that the script answers `fresh`
   * ops. Do not apply a group that depends on that one (`after`): the script refuses it.
   * @returns For each op the reply of the script, for `readOutcomes`. `undefined`, and nothing is applied, if the group
   * needs what only the server knows: a key that was not put, whether a key has an expiry (`persist`), or the text behind
   * a SHA-1 (`test`; apply the guards as they were before they were shortened).
   * @throws {RangeError} If the group makes no sense: an `add` without value or `copy`, an expiry inside a value.
   */
  apply(group: Group, isBehindRefusal: boolean = false): readonly string[] | undefined {
    const documents = group.map((op) => this.#documents.get(String(op.path[0])));
    const clipboard: Clipboard = {};
    let isRefused = false;
    try {
      return group.map((op, index) => {
        const isDue = op.kind === "fresh" ? isRefused || isBehindRefusal : !isRefused;
        if (!isDue) return "";
        const document = documents[index];
        if (document === undefined) throw new Unknown();
        const reply = answer(document, () => applyOp(document, op, clipboard));
        if (reply.startsWith("!")) {
          isRefused = true;
          rollBack(documents);
        }
        return reply;
      });
    } catch (problem) {
      rollBack(documents);
      if (problem instanceof Unknown) return undefined;
      throw problem;
    } finally {
      for (const document of documents) document?.commit();
    }
  }

  /**
   * Reads a place.
   *
   * @param read What to read.
   * @returns The reply of the script, which may be a refusal; `undefined` if the key is not known.
   */
  read(read: Read): string | undefined {
    const document = this.#documents.get(String(read.path[0]));
    return document && answer(document, () => readPlace(document, read));
  }
}

function rollBack(documents: readonly (Document | undefined)[]): void {
  for (const document of documents) document?.rollBack();
}

/** The reply of an op or a read; a refusal is a reply, too. */
function answer(document: Document, run: () => string): string {
  document.depth = 0;
  try {
    return run();
  } catch (problem) {
    if (problem instanceof Refused) return `!${problem.code} ${document.depth} ${problem.found}`;
    if (problem instanceof Damage) return `!CORRUPT ${document.depth} ${offsetOf(problem, document)}`;
    throw problem;
  }
}

/** The offset of a damage in bytes; `""` if the text was changed since, because the offset would be wrong. */
function offsetOf({ source, position }: Damage, document: Document): string {
  if (source !== document.text) return "";
  return String(new TextEncoder().encode(source.slice(0, position)).length);
}
