/**
 * What a dictionary promises, whatever client it is on. One list of checks for all clients and all runtimes: nothing here
 * needs Deno.
 *
 * @module
 */

import assert from "node:assert/strict";
import { RedisJsonDict } from "../../src/api/dict.ts";
import type { DictOptions } from "../../src/run/options.ts";
import { AmbiguousResultError } from "../../src/errors/delivery.ts";
import {
  CorruptValueError,
  KeyNotFoundError,
  PathNotFoundError,
  TypeMismatchError,
  WrongTypeError,
} from "../../src/errors/value.ts";
import type { RedisClient } from "../../src/run/client.ts";
import type { Json } from "../../src/data/json.ts";
import { type FaultProxy, loseAnswer } from "../support/fault_proxy.ts";
import { until } from "../support/until.ts";

/** The network between the client and the server. */
export interface Network {
  /** What it does with the traffic from now on. */
  set(fault: FaultProxy["fault"]): void;
  /** Ends all connections. */
  drop(): void;
}

/** A client to be checked, and all that a check needs. */
export interface Subject {
  /** The client, as the dictionary takes it. */
  readonly client: RedisClient;
  /** The network before its server. */
  readonly network: Network;
  /** A prefix of its own for each check. */
  readonly prefix: string;
  /** Whether the dictionary takes it for at most once; else the words by which it refuses it. */
  readonly atMostOnce: true | string;
}

/** One promise. */
export interface Check {
  readonly name: string;
  /** Whether it waits for deadlines. */
  readonly isSlow?: boolean;
  run(subject: Subject): Promise<void>;
}

/** For what must not fail. */
const LONG = 60_000;
/** For what is to fail at its deadline. */
const SHORT = 1_000;

