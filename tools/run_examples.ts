/**
 * Runs the examples of README.md, of docs/ and of the public documentation against a Redis of their own.
 *
 * Examples name the server that a reader has, `redis://localhost:6379`; they run as copies that name ours. An example
 * that prints says in comments, `// => text`, what it prints, line by line; that is compared.
 *
 * @module
 */

import { importMapArgs } from "./offline.ts";
import { comparePrinted } from "./printed.ts";
import { startRedis } from "./redis_server.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const READERS_SERVER = "redis://localhost:6379";

await using redis = await startRedis();
const copy = await Deno.makeTempDir({ prefix: "json-dict-doc-" });
try {
  for (
    const entry of [
      "deno.json",
      "deno.lock",
      "README.md",
      "docs",
      "mod.ts",
      "core.ts",
      "sync.ts",
      "src",
      "tests/offline",
    ]
  ) {
    copyInto(entry);
  }
  const child = new Deno.Command(Deno.execPath(), {
    // The examples are programs: they use the server, and the worker of ./sync reads the library.
    args: [
      "test",
      "--doc",
      "--allow-net=127.0.0.1",
      "--allow-env",
      "--allow-read",
      ...await importMapArgs(),
      "README.md",
      "docs",
      "mod.ts",
      "core.ts",
      "sync.ts",
      "src",
    ],
    cwd: copy,
    env: { REDIS_URL: redis.url },
  }).spawn();
  Deno.exitCode = (await child.status).code;
} finally {
  await Deno.remove(copy, { recursive: true });
}

function copyInto(path: string): void {
  if (Deno.statSync(ROOT + path).isDirectory) {
    Deno.mkdirSync(`${copy}/${path}`, { recursive: true });
    for (const entry of Deno.readDirSync(ROOT + path)) copyInto(`${path}/${entry.name}`);
    return;
  }
  const text = Deno.readTextFileSync(ROOT + path);
  const ours = text.replaceAll(READERS_SERVER, redis.url).replaceAll(
    "new Redis()",
    `new Redis("${redis.url}")`,
  );
  Deno.writeTextFileSync(`${copy}/${path}`, /\.(?:md|ts)$/.test(path) ? comparePrinted(ours) : ours);
}
