-- purpose: run groups of ops on JSON values, each group whole or not at all, changing no other byte
-- KEYS: the keys of the values, each once
-- ARGV: one flat list of tokens: ops, each preceded by its modifiers; lua/README.md gives their meaning
--   modifier ;
--   modifier @ key
--   modifier parents
--   modifier ifAbsent
--   modifier ifPresent
--   modifier bytes
--   modifier exact
--   modifier ttl ms
--   set depth segment... value
--   delete depth segment...
--   take depth segment...
--   push depth segment... items count
--   unshift depth segment... items count
--   pop depth segment...
--   shift depth segment...
--   splice depth segment... start deleteCount items count
--   increment depth segment... by
--   toggle depth segment...
--   append depth segment... string
--   test depth segment... value
--   exists depth segment...
--   absent depth segment...
--   expire depth segment... ms
--   persist depth segment...
-- Returns: one bulk string for each op: its JSON result, "" for none, or a refusal "!CODE segment found"
-- Errors: none of its own; Redis's (OOM, READONLY, ...) come before anything is written
-- Cost: O(bytes up to the target) to find, O(bytes of the value) to write; one write command a changed key
local find, byte, sub, format = string.find, string.byte, string.sub, string.format
local match, gsub, rep, concat = string.match, string.gsub, string.rep, table.concat

-- @include "lib/scan.lua"
-- @include "lib/value.lua"

local extra
function rare()
  if extra then return extra end
  extra = {}
  local floor, huge, char, sort = math.floor, math.huge, string.char, table.sort
  -- @include "lib/rare.lua"
  -- @include "lib/number.lua"
  -- @include "lib/compare.lua"
  return extra
end

local tokens, size = ARGV, #ARGV
key = KEYS[1]

-- The value under work, besides text (nil: not read yet, false: no such key) and partial:
local ttl                           -- what its expiry becomes: nil stays, 0 none, else ms
local edits = 0                     -- how often it was changed since it was read
local edit_from, edit_to, edit_text -- a change not made in text yet: edit_from..edit_to becomes edit_text

-- Modifiers of the op to come.
local parents, if_absent, if_present, bytes, exact, new_ttl
-- How many segments of its path the current op has behind it, for refusals.
local segment = 0

-- Makes the pending change.
local function settle()
  if partial then load(true) end
  text = sub(text, 1, edit_from - 1) .. edit_text .. sub(text, edit_to + 1)
  edit_from = nil
end

local function edit(from, to, fragment)
  edit_from, edit_to, edit_text = from, to, fragment
  edits = edits + 1
end

-- The whole value becomes fragment; false deletes the key.
local function replace(fragment)
  text, partial = fragment, false
  edits = edits + 1
end

-- Is there such a key? Without reading the value; refuses a key that is no string.
local function present()
  if text == nil then
    if redis.call('STRLEN', key) > 0 or redis.call('EXISTS', key) == 1 then return true end
    text = false
  end
  return text ~= false
end

-- Adds fragment behind the last member or element of the container at p that ends at close.
local function add(p, close, fragment)
  local q = close
  repeat q = q - 1 until byte(text, q) > 32
  edit(q + 1, q, q == p and fragment or ',' .. fragment)
end

-- Removes the member or element from..to and one comma.
local function remove(from, to)
  local q, b = blank(to + 1)
  if b == 44 then
    edit(from, blank(q + 1) - 1, '')
  elseif b == 93 or b == 125 then
    q = from
    repeat q = q - 1 until byte(text, q) > 32
    edit(byte(text, q) == 44 and q or from, to, '')
  else
    fail('CORRUPT', q - 1)
  end
end

-- fragment inside the containers that the segments from..to name: an array for the integer 0, else an object.
local function nested(from, to, fragment)
  for k = to, from, -1 do
    local s = tokens[k]
    if s == '0' then
      fragment = '[' .. fragment .. ']'
    else
      fragment = (byte(s) == 34 and s or '"' .. s .. '"') .. ':' .. fragment
      fragment = '{' .. fragment .. '}'
    end
  end
  return fragment
