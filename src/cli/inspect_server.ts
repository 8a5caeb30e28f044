/**
 * The server of `inspect`: one page, and what it asks for. It answers nobody else.
 *
 * Whoever asks must name this address as the host, so that no other name can be bound to it; come from the page itself;
 * and know the token. The token is in the part of the address that browsers do not send: the page takes it from there,
 * and sends it as a header, which no page of another site can do.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Failure, lineOf, wrongUsage } from "./failure.ts";
import { type Inspector, type Message, readOps } from "./inspector.ts";
import { PAGE, SCRIPT_HASH, STYLE_HASH } from "./page.gen.ts";

/** What the page is told of the dictionary. */
export interface About {
  readonly address: string;
  readonly prefix: string;
  readonly separator: string;
  readonly readOnly: boolean;
}

/** The longest body, in bytes: a little more than a value of 10 MB with escapes. */
const MAX_BODY = 32 * 1024 * 1024;
/** How long a request may pause before it is complete, in milliseconds. */
const PATIENCE = 5000;
/** How many keys the list has at most. */
const MAX_KEYS = 100_000;
/** How many pages hear of changes at the same time. */
const MAX_STREAMS = 32;
/** How many connections are open at the same time; a browser keeps six. */
const MAX_CONNECTIONS = 256;
/** How often a quiet stream says that it is there, in milliseconds. */
const BEAT = 15_000;

const HEADERS = {
  "Cache-Control": "no-store",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/** The page loads nothing, from nowhere, but what is in it; and it asks only this server. */
const PAGE_POLICY = [
  "default-src 'none'",
  `script-src '${SCRIPT_HASH}'`,
  `style-src '${STYLE_HASH}'`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** A request that is refused. Nobody is told why, but who has the token. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string = "") {
    super(message);
    this.status = status;
  }
}

type Route = (body: Readonly<Record<string, unknown>>, response: ServerResponse) => Promise<void>;

/** Serves the page on this machine only. */
export class InspectServer {
  readonly #inspector: Inspector;
  readonly #about: About;
  readonly #token: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  readonly #ending: AbortController = new AbortController();
  readonly #streams: Set<Promise<void>> = new Set();
  readonly #routes: Readonly<Record<string, Route>>;
  #origin: string = "";

