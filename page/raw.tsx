/** @jsxRuntime automatic */
/** @jsxImportSource preact */
/**
 * The open value as the text that is in Redis, character by character.
 *
 * @module
 */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { visible } from "./format.ts";
import { List } from "./list.tsx";
import { select, selected, value } from "./state.ts";

const LINE = 20;

/** Where the lines of a text begin: at each line break, and where a line would be too long. */
function breaksOf(text: string, columns: number): readonly number[] {
  const breaks: number[] = [];
  let stop = 0;
  for (let at = 0; at < text.length;) {
    breaks.push(at);
    if (at === stop) stop = text.indexOf("\n", at) + 1 || text.length;
    let next = Math.min(stop, at + columns);
    // Two units that are one character stay together.
    if (next < text.length && /[\udc00-\udfff]/.test(text[next]!)) next--;
    at = Math.max(next, at + 1);
  }
  return breaks;
}

function lineAt(breaks: readonly number[], position: number): number {
  let [low, high] = [0, breaks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (breaks[middle]! <= position) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** The text, with the selected part marked. */
export function Raw(): JSX.Element {
  const { doc, problem } = value.value ?? {};
  const text = doc?.text ?? "";
  const ruler = useRef<HTMLDivElement>(null);
  const [columns, setColumns] = useState(80);
  useLayoutEffect(() => {
    const element = ruler.current!;
    const observer = new ResizeObserver(() => {
      const character = element.querySelector("span")!.getBoundingClientRect().width / 10;
      setColumns(Math.max(20, Math.floor((element.clientWidth - 28) / character)));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const breaks = useMemo(() => breaksOf(text, columns), [text, columns]);
  const span = problem === undefined && selected.value.length > 0 ? doc?.find(selected.value) : undefined;
  return (
    <section class="raw" aria-label="Text in Redis">
      <div class="ruler" ref={ruler} aria-hidden="true">
        <span>0123456789</span>
      </div>
      <List
        id="raw"
        label="Text in Redis"
        role="log"
        count={breaks.length}
        line={LINE}
        {...span ? { active: lineAt(breaks, span.start), reveal: `${span.start} ${span.end}` } : {}}
        draw={(index) => {
          const start = breaks[index]!;
          const end = breaks[index + 1] ?? text.length;
          const from = span ? Math.max(start, Math.min(end, span.start)) : end;
          const to = span ? Math.max(start, Math.min(end, span.end)) : end;
          return (
            <div
              key={index}
              class="text-line"
              onClick={(event) => {
                if (!doc || problem !== undefined) return;
                const character = ruler.current!.querySelector("span")!.getBoundingClientRect().width / 10;
                const column = Math.floor(
                  (event.clientX - event.currentTarget.getBoundingClientRect().left) / character,
                );
                select(doc.pathAt(Math.min(start + Math.max(0, column), end - 1)));
              }}
            >
              {visible(text.slice(start, from).replace(/\n$/, ""))}
              {to > from && <mark>{visible(text.slice(from, to).replace(/\n$/, ""))}</mark>}
              {visible(text.slice(Math.max(from, to), end).replace(/\n$/, ""))}
            </div>
          );
        }}
      />
    </section>
  );
}