/** In a cluster too, all in one slot. */
function dictOf<T extends object = Record<string, Json>>(
  { client, prefix }: Subject,
  options: Partial<DictOptions> = {},
): RedisJsonDict<T> {
  return new RedisJsonDict<T>(client, { prefix: `${prefix}{dict}:`, timeout: LONG, ...options });
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** All checks. */
export const CONTRACT: readonly Check[] = [
  {
    name: "connects when there is a server, which is later than the first call",
    async run(subject) {
      const dict = dictOf<{ n: number }>(subject);
      let attempts = 0;
      subject.network.set((piece) => {
        if (piece === "request") attempts++;
        return "drop request";
      });
      const call = dict.set("n", 1);
      await until("it has tried to connect three times", () => attempts >= 3);
      subject.network.set("none");
      await call;
      assert.equal(await dict.get("n"), 1);
    },
  },
  {
    name: "does every operation on items",
    async run(subject) {
      const dict = dictOf(subject);
      await dict.set("a", { n: 1, list: [1, 2], text: "é\u0000😀", "": null });
      assert.deepEqual(await dict.get("a"), { n: 1, list: [1, 2], text: "é\u0000😀", "": null });
      assert.equal(await dict.get("nothing"), undefined);
      assert.equal(await dict.has("a"), true);
      assert.equal(await dict.has("nothing"), false);
      assert.equal(await dict.getOrInsert("b", 5), 5);
      await dict.update({ c: [3], "{other} *?[k]": 4 });
      assert.deepEqual([...await dict.getMany(["c", "nothing", "b"])], [["c", [3]], ["b", 5]]);
      assert.equal(await dict.size(), 4);
      assert.deepEqual((await Array.fromAsync(dict.keys())).sort(), ["a", "b", "c", "{other} *?[k]"]);
      assert.deepEqual((await dict.toObject())["{other} *?[k]"], 4);
      await dict.expire("b", LONG);
      assert.ok(Number(await dict.ttl("b")) > 0);
      await dict.persist("b");
      assert.equal(await dict.pop("b"), 5);
      assert.equal(await dict.delete("c"), true);
      assert.equal(await dict.delete("c"), false);
      await dict.patch("a", [{ op: "replace", path: "/n", value: 2 }]);
      await dict.merge("a", { text: null });
      assert.deepEqual(await dict.get("a"), { n: 2, list: [1, 2], "": null });
      const [key] = await dict.popItem() ?? [];
      assert.ok(key === "a" || key === "{other} *?[k]");
      assert.equal(await dict.clear(), 1);
      assert.equal(await dict.size(), 0);
    },
  },
  {
    name: "does every operation inside a value",
    async run(subject) {
      interface Lab {
        lab: { n: number; text: string; on: boolean; list: number[]; deep: { x?: number }[] };
      }
      const dict = dictOf<Lab>(subject);
      await dict.set("lab", { n: 1, text: "a", on: false, list: [1], deep: [{ x: 1 }] });
      const at = dict.at("lab");
      assert.equal(await at.at("n").increment(2.5), 3.5);
      assert.equal(await at.at("list").push(2, 3), 3);
      assert.equal(await at.at("list", 0).get(), 1);
      assert.equal(await at.at("list").pop(), 3);
      assert.equal(await at.at("on").toggle(), true);
      await at.at("text").append("b");
      await dict.at((root) => root.lab.deep[0].x).set(7);
      await dict.edit(({ lab }) => {
        lab.list.reverse();
        lab.deep.push({ x: lab.list[0] });
      });
      assert.deepEqual(await dict.get("lab"), {
        n: 3.5,
        text: "ab",
        on: true,
        list: [2, 1],
        deep: [{ x: 7 }, { x: 2 }],
      });
    },
  },
  {
    name: "applies calls in the order of issue, awaited or not, and reads see all earlier ones",
    async run(subject) {
      const dict = dictOf<{ list: number[]; n: number }>(subject);
      await dict.update({ list: [], n: 0 });
      await dict.at("list").length(); // so that every node has the script
      const seen: Promise<(number | undefined)[]>[] = [];
      for (const index of range(100)) {
        dict.at("list").push(index);
        dict.set("n", index);
        seen.push(Promise.all([dict.get("n"), dict.at("list").length()]));
      }
      assert.deepEqual(await Promise.all(seen), range(100).map((index) => [index, index + 1]));
      assert.deepEqual(await dict.get("list"), range(100));
    },
  },
  {
    name: "keeps the order of two dictionaries on one client",
    async run(subject) {
      const [one, two] = [dictOf<{ n: number }>(subject), dictOf<{ n: number }>(subject)];
      for (const index of range(20)) {
        await one.set("n", index);
        assert.equal(await two.get("n"), index);
      }
    },
  },
  {
    name: "has the errors of the dictionary",
    async run(subject) {
      const dict = dictOf<{ a: { list: number; x?: { y: number } }; none: 1; bad: 1; list: 1 }>(subject);
      const { client } = subject;
      assert.equal(await dict.size(), 0); // so that there is a connection
      await client.call("SET", `${dict.prefix}a`, '{"list":[1]}');
      await client.call("SET", `${dict.prefix}bad`, "{not JSON");
      await client.call("RPUSH", `${dict.prefix}list`, "x");
      await assert.rejects(() => dict.getOrThrow("none"), KeyNotFoundError);
      await assert.rejects(() => dict.get("bad"), CorruptValueError);
      await assert.rejects(() => dict.get("list"), WrongTypeError);
      await assert.rejects(() => dict.set("list", 1), WrongTypeError);
      await assert.rejects(() => dict.at("a", "list").increment(), TypeMismatchError);
      await assert.rejects(() => dict.at("a", "x", "y").set(1), PathNotFoundError);
      assert.equal(await client.call("GET", `${dict.prefix}a`), '{"list":[1]}');
      await client.call("DEL", `${dict.prefix}list`);
    },
  },
  {
    name: "carries long values",
    async run(subject) {
      const dict = dictOf<{ text: string; list: string[] }>(subject);
      const text = "é😀x".repeat(50_000);
      await dict.set("text", text);
      assert.equal(await dict.get("text"), text);
      await dict.set("list", [text]);
      assert.equal(await dict.at("list").push("end"), 2);
      assert.equal(await dict.at("list", 0).get(), text);
    },
  },
  {
    name: "goes on when the server has lost the scripts",
    async run(subject) {
      const dict = dictOf<{ list: number[] }>(subject);
      await dict.set("list", []);
      for (const index of range(6)) {
        if (index % 2 === 0) {
          const nodes = subject.client.nodes?.("master") ?? [subject.client];
          for (const node of nodes) await node.call("SCRIPT", "FLUSH");
        }
        dict.at("list").push(index);
        assert.equal(await dict.at("list").length(), index + 1);
      }
      assert.deepEqual(await dict.get("list"), range(6));
    },
  },
  {
    name: "applies each of 60 pushes once, with every third answer lost",
    async run(subject) {
      const dict = dictOf<{ list: number[] }>(subject);
      await dict.set("list", []);
      for (const index of range(60)) {
        if (index % 3 === 2) subject.network.set(loseAnswer());
        assert.equal(await dict.at("list").push(index), index + 1);
      }
      assert.deepEqual(await dict.get("list"), range(60));
    },
  },
  {
    name: "applies each of 60 pushes of several values under way at once, with lost requests and answers",
    async run(subject) {
      const dict = dictOf<Record<string, number[]>>(subject);
      const keys = ["a", "b", "c"];
      await dict.update(Object.fromEntries(keys.map((key) => [key, []])));
      let count = 0;
      subject.network.set(() =>
        ++count % 10 === 0 ? "drop answer" : count % 10 === 5 ? "drop request" : "none"
      );
      try {
        await Promise.all(range(60).map((index) => dict.at(keys[index % 3]).push(index)));
      } finally {
        subject.network.set("none");
      }
      for (const [offset, key] of keys.entries()) {
        assert.deepEqual(await dict.get(key), range(20).map((index) => index * 3 + offset));
      }
    },
  },
  {
    name: "delivers at most once, or refuses to",
    async run(subject) {
      const options = { delivery: "at-most-once" } as const;
      if (subject.atMostOnce !== true) {
        const words = subject.atMostOnce;
        assert.throws(
          () => dictOf(subject, options),
          (error) => error instanceof TypeError && error.message.includes(words),
        );
        return;
      }
      const dict = dictOf<{ list: number[] }>(subject, options);
      const beside = dictOf<{ list: number[] }>(subject);
      await beside.set("list", []);
      await dict.at("list").push(0); // so that there is a connection
      const applied = [0];
      let lost = 0;
      for (const index of range(30).slice(1)) {
        if (index % 3 === 2) subject.network.set(loseAnswer());
        try {
          await dict.at("list").push(index);
          applied.push(index);
        } catch (error) {
          assert.ok(error instanceof AmbiguousResultError, String(error));
          await assert.rejects(() => error.resolve(), TypeError);
          lost++;
          await beside.get("list"); // so that there is a connection again
        }
      }
      assert.equal(lost, 10);
      const list = await beside.get("list") ?? [];
      assert.equal(new Set(list).size, list.length, "applied twice");
      assert.deepEqual(list, [...list].sort((a, b) => a - b));
      for (const index of applied) assert.ok(list.includes(index), `${index} is not there`);
    },
  },
  {
    name: "tells what became of a change whose answer never came, and settles it",
    isSlow: true,
    async run(subject) {
      const dict = dictOf<{ list: number[] }>(subject, { timeout: SHORT });
      const beside = dictOf<{ list: number[] }>(subject);
      await beside.set("list", []);
      await beside.at("list").push(0); // so that the server has the script
      for (const [index, fault] of (["no answers", "no requests"] as const).entries()) {
        subject.network.set(fault);
        const error = await dict.at("list").push(index + 1).then(() => undefined, (error) => error);
        subject.network.set("none");
        subject.network.drop();
        assert.ok(error instanceof AmbiguousResultError, String(error));
        assert.equal(typeof error.callId, "string");
        const verdict = await error.resolve();
        // A client that sends again by itself may have brought it since.
        if (fault === "no answers" || subject.atMostOnce === true) {
          assert.equal(verdict, fault === "no answers" ? "applied" : "not-applied");
        }
        assert.equal((await beside.get("list"))?.includes(index + 1), verdict === "applied");
      }
    },
  },
  {
    name: "fails when there is no server, and goes on when there is one again",
    isSlow: true,
    async run(subject) {
      const dict = dictOf<{ n: number }>(subject, { timeout: SHORT });
      const beside = dictOf<{ n: number }>(subject);
      await beside.set("n", 1);
      subject.network.set("drop request");
      subject.network.drop();
      await assert.rejects(() => dict.get("n"), (error) => (error as Error).name === "TimeoutError");
      subject.network.set("none");
      assert.equal(await beside.at("n").increment(), 2);
    },
  },
];
