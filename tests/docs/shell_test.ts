/** The commands of docs/shell.md print what the page says. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { redisUrl, uniquePrefix } from "../support/redis.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Step {
  readonly command: string;
  readonly output: string;
}

/** The commands of all `console` blocks of a page, each with what should follow it. */
function stepsOf(page: string): Step[] {
  return [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    block.split(/^\$ /m).slice(1).map((step) => {
      const [command, ...output] = step.split("\n");
      return { command, output: output.join("\n") };
    })
  );
}

describe("docs/shell.md", () => {
  it("docs/shell.md shows what the commands print, one after the other", async () => {
    const steps = stepsOf(await Deno.readTextFile(`${ROOT}docs/shell.md`));
    assert(steps.length > 15, "the page has lost its commands");
    const folder = await Deno.makeTempDir({ prefix: "json-dict-shell-" });
    const program = `json-dict() { '${Deno.execPath()}' run -A --quiet '${ROOT}cli.ts' "$@"; }`;
    const env = { REDIS_URL: redisUrl, JSON_DICT_PREFIX: uniquePrefix("shell"), NO_COLOR: "1" };
    try {
      const printed: Step[] = [];
      for (const { command } of steps) {
        const { stdout } = await new Deno.Command("bash", {
          args: ["-c", `${program}\n${command} 2>&1`],
          cwd: folder,
          env,
          stdin: "null",
        }).output();
        printed.push({ command, output: new TextDecoder().decode(stdout) });
      }
      assertEquals(printed, steps);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
