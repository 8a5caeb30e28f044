/** The server of the inspector: what its page gets, and that nobody else gets anything. */

import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { Stream } from "../../src/cli/inspect_server.ts";
import { PAGE, SCRIPT_HASH, STYLE_HASH } from "../../src/cli/page.gen.ts";
import { redisUrl, testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { type Ended, runHere, startProcess, TestTerminal } from "../support/test_terminal.ts";
import { until } from "../support/until.ts";
import { startRedis } from "../../tools/redis_server.ts";

const redis = testClient();
const SECRET = "a value that nobody may see";

/** An answer as it came over the wire. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A running inspector, asked over plain sockets: nothing is added, nothing is made right. */
class Inspect {
  readonly shell: Shell;
  readonly terminal: TestTerminal;
  readonly #ended: Promise<Ended>;
  port = 0;
  token = "";

  constructor(...options: readonly string[]) {
    this.shell = new Shell(redis);
    this.terminal = new TestTerminal(this.shell.env);
    this.#ended = runHere(this.terminal, "inspect", ...options);
  }

  async ready(): Promise<this> {
    await until("the address is there", () => this.terminal.out !== "" || this.terminal.err !== "");
    const { url } = JSON.parse(this.terminal.out) as { url: string };
    const { port, hash } = new URL(url);
    this.port = Number(port);
    this.token = hash.slice(1);
    return this;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** What the page sends. */
  get headers(): Record<string, string> {
    return {
      "Host": this.host,
      "Origin": `http://${this.host}`,
      "Sec-Fetch-Site": "same-origin",
      "Authorization": `Bearer ${this.token}`,
      "Content-Type": "application/json",
    };
  }

  /** Sends one request, as it is written, and reads all that comes back. */
  async send(head: string, headers: Record<string, string>, body?: string): Promise<Answer> {
    const bytes = new TextEncoder().encode(body ?? "");
    const length: Record<string, string> = body === undefined
      ? {}
      : { "Content-Length": String(bytes.length) };
    const lines = Object.entries({ ...headers, ...length, Connection: "close" }).map(([name, value]) =>
      `${name}: ${value}\r\n`
    );
    return await this.sendRaw(`${head} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`);
  }

  async sendRaw(text: string): Promise<Answer> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    try {
      // The server may close before it has read all.
      const sent = writeAll(socket, new TextEncoder().encode(text)).catch(() => {});
      const answer = await readAll(socket);
      await sent;
      return parseAnswer(answer);
    } finally {
      socket.close();
    }
  }

  async post(route: string, body: unknown, headers: Record<string, string> = this.headers): Promise<Answer> {
    return await this.send(`POST ${route}`, headers, JSON.stringify(body));
  }

  async ask(route: string, body: unknown): Promise<unknown> {
    const answer = await this.post(route, body);
    assertEquals(answer.status, 200, answer.body);
    return JSON.parse(answer.body);
  }

  async ops(key: string, ...ops: unknown[]): Promise<unknown> {
    return await this.ask("/ops", { key, ops });
  }

  async end(): Promise<Ended> {
    this.terminal.interruption.abort();
    return await this.#ended;
  }
}

async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** All that comes, each byte as a character. */
async function readAll(socket: Deno.Conn): Promise<string> {
  const pieces: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  while (true) {
    const count = await socket.read(buffer).catch(() => null);
    if (count === null) break;
    pieces.push(buffer.slice(0, count));
  }
  return pieces.map((piece) => Array.from(piece, (byte) => String.fromCharCode(byte)).join("")).join("");
}

function parseAnswer(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const [first, ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Headers(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
  const rest = text.slice(end + 4);
  const bytes = headers.get("transfer-encoding") === "chunked" ? withoutChunks(rest) : rest;
  const body = new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1] ?? 0), headers, body };
}

function withoutChunks(text: string): string {
  let body = "";
  for (let at = 0; at < text.length;) {
    const line = text.indexOf("\r\n", at);
    const length = parseInt(text.slice(at, line), 16);
    if (!length) break;
    body += text.slice(line + 2, line + 2 + length);
    at = line + 2 + length + 2;
  }
  return body;
}

