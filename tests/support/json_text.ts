/**
 * JSON text for tests: a tokenizer that knows where each value stands, and arbitraries of documents as hostile as RFC
 * 8259 allows.
 *
 * Positions are indexes of the JavaScript string. The documents are well formed, so that what is equal character for
 * character is equal byte for byte.
 *
 * @module
 */

import fc from "fast-check";
import type { Json } from "../../src/data/json.ts";

/** A value in a text, from `start` up to but not including `end`. */
export interface Node {
  readonly type: "null" | "boolean" | "number" | "string" | "array" | "object";
  readonly start: number;
  readonly end: number;
  /** The children of an array or an object, in order; `at` is where the name or the element starts. */
  readonly children: readonly Child[];
}

/** An element, or a member with its decoded name. */
export interface Child {
  readonly name: string;
  readonly at: number;
  readonly node: Node;
}

const WHITE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,:\]}"[{]+/y;
const LITERALS: Readonly<Record<string, Node["type"]>> = { n: "null", t: "boolean", f: "boolean" };

/** Where each value of a valid JSON text stands. Recursive, so not for documents thousands of levels deep. */
export function locate(text: string): Node {
  JSON.parse(text); // says what is wrong with a text that is not JSON
  return readNode(text, skip(WHITE, text, 0));
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

function readNode(text: string, start: number): Node {
  const first = text[start];
  if (first === '"') return { type: "string", start, end: skip(STRING, text, start), children: [] };
  if (first !== "{" && first !== "[") {
    return { type: LITERALS[first] ?? "number", start, end: skip(SCALAR, text, start), children: [] };
  }
  const type = first === "{" ? "object" : "array";
  const children: Child[] = [];
  let p = skip(WHITE, text, start + 1);
  while (text[p] !== "}" && text[p] !== "]") {
    const at = p;
    let name = "";
    if (type === "object") {
      p = skip(STRING, text, p);
      name = JSON.parse(text.slice(at, p));
      p = skip(WHITE, text, skip(WHITE, text, p) + 1);
    }
    const node = readNode(text, p);
    children.push({ name, at, node });
    p = skip(WHITE, text, node.end);
    if (text[p] === ",") p = skip(WHITE, text, p + 1);
  }
  return { type, start, end: p + 1, children };
}

/**
 * The value of a text. In place of `JSON.parse` of objects, which in V8 15.0 misreads names of one character that are
 * spelled with an escape (it may take `"\\u0041"` for a backslash); strings alone it reads well.
 */
export function parseText(text: string): Json {
  const read = (node: Node): Json => {
    if (node.type === "array") return node.children.map((child) => read(child.node));
    if (node.type !== "object") return JSON.parse(text.slice(node.start, node.end));
    return Object.fromEntries(node.children.map((child) => [child.name, read(child.node)]));
  };
  return read(locate(text));
}

/** The paths of all values below a node, the node itself first, without the dictionary key. */
export function pathsOf(node: Node): { path: (string | number)[]; node: Node }[] {
  const found: { path: (string | number)[]; node: Node }[] = [{ path: [], node }];
  for (let next = 0; next < found.length; next++) {
    const { path, node: parent } = found[next];
    parent.children.forEach((child, index) => {
      found.push({ path: [...path, parent.type === "array" ? index : child.name], node: child.node });
    });
  }
  return found;
}

// ---- Arbitraries ----

/** Names and strings that look like the syntax around them. */
export const HOSTILE = [
  ...[
    "a",
    "b",
    "k",
    "",
    "0",
    "1",
    "-1",
    "01",
    "é",
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    'a"b',
    ",",
    ":",
    " x",
    "\n",
  ],
  ...["__proto__", "constructor", "then", "toString", '}]{["', '\\"', "a\\", "a\\\\", "😀", 'key":', '"key"'],
  ...[
    "\ud800",
    "\udc00\ud800",
    "\u2028",
    "\0",
    '": {',
    ',"a":',
    '","b":{',
    '{"a":1}',
    "[[",
    "}}",
    "%b{}",
    "%",
  ],
  ...["/", "null", "1", "\ufeff", "x".repeat(40)],
];

/** White space between tokens, mostly none. */
const white = fc.oneof(
  { weight: 8, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: fc.constantFrom(" ", "\n", "\t", "  ", "\r\n", " \n\t\r ") },
);

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "/": "\\/",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** Spells a string: each character as it is where JSON allows, else or by chance as an escape. */
function spell(value: string, chance: readonly number[]): string {
  const escaped = [...value].map((character, index) => {
    const choice = chance.length === 0 ? 0 : chance[index % chance.length];
    const plain = JSON.stringify(character).slice(1, -1);
    if (choice === 0) return plain;
    if (choice === 1) return SHORT[character] ?? plain;
    return character.split("").map((unit) => {
      const hex = unit.charCodeAt(0).toString(16).padStart(4, "0");
      return `\\u${choice === 2 ? hex : hex.toUpperCase()}`;
    }).join("");
  });
  return `"${escaped.join("")}"`;
}

const characters = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
  {
    weight: 1,
    arbitrary: fc.string({
      unit: fc.constantFrom("{", "}", "[", "]", '"', "\\", ",", ":", " "),
      maxLength: 12,
    }),
  },
);
const spelling = fc.oneof(
  { weight: 3, arbitrary: fc.constant<number[]>([]) },
  { weight: 1, arbitrary: fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }) },
);

