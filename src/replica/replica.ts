/**
 * Replicas: what the scripts would make of known values, computed here.
 *
 * Given texts that `decode` accepts, each op and each read gives the reply, the refusal, the text and the expiry that
 * `lua/apply.lua` and `lua/read.lua` give, byte for byte; `tests/properties/replica_fuzz_test.ts` holds them to it. On a text that
 * is not JSON a replica may refuse where a script would not, or elsewhere. So it is for texts that were decoded.
 *
 * A text is a JavaScript string. One that was not UTF-8 holds U+FFFD where the server has other bytes; only the caller
 * can know that. Limits of about 512 MB, of a value and of an answer, are not looked at.
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
 * A group costs the bytes that it is the first to look at, and for each op little more than its depth; `append` also
 * costs the length of its string, `test` that of what it compares, an op on an array the moving of its elements. To ask
 * for a text after a change costs the length of the text.
 */
export class Replica {
  readonly #documents: Map<string, Document> = new Map();

  /** @param texts The values that are known, by dictionary key: JSON text, or `null` for no such key. */
  constructor(texts: Iterable<readonly [key: string, text: string | null]> = []) {
    for (const [key, text] of texts) this.put(key, text);
  }

  /**
   * Takes what the server has.
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
   * What has become of the expiry of a value.
   *
   * @param key The dictionary key.
   * @returns Milliseconds, 0 if it has none, `undefined` if it is what it was on the server.
   */
  expiry(key: string): number | undefined {
    return this.#documents.get(key)?.expiry;
  }

  /**
   * Applies a group: all of it, or nothing.
   *
   * @param group The ops.
   * @param isBehindRefusal Whether a group before it in the same call was refused, so that the script answers `fresh`
   * ops. A group that may only be applied after that one (`after`) is not for here: it is refused.
   * @returns For each op what the script replies; `readOutcomes` makes results and refusals of it. `undefined` if the
   * group asks for what only the server knows, and then nothing is applied: a key that was not put, whether a key had
   * an expiry (`persist`), or a SHA-1 (`test`; apply the guards as they were before they were shortened).
   * @throws {RangeError} If the group makes no sense: an `add` of what no `copy` has found, an expiry inside a value.
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
   * @returns What the script replies, which may be a refusal; `undefined` if nothing is known of the key.
   */
  read(read: Read): string | undefined {
    const document = this.#documents.get(String(read.path[0]));
    return document && answer(document, () => readPlace(document, read));
  }
}

function rollBack(documents: readonly (Document | undefined)[]): void {
  for (const document of documents) document?.rollBack();
}

/** The reply of an op or a read, which is the refusal where it is refused. */
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

/** The offset of a damage in bytes; none in a text that was changed since, where it would say nothing. */
function offsetOf({ source, position }: Damage, document: Document): string {
  if (source !== document.text) return "";
  return String(new TextEncoder().encode(source.slice(0, position)).length);
}
