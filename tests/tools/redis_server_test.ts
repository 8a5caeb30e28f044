import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Redis } from "ioredis";
import { startRedis } from "../../tools/redis_server.ts";

const MODULE = new URL("../../tools/redis_server.ts", import.meta.url).href;

function isAlive(pid: number): boolean {
  try {
    // Signal 0 is not to be had here; this one is ignored by a server that runs.
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

describe("startRedis()", () => {
  it("startRedis() starts an empty server that stop() ends, with its folder", async () => {
    const server = await startRedis();
    const client = new Redis(server.url);
    assertEquals(await client.dbsize(), 0);
    const [, dir] = await client.config("GET", "dir") as string[];
    assert(Deno.statSync(dir).isDirectory);
    await client.quit();
    await server.stop();
    await server.stop();
    assertEquals(isAlive(server.pid), false);
    await assertRejects(() => Deno.stat(dir), Deno.errors.NotFound);
  });

  it("startRedis() runs servers side by side and passes arguments on", async () => {
    await using one = await startRedis({ args: ["--maxclients", "33"] });
    await using two = await startRedis();
    assert(one.port !== two.port);
    const client = new Redis(one.url);
    assertEquals(await client.config("GET", "maxclients"), ["maxclients", "33"]);
    await client.quit();
  });

  it("startRedis() shows what the server said when it does not start", async () => {
    const error = await assertRejects(
      () => startRedis({ args: ["--no-such-setting", "1"] }),
      Error,
      "Cannot start",
    );
    assertStringIncludes(error.message, "no-such-setting");
  });

  it("startRedis() leaves no server behind when its starter is killed", async () => {
    const program = `import { startRedis } from ${JSON.stringify(MODULE)};` +
      `const { pid } = await startRedis(); console.log(pid); await new Promise(() => setInterval(() => {}, 1000));`;
    const folder = await Deno.makeTempDir();
    const starter = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", program],
      // A killed process cannot remove what it made: here it is ours to remove.
      env: { TMPDIR: folder },
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = starter.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const pid = Number((await reader.read()).value);
    assert(isAlive(pid));
    starter.kill("SIGKILL");
    await starter.status;
    await reader.cancel();
    const giveUpAt = Date.now() + 30_000;
    while (isAlive(pid) && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(isAlive(pid), false);
    await Deno.remove(folder, { recursive: true });
  });
});
