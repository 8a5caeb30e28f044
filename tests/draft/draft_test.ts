import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { draftDictionary, draftFragment } from "../../src/draft/draft.ts";
import { Fragment } from "../../src/data/fragment.ts";
import { decode } from "../../src/data/decoder.ts";
import type { Json } from "../../src/data/json.ts";
import type { Group } from "../../src/data/op.ts";
import { toPlain } from "../../src/draft/returned.ts";
import { Session } from "../../src/draft/session.ts";
import { fuzz } from "../support/fuzz.ts";
import { HOSTILE_NAMES } from "../support/names.ts";
import { applyJs } from "../support/js_model.ts";
import { bare, execute, executeLines, json, type Line, linesFor, steps } from "../support/programs.ts";
import { applyGroup, type Texts } from "../support/text_model.ts";

// deno-lint-ignore no-explicit-any -- what a draft of any JSON is
type Any = any;

/** Runs a recipe over drafts of values, without a server. */
function record(values: Record<string, Json>, recipe: (draft: never) => unknown) {
  const session = new Session({});
  const texts = Object.entries(values).map(([key, value]) =>
    [key, Fragment.read(JSON.stringify(value), {})] as const
  );
  const root = draftDictionary(session, new Map(texts));
  const seen = recipe(root.draft as never);
  const ops = session.takeOps();
  return { seen, ops, guards: root.guards(), end: () => session.end(() => new TypeError("over")) };
}

/** Applies a group. Returns whether it was refused. */
function commit(texts: Texts, group: Group): boolean {
  return applyGroup(texts, group).some((reply) => reply.startsWith("!"));
}

describe("drafts", () => {
  it("a random program over a draft does what it does on plain data", () => {
    fc.assert(
      fc.property(fc.array(json, { maxLength: 3 }), json, steps, (a, b, program) => {
        const value: Json = { a, b };
        const plain = bare(value) as Record<string, unknown>;
        const expected = execute(plain, program);
        const { seen, ops } = record(
          { key: value },
          (draft: { key: Record<string, unknown> }) => execute(draft.key, program),
        );
        assertEquals(seen, expected);
        const values: Record<string, Json> = { key: decode(JSON.stringify(value)) };
        for (const op of ops) applyJs(values, op);
        assertEquals(JSON.stringify(values.key), JSON.stringify(plain));
      }),
      fuzz(3),
    );
  });

  it("where the guards of a program hold after another one, it did what it would do after it", () => {
    let merged = 0;
    let conflicts = 0;
    fc.assert(
      fc.property(fc.array(json, { maxLength: 4 }), json, steps, steps, (a, b, first, second) => {
        const value: Json = { a, b, list: [1, { a: 1, b: [] }, 3] };
        const mine = linesFor(value, first.slice(0, 3));
        const theirs = linesFor(value, second.slice(0, 2));
        const run = (lines: readonly Line[]) =>
          record({ key: value }, (draft: { key: Record<string, unknown> }) => executeLines(draft.key, lines));
        const texts: Texts = new Map([["key", JSON.stringify(value)]]);
        const other = run(theirs);
        commit(texts, [...other.guards, ...other.ops]);
        const between = bare(decode(texts.get("key")!)) as Record<string, unknown>;
        const { seen, guards, ops } = run(mine);
        const refused = commit(texts, [...guards, ...ops]);
        if (refused) {
          conflicts++;
          return;
        }
        merged++;
        assertEquals(seen, executeLines(between, mine), "what it saw");
        assertEquals(JSON.stringify(decode(texts.get("key")!)), JSON.stringify(between), "what came of it");
      }),
      fuzz(10),
    );
    assert(merged > conflicts, `${merged} of ${merged + conflicts} went together`);
  });
});

/** What is read of a value by a recipe that also writes, so that it matters. */
function guardsOf(value: Json, recipe: (draft: Any) => unknown): string[] {
  const { guards } = record({ k: value }, recipe as (draft: never) => unknown);
  return guards.map((guard) =>
    [guard.kind, ...guard.path.slice(1), "value" in guard ? guard.value : ""].join(" ").trim()
  );
}

