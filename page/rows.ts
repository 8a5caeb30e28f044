/**
 * Rows: the lines of a tree of which some parts are open, however many there are.
 *
 * @module
 */

import type { Children, Document, Path, Segment, Span } from "./text.ts";

/** Which parts are open: those that have an entry here. */
export interface Open {
  readonly parts: Map<Segment, Open>;
}

/** One line. */
export interface Row {
  readonly path: Path;
  readonly span: Span;
  /** How deep it stands. */
  readonly depth: number;
  readonly index: number;
  /** How many parts stand beside it, with itself. */
  readonly siblings: number;
  readonly isOpen: boolean;
  readonly inArray: boolean;
  /** Whether another member with the same name counts instead. */
  readonly isShadowed: boolean;
}

/** An open container, with the open ones in it. */
interface Branch {
  readonly path: Path;
  readonly children: Children;
  /** How many lines it has below its own. */
  readonly rows: number;
  /** The open ones in it, in the order of the text. */
  readonly open: readonly { readonly index: number; readonly branch: Branch; readonly firstRow: number }[];
}

/** Finds the lines of a tree by number. */
export class Rows {
  readonly #doc: Document;
  readonly #root: Branch | undefined;
  readonly count: number;

  constructor(doc: Document, open: Open | undefined) {
    this.#doc = doc;
    this.#root = open && branchOf(doc, doc.root, [], open);
    this.count = 1 + (this.#root?.rows ?? 0);
  }

  /** The line with a number. */
  at(number: number): Row {
    if (number === 0 || this.#root === undefined) {
      return {
        ...{ path: [], span: this.#doc.root, depth: 0, index: 0, siblings: 1 },
        ...{ isOpen: this.#root !== undefined, inArray: false, isShadowed: false },
      };
    }
    let branch = this.#root;
    let left = number - 1;
    for (let depth = 1;; depth++) {
      const { open, children, path } = branch;
      // The last open one whose line, the one before its first, is not behind.
      let [low, high] = [0, open.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (open[middle].firstRow - 1 <= left) low = middle + 1;
        else high = middle;
      }
      const near = open[low - 1];
      if (near && left >= near.firstRow && left < near.firstRow + near.branch.rows) {
        branch = near.branch;
        left -= near.firstRow;
        continue;
      }
      const index = near === undefined
        ? left
        : left < near.firstRow
        ? near.index
        : near.index + 1 + left - near.firstRow - near.branch.rows;
      return {
        path: [...path, children.segment(index)],
        span: children.span(index),
        ...{ depth, index, siblings: children.count },
        isOpen: near !== undefined && left < near.firstRow,
        inArray: children.isArray,
        isShadowed: children.isShadowed(index),
      };
    }
  }

  /** The number of the line of a part; of the closed one that holds it, if it is not shown. */
  numberOf(path: Path): number {
    let number = 0;
    let branch = this.#root;
    for (const segment of path) {
      const index = branch?.children.indexOf(segment) ?? -1;
      if (branch === undefined || index < 0) return number;
      const { open } = branch;
      let before = 0;
      let inside: Branch | undefined;
      for (const each of open) {
        if (each.index > index) break;
        if (each.index === index) inside = each.branch;
        else before += each.branch.rows;
      }
      number += 1 + index + before;
      branch = inside;
    }
    return number;
  }
}

function branchOf(doc: Document, span: Span, path: Path, open: Open): Branch | undefined {
  if (!doc.isContainer(span)) return undefined;
  const children = doc.childrenOf(span);
  const inside = [...open.parts].flatMap(([segment, part]) => {
    const index = children.indexOf(segment);
    const branch = index < 0
      ? undefined
      : branchOf(doc, children.span(index), [...path, children.segment(index)], part);
    return branch ? [{ index, branch }] : [];
  }).sort((a, b) => a.index - b.index);
  let rows = 0;
  const placed = inside.map(({ index, branch }) => {
    const firstRow = index + 1 + rows;
    rows += branch.rows;
    return { index, branch, firstRow };
  });
  return { path, children, rows: children.count + rows, open: placed };
}

/** The open part behind a path. */
export function openAt(open: Open | undefined, path: Path): Open | undefined {
  let at = open;
  for (const segment of path) at = at?.parts.get(segment);
  return at;
}

/** All open parts, with their paths, the outer ones first. */
export function* openPaths(open: Open, path: Path = []): Generator<Path> {
  yield path;
  for (const [segment, part] of open.parts) yield* openPaths(part, [...path, segment]);
}

/** Opens a part, and what it stands in. */
export function openUp(open: Open | undefined, path: Path): Open {
  const root = open ?? { parts: new Map() };
  let at = root;
  for (const segment of path) {
    let next = at.parts.get(segment);
    if (next === undefined) at.parts.set(segment, next = { parts: new Map() });
    at = next;
  }
  return root;
}
