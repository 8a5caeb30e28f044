/**
 * What the types of dictionaries and refs allow and refuse. The compiler is the judge: `deno test` checks this file
 * before it runs it, and an unused `@ts-expect-error` is an error.
 */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import type { Entry, Key } from "../../src/api/core.ts";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { Json } from "../../src/data/json.ts";
import type { Frozen, FrozenJson } from "../../src/data/frozen.ts";
import type { At, Segment } from "../../src/data/path.ts";
import type { Draft } from "../../src/draft/draft.ts";
import type { Following } from "../../src/api/follow.ts";
import type { RedisClient } from "../../src/run/client.ts";
import type { Ref } from "../../src/api/ref.ts";

/** True only if the two types are the same, `any` and `readonly` included. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only for `true`. */
function same<_T extends true>(): void {}

/** Keeps code for the compiler to check; never runs it. */
let checked = 0;
function checkOnly(_code: () => unknown): void {
  checked++;
}

/** The type that the value of a ref is read as. */
type Of<R extends { getOrThrow(): Promise<unknown> }> = Awaited<ReturnType<R["getOrThrow"]>>;

interface Tags {
  owner: string;
  note?: string;
}

interface Lab {
  sample: { color: "red" | "blue"; positions: number[]; tags?: Tags; pair: readonly [string, { x: number }] };
  scan_id: number;
  big: bigint;
  done: boolean;
  shape: { kind: "circle"; r: number } | { kind: "square"; side: number };
  maybe: { deep: boolean } | null;
  mixed: number | string[];
  grid: readonly (readonly number[])[];
  byName: Record<string, Tags>;
  free: Json;
  // deno-lint-ignore no-explicit-any -- what users have
  loose: any;
  opaque: unknown;
}

interface Deeper {
  a: { b: { c: { d: { e: { f: { g: number[] } } } } } };
}

declare const lab: RedisJsonDict<Lab>;
declare const deeper: RedisJsonDict<Deeper>;
declare const open: RedisJsonDict<Record<string, Json>>;
declare const plain: RedisJsonDict;
// deno-lint-ignore no-explicit-any -- what users have
declare const loose: RedisJsonDict<any>;
declare const client: RedisClient;
declare const brand: unique symbol;

