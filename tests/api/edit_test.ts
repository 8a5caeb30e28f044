/** Edits through a real Redis: the bytes that they leave, what they do in a race, and what they refuse. */
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  ConflictError,
  CorruptValueError,
  KeyNotFoundError,
  PathNotFoundError,
  RedisJsonDict,
  TypeMismatchError,
  WrongTypeError,
} from "../../mod.ts";
import type { Draft } from "../../mod.ts";
import { unreadable } from "../../src/api/edit.ts";
import { decode } from "../../src/data/decoder.ts";
import type { Json } from "../../src/data/json.ts";
import { fuzz } from "../support/fuzz.ts";
import { bare, execute, executeLines, json, linesFor, steps } from "../support/programs.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

interface Lab {
  sample: {
    color: string;
    positions: number[];
    tags?: Record<string, string>;
    runs: { id: number; ok?: boolean }[];
  };
  scan_id: number;
  note?: string;
}

const client = testClient();
const rival = testClient();

/** A dictionary with one sample, and another one on the same keys that somebody else might use. */
async function newLab() {
  const prefix = uniquePrefix("edit");
  const lab = new RedisJsonDict<Lab>(client, { prefix });
  const other = new RedisJsonDict<Lab>(rival, { prefix });
  await client.set(
    `${prefix}sample`,
    '{"color": "red",\n "positions": [1, 2.0], "runs":[{"id":1},{"id": 2}]}',
    "PX",
    100_000,
  );
  await client.set(`${prefix}scan_id`, "41");
  const text = (key: string): Promise<string | null> => client.get(prefix + key);
  return { prefix, lab, other, text };
}

/** How many commands the server has run for these clients meanwhile, by name. */
async function commandsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const read = async (): Promise<Map<string, number>> =>
    new Map(
      String(await client.info("commandstats")).split("\n")
        .flatMap((line) => /^cmdstat_(\w+):calls=(\d+)/.exec(line)?.slice(1, 3) as [string, string] ?? [])
        .reduce<[string, number][]>((pairs, word, index, words) => {
          if (index % 2 === 0) pairs.push([word, Number(words[index + 1])]);
          return pairs;
        }, []),
    );
  const before = await read();
  await work();
  const after = await read();
  return Object.fromEntries(
    [...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)] as const)
      .filter(([name, calls]) => calls > 0 && ["evalsha", "eval", "mget"].includes(name)),
  );
}

