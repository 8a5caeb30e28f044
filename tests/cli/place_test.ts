import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Failure } from "../../src/cli/failure.ts";
import { parsePlace, toPointer } from "../../src/cli/place.ts";
import { formatBytes, formatDuration, parseDuration } from "../../src/cli/duration.ts";

function failureOf(act: () => unknown): Failure {
  try {
    act();
  } catch (error) {
    assert(error instanceof Failure, String(error));
    return error;
  }
  throw new Error("It did not throw");
}

describe("parsePlace()", () => {
  const PLACES: readonly (readonly [string, readonly (string | number)[]])[] = [
    ["sample", ["sample"]],
    ["user:1", ["user:1"]],
    ["sample.positions[-1]", ["sample", "positions", -1]],
    ["sample.0", ["sample", "0"]],
    ["sample[0][1].x", ["sample", 0, 1, "x"]],
    ['["a.b"].c["d]\\"é"]', ["a.b", "c", 'd]"é']],
    ['[""][""]', ["", ""]],
    ["__proto__.constructor", ["__proto__", "constructor"]],
    ["/", [""]],
    ["/sample", ["sample"]],
    ["/a.b/positions/-1", ["a.b", "positions", -1]],
    ["/a~1b/m~0n/01", ["a/b", "m~n", "01"]],
    ["/7/7", ["7", 7]],
    ["/a//", ["a", "", ""]],
    ["*", ["*"]],
  ];
  for (const [text, path] of PLACES) {
    it(`parsePlace() reads ${text}`, () => assertEquals(parsePlace(text), path));
  }

  for (
    const text of [
      "",
      ".",
      ".a",
      "a.",
      "a..b",
      "a[",
      "a[]",
      "a[x]",
      "a[1",
      "a]b",
      'a["x]',
      "a[1.5]",
      "[1]",
      "/a~2",
    ]
  ) {
    it(`parsePlace() refuses ${JSON.stringify(text)}`, () => {
      assertEquals(failureOf(() => parsePlace(text)).code, 2);
    });
  }

  it("parsePlace() refuses an index that a number cannot hold", () => {
    assertEquals(failureOf(() => parsePlace("a[99999999999999999999]")).code, 2);
  });

  it("toPointer() is read back", () => {
    for (const path of [["a"], ["a/b", "~", "x"], ["", ""], ["a", -1, 0]]) {
      assertEquals(parsePlace(toPointer(path)), path);
    }
  });
});

describe("parseDuration()", () => {
  it("parseDuration() reads a number with a unit, and nothing else", () => {
    assertEquals(["500ms", "90s", "1.5h", "7d"].map(parseDuration), [500, 90_000, 5_400_000, 604_800_000]);
    for (const text of ["", "5", "s", "-1s", "0s", "1w", "1e3s", " 1s"]) {
      assertEquals(failureOf(() => parseDuration(text)).code, 2);
    }
  });

  it("formatDuration() and formatBytes() take the largest unit", () => {
    assertEquals([0, 999, 90_000, 5_400_000].map(formatDuration), ["0ms", "999ms", "1.5m", "1.5h"]);
    assertEquals([0, 999, 1500, 2_500_000].map(formatBytes), ["0 B", "999 B", "1.5 KB", "2.5 MB"]);
  });
});
