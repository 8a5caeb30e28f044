/** The help, and the page that is made of it. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createProgram } from "../../src/cli/program.ts";
import { EXIT_CODES } from "../../src/cli/failure.ts";
import { cliDocs } from "../../tools/build_cli_docs.ts";
import { runHere, TestTerminal } from "../support/test_terminal.ts";

const ROOT = new URL("../../", import.meta.url);
const verbs = createProgram(new TestTerminal({})).commands.map((command) => command.name());

describe("json-dict help", () => {
  it("docs/cli.md is what the help says", async () => {
    assertEquals(await Deno.readTextFile(new URL("docs/cli.md", ROOT)), cliDocs());
  });

  for (const verb of verbs) {
    it(`${verb} has a help with an example that is a command of it`, async () => {
      for (const args of [[verb, "--help"], ["help", verb]]) {
        const { code, out, err } = await runHere(new TestTerminal({}), ...args);
        assertEquals([code, err], [0, ""]);
        assertMatch(out, new RegExp(`^Usage: json-dict ${verb}`));
        assertMatch(out, new RegExp(`\\nExamples?:\\n  .*json-dict ${verb}\\b`));
      }
      assert((await Deno.readTextFile(new URL("docs/cli.md", ROOT))).includes(`\n## ${verb}\n`));
    });
  }

  it("wrong arguments name the help to read, but where another verb is proposed", async () => {
    const runs: readonly (readonly [readonly string[], RegExp])[] = [
      [["backup"], /^json-dict: unknown command 'backup'; see json-dict help\n$/],
      [["lss"], /^json-dict: unknown command 'lss' \(Did you mean ls\?\)\n$/],
      [["set", "a", "b", "1"], /got 3; see json-dict help set\n$/],
      [["get"], /; see json-dict help get\n$/],
    ];
    for (const [args, line] of runs) {
      const { code, err } = await runHere(new TestTerminal({}), ...args);
      assertEquals(code, 2);
      assertMatch(err, line);
    }
  });

  it("README.md names every verb", async () => {
    const readme = await Deno.readTextFile(new URL("README.md", ROOT));
    assertEquals(verbs.filter((verb) => !readme.includes(`\`${verb}\``)), []);
  });

  it("json-dict without a verb shows the help as an error, with the exit codes", async () => {
    const { code, out, err } = await runHere(new TestTerminal({}));
    assertEquals([code, out], [2, ""]);
    for (const [number, meaning] of Object.entries(EXIT_CODES)) {
      assert(err.includes(`${number.padEnd(5)}${meaning}`));
    }
    assertEquals((await runHere(new TestTerminal({}), "--help")).code, 0);
  });
});
