/** @jsxRuntime automatic */
/** @jsxImportSource preact */
/**
 * Lists of which only the lines in sight are in the page, however many there are.
 *
 * @module
 */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** The height of a line, in pixels: more where fingers point. */
export const LINE: number = matchMedia("(pointer: coarse)").matches ? 36 : 26;
document.documentElement.style.setProperty("--row", `${LINE}px`);
/** Browsers do not show what is much higher. Beyond that, the bar at the side moves by more than a line for each. */
const MAX_HEIGHT = 8_000_000;

interface ListProps {
  readonly id: string;
  readonly label: string;
  readonly role: "tree" | "log";
  readonly count: number;
  /** The line that the keys act on. It is kept in sight when it changes. */
  readonly active?: number;
  /** Another value brings the active line in sight again. */
  readonly reveal?: unknown;
  readonly line?: number;
  /** Draws a line. */
  readonly draw: (index: number) => ComponentChildren;
  /** Hears which lines are in sight, first and last; the last may be one that is not there yet. */
  readonly onSight?: (first: number, last: number) => void;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  readonly empty?: ComponentChildren;
}

/** The text that a line has as its id. */
export function lineId(list: string, index: number): string {
  return `${list}-${index}`;
}

/** A list. */
export function List(props: ListProps): JSX.Element {
  const { id, label, role, count, active, reveal, draw, line = LINE } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const whole = count * line;
  const shownHeight = Math.min(whole, MAX_HEIGHT);
  // From the place of the bar to the place in the list, and back.
  const ratio = shownHeight > height ? (whole - height) / (shownHeight - height) : 1;
  const position = Math.min(top * ratio, Math.max(whole - height, 0));
  const first = Math.max(0, Math.floor(position / line) - 4);
  const room = Math.ceil((position + height) / line) + 4;
  const last = Math.min(count - 1, room);
  props.onSight?.(first, room);

  useLayoutEffect(() => {
    const element = box.current!;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    setHeight(element.clientHeight);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = box.current!;
    if (active === undefined) return;
    const now = element.scrollTop * ratio;
    const at = active * line;
    const room = element.clientHeight;
    if (at < now) element.scrollTop = at / ratio;
    else if (at + line > now + room) element.scrollTop = (at + line - room) / ratio + 1;
  }, [active, reveal]);

  const lines: ComponentChildren[] = [];
  for (let index = first; index <= last; index++) lines.push(draw(index));
  return (
    <div
      class="list"
      id={id}
      ref={box}
      role={role}
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={active === undefined || count === 0 ? undefined : lineId(id, active)}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={props.onKeyDown}
    >
      {count === 0 && props.empty}
      <div class="list-all" style={{ height: `${shownHeight}px` }}>
        <div class="list-part" style={{ transform: `translateY(${top + first * line - position}px)` }}>
          {lines}
        </div>
      </div>
    </div>
  );
}
