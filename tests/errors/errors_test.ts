import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { AmbiguousResultError, TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import {
  CorruptValueError,
  IndexOutOfRangeError,
  KeyNotFoundError,
  LimitError,
  NumberRangeError,
  PathNotFoundError,
  TypeMismatchError,
  WrongTypeError,
} from "../../src/errors/value.ts";
import { StaleError } from "../../src/errors/edit.ts";
import { JsonDictError } from "../../src/errors/error.ts";
import { LeaseEndedError } from "../../src/errors/lease.ts";

const cause = new Error("behind it");
const path = Object.freeze(["sample", "tags", 2] as const);
const push = { operation: "push", path, cause };

/** One error of each class: the error, its name, its code, its message, its own data. */
const CASES: readonly [JsonDictError, string, string, string, Record<string, unknown>][] = [
  [
    new KeyNotFoundError(push),
    "KeyNotFoundError",
    "KEY_NOT_FOUND",
    'Cannot push at ["tags"][2] of "sample": the dictionary has no key "sample"; create it with set first',
    {},
  ],
  [
    new PathNotFoundError({ ...push, at: 2 }),
    "PathNotFoundError",
    "PATH_NOT_FOUND",
    'Cannot push at ["tags"][2] of "sample": there is no [2] in ["tags"] of "sample"; create it with set first',
    { at: 2 },
  ],
  [
    new TypeMismatchError({ ...push, expected: ["array"], found: "object", at: 3 }),
    "TypeMismatchError",
    "TYPE_MISMATCH",
    'Cannot push at ["tags"][2] of "sample": the value is an object, expected an array',
    { expected: ["array"], found: "object", at: 3 },
  ],
  [
    new IndexOutOfRangeError({ ...push, index: 7, length: 2 }),
    "IndexOutOfRangeError",
    "INDEX_OUT_OF_RANGE",
    'Cannot push at ["tags"][2] of "sample": index 7 is outside an array of length 2; ' +
    "arrays have no holes, push adds an element at 2",
    { index: 7, length: 2 },
  ],
  [
    new NumberRangeError({ ...push, bound: "finite" }),
    "NumberRangeError",
    "NUMBER_RANGE",
    'Cannot push at ["tags"][2] of "sample": the result is not finite; set the value instead',
    { bound: "finite" },
  ],
  [
    new CorruptValueError({ ...push, offset: 17 }),
    "CorruptValueError",
    "CORRUPT_VALUE",
    'Cannot push at ["tags"][2] of "sample": the text of "sample" is not JSON at byte 17; ' +
    "set or delete the key to repair it",
    { offset: 17 },
  ],
  [
    new WrongTypeError({ ...push, found: "list" }),
    "WrongTypeError",
    "WRONG_TYPE",
    'Cannot push at ["tags"][2] of "sample": "sample" is a Redis list, not a string; ' +
    "something else uses it, so choose another key or prefix",
    { found: "list" },
  ],
  [
    new StaleError(push),
    "StaleError",
    "STALE",
    'Cannot use what was at ["tags"][2] of "sample": others have removed, moved or replaced it; ' +
    "read it from the document again",
    {},
  ],
  [
    new LimitError({ ...push, limit: "bytes", maximum: 512 }),
    "LimitError",
    "LIMIT",
    'Cannot push at ["tags"][2] of "sample": the text of the value is too long, at most 512 bytes are allowed; ' +
    "spread it over several keys",
    { limit: "bytes", maximum: 512 },
  ],
  [
    new AmbiguousResultError(push),
    "AmbiguousResultError",
    "AMBIGUOUS_RESULT",
    'Cannot tell whether push at ["tags"][2] of "sample" was applied: its answer was lost (behind it); ' +
    "read the value before trying again",
    {},
  ],
  [
    new AmbiguousResultError({
      ...push,
      record: { callId: "call1", resolve: () => Promise.resolve("applied") },
    }),
    "AmbiguousResultError",
    "AMBIGUOUS_RESULT",
    'Cannot tell whether push at ["tags"][2] of "sample" was applied: its answer was lost (behind it); ' +
    "resolve() of this error finds out",
    { callId: "call1" },
  ],
  [
    new UnavailableError({ ...push, reason: "CLOSED" }),
    "UnavailableError",
    "UNAVAILABLE",
    'Cannot push at ["tags"][2] of "sample": behind it; the client was ended; make a new one',
    { reason: "CLOSED" },
  ],
  [
    new TimeoutError({ ...push, timeout: 10_000 }),
    "TimeoutError",
    "TIMEOUT",
    'Cannot push at ["tags"][2] of "sample": Redis has not answered within 10000 ms (behind it); ' +
    "check the connection, or raise the timeout",
    { timeout: 10_000 },
  ],
  [
    new LeaseEndedError({ ...push, end: "expired", fence: 7 }),
    "LeaseEndedError",
    "LEASE_ENDED",
    'Cannot keep the lease of ["tags"][2] of "sample": it was not renewed in time (behind it); stop what relies on it',
    { end: "expired", fence: 7 },
  ],
];

describe("JsonDictError", () => {
  for (const [error, name, code, message, data] of CASES) {
    it(`${name} has a name, a code, a place, a cause and its data`, () => {
      assert(error instanceof JsonDictError);
      assert(error instanceof Error);
      assertEquals({ name: error.name, code: error.code, message: error.message }, { name, code, message });
      assertStrictEquals(error.constructor.name, name);
      assertStrictEquals(error.operation, "push");
      assertStrictEquals(error.key, "sample");
      assertStrictEquals(error.path, path);
      assertStrictEquals(error.cause, cause);
      assertEquals({ ...error, ...data }, { ...error });
    });

    it(`${name} starts its stack with its own name and is printed with it`, () => {
      assert(error.stack?.startsWith(`${name}: ${message}`), error.stack);
      assertStrictEquals(String(error), `${name}: ${message}`);
    });

    it(`${name} keeps its message in the form of the house`, () => {
      assert(/^Cannot .*[^.]$/.test(error.message), error.message);
      assert(!/\b(?:can|do|does|is|are|was|has)n't\b/.test(error.message), error.message);
      assert(error.message.includes(": "), error.message);
    });
  }

  it("JsonDictError has a code of its own in every subclass", () => {
    const classes = new Set(CASES.map(([error]) => error.constructor));
    assertStrictEquals(new Set(CASES.map(([error]) => error.code)).size, classes.size);
  });

  it("JsonDictError sets no cause by itself, and keeps one that is undefined", () => {
    assert(!Object.hasOwn(new KeyNotFoundError({ operation: "get", path: ["a"] }), "cause"));
    assert(Object.hasOwn(new KeyNotFoundError({ operation: "get", path: ["a"], cause: undefined }), "cause"));
  });

  it("JsonDictError distinguishes the empty key from no key by the path", () => {
    const empty = new TimeoutError({ operation: "get", path: [""], timeout: 5 });
    assertStrictEquals(empty.key, "");
    assertEquals(empty.message.slice(0, 17), 'Cannot get at "":');
    const none = new TimeoutError({ operation: "clear", path: [], timeout: 5 });
    assertStrictEquals(none.key, "");
    assert(none.message.startsWith("Cannot clear at the dictionary: "), none.message);
  });

  it("JsonDictError is identified by its code", () => {
    const error: KeyNotFoundError | LimitError = new LimitError({ ...push, limit: "depth" }) as
      | KeyNotFoundError
      | LimitError;
    // The compiler narrows by the literal code.
    assertStrictEquals(error.code === "LIMIT" ? error.limit : undefined, "depth");
  });
});

describe("error messages", () => {
  it("KeyNotFoundError names any key", () => {
    for (const key of ["", "__proto__", "0", "\0", "é", '"']) {
      const { message } = new KeyNotFoundError({ operation: "get", path: [key] });
      const name = JSON.stringify(key);
      assertStrictEquals(
        message,
        `Cannot get at ${name}: the dictionary has no key ${name}`,
      );
    }
  });

  it("PathNotFoundError offers to create parents where one is missing", () => {
    const { message } = new PathNotFoundError({ operation: "set", path: ["k", "a", "b", "c"], at: 2 });
    assertStrictEquals(
      message,
      'Cannot set at ["a"]["b"]["c"] of "k": there is no ["b"] in ["a"] of "k"; ' +
        "create it first, or set with { parents: true }",
    );
    const first = new PathNotFoundError({ operation: "get", path: ["k", "a"], at: 1 });
    assertStrictEquals(
      first.message,
      'Cannot get at ["a"] of "k": there is no ["a"] in "k"',
    );
  });

  it("TypeMismatchError names the value on the way and all types that would do", () => {
    const { message } = new TypeMismatchError({
      operation: "get",
      path: ["k", "a", 0, "b"],
      expected: ["array", "object"],
      found: "null",
      at: 2,
    });
    assertStrictEquals(
      message,
      'Cannot get at ["a"][0]["b"] of "k": ["a"] of "k" is null, expected an array or an object',
    );
    const scalar = new TypeMismatchError({
      operation: "toggle",
      path: ["k"],
      expected: ["boolean"],
      found: "string",
      at: 1,
    });
    assertStrictEquals(scalar.message, 'Cannot toggle at "k": the value is a string, expected a boolean');
  });

  it("Errors leave out what is not known", () => {
    const get = { operation: "get", path: ["k"] };
    const unknown = [
      new CorruptValueError(get),
      new WrongTypeError(get),
      new LimitError({ ...get, limit: "depth" }),
    ];
    assertEquals(unknown.map(({ message }) => message), [
      'Cannot get at "k": the text of "k" is not JSON; set or delete the key to repair it',
      'Cannot get at "k": "k" is not a Redis string; something else uses it, so choose another key or prefix',
      'Cannot get at "k": the value is nested too deeply; use a flatter value',
    ]);
    for (const { message } of unknown) assert(!message.includes("undefined"), message);
  });

  it("Error messages stay short, however long the key and the path", () => {
    const path = ["x".repeat(1e6), ...Array.from({ length: 1000 }, () => "y")];
    const { message } = new PathNotFoundError({ operation: "get", path, at: 900 });
    assert(message.length < 1000);
  });
});
