/**
 * The REST protocol of Upstash before a test server.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Redis } from "ioredis";

/** What it does with a request, beside answering it. */
export type Mood = "answers" | "is not JSON" | "fails" | "refuses";

/** An HTTP server before a Redis. */
export class RestServer implements AsyncDisposable {
  /** The token that it wants. */
  readonly token: string = crypto.randomUUID();
  /** What it does from now on. */
  mood: Mood = "answers";
  /** How many requests it has had. */
  requests = 0;
  /** The sync tokens that came with them. */
  readonly syncTokens: string[] = [];
  readonly #server: Server;
  readonly #client: Redis;

  private constructor(redisUrl: string) {
    this.#client = new Redis(redisUrl);
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  /** Starts one on a free port. */
  static async start(redisUrl: string): Promise<RestServer> {
    const server = new RestServer(redisUrl);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** Where it is. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, {
        "content-type": "application/json",
        "upstash-sync-token": `token-${this.requests}`,
      });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };
    const token = request.headers["upstash-sync-token"];
    if (typeof token === "string") this.syncTokens.push(token);
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      return answer(401, { error: "WRONGPASS invalid or missing auth token" });
    }
    const body = await new Response(new Blob(chunks as BlobPart[])).json();
    const commands: string[][] = request.url === "/pipeline" ? body : [body];
    if (this.mood === "refuses") return answer(400, { error: "ERR max daily request limit exceeded" });
    if (this.mood === "fails") return answer(502, `bad gateway for Bearer ${this.token}`);
    const answers = await Promise.all(
      commands.map(([command, ...args]) =>
        this.#client.call(command, ...args).then(
          (result) => ({ result }),
          (error: Error) => ({ error: error.message }),
        )
      ),
    );
    if (this.mood === "is not JSON") return answer(200, "<html>");
    if (request.url === "/pipeline") answer(200, answers);
    else answer("error" in answers[0] ? 400 : 200, answers[0]);
  }

  /** Ends all connections, and the one to Redis. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    await this.#client.quit();
  }
}