describe("RedisJsonDict.edit()", () => {
  it("edit() changes what it names and no other byte, and keeps the expiry", async () => {
    const { lab, text } = await newLab();
    const id = await lab.edit((draft) => {
      draft.sample.color = "blue";
      draft.sample.positions.push(3);
      draft.sample.runs[1].ok = true;
      return ++draft.scan_id;
    });
    assertStrictEquals(id, 42);
    assertStrictEquals(
      await text("sample"),
      '{"color": "blue",\n "positions": [1, 2.0,3], "runs":[{"id":1},{"id": 2,"ok":true}]}',
    );
    assertStrictEquals(await text("scan_id"), "42");
    assert((await lab.ttl("sample"))! <= 100_000);
  });

  it("edit() discards everything if the recipe throws", async () => {
    const { lab, text } = await newLab();
    const before = await text("sample");
    await assertRejects(
      () =>
        lab.edit((draft) => {
          draft.sample.color = "blue";
          delete draft.note;
          draft.scan_id = 0;
          throw new RangeError("enough");
        }),
      RangeError,
      "enough",
    );
    assertEquals([await text("sample"), await text("scan_id")], [before, "41"]);
  });

  it("edit() creates and removes keys, and leaves what was not there alone", async () => {
    const { lab, text } = await newLab();
    await lab.edit((draft) => {
      assertStrictEquals(draft.note, undefined);
      draft.note = "new";
      assertStrictEquals(draft.note, "new");
      delete (draft as Partial<Lab>).scan_id;
      assertStrictEquals("scan_id" in draft, false);
      assertStrictEquals("sample" in draft, true);
    });
    assertEquals([await text("note"), await text("scan_id")], ['"new"', null]);
  });

  it("edit() moves a part as it is spelled, and places a new object twice", async () => {
    const { lab, prefix, text } = await newLab();
    await client.set(
      `${prefix}sample`,
      '{"a": {"n": 1.0, "big": 12345678901234567890}, "list": [3.0, 1e2, 2]}',
    );
    // deno-lint-ignore no-explicit-any -- another shape than Lab
    await lab.edit((draft: any) => {
      draft.moved = draft.sample.a;
      delete draft.sample.a;
      draft.moved.n2 = 5;
      draft.sample.list.sort((a: number, b: number) => a - b);
      const twice = { id: 1 };
      draft.sample.x = twice;
      draft.sample.y = twice;
      twice.id = 2;
      draft.sample.y.id++;
    });
    assertStrictEquals(await text("moved"), '{"n":1.0,"big":12345678901234567890,"n2":5}');
    assertStrictEquals(await text("sample"), '{"list": [2,3.0,1e2],"x":{"id":3},"y":{"id":3}}');
  });

  it("edit() returns plain data", async () => {
    const { lab } = await newLab();
    const { all, first, same } = await lab.edit((draft) => ({
      all: draft.sample,
      first: [draft.sample.runs[0]],
      same: draft.sample.runs[0] === draft.sample.runs[0],
    }));
    assertEquals(all, { color: "red", positions: [1, 2], runs: [{ id: 1 }, { id: 2 }] });
    assertEquals(first, [{ id: 1 }]);
    assertStrictEquals(same, true);
    all.color = "no draft any more";
  });

  it("edit() costs two round trips, one where nothing is written, and one where nothing is read", async () => {
    const { lab } = await newLab();
    await lab.edit((draft) => draft.sample.positions.push(1)); // the script is known from here on
    assertEquals(await commandsOf(() => lab.edit((draft) => draft.sample.positions.push(1))), {
      mget: 1,
      evalsha: 1,
    });
    assertEquals(await commandsOf(() => lab.edit((draft) => draft.sample.color)), { mget: 1 });
    assertEquals(await commandsOf(() => lab.edit((draft) => void (draft.scan_id = 1))), { evalsha: 1 });
    const both = (draft: Draft<Lab>) => void (draft.scan_id += draft.sample.positions.length);
    assertEquals(await commandsOf(() => lab.edit(both)), { mget: 2, evalsha: 1 });
    assertEquals(await commandsOf(() => lab.edit(both, { keys: ["sample", "scan_id"] })), {
      mget: 1,
      evalsha: 1,
    });
  });

  it("edit() runs again on the fresh values that the failed call has brought", async () => {
    const { lab, prefix } = await newLab();
    let runs = 0;
    const seen: number[] = [];
    const commands = await commandsOf(async () => {
      await lab.edit((draft) => {
        seen.push(draft.scan_id);
        runs++;
        // On the same connection as the commit, so it is there first.
        if (runs === 1) client.set(`${prefix}scan_id`, "100");
        draft.scan_id++;
      });
    });
    assertEquals([runs, seen], [2, [41, 100]]);
    assertEquals(commands, { mget: 1, evalsha: 2 });
    assertStrictEquals(await lab.get("scan_id"), 101);
  });

  it("edits of different parts of one value run once", async () => {
    const { lab, other } = await newLab();
    let runs = 0;
    const edits = Array.from({ length: 40 }, (_, index) => {
      const dict = index % 2 === 0 ? lab : other;
      return dict.edit((draft) => {
        runs++;
        if (index % 4 === 0) draft.sample.positions.push(index);
        else if (index % 4 === 1) draft.sample.color = String(index);
        else if (index % 4 === 2) draft.sample.runs[0].ok = true;
        else draft.scan_id = index;
      });
    });
    await Promise.all(edits);
    const touchesOneKeyFirst = 40 - 10; // the others learn first which key they read
    assertStrictEquals(runs, 40 + touchesOneKeyFirst);
    const positions = (await lab.getOrThrow("sample")).positions.slice(2).sort((a, b) => a - b);
    assertEquals(positions, [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]);
  });

  it("edits of the same number lose nothing", async () => {
    const { lab, other, text } = await newLab();
    await Promise.all(
      Array.from(
        { length: 60 },
        (_, index) => (index % 2 ? lab : other).edit((draft) => void (draft.scan_id += 1)),
      ),
    );
    assertStrictEquals(await text("scan_id"), "101");
  });

  it("edit() gives up after so many attempts and names what others changed", async () => {
    const { lab, prefix, text } = await newLab();
    let runs = 0;
    const error = await assertRejects(
      () =>
        lab.edit((draft) => {
          draft.sample.positions[0]++;
          client.set(`${prefix}sample`, JSON.stringify({ color: "red", positions: [10 + ++runs], runs: [] }));
        }, { attempts: 3, keys: ["sample"] }),
      ConflictError,
    );
    assertEquals([error.code, error.key, error.attempts, error.paths], [
      "CONFLICT",
      "sample",
      3,
      [["sample", "positions", 0]],
    ]);
    assertStrictEquals(
      error.message,
      'Cannot edit at ["positions"][0] of "sample": others changed ["positions"][0] of "sample" each of the 3 times ' +
        "that the recipe ran; read less, or allow more attempts or time",
    );
    assertStrictEquals(runs, 3);
    assertStrictEquals(await text("sample"), '{"color":"red","positions":[13],"runs":[]}');
  });

  it("edit() refuses an async recipe, and what JSON cannot hold, by its path", async () => {
    const { lab, text } = await newLab();
    const before = await text("sample");
    const refused = async (recipe: (draft: Draft<Lab>) => unknown, message: string): Promise<void> => {
      const error = await assertRejects(() => lab.edit(recipe));
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
      assert(error.message.includes(message), error.message);
      assertStrictEquals(await text("sample"), before);
    };
    // deno-lint-ignore require-await -- that is what is refused
    await refused(async (draft) => void (draft.scan_id = 1), "must be synchronous");
    await refused((draft) => ({ then: () => draft.scan_id }), "must be synchronous");
    await refused(
      (draft) => void (draft.sample.positions[1] = NaN),
      'Cannot write ["positions"][1] of "sample": NaN',
    );
    await refused(
      (draft) => draft.sample.positions.push(1, Infinity),
      'Cannot write ["positions"][3] of "sample": Infinity',
    );
    await refused(
      (draft) => void (draft.sample.color = undefined as unknown as string),
      "undefined is not JSON",
    );
    await refused(
      (draft) => void (draft.sample.tags = { a: 1n as unknown as string }),
      'Cannot write ["tags"]["a"]',
    );
    await refused((draft) => void (draft.sample.positions[5] = 1), "no holes");
    await refused((draft) => void (draft.sample.positions.length = 9), "no holes");
    await refused((draft) => delete draft.sample.positions[0], "use splice(0, 1)");
    await refused((draft) => Object.keys(draft), "use keys() before it");
    await refused((draft) => Object.freeze(draft.sample), "Cannot freeze");
    await refused((draft) => Object.setPrototypeOf(draft.sample, null), "Cannot change the prototype");
    await refused(
      (draft) => Object.defineProperty(draft.sample, "color", { get: () => "x" }),
      "only plain members",
    );
    await refused((draft) => Object.assign(draft.sample, { self: draft.sample }), "contains itself");
    await refused((draft) => void ((draft as Record<string, unknown>).copy = draft), "the dictionary itself");
    await refused((draft) => Object.assign(draft.sample, { [Symbol.iterator]: 1 }), "a symbol is not JSON");
    await refused(
      (draft) => void ((draft.sample.positions as unknown as { x: number }).x = 1),
      "it is an array",
    );
    await refused((draft) => draft["\ud800" as "note"], "lone surrogate");
  });

  it("edit() refuses an async recipe once, whenever it fails, and no promise of it is left alone", async () => {
    const { lab, text } = await newLab();
    const before = await text("sample");
    const unhandled: unknown[] = [];
    const listen = (event: PromiseRejectionEvent): void => {
      event.preventDefault();
      unhandled.push(event.reason);
    };
    globalThis.addEventListener("unhandledrejection", listen);
    try {
      const recipes: ((draft: Draft<Lab>) => unknown)[] = [
        // deno-lint-ignore require-await -- it reads in its first part, which is enough
        async (draft) => void (draft.scan_id += 1),
        async (draft) => {
          const { color } = draft.sample;
          await Promise.resolve();
          draft.sample.color = color;
        },
        async (draft) => {
          await Promise.resolve();
          draft.scan_id = 1;
        },
        async () => {
          await Promise.resolve();
          throw new Error("its own");
        },
        (draft) => ["scan_id", "note"].map(async (key) => await draft[key as "note"]),
        (draft) => ({ inner: { of: (async () => await draft.scan_id)() } }),
        (draft) => new Map([[1, (async () => await draft.scan_id)()]]),
        (draft) => {
          try {
            return draft.scan_id;
          } catch { // what stops it at a key that was not read
            return Promise.reject(new Error("its own"));
          }
        },
        (draft) => ({ then: (settle: (id: number) => void) => settle(draft.scan_id) }),
      ];
      for (const recipe of recipes) {
        const error = await assertRejects(() => lab.edit(recipe), TypeError);
        assert(error.message.startsWith("Cannot edit: the recipe returned a promise"), error.message);
      }
      await new Promise((resolve) => setTimeout(resolve));
      await new Promise((resolve) => setTimeout(resolve));
    } finally {
      globalThis.removeEventListener("unhandledrejection", listen);
    }
    assertEquals(unhandled, []);
    assertStrictEquals(await text("sample"), before);
    assertStrictEquals(await text("scan_id"), "41");
  });

  it("what a recipe returns is plain data, or is refused by name", async () => {
    const { lab } = await newLab();
    class Box {
      constructor(readonly inner: unknown) {}
    }
    const refused: [(draft: Draft<Lab>) => unknown, string][] = [
      [(draft) => new Map([["a", draft.sample]]), "inside a Map"],
      [(draft) => [new Set([draft.sample.runs[0]])], "inside a Set"],
      [(draft) => new Box(draft.sample), "inside a Box"],
      [(draft) => ({ box: new Box([{ deep: draft.sample.positions }]) }), "inside a Box"],
      [(draft) => new Map([[draft.sample, 1]]), "inside a Map"],
      [(draft) => Object.assign(new Date(0), { of: draft.sample }), "inside a Date"],
      [(draft) => Object.assign(new Error("x"), { of: draft.sample }), "inside an Error"],
      [(draft) => Object.create({}, { x: { value: draft.sample, enumerable: true } }), "inside an Object"],
    ];
    for (const [recipe, message] of refused) {
      const error = await assertRejects(() => lab.edit(recipe), TypeError);
      assert(error.message.includes(`Cannot return a draft ${message}`), error.message);
      assert(error.message.endsWith("return a plain object or an array"), error.message);
    }
    const symbol = Symbol("x");
    const kept = new Box([1]);
    const seen = await lab.edit((draft) => ({
      sample: draft.sample,
      again: draft.sample,
      list: [draft.sample.runs, [draft.scan_id]],
      get late() {
        return draft.sample.color;
      },
      [symbol]: draft.sample.positions,
      kept,
      map: new Map([["n", draft.scan_id]]),
    }));
    const sample = { color: "red", positions: [1, 2], runs: [{ id: 1 }, { id: 2 }] };
    assertEquals([seen.sample, seen.again, seen.list], [sample, sample, [sample.runs, [41]]]);
    assertEquals([seen.late, seen[symbol], seen.map.get("n")], ["red", [1, 2], 41]);
    assertStrictEquals(seen.sample, seen.again); // one object, as in plain code
    assertStrictEquals(seen.kept, kept);
    const own = { n: 1 };
    assertStrictEquals(await lab.edit((draft) => (draft.scan_id++, own)), own); // nothing to copy
  });

  it("what runs while the result is written changes nothing any more, and misses nothing", async () => {
    const { lab, text } = await newLab();
    await assertRejects(
      () =>
        lab.edit((draft) => {
          Object.assign(draft.sample, { tags: { toJSON: () => ({ n: String(++draft.scan_id) }) } });
        }, { keys: ["scan_id"] }),
      TypeError,
      "its recipe is over",
    );
    await lab.edit((draft) => {
      const toJSON = (): unknown => {
        try {
          return { n: String(draft.scan_id) };
        } catch {
          return { n: "caught" }; // the key was not read yet
        }
      };
      Object.assign(draft.sample, { tags: { toJSON } });
    });
    assert((await text("sample"))!.includes('"tags":{"n":"41"}'), (await text("sample"))!);
  });

  it("edit() reads a name that stands twice as JSON.parse does, and writes beside it", async () => {
    const prefix = uniquePrefix("edit");
    const dict = new RedisJsonDict(client, { prefix });
    await client.set(`${prefix}k`, '{"a":1,"b":0,"a":{"n":2}}');
    await dict.edit((draft) => void (draft.k.b = draft.k.a.n), { attempts: 1 });
    assertStrictEquals(await client.get(`${prefix}k`), '{"a":1,"b":2,"a":{"n":2}}');
    await assertRejects(
      () => dict.edit((draft) => void (draft.k.a.n = 3)),
      TypeError,
      'Cannot change ["a"] of "k": the name stands twice',
    );
    await dict.edit((draft) => void (draft.k = { ...draft.k, b: 3 }), { attempts: 1 });
    assertStrictEquals(await client.get(`${prefix}k`), '{"a":{"n":2},"b":3}');
  });

  it("unreadable() distinguishes an unchanged text from a changed one", () => {
    const error = unreadable(["k"], '{"a":"\ufffd"}', '{"a":"\ufffd"}');
    assert(error instanceof CorruptValueError);
    assertStrictEquals((error.cause as Error).message, "it holds bytes that are not UTF-8");
    assertStrictEquals(unreadable(["k"], '{"a":"\ufffd"}', '{"a":"\ufffd","b":1}'), undefined);
    assertStrictEquals(unreadable(["k"], '{"a":1}', '{"a":1}'), undefined);
  });

  it("a draft is of no use when its edit is over", async () => {
    const { lab } = await newLab();
    let kept: Draft<Lab>["sample"];
    await lab.edit((draft) => void (kept = draft.sample));
    for (
      const use of [
        () => kept.color,
        () => void (kept.color = "x"),
        () => kept.positions,
        () => "color" in kept,
        () => Object.keys(kept),
        () => delete kept.tags,
        () => JSON.stringify(kept),
      ]
    ) {
      const error = await assertRejects(() => Promise.resolve().then((): unknown => use()), TypeError);
      assert(error.message.startsWith("Cannot use the draft: its edit is over"), error.message);
    }
    await assertRejects(() => lab.edit((draft) => void (draft.sample = kept)), TypeError, "its edit is over");
  });

  it("edit() reports what is wrong in Redis", async () => {
    const { lab, prefix } = await newLab();
    await client.set(`${prefix}sample`, '{"color":');
    await assertRejects(() => lab.edit((draft) => void (draft.sample.color = "x")), CorruptValueError);
    await client.del(`${prefix}sample`);
    await client.rpush(`${prefix}sample`, "x");
    await assertRejects(() => lab.edit((draft) => void (draft.sample.color = "x")), WrongTypeError);
    await assertRejects(
      () => lab.edit((draft) => void (draft.sample = { color: "", positions: [], runs: [] })),
      WrongTypeError,
    );
    await client.del(`${prefix}sample`);
    await assertRejects(() => lab.edit((draft) => void (draft.sample.color = "x")), TypeError); // of undefined
    await assertRejects(() => lab.edit(() => {}, { attempts: 0 }), RangeError, "attempts is 0");
  });

  it("names that mean something to JavaScript are ordinary names", async () => {
    const prefix = uniquePrefix("edit");
    const dict = new RedisJsonDict(client, { prefix });
    await client.set(`${prefix}__proto__`, '{"__proto__":{"constructor":1},"then":2}');
    const seen = await dict.edit((draft) => {
      const value = draft["__proto__"];
      value["__proto__"].toString = "x";
      value.hasOwnProperty = [];
      draft.then = Object.keys(value);
      return [
        value.then,
        value["__proto__"].constructor,
        "valueOf" in value,
        value.valueOf,
        draft["toString"],
      ];
    });
    assertEquals(seen, [2, 1, false, undefined, undefined]);
    assertStrictEquals(
      await client.get(`${prefix}__proto__`),
      '{"__proto__":{"constructor":1,"toString":"x"},"then":2,"hasOwnProperty":[]}',
    );
    assertStrictEquals(await client.get(`${prefix}then`), '["__proto__","then","hasOwnProperty"]');
    assertStrictEquals(({} as Record<string, unknown>).constructor, Object);
  });

  it("explain() returns what would be sent, and sends nothing", async () => {
    const { lab, text } = await newLab();
    const before = await text("sample");
    assertEquals(await lab.explain((draft) => draft.sample.positions.push(3)), [
      { kind: "push", path: ["sample", "positions"], items: ["3"] },
    ]);
    assertEquals(await lab.explain((draft) => void (draft.scan_id += 1)), [
      { kind: "test", path: ["scan_id"], value: "41", by: "bytes" },
      { kind: "set", path: ["scan_id"], value: "42" },
    ]);
    assertEquals(await lab.explain((draft) => void (draft.scan_id = Object.keys(draft.sample).length)), [
      { kind: "keys", path: ["sample"], value: '["color","positions","runs"]' },
      { kind: "set", path: ["scan_id"], value: "3" },
    ]);
    assertEquals(await lab.explain((draft) => void (draft.scan_id = draft.sample.runs.length)), [
      { kind: "length", path: ["sample", "runs"], value: 2 },
      { kind: "set", path: ["scan_id"], value: "2" },
    ]);
    assertEquals(await lab.explain((draft) => draft.sample.color), []);
    assertStrictEquals(await text("sample"), before);
  });

  it("many reads below one container become one guard, a long one by its SHA-1", async () => {
    const prefix = uniquePrefix("edit");
    const dict = new RedisJsonDict<{ list: { id: number; name: string }[]; n: number }>(client, { prefix });
    await dict.set("list", Array.from({ length: 100 }, (_, id) => ({ id, name: "x" })));
    const ops = await dict.explain((draft) =>
      void (draft.n = draft.list.reduce((sum, { id }) => sum + id, 0))
    );
    assertEquals(ops.map(({ kind, path }) => [kind, path]), [["test", ["list"]], ["set", ["n"]]]);
    assert(ops[0].kind === "test" && ops[0].by === "sha1" && /^[0-9a-f]{40}$/.test(ops[0].value));
    await dict.edit((draft) => void (draft.n = draft.list.reduce((sum, { id }) => sum + id, 0)));
    assertStrictEquals(await dict.get("n"), 4950);
  });
});

