/**
 * Finds or fetches a Redis server and runs throw-away instances of it, for the demo, tests, benchmarks and examples.
 *
 * @module
 */

import { run } from "./command.ts";
import { cacheFolder, libraryFolders, unpackDebian } from "./debian_packages.ts";

/** A server program and the environment that it needs. */
export interface RedisProgram {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A running server that belongs to its starter. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Stops the server and removes its folder; a second call does nothing. */
  stop(): Promise<void>;
}

/** How to start a server. */
export interface StartOptions {
  /** More arguments for the server, such as `["--appendonly", "yes"]`, or a function of the port that makes them. */
  readonly args?: readonly string[] | ((port: number) => readonly string[]);
}

const HINT =
  "Install one (apt-get install redis-server, brew install redis), name its program in REDIS_SERVER, " +
  "or name a running server in REDIS_URL";

let found: Promise<RedisProgram> | undefined;

/**
 * Finds a server program: REDIS_SERVER, then PATH, then `.cache/redis`, then Debian's package.
 *
 * @throws {Error} If there is none and none can be fetched.
 */
export function findRedis(): Promise<RedisProgram> {
  found ??= search();
  return found;
}

async function search(): Promise<RedisProgram> {
  const named = Deno.env.get("REDIS_SERVER");
  if (named) {
    const program = { path: named, env: {} };
    const problem = await tryOut(program);
    if (problem !== undefined) throw new Error(`Cannot run the program in REDIS_SERVER: ${problem}`);
    return program;
  }
  for (const path of ["redis-server", "valkey-server"]) {
    const program = { path, env: {} };
    if (await tryOut(program) === undefined) return program;
  }
  const root = cacheFolder("redis");
  const cached = {
    path: `${root}/usr/bin/redis-server`,
    env: { LD_LIBRARY_PATH: libraryFolders(root).join(":") },
  };
  if (await tryOut(cached) === undefined) return cached;
  const problem = await unpackDebian("redis", ["redis-server", "redis-tools"], () => tryOut(cached));
  if (problem === undefined) return cached;
  throw new Error(`Cannot find a redis-server: none on PATH, and ${problem}. ${HINT}`);
}

async function tryOut(program: RedisProgram): Promise<string | undefined> {
  const { ok, output } = await run(program.path, ["--version"], { env: { ...program.env } });
  return ok ? undefined : output.trim();
}

/**
 * Starts a server on a free port of 127.0.0.1 that keeps nothing on disk.
 *
 * It is stopped by `stop()`, by `await using`, when this process unloads, and on Linux when this process is killed.
 *
 * @throws {Error} If it did not start, with the server's own log.
 */
export async function startRedis(options: StartOptions = {}): Promise<RedisServer> {
  const program = await findRedis();
  let problem = "";
  // The free port may be taken between the look and the bind: then the server exits and the next port is tried.
  for (let attempt = 0; attempt < 5; attempt++) {
    const { args = [] } = options;
    const port = freePort();
    const started = await startOn(port, program, typeof args === "function" ? args(port) : args);
    if (typeof started !== "string") return started;
    problem = started;
    if (!/address already in use/i.test(problem)) break;
  }
  throw new Error(`Cannot start ${program.path}: it did not answer; its log:\n${problem}`);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function startOn(
  port: number,
  program: RedisProgram,
  args: readonly string[],
): Promise<RedisServer | string> {
  const dir = await Deno.makeTempDir({ prefix: "json-dict-redis-" });
  const log = `${dir}/server.log`;
  const line = [
    ...await dieWithParent(),
    program.path,
    ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    ...["--dir", dir, "--logfile", log, ...args],
  ];
  const child = new Deno.Command(line[0], {
    args: line.slice(1),
    env: { ...program.env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  // A bad argument is reported here, before the log is opened.
  const stderr = new Response(child.stderr).text();
  let running = true;
  const ended = child.status.then(() => {
    running = false;
  });
  const onUnload = () => {
    if (running) child.kill("SIGKILL");
    removeFolder(dir);
  };
  globalThis.addEventListener("unload", onUnload);

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      child.ref();
      if (running) child.kill("SIGTERM");
      // A script that runs for ever keeps the server from seeing the first signal.
      const kill = setTimeout(() => running && child.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(kill);
      await stderr;
      globalThis.removeEventListener("unload", onUnload);
      removeFolder(dir);
    })();
    return stopping;
  };

  const giveUpAt = Date.now() + 15_000;
  while (running && Date.now() < giveUpAt) {
    if (await answers(port, child.pid)) {
      child.unref();
      const url = `redis://127.0.0.1:${port}`;
      return { url, port, pid: child.pid, stop, [Symbol.asyncDispose]: stop };
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const logged = await Deno.readTextFile(log).catch(() => "");
  await stop();
  return `${await stderr}${logged}`.trim() || "(empty)";
}

function removeFolder(dir: string): void {
  try {
    Deno.removeSync(dir, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

let parentGuard: Promise<string[]> | undefined;

/** On Linux the kernel can kill the server when its starter dies in a way that runs no handler. */
function dieWithParent(): Promise<string[]> {
  const guard = ["setpriv", "--pdeathsig", "KILL"];
  parentGuard ??= run(guard[0], [...guard.slice(1), "true"]).then(({ ok }) => ok ? guard : []);
  return parentGuard;
}

/** Whether the process that we started, and not a stranger on the same port, answers. */
async function answers(port: number, pid: number): Promise<boolean> {
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("INFO server\r\n"));
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(4096);
    let text = "";
    for (let size = await connection.read(buffer); size !== null; size = await connection.read(buffer)) {
      text += decoder.decode(buffer.subarray(0, size), { stream: true });
      if (text.includes(`process_id:${pid}\r\n`) || text.startsWith("-NOAUTH")) return true;
      if (text.startsWith("-") || text.endsWith("\r\n\r\n")) return false;
    }
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.ConnectionReset) {
      return false;
    }
    throw error;
  }
}
