/**
 * Runs a program with REDIS_URL set: the caller's own server, or one that lives as long as the program.
 *
 * @module
 */

import { startRedis } from "./redis_server.ts";

const [program, ...rest] = Deno.args;
if (program === undefined) {
  console.error("Cannot run: name a program, as in tools/with_redis.ts examples/demo.ts");
  Deno.exit(2);
}

const own = Deno.env.get("REDIS_URL") ? undefined : await startRedis();
const child = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", program, ...rest],
  cwd: new URL("../", import.meta.url).pathname,
  env: own ? { REDIS_URL: own.url } : {},
}).spawn();
// A terminal sends Ctrl-C to both: wait for the program to end by itself, then stop the server.
Deno.addSignalListener("SIGINT", () => {});
Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
const { code } = await child.status;
await own?.stop();
Deno.exit(code);
