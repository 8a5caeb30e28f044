/** Clients that are not quite like ioredis: understood, or refused by name before anything is changed. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { AmbiguousResultError, TimeoutError, UnavailableError } from "../../src/errors/delivery.ts";
import { answerOf, toRefused } from "../../src/run/failure.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

interface Lab {
  x: number[];
  y: number;
}

const client = testClient();
const LONG = 60_000;

type Call = (command: string, ...args: (string | number)[]) => Promise<unknown>;

const call: Call = (command, ...args) => client.call(command, ...args);

/** A dictionary on such a call, on a server that has lost the scripts. */
async function dictOf(call: Call, timeout: number = LONG): Promise<RedisJsonDict<Lab>> {
  await client.script("FLUSH");
  return new RedisJsonDict<Lab>({ call }, { prefix: uniquePrefix("strange"), timeout });
}

/** An adapter that throws errors of another make. */
function failingWith(make: (error: Error) => Error): Call {
  return (command, ...args) =>
    call(command, ...args).catch((error) => {
      throw make(error);
    });
}

describe("answers of the server", () => {
  it("RedisJsonDict takes the errors of a minified ioredis 5 for answers", async () => {
    const minified = failingWith((error) =>
      Object.defineProperty(
        Object.assign(new Error(error.message), { command: { name: "evalsha" } }),
        "name",
        {
          value: "t",
        },
      )
    );
    const lab = await dictOf(minified);
    await lab.set("x", []);
    assertEquals(await lab.at("x").push(1), 1);
    assertEquals(await lab.get("x"), [1]);
  });

  it("RedisJsonDict takes a garbled answer to any command for a lost one, and asks again", async () => {
    const garbage = [undefined, null, 5, "OK", [], [5], {}, ["0"], [["a"], "0"]];
    // What may be an answer to the command cannot be told from one.
    const isFit = (command: string, reply: unknown): boolean =>
      command === "GET" && (reply === null || reply === "OK") || command === "TYPE" && reply === "OK" ||
      command === "PTTL" && reply === 5 ||
      (command === "MGET" || command === "EVAL") && Array.isArray(reply) && reply[0] === "0";
    const reads: Readonly<Record<string, (lab: RedisJsonDict<Lab>) => Promise<unknown>>> = {
      get: (lab) => lab.get("x"),
      has: (lab) => lab.has("x"),
      ttl: (lab) => lab.ttl("x"),
      getMany: (lab) => lab.getMany(["x", "y"]),
      keys: (lab) => Array.fromAsync(lab.keys()),
      entries: (lab) => Array.fromAsync(lab),
      readMany: (lab) => lab.readMany([lab.at("x", 0), lab.at("y")]),
      ready: (lab) => lab.ready(),
      edit: (lab) => lab.edit((draft) => draft.x.length),
    };
    for (const [name, read] of Object.entries(reads)) {
      for (const reply of garbage) {
        let isGarbled = false;
        const seen = new Set<string>();
        const lab = await dictOf(async (command, ...args) => {
          const answer = await call(command, ...args);
          if (!isGarbled || seen.has(command) || command === "SCRIPT") return answer;
          seen.add(command);
          return isFit(command, reply) ? answer : reply;
        });
        await lab.set("x", [1]);
        await lab.get("x");
        const expected = await read(lab);
        isGarbled = true;
        assertEquals(await read(lab), expected, `${name} and ${JSON.stringify(reply)}`);
        assert(seen.size > 0);
      }
    }
  });

  it("RedisJsonDict distinguishes answers from lost answers by their form", () => {
    const make = (message: string, more: object): Error => Object.assign(new Error(message), more);
    const command = { name: "evalsha", args: [] };
    const answers = [
      make("strange", { name: "ReplyError" }),
      make("NOSCRIPT No matching script", { command }),
      make("-OOM command not allowed", { command }),
      make("Too many Cluster redirections. Last error: ReplyError: MOVED 1 127.0.0.1:1", {}),
      make("Too many Cluster redirections. Last error: t: MOVED 1 127.0.0.1:1", {}),
    ];
    const lost = [
      make("Command aborted due to connection close", { name: "AbortError", command }), // with auto-pipelining
      make("Reached the max retries per request limit (which is 0).", { command }),
      make("NOSCRIPT No matching script", {}),
      make("OOM", Object.create({ command })),
      make("Connection is closed.", { command }),
      make("Command timed out", { command }),
      make("Too many Cluster redirections. Last error: Error: Connection is closed.", {}),
      "NOSCRIPT",
    ];
    for (const error of answers) assert(answerOf(error) !== undefined, String(error));
    for (const error of lost) assertEquals(answerOf(error), undefined, String(error));
  });

  it("RedisJsonDict finds a missing right inside a script, in the words of every server", () => {
    const sha = "f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791";
    const texts: [string, string][] = [
      ["NOPERM this user has no permissions to run the 'get' command or its subcommand", "NOPERM"],
      ["NOPERM No permissions to access a key", "NOPERM"],
      [
        `ERR Error running script (call to ${sha}): @user_script:52: @user_script: 52: The user executing the script can't run this command or subcommand`,
        "NOPERM",
      ],
      ["@user_script: 1347: The user executing the script can't run this command or subcommand", "NOPERM"],
      [
        `ERR The user executing the script can't run this command or subcommand script: ${sha}, on @user_script:52.`,
        "NOPERM",
      ],
      [
        `ERR ERR The user executing the script can't run this command script: ${sha}, on @user_script:1310.`,
        "NOPERM",
      ],
      [
        `ERR ACL failure in script: User u has no permissions to run the 'set' command script: ${sha}`,
        "NOPERM",
      ],
      ["ERR ERR ACL failure in script: No permissions to access a key", "NOPERM"],
      ["NOPERM User @user_script: 1: -OOM x has no permissions to run the 'get' command", "NOPERM"],
      ["PARTIAL ERR The user executing the script can't run this command or subcommand", "PARTIAL"],
      ["ERR value is not an integer or out of range script: 0a, on @user_script:1.", "ERR"],
    ];
    for (const [message, reason] of texts) {
      const error = Object.assign(new Error(message), { name: "ReplyError" });
      assertEquals(toRefused(error)?.reason, reason, message);
    }
  });

  it("RedisJsonDict reports a call that stopped half-way as ambiguous", async () => {
    const answer = Object.assign(new Error("PARTIAL ERR ACL failure in script: No permissions"), {
      name: "ReplyError",
    });
    for (const delivery of ["exactly-once", "at-most-once"] as const) {
      const sent: string[] = [];
      const partial: Call = (command) => {
        sent.push(command);
        return Promise.reject(answer);
      };
      const lab = new RedisJsonDict<Lab>({ call: partial }, { prefix: "", delivery, timeout: LONG });
      const error = await assertRejects(() => lab.set("y", 1), AmbiguousResultError, "stopped it half-way");
      await assertRejects(() => error.resolve(), TypeError, "there is no record of the call");
      assertEquals(sent.slice(2), ["EVALSHA"]); // once, after the two by which the client is tried
    }
  });
});

