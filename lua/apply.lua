-- purpose: run groups of ops on JSON values, each group whole or not at all, changing no other byte
-- KEYS: the keys of the values, each once; behind them that of the record, where the call has one
-- ARGV: one flat list of tokens: ops, each preceded by its modifiers; lua/README.md gives their meaning
--   modifier once key ttl until
--   modifier ;
--   modifier after group
--   modifier @ key
--   modifier parents
--   modifier ifAbsent
--   modifier ifPresent
--   modifier unlessObject
--   modifier bytes
--   modifier sha1
--   modifier exact
--   modifier copied
--   modifier last
--   modifier ttl ms
--   set depth segment... value
--   add depth segment... value
--   copy depth segment...
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
--   type depth segment... type
--   length depth segment... count
--   keys depth segment... names
--   exists depth segment...
--   absent depth segment...
--   expire depth segment... ms
--   persist depth segment...
--   fresh depth segment...
--   pick depth segment...
--   put depth segment...
-- Returns: one bulk string for each op: its JSON result, "" for none, or a refusal "!CODE segment found"
-- Errors: LATE and the time of the server, where the call came after its time; Redis's own (OOM, READONLY, ...),
--   before anything is written; PARTIAL and an error of Redis, where a write failed behind another one
-- Cost: O(bytes up to the target) to find, O(bytes of the value) to write; one write command a changed key,
--   and one for the record
local find, byte, sub = string.find, string.byte, string.sub
local tokens = ARGV

-- A call that has run before, and left a record, only says again what it said then. Touching the record is a
-- write, so that a WAIT behind it on this connection waits for what the call wrote on another one.
local record, record_ttl
if tokens[1] == 'once' then
  record, record_ttl = KEYS[tonumber(tokens[2])], tokens[3]
  local known = redis.call('GET', record)
  if known then
    redis.call('PEXPIRE', record, record_ttl)
    return cjson.decode(known)
  end
  -- Without a record it may still have run before, so long ago that the record is gone. So each call has a time
  -- until which it may come. A time too far ahead is no protection: the clock it was read from is wrong.
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
  if now > tonumber(tokens[4]) or tokens[4] - now > tonumber(record_ttl) then
    return redis.error_reply(string.format('LATE %.0f', now))
  end
end

-- @include "lib/text.lua"

