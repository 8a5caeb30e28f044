/**
 * Speculation: predicts the values that edits read once the changes before them are applied.
 *
 * Edits that wait for one key run one after the other without waiting for answers. Each sees what those before it
 * leave, as the server would write it. If others change the value meanwhile, the guards of an
 * edit fail on the server, so a wrong guess costs time and never data.
 *
 * @module
 */

import type { Refusal } from "../call/answer.ts";
import type { Group, Op } from "../data/op.ts";
import type { Path } from "../data/path.ts";
import { isGuard, relate } from "./relation.ts";
import { Replica } from "../replica/replica.ts";

/** What is at some paths. */
export interface View {
  /** For each path its text, or the refusal. */
  readonly answers: readonly (string | Refusal)[];
  /** Whether the server has reported this, all of one moment after the edit asked; otherwise it is a guess. */
  readonly isCertain: boolean;
}

/** One place. Its text is in the replica, under its id, unless there is a refusal. */
interface Place {
  readonly id: string;
  readonly path: Path;
  readonly refusal: Refusal | undefined;
}

/** The places that edits of some keys read. */
export class Speculation {
  readonly #replica: Replica = new Replica();
  /** The known places, by id. */
  readonly #places: Map<string, Place> = new Map();
  #isCertain: boolean = true;

  /** Stores what the server has at some paths, all of one moment, and forgets all others. */
  take(places: readonly Path[], answers: readonly (string | Refusal)[]): void {
    this.#places.clear();
    this.#isCertain = true;
    places.forEach((path, index) => {
      const id = idOf(path);
      const answer = answers[index];
      const isText = typeof answer === "string";
      const isMissing = !isText && answer.code === "NO_KEY" && path.length === 1;
      if (isText || isMissing) this.#replica.put(id, isText ? answer : null);
      this.#places.set(id, { id, path, refusal: isText || isMissing ? undefined : answer });
    });
  }

  /** The view of some paths; `undefined` if one of them is not known. */
  view(places: readonly Path[]): View | undefined {
    const answers: (string | Refusal)[] = [];
    for (const path of places) {
      const place = this.#places.get(idOf(path));
      if (place === undefined) return undefined;
      const answer = place.refusal ?? this.#replica.text(place.id);
      answers.push(answer ?? { code: "NO_KEY", index: 0, segment: 0, found: "" });
    }
    return { answers, isCertain: this.#isCertain };
  }

  /** Applies a group as the server will. */
  apply(group: Group): void {
    this.#isCertain = false;
    const lost = new Set<string>();
    const inside: Op[] = [];
    for (const op of group) {
      // Whether a key has an expiry, and what a SHA-1 stands for, is not known here, nor does it change a text.
      if (
        op.kind === "expire" || op.kind === "persist" || op.kind === "pick" ||
        op.kind === "test" && op.by === "sha1"
      ) continue;
      for (const place of this.#places.values()) {
        const relation = relate(op, place.path);
        if (relation === "inside" && !place.refusal && op.kind !== "put") {
          inside.push({ ...op, path: [place.id, ...op.path.slice(place.path.length)] });
        } else if (relation !== "apart" && !isGuard(op)) {
          lost.add(place.id);
        }
      }
    }
    if (this.#replica.apply(inside) === undefined) this.#places.clear();
    for (const id of lost) this.#places.delete(id);
  }

  /** Notes that the server has applied all groups so far as expected. */
  confirm(): void {
    this.#isCertain = true;
  }

  /** Forgets all places. */
  forget(): void {
    this.#places.clear();
  }
}

/** The id of the place at a path. */
export function idOf(path: Path): string {
  return JSON.stringify(path);
}