end

-- What an op makes of a value that is not there, its reply, and whether it may do so without `parents`.
local function initial(name, x)
  if name == 'set' then return tokens[x], '', true end
  if name == 'increment' then return tokens[x], tokens[x] end
  if name == 'push' or name == 'unshift' then return '[' .. tokens[x] .. ']', tokens[x + 1] end
  if name == 'append' then
    return tokens[x], format('%d', rare().string_length(sub(tokens[x], 2, -2)))
  end
  if name == 'splice' then return '[' .. tokens[x + 2] .. ']', '[]' end
end

-- The op finds nothing: the segment k (first - 1: the key itself) of first..last is missing from the
-- container at p. Ends the op, or creates what is missing.
local function absent(name, first, last, x, k, p, close, count)
  if name == 'absent' or name == 'take' then return '' end
  if name == 'delete' or if_present then return 'false' end
  if name == 'exists' or name == 'test' then fail('TEST') end
  local fragment, reply, always = initial(name, x)
  if not fragment or not parents and not (always and k == last) then
    fail(k < first and 'NO_KEY' or 'NOT_FOUND')
  end
  fragment = nested(k + 1, last, fragment)
  if k < first then
    replace(fragment)
  elseif count then
    local s = tokens[k]
    if tonumber(byte(s) == 34 and rare().index(s) or s) ~= count then fail('RANGE', format('%d', count)) end
    add(p, close, fragment)
  else
    local s = tokens[k]
    add(p, close, (byte(s) == 34 and s or '"' .. s .. '"') .. ':' .. fragment)
  end
  return reply
end

-- Ops on the key as a whole, which need not read the value.
local function whole(name, x)
  if name == 'set' then
    if present() then
      if if_absent then
        if not text or partial then load(true) end
        return text
      end
    elseif if_present then
      return 'false'
    end
    replace(tokens[x])
    ttl = new_ttl or ttl
    return if_present and 'true' or ''
  end
  local was = present()
  if name == 'delete' then
    if not was then return 'false' end
    replace(false)
    ttl = 0
    return 'true'
  end
  if name == 'take' then
    if not was then return '' end
    if not text or partial then load(true) end
    local taken = text
    replace(false)
    ttl = 0
    return taken
  end
  if not was then return 'false' end
  if name == 'persist' then
    if ttl == 0 or ttl == nil and redis.call('PTTL', key) < 0 then return 'false' end
    ttl = 0
  else
    ttl = tonumber(tokens[x])
  end
  return 'true'
end

-- push, unshift, pop, shift and splice on the array at p.
local function on_array(name, p, x)
  if byte(text, p) ~= 91 then fail('TYPE', rare().type_of(p)) end
  if name == 'shift' then
    local v, _ = element(p, 0)
    if not v then return '' end
    local e = value_end(v)
    remove(v, e)
    return sub(text, v, e)
  end
  local _, count, close = element(p)
  if name == 'pop' then
    if count == 0 then return '' end
    local v = element(p, count - 1)
    local e = value_end(v)
    remove(v, e)
    return sub(text, v, e)
  end
  if name == 'splice' then
    local start, deleted, items = tonumber(tokens[x]), tonumber(tokens[x + 1]), tokens[x + 2]
    if start < 0 then start = start + count end
    start = start < 0 and 0 or start > count and count or start
    if deleted > count - start then deleted = count - start end
    if deleted <= 0 then
      if items == '' then return '[]' end
      if start == count then
        add(p, close, items)
      else
        local v = element(p, start)
        edit(v, v - 1, items .. ',')
      end
      return '[]'
    end
    local v = element(p, start)
    local e = value_end(deleted == 1 and v or element(p, start + deleted - 1))
    if items == '' then remove(v, e) else edit(v, e, items) end
    return '[' .. sub(text, v, e) .. ']'
  end
  local items = tokens[x]
  if items ~= '' then
    if name == 'push' then
      add(p, close, items)
    else
      edit(p + 1, p, count == 0 and items or items .. ',')
    end
  end
  return format('%d', count + tonumber(tokens[x + 1]))
