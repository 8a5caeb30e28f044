/** What keeps a process alive that watches: somebody who waits, and nothing else. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { startRedis } from "../../tools/redis_server.ts";
import { run } from "../../tools/command.ts";
import { findBun } from "../support/bun.ts";
import { until } from "../support/until.ts";

const server = await startRedis();
const foreign = new Redis(server.url);
const folder = await Deno.makeTempDir({ prefix: "json-dict-idle-" });
const program = `${folder}/program.mjs`;
Deno.test.afterAll(async () => {
  foreign.disconnect();
  await server.stop();
  await Deno.remove(folder, { recursive: true });
});

const source = new URL("idle_program.ts", import.meta.url).pathname;
const config = new URL("../../deno.json", import.meta.url).pathname;
const flags = ["--quiet", "--config", config, "--platform", "deno", "--output", program];
const bundled = await run(Deno.execPath(), ["bundle", ...flags, source]);
assert(bundled.ok, bundled.output);

const RUNTIMES: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  Deno: () => Promise.resolve([Deno.execPath(), "run", "-A", "--quiet"]),
  Node: () => Promise.resolve(["node"]),
  Bun: async () => [await findBun(), "run"],
};
const CLIENTS = ["ioredis", "redis", "redis5"];

/** The program, and what it has printed so far. */
class Program {
  printed = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor([command, ...args]: readonly string[], client: string, what: string) {
    this.#child = new Deno.Command(command, {
      args: [...args, program, server.url, `idle:${client}:`, client, what],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const print = new WritableStream<string>({ write: (piece) => void (this.printed += piece) });
    this.#reading = this.#child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(print);
  }

  /** Waits for its end. One that does not end by itself is killed. */
  async end(): Promise<string> {
    let isOver = false;
    const status = this.#child.status.finally(() => isOver = true);
    try {
      await until("the program ends", () => isOver);
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw error;
    } finally {
      await status;
      await this.#reading;
    }
    return this.printed;
  }
}

/** How often who listens has asked the server whether it is there. */
async function pings(): Promise<number> {
  return Number(/cmdstat_ping:calls=(\d+)/.exec(String(await foreign.info("commandstats")))?.[1] ?? 0);
}

for (const [name, find] of Object.entries(RUNTIMES)) {
  describe(`A program that watches, in ${name}`, () => {
    it(`A program that watches, in ${name}, ends when nobody waits for a value`, async () => {
      const command = await find();
      await Promise.all(CLIENTS.map(async (client) => {
        assertEquals(await new Program(command, client, "leaves").end(), "watching\nthe end\n", client);
      }));
    });

    it(`A program that watches, in ${name}, goes on while somebody waits, also through a lost connection`, async () => {
      const command = await find();
      const programs = CLIENTS.map((client) => new Program(command, client, "waits"));
      await until("they watch", () => programs.every(({ printed }) => printed === "watching\n"));
      await foreign.call("CLIENT", "KILL", "TYPE", "pubsub");
      const before = await pings();
      await until("they have asked some times", async () => await pings() > before + 10);
      assertEquals(programs.map(({ printed }) => printed), CLIENTS.map(() => "watching\n"));
      for (const client of CLIENTS) await foreign.set(`idle:${client}:x`, `"${client}"`);
      const ends = await Promise.all(programs.map((program) => program.end()));
      assertEquals(ends, CLIENTS.map((client) => `watching\nheard "${client}"\nthe end\n`));
      await foreign.flushall();
    });
  });
}