describe("Ref.edit()", () => {
  it("edit() of a ref reads and changes only the fragment", async () => {
    const { lab, text } = await newLab();
    const top = await lab.at("sample", "positions").edit((positions) => {
      positions.reverse();
      return positions[0];
    });
    assertStrictEquals(top, 2);
    assertStrictEquals(
      await text("sample"),
      '{"color": "red",\n "positions": [2.0,1], "runs":[{"id":1},{"id": 2}]}',
    );
    assertEquals(await lab.at("sample").explain((sample) => void (sample.runs[0].ok = true)), [
      { kind: "type", path: ["sample", "runs"], value: "array" },
      { kind: "set", path: ["sample", "runs", 0, "ok"], value: "true" },
    ]);
  });

  it("edit() of a ref reports what is missing or is no container", async () => {
    const { lab, prefix } = await newLab();
    await assertRejects(() => lab.at("sample", "tags").edit(() => {}), PathNotFoundError);
    await client.del(`${prefix}sample`);
    await assertRejects(() => lab.at("sample").edit(() => {}), KeyNotFoundError);
    await client.set(`${prefix}sample`, "5");
    const error = await assertRejects(() => lab.at("sample").edit(() => {}), TypeMismatchError);
    assertEquals([error.found, error.expected], ["number", ["object", "array"]]);
  });

  it("edit() of a ref notices that the value has gone", async () => {
    const { lab, prefix } = await newLab();
    await assertRejects(
      () =>
        lab.at("sample", "runs").edit((runs) => {
          client.set(`${prefix}sample`, '{"color":"gone"}');
          runs[0].id++;
        }),
      PathNotFoundError,
    );
    assertStrictEquals(await client.get(`${prefix}sample`), '{"color":"gone"}');
  });
});

