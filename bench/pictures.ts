/**
 * Pictures of the results, as SVG: `deno run -A bench/pictures.ts` draws them anew from `bench/results.json`.
 *
 * @module
 */

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Point } from "./report.ts";

const FOLDER = new URL("../docs/pictures/", import.meta.url);

/** Colours that can be told apart, also by the colour-blind, on the background, which stays light in a dark page. */
const COLOURS: Readonly<Record<string, string>> = {
  "json-dict": "#0072b2",
  "cjson script": "#b34700",
  "GET, change, SET": "#5b5b5b",
  "WATCH, MULTI": "#8a2f7a",
};
const BACKGROUND = "#fbfbf9";
const INK = "#24292f";
const [WIDTH, HEIGHT] = [760, 430];

/** What a picture shows besides its points. */
interface Text {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly xTick: (value: number) => string;
  readonly y: string;
  /** What stands at the end of a line, in one or two lines of text. */
  readonly label: (last: Point) => string;
}

const bytes = (value: number): string => value >= 1e6 ? `${value / 1e6} MB` : `${value / 1e3} KB`;
const count = (value: number): string => value.toLocaleString("en");
const time = (us: number): string =>
  us >= 1e6 ? `${us / 1e6} s` : us >= 1000 ? `${us / 1000} ms` : `${us} µs`;

const TEXTS: Readonly<Record<string, Text>> = {
  cost: {
    title: "One nested change, by the size of the document",
    subtitle: "What a caller waits for a set at a path of four segments, in the middle of the document",
    x: "size of the document",
    xTick: bytes,
    y: "time for one change",
    label: ({ way }) => way,
  },
  burst: {
    title: "A burst of changes of one key",
    subtitle: "Increments issued at once, none awaited before the next, until the last is done",
    x: "changes at once",
    xTick: count,
    y: "time for all of them",
    label: ({ way, x, lost }) => `${way}\n${lost ? `${count(lost)} of ${count(x)} lost` : "none lost"}`,
  },
};

/** What is needed of a document, where there is no browser. */
interface Page {
  createElementNS(space: string, name: string): {
    textContent: string;
    setAttribute(name: string, value: string): void;
  };
}

/** What stands at the end of a line, and where. */
interface Label {
  readonly point: Point;
  readonly x: number;
  readonly at: number;
}

/** Draws the pictures for which there are points. */
export async function drawPictures(pictures: Readonly<Record<string, readonly Point[]>>): Promise<void> {
  await Deno.mkdir(FOLDER, { recursive: true });
  for (const [name, points] of Object.entries(pictures)) {
    await Deno.writeTextFile(new URL(`${name}.svg`, FOLDER), draw(TEXTS[name], points));
  }
}

function draw(text: Text, points: readonly Point[]): string {
  const { document } = parseHTML("<html><body></body></html>") as unknown as { readonly document: Page };
  const lasts = [...new Map(points.map((point) => [point.way, point])).values()];
  const labels = spread(lasts, points, Math.max(...lasts.map((last) => text.label(last).split("\n").length)));
  const stroke = ({ way }: Point): string => COLOURS[way];
  const svg = Plot.plot({
    document: document as never,
    width: WIDTH,
    height: HEIGHT,
    marginTop: 84,
    marginRight: 176,
    marginBottom: 50,
    marginLeft: 74,
    x: {
      type: "log",
      label: null,
      ticks: ticks(points.map(({ x }) => x)),
      tickFormat: text.xTick,
      tickSize: 0,
    },
    y: {
      type: "log",
      label: null,
      ticks: powers(points.map(({ time }) => time)),
      tickFormat: time,
      tickSize: 0,
    },
    marks: [
      Plot.gridY(powers(points.map(({ time }) => time)), { stroke: INK, strokeOpacity: 0.12 }),
      Plot.line(points, { x: "x", y: "time", stroke, z: "way", strokeWidth: 2.5, curve: "linear" }),
      Plot.dot(points, { x: "x", y: "time", fill: stroke, r: 3.5 }),
      Plot.text(labels, {
        x: "x",
        y: "at",
        text: ({ point }: Label) => text.label(point),
        fill: ({ point }: Label) => stroke(point),
        fontWeight: 600,
        textAnchor: "start",
        dx: 10,
      }),
    ],
    style: {
      fontFamily: "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
      fontSize: "13px",
    },
  });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("color", INK);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${text.title}. ${text.subtitle}.`);
  const add = (x: number, y: number, content: string, attributes: Readonly<Record<string, string>>): void => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", "text");
    for (
      const [name, value] of Object.entries({
        x: `${x}`,
        y: `${y}`,
        fill: INK,
        "text-anchor": "start",
        ...attributes,
      })
    ) {
      element.setAttribute(name, value);
    }
    element.textContent = content;
    svg.appendChild(element as never);
  };
  add(20, 30, text.title, { "font-size": "18", "font-weight": "700" });
  add(20, 52, text.subtitle, { "font-size": "13", "fill-opacity": "0.75" });
  add(20, 74, `${text.y} (log scale)`, { "font-size": "12", "fill-opacity": "0.75" });
  add((74 + WIDTH - 176) / 2, HEIGHT - 12, `${text.x} (log scale)`, {
    "font-size": "12",
    "fill-opacity": "0.75",
    "text-anchor": "middle",
  });
  const background = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: "100%", height: "100%", rx: "8", fill: BACKGROUND })) {
    background.setAttribute(name, value);
  }
  svg.insertBefore(background as never, svg.firstChild);
  return `${svg.outerHTML}\n`;
}

/** The powers of ten from below the least to above the greatest. */
function powers(values: readonly number[]): number[] {
  const [from, to] = [Math.min(...values), Math.max(...values)].map(Math.log10);
  const [first, last] = [Math.floor(from), Math.ceil(to)];
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

/** The powers of ten that lie among the values, or close to one. */
function ticks(values: readonly number[]): number[] {
  const [least, greatest] = [Math.min(...values) * 0.9, Math.max(...values) * 1.1];
  return powers(values).filter((power) => power >= least && power <= greatest);
}

/** Labels at the ends of lines, moved apart where they would meet. */
function spread(
  lasts: readonly Point[],
  points: readonly Point[],
  lines: number,
): Label[] {
  const times = points.map(({ time }) => time);
  const decades = Math.log10(Math.max(...times) / Math.min(...times));
  const step = 10 ** (decades * (16 * lines + 4) / (HEIGHT - 134)); // as high as a label
  let above = Infinity;
  return lasts.toSorted((a, b) => b.time - a.time).map((point) => {
    above = Math.min(point.time, above / step);
    return { point, x: point.x, at: above };
  });
}

if (import.meta.main) {
  const results = JSON.parse(await Deno.readTextFile(new URL("results.json", import.meta.url)));
  await drawPictures(results.pictures);
}