describe("RedisJsonDict types", () => {
  it("RedisJsonDict.at() types paths of any depth, and takes those in a variable", () => {
    checkOnly(() => {
      const deep = deeper.at("a", "b", "c", "d", "e", "f", "g", 0);
      same<Same<Of<typeof deep>, number>>();
      const inside = deeper.at("a").at("b", "c", "d", "e", "f", "g");
      same<Same<Of<typeof inside>, number[]>>();
      // @ts-expect-error there is no such member
      deeper.at("a", "b", "c", "d", "e", "x");
      // @ts-expect-error there is no such member
      deeper.at("a", "b", "c", "d", "e", "f", "x");
      // @ts-expect-error there is no such member
      deeper.at("a").at("b", "c", "d", "x");
      const path: readonly Segment[] = ["a", "b"];
      const any = deeper.at(...path);
      same<Same<Of<typeof any>, unknown>>();
      any.push(1);
      any.increment(1);
      const below = deeper.at("a", ...path);
      same<Same<Of<typeof below>, unknown>>();
      const counted = ["a", "b"] as const;
      const known = deeper.at(...counted);
      same<Same<Of<typeof known>, Deeper["a"]["b"]>>();
    });
  });

  it("RedisJsonDict.readMany() types each value by its ref", () => {
    checkOnly(async () => {
      const values = await lab.readMany([lab.at("scan_id"), lab.at("sample", "color")]);
      same<Same<typeof values, [number | undefined, "red" | "blue" | undefined]>>();
      const numbers = await lab.readMany([1, 2].map((index) => lab.at("sample", "positions", index)));
      same<Same<typeof numbers, (number | undefined)[]>>();
    });
  });

  it("RedisJsonDict.update() types pairs", () => {
    checkOnly(async () => {
      await lab.update([["scan_id", 1], ["done", true]] as const);
      const pairs: readonly (readonly ["scan_id", number])[] = [];
      await lab.update(pairs);
      // @ts-expect-error a scan_id is no string
      await lab.update([["scan_id", "x"]] as const);
    });
  });

  it("RedisJsonDict types each value by its key", () => {
    checkOnly(async () => {
      const id = await lab.get("scan_id");
      same<Same<typeof id, number | undefined>>();
      const color = (await lab.getOrThrow("sample")).color;
      same<Same<typeof color, "red" | "blue">>();
      const many = await lab.getMany(["scan_id", "done"]);
      same<Same<typeof many, Map<"scan_id" | "done", number | boolean>>>();
      const popped = await lab.pop("done");
      same<Same<typeof popped, boolean | undefined>>();
      await lab.set("scan_id", 1, { ttl: 5 });
      await lab.update({ scan_id: 1, done: true });
      await lab.update([["scan_id", 1], ["done", true]]);
      for await (const key of lab.keys()) same<Same<typeof key, Key<Lab>>>();
      for await (const entry of lab) same<Same<typeof entry, Entry<Lab>>>();
      const all = await lab.toObject();
      same<Same<typeof all.scan_id, number | undefined>>();
    });
  });

  it("RedisJsonDict refuses wrong keys and values", () => {
    checkOnly(async () => {
      // @ts-expect-error: no such key
      await lab.get("scan");
      // @ts-expect-error: no such key
      await lab.delete("");
      // @ts-expect-error: a key is a string
      await lab.has(5);
      // @ts-expect-error: not a number
      await lab.set("scan_id", "1");
      // @ts-expect-error: not of the type
      await lab.set("sample", { color: "red" });
      // @ts-expect-error: undefined is no value
      await lab.set("scan_id", undefined);
      // @ts-expect-error: not a number
      await lab.update({ scan_id: "1" });
      // @ts-expect-error: no such key
      await lab.update({ scan: 1 });
      // @ts-expect-error: key and value do not fit
      await lab.update([["scan_id", true]]);
      // @ts-expect-error: no such option
      await lab.set("scan_id", 1, { ex: 5 });
      // @ts-expect-error: no such key
      await lab.getMany(["scan"]);
      // @ts-expect-error: not a number
      await lab.getOrInsert("scan_id", null);
    });
  });

  it("RedisJsonDict of Record<string, Json>, which is the default, takes any key and any JSON", () => {
    same<Same<typeof plain, typeof open>>();
    checkOnly(async () => {
      const value = await open.get("anything");
      same<Same<typeof value, Json | undefined>>();
      await open.set("a", { b: [1, null, "c"] });
      await open.update({ a: 1, b: [true] });
      await open.at("a", "b", 0).set(1);
      await open.at("a", "b").push(1, "two");
      await open.at("a").at("b", "c", "d").increment();
      await open.at((it) => it.a.b[0]).set({});
      // @ts-expect-error: undefined is not JSON
      await open.set("a", undefined);
      // @ts-expect-error: a function is not JSON
      await open.set("a", () => 1);
      // @ts-expect-error: a Date is not JSON
      await open.at("a").set(new Date());
    });
  });

  it("RedisJsonDict of any takes and gives any", () => {
    checkOnly(async () => {
      const value: string = await loose.get("a");
      const deep: number = await loose.at("a", "b", 0, "c").getOrThrow();
      await loose.set("a", value);
      await loose.at("a", "b").set(deep);
      await loose.at("a").increment();
      await loose.at("a").push(1, "b");
      await loose.at("a").toggle();
      await loose.at("a").append("b");
      await loose.at("a").keys();
      await loose.update({ a: 1 });
      for await (const [key, item] of loose) await loose.set(key, item);
    });
  });
});

