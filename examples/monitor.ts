/**
 * Tells the demo, by MONITOR, which commands reach the server for the keys of one prefix.
 *
 * @module
 */

import type { Redis } from "ioredis";

/** A command that the server ran, sent by a client or by a script. */
export interface Seen {
  readonly words: readonly string[];
  readonly isFromScript: boolean;
}

/** Collects the commands that name a prefix. */
export class Monitor {
  readonly #client: Redis;
  readonly #stream: Redis;
  readonly #waiting: Map<string, () => void> = new Map();
  #seen: Seen[] = [];

  private constructor(client: Redis, stream: Redis, prefix: string) {
    this.#client = client;
    this.#stream = stream;
    stream.on("monitor", (_time: string, words: string[], source: string) => {
      const wake = this.#waiting.get(words[1]);
      if (wake) wake();
      else if (words.some((word) => word.startsWith(prefix))) {
        this.#seen.push({ words, isFromScript: source === "lua" });
      }
    });
  }

  /** Starts to watch on a connection of its own. */
  static async start(client: Redis, prefix: string): Promise<Monitor> {
    return new Monitor(client, await client.monitor(), prefix);
  }

  /** The commands since the last call, once all that were answered so far have come by. */
  async take(): Promise<readonly Seen[]> {
    const mark = crypto.randomUUID();
    const reached = new Promise<void>((resolve) => this.#waiting.set(mark, resolve));
    await this.#client.echo(mark);
    await reached;
    this.#waiting.delete(mark);
    const seen = this.#seen;
    this.#seen = [];
    return seen;
  }

  /** Stops to watch. */
  stop(): void {
    this.#stream.disconnect();
  }
}

/** One command on one line: the digest of a script shortened, long texts cut, unless all of it is wanted. */
export function formatSeen({ words: [command, ...rest], isFromScript }: Seen, isWhole = false): string {
  const name = command.toUpperCase();
  const texts = rest.map((word, index) => {
    if (isWhole) return word === "" ? '""' : word;
    if (name === "EVALSHA" && index === 0) return `${word.slice(0, 7)}…`;
    return word.length > 44 ? `${word.slice(0, 24)}…` : word;
  });
  return `${isFromScript ? "└ " : ""}${[name, ...texts].join(" ")}`;
}