describe("edit() and chance", () => {
  const url = uniquePrefix("edit");
  const one = new RedisJsonDict<Record<string, Json>>(client, { prefix: url });
  const two = new RedisJsonDict<Record<string, Json>>(rival, { prefix: url });

  it("a random program over a draft does to Redis what it does to plain data", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(json, { maxLength: 3 }), json, steps, async (a, b, program) => {
        const value: Json = { a, b };
        await client.set(`${url}key`, JSON.stringify(value, null, 1));
        const plain = bare(value) as Record<string, unknown>;
        const expected = execute(plain, program);
        assertEquals(await one.edit((draft) => execute(draft.key, program)), expected);
        assertEquals(JSON.stringify(decode((await client.get(`${url}key`))!)), JSON.stringify(plain));
      }),
      fuzz(),
    );
  });

  it("two edits at once come out as one after the other, over one key and several", async () => {
    await fc.assert(
      fc.asyncProperty(json, json, steps, steps, async (a, b, first, second) => {
        const value: Json = { x: { a, list: [1, [2], 3] }, y: { b, list: [] } };
        const programs = [linesFor(value, first.slice(0, 4)), linesFor(value, second.slice(0, 4))];
        const texts = Object.entries(value).flatMap(([key, part]) => [url + key, JSON.stringify(part)]);
        await client.mset(...texts);
        const keys = ["x", "y"];
        // The dictionary itself is no object whose keys could be listed, so the values are put into one.
        const both = (draft: Record<string, unknown>) => ({ x: draft.x, y: draft.y });
        const seen = await Promise.all([
          one.edit((draft) => executeLines(both(draft), programs[0].filter(({ path }) => path.length > 0)), {
            keys,
          }),
          two.edit((draft) => executeLines(both(draft), programs[1].filter(({ path }) => path.length > 0)), {
            keys,
          }),
        ]);
        const [x, y] = (await client.mget(`${url}x`, `${url}y`)).map((text) => decode(text!));
        const outcome = JSON.stringify({ x, y, seen });
        const serial = [[0, 1], [1, 0]].map((order) => {
          const plain = bare(value) as Record<string, unknown>;
          const log: string[][] = [];
          for (const which of order) {
            log[which] = executeLines({ ...plain }, programs[which].filter(({ path }) => path.length > 0));
          }
          return JSON.stringify({ x: plain.x, y: plain.y, seen: log });
        });
        assert(serial.includes(outcome), `${outcome}\nis neither\n${serial.join("\nnor\n")}`);
      }),
      fuzz(),
    );
  });
});