describe("drafts: what counts as a read", () => {
  const whole = (value: Json): string[] => [`test ${JSON.stringify(value)}`];

  it("a descriptor reveals that a member exists, its getter reads the value", () => {
    const value: Json = { a: 1, b: 2 };
    assertEquals(guardsOf(value, (d) => Object.getOwnPropertyDescriptor(d.k, "a")), ["exists a"]);
    assertEquals(guardsOf(value, (d) => Object.getOwnPropertyDescriptor(d.k, "a")?.get?.()), ["test a 1"]);
    assertEquals(guardsOf(value, (d) => Object.getOwnPropertyDescriptor(d.k, "c")), [
      "absent c",
      "type object",
    ]);
    assertEquals(guardsOf(value, (d) => Object.getOwnPropertyDescriptors(d.k)), ['keys ["a","b"]']);
    assertEquals(guardsOf(value, (d) => Object.getOwnPropertyDescriptors(d.k).a.get?.()), [
      "test a 1",
      'keys ["a","b"]',
    ]);
    assertEquals(
      guardsOf(value, (d) => Reflect.ownKeys(d.k).map((name) => Reflect.get(d.k, name))),
      whole(value),
    );
    const { seen } = record({ k: value }, (d: Any) => {
      const [name] = Reflect.ownKeys(d.k);
      return Reflect.getOwnPropertyDescriptor(d.k, name);
    });
    assert(!("value" in (seen as object)), "no value that nobody has read");
  });

  it("Object.keys, hasOwn and in read no values; spread, entries and inspection read all of them", () => {
    const value: Json = { a: 1, b: [2] };
    for (const names of [Object.keys, (k: object) => Object.keys(k).length]) {
      assertEquals(guardsOf(value, (d) => names(d.k)), ['keys ["a","b"]']);
    }
    assertEquals(guardsOf(value, (d) => Object.hasOwn(d.k, "a")), ["exists a"]);
    assertEquals(guardsOf([1], (d) => 0 in d.k), ["exists 0", "type array"]);
    assertEquals(guardsOf(value, (d) => JSON.stringify(d.k)), whole(value));
    assertEquals(guardsOf(value, (d) => Deno.inspect(d.k)), whole(value));
    assertEquals(guardsOf([1, 2], (d) => [...d.k]), whole([1, 2]));
    assertEquals(guardsOf({ a: 1 }, (d) => ({ ...d.k })), whole({ a: 1 }));
  });

  it("a sort reads what it compares, whatever becomes of the array", () => {
    const list = [3, 1, 2];
    const away: ((d: Any) => void)[] = [
      (d) => void (d.k.queue = []),
      (d) => delete d.k.queue,
      (d) => void (d.k = 0),
      (d) => d.k.queue.sort(),
    ];
    for (const move of away) {
      const guards = guardsOf({ queue: list }, (d) => {
        const { queue } = d.k;
        move(d);
        queue.sort();
        return queue[0];
      });
      assertEquals(guards, ["test queue [3,1,2]"]);
    }
  });

  it("a length that is written is read, unless it is 0", () => {
    assertEquals(guardsOf([1, 2, 3], (d) => d.k.length = 2), ["length 3"]);
    assertEquals(guardsOf([1, 2, 3], (d) => d.k.length = 0), []); // the op takes nothing but an array
    assertEquals(guardsOf([1], (d) => assertThrows(() => d.k.length = 2, RangeError, "no holes")), [
      "length 1",
    ]);
    assertEquals(guardsOf([1], (d) => assertThrows(() => d.k[2] = 2, RangeError, "no holes")), ["length 1"]);
    assertEquals(
      guardsOf({ list: [1] }, (d) => {
        const { list } = d.k;
        d.k.list = 0;
        list[1] = 2; // possible, since it has one element
      }),
      ["length list 1"],
    );
  });
});

