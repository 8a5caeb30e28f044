/**
 * What the types of paths allow and refuse. The compiler is the judge: `deno test` checks this file before it runs it,
 * and an unused `@ts-expect-error` is an error.
 */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import type { Json } from "../../src/data/json.ts";
import type { At, KeyOf, Path } from "../../src/data/path.ts";
import { readPath, type Selected, type Selection } from "../../src/data/selector.ts";

/** True only if the two types are the same, `any` and `readonly` included. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only for `true`. */
function same<_T extends true>(): void {}

interface Tags {
  owner: string;
  note?: string;
}

interface Lab {
  sample: { color: string; positions: number[]; tags?: Tags; pair: readonly [string, { x: number }] };
  scan_id: number;
  shape: { kind: "circle"; r: number } | { kind: "square"; side: number; r?: string };
  maybe: { deep: boolean } | null;
  grid: readonly (readonly number[])[];
  byName: Record<string, Tags>;
  byNumber: Record<number, string>;
  free: Json;
  // deno-lint-ignore no-explicit-any -- what users have
  loose: any;
  opaque: unknown;
}

/** As the front end has it: each segment checked against what the one before it leads to. */
declare function at2<K1 extends KeyOf<Lab>, K2 extends KeyOf<At<Lab, K1>>>(
  key: K1,
  name: K2,
): At<At<Lab, K1>, K2>;
declare function at3<
  K1 extends KeyOf<Lab>,
  K2 extends KeyOf<At<Lab, K1>>,
  K3 extends KeyOf<At<At<Lab, K1>, K2>>,
>(key: K1, name: K2, next: K3): At<At<At<Lab, K1>, K2>, K3>;
declare function select<V>(selector: (lab: Selection<Lab>) => Selected<V> | undefined): V;

/** Keeps code for the compiler to check; never runs it. */
function checkOnly(_code: () => unknown): void {}

describe("KeyOf", () => {
  it("KeyOf names the members of an object, methods left out", () => {
    same<Same<KeyOf<Tags>, "owner" | "note">>();
    same<Same<KeyOf<{ a: 1; f(): void; g: () => number }>, "a">>();
    same<Same<KeyOf<Date>, never>>();
    same<Same<KeyOf<{ [Symbol.iterator]: 1; a: 1; 2: 1 }>, "a" | 2>>();
    same<Same<KeyOf<{ readonly a: 1; b?: 2 }>, "a" | "b">>();
    same<Same<KeyOf<Record<never, never>>, never>>();
  });

  it("KeyOf gives number for arrays and tuples, and what an index signature says", () => {
    same<Same<KeyOf<number[]>, number>>();
    same<Same<KeyOf<readonly string[]>, number>>();
    same<Same<KeyOf<[1, 2]>, number>>();
    same<Same<KeyOf<readonly []>, number>>();
    same<Same<KeyOf<Record<string, 1>>, string | number>>();
    same<Same<KeyOf<Record<number, 1>>, number>>();
    same<Same<KeyOf<Record<"a" | "b", 1>>, "a" | "b">>();
  });

  it("KeyOf joins the members of a union and ignores scalars in it", () => {
    same<Same<KeyOf<Lab["shape"]>, "kind" | "r" | "side">>();
    same<Same<KeyOf<Lab["maybe"]>, "deep">>();
    same<Same<KeyOf<Tags | undefined | string>, "owner" | "note">>();
    same<Same<KeyOf<{ a: 1 } | 1[]>, "a" | number>>();
  });

  it("KeyOf gives never for scalars and functions", () => {
    same<Same<KeyOf<string | number | boolean | bigint | null | undefined | symbol>, never>>();
    same<Same<KeyOf<() => void>, never>>();
    same<Same<KeyOf<never>, never>>();
  });

  it("KeyOf gives any segment where the type says nothing", () => {
    same<Same<KeyOf<Lab["loose"]>, string | number>>();
    same<Same<KeyOf<unknown>, string | number>>();
    same<Same<KeyOf<Json>, string | number>>();
  });
});

