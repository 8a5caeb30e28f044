import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatPath, formatPlace, readKey } from "../../src/data/path.ts";
import { readPath } from "../../src/data/selector.ts";
import { fuzz } from "../support/fuzz.ts";
import { assertSame } from "../support/same.ts";

// deno-lint-ignore no-explicit-any -- what a selector must not do is more than a type allows it to write
type Untyped = any;
type Selector = (root: Untyped) => unknown;

const HOSTILE_NAMES = [
  ...[
    "__proto__",
    "constructor",
    "prototype",
    "then",
    "catch",
    "toString",
    "valueOf",
    "toJSON",
    "hasOwnProperty",
  ],
  ...["length", "name", "arguments", "caller", "call", "apply", "bind", "at", "", " ", "a.b", "*", "é", "\0"],
  ...[
    "-0",
    "01",
    "+1",
    "1.5",
    "1e3",
    "0x1",
    "NaN",
    "Infinity",
    "9007199254740993",
    "99999999999999999999",
    "{tag}",
  ],
];

function select(selector: Selector): readonly (string | number)[] {
  return readPath([selector]);
}

function refusedSelector(selector: Selector, state: string): void {
  const error = assertThrows(() => select(selector), TypeError);
  assertEquals(error.message, `Cannot read a path from the selector: ${state}`);
}

describe("readKey()", () => {
  it("readKey() returns any well-formed string as it is", () => {
    for (const key of ["a", "", "__proto__", "0", "\0", "é", "😀", "\u2028", "a b", "{x}", "*"]) {
      assertStrictEquals(readKey(key), key);
    }
  });

  it("readKey() refuses what is no string and says what it received", () => {
    const cases: [unknown, string][] = [
      ...([[5, "5"], [undefined, "undefined"], [null, "null"], [true, "true"], [1n, "the bigint 1"]] as const)
        .map(
          ([key, name]): [unknown, string] => [key, name],
        ),
      [{ toString: () => "a" }, "an object"],
      [["a"], "an array"],
      [Symbol("a"), "a symbol"],
      [() => "a", "a function"],
      [new String("a"), "an object"],
    ];
    for (const [key, name] of cases) {
      const error = assertThrows(() => readKey(key), TypeError);
      assertEquals(error.message, `Cannot use ${name} as a key: a key of a dictionary is a string`);
    }
  });

  it("readKey() refuses a lone surrogate and takes a pair", () => {
    for (
      const key of ["\ud800", "a\udfff", "\udc00\ud800", "\ud83d\ud83d\ude00", "x".repeat(1e5) + "\udbff"]
    ) {
      const error = assertThrows(() => readKey(key), TypeError);
      assert(error.message.endsWith("it holds a lone surrogate, which UTF-8 cannot carry"), error.message);
    }
    assertStrictEquals(readKey("\ud83d\ude00"), "😀");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (key) => {
        assertStrictEquals(readKey(key), key);
      }),
      fuzz(),
    );
  });
});

