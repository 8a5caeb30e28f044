-- purpose: read parts of JSON values
-- KEYS: the keys of the values, each once
-- ARGV: one flat list of tokens: reads, each preceded by its modifiers; lua/README.md gives their meaning
--   modifier @ key
--   get depth segment...
--   type depth segment...
--   length depth segment...
--   keys depth segment...
--   exists depth segment...
--   size depth segment...
-- Returns: one bulk string for each read: its JSON result, or a refusal "!CODE segment found"
-- Errors: none of its own
-- Cost: O(bytes up to the target); only the fragment leaves the server
local find, byte, sub, format = string.find, string.byte, string.sub, string.format

local prefix -- of a value that is read already: none
-- @include "lib/text.lua"
-- @include "lib/scan.lua"
-- @include "lib/value.lua"
-- @include "lib/rare.lua"

local tokens = ARGV
key = KEYS[1]
local segment = 0

-- @include "lib/shape.lua"

local function length(p)
  local parts = size(p)
  if parts then return parts end
  local kind = rare().type_of(p)
  if kind ~= 'string' then fail('TYPE', kind) end
  local gsub = string.gsub
  -- @include "lib/string.lua"
  return extra.string_length(sub(text, p + 1, string_end(p) - 1))
end

-- A read searches from the start of the text. When reads have gone through so many bytes of a value, the next ones go
-- on where others have been: facts are what is known of its containers by then.
-- @define FEW 65536
local few = FEW
local searched, facts = 0, nil
local known_child -- what child does, with the facts; made when first needed

-- Starts to keep facts, where the text is one that they can be told of.
local function keep_facts()
  if partial then load(true) end
  if not steps_made then make_steps() end
  -- @include "lib/facts.lua"
  local ok, made = pcall(new_facts)
  if ok then facts = made else few = math.huge end
  function known_child(p, s)
    local b, quoted = byte(text, p), byte(s) == QUOTE
    local _, v, fact
    if b == OPEN_OBJECT then
      _, v = known_member(facts, p, quoted and s or '"' .. s .. '"')
      return v
    end
    if b ~= OPEN_LIST then fail('TYPE', rare().type_of(p)) end
    local n = tonumber(quoted and rare().index(s) or s)
    if n < 0 then
      _, fact = known_element(facts, p)
      n = n + fact.count
      if n < 0 then return nil end
    end
    v = known_element(facts, p, n)
    return v
  end
end

local function run(name, first, last)
  segment = 0
  if text == nil then load(last < first, tokens[first]) end
  if not text then
    if name == 'exists' then return 'false' end
    fail('NO_KEY')
  end
  if name == 'size' then return format('%d', partial or #text) end
  if last < first then
    if partial then load(true) end
    -- What looks like a refusal is no JSON, and still is none behind a space.
    if name == 'get' then return byte(text) == 33 and ' ' .. text or text end
  end
  local p, b = root()
  local c, _ = 0, nil
  for k = first, last do
    local s = tokens[k]
    local q, y = byte(s, 1, 2)
    b = b or byte(text, p)
    if facts then
      p = known_child(p, s)
    elseif b == OPEN_OBJECT and q == QUOTE then -- what child does, without the call
      _, p, b, c = member(p, s, y, c)
    else
      if not steps_made then make_steps() end
      p, _, b, c = child(p, b, s, c)
    end
    if not p then
      if name == 'exists' then return 'false' end
      fail('NOT_FOUND')
    end
    segment = segment + 1
  end
  if name == 'get' then return sub(text, p, value_end(p)) end
  if name == 'type' then return rare().type_of(p) end
  if name == 'length' then return format('%d', length(p)) end
  if name == 'keys' then
    if byte(text, p) ~= OPEN_OBJECT then fail('TYPE', rare().type_of(p)) end
    return names(p)
  end
  rare().type_of(p)
  return 'true'
end

local replies, done, i = {}, 0, 1
while i <= #tokens do
  local name = tokens[i]
  if name == '@' then
    key, text, partial = KEYS[tonumber(tokens[i + 1])], nil, false
    searched, facts = 0, nil
    i = i + 2
  else
    local first = i + 2
    i = first + tonumber(tokens[i + 1])
    if text and not facts and searched > few and (not partial or searched > 16 * few) then
      keep_facts()
    end
    local ok, reply = pcall(run, name, first, i - 1)
    if not ok and partial then
      load(true)
      ok, reply = pcall(run, name, first, i - 1)
    end
    if not ok and facts and type(reply) == 'table' and reply[1] == 'CORRUPT' then
      facts, few = nil, math.huge -- what is wrong is said as a read by itself would say it
      load(true)
      ok, reply = pcall(run, name, first, i - 1)
    end
    if text and first < i then searched = searched + #text end
    done = done + 1
    if not ok then
      -- @include "lib/refusal.lua"
    end
    replies[done] = reply
  end
end
return replies
