/** Where the worker comes from, and what becomes of a caller whose worker does not start, answers no more, or is gone. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { AmbiguousResultError, type JsonDictError, TimeoutError, UnavailableError } from "../../sync.ts";
import { Items } from "../../src/api/items.ts";
import { Place } from "../../src/api/place.ts";
import type { Task } from "../../src/api/task.ts";
import { Bridge } from "../../src/sync/bridge.ts";
import { localOf } from "../../src/sync/facade.ts";
import type { Peer, Reply } from "../../src/sync/worker.ts";
import { readOptions } from "../../src/run/options.ts";
import { redisUrl, uniquePrefix } from "../support/redis.ts";

const ROOT = new URL("../../", import.meta.url);

/** A program in Deno, with some rights. */
async function run(
  code: string,
  rights: readonly string[],
  prefix: string = uniquePrefix("start"),
): Promise<
  { readonly code: number; readonly printed: string; readonly failed: string; readonly seconds: number }
> {
  const folder = await Deno.makeTempDir({ prefix: "json-dict-start-" });
  const begin = performance.now();
  try {
    await Deno.writeTextFile(`${folder}/program.ts`, code);
    const { code: end, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        // The lock file is no place for modules of a server that is there for one test.
        ...[
          "run",
          "--quiet",
          "--no-prompt",
          "--no-check",
          "--no-lock",
          "--config",
          `${ROOT.pathname}deno.json`,
        ],
        ...[...rights, `${folder}/program.ts`],
      ],
      env: { REDIS_URL: redisUrl, PREFIX: prefix, NO_COLOR: "1" },
    }).output();
    return {
      code: end,
      printed: new TextDecoder().decode(stdout).trim(),
      failed: new TextDecoder().decode(stderr),
      seconds: (performance.now() - begin) / 1000,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function program(from: string): string {
  return `import { connect, dictionary } from "${from}";
const lab = connect(Deno.env.get("REDIS_URL")!, { prefix: Deno.env.get("PREFIX")!, timeout: 2000 });
lab.a = { n: 1 };
console.log(lab.a.n, dictionary(lab).clear());
`; // it is not closed, and ends all the same
}

const LOCAL = new URL("sync.ts", ROOT).href;
const NET = `--allow-net=${new URL(redisUrl).host}`;

describe("The start of ./sync", () => {
  it("connect() works from a file with the rights that the docs name, and does not keep the program", async () => {
    const { code, printed, failed } = await run(program(LOCAL), [NET, "--allow-env", "--allow-read"]);
    assertEquals([failed, code, printed], ["", 0, "1 1"]);
  });

  it("connect() works from the web, without the right to read", async () => {
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
      const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
      if (!/^(?:[a-z]+\.ts|src\/[\w/]+(?:\.gen)?\.ts)$/.test(path)) {
        return new Response(null, { status: 404 });
      }
      const text = await Deno.readTextFile(new URL(path, ROOT));
      return new Response(text, { headers: { "content-type": "application/typescript" } });
    });
    try {
      const from = `http://127.0.0.1:${server.addr.port}`;
      const rights = [NET, "--allow-env", `--allow-import=127.0.0.1:${server.addr.port}`];
      const { code, printed, failed } = await run(program(`${from}/sync.ts`), rights);
      assertEquals([failed, code, printed], ["", 0, "1 1"]);
    } finally {
      await server.shutdown();
    }
  });

  it("connect() says at once that a right is missing", async () => {
    const { code, failed, seconds } = await run(program(LOCAL), [NET, "--allow-env"]);
    assertEquals(code, 1);
    assertMatch(failed, /Cannot start the worker: .*read access/);
    assertMatch(failed, /program\.ts:2/);
    assert(seconds < 30, `${seconds} s`);
  });

  it("the first statement says in time that the net may not be used", async () => {
    const { code, failed, seconds } = await run(program(LOCAL), ["--allow-env", "--allow-read"]);
    assertEquals(code, 1);
    assertMatch(failed, /TimeoutError|AmbiguousResultError|UnavailableError/);
    assertMatch(failed, /net access|--allow-net/);
    assertMatch(failed, /program\.ts:3/);
    assert(seconds < 30, `${seconds} s`);
  });

  it("a program that was bundled with the library is told so, and does not start itself again", async () => {
    const folder = await Deno.makeTempDir({ prefix: "json-dict-start-" });
    try {
      await Deno.writeTextFile(`${folder}/source.ts`, program(LOCAL));
      const bundled = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["bundle", "--quiet", "--config", `${ROOT.pathname}deno.json`, "--external", "ioredis"],
          ...["--output", `${folder}/bundle.js`, `${folder}/source.ts`],
        ],
      }).output();
      assertEquals(bundled.code, 0, new TextDecoder().decode(bundled.stderr));
      const { code, failed } = await run(await Deno.readTextFile(`${folder}/bundle.js`), ["-A"]);
      assertEquals(code, 1);
      assertMatch(failed, /leave the library out of the bundle/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});