end

-- Runs one op: first..last are the tokens of its segments, x the first of its arguments. Returns its reply.
-- Until it returns it changes nothing, so that it can run again on more of the text.
local function run(name, first, last, x)
  segment = 0
  if edit_from then settle() end
  local p, at, close, count
  if last < first then
    if name == 'set' or name == 'delete' or name == 'take' or name == 'expire' or name == 'persist' then
      return whole(name, x)
    end
    if not text and text ~= false or partial then load(true) end
    if not text then return absent(name, first, last, x, first - 1) end
    p = root()
    if (name == 'test') and bytes then
      if text ~= tokens[x] then fail('TEST') end
      return ''
    end
    local b = byte(text, p)
    if b ~= 123 and b ~= 91 and find(text, '[^ \t\r\n]', value_end(p) + 1) then fail('CORRUPT', #text) end
  else
    if text == nil then load() end
    if not text then return absent(name, first, last, x, first - 1) end
    p = root()
    for k = first, last do
      local container = p
      p, at, close, count = child(container, tokens[k])
      if not p then return absent(name, first, last, x, k, container, close, count) end
      segment = segment + 1
    end
  end
  if name == 'set' then
    local e = value_end(p)
    if if_absent then return sub(text, p, e) end
    edit(p, e, tokens[x])
    return if_present and 'true' or ''
  elseif name == 'increment' then
    local by = tokens[x]
    local _, e = find(text, '^-?%d+', p)
    local b = e and byte(text, e + 1)
    local sum
    if e and e - p < 14 and #by < 15 and (b == 44 or b == 125 or b == 93) and byte(text, p) ~= 48
      and byte(text, p + 1) ~= 48 and not find(by, '[.eE]')
    then
      sum = format('%.0f', sub(text, p, e) + by)
    else
      if rare().type_of(p) ~= 'number' then fail('TYPE', extra.type_of(p)) end
      e = value_end(p)
      sum = extra.sum(extra.number(sub(text, p, e), p), by, exact)
    end
    edit(p, e, sum)
    return sum
  elseif name == 'delete' then
    remove(at, value_end(p))
    return 'true'
  elseif name == 'test' then
    local e = value_end(p)
    if sub(text, p, e) ~= tokens[x] and (bytes or not rare().equal(p, tokens[x])) then fail('TEST') end
    return ''
  elseif name == 'take' then
    local e = value_end(p)
    remove(at, e)
    return sub(text, p, e)
  elseif name == 'toggle' then
    local kind = rare().type_of(p)
    if kind ~= 'boolean' then fail('TYPE', kind) end
    local e = value_end(p)
    local flipped = e == p + 3 and 'false' or 'true'
    edit(p, e, flipped)
    return flipped
  elseif name == 'append' then
    if byte(text, p) ~= 34 then fail('TYPE', rare().type_of(p)) end
    local e, more = string_end(p), sub(tokens[x], 2, -2)
    edit(e, e - 1, more)
    return format('%d', rare().string_length(sub(text, p + 1, e - 1)) + extra.string_length(more))
  elseif name == 'absent' then
    fail('TEST')
  elseif name == 'exists' then
    rare().type_of(p)
    return ''
  end
  return on_array(name, p, x)
end

-- Keys other than the current one, by number: { text, partial, ttl, edits }.
local current, others = 1, {}
-- What the keys of this group were before it, in order: { number, text, partial, ttl, edits }.
local before

local function remember()
  if edit_from then settle() end
  before[#before + 1] = { current, text, partial, ttl, edits }
end

local function switch(number)
  if number == current then return end
  if edit_from then settle() end
  others[current] = { text, partial, ttl, edits }
  current, key = number, KEYS[number]
  local state = others[number]
  if state then
    text, partial, ttl, edits = state[1], state[2], state[3], state[4]
  else
    text, partial, ttl, edits = nil, false, nil, 0
  end
end

local function roll_back()
  edit_from = nil
  for n = #before, 1, -1 do
    local b = before[n]
    switch(b[1])
    text, partial, ttl, edits = b[2], b[3], b[4], b[5]
  end
end

-- The refusal that ended an op, as a reply. Redis's own errors go on, except that of a key that is no string.
local function refusal(problem)
  if type(problem) == 'table' and problem[1] then
    return '!' .. problem[1] .. ' ' .. format('%d', segment) .. ' ' .. (problem[2] or '')
  end
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' or kind == 'none' then error(problem, 0) end
  return '!WRONG_TYPE 0 ' .. kind
end

local replies, done, i = {}, 0, 1
local failed = false
before = { { 1, nil, false, nil, 0 } }
while i <= size do
  local name = tokens[i]
  if name == ';' then
    failed, before = false, {}
    switch(1)
    remember()
    i = i + 1
  elseif name == '@' then
    switch(tonumber(tokens[i + 1]))
    remember()
    i = i + 2
  elseif name == 'parents' then
    parents, i = true, i + 1
  elseif name == 'ifAbsent' then
    if_absent, i = true, i + 1
  elseif name == 'ifPresent' then
    if_present, i = true, i + 1
  elseif name == 'bytes' then
    bytes, i = true, i + 1
  elseif name == 'exact' then
    exact, i = true, i + 1
  elseif name == 'ttl' then
    new_ttl, i = tonumber(tokens[i + 1]), i + 2
  else
    local first = i + 2
    local x = first + tonumber(tokens[i + 1])
    if name == 'set' or name == 'increment' or name == 'test' or name == 'append' or name == 'expire' then
      i = x + 1
    elseif name == 'push' or name == 'unshift' then
      i = x + 2
    elseif name == 'splice' then
      i = x + 4
    else
      i = x
    end
    local reply = ''
    if not failed then
      local ok
      ok, reply = pcall(run, name, first, x - 1, x)
      if not ok and partial then
        load(true)
        ok, reply = pcall(run, name, first, x - 1, x)
      end
      if not ok then
        failed, reply = true, refusal(reply)
        roll_back()
      end
    end
    done = done + 1
    replies[done] = reply
    parents, if_absent, if_present, bytes, exact, new_ttl = nil, nil, nil, nil, nil, nil
  end
end

-- Everything is decided: write, with one command for each changed key.
local function write()
  if edits == 0 then
    if ttl == 0 then
      redis.call('PERSIST', key)
    elseif ttl then
      redis.call('PEXPIRE', key, format('%.0f', ttl))
    end
    return
  end
  if edit_from then
    if edits == 1 and not ttl and #edit_text == edit_to - edit_from + 1 and #text > 128 then
      redis.call('SETRANGE', key, format('%.0f', edit_from - 1), edit_text)
      return
    end
    local tail
    if partial then
      tail = redis.call('GETRANGE', key, format('%.0f', edit_to), '-1')
    else
      tail = sub(text, edit_to + 1)
    end
    text = sub(text, 1, edit_from - 1) .. edit_text .. tail
  end
  if not text then
    redis.call('DEL', key)
  elseif not ttl then
    redis.call('SET', key, text, 'KEEPTTL')
  elseif ttl == 0 then
    redis.call('SET', key, text)
  else
    redis.call('SET', key, text, 'PX', format('%.0f', ttl))
  end
end

write()
edit_from = nil
for number, state in pairs(others) do
  if number ~= current then
    key, text, partial, ttl, edits = KEYS[number], state[1], state[2], state[3], state[4]
    write()
  end
end
return replies
