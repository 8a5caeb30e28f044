/** What each operation of the language costs: the commands that a server sees, counted by MONITOR. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { connect as connectTo, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { connect, dictionary, type Facade, toPlain } from "../../sync.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";
import { until } from "../support/until.ts";

// deno-lint-ignore no-explicit-any -- programs without types are what it is for
type Any = any;

const client = testClient();

/** Sees the commands that name a prefix, but not those that scripts call. On a socket of its own: nothing else may come. */
class Counter implements Disposable {
  readonly #prefix: string;
  readonly #beside: Redis;
  readonly #socket: Socket;
  readonly #seen: string[] = [];
  #marks = 0;

  private constructor(prefix: string, beside: Redis, socket: Socket) {
    this.#prefix = prefix;
    this.#beside = beside;
    this.#socket = socket;
  }

  static async start(prefix: string, url: string = redisUrl, beside: Redis = client): Promise<Counter> {
    const { hostname, port } = new URL(url);
    const socket = connectTo(Number(port), hostname);
    const counter = new Counter(prefix, beside, socket);
    let isReady = false;
    createInterface({ input: socket }).on("line", (line) => {
      if (line === "+OK") isReady = true;
      if (!line.includes(" lua] ") && line.includes(prefix)) counter.#seen.push(line);
    });
    socket.write("MONITOR\r\n");
    await until("the server shows its commands", () => isReady);
    return counter;
  }

  /** The commands of an operation. */
  async of(use: () => unknown): Promise<string[]> {
    await this.#mark();
    const from = this.#seen.length;
    use();
    await this.#mark();
    return this.#seen.slice(from, -1).map((line) => /\] "(\w+)"/.exec(line)![1].toUpperCase());
  }