describe("readPath() of segments", () => {
  it("readPath() returns the segments, frozen", () => {
    const path = readPath(["sample", "positions", -1]);
    assertEquals(path, ["sample", "positions", -1]);
    assert(Object.isFrozen(path));
    assert(Object.isFrozen(readPath([(root: Untyped) => root.a.b])));
  });

  it("readPath() keeps strings and integers apart", () => {
    assertEquals(readPath(["a", "0", 0, "-1", -1, ""]), ["a", "0", 0, "-1", -1, ""]);
  });

  it("readPath() takes any name", () => {
    for (const name of HOSTILE_NAMES) assertEquals(readPath([name, name]), [name, name]);
    assertEquals(readPath(["a", "\ud800"]), ["a", "\ud800"]);
  });

  it("readPath() makes 0 of -0 and a string of a number in the place of the key", () => {
    assertStrictEquals(readPath(["a", -0])[1], 0);
    assertEquals(readPath([5, 5]), ["5", 5]);
    assertEquals(readPath([-0]), ["0"]);
  });

  it("readPath() refuses an empty path", () => {
    assertEquals(
      assertThrows(() => readPath([]), TypeError).message,
      'Cannot read the path: it is empty; name a key first, as in at("sample")',
    );
  });

  it("readPath() refuses other types and names the position", () => {
    for (const [index, segment] of [undefined, null, true, {}, [], 1n, Symbol("s")].entries()) {
      const args: unknown[] = [...Array(index + 1).fill("a"), segment];
      assertThrows(() => readPath(args), TypeError, `Cannot read segment ${index + 1} of the path: `);
    }
    assertThrows(() => readPath([["a"]]), TypeError, "segment 0 of the path: an array is neither");
    assertThrows(() => readPath([undefined]), TypeError, "segment 0 of the path: undefined is neither");
    assertThrows(() => readPath(["a", () => 1]), TypeError, "segment 1 of the path: a function is neither");
  });

  it("readPath() refuses numbers that are no safe integers and names the position", () => {
    for (const segment of [NaN, Infinity, -Infinity, 1.5, 2 ** 53, -(2 ** 53), 5e-324]) {
      const error = assertThrows(() => readPath(["a", segment]), RangeError);
      assertEquals(error.message, `Cannot read segment 1 of the path: ${segment} is not a safe integer`);
    }
    assertEquals(readPath(["a", Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]).slice(1), [
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ]);
  });

  it("readPath() refuses a key that is not well formed, given as a segment or by a selector", () => {
    assertThrows(() => readPath(["\ud800", "a"]), TypeError, "lone surrogate");
    assertThrows(() => select((root) => root["\ud800"].a), TypeError, "lone surrogate");
  });

  it("readPath() does not hold on to the list it was given", () => {
    const args: unknown[] = ["a", "b"];
    const path = readPath(args);
    args[1] = "c";
    assertEquals(path, ["a", "b"]);
  });
});

