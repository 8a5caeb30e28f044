import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { joinFindings } from "../../tools/luacheck.ts";

describe("joinFindings()", () => {
  const finding = (file: string, code: string) => ({ file, line: 1, column: "2", code, text: "x" });
  const files = new Set(["lib/a.lua"]);

  it("joinFindings() drops what one script leaves unused and another uses", () => {
    const checked = [{ files, findings: [finding("lib/a.lua", "W211")] }, { files, findings: [] }];
    assertEquals(joinFindings(checked), []);
  });

  it("joinFindings() keeps what no script uses, once", () => {
    const findings = [finding("lib/a.lua", "W211")];
    const others = { files: new Set<string>(), findings: [] };
    assertEquals(joinFindings([{ files, findings }, { files, findings }, others]), [
      "lua/lib/a.lua:1:2: (W211) x",
    ]);
  });

  it("joinFindings() keeps every other finding, also of one script alone", () => {
    const checked = [{ files, findings: [finding("lib/a.lua", "W113")] }, { files, findings: [] }];
    assertEquals(joinFindings(checked), ["lua/lib/a.lua:1:2: (W113) x"]);
  });
});