describe("RedisJsonDict types of what is JSON", () => {
  it("RedisJsonDict takes whatever types JSON can hold", () => {
    interface Tree {
      value: number;
      children: Tree[];
      parent?: Tree | null;
    }
    type Nested = Nested[] | number;
    enum Color {
      Red = "red",
    }
    enum Level {
      Low,
      High,
    }
    type Id = string & { readonly __brand: "Id" };
    type Point = { x: number } & { readonly [brand]: { Point: void } };
    interface Fits {
      readonly tree: Tree;
      nested: Nested;
      either: Tree | readonly string[] | string | null;
      color: Color;
      level: Level;
      id: Id;
      point: Point;
      byId: Record<Id, Point>;
      byNumber: { [index: number]: Tree };
      pair: readonly [name: string, tree?: Tree, ...rest: number[]];
      maybe: string | undefined;
      grid: readonly (readonly number[])[];
      object: object;
      opaque: unknown;
      // deno-lint-ignore no-explicit-any -- what users have
      loose: any[];
      json: Json;
      when: `${number}-${number}`;
    }
    type Alias = { [K in keyof Fits]?: Fits[K] };
    checkOnly(() => [
      new RedisJsonDict<Fits>(client, { prefix: "" }),
      new RedisJsonDict<Alias>(client, { prefix: "" }),
      new RedisJsonDict<Record<string, Fits>>(client, { prefix: "" }),
      new RedisJsonDict<Record<string, unknown>>(client, { prefix: "" }),
      // deno-lint-ignore no-explicit-any -- what users have
      new RedisJsonDict<Record<string, any>>(client, { prefix: "" }),
      RedisJsonDict.connect<Fits>("", { prefix: "" }) satisfies RedisJsonDict<Fits>,
    ]);
  });

  it("RedisJsonDict refuses types that JSON cannot hold", () => {
    checkOnly(() => {
      interface Deep {
        list: { date: Date }[];
        next?: Deep;
      }
      // @ts-expect-error: a Date
      new RedisJsonDict<{ a: Date }>(client, { prefix: "" });
      // @ts-expect-error: a Date, deep inside a type that refers to itself
      RedisJsonDict.connect<Deep>("", { prefix: "" });
      // @ts-expect-error: values that are dates
      RedisJsonDict.connect<Record<string, Date>>("", { prefix: "" });
      // @ts-expect-error: a Map
      RedisJsonDict.connect<{ a: Map<string, number> }>("", { prefix: "" });
      // @ts-expect-error: a Set, or null
      RedisJsonDict.connect<{ a: ReadonlySet<string> | null }>("", { prefix: "" });
      // @ts-expect-error: a function
      RedisJsonDict.connect<{ a: { f?(): void } }>("", { prefix: "" });
      // @ts-expect-error: a class
      RedisJsonDict.connect<{ a: typeof Date }>("", { prefix: "" });
      // @ts-expect-error: a symbol
      RedisJsonDict.connect<{ a: symbol | string }>("", { prefix: "" });
      // @ts-expect-error: bytes, in a tuple
      RedisJsonDict.connect<{ a: [number, Uint8Array] }>("", { prefix: "" });
      // @ts-expect-error: a promise
      RedisJsonDict.connect<{ a: Promise<string> }>("", { prefix: "" });
      // @ts-expect-error: read as what toJSON returns
      RedisJsonDict.connect<{ a: { x: number; toJSON(): string } }>("", { prefix: "" });
    });
  });

  it("RedisJsonDict takes bigints with the option bigints only", () => {
    checkOnly(() => {
      RedisJsonDict.connect<{ a: bigint[] }>("", { prefix: "", bigints: true });
      new RedisJsonDict<{ a?: number | bigint }>(client, { prefix: "", bigints: true });
      // @ts-expect-error: a bigint without the option
      RedisJsonDict.connect<{ a: bigint[] }>("", { prefix: "" });
      // @ts-expect-error: a bigint without the option
      new RedisJsonDict<{ a?: number | bigint }>(client, { prefix: "", bigints: false });
      // @ts-expect-error: a Date for all that
      RedisJsonDict.connect<{ a: bigint; b: Date }>("", { prefix: "", bigints: true });
    });
  });

  it("RedisJsonDict can be wrapped in generic code", () => {
    function read<T extends object, K extends Key<T>>(dict: RedisJsonDict<T>, key: K) {
      return dict.get(key);
    }
    function change<T extends object, R>(dict: RedisJsonDict<T>, recipe: (draft: Draft<T>) => R): Promise<R> {
      return dict.edit(recipe);
    }
    function boxed<V>(dict: RedisJsonDict<Record<string, { value: V }>>): Promise<{ value: V } | undefined> {
      return dict.get("a");
    }
    class Repository<T extends object> {
      readonly dict = new RedisJsonDict<T>(client, { prefix: "" });
      readonly other = RedisJsonDict.connect<T>("", { prefix: "" });
      set<K extends Key<T>>(key: K, value: At<T, K>): Promise<void> {
        return this.dict.set(key, value);
      }
      at<K extends Key<T>>(key: K): Ref<At<T, K>> {
        return this.other.at(key);
      }
    }
    class Collection<V extends object> {
      readonly dict = RedisJsonDict.connect<Record<string, V>>("", { prefix: "" });
      set(key: string, value: V): Promise<void> {
        return this.dict.set(key, value);
      }
      get(key: string): Promise<V | undefined> {
        return this.dict.get(key);
      }
    }
    checkOnly(async () => {
      const id = await read(lab, "scan_id");
      same<Same<typeof id, number | undefined>>();
      const done: boolean = await change(lab, (draft) => draft.done);
      await boxed(RedisJsonDict.connect<Record<string, { value: number }>>("", { prefix: "" }));
      await new Repository<{ a: number }>().set("a", 1);
      await new Repository<{ a: number }>().at("a").increment();
      const tags: Tags | undefined = await new Collection<Tags>().get("a");
      return [done, tags];
    });
  });
});

