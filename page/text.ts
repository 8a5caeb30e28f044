/**
 * Documents: the text of a value, of which only those parts are looked at that somebody wants to see.
 *
 * @module
 */

import { afterSpace, afterString, afterValue } from "../src/replica/token.ts";

/** The name of a member, or the index of an element. */
export type Segment = string | number;
/** The way from the value to one of its parts. */
export type Path = readonly Segment[];

/** Where a value stands in the text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What kind of value it is. */
export type Kind = "object" | "array" | "string" | "number" | "boolean" | "null";

/** What has become of a document: from `start` to `end` it was replaced by a text of another length. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly length: number;
}

/** The members of an object, or the elements of an array, in the order of the text. */
export class Children {
  readonly isArray: boolean;
  readonly count: number;
  readonly #text: string;
  /** For each of them where its name, and its value, start and end. */
  readonly #places: readonly number[];
  #indexes: Map<string, number> | undefined;
  readonly #twins: Set<string> = new Set();

  constructor(text: string, container: Span) {
    const places: number[] = [];
    this.#text = text;
    this.isArray = text[container.start] === "[";
    let at = afterSpace(text, container.start + 1);
    while (at < container.end - 1) {
      let [nameStart, nameEnd] = [at, at];
      if (!this.isArray) {
        nameEnd = afterString(text, at);
        at = afterSpace(text, afterSpace(text, nameEnd) + 1);
      } else nameStart = nameEnd = 0;
      const end = afterValue(text, at);
      places.push(nameStart, nameEnd, at, end);
      at = afterSpace(text, end);
      if (text[at] === ",") at = afterSpace(text, at + 1);
    }
    this.#places = places;
    this.count = places.length / 4;
  }

