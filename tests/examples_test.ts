import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { redisUrl, testClient } from "./support/redis.ts";
import { until } from "./support/until.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** Runs a program of `examples/` as a reader would, and returns what it printed. */
async function runExample(
  name: string,
  env: Record<string, string> = {},
  ...args: readonly string[]
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `examples/${name}.ts`, ...args],
    cwd: ROOT,
    env: { REDIS_URL: redisUrl, ...env },
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals(code, 0);
  return new TextDecoder().decode(stdout);
}

/** The keys that an example left behind. */
async function leftovers(pattern: string): Promise<string[]> {
  return (await testClient().scan(0, "MATCH", pattern, "COUNT", 100_000))[1];
}

describe("examples/", () => {
  /** What the demo shows, whatever the width: line breaks count as spaces. */
  function checkDemo(output: string): void {
    const titles = output.split("\n").filter((line) => /^[A-Z]/.test(line)).map((line) =>
      line.split("  ")[0]
    );
    const parts = ["Writers", "Lost answers", "Load", "Read", "Write", "Edit", "Untouched bytes", "Refuse"];
    assertEquals(titles.filter((title) => parts.includes(title)), parts);
    for (const title of ["Expire", "Burst", "Watch", "Summary"]) assert(titles.includes(title), output);
    const text = output.replaceAll(/\s+/g, " ");
    assertMatch(text, /await redis\.set\(key, JSON\.stringify\(run\)\);/);
    assertMatch(
      text,
      /GET, change, SET .*? [1-9]\d* lost .*? json-dict .*?800 of 800 frames, count 800.*? 0 lost/,
    );
    assertMatch(text, /RPUSH: 1\d\d elements, [1-9]\d* cuts .*?[1-9]\d* applied twice/);
    assertMatch(text, /json-dict: 100 elements, [1-9]\d* cuts .*?\b0 applied twice/);
    assertMatch(text, /a live document 101 changes, 1 call/);
    assertMatch(text, /└ SET lab:scan:48212/);
    assertMatch(text, /the bytes the same/);
    assertMatch(text, /scan:48212: status "paused", 7 frames/);
    assertMatch(text, /expire\("alarm", 100\) alarm: gone/);
    assertMatch(text, /5 changes seen by another process/);
    // deno-lint-ignore no-control-regex
    assert(!/\x1b/.test(output), "the output is coloured although it goes to a pipe");
  }

  function assertFits(output: string, columns: number): void {
    assertEquals(output.split("\n").filter((line) => [...line].length > columns), []);
  }

  it("demo.ts fits 60 columns, loses nothing and removes what it made", async () => {
    const output = await runExample("demo", { COLUMNS: "60" });
    checkDemo(output);
    assertFits(output, 60);
    assert(output.includes("deno task demo --keep"), output);
    assertEquals(await leftovers("demo:*"), []);
  });

  it("demo.ts --keep --monitor fits 120 columns, shows whole commands, and stays until Ctrl-C", async () => {
    const demo = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "examples/demo.ts", "--keep", "--monitor"],
      cwd: ROOT,
      env: { REDIS_URL: redisUrl, COLUMNS: "120" },
      stdout: "piped",
    }).spawn();
    let output = "";
    const [, command] = await (async () => {
      const reader = demo.stdout.pipeThrough(new TextDecoderStream()).getReader();
      try {
        while (true) {
          const found = /In a browser:\n +(deno task cli [^\n]* inspect)\n[\s\S]* watch\n/.exec(
            output,
          );
          if (found) return found;
          const { value, done } = await reader.read();
          if (done) throw new Error(`The demo ended:\n${output}`);
          output += value;
        }
      } finally {
        // What it still says does not matter.
        reader.cancel();
      }
    })();
    checkDemo(output);
    assertFits(output, 120);
    assert(/EVALSHA [0-9a-f]{40} 2 /.test(output), "the command is not shown in full");
    assert(output.replaceAll(/\s+/g, "").includes('"started_ns":1784193551900000407,"mot'), output);
    // The command that it names is one of the program, but for the verb, which opens a page.
    const [, ...args] = command.replace("deno task", "").trim().split(" ");
    const cli = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "cli.ts", ...args.with(-1, "ls"), "user:"],
      cwd: ROOT,
    }).output();
    assertEquals(cli.code, 0);
    assertMatch(new TextDecoder().decode(cli.stdout), /"user:ada"/);
    demo.kill("SIGINT");
    assertEquals((await demo.status).code, 0);
    assertEquals(await leftovers("demo:*"), []);
  });

  it("sessions.ts keeps both articles and the end of the session", async () => {
    assertEquals((await runExample("sessions")).split("\n"), [
      "ada, visit 2, dark theme, cart: slides, 100 and tweezers",
      "ends in 30 minutes",
      "signed out: true; sessions left: 0",
      "",
    ]);
    assertEquals(await leftovers("sessions:*"), []);
  });

  it("counters.ts counts every request of three processes", async () => {
    const lines = (await runExample("counters")).split("\n");
    assertEquals(lines.slice(0, 5), [
      "/               150",
      "/about          150",
      "/api/v1/scans   150",
      "/größe          150",
      "total           600 of 600",
    ]);
    assert(lines[5].endsWith("over 90 ms: true"), lines[5]);
    assertEquals(await leftovers("counters:*"), []);
  });

  it("experiment.ts keeps what the run and the operator wrote", async () => {
    const output = await runExample("experiment");
    assert(output.startsWith("paused: true, 4 lines in the log, last: moved to 3.25\n"), output);
    assert(output.includes("INDEX_OUT_OF_RANGE: Cannot set at "), output);
    assert(output.includes("positions: [ -3.25, 0, 3.25 ]"), output);
    assert(output.endsWith("started_ns: 1784192940134586021, scan_id: 48212\n"), output);
    assertEquals(await leftovers("experiment:*"), []);
  });

  it("cart.ts answers 1,000 requests at once, and counts each", async () => {
    assertEquals((await runExample("cart")).split("\n"), [
      "1000 of 1000 requests answered",
      "333 gloves, 333 tweezers, 334 slides",
      "total 7913.25",
      "",
    ]);
    assertEquals(await leftovers("cart:*"), []);
  });

  it("jobs.ts lets four processes claim each job once", async () => {
    assertEquals((await runExample("jobs")).split("\n"), [
      "120 claims for 120 jobs",
      "all done, each with its result: true",
      "",
    ]);
    assertEquals(await leftovers("jobs:*"), []);
  });

  it("lease.ts gives the beam to one operator at a time, and the screen shows both", async () => {
    assertEquals((await runExample("lease")).split("\n"), [
      "ada: 3 scans",
      "bob: 3 scans",
      "each lease has a greater number: true",
      "on the screen: ada, bob, free",
      "busy: false",
      "",
    ]);
    assertEquals(await leftovers("beamline:*"), []);
  });

  it("plain.ts runs plain statements", async () => {
    assertEquals((await runExample("plain")).split("\n"), [
      '{ color: "blue", positions: [ 1, 2, 3 ] }',
      "open: [ 48215 ] frames: 430",
      'blue -> green | keys: [ "runs", "sample", "scan_id" ]',
      "moved to [ 1.5, 2.5, 3.5 ]",
      "removed: 3",
      "",
    ]);
    assertEquals(await leftovers("plain:*"), []);
  });

  it("dashboard.ts shows a run of another process, and pauses it", async () => {
    const lines = (await runExample("dashboard", {}, "20")).split("\n");
    const row = (name: string): string => lines.find((line) => line.includes(` ${name} `)) ?? "";
    assert(row("status").includes(" done "), lines.join("\n"));
    assert(row("frames").includes(" 20/20 "), lines.join("\n"));
    assert(lines.some((line) => line.includes("too hot at frame")), lines.join("\n"));
    assertEquals(await leftovers("dashboard:*"), []);
  });

  it("dashboard.ts ends cleanly by Ctrl-C, and so does its experiment", async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "examples/dashboard.ts", "100000"],
      cwd: ROOT,
      env: { REDIS_URL: redisUrl },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const client = testClient();
    await until("the experiment takes frames", async () => {
      const [key] = await leftovers("dashboard:*:run");
      return key !== undefined && JSON.parse(await client.get(key) ?? "{}").frames > 2;
    });
    child.kill("SIGINT");
    const { code, stdout, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [130, ""]);
    assert(new TextDecoder().decode(stdout).includes(" done "));
    assertEquals(await leftovers("dashboard:*"), []);
  });

  it("page.ts sends each change to every browser, whoever makes it", async () => {
    const prefix = `page:${crypto.randomUUID()}:`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "examples/page.ts", prefix, "0"],
      cwd: ROOT,
      env: { REDIS_URL: redisUrl },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const address = (await output.read()).value!.trim();
    assert((await (await fetch(address)).text()).includes("<button"));
    const browsers = await Promise.all([1, 2].map(async () => {
      const reader = (await fetch(`${address}events`)).body!.pipeThrough(new TextDecoderStream()).getReader();
      return async (): Promise<unknown> => JSON.parse((await reader.read()).value!.replace("data: ", ""));
    }));
    const seen = (): Promise<unknown[]> => Promise.all(browsers.map((next) => next()));
    assertEquals(await seen(), [{ clicks: 0 }, { clicks: 0 }]);
    assertEquals((await fetch(`${address}click`, { method: "POST" })).status, 204);
    assertEquals(await seen(), [{ clicks: 1 }, { clicks: 1 }]);
    await testClient().set(`${prefix}counter`, '{"clicks":7}');
    assertEquals(await seen(), [{ clicks: 7 }, { clicks: 7 }]);
    await testClient().del(`${prefix}counter`);
    assertEquals(await seen(), [null, null]);
    child.kill("SIGINT");
    assertEquals((await output.read()).done, true);
    await output.cancel();
    const { code } = await child.status;
    assertEquals([code, await new Response(child.stderr).text()], [0, ""]);
    assertEquals(await leftovers(`${prefix}*`), []);
  });

  it("plain.ipynb prints what it says, cell by cell", async () => {
    interface Cell {
      readonly cell_type: "code" | "markdown";
      readonly source: readonly string[];
      readonly outputs?: readonly { readonly text: readonly string[] }[];
    }
    const notebook = JSON.parse(await Deno.readTextFile(`${ROOT}examples/plain.ipynb`));
    const cells = (notebook.cells as Cell[]).filter(({ cell_type }) => cell_type === "code");
    const folder = await Deno.makeTempDir({ prefix: "json-dict-notebook-" });
    try {
      // The kernel evaluates a cell in the session of a REPL, one after the other; so does the REPL with files.
      const files: string[] = [];
      for (const [index, { source }] of cells.entries()) {
        files.push(`${folder}/${index}.ts`);
        await Deno.writeTextFile(files[index], `${source.join("")}\nconsole.log("end of ${index}");\n`);
      }
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["repl", "-A", "--quiet", `--eval-file=${files.join(",")}`],
        cwd: ROOT,
        env: { REDIS_URL: redisUrl, NO_COLOR: "1" },
        stdin: "null",
      }).output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      const expected = cells.map(({ outputs = [] }, index) =>
        `${outputs.flatMap(({ text }) => text).join("")}end of ${index}\n`
      );
      assertEquals(new TextDecoder().decode(stdout).trim(), expected.join("").trim());
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    assertEquals(await leftovers("notebook:*"), []);
  });
});