/** The text of a string. */
export const stringText: fc.Arbitrary<string> = fc.tuple(characters, spelling).map(([value, chance]) =>
  spell(value, chance)
);

/** The text of a number: any spelling of a finite double, and integers that a double cannot hold. */
export const numberText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -20, max: 20 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...["0", "-0", "0.0", "1.0", "-1.50", "1e3", "1E3", "1e+2", "1E-2", "0e0", "-0.0e-0", "0.1", "5e-324"],
      ...[
        "1e21",
        "123456789012345",
        "1e-7",
        "1.7976931348623157e308",
        "9007199254740991",
        "1784192940134586",
      ],
      ...[
        "9007199254740993",
        "-12345678901234567890",
        "0.30000000000000004",
        "1e-400",
        "123456789.0123456789",
      ],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String) },
);

const scalarText = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom("null", "true", "false") },
  { weight: 3, arbitrary: numberText },
  { weight: 3, arbitrary: stringText },
);

function listText(open: string, close: string, items: readonly string[], whites: readonly string[]): string {
  let turn = 0;
  const gap = (): string => whites.length === 0 ? "" : whites[turn++ % whites.length];
  const inner = items.map((item) => `${gap()}${item}${gap()}`).join(",");
  return `${open}${inner === "" ? gap() : inner}${close}`;
}

const whites = fc.oneof(
  { weight: 2, arbitrary: fc.constant<string[]>([]) },
  { weight: 1, arbitrary: fc.array(white, { minLength: 1, maxLength: 5 }) },
);

/** About how long a run of like elements may become, in characters. */
const LONGEST_RUN = 1_000;

/** The text of a value without white space around it; no object names a member twice. */
export const valueText: fc.Arbitrary<string> =
  fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 3, arbitrary: scalarText },
      { weight: 2, arbitrary: tie("array") },
      { weight: 3, arbitrary: tie("object") },
    ),
    array: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.tuple(fc.array(tie("value"), { maxLength: 5 }), whites).map(([items, gaps]) =>
          listText("[", "]", items, gaps)
        ),
      },
      {
        // long runs of like elements, with a stranger in between
        weight: 1,
        arbitrary: fc.tuple(tie("value"), fc.integer({ min: 14, max: 70 }), fc.nat(69), tie("value"), whites)
          .map(([one, wanted, place, stranger, gaps]) => {
            const count = Math.min(wanted, Math.ceil(LONGEST_RUN / one.length)); // they nest
            return listText(
              "[",
              "]",
              Array.from({ length: count }, (_, k) => k === place ? stranger : one),
              gaps,
            );
          }),
      },
    ),
    object: fc.tuple(
      fc.uniqueArray(fc.tuple(stringText, white, white, tie("value")), {
        maxLength: 6,
        selector: ([name]) => JSON.parse(name),
      }),
      whites,
    ).map(([members, gaps]) =>
      listText(
        "{",
        "}",
        members.map(([name, before, after, value]) => `${name}${before}:${after}${value}`),
        gaps,
      )
    ),
  })).value;

/** The text of a document: a value, mostly an array or an object, perhaps with white space around it. */
export const documentText: fc.Arbitrary<string> = fc.tuple(
  white,
  fc.oneof(
    { weight: 1, arbitrary: scalarText },
    {
      weight: 9,
      arbitrary: fc.tuple(fc.array(valueText, { minLength: 1, maxLength: 4 }), whites, fc.boolean()).map((
        [values, gaps, isArray],
      ) =>
        isArray ? listText("[", "]", values, gaps) : listText(
          "{",
          "}",
          values.map((value, index) => `${JSON.stringify("abk"[index] ?? "")}:${value}`),
          gaps,
        )
      ),
    },
  ),
  white,
).map((parts) => parts.join(""));