describe("At", () => {
  it("At gives the type of a member without the undefined of an optional one", () => {
    same<Same<At<Lab, "scan_id">, number>>();
    same<Same<At<Tags, "note">, string>>();
    same<Same<At<{ a: string | undefined }, "a">, string>>();
    same<Same<At<{ a?: number | null }, "a">, number | null>>();
    same<Same<At<{ readonly a: 1 }, "a">, 1>>();
    same<Same<At<Record<string, Tags>, "any">, Tags>>();
    same<Same<At<Record<number, string>, 5>, string>>();
  });

  it("At gives the type of an element, also of a tuple by its place", () => {
    same<Same<At<number[], 0>, number>>();
    same<Same<At<number[], -1>, number>>();
    same<Same<At<readonly string[], number>, string>>();
    same<Same<At<[string, boolean], 0>, string>>();
    same<Same<At<readonly [string, boolean], 1>, boolean>>();
    same<Same<At<[string, boolean], number>, string | boolean>>();
    same<Same<At<[string, boolean], -1>, string | boolean>>();
    same<Same<At<[string, boolean], 7>, string | boolean>>();
    same<Same<At<[string, ...number[]], 0>, string>>();
  });

  it("At joins the parts of a union", () => {
    same<Same<At<Lab["shape"], "r">, number | string>>();
    same<Same<At<Lab["shape"], "kind">, "circle" | "square">>();
    same<Same<At<Lab["maybe"], "deep">, boolean>>();
    same<Same<At<Lab, "scan_id" | "maybe">, number | { deep: boolean } | null>>();
  });

  it("At gives never for what is not there", () => {
    same<Same<At<Lab, "nothing">, never>>();
    same<Same<At<number[], "length">, never>>();
    same<Same<At<string, "length">, never>>();
    same<Same<At<string, 0>, never>>();
    same<Same<At<null, "a">, never>>();
  });

  it("At keeps any, unknown and Json as they are, however deep", () => {
    same<Same<At<Lab["loose"], "a">, Lab["loose"]>>();
    same<Same<At<unknown, "a">, unknown>>();
    same<Same<At<At<At<At<Json, "a">, 0>, "b">, "c">, Json>>();
    // deno-lint-ignore no-explicit-any -- what is tested
    same<Same<At<{ a?: any }, "a">, any>>();
  });

  it("At and KeyOf type a front end by segments", () => {
    checkOnly(() => {
      same<Same<ReturnType<typeof at2<"sample", "color">>, string>>();
      const color: string = at2("sample", "color");
      const position: number = at3("sample", "positions", -1);
      const note: string = at3("sample", "tags", "note");
      const first: string = at3("sample", "pair", 0);
      const free: Json = at3("free", "a", 0);
      const named: string = at3("byName", "x", "owner");
      const cell: number = at3("grid", 0, 1);
      // @ts-expect-error: no such key
      at2("smaple", "color");
      // @ts-expect-error: no such member
      at2("sample", "colour");
      // @ts-expect-error: a number has no members
      at2("scan_id", "x");
      // @ts-expect-error: a string has no elements
      at3("sample", "color", 0);
      // @ts-expect-error: an array takes integers
      at3("sample", "positions", "0");
      // @ts-expect-error: an array has no methods here
      at3("sample", "positions", "length");
      // @ts-expect-error: positions are numbers
      const wrong: string = at3("sample", "positions", 0);
      return [color, position, note, first, free, named, cell, wrong];
    });
  });

  it("At and KeyOf take types that refer to themselves", () => {
    interface Tree {
      value: number;
      children: Tree[];
      parent?: Tree;
    }
    same<Same<At<At<At<Tree, "children">, 0>, "parent">, Tree>>();
    same<Same<KeyOf<At<At<Tree, "parent">, "children">>, number>>();
    type Nested = { [name: string]: Nested } | number;
    same<Same<At<At<Nested, "a">, "b">, Nested>>();
  });
});

describe("Selection", () => {
  it("Selection types what a selector may read, and what it names", () => {
    checkOnly(() => {
      same<Same<ReturnType<typeof select<number>>, number>>();
      const color: string = select((lab) => lab.sample.color);
      const positions: number[] = select((lab) => lab.sample.positions);
      const position: number = select((lab) => lab.sample.positions[-1]);
      const note: string = select((lab) => lab.sample.tags.note);
      const sameNote: string = select((lab) => lab.sample.tags?.note);
      const deep: boolean = select((lab) => lab.maybe.deep);
      const union: string | number = select((lab) => lab.shape.r);
      const named: Tags = select((lab) => lab.byName.anything);
      const byNumber: string = select((lab) => lab.byNumber[5]);
      const free: Json = select((lab) => lab.free.a[0].b);
      const opaque: unknown = select((lab) => lab.opaque.a.b);
      const x: number = select((lab) => lab.sample.pair[1].x);
      const destructured: string = select(({ sample: { color } }) => color);
      const whole: Lab["sample"] = select((lab) => lab.sample);
      return [
        ...[color, positions, position, note, sameNote, deep, union, named, byNumber, free, opaque, x],
        ...[destructured, whole],
      ];
    });
  });

  it("Selection refuses what a selector cannot do", () => {
    checkOnly(() => {
      // @ts-expect-error: no such key
      select((lab) => lab.smaple);
      // @ts-expect-error: no such member
      select((lab) => lab.sample.colour);
      // @ts-expect-error: no methods
      select((lab) => lab.sample.positions.at(-1));
      // @ts-expect-error: no length
      select((lab) => lab.sample.positions.length);
      // @ts-expect-error: no methods of a string
      select((lab) => lab.sample.color.toUpperCase());
      // @ts-expect-error: no arithmetic
      select((lab) => lab.scan_id * 2);
      // @ts-expect-error: no assignment
      select((lab) => lab.scan_id = 1);
      // @ts-expect-error: no iteration
      select((lab) => [...lab.sample.positions]);
      // @ts-expect-error: not a place
      select(() => 5);
      // @ts-expect-error: not a place
      select((lab) => ({ a: lab.sample }));
      // @ts-expect-error: not asynchronous
      select(async (lab) => await lab.sample);
      // @ts-expect-error: positions are numbers
      const wrong: string = select((lab) => lab.sample.positions[0]);
      return wrong;
    });
  });
});

describe("Json", () => {
  it("Json takes what JSON holds and refuses the rest", () => {
    const value: Json = { a: [1, "b", null, true, { c: [] }] };
    checkOnly(() => {
      // @ts-expect-error: undefined is not JSON
      const nothing: Json = undefined;
      // @ts-expect-error: a function is not JSON
      const call: Json = () => 1;
      // @ts-expect-error: a Map is not JSON
      const map: Json = new Map();
      // @ts-expect-error: a bigint is not JSON
      const big: Json = 1n;
      return [nothing, call, map, big];
    });
    assertEquals(value, { a: [1, "b", null, true, { c: [] }] });
  });
});

describe("Path", () => {
  it("Path is read-only, for the compiler as at run time", () => {
    const path: Path = readPath(["a", 1]);
    checkOnly(() => {
      // @ts-expect-error: read-only
      path[0] = "b";
      // @ts-expect-error: read-only
      path.push("b");
    });
    assertEquals(path, ["a", 1]);
  });
});
