/** The facade on a cluster. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals, assertThrows } from "@std/assert";
import { connect, CrossSlotError, dictionary, toPlain } from "../../sync.ts";
import { TestCluster } from "../support/cluster.ts";

const cluster = await TestCluster.start();
Deno.test.afterAll(() => cluster[Symbol.asyncDispose]());

describe("connect() of ./sync on a cluster", () => {
  it("connect() takes the addresses of nodes, and every statement goes to the node of its key", () => {
    using lab = connect(cluster.urls.slice(0, 1), { prefix: "sync:" });
    const keys = ["a", "b", "c", "d", "{x}1", "{x}2", "{}e", "f{", ""];
    const dict = dictionary(lab);
    for (const key of keys) lab[key] = { list: [key] };
    for (const key of keys) lab[key].list.push(1);
    assertEquals(Object.keys(lab).sort(), [...keys].sort());
    const all = Object.fromEntries(keys.map((key) => [key, { list: [key, 1] }]));
    assertEquals<unknown>(toPlain(lab), all);
    assertEquals<unknown>(toPlain({ ...lab }), all);
    dict.edit((draft) => draft["{x}1"].list.push(...draft["{x}2"].list));
    assertEquals(toPlain(lab["{x}1"].list), ["{x}1", 1, "{x}2", 1]);
    const error = assertThrows(
      () => dict.edit((draft) => draft.a.list.push(draft.b.list[0])),
      CrossSlotError,
    );
    assertEquals(error.keys, ["a", "b"]);
    dict.update({ a: 1, b: 2, c: 3 });
    assertEquals([...dict.getMany(["a", "b", "nothing", "c"]).values()], [1, 2, 3]);
    assertEquals(dict.clear(), keys.length);
  });
});
