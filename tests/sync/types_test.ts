/** The types of `./sync`: compiled, not run. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { type BlockingDict, type BlockingRef, connect, dictionary, toPlain } from "../../sync.ts";
import { Editor } from "../support/language_service.ts";

interface Sample {
  color: string;
  positions: number[];
  tags?: readonly string[];
  deep?: { list: { n: number }[] };
}

interface Lab {
  sample: Sample;
  scan_id: number;
  maybe?: boolean;
}

/** Whether two types are the same. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;

function isTrue<_T extends true>(): void {}

// deno-lint-ignore no-unused-vars -- compiled only
function program(): void {
  using lab = connect<Lab>("redis://localhost:6379", { prefix: "types:" });
  lab.sample = { color: "red", positions: [1] };
  lab.sample.positions.push(2);
  lab.sample.deep = { list: [{ n: 1 }] };
  delete lab.sample.tags;
  delete lab.maybe;
  const whole: Lab = lab;
  const plain = toPlain(lab.sample);
  const copy: Sample = plain;
  // @ts-expect-error: a number
  lab.scan_id = "1";
  // @ts-expect-error: it must be there
  delete lab.sample;
  // @ts-expect-error: no such key
  lab.nothing = 1;
  // @ts-expect-error: readonly, as the type says
  lab.sample.tags?.push("x");
  // @ts-expect-error: JSON holds no Date
  connect<{ at: Date }>("redis://localhost:6379", { prefix: "types:" });
  // @ts-expect-error: the prefix must be said
  connect("redis://localhost:6379", {});
  // @ts-expect-error: bigints are an option
  connect<{ n: bigint }>("redis://localhost:6379", { prefix: "types:" });
  // @ts-expect-error: not what connect returns
  dictionary(whole).size();

  const dict = dictionary(lab);
  isTrue<Same<typeof dict, BlockingDict<Lab>>>();
  const sample: Sample | undefined = dict.get("sample");
  const id: number = dict.at("scan_id").increment();
  const length: number = dict.at("sample", "positions").push(1);
  const n: number | undefined = dict.at((it) => it.sample.deep!.list[0].n).get();
  const edited: number = dict.edit((draft) => draft.sample.positions.push(1));
  const read: [number | undefined, string | undefined] = dict.readMany([
    dict.at("scan_id"),
    dict.at("sample", "color"),
  ]);
  const place: BlockingRef<Sample> = dict.at("sample").parents();
  // @ts-expect-error: a string does not count
  dict.at("sample", "color").increment();
  // @ts-expect-error: a recipe is synchronous
  dict.edit(async (draft) => void (draft.scan_id = await Promise.resolve(1)));
  // @ts-expect-error: no such member
  dict.at("sample", "size");

  const free = connect("redis://localhost:6379", { prefix: "types:" });
  free.anything = { at: ["all"] };
  free.anything.at.push(1);
  void [copy, sample, id, length, n, edited, read, place];
}

describe("The types of ./sync", () => {
  it("an editor shows the interfaces of the user", () => {
    const editor = new Editor();
    editor.open(`
      import { connect } from "./sync.ts";
      interface Sample { color: "red" | "blue"; list: number[]; deep?: Sample }
      interface Lab { sample: Sample; id: number }
      const lab = connect<Lab>("redis://localhost:6379", { prefix: "types:" });
      const { sample } = lab;
      const { deep } = sample;
      lab.sample.color = "blue";
      const free = connect("redis://localhost:6379", { prefix: "types:" });
      const { anything } = free;
    `);
    const shown = (name: string) => editor.hover(name).replace(/^.*?: /, "");
    assertEquals(editor.errors(), []);
    assertEquals(shown("lab ="), "Facade<Lab>");
    assertEquals(shown("sample } = lab"), "Draft<Sample>");
    assertEquals(shown("deep } ="), "Draft<Sample> | undefined");
    assertEquals(shown("anything } ="), "any");
    editor.close();
  });
});
