/**
 * The state of the server, as far as it matters here: doctor.
 *
 * @module
 */

import { isRecord } from "../run/record.ts";
import type { Command } from "./commander.ts";
import type { Connection } from "./connection.ts";
import { formatBytes, formatDuration } from "./duration.ts";
import { Failure, lineOf } from "./failure.ts";
import { paintFor, type Role, visible } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { onServer, optionsOf, type Verb } from "./verb.ts";

/** What was found out about one thing. */
interface Finding {
  readonly check: string;
  readonly status: "ok" | "warning" | "failed" | "unknown";
  readonly found: string;
  /** What it means for the data. */
  readonly meaning: string;
}

const ROLES: Readonly<Record<Finding["status"], Role>> = {
  ok: "good",
  warning: "warning",
  failed: "bad",
  unknown: "dim",
};

/** How many pages of 1000 keys are looked at for records. */
const PAGES = 20;

/** Reports the state of the server. */
export const addDoctor: Verb = (program, terminal) => {
  program.command("doctor")
    .summary("check the server, and say what each finding means")
    .description(
      "Checks the connection, the version, the rights of the user, persistence, eviction, replicas, the clock and the " +
        "records, and says what each finding means for the data. Warnings leave the exit code 0. In a cluster it asks " +
        "one node.",
    )
    .addHelpText("after", "\nExample:\n  json-dict doctor")
    .action(async (_: unknown, command: Command) => {
      const isJson = optionsOf(command).json === true || !terminal.isOutput;
      await onServer(command, terminal, async (connection) => {
        const findings = await examine(connection, terminal.signal);
        for (const finding of findings) await show(finding, terminal, isJson);
        const failed = findings.filter(({ status }) => status === "failed");
        if (failed.length > 0) throw new Failure(`The server fails: ${failed[0].found}`);
      });
    });
};

async function show(finding: Finding, terminal: Terminal, isJson: boolean): Promise<void> {
  if (isJson) return await terminal.write(`${JSON.stringify(finding)}\n`);
  const { check, status, found, meaning } = finding;
  const paint = paintFor(terminal, true);
  const head = `${paint(ROLES[status], status.padEnd(8))} ${check.padEnd(12)} ${visible(found)}`;
  await terminal.write(`${head}\n${paint("dim", `${" ".repeat(22)}${meaning}`)}\n`);
}

async function examine(connection: Connection, signal: AbortSignal): Promise<Finding[]> {
  const { client, dict } = connection;
  try {
    await dict.ready({ signal });
  } catch (error) {
    if (signal.aborted) throw error;
    const meaning = "no call will work until this is mended";
    return [{ check: "connection", status: "failed", found: lineOf(error), meaning }];
  }
  const info = await readInfo(connection);
  const clock = await readClock(connection);
  const save = await connection.answerOf(
    client.call("CONFIG", "GET", "save").then(
      (answer) => Array.isArray(answer) ? String(answer[1] ?? "") : undefined,
      () => undefined, // not everybody may ask
    ),
  );
  return [
    {
      check: "connection",
      status: "ok",
      found: connection.address,
      meaning: "address, password, database and rights are right, and the server takes changes",
    },
    versionOf(info),
    persistenceOf(info, save),
    evictionOf(info),
    replicasOf(info),
    clock,
    await readRecords(connection),
  ];
}

type Info = ReadonlyMap<string, string>;

async function readInfo({ client, answerOf }: Connection): Promise<Info> {
  const text = await answerOf(client.call("INFO").then(String, () => "")); // not everybody may ask
  return new Map([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value]));
}

function unknown(check: string): Finding {
  return {
    check,
    status: "unknown",
    found: "the server does not say",
    meaning: "the user may not ask for it",
  };
}

function versionOf(info: Info): Finding {
  const valkey = info.get("valkey_version");
  const version = valkey ?? info.get("redis_version");
  if (version === undefined) return unknown("version");
  const found = `${valkey === undefined ? "Redis" : "Valkey"} ${version}`;
  return {
    check: "version",
    status: "ok",
    found,
    meaning: "everything works from Redis 6.2.7 and Valkey 7.2 on",
  };
}