  /** Where one of them stands. */
  span(index: number): Span {
    return { start: this.#places[4 * index + 2], end: this.#places[4 * index + 3] };
  }

  /** Its name; its index in an array. */
  segment(index: number): Segment {
    if (this.isArray) return index;
    return JSON.parse(this.#text.slice(this.#places[4 * index], this.#places[4 * index + 1]));
  }

  /** The index of the one with that name; of several the last counts. -1 if there is none. */
  indexOf(segment: Segment): number {
    if (this.isArray) return typeof segment === "number" && segment < this.count ? segment : -1;
    if (this.#indexes === undefined) {
      this.#indexes = new Map();
      for (let index = 0; index < this.count; index++) {
        const name = String(this.segment(index));
        if (this.#indexes.has(name)) this.#twins.add(name);
        this.#indexes.set(name, index);
      }
    }
    return this.#indexes.get(String(segment)) ?? -1;
  }

  /** Whether another member with the same name counts instead. */
  isShadowed(index: number): boolean {
    return !this.isArray && this.indexOf(this.segment(index)) !== index;
  }

  /** Whether the name stands there more than once. */
  isTwin(segment: Segment): boolean {
    return this.indexOf(segment) >= 0 && this.#twins.has(String(segment));
  }

  /** The index of the last one that starts at a position, or before. */
  indexAt(position: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      const start = this.#places[4 * middle + (this.isArray ? 2 : 0)];
      if (start <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The text of a value. */
export class Document {
  readonly text: string;
  readonly root: Span;
  readonly #children: Map<number, Children> = new Map();

  /** @param text JSON text; other text has no parts. */
  constructor(text: string) {
    this.text = text;
    let end = text.length;
    while (end > 0 && " \n\r\t".includes(text[end - 1])) end--;
    this.root = { start: afterSpace(text, 0), end };
  }

  /** What kind of value stands there. */
  kindOf({ start }: Span): Kind {
    switch (this.text[start]) {
      case "{":
        return "object";
      case "[":
        return "array";
      case '"':
        return "string";
      case "t":
      case "f":
        return "boolean";
      case "n":
        return "null";
      default:
        return "number";
    }
  }

  /** Whether it has parts, or may have. */
  isContainer({ start }: Span): boolean {
    const first = this.text[start];
    return first === "{" || first === "[";
  }

  /** The parts of a container. The text is looked through once. */
  childrenOf(span: Span): Children {
    let children = this.#children.get(span.start);
    if (children === undefined) this.#children.set(span.start, children = new Children(this.text, span));
    return children;
  }

  /** Where a path leads. */
  find(path: Path): Span | undefined {
    let span = this.root;
    for (const segment of path) {
      if (!this.isContainer(span)) return undefined;
      const children = this.childrenOf(span);
      const index = children.indexOf(segment);
      if (index < 0) return undefined;
      span = children.span(index);
    }
    return span;
  }

  /** The first name on the way that stands twice: of these the page shows the last, and the server changes the first. */
  twinOn(path: Path): Segment | undefined {
    return path.find((segment, depth) => this.childrenOf(this.find(path.slice(0, depth))!).isTwin(segment));
  }

  /** The text of a value. */
  textOf({ start, end }: Span): string {
    return this.text.slice(start, end);
  }

  /** The text behind a path. */
  textAt(path: Path): string | undefined {
    const span = this.find(path);
    return span && this.textOf(span);
  }

  /** The path to the deepest part that holds all from one position to another. */
  pathAt(from: number, to: number = from): Path {
    const path: Segment[] = [];
    let span = this.root;
    while (this.isContainer(span)) {
      const children = this.childrenOf(span);
      const index = children.indexAt(from);
      if (index < 0 || children.isShadowed(index) || children.span(index).end < to) break;
      path.push(children.segment(index));
      span = children.span(index);
    }
    return path;
  }
}

/**
 * Where a part is after a change. Elements that stood before or behind what has changed are followed; others stay what
 * their index says, as long as the array has as many elements as before, or a text like theirs is where they must be.
 *
 * @param isStrict Whether it will be changed: then also elements of an array that is as long as before are followed to
 * where their text has moved, and not taken for others that have moved to their place.
 * @returns Its path; `undefined` if it cannot be told which of the elements it is.
 */
export function follow(
  path: Path,
  before: Document,
  after: Document,
  splice: Splice,
  isStrict: boolean = false,
): Path | undefined {
  const followed: Segment[] = [];
  let was: Span | undefined = before.root;
  let is: Span | undefined = after.root;
  for (const segment of path) {
    if (!was || !is || !before.isContainer(was)) return undefined;
    const old = before.childrenOf(was);
    const index = old.indexOf(segment);
    if (index < 0) return undefined;
    was = old.span(index);
    let next = segment;
    if (old.isArray) {
      if (after.kindOf(is) !== "array") return undefined;
      const { count } = after.childrenOf(is);
      if (count !== old.count && was.end > splice.start) {
        const behind = index + count - old.count;
        if (was.start >= splice.end) next = behind;
        else {
          // case: the piece begins or ends within an element where neighbours begin or end alike.
          const text = before.textOf(was);
          const candidates = was.end > splice.end ? [behind, index] : [index, behind];
          const parts = after.childrenOf(is);
          const found = candidates.find((each) =>
            each >= 0 && each < count && after.textOf(parts.span(each)) === text
          );
          if (found === undefined) return undefined;
          next = found;
        }
      } else if (isStrict && count === old.count && was.end > splice.start && was.start < splice.end) {
        const found = movedTo(index, before, old, after, after.childrenOf(is), splice);
        if (found === undefined) return undefined;
        next = found;
      }
    }
    followed.push(next);
    is = after.isContainer(is) ? after.find(followed) : undefined;
    if (is === undefined) return undefined;
  }
  return followed;
}

/**
 * Where an element of an array is in another one with as many elements.
 *
 * @returns Its index, the same if nothing tells that it has moved; `undefined` if another one has moved to its place.
 */
function movedTo(
  index: number,
  before: Document,
  old: Children,
  after: Document,
  parts: Children,
  splice: Splice,
): number | undefined {
  const [text, other] = [before.textOf(old.span(index)), after.textOf(parts.span(index))];
  if (text === other) return index;
  const places: number[] = [];
  let isOther = false;
  for (let each = Math.max(0, old.indexAt(splice.start)); each < old.count; each++) {
    const was = old.span(each);
    if (was.start >= splice.end) break;
    if (was.end <= splice.start) continue;
    const is = parts.span(each);
    if (is.end - is.start === text.length && after.textOf(is) === text) places.push(each);
    if (was.end - was.start === other.length && before.textOf(was) === other) isOther = true;
  }
  return places.length === 1 ? places[0] : places.length > 1 || isOther ? undefined : index;
}

/** A path as a text that no other path has. */
export function keyOf(path: Path): string {
  return JSON.stringify(path);
}