describe("Recipe types", () => {
  it("recipes are synchronous", () => {
    checkOnly(async () => {
      // @ts-expect-error: asynchronous
      await lab.edit(async (draft) => void (draft.scan_id = await 1));
      // @ts-expect-error: asynchronous
      await lab.explain(async (draft) => void (draft.scan_id = await 1));
      // @ts-expect-error: asynchronous
      await lab.at("sample").edit(async (sample) => void (sample.color = await "red"));
      // @ts-expect-error: asynchronous
      await lab.at("sample").explain(async (sample) => void (sample.color = await "red"));
      // @ts-expect-error: a promise in some cases
      await lab.edit((draft) => draft.done ? Promise.resolve(1) : undefined);
      const nothing = await lab.edit((draft) => {
        draft.done = true;
      });
      same<Same<typeof nothing, void>>();
      const any = await loose.edit((draft) => draft.x);
      // deno-lint-ignore no-explicit-any -- it is about any
      same<Same<typeof any, any>>();
      const opaque = await lab.edit((draft) => draft.opaque);
      same<Same<typeof opaque, unknown>>();
      const never = await lab.edit(() => {
        throw new Error();
      });
      same<Same<typeof never, never>>();
      const either = await lab.edit((draft) => draft.done ? "a" : 1);
      same<Same<typeof either, "a" | 1>>();
    });
  });
});