  /** Waits until all that was sent before is seen. */
  async #mark(): Promise<void> {
    const mark = `${this.#prefix}mark:${this.#marks++}`;
    await this.#beside.echo(mark);
    await until("the mark is seen", () => this.#seen.at(-1)?.includes(`"${mark}"`) === true);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function disposable(client: Redis): AsyncDisposable & { readonly client: Redis } {
  return { client, [Symbol.asyncDispose]: async () => void await client.quit() };
}

describe("The cost of ./sync", () => {
  it("each operation of the language is one fetch or one change, however many members there are", async () => {
    const prefix = uniquePrefix("fetches");
    using lab = connect(redisUrl, { prefix }) as Facade<object> & { [key: string]: Any };
    using counter = await Counter.start(prefix);
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`m${index}`, { n: index }]));
    lab.many = many;
    lab.one = { only: 1 };
    lab.text = "x";
    lab.list = Array.from({ length: 51 }, (_, index) => ({ n: index, list: [index] }));
    const { many: object, list, one } = lab;
    const uses: [number, () => unknown][] = [
      [1, () => lab.text],
      [1, () => lab.many],
      [1, () => lab.nothing],
      [2, () => lab.many.m1],
      [1, () => "text" in lab],
      [1, () => "m1" in object],
      [1, () => Object.hasOwn(object, "m1")],
      [1, () => Object.keys(object)],
      [1, () => Object.entries(object)],
      [1, () => Object.values(object)],
      [1, () => ({ ...object })],
      [1, () => ({ ...one })],
      [1, () => Object.entries(one)],
      [1, () => Object.assign({}, object)],
      [1, () => Object.getOwnPropertyNames(object)],
      [1, () => JSON.stringify(object)],
      [1, () => JSON.stringify([list, 1])],
      [1, () => toPlain(list)],
      [1, () => Deno.inspect(object)],
      [1, () => `${list}`],
      [1, () => [...list]],
      [1, () => list.length],
      [1, () => Object.keys(list)],
      [1, () => Object.entries(list)],
      [1, () => ({ ...list })],
      [1, () => Object.getOwnPropertyDescriptors(list)],
      [1, () => Object.getOwnPropertyDescriptors(object)],
      [1, () => {
        for (const each of list) void each;
      }],
      [1, () => {
        for (const name in object) void name;
      }],
      [1, () => list.map((each: Any) => each.n + each.list[0])],
      [1, () => list.filter((each: Any) => "n" in each && Object.keys(each).length === 2)],
      [1, () => list.find((each: Any) => each.n === 50)],
      [1, () => list.reduce((sum: number, each: Any) => sum + each.n, 0)],
      [1, () => list.flatMap((each: Any) => each.list)],
      [1, () => list.indexOf(1)],
      [1, () => list.join()],
      [1, () => list.toSorted((a: Any, b: Any) => b.n - a.n)],
      [1, () => object.m1 = 1],
      [1, () => lab.text = "y"],
      [1, () => delete object.m2],
      [1, () => delete lab.nothing],
      [1, () => list.push({ n: 1 }, { n: 2 })],
      [1, () => list.pop()],
      [1, () => list.splice(0, 1)],
      [1, () => list[0] = 1],
      [2, () => list.reverse()], // what is there, and one guarded write
      [2, () => list.fill(1)],
      [3, () => lab.text = lab.many], // what it is, its text, and the write
    ];
    for (const [count, use] of uses) {
      // Where the machine pauses in the middle of a walk, it reads once more.
      let fewest = Infinity;
      for (let run = 0; run < 50 && fewest > count; run++) {
        const commands = await counter.of(use);
        fewest = Math.min(fewest, commands.length);
      }
      assertEquals([fewest, String(use)], [count, String(use)]);
    }
  });

  it("what goes through the dictionary is one scan, and one read for all values", async () => {
    const prefix = uniquePrefix("fetches");
    // On a server of its own: with what others have there, a scan would take several pages.
    await using server = await startRedis();
    await using beside = disposable(new Redis(server.url));
    using lab = connect(server.url, { prefix }) as Facade<object> & { [key: string]: Any };
    using counter = await Counter.start(prefix, server.url, beside.client);
    dictionary(lab as Facade<Record<string, number>>).update({ a: 1, b: 2, c: 3 });
    const uses: [string[], () => unknown][] = [
      [["SCAN"], () => Object.keys(lab)],
      [["SCAN", "MGET"], () => Object.entries(lab)],
      [["SCAN", "MGET"], () => ({ ...lab })],
      [["SCAN", "MGET"], () => JSON.stringify(lab)],
      [["SCAN", "MGET"], () => Deno.inspect(lab)],
      [["SCAN", "MGET"], () => toPlain(lab)],
    ];
    for (const [expected, use] of uses) {
      let commands: string[] = [];
      // A machine that is busy may interrupt the engine within one operation; what was fetched is then too old for it.
      for (let run = 0; run < 50 && commands.length !== expected.length; run++) {
        commands = await counter.of(use);
      }
      assertEquals([commands, String(use)], [expected, String(use)]);
    }
  });

  it("a program that looks like the engine reads what is there", () => {
    const prefix = uniquePrefix("fetches");
    using lab = connect(redisUrl, { prefix }) as Facade<object> & { [key: string]: Any };
    using other = connect(redisUrl, { prefix }) as Facade<object> & { [key: string]: Any };
    lab.one = { only: 1 };
    lab.many = { a: 1, b: 1 };
    const { one, many } = lab;
    assertEquals(Object.keys(one), ["only"]);
    other.one.only = 2; // through another facade
    assertEquals(one.only, 2);
    const seen: unknown[] = [];
    for (const name in many) {
      seen.push(many[name]);
      other.many = { a: seen.length + 1, b: seen.length + 1 };
    }
    assertEquals(seen, [1, 2]);
    for (const name of Reflect.ownKeys(many) as string[]) {
      if (!Object.hasOwn(many, name)) continue;
      other.many[name] = "new";
      seen.push(many[name]);
    }
    assertEquals(seen, [1, 2, "new", "new"]);
    for (const name in many) delete other.many[name === "a" ? "b" : "a"];
    assertEquals(Object.keys(many), ["a"]);
    const { toJSON } = many;
    other.many.a = "later";
    assertEquals(toJSON(), { a: "later" });
    assert(!("b" in many));
  });
});