describe("drafts: elements that are not where they were", () => {
  const cases: [string, (list: Any) => void][] = [
    ["fill and assign", (list) => (list.fill(list[0]), list[0] = 5)],
    ["fill and pop", (list) => (list.fill(list[0]), list.pop())],
    ["fill and shift", (list) => (list.fill(list[1]), list.shift())],
    ["copyWithin and assign", (list) => {
      const kept = list[0];
      list.copyWithin(0, 1);
      list[2] = kept;
      list[2] = 5;
    }],
    ["copyWithin and change", (list) => {
      const kept = list[2];
      list.copyWithin(0, 2);
      list.pop();
      kept.id = 9;
    }],
    ["a sort that inserts", (list) => {
      list.sort((a: { id: number }, b: { id: number }) => {
        if (list.length < 5) list.unshift({ id: 7 });
        return b.id - a.id;
      });
      list[0].id = 8;
    }],
    ["twice the same, and away", (list) => {
      list[1] = list[0];
      list[0] = 1;
      list[1].id = 4;
      list.pop();
    }],
  ];
  for (const [name, change] of cases) {
    it(`${name}: the edit ends, and the document is what the draft shows`, () => {
      const value: Json = { list: [{ id: 1 }, { id: 2 }, { id: 3 }] };
      let shown: unknown;
      const { ops, guards } = record({ k: value }, (draft: { k: { list: unknown[] } }) => {
        change(draft.k.list);
        shown = JSON.parse(JSON.stringify(draft.k));
      });
      const texts: Texts = new Map([["k", JSON.stringify(value)]]);
      assert(!commit(texts, [...guards, ...ops]));
      assertEquals(decode(texts.get("k")!), shown as Json);
    });

    it(`${name}: a live document ends, and shows what it writes`, () => {
      const value: Json = { list: [{ id: 1 }, { id: 2 }, { id: 3 }] };
      const session = new Session({ onChange: () => {} });
      const { draft } = draftFragment(session, Fragment.read(JSON.stringify(value), {}), ["k"]);
      change((draft as { list: unknown[] }).list);
      const texts: Texts = new Map([["k", JSON.stringify(value)]]);
      assert(!commit(texts, session.takeOps()));
      assertEquals(decode(texts.get("k")!), JSON.parse(JSON.stringify(draft)));
    });
  }
});

