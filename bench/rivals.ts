/**
 * What the benchmarks compare with: the scripts that one would write without this library.
 *
 * @module
 */

/** The least that EVALSHA costs. */
export const NOTHING = "return 1";

/** The least that a change of a string costs in a script: nothing is looked for, nothing is changed. */
export const GET_SET = `
local text = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], text, 'KEEPTTL')
return 1`;

/**
 * The script everybody writes first: decode, change, encode. It damages the document (empty arrays, long numbers,
 * the order of members), and serves here for its speed only. KEYS: read from, write to, as its own output is compact
 * and would be cheaper to read again than an indented document. ARGV: op, JSON text of the argument, path.
 */
export const CJSON = `
local root = cjson.decode(redis.call('GET', KEYS[1]))
local at = root
for i = 3, #ARGV - 1 do
  at = at[ARGV[i]]
end
local name = ARGV[#ARGV]
if ARGV[1] == 'set' then
  at[name] = cjson.decode(ARGV[2])
elseif ARGV[1] == 'increment' then
  at[name] = at[name] + tonumber(ARGV[2])
else
  local list = at[name]
  list[#list + 1] = cjson.decode(ARGV[2])
end
redis.call('SET', KEYS[2], cjson.encode(root), 'KEEPTTL')
return 1`;

/** The same for reads. ARGV: path. */
export const CJSON_READ = `
local at = cjson.decode(redis.call('GET', KEYS[1]))
for i = 1, #ARGV do
  at = at[ARGV[i]]
end
return cjson.encode(at)`;