/** A stream of events, as the page reads it. */
class Events {
  readonly #socket: Deno.Conn;
  text = "";
  isOver = false;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  static async open(inspect: Inspect): Promise<Events> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: inspect.port });
    const lines = Object.entries(inspect.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await writeAll(
      socket,
      new TextEncoder().encode(`POST /events HTTP/1.1\r\n${lines}Content-Length: 2\r\n\r\n{}`),
    );
    const events = new Events(socket);
    events.#read();
    return events;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder();
    while (true) {
      const count = await this.#socket.read(buffer).catch(() => null);
      if (count === null) break;
      this.text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    this.isOver = true;
  }

  messages(): Record<string, unknown>[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].map(([, line]) => JSON.parse(line));
  }

  /** All that was told of a key. */
  news(key: string): Record<string, unknown>[] {
    return this.messages().flatMap(({ news = [] }) => news as Record<string, unknown>[])
      .filter((each) => each.key === key);
  }

  async ready(): Promise<this> {
    await until("it hears of changes", () => this.messages().some(({ all }) => all === true));
    return this;
  }

  close(): void {
    this.#socket.close();
  }
}

describe("json-dict inspect: who is answered", () => {
  let inspect: Inspect;

  beforeAll(async () => {
    inspect = await new Inspect().ready();
    await inspect.shell.put("secret", JSON.stringify(SECRET));
  });
  afterAll(async () => void await inspect.end());

  /** A refusal says nothing at all. */
  function assertNothing(answer: Answer, what: string): void {
    assert(answer.status >= 400 || answer.status === 0, `${what}: ${answer.status}`);
    assert(!answer.body.includes(SECRET) && !answer.body.includes("json-dict"), what);
    assertEquals(answer.headers.get("access-control-allow-origin"), null, what);
  }

  it("inspect answers its page, which knows nothing, and asks for nothing from elsewhere", async () => {
    const { status, headers, body } = await inspect.send("GET /", { Host: inspect.host });
    assertEquals(status, 200);
    assertEquals(body.trim(), PAGE.trim());
    assert(!body.includes(inspect.token) && !body.includes(inspect.shell.prefix));
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("x-frame-options"), "DENY");
    const policy = headers.get("content-security-policy")!;
    assertMatch(policy, /^default-src 'none'; /);
    for (
      const part of [`script-src '${SCRIPT_HASH}'`, `style-src '${STYLE_HASH}'`, "frame-ancestors 'none'"]
    ) {
      assert(policy.includes(part), part);
    }
    assert(!/unsafe|\*|https?:/.test(policy), policy);
    const page = PAGE.replace(/\/\*![\s\S]*?\*\//, "").replaceAll("http://www.w3.org/", "");
    assertEquals(page.match(/https?:\/\/[^"'\s]*/g)?.filter((it) => !/preactjs\.com/.test(it)) ?? [], []);
  });

  it("inspect answers what the page asks", async () => {
    const { status, headers, body } = await inspect.post("/value", { key: "secret" });
    assertEquals(status, 200);
    assertEquals(JSON.parse(body).text, JSON.stringify(SECRET));
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(headers.get("x-content-type-options"), "nosniff");
  });

  it("inspect refuses any other host, as behind a name that was bound to this address", async () => {
    const { host } = inspect;
    const hosts = [
      "evil.example",
      `evil.example:${inspect.port}`,
      `localhost:${inspect.port}`,
      "127.0.0.1",
      "",
    ];
    hosts.push(`${host}.`, `${host}@evil.example`, `127.0.0.2:${inspect.port}`, `[::1]:${inspect.port}`);
    for (const Host of hosts) {
      assertNothing(await inspect.send("GET /", { Host }), Host);
      const origin = { Origin: `http://${Host}` };
      assertNothing(
        await inspect.post("/value", { key: "secret" }, { ...inspect.headers, Host, ...origin }),
        Host,
      );
    }
    assertNothing(await inspect.sendRaw("GET / HTTP/1.0\r\n\r\n"), "no host");
    const twice = `GET / HTTP/1.1\r\nHost: evil.example\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    assertNothing(await inspect.sendRaw(twice), "two hosts");
    assertNothing(
      await inspect.send("GET http://evil.example/", { Host: "evil.example" }),
      "a whole address",
    );
  });

  it("inspect refuses pages of other sites, and those that hide where they come from", async () => {
    const ask = { key: "secret" };
    const { Origin: _, ...anonymous } = inspect.headers;
    assertNothing(await inspect.post("/value", ask, anonymous), "no origin");
    const port = inspect.port;
    for (
      const Origin of [
        "null",
        "http://evil.example",
        `https://127.0.0.1:${port}`,
        `http://localhost:${port}`,
        `http://127.0.0.1:${port + 1}`,
        `http://127.0.0.1:${port}.evil.example`,
        `http://127.0.0.1:${port}/`,
      ]
    ) {
      assertNothing(await inspect.post("/value", ask, { ...inspect.headers, Origin }), Origin);
      assertNothing(await inspect.send("GET /", { Host: inspect.host, Origin }), Origin);
    }
    for (const site of ["cross-site", "same-site", "none", "", "same-origin, cross-site"]) {
      const headers = { ...inspect.headers, "Sec-Fetch-Site": site };
      assertNothing(await inspect.post("/value", ask, headers), site);
    }
    // The page in a frame, as a script, as a picture.
    for (const kind of ["iframe", "script", "image", "empty", "object", "style"]) {
      const headers = { Host: inspect.host, "Sec-Fetch-Dest": kind, "Sec-Fetch-Site": "cross-site" };
      assertNothing(await inspect.send("GET /", headers), kind);
    }
    const { status, headers } = await inspect.send("OPTIONS /value", {
      Host: inspect.host,
      Origin: "http://evil.example",
      "Access-Control-Request-Method": "POST",
    });
    assert(status >= 400);
    assertEquals([...headers.keys()].filter((name) => name.startsWith("access-control")), []);
  });

  it("inspect refuses who does not know the token", async () => {
    const { token } = inspect;
    const { Authorization: _, ...stranger } = inspect.headers;
    for (const route of ["/keys", "/value", "/events", "/ops", "/nothing"]) {
      assertNothing(await inspect.post(route, { key: "secret" }, stranger), route);
      for (
        const Authorization of [
          token,
          `bearer ${token}`,
          "Bearer ",
          `Bearer ${token.slice(1)}`,
          `Bearer ${token}${token}`,
          `Bearer ${token.toLowerCase()}`,
          "Bearer undefined",
          `Basic ${btoa(token)}`,
        ]
      ) {
        assertNothing(
          await inspect.post(route, { key: "secret" }, { ...stranger, Authorization }),
          Authorization,
        );
      }
      const Cookie = `token=${token}`;
      assertNothing(await inspect.post(`${route}?token=${token}`, {}, { ...stranger, Cookie }), "elsewhere");
    }
  });

  it("inspect knows its routes only as they are written", async () => {
    for (
      const path of [
        "//",
        "//value",
        "/value/",
        "/./value",
        "/x/../value",
        "/../value",
        "/%76alue",
        "/value%00",
        "/value?x",
        "/value#x",
        "/Value",
        "/__proto__",
        "/constructor",
        "/toString",
        "/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/\\..\\value",
        "*",
      ]
    ) {
      const answer = await inspect.post(path, { key: "secret" });
      // A server may make the path plain before it is looked at; then it is the route itself.
      if (/^\/(?:\.|x\/\.\.|\.\.)\/value$|^\/value#x$/.test(path) && answer.status === 200) continue;
      assertNothing(answer, path);
      const page = await inspect.send(`GET ${path}`, { Host: inspect.host });
      assertNothing(page, path);
    }
  });

  it("inspect refuses other methods and other kinds of bodies", async () => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "FOO"]) {
      for (const route of ["/keys", "/value", "/events", "/ops"]) {
        const body = method === "GET" || method === "HEAD" ? undefined : "{}";
        assertNothing(await inspect.send(`${method} ${route}`, inspect.headers, body), `${method} ${route}`);
      }
      if (method !== "GET") assertNothing(await inspect.send(`${method} /`, inspect.headers), `${method} /`);
    }
    for (
      const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json, text/plain",
        "",
      ]
    ) {
      const headers = { ...inspect.headers, "Content-Type": type };
      assertNothing(await inspect.post("/value", { key: "secret" }, headers), type);
    }
    for (
      const body of ["", "{", "null", "1", '"secret"', "[]", "{}", '{"key":1}', '{"key":{}}', '{"key":null}']
    ) {
      const answer = await inspect.send("POST /value", inspect.headers, body);
      assertEquals(answer.status, 400, body);
    }
    const invalid = await inspect.sendRaw(
      `POST /value HTTP/1.1\r\n${
        Object.entries(inspect.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
      }Content-Length: nothing\r\n\r\n{}`,
    );
    assertNothing(invalid, "a length that is none");
  });

  it("inspect refuses huge bodies without reading them, with and without a length", async () => {
    const head = Object.entries(inspect.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const declared = await inspect.sendRaw(
      `POST /ops HTTP/1.1\r\n${head}Content-Length: 99999999999\r\n\r\n{`,
    );
    assertEquals(declared.status, 413);
    const piece = `100000\r\n${" ".repeat(0x100000)}\r\n`;
    const chunked = await inspect.sendRaw(
      `POST /ops HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n${piece.repeat(34)}`,
    );
    assert(chunked.status === 413 || chunked.status === 0, String(chunked.status));
    const { Authorization: _, ...stranger } = inspect.headers;
    const unknown = await inspect.send("POST /ops", stranger, " ".repeat(40_000_000));
    assert(unknown.status === 401 || unknown.status === 0);
    assertEquals((await inspect.post("/value", { key: "secret" })).status, 200); // it lives on
  });

  it("inspect gives up on a body that does not come", async () => {
    const head = Object.entries(inspect.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const answer = await inspect.sendRaw(`POST /ops HTTP/1.1\r\n${head}Content-Length: 100\r\n\r\n{`);
    assertNothing(answer, "a slow body");
  });

  it("inspect listens to this machine only", async () => {
    const others = Deno.networkInterfaces().filter(({ family, address }) =>
      family === "IPv4" && !address.startsWith("127.")
    );
    for (const { address } of others) {
      const reached = await Deno.connect({ hostname: address, port: inspect.port }).then((socket) => {
        socket.close();
        return true;
      }, () => false);
      assertEquals(reached, false, address);
    }
  });
});