describe("clients that cannot be understood", () => {
  it("RedisJsonDict refuses by name a client whose errors are no ReplyError, before anything is changed", async () => {
    const wrappers: ((error: Error) => Error)[] = [
      (error) => new Error(error.message),
      (error) => new Error(`Redis: ${error.message}`),
    ];
    for (const make of wrappers) {
      const lab = await dictOf(failingWith(make));
      const calls = [() => lab.set("y", 1), () => lab.get("y"), () => lab.at("x").get(), () => lab.clear()];
      for (const call of calls) {
        await assertRejects(
          call,
          TypeError,
          'set error.name = "ReplyError" on the errors that the server replies',
        );
      }
      assertEquals(await client.exists(`${lab.prefix}y`), 0);
    }
  });

  it("RedisJsonDict refuses by name a client that returns bytes, before anything is changed", async () => {
    const encoder = new TextEncoder();
    const toBytes = (answer: unknown): unknown =>
      Array.isArray(answer)
        ? answer.map(toBytes)
        : typeof answer === "string"
        ? encoder.encode(answer)
        : answer;
    const lab = await dictOf(async (command, ...args) => toBytes(await call(command, ...args)));
    for (const call of [() => lab.set("y", 1), () => lab.get("y")]) {
      await assertRejects(call, TypeError, "it returns bytes; make it return strings");
    }
    assertEquals(await client.exists(`${lab.prefix}y`), 0);
  });

  it("RedisJsonDict probes a client once, and keeps the order of the calls that wait for that", async () => {
    const sent: string[] = [];
    const lab = await dictOf((command, ...args) => {
      sent.push(`${command} ${String(args[0]).slice(0, 6)}`);
      return call(command, ...args);
    });
    const reads = [lab.get("y"), lab.set("y", 1).then(() => lab.get("y"))];
    const late = Promise.resolve().then(() => lab.set("x", [1]));
    assertEquals(await Promise.all(reads), [undefined, 1]);
    await late;
    await Promise.all([lab.set("y", 2), lab.get("x")]);
    assertEquals(sent.filter((line) => line === "EVALSHA 000000").length, 1);
    assertEquals(sent[2], `GET ${lab.prefix.slice(0, 6)}`);
  });
});

describe("commands that the client did not send", () => {
  it("RedisJsonDict says at once that a client which listens sends no commands", async () => {
    const listening = testClient({ protocol: 2 });
    await listening.subscribe("strange");
    const lab = new RedisJsonDict<Lab>(listening, { prefix: uniquePrefix("strange"), timeout: LONG });
    for (
      const call of [() => lab.set("y", 1), () => lab.get("y"), () => lab.at("x").push(1), () => lab.size()]
    ) {
      const error = await assertRejects(call, UnavailableError, "give the dictionary one of its own");
      assertEquals(error.reason, "MODE");
    }
    await listening.unsubscribe("strange");
    await lab.set("y", 1);
  });

  it("RedisJsonDict sends again what a client has thrown before it was sent, and is sure that it was not", async () => {
    for (const delivery of ["exactly-once", "at-most-once"] as const) {
      let failures = 3;
      const lab = new RedisJsonDict<Lab>({
        call(command, ...args) {
          if (command === "EVALSHA" && failures-- > 0) throw new Error("no socket yet");
          return call(command, ...args);
        },
      }, { prefix: uniquePrefix("strange"), delivery, timeout: LONG });
      await lab.set("x", []);
      assertEquals(await lab.at("x").push(1), 1);
      const never = new RedisJsonDict<Lab>({
        call() {
          throw new Error("no socket at all");
        },
      }, { prefix: "", timeout: 1_000, delivery });
      await assertRejects(() => never.set("y", 1), TimeoutError, "(no socket at all)");
    }
  });
});