describe("Ref types", () => {
  it("Ref has the type of the value at the path, by segments and by a selector", () => {
    checkOnly(() => {
      const color = lab.at("sample", "color");
      same<Same<Of<typeof color>, "red" | "blue">>();
      const position = lab.at("sample", "positions", -1);
      same<Same<Of<typeof position>, number>>();
      const bySelector = lab.at((it) => it.sample.positions);
      same<Same<Of<typeof bySelector>, number[]>>();
      const element = lab.at((it) => it.sample.positions[0]);
      same<Same<Of<typeof element>, number>>();
      const optional = lab.at("sample", "tags", "note");
      same<Same<Of<typeof optional>, string>>();
      const optionalBySelector = lab.at((it) => it.sample.tags.note);
      same<Same<Of<typeof optionalBySelector>, string>>();
      const inTuple = lab.at("sample", "pair", 1, "x");
      same<Same<Of<typeof inTuple>, number>>();
      const inUnion = lab.at("shape", "side");
      same<Same<Of<typeof inUnion>, number>>();
      const kind = lab.at("shape", "kind");
      same<Same<Of<typeof kind>, "circle" | "square">>();
      const behindNull = lab.at("maybe", "deep");
      same<Same<Of<typeof behindNull>, boolean>>();
      const cell = lab.at("grid", 0, 1);
      same<Same<Of<typeof cell>, number>>();
      const named = lab.at("byName", "any name", "owner");
      same<Same<Of<typeof named>, string>>();
      const deeper = lab.at("sample").at("positions").at(0);
      same<Same<Of<typeof deeper>, number>>();
      const inside = lab.at("sample").at((it) => it.tags.owner);
      same<Same<Of<typeof inside>, string>>();
      const kept = lab.at("sample", "positions").parents();
      same<Same<typeof kept, Ref<number[]>>>();
      const free = lab.at("free", "a", 0);
      same<Same<Of<typeof free>, Json>>();
      const opaque = lab.at("opaque", "a", 0);
      same<Same<Of<typeof opaque>, unknown>>();
      const any = lab.at("loose", "a", 0);
      // deno-lint-ignore no-explicit-any -- it is about any
      same<Same<Of<typeof any>, any>>();
    });
  });

  it("Ref refuses wrong paths", () => {
    checkOnly(() => {
      // @ts-expect-error: no such key
      lab.at("scan");
      // @ts-expect-error: no such member
      lab.at("sample", "colour");
      // @ts-expect-error: no such member
      lab.at((it) => it.sample.colour);
      // @ts-expect-error: an array has indexes
      lab.at("sample", "positions", "0");
      // @ts-expect-error: a method is no member
      lab.at("sample", "positions", "length");
      // @ts-expect-error: a method is no member
      lab.at((it) => it.sample.positions.length);
      // @ts-expect-error: a scalar has no members
      lab.at("scan_id", "x");
      // @ts-expect-error: a scalar has no members
      lab.at((it) => it.scan_id.toFixed);
      // @ts-expect-error: no part of the union has it
      lab.at("shape", "radius");
      // @ts-expect-error: nothing to select
      lab.at(() => 5);
      // @ts-expect-error: at least a key
      lab.at();
      // @ts-expect-error: no such member
      lab.at("sample").at("colour");
      // @ts-expect-error: no such member
      lab.at("sample").at((it) => it.colour);
    });
  });

  it("Ref takes values of its type only", () => {
    checkOnly(async () => {
      await lab.at("sample", "color").set("blue");
      // @ts-expect-error: not one of the colours
      await lab.at("sample", "color").set("green");
      // @ts-expect-error: not a number
      await lab.at("sample", "positions", 0).set("1");
      // @ts-expect-error: not a number
      await lab.at("sample", "positions").push("1");
      // @ts-expect-error: not a number
      await lab.at("sample", "positions").splice(0, 1, "1");
      // @ts-expect-error: not a number
      await lab.at("scan_id").compareAndSet(1, "2");
      // @ts-expect-error: not a number
      await lab.at("scan_id").getOrInsert(true);
      // @ts-expect-error: no such option
      await lab.at("scan_id").set(1, { parent: true });
      await lab.at("scan_id").compareAndSet(undefined, 2);
      await lab.at("big").increment(1n);
      // @ts-expect-error: a bigint is incremented by a bigint
      await lab.at("big").increment(1);
      // @ts-expect-error: a number is incremented by a number
      await lab.at("scan_id").increment(1n);
    });
  });

  it("Ref has the methods that fit the type", () => {
    checkOnly(async () => {
      const count: number = await lab.at("scan_id").increment();
      const flag: boolean = await lab.at("done").toggle();
      const length: number = await lab.at("sample", "tags", "owner").append("x");
      const last: number | undefined = await lab.at("sample", "positions").pop();
      const removed: number[] = await lab.at("sample", "positions").splice(count, length);
      const names: string[] | undefined = await lab.at("byName").keys();
      const size: number | undefined = await lab.at("byName").length();
      await lab.at("mixed").increment();
      await lab.at("mixed").push("a");
      await lab.at("maybe").keys();
      await lab.at("free").toggle();
      await lab.at("opaque").push(1);
      await lab.at("grid").push([1]);
      return [flag, last, removed, names, size];
    });
  });

  it("Ref has no methods that do not fit the type", () => {
    checkOnly(async () => {
      // @ts-expect-error: not a number
      await lab.at("sample", "color").increment();
      // @ts-expect-error: not a boolean
      await lab.at("scan_id").toggle();
      // @ts-expect-error: not a string
      await lab.at("scan_id").append("x");
      // @ts-expect-error: not an array
      await lab.at("sample").push(1);
      // @ts-expect-error: not an array
      await lab.at("sample", "color").pop();
      // @ts-expect-error: an array has no names
      await lab.at("sample", "positions").keys();
      // @ts-expect-error: a number has no length
      await lab.at("scan_id").length();
      // @ts-expect-error: no part is a boolean
      await lab.at("mixed").toggle();
      // @ts-expect-error: neither part is a number
      await lab.at("shape").increment();
    });
  });
});