  /**
   * Makes a server; it does not listen yet.
   *
   * @param inspector What the page asks.
   * @param about What the page is told at first.
   */
  constructor(inspector: Inspector, about: About) {
    this.#inspector = inspector;
    this.#about = about;
    this.#token = randomBytes(32).toString("base64url");
    this.#routes = Object.assign(
      Object.create(null),
      {
        "/keys": (body, response) => this.#keys(body, response),
        "/value": (body, response) => this.#value(body, response),
        "/events": (_, response) => this.#events(response),
        "/ops": (body, response) => this.#ops(body, response),
      } satisfies Record<string, Route>,
    );
    this.#server = createServer(
      { headersTimeout: PATIENCE },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /**
   * Listens.
   *
   * @param port The port; any that is free for 0.
   * @returns The address of the page, with the token.
   * @throws {Failure} If the port is taken.
   */
  async listen(port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: Error & { code?: string }) => {
        if (error.code !== "EADDRINUSE" && error.code !== "EACCES") return reject(error);
        const why = error.code === "EACCES" ? "may not be used" : "is taken";
        reject(new Failure(`Cannot listen on port ${port}: it ${why}; write another one, or none`));
      });
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    this.#origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return `${this.#origin}/#${this.#token}`;
  }

  /** Stops at once, also what is under way. */
  async close(): Promise<void> {
    this.#ending.abort();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections?.();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#streams);
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#checkHost(request);
      if (request.url === "/") this.#page(request, response);
      else await this.#ask(request, response);
    } catch (error) {
      this.#fail(error, request, response);
    }
  }

  #fail(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    if (response.headersSent) return void response.destroy();
    const status = error instanceof Refusal ? error.status : error instanceof TypeError ? 400 : 500;
    const isStranger = error instanceof Refusal && error.message === "";
    // What is left of a body is not read.
    if (!request.complete) response.setHeader("Connection", "close");
    if (isStranger) response.writeHead(status, HEADERS).end();
    else json(response, status, { error: lineOf(error) });
  }

  #checkHost(request: IncomingMessage): void {
    if (`http://${request.headers.host}` !== this.#origin) throw new Refusal(403);
  }

  /** The page holds nothing of the dictionary, so it needs no token. No page of another site can have it in a frame. */
  #page(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "GET") throw new Refusal(405);
    const { "sec-fetch-dest": kind, origin } = request.headers;
    if (kind !== undefined && kind !== "document" || origin !== undefined) throw new Refusal(403);
    response.writeHead(200, {
      ...HEADERS,
      "Content-Security-Policy": PAGE_POLICY,
      "Content-Type": "text/html; charset=utf-8",
    }).end(PAGE);
  }

  async #ask(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers } = request;
    const site = headers["sec-fetch-site"];
    if (headers.origin !== this.#origin || site !== undefined && site !== "same-origin") {
      throw new Refusal(403);
    }
    if (!isSame(headers.authorization ?? "", `Bearer ${this.#token}`)) throw new Refusal(401);
    const route = this.#routes[request.url ?? ""];
    if (route === undefined) throw new Refusal(404);
    if (request.method !== "POST") throw new Refusal(405);
    if (headers["content-type"] !== "application/json") throw new Refusal(415);
    const body: unknown = parse(await this.#read(request));
    if (typeof body !== "object" || body === null) throw new Refusal(400, "Cannot read the request");
    await route(body as Record<string, unknown>, response);
  }

  async #read(request: IncomingMessage): Promise<string> {
    if (Number(request.headers["content-length"] ?? 0) > MAX_BODY) throw tooLarge();
    const pieces: Buffer[] = [];
    let size = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let giveUp = (): void => {};
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => giveUp(), PATIENCE);
    };
    const late = new Promise<never>((_, reject) => giveUp = () => reject(new Refusal(408)));
    wait();
    const whole = (async () => {
      for await (const piece of request) {
        size += piece.length;
        if (size > MAX_BODY) throw tooLarge();
        wait();
        pieces.push(piece);
      }
      return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
    })();
    whole.catch(() => {}); // it may fail behind the deadline
    try {
      return await Promise.race([whole, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #keys(body: Readonly<Record<string, unknown>>, response: ServerResponse): Promise<void> {
    const contains = readString(body.contains ?? "", "contains");
    const ending = endOf(response, this.#ending.signal);
    let count = 0;
    let isBegun = false;
    const begin = (): void => {
      if (!isBegun) response.writeHead(200, { ...HEADERS, ...PLAIN, "Content-Type": "application/x-ndjson" });
      isBegun = true;
    };
    try {
      for await (const rows of this.#inspector.keys(contains, MAX_KEYS, ending.signal)) {
        count += rows.length;
        begin();
        await write(response, `${JSON.stringify({ rows })}\n`);
      }
      begin();
      response.end(`${JSON.stringify({ done: true, isCut: count >= MAX_KEYS })}\n`);
    } catch (error) {
      if (ending.signal.aborted) return;
      if (!isBegun) throw error;
      response.end(`${JSON.stringify({ error: lineOf(error) })}\n`);
    } finally {
      ending.free();
    }
  }

  async #value(body: Readonly<Record<string, unknown>>, response: ServerResponse): Promise<void> {
    const key = readString(body.key, "key");
    const have = typeof body.have === "number" ? body.have : undefined;
    json(response, 200, await this.#inspector.value(key, have) ?? { key, missing: true });
  }

  async #ops(body: Readonly<Record<string, unknown>>, response: ServerResponse): Promise<void> {
    if (this.#about.readOnly) throw new Refusal(403, "Cannot change anything: the inspector is read-only");
    const key = readString(body.key, "key");
    const result = typeof body.damaged === "string"
      ? await this.#inspector.removeDamaged(key, body.damaged)
      : await this.#inspector.apply(key, readOps(body.ops));
    json(response, 200, result);
  }

  /** Server-sent events, until the page goes. */
  async #events(response: ServerResponse): Promise<void> {
    if (this.#streams.size >= MAX_STREAMS) {
      throw new Refusal(429, `Cannot show changes: ${MAX_STREAMS} pages are open already`);
    }
    response.writeHead(200, { ...HEADERS, ...PLAIN, "Content-Type": "text/event-stream" });
    const ending = endOf(response, this.#ending.signal);
    const stream = new Stream(response);
    stream.send({ about: this.#about });
    const leave = this.#inspector.listen((message) => stream.send(message));
    const beat = setInterval(() => stream.beat(), BEAT);
    const over = new Promise<void>((resolve) => {
      ending.signal.addEventListener("abort", () => resolve());
      if (ending.signal.aborted) resolve();
    }).then(async () => {
      clearInterval(beat);
      ending.free();
      await leave();
      response.destroy();
    });
    this.#streams.add(over);
    await over;
    this.#streams.delete(over);
  }
}

const PLAIN = { "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'" };

/** The stream of one page. While the page does not keep up, it is only told to read all again. */
export class Stream {
  readonly #response: ServerResponse;
  #isFull: boolean = false;
  #isBehind: boolean = false;
  /** What it was not told of the connection. */
  #trouble: Message | undefined;

  /** @param response Where it goes. */
  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("drain", () => {
      this.#isFull = false;
      if (!this.#isBehind) return;
      this.#isBehind = false;
      const trouble = this.#trouble;
      this.#trouble = undefined;
      if (trouble) this.send(trouble);
      this.send({ all: true });
    });
  }

  /** Sends a message, or notes that one is missing. */
  send(message: Message | { readonly about: About }): void {
    if (this.#isFull) {
      this.#isBehind = true;
      if ("trouble" in message) this.#trouble = message;
    } else this.#isFull = !this.#response.write(`data: ${JSON.stringify(message)}\n\n`);
  }

  /** Says that it is there. */
  beat(): void {
    if (!this.#isFull) this.#isFull = !this.#response.write(":\n\n");
  }
}

/** Aborts when the answer, or the server, ends. */
function endOf(response: ServerResponse, signal: AbortSignal): { signal: AbortSignal; free: () => void } {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  response.on("close", end);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  return { signal: ending.signal, free: () => signal.removeEventListener("abort", end) };
}

async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || response.write(text)) return;
  await new Promise<void>((resolve) => {
    response.once("drain", resolve);
    response.once("close", resolve);
  });
}

function json(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { ...HEADERS, ...PLAIN, "Content-Type": "application/json" })
    .end(JSON.stringify(answer));
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readString(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new Refusal(400, `Cannot read the request: "${name}" is no text`);
}

function tooLarge(): Refusal {
  return new Refusal(413, `Cannot read the request: it is longer than ${MAX_BODY} bytes`);
}

/**
 * Reads a port.
 *
 * @param text What the user wrote.
 * @returns The port, 0 for any.
 * @throws {Failure} If it is none.
 */
export function readPort(text: string | undefined): number {
  if (text === undefined) return 0;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw wrongUsage(`Cannot listen on the port ${JSON.stringify(text)}: expected a number up to 65535`);
}
