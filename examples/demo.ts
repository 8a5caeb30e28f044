/**
 * The tour: laboratory metadata in Redis, read and changed in place, by one process and by several.
 *
 * Run it with `deno task demo`. It works on REDIS_URL under a prefix of its own, and removes what it made: at the end,
 * or with `--keep` when Ctrl-C is pressed, so that one can look at it. `--monitor` shows the commands of Redis in full.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { Redis } from "ioredis";
import { type ArrayRef, type Json, JsonDictError, RedisJsonDict } from "@json-dict/redis";
import { startCutter } from "./cutter.ts";
import { formatSeen, Monitor } from "./monitor.ts";
import { change, codeAndResult, count, heading, line, paint, row } from "./screen.ts";
import type { Run } from "./writer.ts";

/** JSON, and integers that a number cannot hold. */
type Value = Json | bigint | Value[] | { [name: string]: Value };
type Lab = Record<string, Value>;

const KINDS = ["samples", "detectors", "scans", "users"];
const PROCESSES = ["a", "b"];
const WRITERS = 4;
const APPENDS = 100;
const BURST = 1000;
const isWhole = Deno.args.includes("--monitor");
const isKept = Deno.args.includes("--keep");

/** JSON as a person or another program may have written it: spaces, an escape, a long integer, an empty list. */
const FOREIGN = `{ "run": 7,
  "started_ns": 1784192940134586021, "gain" : 1.0,
  "drift": 0.30000000000000004, "url": "http:\\/\\/lab\\/7", "flags": [] }`;

/** What a script does that decodes, changes and encodes. */
const CJSON = `local v = cjson.decode(redis.call('GET', KEYS[1])) v.run = v.run + 1 return cjson.encode(v)`;

class Demo {
  readonly #client: Redis;
  readonly #monitor: Monitor;
  readonly #prefix: string;
  readonly #lab: RedisJsonDict<Lab>;

  constructor(client: Redis, monitor: Monitor, prefix: string) {
    this.#client = client;
    this.#monitor = monitor;
    this.#prefix = prefix;
    this.#lab = new RedisJsonDict<Lab>(client, { prefix, bigints: true });
  }

  async load(): Promise<string> {
    heading("Load", "examples/lab/*.json, all items in one call");
    const items = await readItems();
    await this.#lab.update(items);
    let bytes = 0;
    for (const key of Object.keys(items)) bytes += await this.#client.strlen(this.#prefix + key);
    for (const kind of KINDS) {
      const keys = Object.keys(items).filter((key) => `${key.split(":")[0]}s` === kind);
      row(`${keys.length} ${kind}`, keys.map((key) => key.split(":")[1]).join(", "));
    }
    row("in Redis", `${await this.#lab.size()} plain strings of JSON, ${count(bytes)} bytes`);
    return `${Object.keys(items).length} items loaded`;
  }

