-- purpose: run groups of ops on JSON values, each group whole or not at all, changing no other byte
-- KEYS: the keys of the values, each once; behind them that of the record, where the call has one
-- ARGV: one flat list of tokens: ops, each preceded by its modifiers; lua/README.md gives their meaning
--   modifier once key ttl until
--   modifier near bytes
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
-- Returns: one bulk string for each op: its JSON result, "" for none, or a refusal "!CODE segment found"; behind
--   that of a single change in a long value the `near` for the next one; of one op that went the short way, its
--   result alone
-- Errors: LATE and the time of the server, where the call came after its time; Redis's own (OOM, READONLY, ...),
--   before anything is written; PARTIAL and an error of Redis, where a write failed behind another one
-- Cost: O(bytes up to the target) to find, O(bytes of the value) to write; one write command a changed key, up to
--   five for a change of another length in a long value, and one for the record

-- @include "lib/fast.lua"

local find, byte, sub = string.find, string.byte, string.sub
local tokens = ARGV

-- @include "lib/once.lua"

local single, prefix = at_once(record and 5 or 1, tokens, record, record_ttl, find, byte, sub)
if single then return single end

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
-- from - 1 to insert); WHOLE, WHOLE, fragment when the whole value does (false deletes the key); EXPIRY, ms when only
-- its expiry does.
-- @define WHOLE 0
-- @define EXPIRY -1

-- Adds fragment behind the last member or element of the container at p that ends at close.
local function add(reply, p, close, fragment)
  local q = close
  repeat q = q - 1 until byte(text, q) > SPACE
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

-- The op at what it works on: the value at p. at is the start of its member or element, x the first argument; whole
-- says that it is the whole value.
local function perform(name, p, x, at, whole)
  local _
  if name == 'set' then
    if modifiers and modifiers.unlessObject and byte(text, p) == OPEN_OBJECT then return '' end
    local e = value_end(p)
    if modifiers and modifiers.ifAbsent then return sub(text, p, e) end
    return modifiers and modifiers.ifPresent and 'true' or '', p, e, tokens[x]
  elseif name == 'increment' then
    local by = tokens[x]
    local e
    _, e = find(text, '^-?%d+', p)
    if e and e - p < 14 and #by < 15 then
      local next_byte, digit = byte(text, e + 1), byte(text, byte(text, p) == MINUS and p + 1 or p)
      -- Both are short integers without a leading zero, and the number ends here.
      if (next_byte == COMMA or next_byte == CLOSE_OBJECT or next_byte == CLOSE_LIST)
        and digit ~= ZERO and not find(by, '[.eE]')
      then
        local sum = string.format('%.0f', sub(text, p, e) + by)
        return sum, p, e, sum
      end
    end
    return more().increment(p, x)
  elseif name == 'push' then
    if byte(text, p) ~= OPEN_LIST then fail('TYPE', rare().type_of(p)) end
    if not steps_made then make_steps() end
    local _, count, c = element(p)
    local length = string.format('%d', count + tokens[x + 1])
    if tokens[x] == '' then return length end
    return add(length, p, c, tokens[x])
  elseif name == 'test' then
    local e = value_end(p)
    local exact = modifiers and (modifiers.bytes or modifiers.sha1)
    if whole and exact then p, e = 1, #text end
    local found = sub(text, p, e)
    if exact and modifiers.sha1 then found = redis.sha1hex(found) end
    if found == tokens[x] then return '' end
    if exact or not more().values().equal(p, tokens[x]) then fail('TEST') end
    return ''
  end
  if name == 'absent' then fail('TEST') end
  return more()[name](p, x, at)
end