function persistenceOf(info: Info, save: string | undefined): Finding {
  const check = "persistence";
  const aof = info.get("aof_enabled");
  if (aof === undefined) return unknown(check);
  if (info.get("rdb_last_bgsave_status") === "err" || info.get("aof_last_write_status") === "err") {
    const meaning = "a restart loses what was changed since the last good save; look at the log and the disk";
    return { check, status: "warning", found: "the last save failed", meaning };
  }
  if (aof === "1") {
    const meaning = "a crash loses about the last second, with the default of appendfsync";
    return { check, status: "ok", found: "append-only file", meaning };
  }
  if (save === undefined) {
    const meaning = "there is no append-only file, and the user may not ask for snapshots";
    return { check, status: "unknown", found: "no append-only file", meaning };
  }
  return save === "" ? { check, status: "warning", found: "none", meaning: "a restart loses all data" } : {
    check,
    status: "warning",
    found: `snapshots (${save})`,
    meaning: "a crash loses what came after the last one",
  };
}

function evictionOf(info: Info): Finding {
  const check = "eviction";
  const policy = info.get("maxmemory_policy");
  if (policy === undefined) return unknown(check);
  const maximum = Number(info.get("maxmemory") ?? 0);
  const used = formatBytes(Number(info.get("used_memory") ?? 0));
  const found = `${policy}, ${used} used of ${maximum === 0 ? "no limit" : formatBytes(maximum)}`;
  if (policy === "noeviction") {
    const meaning = maximum === 0
      ? "nothing is removed; the memory of the machine is the limit"
      : "nothing is removed; when memory is full, changes are refused";
    return { check, status: "ok", found, meaning };
  }
  const meaning = maximum === 0
    ? "there is no limit, so nothing is removed yet"
    : "when memory is full, values are removed, and records, too";
  return { check, status: "warning", found, meaning };
}

function replicasOf(info: Info): Finding {
  const check = "replicas";
  const count = info.get("connected_slaves");
  if (count === undefined) return unknown(check);
  return count === "0"
    ? { check, status: "ok", found: "none", meaning: "the option durability cannot be used" }
    : { check, status: "ok", found: count, meaning: `the option durability can wait for up to ${count}` };
}

async function readClock({ client, timeout, answerOf }: Connection): Promise<Finding> {
  const check = "clock";
  const before = Date.now();
  const answer = await answerOf(client.call("TIME").catch(() => undefined));
  const after = Date.now();
  if (!Array.isArray(answer)) return unknown(check);
  const offset = Math.round(Number(answer[0]) * 1000 + Number(answer[1]) / 1000 - (before + after) / 2);
  const found = offset === 0
    ? "the same"
    : `${formatDuration(Math.abs(offset))} ${offset > 0 ? "ahead of" : "behind"} this machine`;
  return Math.abs(offset) <= timeout + 30_000
    ? { check, status: "ok", found, meaning: "the first call of a program needs no extra round trip" }
    : {
      check,
      status: "warning",
      found,
      meaning: "the first call of each program takes one round trip more",
    };
}

/** Counts records among the first keys of the server. */
async function readRecords({ client, answerOf }: Connection): Promise<Finding> {
  const check = "records";
  if (client.nodes !== undefined) {
    const meaning = "in a cluster they are beside the data of each node";
    return { check, status: "unknown", found: "not counted", meaning };
  }
  let cursor = "0";
  let records = 0;
  let keys = 0;
  for (let page = 0; page < PAGES; page++) {
    const [next, names] = await answerOf(client.call("SCAN", cursor, "COUNT", 1000)) as [string, string[]];
    keys += names.length;
    records += names.filter(isRecord).length;
    cursor = next;
    if (cursor === "0") break;
  }
  const found = `${records} among ${cursor === "0" ? "all" : "the first"} ${keys} keys`;
  const meaning =
    "each change leaves one, by which it is applied once; they expire by themselves within minutes";
  return { check, status: "ok", found, meaning };
}