  async read(): Promise<void> {
    heading("Read", "only the fragment leaves the server");
    const scan = this.#lab.at("scan:48211");
    const show = (label: string, value: unknown): void => row(label, Deno.inspect(value, { colors: false }));
    show("energy_ev, e0", await scan.at("energy_ev", "e0").get());
    show("energy_ev, range, -1", await scan.at("energy_ev", "range", -1).get());
    show("detectors: length", await this.#lab.at((lab) => lab["scan:48211"].detectors).length());
    show("quality: keys", await scan.at("quality").keys());
    show("started_ns", await scan.at("started_ns").get());
    show("no such member", await scan.at("operator").get());
    const several = await this.#lab.getMany(["user:ada", "user:nobody", "user:mkowalczyk"]);
    show("getMany of three", [...several.keys()]);
  }

  async write(): Promise<void> {
    heading("Write", "what changed, and the commands that the server ran (MONITOR)");
    const scan = this.#lab.at("scan:48212");
    await this.#show('at(…, "status").set("done")', "scan:48212", () => scan.at("status").set("done"));
    await this.#show('at(…, "frames").push(4, 5)', "scan:48212", () => scan.at("frames").push(4, 5));
    await this.#show('…"used").increment(0.5)', "user:ada", () => {
      return this.#lab.at("user:ada", "beamtime", "used").increment(0.5);
    });
    await this.#show("…set with parents", "sample:TiO2-B3", () => {
      return this.#lab.at("sample:TiO2-B3", "xrd", "peaks", 0).set(25.3, { parents: true });
    });
  }

  async edit(): Promise<void> {
    heading("Edit", "plain code; what it read are guards, what it wrote are ops, in one call");
    const recipe = (lab: Record<string, never>): number => {
      const scan: { frames: number[]; status: string } = lab["scan:48212"];
      const user: { beamtime: { used: number } } = lab["user:ada"];
      scan.frames.push(6);
      scan.status = "archived";
      user.beamtime.used += 1.5;
      return user.beamtime.used;
    };
    for (const { kind, path, ...op } of await this.#lab.explain(recipe as never)) {
      const [words] = Object.values(op);
      row(kind, `${path.join(", ")}  ${words ?? ""}`);
    }
    row("ada has used", `${await this.#lab.edit(recipe as never)} hours`);
    const scan = await this.#lab.at("scan:48212").live() as unknown as {
      status: string;
      frames: number[];
    };
    await this.#monitor.take();
    scan.status = "done";
    for (let frame = 7; frame < 107; frame++) scan.frames.push(frame);
    await this.#lab.settled();
    const calls = (await this.#monitor.take()).filter((seen) => !seen.isFromScript).length;
    row("a live document", `101 changes, ${calls} call`);
  }

  async fidelity(): Promise<void> {
    heading("Untouched bytes", "a value that another program wrote");
    await this.#client.set(`${this.#prefix}foreign`, FOREIGN);
    row("as it was", FOREIGN);
    await this.#lab.at("foreign", "run").increment();
    row("run + 1, here", await this.#raw("foreign"), "green");
    await this.#client.set(`${this.#prefix}foreign`, FOREIGN);
    const mangled = await this.#client.eval(CJSON, 1, `${this.#prefix}foreign`);
    row("with cjson", String(mangled), "red");
    await this.#lab.delete("foreign");
  }

  async refuse(): Promise<void> {
    heading("Refuse", "an error says where and what; the value stays as it was");
    const before = await this.#raw("scan:48211");
    const scan = this.#lab.at("scan:48211");
    const tries: (() => Promise<unknown>)[] = [
      () => this.#lab.at("scan:48211", "status", "text").set("x"),
      () => scan.at("energy_ev", "range", 9).set(1),
      () => scan.at("motors", "theta").set(14.5),
    ];
    for (const attempt of tries) {
      const error = await attempt().then(() => undefined, (error: unknown) => error);
      if (!(error instanceof JsonDictError)) throw new Error("Expected a refusal", { cause: error });
      row(error.code, error.message, "yellow");
    }
    row("the bytes", await this.#raw("scan:48211") === before ? "the same" : "CHANGED");
  }

  async expire(): Promise<void> {
    heading("Expire", "a change inside a value keeps its expiry");
    await this.#lab.set("lock:48213", { holder: "ada", beats: 0 }, { ttl: 60_000 });
    await this.#lab.at("lock:48213", "beats").increment();
    row("set and increment", `${await this.#lab.ttl("lock:48213")} of 60000 ms left`);
    const { holder, beats } = await this.#lab.getOrThrow("lock:48213") as { holder: Value; beats: Value };
    await this.#client.set(`${this.#prefix}lock:48213`, JSON.stringify({ holder, beats: Number(beats) + 1 }));
    row("GET, change, SET", `ttl is ${await this.#lab.ttl("lock:48213")}: the expiry is lost`);
  }

  async burst(): Promise<string> {
    heading("Burst", `${count(BURST)} increments of one number`);
    await this.#lab.set("counter", 0);
    const counter = this.#lab.at("counter");
    await this.#monitor.take();
    const increment = counter.increment as () => Promise<unknown>;
    const apart = await this.#time(async () => {
      for (let n = 0; n < BURST; n++) await increment.call(counter);
    });
    const together = await this.#time(async () => {
      await Promise.all(Array.from({ length: BURST }, () => increment.call(counter)));
    });
    row(
      "each awaited",
      `${count(apart.calls).padStart(5)} calls  ${apart.ms.toFixed(0).padStart(4)} ms`,
    );
    row(
      "not awaited",
      `${count(together.calls).padStart(5)} calls  ${together.ms.toFixed(0).padStart(4)} ms`,
    );
    row("counter", `${await this.#lab.get("counter")}`);
    return `${count(BURST)} un-awaited changes of one key in ${together.calls} calls`;
  }

  async writers(): Promise<string> {
    const appends = PROCESSES.length * WRITERS * APPENDS;
    heading(
      "Writers",
      `${PROCESSES.length} processes × ${WRITERS} writers × ${APPENDS} appends to one array`,
    );
    const kept: number[] = [];
    for (const [way, name] of [["by-hand", "appendByHand"], ["json-dict", "appendHere"]]) {
      const empty: Run = { frames: [], count: 0 };
      await this.#client.set(`${this.#prefix}run`, JSON.stringify(empty));
      const ms = await runWriters(way, this.#prefix);
      const run: Run = JSON.parse(await this.#raw("run"));
      const lost = appends - new Set(run.frames).size;
      const verdict = lost === 0 ? paint("green", "0 lost") : paint("red", `${lost} lost`);
      const numbers = `${run.frames.length} of ${appends} frames, count ${run.count}`;
      codeAndResult(await codeOf("writer.ts", name), [
        paint("bold", way === "by-hand" ? "GET, change, SET" : way),
        `${numbers}, ${ms.toFixed(0)} ms`,
        verdict,
      ]);
      kept.push(appends - lost);
    }
    await this.#monitor.take();
    return `${kept[1]} of ${appends} concurrent appends kept (GET, change, SET: ${kept[0]})`;
  }

  async lostAnswers(url: string): Promise<string> {
    heading(
      "Lost answers",
      `${APPENDS} appends, one by one; each tenth answer is cut off with its connection`,
    );
    await using cutter = await startCutter(url, 10);
    const lengths: number[] = [];
    for (const [way, name] of [["RPUSH", "pushByHand"], ["json-dict", "pushHere"]]) {
      // As ioredis comes, but for shorter pauses: it sends again what it got no answer to.
      const client = new Redis(cutter.url, { retryStrategy: () => 1 });
      client.on("error", () => {});
      const lab = new RedisJsonDict<{ log: number[] }>(client, { prefix: this.#prefix });
      await lab.set("log", []);
      const cuts = cutter.cuts;
      if (way === "RPUSH") await pushByHand(client, `${this.#prefix}list`);
      else await pushHere(lab.at("log"));
      client.disconnect();
      const length = way === "RPUSH"
        ? await this.#client.llen(`${this.#prefix}list`)
        : (await this.#lab.get("log") as unknown[]).length;
      const twice = length - APPENDS;
      codeAndResult(await codeOf("demo.ts", name), [
        `${paint("bold", way)}: ${length} elements, ${cutter.cuts - cuts} cuts`,
        paint(twice === 0 ? "green" : "red", `${twice} applied twice`),
      ]);
      lengths.push(length);
    }
    await this.#client.unlink(`${this.#prefix}list`);
    await this.#monitor.take();
    return `${lengths[1]} of ${APPENDS} appends applied once over lost answers (RPUSH: ${
      lengths[0]
    } elements)`;
  }

  async watch(): Promise<string> {
    heading("Watch", "another process sees what this one, or any other program, changes");
    await using watcher = await startWatcher(this.#prefix);
    const scan = this.#lab.at("scan:48212");
    const steps: [string, () => Promise<unknown>][] = [
      ['…"status").set("paused")', () => scan.at("status").set("paused")],
      ['…"frames").splice(0, 99)', () => scan.at("frames").splice(0, 99)],
      ['set("alarm", "beam lost")', () => this.#lab.set("alarm", "beam lost")],
      ['expire("alarm", 100)', () => this.#lab.expire("alarm", 100)],
      ["a SET of any program", () => this.#client.set(`${this.#prefix}scan_id`, "48213")],
    ];
    let seen = 0;
    for (const [label, act] of steps) {
      const start = performance.now();
      await act();
      const { key, value } = JSON.parse(await watcher.next()) as { key: string; value?: Value };
      const ms = (performance.now() - start).toFixed(0);
      row(label, `${key}: ${value === undefined ? "gone" : summary(value)}  (${ms} ms)`);
      seen++;
    }
    await this.#monitor.take();
    return `${seen} changes seen by another process`;
  }

  async #show(label: string, key: string, act: () => Promise<unknown>): Promise<void> {
    const before = await this.#raw(key);
    await this.#monitor.take();
    await act();
    const seen = await this.#monitor.take();
    const after = await this.#raw(key);
    line(paint("bold", label));
    change(before, after);
    for (const one of seen) {
      row(one === seen[0] ? "Redis" : "", formatSeen(one, isWhole).replaceAll(this.#prefix, "lab:"), "dim");
    }
  }

  async #time(act: () => Promise<void>): Promise<{ ms: number; calls: number }> {
    const start = performance.now();
    await act();
    const ms = performance.now() - start;
    return { ms, calls: (await this.#monitor.take()).filter((seen) => !seen.isFromScript).length };
  }

  async #raw(key: string): Promise<string> {
    return await this.#client.get(this.#prefix + key) ?? "";
  }

  /** Removes everything; returns how many keys that were. */
  async cleanUp(): Promise<number> {
    return await this.#lab.clear();
  }
}

/** What a client does that sends again by itself. The demo shows these lines. */
async function pushByHand(redis: Redis, key: string): Promise<void> {
  for (let n = 0; n < APPENDS; n++) {
    await redis.rpush(key, n);
  }
}

/** The same, here. The demo shows these lines. */
async function pushHere(log: ArrayRef<number>): Promise<void> {
  for (let n = 0; n < APPENDS; n++) {
    await log.push(n);
  }
}

/** The lines of a function, as they stand in its file. */
async function codeOf(file: string, name: string): Promise<string[]> {
  const source = await Deno.readTextFile(new URL(file, import.meta.url));
  const [, body] = new RegExp(`function ${name}\\(.*\\{\\n([\\s\\S]*?)\\n\\}\\n`).exec(source)!;
  return body.split("\n").map((each) => each.slice(2));
}

/** A value on one line: the state and the number of frames of a scan, or all of it. */
function summary(value: Value): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  return `status ${JSON.stringify(value.status)}, ${(value.frames as Value[]).length} frames`;
}

/** Reads the data set with its long integers as they are spelled. */
async function readItems(): Promise<Lab> {
  // The third argument is in every engine that this runs on, but not in the compiler's library yet.
  const exact = (_name: string, value: Value, { source }: { source: string }): Value =>
    Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
      ? BigInt(source)
      : value;
  const texts = await Promise.all(
    KINDS.map((kind) => Deno.readTextFile(new URL(`lab/${kind}.json`, import.meta.url))),
  );
  const parse = JSON.parse as (text: string, reviver: typeof exact) => Lab;
  return Object.assign({}, ...texts.map((text) => parse(text, exact)));
}

/** Runs the writers in processes of their own, which start together; returns how long they wrote. */
async function runWriters(way: string, prefix: string): Promise<number> {
  const program = new URL("writer.ts", import.meta.url).pathname;
  const processes = PROCESSES.map((name) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", program, way, prefix, name, String(WRITERS), String(APPENDS)],
      stdin: "piped",
      stdout: "piped",
    }).spawn()
  );
  const outputs = processes.map((process) => process.stdout.getReader());
  await Promise.all(outputs.map((output) => output.read())); // "ready"
  const start = performance.now();
  for (const process of processes) {
    const input = process.stdin.getWriter();
    await input.write(new TextEncoder().encode("go\n"));
    await input.close();
  }
  const statuses = await Promise.all(processes.map((process) => process.status));
  const ms = performance.now() - start;
  for (const output of outputs) await output.cancel();
  if (!statuses.every((status) => status.success)) throw new Error("A writer failed");
  return ms;
}

/** A process that looks on. */
interface Watcher extends AsyncDisposable {
  /** The next line that it prints. */
  next(): Promise<string>;
}

async function startWatcher(prefix: string): Promise<Watcher> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL("watcher.ts", import.meta.url).pathname, prefix],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = createInterface({ input: Readable.fromWeb(child.stdout as never) })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("The process that watches has ended");
    return value;
  };
  await next(); // "ready"
  return {
    next,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.status;
    },
  };
}

/** Says how to look at the data, and waits for Ctrl-C. */
async function keep(url: string, prefix: string): Promise<void> {
  heading("Look around", "the data stay until Ctrl-C");
  // An address with a password is for no screen; the program finds it in REDIS_URL, as the demo did.
  const address = new URL(url).password === "" ? `--url ${url} ` : "";
  const program = `deno task cli ${address}--prefix ${prefix}`;
  for (
    const [what, verb] of [["In a browser", "inspect"], ["In a shell", "ls"], ["As it changes", "watch"]]
  ) {
    line(`${what}:`);
    // Not broken into lines, so that it can be copied.
    console.log(`    ${paint("bold", `${program} ${verb}`)}`);
  }
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, resolve);
  });
}

async function main(): Promise<void> {
  const start = performance.now();
  const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
  const client = new Redis(url, { maxRetriesPerRequest: 0 });
  await client.ping();
  const prefix = `demo:${crypto.randomUUID().slice(0, 8)}:`;
  const monitor = await Monitor.start(client, prefix);
  const demo = new Demo(client, monitor, prefix);
  console.log(paint("bold", "json-dict: a dictionary of JSON values that lives in Redis"));
  const results: string[] = [];
  let removed = 0;
  try {
    results.push(await demo.writers(), await demo.lostAnswers(url));
    results.push(await demo.load());
    await demo.read();
    await demo.write();
    await demo.edit();
    await demo.fidelity();
    await demo.refuse();
    await demo.expire();
    results.push(await demo.burst(), await demo.watch());
    heading("Summary");
    results.push(`${((performance.now() - start) / 1000).toFixed(1)} s in all`);
    for (const result of results) line(`${paint("green", "✓")} ${result}`);
    if (isKept) await keep(url, prefix);
    else line("To look at the data yourself: deno task demo --keep");
  } finally {
    removed = await demo.cleanUp();
    monitor.stop();
    await client.quit();
  }
  console.log(`\n${removed} keys removed`);
}

if (import.meta.main) await main();
