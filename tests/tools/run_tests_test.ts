import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { countTests } from "../../tools/run_tests.ts";

describe("countTests()", () => {
  const passed = (name: string) => `<testcase name="${name}" time="0"></testcase>\n`;
  const failed = (name: string) => `<testcase name="${name}"><failure message="x">x\n</failure></testcase>\n`;

  it("countTests() counts tests, not the suites around them", () => {
    assertEquals(countTests(passed("A") + passed("A &gt; one") + passed("A &gt; two") + passed("B")), {
      passed: 3,
      failed: 0,
      ignored: 0,
    });
  });

  it("countTests() counts a failed test once, and a suite that failed by itself", () => {
    const report = failed("A") + failed("A &gt; one") + passed("A &gt; two") + failed("B") +
      passed("B &gt; one");
    assertEquals(countTests(report), { passed: 2, failed: 2, ignored: 0 });
  });

  it("countTests() distinguishes ignored tests from passed ones", () => {
    const report = passed("A") + `<testcase name="A &gt; one"><skipped/></testcase>`;
    assertEquals(countTests(report), { passed: 0, failed: 0, ignored: 1 });
  });
});
