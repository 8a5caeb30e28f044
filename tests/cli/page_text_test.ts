/** The text of a value, as the page of the inspector looks at it, against JSON.parse. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { openPaths, openUp, Rows } from "../../page/rows.ts";
import { Document, follow, keyOf, type Path, type Segment, type Span } from "../../page/text.ts";

/** JSON text with white space of all kinds, and names that are odd, or there twice. */
const texts = fc.letrec<{ text: string }>((tie) => {
  const space = fc.constantFrom("", "", "", " ", "\n\t ");
  const padded = fc.tuple(space, tie("text"), space).map((parts) => parts.join(""));
  const name = fc.constantFrom("a", "b", "__proto__", "", "x y", '\\"', "\\u0061", "\u{1f600}", "]", "}", ",")
    .map((it) => `"${it}"`);
  const member = fc.tuple(space, name, space, padded).map(([before, name, after, value]) =>
    `${before}${name}${after}:${value}`
  );
  return {
    text: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.constantFrom(
        "0",
        "-1.5e3",
        "12345678901234567890",
        "true",
        "null",
        '""',
        '"a\\"]"',
        '"}{"',
        '"\\\\"',
      ),
      fc.array(padded, { maxLength: 5 }).map((parts) => `[${parts.join(",") || " "}]`),
      fc.array(member, { maxLength: 5 }).map((parts) => `{${parts.join(",")}}`),
    ),
  };
}).text;

const runs = { numRuns: Number(Deno.env.get("JSON_DICT_FUZZ") ?? 300) };

/** All places of a value, those of members that do not count left out. */
function* places(doc: Document, span: Span, path: Path = []): Generator<[Path, Span]> {
  yield [path, span];
  if (!doc.isContainer(span)) return;
  const children = doc.childrenOf(span);
  for (let index = 0; index < children.count; index++) {
    if (!children.isShadowed(index)) {
      yield* places(doc, children.span(index), [...path, children.segment(index)]);
    }
  }
}

function at(value: unknown, path: Path): unknown {
  return path.reduce((inside, segment) => (inside as Record<Segment, unknown>)[segment], value);
}

describe("Document", () => {
  it("Document finds each part where JSON.parse does, and back by its position", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const doc = new Document(` ${text}\n`);
        const value = JSON.parse(text);
        for (const [path, span] of places(doc, doc.root)) {
          assertEquals(JSON.parse(doc.textOf(span)), at(value, path));
          assertEquals(doc.find(path), span);
          assertEquals(doc.pathAt(span.start, span.end), path);
          if (doc.isContainer(span)) {
            const names = new Set(Object.keys(at(value, path) as object));
            const { count } = doc.childrenOf(span);
            assert(count >= names.size);
          }
        }
        assertEquals(doc.find([...doc.pathAt(doc.root.start), "no such name"]), undefined);
      }),
      runs,
    );
  });

  it("Document.pathAt() takes any position", () => {
    const doc = new Document('{"a": [1, {"b": "c"}], "a": 2}');
    for (let position = 0; position <= doc.text.length; position++) doc.pathAt(position);
    assertEquals(doc.pathAt(28), ["a"]);
    assertEquals(doc.pathAt(0), []);
  });
});

describe("Rows", () => {
  it("Rows numbers the lines as a walk through all open parts meets them", () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(30), { maxLength: 8 }), (text, picks) => {
        const doc = new Document(text);
        const all = [...places(doc, doc.root)].filter(([, span]) => doc.isContainer(span));
        let open = openUp(undefined, []);
        for (const pick of picks) if (all.length > 0) open = openUp(open, all[pick % all.length][0]);
        const isOpen = new Set([...openPaths(open)].map(keyOf));
        const expected: Path[] = [];
        const walk = (span: Span, path: Path, isReal: boolean): void => {
          expected.push(path);
          if (!isReal || !doc.isContainer(span) || !isOpen.has(keyOf(path))) return;
          const children = doc.childrenOf(span);
          for (let index = 0; index < children.count; index++) {
            const inside = [...path, children.segment(index)];
            walk(children.span(index), inside, !children.isShadowed(index));
          }
        };
        walk(doc.root, [], true);
        const rows = new Rows(doc, open);
        assertEquals(Array.from({ length: rows.count }, (_, number) => rows.at(number).path), expected);
        for (let number = 0; number < rows.count; number++) {
          const { path, isShadowed } = rows.at(number);
          if (!isShadowed) assertEquals(rows.numberOf(path), number);
        }
      }),
      runs,
    );
  });

  it("Rows finds the lines of an array of a million elements, many of them open", () => {
    const doc = new Document(`[${"[0],".repeat(999_999)}[0]]`);
    const open = openUp(undefined, []);
    for (let index = 0; index < 1_000_000; index += 100) openUp(open, [index]);
    const rows = new Rows(doc, open);
    assertEquals(rows.count, 1 + 1_000_000 + 10_000);
    assertEquals(rows.at(rows.count - 1).path, [999_999]);
    assertEquals(rows.at(rows.numberOf([500_000, 0])).path, [500_000, 0]);
  });
});