describe("Draft types", () => {
  it("drafts have the types of the values, readonly and all", () => {
    checkOnly(async () => {
      const result = await lab.edit((draft) => {
        draft.sample.color = "red";
        draft.sample.positions.push(1);
        draft.sample.positions.sort((a, b) => a - b);
        draft.sample.tags ??= { owner: "x" };
        draft.scan_id += 1;
        draft.byName.x = { owner: "y" };
        draft.free.anything.goes = 1;
        draft.loose.too = 1;
        // @ts-expect-error the color has two values
        draft.sample.color = "green";
        // @ts-expect-error no such member
        draft.sample.colour = "red";
        // @ts-expect-error an array of numbers
        draft.sample.positions.push("1");
        // @ts-expect-error readonly
        draft.sample.pair[0] = "x";
        // @ts-expect-error readonly
        draft.grid.push([1]);
        // @ts-expect-error no such key
        draft.nothing = 1;
        return { id: draft.scan_id, first: draft.sample.positions[0] };
      });
      same<Same<typeof result, { id: number; first: number }>>();
      await open.edit((draft) => draft.any.path.at.all = 1);
      await plain.edit((draft) => draft.x.y++);
      await loose.edit((draft) => draft.x.y++);
      await lab.at("sample").edit((sample) => sample.color = "blue");
      await lab.at("sample", "positions").edit((positions) => positions.reverse());
      // @ts-expect-error a number has no edit
      await lab.at("scan_id").edit(() => {});
      const live = await lab.at("sample").live();
      live.color = "red";
      // @ts-expect-error the color has two values
      live.color = "green";
      await live[Symbol.asyncDispose]();
    });
  });

  it("live documents that follow are typed as get is: there may be nothing", () => {
    checkOnly(async () => {
      const sample = await lab.at("sample").live({ follow: true });
      same<Same<typeof sample, Following<Lab["sample"]>>>();
      same<Same<typeof sample.document, Draft<Lab["sample"]> | undefined>>();
      same<Same<ReturnType<typeof sample.snapshot>, Frozen<Lab["sample"]> | undefined>>();
      sample.document!.color = "blue";
      // @ts-expect-error the color has two values
      sample.document!.color = "green";
      // @ts-expect-error there may be none
      sample.document.color = "red";
      // @ts-expect-error it is frozen
      sample.snapshot()!.positions.push(1);
      // @ts-expect-error it is frozen
      sample.snapshot()!.color = "red";
      sample.snapshot()!.positions.map((position) => position + 1);
      const stop: () => void = sample.subscribe(() => {});
      stop();
      // @ts-expect-error a listener gets nothing
      sample.subscribe((value: number) => value);
      await sample.settled();
      await sample[Symbol.asyncDispose]();
      const maybe = await lab.at("maybe").live({ follow: true });
      same<Same<typeof maybe.document, Draft<{ deep: boolean }> | undefined>>();
      same<Same<ReturnType<typeof maybe.snapshot>, { readonly deep: boolean } | null | undefined>>();
      const mixed = await lab.at("mixed").live({ follow: true });
      same<Same<ReturnType<typeof mixed.snapshot>, number | readonly string[] | undefined>>();
      const shape = (await lab.at("shape").live({ follow: true })).snapshot();
      if (shape?.kind === "circle") same<Same<typeof shape.r, number>>();
      const free = await open.at("x").live({ follow: true });
      same<Same<ReturnType<typeof free.snapshot>, FrozenJson | undefined>>();
      if (!Array.isArray(free.document)) free.document!.x = { y: 1 };
      const loose = (await lab.at("loose").live({ follow: true })).document;
      loose.x.y = 1;
      const opaque = (await lab.at("opaque").live({ follow: true })).snapshot();
      same<Same<typeof opaque, unknown>>();
      const plainOne = await lab.at("sample").live({ follow: false, timeout: 5 });
      plainOne.color = "red";
      // @ts-expect-error a number has no live document
      await lab.at("scan_id").live({ follow: true });
      // @ts-expect-error no such option
      await lab.at("sample").live({ follow: true, attempts: 1 });
      // @ts-expect-error it is true or false
      await lab.at("sample").live({ follow: 1 });
    });
  });

  it("patches have the types of the values, each part optional or null", () => {
    checkOnly(async () => {
      await lab.merge("sample", { color: "red", tags: { note: null } });
      await lab.at("sample").merge({ tags: null });
      await lab.patch("sample", [{ op: "add", path: "/x", value: 1 }, {
        op: "move",
        from: "/x",
        path: "/y",
      }]);
      await plain.merge("x", { any: { thing: 1 } });
      // @ts-expect-error the color has two values
      await lab.merge("sample", { color: "green" });
      // @ts-expect-error an add has a value
      await lab.patch("sample", [{ op: "add", path: "/x" }]);
      // @ts-expect-error a move has a from
      await lab.patch("sample", [{ op: "move", path: "/x" }]);
    });
  });

  it("watches have the types of the values", () => {
    checkOnly(async () => {
      for await (const value of lab.at("sample", "color").watch()) {
        same<Same<typeof value, "red" | "blue" | undefined>>();
      }
      for await (const { key, value } of lab.watch()) {
        if (key === "scan_id") same<Same<typeof value, number | undefined>>();
        // @ts-expect-error no such key
        if (key === "nothing") break;
      }
      for await (const change of lab.watch({ initial: true })) {
        if (change.key === undefined) same<Same<typeof change.value, undefined>>();
        else if (change.key === "scan_id") same<Same<typeof change.value, number | undefined>>();
      }
      const id = await lab.at("scan_id").until((id) => id !== undefined && id > 5);
      same<Same<typeof id, number | undefined>>();
      const red = await lab.at("sample", "color").until((color): color is "red" => color === "red");
      same<Same<typeof red, "red">>();
      // @ts-expect-error a predicate tells at once
      await lab.at("scan_id").until(() => Promise.resolve(true));
      // @ts-expect-error no such option
      lab.at("scan_id").watch({ initial: true });
    });
  });

  it("Ref types are looked at by the compiler alone", () => {
    assertEquals(checked, 21);
  });
});