describe("drafts: members are data", () => {
  /** Gives objects the accessor that Node has, and Deno hides. */
  function withProto(work: () => void): void {
    const before = Object.getOwnPropertyDescriptor(Object.prototype, "__proto__");
    Object.defineProperty(Object.prototype, "__proto__", {
      get() {
        return Object.getPrototypeOf(this);
      },
      set(value) {
        Object.setPrototypeOf(this, value);
      },
      configurable: true,
    });
    try {
      work();
    } finally {
      if (before) Object.defineProperty(Object.prototype, "__proto__", before);
      else delete (Object.prototype as unknown as Record<string, unknown>)["__proto__"];
    }
  }
  const drafts = (value: Json): Any[] => {
    const fragment = (): Fragment => Fragment.read(JSON.stringify(value), {});
    return [
      (draftDictionary(new Session({}), new Map([["k", fragment()]])).draft as { k: unknown }).k,
      draftFragment(new Session({ onChange: () => {} }), fragment(), ["k"]).draft,
    ];
  };

  it("names of Object.prototype are no members, also where __proto__ is an accessor", () => {
    withProto(() => {
      for (const draft of drafts({ list: [], o: {} })) {
        for (const name of HOSTILE_NAMES) {
          for (const at of [draft, draft.o]) {
            assertStrictEquals(at[name], undefined, name);
            assert(!(name in at) && !Object.hasOwn(at, name), name);
          }
        }
        draft["__proto__"] ??= {};
        draft["__proto__"].points = 1;
        draft.o["__proto__"] = { polluted: 1 };
        assertEquals([draft["__proto__"].points, draft.o["__proto__"].polluted], [1, 1]);
        assertStrictEquals(({} as Record<string, unknown>).points, undefined);
        assertStrictEquals(({} as Record<string, unknown>).polluted, undefined);
        assertStrictEquals(Object.getPrototypeOf(draft), Object.prototype);
        assertEquals(
          JSON.stringify(draft),
          '{"list":[],"o":{"__proto__":{"polluted":1}},"__proto__":{"points":1}}',
        );
        assertStrictEquals(draft.list["__proto__"], undefined);
        assertThrows(() => void (draft.list["__proto__"] = 1), TypeError, "it is an array");
        assertThrows(() => draft.list["__proto__"].x, TypeError);
        assertStrictEquals(draft.list.constructor, Array);
        assert("map" in draft.list && !("valueOf" in draft.list) && !("__proto__" in draft.list));
      }
      const session = new Session({});
      const root = draftDictionary(session, new Map([["__proto__", undefined]])).draft as Record<
        string,
        unknown
      >;
      root["__proto__"] ??= {};
      (root["__proto__"] as Record<string, unknown>).points = 1;
      assertEquals(session.takeOps(), [{ kind: "set", path: ["__proto__"], value: '{"points":1}' }]);
      const plain = toPlain({ a: [root["__proto__"]], b: root["__proto__"] }, {}) as object;
      assertEquals(JSON.stringify(plain), '{"a":[{"points":1}],"b":{"points":1}}');
    });
  });

  it("a returned member named __proto__ is data, also where __proto__ is an accessor", () => {
    withProto(() => {
      const text = '{"__proto__":{"a":{"__proto__":{"polluted":12345678901234567890}}}}';
      for (const options of [{}, { bigints: true }]) {
        const session = new Session(options);
        const root = draftDictionary(session, new Map([["k", Fragment.read(text, options)]]));
        const { k } = root.draft as { k: unknown };
        const plain = toPlain({ ["__proto__"]: k, k }, {}) as Record<string, unknown>;
        assertEquals(Object.keys(plain), ["__proto__", "k"]);
        assert(Object.hasOwn(plain.k as object, "__proto__"));
        assertStrictEquals(Object.getPrototypeOf(plain.k), Object.prototype);
        assertStrictEquals(({} as Record<string, unknown>).polluted, undefined);
      }
    });
  });

  it("what a draft cannot be used for names what can", () => {
    for (const draft of drafts({ o: {}, list: [{}] })) {
      assertThrows(() => draft.hasOwnProperty, TypeError, "use Object.hasOwn(draft, name)");
      assertThrows(() => draft.list.hasOwnProperty, TypeError, "use Object.hasOwn(draft, name)");
      assertThrows(() => `${draft.o}`, TypeError, "use JSON.stringify");
      assertThrows(() => draft.o + 1, TypeError, 'Cannot make a string or a number of ["o"] of "k"');
      assertThrows(() => String(draft.list), TypeError, "use JSON.stringify");
      assertThrows(() => structuredClone(draft), DOMException);
    }
    assertStrictEquals(`${drafts({ list: [1, [2]] })[0].list}`, "1,2");
    assertStrictEquals(drafts({ hasOwnProperty: 1 })[0].hasOwnProperty, 1);
  });
});

describe("drafts: large ones", () => {
  const SIZE = 130_000; // more than the arguments that a call can have

  it("sort, reverse, fill, copyWithin, splice and length work on any number of elements", () => {
    const value: Json = Array.from({ length: SIZE }, (_, index) => (index * 7919) % SIZE);
    for (const isEdit of [true, false]) {
      const fragment = Fragment.read(JSON.stringify(value), {});
      const session = new Session(isEdit ? {} : { onChange: () => {} });
      const list = isEdit
        ? (draftDictionary(session, new Map([["k", fragment]])).draft as { k: number[] }).k
        : draftFragment(session, fragment, ["k"]).draft as number[];
      list.sort((a, b) => a - b);
      list.reverse();
      list.copyWithin(0, 1);
      list.fill(5, 10);
      list.length = SIZE - 1;
      Reflect.apply(list.splice, list, [1, 2, 8]);
      assertEquals([list.length, list[0], list[1], list[2], list[SIZE - 3]], [
        SIZE - 2,
        SIZE - 2,
        8,
        SIZE - 5,
        5,
      ]);
      session.takeOps();
    }
  });

  it("many changes take linear work: values that wait are not copied for each further one", () => {
    const work = (count: number): number => {
      const session = new Session({});
      const fragment = Fragment.read("[]", {});
      const list = (draftDictionary(session, new Map([["k", fragment]])).draft as { k: number[] }).k;
      const steps = stepsOf(() => {
        for (let index = 0; index < count; index++) list.push(index);
      });
      const [op] = session.takeOps();
      assert(op.kind === "push" && op.items.length === count);
      return steps;
    };
    work(10);
    assert(work(4000) < 3 * work(2000), "quadratic");
  });
});

