/** @jsxRuntime automatic */
/** @jsxImportSource preact */
/**
 * The open value as a tree.
 *
 * @module
 */

import { type Signal, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { begin, editing, move } from "./edits.ts";
import { formatBytes, visible } from "./format.ts";
import { Flash } from "./keys.tsx";
import { LINE, lineId, List } from "./list.tsx";
import { openAt, openUp, type Row, type Rows } from "./rows.ts";
import { flashes, inSight, isReadOnly, isTreeWanted, onMove, open, rows, selected, value } from "./state.ts";
import { type Document, keyOf, type Path } from "./text.ts";

/** How much of a value its line shows. */
const MAX_SHOWN = 300;
/** The longest text of which the parts are counted for the line of a closed container. */
const MAX_COUNTED = 20_000;

/** An element that is being moved. */
interface Drag {
  readonly path: Path;
  readonly seen: string;
  /** Where it goes when it is dropped now. */
  readonly to: number;
}

const drag: Signal<Drag | undefined> = signal(undefined);

// What is dragged must not become another element meanwhile.
onMove((follow) => {
  const now = drag.value;
  if (!now) return;
  const path = follow(now.path, true);
  drag.value = path && keyOf(path) === keyOf(now.path) ? now : undefined;
});

/** The tree of the open value. */
export function Tree(): JSX.Element | null {
  const all = rows.value;
  const doc = value.value?.doc;
  useEffect(() => {
    if (!isTreeWanted.value) return;
    isTreeWanted.value = false;
    document.getElementById("tree")?.focus();
  }, [isTreeWanted.value, doc]);
  if (!all || !doc) return null;
  const at = all.numberOf(selected.value);
  return (
    <List
      id="tree"
      label="Value"
      role="tree"
      count={all.count}
      active={at}
      reveal={keyOf(selected.value)}
      draw={(index) => <TreeLine key={index} all={all} doc={doc} index={index} isActive={index === at} />}
      onSight={(first, last) => Object.assign(inSight, { first, last })}
      onKeyDown={(event) => press(event, all, doc, at)}
    />
  );
}

/** Opens or closes a part. */
function toggle(row: Row): void {
  if (!row.isOpen) open.value = { ...openUp(open.value, row.path) };
  else if (row.path.length === 0) open.value = undefined;
  else {
    openAt(open.value, row.path.slice(0, -1))?.parts.delete(row.path.at(-1)!);
    open.value = { ...open.value! };
  }
}

function TreeLine(
  { all, doc, index, isActive }: {
    readonly all: Rows;
    readonly doc: Document;
    readonly index: number;
    readonly isActive: boolean;
  },
): JSX.Element {
  const row = all.at(index);
  const { path, span, depth, isOpen, inArray, isShadowed } = row;
  const kind = doc.kindOf(span);
  const isContainer = kind === "object" || kind === "array";
  const canEdit = !isReadOnly.value && !isShadowed;
  const isEdited = editing.value && editing.value.kind !== "new" && keyOf(editing.value.path) === keyOf(path);
  const dragged = drag.value;
  const isSibling = dragged && dragged.path.length === path.length &&
    keyOf(dragged.path.slice(0, -1)) === keyOf(path.slice(0, -1));
  const dropped = isSibling && dragged.to === path.at(-1)
    ? dragged.to < (dragged.path.at(-1) as number)
      ? "drop-before"
      : dragged.to > (dragged.path.at(-1) as number)
      ? "drop-behind"
      : ""
    : "";
  const name = path.at(-1);
  return (
    <div
      id={lineId("tree", index)}
      class={`line part ${isActive ? "active" : ""} ${isEdited ? "edited" : ""} ${dropped} ${
        isSibling && dragged.path.at(-1) === name ? "dragged" : ""
      }`}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={isActive}
      aria-expanded={isContainer ? isOpen : undefined}
      aria-posinset={row.index + 1}
      aria-setsize={row.siblings}
      style={{ paddingLeft: `${0.25 + Math.min(depth, 40) * 1.1}rem` }}
      onClick={() => {
        selected.value = path;
        document.getElementById("tree")?.focus({ preventScroll: true });
      }}
      onDblClick={() => {
        if (isContainer) toggle(row);
        else if (canEdit) begin("edit", path);
      }}
    >
      <Flash at={flashes.get(keyOf(path))} />
      <button
        type="button"
        class="twist"
        tabIndex={-1}
        disabled={!isContainer}
        aria-label={isOpen ? "Close" : "Open"}
        onClick={() => toggle(row)}
      >
        {isContainer ? isOpen ? "▾" : "▸" : ""}
      </button>
      {name !== undefined && (
        <span class={inArray ? "index" : "name"}>
          {inArray ? name : name === "" ? '""' : visible(String(name).slice(0, MAX_SHOWN))}
          <span class="colon">:</span>
        </span>
      )}
      {isContainer
        ? <Summary doc={doc} row={row} isArray={kind === "array"} />
        : (
          <span class={`value ${kind}`}>
            {visible(doc.text.slice(span.start, Math.min(span.end, span.start + MAX_SHOWN)))}
          </span>
        )}
      {isShadowed && <span class="note">the same name is there again below; only that one counts</span>}
      {canEdit && (
        <span class="acts">
          {!isContainer && <Act label="Edit" keys="Enter" act={() => begin("edit", path)} />}
          {isContainer && <Act label="Add" keys="+" act={() => begin("add", path)} />}
          {isContainer && <Act label="Edit" keys="e" act={() => begin("edit", path)} />}
          {name !== undefined && !inArray && (
            <Act
              label="Rename"
              keys="r"
              act={() => begin("rename", path)}
            />
          )}
          {name !== undefined && <Act label="Remove" keys="Delete" act={() => begin("remove", path)} />}
          {inArray && row.siblings > 1 && (
            <span
              class="handle"
              title="Drag to reorder (Alt and the arrow keys)"
              onPointerDown={(event) => startDrag(event, path, doc)}
            >
              ⠿
            </span>
          )}
        </span>
      )}
    </div>
  );
}

function Act({ label, keys, act }: {
  readonly label: string;
  readonly keys: string;
  readonly act: () => void;
}): JSX.Element {
  return <button type="button" tabIndex={-1} title={`${label} (${keys})`} onClick={act}>{label}</button>;
}

/** What a line says of an object or an array. */
function Summary(
  { doc, row, isArray }: { readonly doc: Document; readonly row: Row; readonly isArray: boolean },
): JSX.Element {
  const { span, isOpen } = row;
  const length = span.end - span.start;
  const count = isOpen || length <= MAX_COUNTED ? doc.childrenOf(span).count : undefined;
  const what = isArray ? count === 1 ? "element" : "elements" : count === 1 ? "member" : "members";
  return (
    <>
      {!isOpen && (
        <span class="preview">
          {visible(doc.text.slice(span.start, Math.min(span.end, span.start + MAX_SHOWN)))}
        </span>
      )}
      <span class="count">
        {count === undefined ? formatBytes(length) : `${count.toLocaleString("en")} ${what}`}
      </span>
    </>
  );
}

/** Takes an element, and moves it to where it is dropped. */
function startDrag(event: PointerEvent, path: Path, doc: Document): void {
  if (event.button !== 0) return;
  event.preventDefault();
  const box = document.getElementById("tree")!;
  const seen = doc.textAt(path)!;
  const parent = keyOf(path.slice(0, -1));
  selected.value = path;
  drag.value = { path, seen, to: path.at(-1) as number };
  let y = event.clientY;
  let scrolling = 0;
  const aim = (): void => {
    const number = numberUnder(box, y);
    const under = number === undefined ? undefined : rows.value?.at(number).path.slice(0, path.length);
    const now = drag.value;
    if (now && under?.length === path.length && keyOf(under.slice(0, -1)) === parent) {
      const to = under.at(-1) as number;
      if (to !== now.to) drag.value = { ...now, to };
    }
  };
  const scroll = (): void => {
    const { top, bottom } = box.getBoundingClientRect();
    const by = y < top + LINE ? -LINE / 2 : y > bottom - LINE ? LINE / 2 : 0;
    if (by !== 0) {
      box.scrollTop += by;
      aim();
    }
    scrolling = requestAnimationFrame(scroll);
  };
  scrolling = requestAnimationFrame(scroll);
  const onMoved = (moved: PointerEvent): void => {
    y = moved.clientY;
    aim();
  };
  const end = (isDropped: boolean): void => {
    cancelAnimationFrame(scrolling);
    removeEventListener("pointermove", onMoved);
    removeEventListener("pointerup", drop);
    removeEventListener("pointercancel", leave);
    removeEventListener("keydown", escape, true);
    const now = drag.value;
    drag.value = undefined;
    if (isDropped && now) void move(now.path, now.seen, now.to);
  };
  const drop = (): void => end(true);
  const leave = (): void => end(false);
  const escape = (pressed: KeyboardEvent): void => {
    if (pressed.key === "Escape") leave();
  };
  addEventListener("pointermove", onMoved);
  addEventListener("pointerup", drop);
  addEventListener("pointercancel", leave);
  addEventListener("keydown", escape, true);
}

/** The number of the line at a height of the window. */
function numberUnder(box: HTMLElement, y: number): number | undefined {
  for (const line of box.querySelectorAll(".line")) {
    const { top, bottom } = line.getBoundingClientRect();
    if (y >= top && y < bottom) return Number(line.id.slice("tree-".length));
  }
  return undefined;
}

function press(event: KeyboardEvent, all: Rows, doc: Document, at: number): void {
  if (event.ctrlKey || event.metaKey || event.target !== event.currentTarget) return;
  const row = all.at(at);
  const { path, span, isOpen, inArray, isShadowed } = row;
  const isContainer = doc.isContainer(span);
  const canEdit = !isReadOnly.value && !isShadowed;
  const to = (number: number): void => {
    selected.value = all.at(Math.max(0, Math.min(all.count - 1, number))).path;
  };
  const page = Math.max(1, Math.floor((event.currentTarget as HTMLElement).clientHeight / LINE) - 1);
  const acts: Record<string, () => void> = {
    ArrowDown: () => to(at + 1),
    ArrowUp: () => to(at - 1),
    PageDown: () => to(at + page),
    PageUp: () => to(at - page),
    Home: () => to(0),
    End: () => to(all.count - 1),
    ArrowRight: () => isContainer && !isOpen ? toggle(row) : isContainer ? to(at + 1) : undefined,
    ArrowLeft: () => isOpen ? toggle(row) : path.length > 0 ? selected.value = path.slice(0, -1) : undefined,
    " ": () => isContainer ? toggle(row) : undefined,
    Enter: () => isContainer ? toggle(row) : canEdit ? begin("edit", path) : undefined,
  };
  if (canEdit) {
    Object.assign(acts, {
      F2: () => begin("edit", path),
      e: () => begin("edit", path),
      ...isContainer ? { "+": () => begin("add", path), Insert: () => begin("add", path) } : {},
      ...path.length > 0
        ? { Delete: () => begin("remove", path), Backspace: () => begin("remove", path) }
        : {},
      ...path.length > 0 && !inArray ? { r: () => begin("rename", path) } : {},
    });
    if (event.altKey && inArray) {
      const seen = doc.textOf(span);
      const index = path.at(-1) as number;
      acts.ArrowUp = () => void move(path, seen, index - 1);
      acts.ArrowDown = () => void move(path, seen, index + 1);
    }
  }
  const act = Object.hasOwn(acts, event.key) ? acts[event.key] : undefined;
  if (!act) return;
  event.preventDefault();
  act();
}