/** A worker that does what a test wants. */
class FakePeer implements Peer {
  readonly bell: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  readonly #replies: Reply[] = [];
  isEnded = false;
  /** What it replies. */
  onSend: (id: number) => Reply | undefined = () => undefined;

  constructor() {
    this.reply({ id: 0, answer: undefined });
  }

  reply(reply: Reply): void {
    this.#replies.push(reply);
    Atomics.add(this.bell, 0, 1);
  }

  send(id: number): void {
    const reply = this.onSend(id);
    if (reply) this.reply(reply);
  }

  take(): Reply | undefined {
    return this.#replies.shift();
  }

  end(): void {
    this.isEnded = true;
  }
}

const settings = readOptions({ prefix: "fake:", timeout: 500 });
const items = new Items(localOf(settings));

describe("Bridge", () => {
  it("Bridge waits no longer than the call may take and two seconds, and then refuses all", () => {
    const calls: readonly [boolean, number, () => Task<unknown>][] = [
      [false, 2500, () => items.get("a")],
      [true, 2500, () => items.set("a", 1)],
      // It may ask twice: for the value, which is of another Redis type, and then the script.
      [false, 3000, () => new Place(localOf(settings), ["a", "b"], false, {}).get()],
    ];
    for (const [isChange, limit, call] of calls) {
      const Class: new (...args: never[]) => JsonDictError = isChange ? AmbiguousResultError : TimeoutError;
      const peer = new FakePeer();
      const bridge = new Bridge(settings, () => peer);
      const begin = performance.now();
      const error = assertThrows(
        () => {
          bridge.run(call);
        },
        Class,
        `the worker has not answered within ${limit} ms`,
      );
      const seconds = (performance.now() - begin) / 1000;
      assert(seconds >= 2.4 && seconds < 20, `${seconds} s`);
      assertEquals([error.key, peer.isEnded], ["a", true]);
      const later = assertThrows(
        () => bridge.run(() => items.get("b")),
        UnavailableError,
        "there is no worker",
      );
      assertEquals([later.key, later.reason], ["b", "CLOSED"]);
      bridge.close(500);
      assertThrows(() => bridge.run(() => items.get("b")), TypeError, "it is closed");
    }
  });

  it("Bridge waits on while the worker says that it is at work", async () => {
    const peer = new FakePeer();
    const bridge = new Bridge(settings, () => peer);
    // It tells it each second, for longer than it may be silent.
    const ring = `onmessage = ({ data: bell }) => {
      let left = 5;
      const timer = setInterval(() => {
        Atomics.add(bell, 0, 1);
        Atomics.notify(bell, 0);
        if (--left === 0) clearInterval(timer);
      }, 1000);
      postMessage("ready");
    };`;
    const worker = new Worker(`data:text/javascript,${encodeURIComponent(ring)}`, { type: "module" });
    const isReady = new Promise((resolve) => worker.onmessage = resolve);
    worker.postMessage(peer.bell);
    await isReady;
    let told = 0;
    peer.take = () => ++told < 5 ? { id: 1, isWorking: true } : { id: 1, answer: ["a"] };
    assertEquals(bridge.run(() => items.keys()), ["a"]);
    worker.terminate();
  });

  it("Bridge tells at once that the worker has failed, and drops replies that nobody waits for", () => {
    const peer = new FakePeer();
    const bridge = new Bridge(settings, () => peer);
    peer.onSend = (id) => {
      peer.reply({ id: id - 1, answer: "late" });
      return { id, answer: '"found"' };
    };
    assertEquals(bridge.run(() => items.get("a")), "found");
    const error = { name: "Error", message: "it broke", data: undefined, cause: undefined, kept: undefined };
    peer.onSend = () => ({ id: -1, error });
    assertThrows(
      () => bridge.run(() => items.set("a", 1)),
      AmbiguousResultError,
      "the worker has failed: it broke",
    );
    assertThrows(() => bridge.run(() => items.get("a")), UnavailableError, "the worker has failed: it broke");
    assertEquals(peer.isEnded, true);
  });

  it("Bridge lets an edit end with the error of its commit, though it can leave nothing any more", () => {
    const peer = new FakePeer();
    const bridge = new Bridge(settings, () => peer);
    const answers: unknown[] = [7, { answers: ["1"], isCertain: true }]; // to join and look; none to the commit
    peer.onSend = (id) => answers.length > 0 ? { id, answer: answers.shift() } : undefined;
    const edit = (): unknown => bridge.run(() => items.edit((draft: { n: number }) => draft.n += 1));
    const error = assertThrows(edit, AmbiguousResultError, "the worker has not answered");
    assertEquals(error.operation, "edit");
    assertEquals(answers, []);
  });

  it("Bridge knows of a worker that has ended by itself", () => {
    let end = (): void => {};
    const bridge = new Bridge(settings, (onEnd) => {
      end = onEnd;
      return new FakePeer();
    });
    end();
    assertThrows(() => bridge.run(() => items.set("a", 1)), UnavailableError, "it has ended by itself");
  });
});
