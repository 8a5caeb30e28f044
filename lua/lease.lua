-- purpose: take, keep, change and give back a lease: a value that one holder keeps while it renews it
-- KEYS: the value; its lease, which says whose it is; the counter of fencing numbers; behind them the record, where
--   the call has one
-- ARGV: an op with its arguments, perhaps behind a modifier; lua/README.md gives their meaning
--   modifier once key ttl until
--   acquire owner ttl value
--   renew owner ttl
--   replace owner ttl value
--   release owner
-- Returns: a list of one bulk string: a result, or a refusal "!CODE segment found"
-- Errors: as apply.lua
-- Cost: O(bytes of the value); one write command a changed key, and one for the record
local find = string.find
local tokens = ARGV

-- @include "lib/once.lua"

local first = record and 5 or 1
local op, owner, ttl, value = tokens[first], tokens[first + 1], tokens[first + 2], tokens[first + 3]
local key, lease, counter = KEYS[1], KEYS[2], KEYS[3]

-- Whose lease it is. It is whole while the value is the text that the holder wrote.
local known = redis.call('GET', lease)
local holder, fence, sum
if known then
  holder, fence, sum = string.match(known, '^{"owner":"([^"]*)","fence":(%d+),"sha1":"(%x+)"}$')
end
local kind = redis.call('TYPE', key).ok
local mine = holder == owner
local whole = mine and kind == 'string' and redis.sha1hex(redis.call('GET', key)) == sum

-- What the call answers, and the commands that it writes by.
local reply, queue = '', {}
local function write(command, ...) queue[#queue + 1] = { command = command, ... } end
local function write_lease()
  write('SET', key, value, 'PX', ttl)
  local line = string.format('{"owner":"%s","fence":%s,"sha1":"%s"}', owner, fence, redis.sha1hex(value))
  write('SET', lease, line, 'PX', ttl)
end

if op == 'acquire' then
  if kind ~= 'none' and kind ~= 'string' then
    reply = '!WRONG_TYPE 0 ' .. kind
  elseif known or kind == 'string' then
    -- Until when it is busy, if it is not renewed.
    local left, other = redis.call('PTTL', key), redis.call('PTTL', lease)
    reply = string.format('!TEST 0 %d', (left == -1 or other == -1) and -1 or math.max(left, other, 0))
  else
    local time = redis.call('TIME')
    local last = tonumber(redis.call('GET', counter) or 0) or 0
    -- The time, so that the numbers grow where the counter is lost; the counter, so that they grow where the clock
    -- goes back.
    fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
    reply = fence
    write_lease()
    write('SET', counter, fence)
  end
elseif op == 'release' then
  reply = whole and 'true' or 'false'
  if whole then write('DEL', key, lease) elseif mine then write('DEL', lease) end
elseif not whole then
  reply = '!TEST 0 ' .. (mine and kind ~= 'none' and 'changed' or mine and 'removed' or 'expired')
elseif op == 'replace' then
  write_lease()
else
  write('PEXPIRE', key, ttl)
  write('PEXPIRE', lease, ttl)
end

-- One write must not fail behind another one, for lack of rights; nor is a lease taken that cannot be kept and given
-- back. Servers before 7.0 cannot tell.
local may = redis.acl_check_cmd
if may then
  local needed = { unpack(queue) }
  if op == 'acquire' and #queue > 0 then
    needed[#needed + 1] = { command = 'PEXPIRE', lease, ttl }
    needed[#needed + 1] = { command = 'DEL', key, lease }
  end
  for k = 1, #needed do
    local command = needed[k].command
    if not may(command, unpack(needed[k])) then
      return { err = 'NOPERM User has no permissions to run the ' .. command .. ' command' }
    end
  end
end

local problem
local done, replies, edits, from, text = 1, { reply }, 0, nil, nil -- of these lib/record.lua knows
-- @include "lib/record.lua"
local written = 0
while not problem and written < #queue do
  local answer = redis.pcall(queue[written + 1].command, unpack(queue[written + 1]))
  if type(answer) == 'table' and answer.err then problem = answer.err else written = written + 1 end
end
if not problem then return replies end
problem = string.gsub(problem, '^@user_script: ?%d+: %-?', '')
if written > 0 then problem = 'PARTIAL ' .. problem end
if record then redis.pcall('SET', record, cjson.encode({ err = problem }), 'XX', 'KEEPTTL') end
return { err = problem }