-- Runs one op: first..last are the tokens of its segments, x the first of its arguments. With all, the whole
-- value is read. ttl is what became of the expiry before. Changes nothing, so that it can run again. Instead of a reply
-- IN_PIECES where it should run in pieces: where the text is longer than most, and was read whole.
-- @define IN_PIECES false
local function run(name, first, last, x, all, ttl, most)
  segment = 0
  local p, at, count
  if last < first then
    if name == 'set' and not modifiers then -- whatever is there, as long as it is a string
      if text == nil then redis.call('STRLEN', key) end
      return '', WHOLE, WHOLE, tokens[x]
    end
    local whole = more().whole[name]
    if whole and not (modifiers and modifiers.last) then return whole(x, ttl) end
    all = true
  end
  if text == nil or all and partial then load(all, first <= last and tokens[first]) end
  if not text then return more().create(name, first, last, x, first - 1) end
  local b, c
  p, b = root()
  if not partial and #text > most then return IN_PIECES end
  c = 0
  for k = first, last do
    local container, s = p, tokens[k]
    local q, y = byte(s, 1, 2)
    b = b or byte(text, p)
    if b == OPEN_OBJECT and q == QUOTE then -- what child does, without the call: most segments are names in objects
      at, p, b, c = member(p, s, y, c)
    else
      if not steps_made then make_steps() end
      p, at, b, c, count = child(p, b, s, c)
    end
    if not p then
      if k == last and not count and name == 'set' and not modifiers then
        return add('', container, c, (q == QUOTE and s or '"' .. s .. '"') .. ':' .. tokens[x])
      end
      return more().create(name, first, last, x, k, container, c, count)
    end
    segment = segment + 1
  end
  if last < first then more().check_scalar(p) end
  return perform(name, p, x, at, last < first)
end

-- Of the value under work, where many ops work on it: its text and its changes (lib/pieces.lua).
local document
local pieces -- what lib/pieces.lua does, made when first needed

-- The changes of values in many places at once, for calls of many ops.
local function many()
  if pieces then return pieces end
  pieces = {}
  if not steps_made then make_steps() end
  -- @include "lib/pieces.lua"
  return pieces
end

local replies, done, i, groups
local size = #tokens
-- The value under work, besides text (nil: not read yet, false: no such key) and partial:
local ttl      -- what its expiry becomes: nil stays, 0 none, else ms
local edits    -- how often it was changed since it was read
local from, to, fragment -- a change not made in text yet
local searched -- how many bytes of it ops have gone through, as far as that is known

-- The values that are not under work, by number of their keys. What they were before this group, in order: a value
-- with its number.
local current, others, before, failed
-- Which groups were refused, by number; whether this one builds on one of them.
local refused, orphaned

-- Where memory is short the ops run once more: then every op that writes text is refused, and with it its group.
-- So what needs no memory is done. short is the number of groups that were refused for this, nil at first, and
-- shortage the error of Redis.
local short, shortage

-- An op searches from the start of the text, and the next one works on a new text. When ops have gone through so many
-- bytes of a value, the next ones go on where others have been; so does the first op in a value as long as that, where
-- another one follows. A text of which only the start is read is not worth it, unless two ops change it.
-- @define FEW 65536
local few = FEW
-- What went wrong was said of a text in pieces: all runs again, from the start, without any.
local again

