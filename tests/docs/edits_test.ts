/** The table of docs/edits.md says what `explain` says. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { type Json, RedisJsonDict } from "../../mod.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

const PAGE = new URL("../../docs/edits.md", import.meta.url);
const GUARDS = ["absent", "exists", "keys", "length", "test", "type"];

describe("docs/edits.md", () => {
  it("docs/edits.md names the op of each row, and a guard where there is one", async () => {
    const page = await Deno.readTextFile(PAGE);
    const [, data] = /^With `d\.s` being\s`(\{.*\})`/m.exec(page)!;
    const [, table] = /\| in the recipe .*\n\| -.*\n((?:\|.*\n)+)/.exec(page)!;
    const lab = new RedisJsonDict(testClient(), { prefix: uniquePrefix("docs") });
    await lab.set("s", JSON.parse(data) as Json);
    const rows = table.trim().split("\n").map((row) =>
      row.split("|").slice(1, -1).map((cell) => cell.trim())
    );
    assert(rows.length > 20, "the table has lost its rows");
    for (const [code, guards, ops] of rows) {
      const [, recipe] = /^`(.*?)`/.exec(code)!;
      const sent = await lab.explain(new Function("d", recipe) as () => void);
      const kinds = sent.map(({ kind }) => kind as string);
      assertEquals(
        {
          recipe,
          ops: kinds.filter((kind) => !GUARDS.includes(kind)),
          isGuarded: kinds.some((kind) => GUARDS.includes(kind)),
        },
        { recipe, ops: [...ops.matchAll(/`(\w+)`/g)].map(([, kind]) => kind), isGuarded: guards !== "" },
      );
    }
    await lab.clear();
  });
});