/** How many elements are taken from arrays one by one meanwhile, as spread does. */
function stepsOf(work: () => void): number {
  const iterator = Object.getPrototypeOf([].values());
  const { next } = iterator;
  let steps = 0;
  iterator.next = function () {
    steps++;
    return next.call(this);
  };
  try {
    work();
  } finally {
    iterator.next = next;
  }
  return steps;
}

describe("drafts: what is written in the end", () => {
  const texts = (recipe: (draft: Any) => void): string => {
    const before: Texts = new Map([["k", '{"a":{},"list":[1,2]}']]);
    const { ops, guards } = record({ k: decode(before.get("k")!) }, recipe as (draft: never) => void);
    assert(!commit(before, [...guards, ...ops]));
    return before.get("k")!;
  };
  const cycle = (): Record<string, unknown> => {
    const value: Record<string, unknown> = {};
    value.self = value;
    return value;
  };

  it("a cycle that is gone in the end is no error", () => {
    assertStrictEquals(
      texts((d) => {
        d.k.a.self = d.k;
        d.k.list[0] = 5;
        d.k.a.self = 1;
      }),
      '{"a":{"self":1},"list":[5,2]}',
    );
    assertStrictEquals(
      texts((d) => {
        d.k.x = cycle();
        d.k.list.push(3);
        delete d.k.x;
      }),
      '{"a":{},"list":[1,2,3]}',
    );
    assertStrictEquals(
      texts((d) => {
        d.k.list.push(cycle());
        d.k.list.unshift(0);
        d.k.list.pop();
      }),
      '{"a":{},"list":[0,1,2]}',
    );
    assertStrictEquals(
      texts((d) => {
        d.k.list.push(d.k);
        d.k.list.reverse();
        d.k.a.b = 1;
        d.k.list = [];
      }),
      '{"a":{"b":1},"list":[]}',
    );
    assertStrictEquals(
      texts((d) => {
        const { k } = d;
        k.a.x = cycle();
        d.k = 0;
        k.a.x = 2;
        d.k = k;
      }),
      '{"a":{"x":2},"list":[1,2]}',
    );
  });

  it("a cycle that is there in the end is one", () => {
    for (
      const recipe of [
        (d: Any) => void (d.k.a.self = d.k),
        (d: Any) => void (d.k.x = cycle()),
        (d: Any) => void d.k.list.push(d.k),
        (d: Any) => {
          d.k.list.push(d.k);
          d.k.list.reverse();
        },
        (d: Any) => void (d.other = cycle()),
      ]
    ) {
      assertThrows(() => texts(recipe), TypeError, "contains itself");
    }
  });
});

describe("drafts: names that stand twice", () => {
  const text = '{"a":{"n":1},"b":1,"a":{"n":2},"c":3}';
  const open = () => {
    const session = new Session({});
    const root = draftDictionary(session, new Map([["k", Fragment.read(text, {})]]));
    return { session, guards: () => root.guards(), k: (root.draft as { k: Any }).k };
  };

  it("what is read of them is guarded by the object that they stand in", () => {
    const { k, guards } = open();
    assertStrictEquals(k.a.n, 2);
    assertEquals(guards(), [{ kind: "test", path: ["k"], value: text, by: "bytes" }]);
    const other = open();
    assertStrictEquals(other.k.c, 3);
    assertEquals(other.guards(), [{ kind: "test", path: ["k", "c"], value: "3", by: "bytes" }]);
  });

  it("what would change them is refused, for the server would change the other one", () => {
    for (
      const change of [
        (k: Any) => void (k.a = 1),
        (k: Any) => delete k.a,
        (k: Any) => void (k.a.n = 5),
        (k: Any) => delete k.a.n,
      ]
    ) {
      const { k, session } = open();
      assertThrows(
        () => change(k),
        TypeError,
        'Cannot change ["a"] of "k": the name stands twice in the text; set "k" as a whole to repair it',
      );
      k.b = 2;
      k.c = 4;
      assertEquals(session.takeOps().length, 2);
    }
  });
});