describe("json-dict inspect: what the page asks", () => {
  let inspect: Inspect;

  beforeAll(async () => {
    inspect = await new Inspect().ready();
  });
  afterAll(async () => void await inspect.end());

  async function keysOf(contains = ""): Promise<unknown[]> {
    const { status, body } = await inspect.post("/keys", { contains });
    assertEquals(status, 200);
    const lines = body.trimEnd().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
    assertEquals(lines.at(-1), { done: true, isCut: false });
    return lines.flatMap(({ rows = [] }) => rows as unknown[]).sort();
  }

  it("inspect lists keys with sizes and expiry, without what is no string", async () => {
    await inspect.shell.put("list:a", '"Lodz"');
    await redis.set(`${inspect.shell.prefix}list:b`, "1", "PX", 600_000);
    await redis.lpush(`${inspect.shell.prefix}list:no`, "1");
    const [a, b, ...others] = await keysOf("list:") as [unknown[], unknown[]];
    assertEquals(a, ["list:a", 6, null]);
    assertEquals(b.slice(0, 2), ["list:b", 1]);
    assert(Number(b[2]) > 500_000 && Number(b[2]) <= 600_000);
    assertEquals(others, []);
    assertEquals(await keysOf("no such key"), []);
  });

  it("inspect reads texts as they are, then only in what they differ", async () => {
    const text = '{ "n": 12345678901234567890, "x": 1.50, "s": "\\u0041" }\n';
    await inspect.shell.put("text", text);
    const first = await inspect.ask("/value", { key: "text" }) as { version: number; text: string };
    assertEquals(first, { key: "text", version: first.version, ttl: null, text } as typeof first);
    await inspect.shell.put("text", text.replace("1.50", "2.5e0"));
    const next = await inspect.ask("/value", { key: "text", have: first.version }) as {
      version: number;
      splice: [number, number, string];
    };
    const [start, end, insert] = next.splice;
    assertEquals(text.slice(0, start) + insert + text.slice(end), text.replace("1.50", "2.5e0"));
    assert(insert.length < 6);
    // Another page has another version, or none that is known.
    const other = await inspect.ask("/value", { key: "text", have: 1_000_000 }) as { text: string };
    assertEquals(other.text, text.replace("1.50", "2.5e0"));
    const foreign = await inspect.ask("/value", { key: "list:a", have: first.version }) as { text?: string };
    assertEquals(foreign.text, '"Lodz"');
    assertEquals(await inspect.ask("/value", { key: "none" }), { key: "none", missing: true });
  });

  it("inspect says what is wrong with damaged values, and shows their text", async () => {
    await inspect.shell.put("damaged", '{"a":');
    const damaged = await inspect.ask("/value", { key: "damaged" }) as { text: string; problem: string };
    assertEquals(damaged.text, '{"a":');
    assertMatch(damaged.problem, /^It is not JSON: /);
    await redis.set(`${inspect.shell.prefix}bytes`, Buffer.from([0x22, 0xff, 0x22]));
    const bytes = await inspect.ask("/value", { key: "bytes" }) as { problem: string };
    assertMatch(bytes.problem, /UTF-8/);
    const { status, body } = await inspect.post("/value", { key: "list:no" });
    assertEquals(status, 500);
    assertMatch(JSON.parse(body).error, /list:no/);
  });

  it("inspect changes a place only while it is as it was seen, and no other byte", async () => {
    await inspect.shell.put("edit", '{ "a": 1.0, "b": [1, 2],\n "c": 12345678901234567890 }');
    assertEquals(
      await inspect.ops(
        "edit",
        { kind: "test", path: ["a"], value: "1.0" },
        { kind: "set", path: ["a"], value: "9007199254740993.0e0" },
      ),
      { done: true },
    );
    const text = '{ "a": 9007199254740993.0e0, "b": [1, 2],\n "c": 12345678901234567890 }';
    assertEquals(await inspect.shell.text("edit"), text);
    for (
      const guard of [
        { kind: "test", path: ["a"], value: "1.0" },
        { kind: "test", path: ["a"], value: "9007199254740992.0" }, // equal as a double, but another text
        { kind: "length", path: ["b"], count: 3 },
        { kind: "absent", path: ["b"] },
        { kind: "exists", path: ["z"] },
      ]
    ) {
      const { conflict } = await inspect.ops("edit", guard, { kind: "set", path: ["a"], value: "0" }) as {
        conflict: number;
      };
      assertEquals(conflict, 0, JSON.stringify(guard));
    }
    assertEquals(await inspect.shell.text("edit"), text);
  });

  it("inspect guards whole values", async () => {
    await inspect.shell.put("whole", ' {"a":1} \n');
    const gone = { kind: "delete", path: [] };
    assertEquals(
      Object.keys(
        await inspect.ops("whole", { kind: "test", path: [], value: '{"a":2}' }, gone) as object,
      )[0],
      "conflict",
    );
    assertEquals(await inspect.ops("whole", { kind: "test", path: [], value: ' {"a":1} \n' }, gone), {
      done: true,
    });
    assertEquals(await inspect.shell.text("whole"), null);
  });

  it("inspect removes what is damaged only while it is as it was seen, byte for byte", async () => {
    const name = `${inspect.shell.prefix}broken`;
    for (
      const [seen, there, isRemoved] of [
        ['{"a":1,', '{"a":1,', true],
        ['{"a":1,', '{"a":1,"b":2}', false], // somebody has mended it
        ['{"a":1,', '{"a":2,', false],
        ['{"a":1,', null, false],
        ["", "", true],
        ['"\ufffd"', Buffer.from([0x22, 0xff, 0x22]), true],
        ['"\ufffd"', Buffer.from([0x22, 0xff, 0xff, 0x22]), false],
      ] as const
    ) {
      await redis.del(name);
      if (there !== null) await redis.set(name, there);
      const result = await inspect.ask("/ops", { key: "broken", damaged: seen });
      assertEquals(
        Object.keys(result as object)[0],
        isRemoved ? "done" : "conflict",
        JSON.stringify([seen, there]),
      );
      const left = (await redis.getBuffer(name))?.toString("hex");
      assertEquals(
        left,
        isRemoved || there === null ? undefined : Buffer.from(there as string).toString("hex"),
      );
    }
    await redis.del(name);
    await redis.rpush(name, "a list");
    assertEquals((await inspect.post("/ops", { key: "broken", damaged: "" })).status, 500);
    assertEquals(await redis.lrange(name, 0, -1), ["a list"]);
    assertEquals((await inspect.post("/ops", { key: "\ud800", damaged: "" })).status, 400);
    await redis.del(name);
  });

  it("inspect adds, renames, moves and expires", async () => {
    await inspect.shell.put("all", '{"a":[1,2,3],"b":{}}');
    const { ops } = { ops: (...list: unknown[]) => inspect.ops("all", ...list) };
    await ops({ kind: "push", path: ["a"], items: ['"x"'] });
    await ops({ kind: "copy", path: ["a", 0] }, { kind: "delete", path: ["a", 0] }, {
      kind: "add",
      path: ["a", 2],
    });
    await ops({ kind: "copy", path: ["b"] }, { kind: "add", path: ["__proto__"] }, {
      kind: "delete",
      path: ["b"],
    });
    await ops({ kind: "expire", path: [], ttl: 600_000 });
    assertEquals(await inspect.shell.text("all"), '{"a":[2,3,1,"x"],"__proto__":{}}');
    assert(await redis.pttl(`${inspect.shell.prefix}all`) > 0);
    await ops({ kind: "persist", path: [] });
    assertEquals(await redis.pttl(`${inspect.shell.prefix}all`), -1);
    assertEquals(
      await inspect.ops("fresh", { kind: "absent", path: [] }, { kind: "set", path: [], value: '"\ud800"' }),
      { done: true },
    );
    assertEquals(await inspect.shell.text("fresh"), '"\\ud800"');
  });

  it("inspect refuses what is no op, and applies nothing of it", async () => {
    await inspect.shell.put("kept", '{"a":1}');
    const set = { kind: "set", path: ["a"], value: "2" };
    const wrong: unknown[] = [
      undefined,
      null,
      [],
      {},
      "set",
      [null],
      Array(101).fill(set),
      [set, { kind: "constructor", path: [] }],
      [set, { kind: "__proto__", path: [] }],
      [set, { kind: "increment", path: ["a"], by: "1" }],
      [set, { kind: "set", path: "a", value: "1" }],
      [set, { kind: "set", path: [1.5], value: "1" }],
      [set, { kind: "set", path: [null], value: "1" }],
      [set, { kind: "set", path: ["a"], value: 1 }],
      [set, { kind: "set", path: ["a"], value: "1}" }],
      [set, { kind: "set", path: ["a"], value: "" }],
      [set, { kind: "set", path: ["a"], value: 'x","b":"' }],
      [set, { kind: "push", path: ["a"], items: "1" }],
      [set, { kind: "push", path: ["a"], items: ["1,2"] }],
      [set, { kind: "length", path: ["a"], count: -1 }],
      [set, { kind: "expire", path: [], ttl: 0 }],
    ];
    for (const ops of wrong) {
      const { status, body } = await inspect.post("/ops", { key: "kept", ops });
      assertEquals(status, 400, JSON.stringify(ops));
      assertMatch(JSON.parse(body).error, /^Cannot change: /);
    }
    assertEquals(await inspect.shell.text("kept"), '{"a":1}');
    assertEquals((await inspect.post("/ops", { key: "\ud800", ops: [set] })).status, 400);
  });

  it("inspect takes hostile keys and values as texts", async () => {
    const names = [
      "",
      "__proto__",
      "then",
      "<script>alert(1)</script>",
      "\n\r\n\r",
      "*",
      "a\0b",
      "data: {}\n\n",
    ];
    for (const name of names) {
      const value = JSON.stringify({ [name]: `</script><img src=x onerror=alert(1)>${name}` });
      await inspect.shell.put(name, value);
      const read = await inspect.ask("/value", { key: name }) as { key: string; text: string };
      assertEquals([read.key, read.text], [name, value]);
      assertEquals(await inspect.ops(name, { kind: "set", path: [name], value: "1" }), { done: true });
      assertEquals(await inspect.shell.text(name), `{${JSON.stringify(name)}:1}`);
    }
    const { headers } = await inspect.post("/value", { key: "<script>alert(1)</script>" });
    assertEquals(headers.get("content-type"), "application/json");
  });

  it("inspect tells of changes by anyone, and in what short values differ", async () => {
    await inspect.shell.put("news", '{"a":1,"b":[1]}');
    const events = await (await Events.open(inspect)).ready();
    try {
      assertEquals(events.messages()[0], {
        about: {
          address: redisUrl.replace(/\/$/, ""),
          prefix: inspect.shell.prefix,
          separator: ":",
          readOnly: false,
        },
      });
      await keysOf("news");
      await inspect.shell.put("news", '{"a":2,"b":[1,7]}');
      await until("the change is told", () => events.news("news").length > 0);
      assertEquals(events.news("news").at(-1), {
        key: "news",
        row: ["news", 17, null],
        steps: [{ path: ["a"], before: "1", after: "2" }, { path: ["b", 1], after: "7" }],
        count: 2,
      });
      await redis.del(`${inspect.shell.prefix}news`);
      await until("it is told that it is gone", () => events.news("news").at(-1)?.row === undefined);
      await redis.set(`${inspect.shell.prefix}short`, "1", "PX", 300);
      await until(
        "the end of an expiry is told",
        () => events.news("short").length > 1 && events.news("short").at(-1)?.row === undefined,
      );
      // What is damaged, or of another type, ends nothing.
      await inspect.shell.put("news", "{");
      await redis.lpush(`${inspect.shell.prefix}strange`, "1");
      await inspect.shell.put("last", "1");
      await until("the last is told", () => events.news("last").length > 0);
      const hostile = "data: {}\n\nevent: x";
      await inspect.shell.put(hostile, "1");
      await until("the hostile key is told", () => events.news(hostile).length > 0);
    } finally {
      events.close();
    }
  });
});

