/**
 * What every section gets: a connection, a corner of the server for itself, and a place to report to.
 *
 * @module
 */

import { Redis } from "ioredis";
import { compile, type compileReads } from "../src/call/call.ts";
import { readNear, readOutcomes } from "../src/call/answer.ts";
import type { Op } from "../src/data/op.ts";
import { APPLY, READ } from "../src/call/scripts.gen.ts";
import { CJSON, CJSON_READ, GET_SET, NOTHING } from "./rivals.ts";
import type { Report } from "./report.ts";

/** A run of the benchmarks. */
export class Bench {
  /** The connection of the benchmarks. */
  readonly client: Redis;
  /** Where the server is, for sections that connect by themselves. */
  readonly url: string;
  /** Put before each key, so that nothing of anybody else is touched. */
  readonly prefix: string = `bench:${crypto.randomUUID()}:`;
  /** Whether rough figures will do. */
  readonly isQuick: boolean;
  /** Where results go. */
  readonly report: Report;
  readonly #digests: Map<string, string> = new Map();

  constructor(url: string, isQuick: boolean, report: Report) {
    this.url = url;
    this.client = new Redis(url, { maxRetriesPerRequest: 0 });
    this.isQuick = isQuick;
    this.report = report;
  }

  /** Loads all scripts, so that none is loaded while the clock runs. */
  async load(): Promise<void> {
    for (const text of [APPLY.text, READ.text, NOTHING, GET_SET, CJSON, CJSON_READ]) {
      this.#digests.set(text, String(await this.client.script("LOAD", text)));
    }
  }

  /** So many rounds, or fewer when rough figures will do. */
  rounds(count: number): number {
    return this.isQuick ? 2 : count;
  }

  /** Runs a rival script on a key, with a second one for what must not go back into the first. */
  async script(text: string, key: string, ...args: string[]): Promise<unknown> {
    return await this.client.evalsha(
      this.#digest(text),
      2,
      this.prefix + key,
      `${this.prefix}${key}:out`,
      ...args,
    );
  }

  /** Sends an op as the library does, without what surrounds it in the client. */
  sender(op: (turn: number) => Op): (turn: number) => Promise<unknown> {
    // Compiled before: these figures are about the server.
    const compileAll = (near?: number) =>
      [0, 1].map((turn) => {
        const group = [op(turn)];
        return { group, call: compile(this.prefix, [group], undefined, [], near) };
      });
    let [near, calls]: [number | undefined, ReturnType<typeof compileAll>] = [undefined, compileAll()];
    return async (turn) => {
      const { group, call } = calls[turn % 2];
      const answer = await this.client.evalsha(
        this.#digest(call.script.text),
        call.keys.length,
        ...call.keys,
        ...call.args,
      );
      const [outcome] = readOutcomes([group], answer);
      // As the library does: the next call says where this one was.
      const told = readNear([group], answer);
      if (told !== near) [near, calls] = [told, compileAll(told)];
      if ("refusal" in outcome) throw new Error(`Cannot measure a refused op: ${outcome.refusal.code}`);
    };
  }

  /** Sends a compiled read. */
  async read(call: ReturnType<typeof compileReads>): Promise<string> {
    const [text] = await this.client.evalsha(
      this.#digest(call.script.text),
      call.keys.length,
      ...call.keys,
      ...call.args,
    ) as string[];
    if (text.startsWith("!")) throw new Error(`Cannot measure a refused read: ${text}`);
    return text;
  }

  #digest(text: string): string {
    const digest = this.#digests.get(text);
    if (digest === undefined) throw new Error("Cannot run a script that is not loaded");
    return digest;
  }

  /** Removes all keys of the run and ends the connection. */
  async close(): Promise<void> {
    let cursor = "0";
    do {
      const [next, keys] = await this.client.scan(cursor, "MATCH", `${this.prefix}*`, "COUNT", 1000);
      if (keys.length > 0) await this.client.unlink(keys);
      cursor = next;
    } while (cursor !== "0");
    await this.client.quit();
  }
}
