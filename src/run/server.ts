/**
 * The server: whether it is one that everything here works on, for this user.
 *
 * @module
 */

import { readList } from "../call/answer.ts";
import { Refused } from "./failure.ts";
import type { Runner } from "./runner.ts";

/** The oldest version of Redis. */
const MIN_VERSION = [6, 2, 7] as const;

/** What may be sent, as a command with the number of its key in front: 1 for a value, 2 for a record, 0 for none. */
const NEEDED = [
  ...["1 GET", "1 GETRANGE 0 1", "1 STRLEN", "1 EXISTS", "1 TYPE", "1 PTTL", "1 MGET"],
  ...["1 SET 1", "1 SETRANGE 0 1", "1 DEL", "1 PEXPIRE 1", "1 PERSIST"],
  ...["2 GET", "2 SET 1", "2 PEXPIRE 1", "0 TIME", "0 SCAN 0"],
];
const NEEDED_FOR_REPLICAS = ["0 WAIT 1 1", "0 CLIENT ID"];

/** Answers the version, then what is not allowed. Redis 6 cannot tell that, nor may each user ask for the version. */
const TEXT = `
local version = redis.REDIS_VERSION
if not version then
  local info = redis.pcall('INFO', 'server')
  version = type(info) == 'string' and string.match(info, 'redis_version:([%d.]+)') or ''
end
local answer = { version }
if redis.acl_check_cmd then
  for _, line in ipairs(ARGV) do
    local number, name, rest = string.match(line, '^(%d) (%a+) ?(.*)$')
    local args = { KEYS[tonumber(number)] }
    for arg in string.gmatch(rest, '%S+') do args[#args + 1] = arg end
    if not redis.acl_check_cmd(name, unpack(args)) then answer[#answer + 1] = line end
  end
end
return answer`;

/**
 * Asks a server whether it will do what is needed. One round trip; nothing is changed.
 *
 * @param runner Sends it.
 * @param key The whole name of a value.
 * @param record The whole name of a record.
 * @param hasReplicas Whether changes wait for replicas.
 * @throws {Refused} If it is too old, or the user has not all rights.
 * @throws {NoAnswer} If there is no answer.
 */
export async function checkServer(
  runner: Runner,
  key: string,
  record: string,
  hasReplicas: boolean,
): Promise<void> {
  const needed = hasReplicas ? [...NEEDED, ...NEEDED_FOR_REPLICAS] : NEEDED;
  const read = (answer: unknown) => readList("EVAL", answer, 1);
  const [version, ...missing] = await runner.command(read, "EVAL", TEXT, 2, key, record, ...needed);
  if (isOlder(version)) throw new Refused("VERSION", new Error(`the server is Redis ${version}`));
  if (missing.length === 0) return;
  const rights = missing.map((line) => {
    const [number, command] = line.split(" ");
    const what = number === "1" ? " of keys" : number === "2" ? " of records" : "";
    return `${command}${what}`;
  });
  throw new Refused("NOPERM", new Error(`the user has not the right to ${rights.join(", ")}`));
}

function isOlder(version: string): boolean {
  if (version === "") return false; // it does not tell
  const parts = version.split(".").map(Number);
  const index = MIN_VERSION.findIndex((part, index) => part !== (parts[index] ?? 0));
  return index >= 0 && (parts[index] ?? 0) < MIN_VERSION[index];
}