describe("json-dict inspect: its life", () => {
  it("inspect tells that a key has expired when the server does not say so", async () => {
    await using server = await startRedis({ args: ["--enable-debug-command", "yes"] });
    const lazy = new Redis(server.url);
    await lazy.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    const inspect = await new Inspect("--url", server.url).ready();
    const events = await (await Events.open(inspect)).ready();
    await lazy.set(`${inspect.shell.prefix}short`, "1", "PX", 300);
    await until("the key is told", () => events.news("short").length > 0);
    await until("its end is told", () => events.news("short").at(-1)?.row === undefined);
    events.close();
    await inspect.end();
    lazy.disconnect();
  });

  it("inspect tells a page that did not keep up to read all again, and how the connection is", () => {
    const sent: string[] = [];
    let isRoom = true;
    const response = Object.assign(new EventEmitter(), {
      write: (text: string) => {
        sent.push(text);
        return isRoom;
      },
    });
    const stream = new Stream(response as unknown as ServerResponse);
    isRoom = false;
    stream.send({ news: [{ key: "a" }] });
    for (const message of [{ trouble: "lost" }, { news: [{ key: "b" }] }, { trouble: null }]) {
      stream.send(message);
    }
    assertEquals(sent.splice(0), ['data: {"news":[{"key":"a"}]}\n\n']);
    isRoom = true;
    response.emit("drain");
    assertEquals(sent.splice(0), ['data: {"trouble":null}\n\n', 'data: {"all":true}\n\n']);
    response.emit("drain");
    stream.send({ all: true });
    assertEquals(sent, ['data: {"all":true}\n\n']);
  });

  it("inspect --read-only refuses every change", async () => {
    const inspect = await new Inspect("--read-only").ready();
    await inspect.shell.put("a", "1");
    const set = { kind: "set", path: [], value: "2" };
    const { status, body } = await inspect.post("/ops", { key: "a", ops: [set] });
    assertEquals(status, 403);
    assertMatch(JSON.parse(body).error, /read-only/);
    assertEquals((await inspect.post("/ops", { key: "a", damaged: "1" })).status, 403);
    assertEquals(await inspect.shell.text("a"), "1");
    await inspect.end();
  });

  it("inspect ends with Ctrl-C at once, with pages that listen and bodies that do not come", async () => {
    const inspect = await new Inspect().ready();
    const events = await (await Events.open(inspect)).ready();
    const slow = await Deno.connect({ hostname: "127.0.0.1", port: inspect.port });
    const head = Object.entries(inspect.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await writeAll(
      slow,
      new TextEncoder().encode(`POST /ops HTTP/1.1\r\n${head}Content-Length: 100\r\n\r\n{`),
    );
    const { code, err } = await inspect.end();
    assertEquals([code, err], [130, ""]);
    await until("the stream is over", () => events.isOver);
    events.close();
    assertEquals(await readAll(slow), "");
    slow.close();
    const refused = await Deno.connect({ hostname: "127.0.0.1", port: inspect.port }).then(
      (socket) => socket.close(),
      () => "refused",
    );
    assertEquals(refused, "refused");
  });

  it("inspect has another token each time, and takes the port that it is given", async () => {
    const first = await new Inspect().ready();
    const { port } = first;
    const taken = await new Shell(redis).run("inspect", "--port", String(port));
    assertEquals(taken.code, 1);
    assertMatch(taken.err, /^json-dict: Cannot listen on port \d+: it is taken[^\n]*\n$/);
    await first.end();
    const second = await new Inspect("--port", String(port)).ready();
    assertEquals(second.port, port);
    assert(second.token !== first.token && second.token.length === 43);
    const old = { ...second.headers, Authorization: `Bearer ${first.token}` };
    assertEquals((await second.post("/keys", {}, old)).status, 401);
    await second.end();
    for (const wrong of ["-1", "65536", "x", "80.5", ""]) {
      const { code, err } = await new Shell(redis).run("inspect", "--port", wrong);
      assertEquals([code, err.split(":")[1]], [2, ' Cannot listen on the port "' + wrong + '"']);
    }
    assertEquals((await new Shell(redis).run("inspect", "--separator", "")).code, 2);
  });

  it("inspect as a process shows its address, no password, and ends with a signal", async () => {
    const shell = new Shell(redis);
    const url = new URL(redisUrl);
    url.username = "default";
    url.password = "hunter2secret";
    // The test server has no password; a user without one takes any.
    const child = startProcess(["inspect"], { ...shell.env, REDIS_URL: url.href });
    await child.stdin.close();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const out = new TextDecoder().decode(value);
    const page = (JSON.parse(out) as { url: string }).url;
    assertMatch(page, /^http:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}$/);
    const { host, hash } = new URL(page);
    const answer = await fetch(`http://${host}/events`, {
      method: "POST",
      headers: {
        "Authorization": `Bearer ${hash.slice(1)}`,
        "Content-Type": "application/json",
        "Origin": `http://${host}`,
      },
      body: "{}",
    });
    const body = answer.body!.getReader();
    const first = new TextDecoder().decode((await body.read()).value);
    assert(first.includes(`"address":"redis://${url.host}`) && !first.includes("hunter2"), first);
    child.kill("SIGINT");
    await body.cancel().catch(() => {});
    reader.releaseLock();
    const { code, stderr } = await child.output();
    assertEquals(code, 130);
    assertEquals(new TextDecoder().decode(stderr), "");
  });

  it("inspect --open leads the browser there without the token in any argument, and leaves no file", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const seen = `${folder}/seen`;
      for (const name of ["xdg-open", "open"]) {
        await Deno.writeTextFile(
          `${folder}/${name}`,
          `#!/bin/sh\necho "$@" > ${seen}.part; cat "$1" >> ${seen}.part; mv ${seen}.part ${seen}\n`,
          { mode: 0o755 },
        );
      }
      const shell = new Shell(redis);
      const child = startProcess(["inspect", "--open"], {
        ...shell.env,
        PATH: `${folder}:${Deno.env.get("PATH")}`,
      });
      await child.stdin.close();
      await until("the browser is opened", () => Deno.stat(seen).then(() => true, () => false));
      const [argument, page] = (await Deno.readTextFile(seen)).split("\n");
      const [, token] = /127\.0\.0\.1:\d+\/#([\w-]{43})/.exec(page)!;
      assert(!argument.includes(token));
      assertEquals(((await Deno.stat(argument)).mode ?? 0) & 0o777, 0o600);
      child.kill("SIGTERM");
      const { code } = await child.output();
      assertEquals(code, 130);
      assertEquals(await Deno.stat(argument).then(() => "there", () => "gone"), "gone");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