describe("readPath() of a selector", () => {
  it("readPath() records what the selector reads", () => {
    assertEquals(select((lab) => lab.sample.color), ["sample", "color"]);
    assertEquals(select((lab) => lab.sample), ["sample"]);
    assertEquals(select((lab) => lab["a b"]["c.d"]), ["a b", "c.d"]);
    assertEquals(select(({ sample: { color } }) => color), ["sample", "color"]);
    assertEquals(select((lab) => lab.sample?.tags?.owner), ["sample", "tags", "owner"]);
    assertEquals(
      select(function (lab) {
        const { sample } = lab;
        return sample.positions[0];
      }),
      ["sample", "positions", 0],
    );
  });

  it("readPath() reads canonical integers as indexes, apart from the key", () => {
    assertEquals(select((lab) => lab.a[0][12][-1]), ["a", 0, 12, -1]);
    assertEquals(select((lab) => lab.a["0"]["-7"]), ["a", 0, -7]);
    assertEquals(select((lab) => lab[5][5]), ["5", 5]);
    assertSame(select((lab) => lab.a[-0]), ["a", 0]);
    assertEquals(select((lab) => lab.a[9007199254740991]["9007199254740992"]), [
      "a",
      9007199254740991,
      "9007199254740992",
    ]);
  });

  it("readPath() takes any name from a selector and touches no prototype", () => {
    for (const name of HOSTILE_NAMES) {
      assertEquals(select((lab) => lab[name]), [name]);
      assertEquals(select((lab) => lab.a[name][name]), ["a", name, name]);
    }
    assertEquals(select((lab) => lab.__proto__.polluted), ["__proto__", "polluted"]);
    assertEquals(Object.keys(Object.prototype), []);
    assertStrictEquals(({} as Record<string, unknown>).polluted, undefined);
  });

  it("readPath() reads any path from a selector as it does from segments", () => {
    const name = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...HOSTILE_NAMES));
    const index = fc.maxSafeInteger().map((integer) => integer === 0 ? 0 : integer);
    const isName = (segment: string) =>
      !Number.isSafeInteger(Number(segment)) || String(Number(segment)) !== segment;
    const segment = fc.oneof(name.filter(isName), index);
    fc.assert(
      fc.property(name, fc.array(segment), (key, inside) => {
        const path = [key, ...inside];
        assertEquals(readPath(path), path);
        assertEquals(select((lab) => path.reduce((place, segment) => place[segment], lab)), path);
      }),
      fuzz(),
    );
  });

  it("readPath() calls the selector once, with one argument and no this", () => {
    const calls: unknown[][] = [];
    function spy(this: unknown, ...args: Untyped[]): unknown {
      calls.push([this, args.length]);
      return args[0].a;
    }
    select(spy);
    assertEquals(calls, [[undefined, 1]]);
  });

  it("readPath() reads a long path", () => {
    const names = Array.from({ length: 1000 }, (_, index) => `n${index}`);
    assertEquals(select((lab) => names.reduce((place, name) => place[name], lab)), names);
  });

  it("readPath() refuses a method call and writes the path without it", () => {
    refusedSelector(
      (lab) => lab.sample.positions.at(-1),
      'it calls ["sample"]["positions"].at(...); write at("sample", "positions", -1)',
    );
    refusedSelector(
      (lab) => lab.sample.positions.push(3),
      'it calls ["sample"]["positions"].push(...); write at("sample", "positions") and use the methods of the ref',
    );
    refusedSelector(
      (lab) => lab.list[0].toString(),
      'it calls ["list"][0].toString(...); write at("list", 0) and use the methods of the ref',
    );
    refusedSelector(
      (lab) => lab.list.at("x"),
      'it calls ["list"].at(...); write at("list") and use the methods of the ref',
    );
    const advice = "return a member of it, as in (lab) => lab.sample.color";
    refusedSelector((lab) => lab.get("a"), `it calls its argument.get(...); ${advice}`);
    refusedSelector((lab) => lab.at(0), `it calls its argument.at(...); ${advice}`);
    refusedSelector((lab) => lab(), `it calls its argument; ${advice}`);
  });

  it("readPath() refuses what else a selector could try, and names it", () => {
    const ref = "and use the methods of the ref";
    const sample = `["sample"]; write at("sample") ${ref}`;
    const cases: [Selector, string][] = [
      [(lab) => `${lab.sample}`, `it computes with ${sample}`],
      [(lab) => lab.sample + 1, `it computes with ${sample}`],
      [(lab) => lab.sample == 1, `it computes with ${sample}`],
      [(lab) => lab.sample > 1, `it computes with ${sample}`],
      [(lab) => -lab.sample, `it computes with ${sample}`],
      [(lab) => lab.list[lab.sample], `it computes with ${sample}`],
      [(lab) => String(lab.sample), `it computes with ${sample}`],
      [
        (lab) => JSON.stringify({ a: lab.sample }) && lab.sample,
        `it calls ["sample"].toJSON(...); write at("sample") ${ref}`,
      ],
      [(lab) => "a" in lab.sample, `it uses in on ${sample}`],
      [(lab) => (lab.sample.color = "red"), `it assigns to a member of ${sample}`],
      [
        (lab) => lab.sample.count++,
        `it computes with ["sample"]["count"]; write at("sample", "count") ${ref}`,
      ],
      [(lab) => delete lab.sample.color, `it deletes a member of ${sample}`],
      [(lab) => ({ ...lab.sample }), `it lists the members of ${sample}`],
      [(lab) => Object.keys(lab.sample), `it lists the members of ${sample}`],
      [(lab) => [...lab.sample], `it iterates over ${sample}`],
      [(lab) => {
        const [first] = lab.sample;
        return first;
      }, `it iterates over ${sample}`],
      [(lab) => {
        for (const name in lab.sample) return name;
      }, `it lists the members of ${sample}`],
      [(lab) => new lab.sample(), `it uses new on ${sample}`],
      [(lab) => Object.getPrototypeOf(lab.sample), `it asks for the prototype of ${sample}`],
      [(lab) => lab.sample instanceof Array, `it asks for the prototype of ${sample}`],
      [(lab) => Object.setPrototypeOf(lab.sample, null), `it changes the prototype of ${sample}`],
      [(lab) => Object.hasOwn(lab.sample, "a"), `it inspects ${sample}`],
      [(lab) => Object.isExtensible(lab.sample), `it inspects ${sample}`],
      [(lab) => Object.freeze(lab.sample), `it freezes ${sample}`],
      [(lab) => Object.defineProperty(lab.sample, "a", {}), `it defines a member of ${sample}`],
      [(lab) => lab.sample[Symbol.toStringTag], `it reads Symbol(Symbol.toStringTag) of ${sample}`],
      [(lab) => [].concat(lab.sample), `it reads Symbol(Symbol.isConcatSpreadable) of ${sample}`],
    ];
    for (const [selector, state] of cases) refusedSelector(selector, state);
  });

  it("readPath() refuses a selector that returns anything but a place", () => {
    const advice = "return a member of the argument, as in (lab) => lab.sample.color";
    refusedSelector(() => {}, `it returns nothing; ${advice}`);
    refusedSelector((lab) => {
      lab.sample.color;
    }, `it returns nothing; ${advice}`);
    refusedSelector(() => null, `it returns null; ${advice}`);
    refusedSelector(() => "a", `it returns "a"; ${advice}`);
    refusedSelector((lab) => lab.a === lab.a, `it returns false; ${advice}`);
    refusedSelector((lab) => !lab.a, `it returns false; ${advice}`);
    refusedSelector((lab) => [lab.a], `it returns an array; ${advice}`);
    refusedSelector((lab) => ({ a: lab.a }), `it returns an object; ${advice}`);
    refusedSelector((lab) => () => lab.a, `it returns a function; ${advice}`);
    refusedSelector((lab) => lab, 'it returns its argument; return a member of it, or write at("sample")');
  });

  it("readPath() refuses a selector that reads more than one place, since it cannot choose by value", () => {
    const advice = "name one place and no conditions";
    refusedSelector(
      (lab) => lab.a || lab.b && lab.c ? lab.d : lab.e,
      `it reads ["a"] beside ["d"]; ${advice}`,
    );
    refusedSelector(
      (lab) => lab.a.flag ? lab.a.b : lab.c,
      `it reads ["a"]["flag"] beside ["a"]["b"]; ${advice}`,
    );
    refusedSelector((lab) => (lab.a.b.c, lab.a.b), `it reads ["a"]["b"]["c"] beside ["a"]["b"]; ${advice}`);
    assertEquals(select((lab) => (lab.a, lab.a.b, lab.a.b)), ["a", "b"]);
  });

  it("readPath() refuses an asynchronous selector and leaves no unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const listen = (event: Event): void => {
      event.preventDefault();
      unhandled.push(event);
    };
    globalThis.addEventListener("unhandledrejection", listen);
    try {
      const state = "it is asynchronous; write a function that returns the member at once";
      // deno-lint-ignore require-await -- the mistake itself
      refusedSelector(async (lab) => lab.sample, state);
      refusedSelector(async (lab) => await lab.sample, state);
      refusedSelector(() => Promise.reject(new Error("mine")), state);
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve); // a whole turn: rejections are reported after the microtasks
      await promise;
    } finally {
      globalThis.removeEventListener("unhandledrejection", listen);
    }
    assertEquals(unhandled, []);
  });

  it("readPath() refuses arguments beside a selector", () => {
    assertThrows(() => readPath([(lab: Untyped) => lab.a, "b"]), TypeError, "a selector stands alone");
  });

  it("readPath() refuses a place of another selector", () => {
    let kept: Untyped;
    select((lab) => kept = lab.a);
    assertThrows(() => select(() => kept), TypeError, "it returns a function");
  });

  it("readPath() leaves nothing usable behind", () => {
    let kept: Untyped;
    select((lab) => kept = lab.a);
    assertEquals(
      assertThrows(() => kept.b, TypeError).message,
      'Cannot read a path from the selector: it uses ["a"] after it has returned; write at("a")',
    );
    assertThrows(() => kept(), TypeError);
    assertThrows(() => kept.then(() => {}), TypeError);
  });

  it("readPath() lets an error of the selector through", () => {
    const error = new Error("mine");
    assertStrictEquals(
      assertThrows(() =>
        select(() => {
          throw error;
        })
      ),
      error,
    );
  });
});

describe("formatPath() and formatPlace()", () => {
  it("formatPath() and formatPlace() are to be had beside the paths they format", () => {
    const path = readPath(["sample", "positions", -1]);
    assertStrictEquals(formatPath(path), '["sample"]["positions"][-1]');
    assertStrictEquals(formatPlace(path), '["positions"][-1] of "sample"');
  });
});