repeat
  replies, done, i, groups = {}, 0, record and 5 or 1, 1
  text, partial, ttl, edits, from, document, searched = nil, nil, nil, 0, nil, nil, 0
  current, others, before, failed = 1, nil, nil, false
  refused, orphaned, again = nil, false, false
  key = KEYS[1]

  while i <= size do
    local name = tokens[i]
    local first = i + 2
    if name == ';' or name == '@' then
      -- @include "lib/group.lua"
    elseif name == 'parents' or name == 'ifAbsent' or name == 'ifPresent' or name == 'unlessObject'
      or name == 'bytes' or name == 'sha1' or name == 'exact' or name == 'copied' or name == 'last'
    then
      modifiers = modifiers or {}
      modifiers[name] = true
      i = i + 1
    elseif name == 'near' then
      near = tonumber(tokens[i + 1])
      i = first
    elseif name == 'after' then
      orphaned = orphaned or refused and refused[tonumber(tokens[i + 1])]
      i = first
    elseif name == 'ttl' then
      modifiers = modifiers or {}
      modifiers.ttl = tonumber(tokens[i + 1])
      i = first
    else
      local x = first + tokens[i + 1]
      -- @arguments
      local reply = ''
      if orphaned and not failed and name ~= 'fresh' then
        failed, refused[groups] = true, true
        reply = '!AFTER 0 '
      -- What is asked for afresh is reported only where a group was refused.
      elseif name == 'fresh' and refused or name ~= 'fresh' and not failed then
        local ok
        if from then -- make the pending change
          if partial then load(true) end
          text = sub(text, 1, from - 1) .. fragment .. sub(text, to + 1)
        end
        if not document then
          -- Whether another op follows that is about this value, and is not only for refused groups.
          local a, b = tokens[i], tokens[i + 1]
          local goes_on = a and a ~= '@' and (a ~= ';' or current == 1 and b ~= '@' and b ~= 'fresh')
          local most = math.huge
          if searched > few then
            most = 0
            if partial and searched > 16 * few then load(true) end
          elseif goes_on then
            most = few
          end
          ok, reply, from, to, fragment = pcall(run, name, first, x - 1, x, false, ttl, most)
          if partial and (not ok or goes_on and from and from > 0) then
            load(true)
            if not ok or #text > most then
              ok, reply, from, to, fragment = pcall(run, name, first, x - 1, x, true, ttl, most)
            end
          end
          if text then searched = searched + #text end
          if ok and reply == IN_PIECES then
            document = many().document(text)
            document.since = edits
          end
        end
        if document then
          ok, reply, from, to, fragment = pcall(pieces.run, name, first, x - 1, x, ttl)
          text = document.text
        end
        if ok and from and from > 0 then
          local MAX_BYTES = 536870912 -- of a Redis string (proto-max-bulk-len)
          local length
          if document then
            length = pieces.length(from, to, fragment)
          else
            length = (partial or #text) - (to - from + 1) + #fragment
          end
          if length > MAX_BYTES then ok, reply = false, { 'LIMIT', 'bytes' } end
        end
        if short and ok and from and from >= 0 and fragment then
          ok, reply, short = false, { 'OOM' }, short + 1
        end
        if not ok and document and type(reply) == 'table' and reply[1] == 'CORRUPT' then
          again, few, i = true, math.huge, size + 1
        elseif not ok then
          -- @include "lib/refusal.lua"
          -- @include "lib/undo.lua"
        elseif from == EXPIRY then
          ttl, from = to, nil
        elseif from then
          edits = edits + 1
          if from == WHOLE then
            text, partial, from, document = fragment, false, nil, nil
            if not fragment then ttl = 0 elseif modifiers and modifiers.ttl then ttl = modifiers.ttl end
          elseif document then
            pieces.keep(from, to, fragment)
            from = nil
          end
        end
      end
      done = done + 1
      replies[done] = reply
      modifiers = nil
    end
  end
  if pieces and not again then
    -- @include "lib/join.lua"
  end

  if not again then
    if short == groups then return { err = shortage } end -- nothing is left to do

    -- Everything is decided: each changed key gets one command, behind the record.
    local queue, problem
    local written = 0
    if others then
      -- @include "lib/queue.lua"
    end
    -- A change in one place of a long value: the next one is likely to be there, too. The record does without.
    local told
    if done == 1 and not others and from and from > 0 then
      local n = partial or #text
      if n > LONG then
        local reach = to + 1024
        if reach > n / 4 * 3 then reach = n + n / 8 end -- then nothing is gained by less than all
        told = string.format('%.0f', reach)
      end
    end
    -- @include "lib/record.lua"
    -- @include "lib/write.lua"
    if not problem then
      replies[done + 1] = told
      return replies
    end

    -- @include "lib/failure.lua"
  end
until false

end)()
