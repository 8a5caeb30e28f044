import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Redis } from "ioredis";
import { startRedis } from "../../tools/redis_server.ts";
import { testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { runHere, TestTerminal } from "../support/test_terminal.ts";

const redis = testClient();

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly found: string;
  readonly meaning: string;
}

function findingsOf(out: string): Map<string, Finding> {
  return new Map(out.trim().split("\n").map((line) => JSON.parse(line)).map((it: Finding) => [it.check, it]));
}

describe("json-dict doctor", () => {
  it("doctor says what it found, and what it means", async () => {
    const shell = new Shell(redis);
    await shell.run("set", "a", "1");
    const { code, out, err } = await shell.run("doctor");
    assertEquals([code, err], [0, ""]);
    const findings = findingsOf(out);
    const checks = ["connection", "version", "persistence", "eviction", "replicas", "clock", "records"];
    assertEquals([...findings.keys()], checks);
    assertMatch(findings.get("version")!.found, /^(?:Redis|Valkey) \d+\.\d+/);
    assertEquals(findings.get("clock")!.status, "ok");
    assert([...findings.values()].every(({ meaning, status }) => meaning !== "" && status !== "failed"));
    const shown = await shell.sit([], "doctor");
    assertMatch(shown.out, /connection {3}redis:\/\/\S+\n/);
    assertMatch(shown.out, /every|each/);
  });

  it("doctor warns of eviction and of missing persistence, and names no password", async () => {
    await using server = await startRedis({
      args: [
        ...["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--requirepass", "geheim"],
        ...["--save", "", "--appendonly", "no"],
      ],
    });
    const url = server.url.replace("redis://", "redis://:geheim@");
    const env = { REDIS_URL: url, JSON_DICT_PREFIX: "x:" };
    const { code, out } = await runHere(new TestTerminal(env), "doctor");
    const findings = findingsOf(out);
    assertEquals([code, findings.get("eviction")?.status, findings.get("persistence")?.found], [
      0,
      "warning",
      "none",
    ]);
    assertMatch(findings.get("eviction")!.found, /^allkeys-lru, .* used of 104\.9 MB$/);
    assert(!out.includes("geheim"));

    const admin = new Redis(url);
    await admin.config("SET", "appendonly", "yes");
    await admin.config("SET", "maxmemory-policy", "noeviction");
    await admin.acl(
      "SETUSER",
      "ada",
      "on",
      ">geheim",
      "~*",
      "+@all",
      "-info",
      "-config",
      "-@dangerous",
      "-time",
    );
    const better = findingsOf((await runHere(new TestTerminal(env), "doctor")).out);
    assertEquals([better.get("eviction")?.status, better.get("persistence")?.found], [
      "ok",
      "append-only file",
    ]);
    await admin.acl("SETUSER", "ben", "on", ">geheim", "~y:*", "+@all", "-info", "-config");
    admin.disconnect();

    const asBen = { ...env, REDIS_URL: server.url.replace("redis://", "redis://ben:geheim@") };
    const refused = await runHere(new TestTerminal(asBen), "doctor");
    assertEquals([refused.code, findingsOf(refused.out).get("connection")?.status], [1, "failed"]);
    assert(!/geheim/.test(refused.out + refused.err));
    const unable = { ...asBen, JSON_DICT_PREFIX: "y:" };
    assertEquals((await runHere(new TestTerminal(unable), "doctor")).code, 1); // no rights on records

    const wrong = { ...env, REDIS_URL: server.url.replace("redis://", "redis://:wrong@") };
    const denied = await runHere(new TestTerminal(wrong), "doctor");
    assertEquals([denied.code, findingsOf(denied.out).get("connection")?.status], [1, "failed"]);
    assert(!/wrong@|:wrong/.test(denied.out + denied.err));
  });

  it("doctor goes on where the user may not ask for everything", async () => {
    await using server = await startRedis();
    const admin = new Redis(server.url);
    await admin.acl("SETUSER", "eve", "on", ">geheim", "~*", "+@all", "-info", "-config");
    admin.disconnect();
    const env = { REDIS_URL: server.url.replace("redis://", "redis://eve:geheim@"), JSON_DICT_PREFIX: "x:" };
    const { code, out } = await runHere(new TestTerminal(env), "doctor");
    const unknown = [...findingsOf(out).values()].filter(({ status }) => status === "unknown");
    assertEquals([code, unknown.map(({ check }) => check)], [
      0,
      ["version", "persistence", "eviction", "replicas"],
    ]);
  });
});