describe("follow()", () => {
  /** Replaces the one piece in which two texts differ. */
  function between(before: string, after: string, isStrict = false): (path: Path) => Path | undefined {
    let start = 0;
    while (start < before.length && before[start] === after[start]) start++;
    let end = 0;
    const most = Math.min(before.length, after.length) - start;
    while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
    const splice = { start, end: before.length - end, length: after.length - end - start };
    const [was, is] = [new Document(before), new Document(after)];
    return (path) => follow(path, was, is, splice, isStrict);
  }

  it("follow() finds elements before and behind what was inserted or removed, and gives up on others", () => {
    const grown = between('{"a":[{"id":1},{"id":2}]}', '{"a":[{"id":0},{"id":1},{"id":2}]}');
    assertEquals(grown(["a", 1, "id"]), ["a", 2, "id"]);
    assertEquals(grown(["a"]), ["a"]);
    const shrunk = between('["x","y","z"]', '["x","z"]');
    assertEquals(shrunk([0]), [0]);
    assertEquals(shrunk([1]), undefined);
    assertEquals(shrunk([2]), [1]);
    assertEquals(between('{"a":1}', '{"b":1}')(["a"]), undefined);
    assertEquals(between('{"a":[1]}', '{"a":{"0":1}}')(["a", 0]), undefined);
    assertEquals(between("[1,2]", "[1,3]")([1]), [1]);
  });

  it("follow() for a change finds what was exchanged, and takes no other element for it", () => {
    const list = (...names: string[]): string => JSON.stringify(names.map((name) => ({ name, n: 1 })));
    const swapped = between(list("a", "b", "c", "d"), list("a", "c", "b", "d"), true);
    assertEquals(swapped([1, "n"]), [2, "n"]);
    assertEquals(swapped([2, "n"]), [1, "n"]);
    assertEquals([swapped([0]), swapped([3, "n"])], [[0], [3, "n"]]);
    // The first has left, and another has come at the end.
    const queue = between(list("a", "b", "c"), list("b", "c", "d"), true);
    assertEquals([queue([0, "n"]), queue([1, "n"]), queue([2])], [undefined, [0, "n"], [1]]);
    // It has changed itself.
    const changed = between('[{"n":1},{"n":2}]', '[{"n":3},{"n":2}]', true);
    assertEquals([changed([0, "n"]), changed([1, "n"])], [[0, "n"], [1, "n"]]);
    // What is equal to what is there now stands where it stood.
    assertEquals(between('[{"n":1},{"n":2}]', '[{"n":2},{"n":2}]', true)([0, "n"]), [0, "n"]);
    assertEquals(between('[[{"a":1}],[{"b":1}]]', '[[{"b":1}],[{"a":1}]]', true)([0, 0, "a"]), [1, 0, "a"]);
    assertEquals(between('["x","x","y","z"]', '["y","x","z","x"]', true)([0]), undefined);
  });

  it("Document tells which name on a way stands twice", () => {
    const doc = new Document('{"a":{"b":1,"\\u0062":2,"c":[{"d":1,"d":1}]},"__proto__":1,"__proto__":2}');
    assertEquals(
      [["a"], ["a", "b"], ["a", "c", 0], ["a", "c", 0, "d"], ["__proto__"], []].map((path) =>
        doc.twinOn(path)
      ),
      [undefined, "b", undefined, "d", "__proto__", undefined],
    );
  });

  it("follow() never leads to another text where an element was inserted or removed", () => {
    const element = fc.record({ id: fc.nat(3), s: fc.constantFrom("open", "done") });
    fc.assert(
      fc.property(
        fc.array(element, { maxLength: 6 }),
        fc.nat(6),
        fc.boolean(),
        element,
        (list, at, isNew, one) => {
          const after = isNew
            ? [...list.slice(0, at), one, ...list.slice(at)]
            : list.filter((_, index) => index !== at);
          const [was, is] = [JSON.stringify(list), JSON.stringify(after)];
          const found = between(was, is);
          const [before, now] = [new Document(was), new Document(is)];
          for (let index = 0; index < list.length; index++) {
            const path = found([index]);
            if (path) assertEquals(now.textAt(path), before.textAt([index]));
          }
        },
      ),
      runs,
    );
  });
});
