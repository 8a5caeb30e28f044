/** What `./sync` guarantees on a bad network, in each runtime. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { run } from "../../tools/command.ts";
import { pack } from "../../tools/pack.ts";
import { runGuarantees } from "../support/blocking_program.ts";
import { findBun } from "../support/bun.ts";
import { redisUrl, uniquePrefix } from "../support/redis.ts";

const program = new URL("guarantees.mjs", import.meta.url).pathname;
const checks = [...(await Deno.readTextFile(program)).matchAll(/^ {2}"(.*)"\(open\)/gm)].map(([, name]) =>
  name
);

async function hold(command: string, args: readonly string[], folder?: string): Promise<void> {
  const prefix = uniquePrefix("guarantees");
  const checked = await runGuarantees(command, args, redisUrl, prefix, folder);
  assertEquals(checked.filter(({ error }) => error !== undefined), []);
  assertEquals(checked.map(({ name }) => name), checks);
}

describe("Guarantees of ./sync", () => {
  it("all of them hold in Deno", async () => {
    const config = new URL("../../deno.json", import.meta.url).pathname;
    await hold(Deno.execPath(), ["run", "-A", "--quiet", "--config", config, program]);
  });

  it("all of them hold in Node and Bun, from the npm package", async () => {
    const folder = await Deno.makeTempDir({ prefix: "json-dict-sync-" });
    try {
      const tarball = await pack(`${folder}/tarball`);
      await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true }\n');
      const flags = ["--no-audit", "--no-fund", "--no-save", "--prefer-offline", "--loglevel=error"];
      const installed = await run("npm", ["install", ...flags, tarball], { cwd: folder });
      assertEquals(installed.ok, true, installed.output);
      await Deno.copyFile(program, `${folder}/guarantees.mjs`);
      const bun = await findBun();
      await Promise.all([
        hold("node", ["guarantees.mjs"], folder),
        hold(bun, ["run", "guarantees.mjs"], folder),
      ]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