-- Making a closure searches the shared locals of the function around it, one by one. Inside a second function
-- it finds those of the first at once.
return (function()

-- @include "lib/scan.lua"
-- @include "lib/value.lua"
-- @include "lib/rare.lua"

-- Modifiers of the current op by name, nil where it has none.
local modifiers
-- How many segments of its path the current op has behind it, for refusals.
local segment = 0

-- An op returns its reply and what it changes: from, to, fragment when text[from..to] becomes fragment (to is
-- from - 1 to insert); 0, 0, fragment when the whole value does (false deletes the key); -1, ms when only its
-- expiry does.

-- Adds fragment behind the last member or element of the container at p that ends at close.
local function add(reply, p, close, fragment)
  local q = close
  repeat q = q - 1 until byte(text, q) > 32
  return reply, q + 1, q, q == p and fragment or ',' .. fragment
end

local ops

-- The ops that are less common than set, increment and push, built when first asked for.
local function more()
  if ops then return ops end
  ops = {}
  if not steps_made then make_steps() end
  -- @include "lib/ops.lua"
  return ops
end

-- Runs one op: first..last are the tokens of its segments, x the first of its arguments. With all, the whole
-- value is read. ttl is what became of the expiry before. Changes nothing, so that it can run again.
local function run(name, first, last, x, all, ttl)
  segment = 0
  local p, at, count
  if last < first then
    if name == 'set' and not modifiers then -- whatever is there, as long as it is a string
      if text == nil then redis.call('STRLEN', key) end
      return '', 0, 0, tokens[x]
    end
    local whole = more().whole[name]
    if whole and not (modifiers and modifiers.last) then return whole(x, ttl) end
    all = true
  end
  if text == nil or all and partial then load(all, first <= last and tokens[first]) end
  if not text then return more().create(name, first, last, x, first - 1) end
  local b, c
  p, b = root()
  c = 0
  for k = first, last do
    local container, s = p, tokens[k]
    local q, y = byte(s, 1, 2)
    b = b or byte(text, p)
    if b == 123 and q == 34 then -- what child does, without the call: most segments are names in objects
      at, p, b, c = member(p, s, y, c)
    else
      if not steps_made then make_steps() end
      p, at, b, c, count = child(p, b, s, c)
    end
    if not p then
      if k == last and not count and name == 'set' and not modifiers then
        return add('', container, c, (q == 34 and s or '"' .. s .. '"') .. ':' .. tokens[x])
      end
      return more().create(name, first, last, x, k, container, c, count)
    end
    segment = segment + 1
  end
  if last < first then more().check_scalar(p) end
  local _
  if name == 'set' then
    local e = value_end(p)
    if modifiers and modifiers.ifAbsent then return sub(text, p, e) end
    if modifiers and modifiers.unlessObject and byte(text, p) == 123 then return '' end
    return modifiers and modifiers.ifPresent and 'true' or '', p, e, tokens[x]
  elseif name == 'increment' then
    local by = tokens[x]
    local e
    _, e = find(text, '^-?%d+', p)
    if e and e - p < 14 and #by < 15 then
      local next_byte, first_digit, second = byte(text, e + 1), byte(text, p, p + 1)
      -- Both are short integers without a leading zero, and the number ends here.
      if (next_byte == 44 or next_byte == 125 or next_byte == 93)
        and first_digit ~= 48 and second ~= 48 and not find(by, '[.eE]')
      then
        local sum = string.format('%.0f', sub(text, p, e) + by)
        return sum, p, e, sum
      end
    end
    return more().increment(p, x)
  elseif name == 'push' then
    if byte(text, p) ~= 91 then fail('TYPE', rare().type_of(p)) end
    if not steps_made then make_steps() end
    _, count, c = element(p)
    local length = string.format('%d', count + tokens[x + 1])
    if tokens[x] == '' then return length end
    return add(length, p, c, tokens[x])
  elseif name == 'test' then
    local e = value_end(p)
    local exact = modifiers and (modifiers.bytes or modifiers.sha1)
    if last < first and exact then p, e = 1, #text end
    local found = sub(text, p, e)
    if exact and modifiers.sha1 then found = redis.sha1hex(found) end
    if found == tokens[x] then return '' end
    if exact or not more().values().equal(p, tokens[x]) then fail('TEST') end
    return ''
  end
  if name == 'absent' then fail('TEST') end
  return more()[name](p, x, at)
end

local replies, done, i, groups
local size = #tokens
-- The value under work, besides text (nil: not read yet, false: no such key) and partial:
local ttl    -- what its expiry becomes: nil stays, 0 none, else ms
local edits  -- how often it was changed since it was read
local from, to, fragment -- a change not made in text yet

-- Keys by number: { text, partial, ttl, edits }, of those that are not the current one. The states of the keys
-- of this group before it, in order: { number, text, partial, ttl, edits }.
local current, others, before, failed
-- Which groups were refused, by number; whether this one builds on one of them.
local refused, orphaned

-- Where memory is short the ops run once more: then every op that writes text is refused, and with it its group.
-- So what needs no memory is done. short is the number of groups that were refused for this, nil at first, and
-- shortage the error of Redis.
local short, shortage

repeat
  replies, done, i, groups = {}, 0, record and 5 or 1, 1
  text, partial, ttl, edits, from = nil, nil, nil, 0, nil
  current, others, before, failed = 1, nil, nil, false
  refused, orphaned = nil, false
  key = KEYS[1]

  while i <= size do
    if from then -- there is more to do: make the pending change
      if partial then load(true) end
      text, from = sub(text, 1, from - 1) .. fragment .. sub(text, to + 1), nil
    end
    local name = tokens[i]
    local first = i + 2
    if name == ';' or name == '@' then
      local number = name == '@' and tonumber(tokens[i + 1]) or 1
      if number ~= current then
        others = others or {}
        others[current] = { text, partial, ttl, edits }
        current, key = number, KEYS[number]
        local state = others[number]
        if state then
          text, partial, ttl, edits = state[1], state[2], state[3], state[4]
        else
          text, partial, ttl, edits = nil, false, nil, 0
        end
      end
      if name == ';' then
        before, failed, orphaned, groups = {}, false, false, groups + 1
        i = i + 1
      else
        before = before or { { 1, nil, false, nil, 0 } }
        i = first
      end
      before[#before + 1] = { current, text, partial, ttl, edits }
    elseif name == 'parents' or name == 'ifAbsent' or name == 'ifPresent' or name == 'unlessObject'
      or name == 'bytes' or name == 'sha1' or name == 'exact' or name == 'copied' or name == 'last'
    then
      modifiers = modifiers or {}
      modifiers[name] = true
      i = i + 1
    elseif name == 'after' then
      orphaned = orphaned or refused and refused[tonumber(tokens[i + 1])]
      i = first
    elseif name == 'ttl' then
      modifiers = modifiers or {}
      modifiers.ttl = tonumber(tokens[i + 1])
      i = first
    else
      local x = first + tokens[i + 1]
      if name == 'set' or name == 'increment' or name == 'test' or name == 'append' or name == 'expire'
        or name == 'type' or name == 'length' or name == 'keys' or name == 'add'
      then
        i = x + 1
      elseif name == 'push' or name == 'unshift' then
        i = x + 2
      elseif name == 'splice' then
        i = x + 4
      else
        i = x
      end
      local reply = ''
      if orphaned and not failed and name ~= 'fresh' then
        failed, refused[groups] = true, true
        reply = '!AFTER 0 '
      -- What is asked for afresh is reported only where a group was refused.
      elseif name == 'fresh' and refused or name ~= 'fresh' and not failed then
        local ok
        ok, reply, from, to, fragment = pcall(run, name, first, x - 1, x, false, ttl)
        if not ok and partial then
          load(true)
          ok, reply, from, to, fragment = pcall(run, name, first, x - 1, x, true, ttl)
        end
        if ok and from and from > 0 then
          local MAX_BYTES = 536870912 -- of a Redis string (proto-max-bulk-len)
          local length = partial and redis.call('STRLEN', key) or #text
          if length - (to - from + 1) + #fragment > MAX_BYTES then ok, reply = false, { 'LIMIT', 'bytes' } end
        end
        if short and ok and from and from >= 0 and fragment then
          ok, reply, short = false, { 'OOM' }, short + 1
        end
        if not ok then
          failed, from = true, nil
          refused = refused or {}
          refused[groups] = true
          -- @include "lib/refusal.lua"
          before = before or { { 1, nil, false, nil, 0 } }
          for n = #before, 1, -1 do
            local b = before[n]
            if b[1] == current then
              text, partial, ttl, edits = b[2], b[3], b[4], b[5]
            else
              others[b[1]] = { b[2], b[3], b[4], b[5] }
            end
          end
        elseif from == -1 then
          ttl, from = to, nil
        elseif from then
          edits = edits + 1
          if from == 0 then
            text, partial, from = fragment, false, nil
            if not fragment then ttl = 0 elseif modifiers and modifiers.ttl then ttl = modifiers.ttl end
          end
        end
      end
      done = done + 1
      replies[done] = reply
      modifiers = nil
    end
  end

  if short == groups then return { err = shortage } end -- nothing is left to do

  -- Everything is decided: each changed key gets one command, behind the record.
  local queue, problem
  local written = 0
  if others then
    -- @include "lib/queue.lua"
  end
  -- @include "lib/record.lua"
  if not problem then
    repeat
      if queue then
        local state = queue[written + 1]
        if not state then break end
        text, partial, ttl, edits, key = state[1], state[2], state[3], state[4], state[8]
        from, to, fragment = state[5], state[6], state[7]
      end
      local answer
      if edits == 0 then
        if ttl == 0 then
          answer = redis.pcall('PERSIST', key)
        elseif ttl then
          answer = redis.pcall('PEXPIRE', key, string.format('%.0f', ttl))
        end
      elseif not (from and edits == 1 and not ttl and #fragment == to - from + 1 and #text > 128
        -- Refused where the value is longer than the server takes in one piece (proto-max-bulk-len); SET does not look.
        and type(redis.pcall('SETRANGE', key, string.format('%.0f', from - 1), fragment)) == 'number')
      then
        if from then
          local tail
          if partial then
            tail = redis.call('GETRANGE', key, string.format('%.0f', to), '-1')
          else
            tail = sub(text, to + 1)
          end
          text = sub(text, 1, from - 1) .. fragment .. tail
        end
        if not text then
          answer = redis.pcall('DEL', key)
        elseif not ttl then
          answer = redis.pcall('SET', key, text, 'KEEPTTL')
        elseif ttl == 0 then
          answer = redis.pcall('SET', key, text)
        else
          answer = redis.pcall('SET', key, text, 'PX', string.format('%.0f', ttl))
        end
      end
      if answer and answer ~= 1 and answer ~= 0 and answer.err then
        problem = answer.err
        break
      end
      written = written + 1
    until not queue
  end
  if not problem then return replies end

  -- @include "lib/failure.lua"
until false

end)()
