import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { createProgram } from "../../src/cli/program.ts";
import { run } from "../../tools/command.ts";
import { runHere, TestTerminal } from "../support/test_terminal.ts";

const program = createProgram(new TestTerminal({}));

async function scriptFor(shell: string): Promise<string> {
  const { code, out, err } = await runHere(new TestTerminal({}), "completion", shell);
  assertEquals([code, err], [0, ""]);
  return out;
}

describe("json-dict completion", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    it(`completion ${shell} knows all verbs and options`, async () => {
      const script = await scriptFor(shell);
      for (const verb of program.commands) {
        assert(script.includes(verb.name()));
        for (const { long } of verb.options) assert(script.includes(long!.slice(2)), long!);
      }
    });

    it(`completion ${shell} is a script that the shell can read, where there is one`, async () => {
      const file = await Deno.makeTempFile();
      try {
        await Deno.writeTextFile(file, await scriptFor(shell));
        const { ok, output } = await run(shell, ["-n", file]);
        assert(ok || output.startsWith(`${shell}: `), output);
      } finally {
        await Deno.remove(file);
      }
    });
  }

  it("completion refuses a shell that it does not know", async () => {
    for (const shell of ["tcsh", "__proto__"]) {
      assertEquals((await runHere(new TestTerminal({}), "completion", shell)).code, 2);
    }
  });

  it("completion bash completes verbs, and the options of a verb", async () => {
    const script = await scriptFor("bash");
    const complete = async (...words: string[]): Promise<string[]> => {
      const list = words.map((word) => `'${word}'`).join(" ");
      const { output } = await run("bash", [
        "-c",
        `${script}\nCOMP_WORDS=(${list}); COMP_CWORD=${
          words.length - 1
        }; _json_dict; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ]);
      return output.trim().split("\n");
    };
    assertEquals(await complete("json-dict", "re"), ["restore"]);
    assertEquals(await complete("json-dict", "--prefix", "lab:", "d"), ["del", "dump", "diff", "doctor"]);
    assertEquals(await complete("json-dict", "restore", "--dr"), ["--dry-run"]);
    assertEquals(await complete("json-dict", "restore", "--p"), ["--prefix"]);
  });
});
