/** The module without a client of its own: the same class, and a bundle that runs where there is nothing of Node. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import * as core from "../core.ts";
import * as mod from "../mod.ts";
import { run } from "../tools/command.ts";
import { redisUrl, testClient, uniquePrefix } from "./support/redis.ts";
import { RestServer } from "./support/rest_server.ts";

const client = testClient();
const HERE = new URL("../", import.meta.url).pathname;

/** What somebody writes for the edge: sixty pushes, and an error of the server. */
const PROGRAM = `
  import { RedisJsonDict, WrongTypeError } from "./core.ts";
  import { fromUpstash } from "./src/clients/upstash.ts";
  const { url, token, prefix } = JSON.parse(new URL(import.meta.url).searchParams.get("with"));
  const dict = new RedisJsonDict(fromUpstash({ url, token }), { prefix });
  await dict.set("list", []);
  await Promise.all(Array.from({ length: 60 }, (_, n) => dict.at("list").push(n)));
  await dict.edit((draft) => { draft.count = draft.list.length; });
  const isWrong = await dict.get("other").catch((error) => error instanceof WrongTypeError);
  console.log(JSON.stringify([await dict.get("count"), isWrong, "connect" in RedisJsonDict]));
`;

describe("core.ts", () => {
  it("core.ts exports what mod.ts does, and the very same", () => {
    assertEquals(Object.keys(core), Object.keys(mod));
    for (const name of Object.keys(mod) as (keyof typeof core)[]) {
      assertStrictEquals<unknown>(core[name], mod[name]);
    }
    const dict = new core.RedisJsonDict(client, { prefix: "core:" });
    assert(dict instanceof mod.RedisJsonDict);
    assertEquals(Object.keys(mod.RedisJsonDict), []);
  });

  it("core.ts and the adapters need no other package", async () => {
    const entries = ["core.ts", ...["node_redis", "upstash", "bun"].map((it) => `src/clients/${it}.ts`)];
    for (const entry of entries) {
      const { output } = await run(Deno.execPath(), ["info", "--json", entry], { cwd: HERE });
      const modules: { specifier: string }[] = JSON.parse(output.slice(output.indexOf("{"))).modules;
      assertEquals(modules.filter(({ specifier }) => !specifier.startsWith("file:")), []);
    }
  });

  it("core.ts and upstash.ts make a bundle for browsers with nothing of Node, which runs", async () => {
    await using server = await RestServer.start(redisUrl);
    const folder = await Deno.makeTempDir({ prefix: "json-dict-edge-" });
    try {
      const options = [
        ...["--bundle", "--platform=browser", "--format=esm", "--minify", "--target=es2022"],
        ...["--log-level=warning", `--outfile=${folder}/edge.js`],
      ];
      await Deno.writeTextFile(`${HERE}.edge.${Deno.pid}.ts`, PROGRAM);
      const entry = `${HERE}.edge.${Deno.pid}.ts`;
      const args = ["run", "--allow-all", "npm:esbuild@~0.28.0", entry, ...options];
      const built = await run(Deno.execPath(), args, { cwd: HERE }).finally(() => Deno.remove(entry));
      assert(built.ok, built.output);
      const bundle = await Deno.readTextFile(`${folder}/edge.js`);
      assertEquals(/\bnode:|\brequire\(|\bprocess\.|\bBuffer\b/.exec(bundle)?.[0], undefined);

      const prefix = uniquePrefix("edge");
      await client.rpush(`${prefix}other`, "x");
      const settings = encodeURIComponent(JSON.stringify({ url: server.url, token: server.token, prefix }));
      await Deno.writeTextFile(
        `${folder}/main.js`,
        `for (const name of ["process", "Buffer", "global", "Deno"]) delete globalThis[name];\n` +
          `await import("./edge.js?with=${settings}");`,
      );
      const net = `--allow-net=${new URL(server.url).host}`;
      const ran = await run(Deno.execPath(), ["run", net, "--allow-read", `${folder}/main.js`]);
      assertEquals(ran.output.trim(), "[60,true,false]");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
