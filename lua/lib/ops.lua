-- Ops and cases of ops that are not the most common. Stands inside the function `more` of apply.lua, whose
-- conventions for what an op returns hold here.
local format = string.format

-- Numbers, strings and equality, built when first asked for.
local function values()
  if rare().sum then return extra end
  local match, gsub, rep, char = string.match, string.gsub, string.rep, string.char
  local floor, huge, concat = math.floor, math.huge, table.concat
  -- @include "lib/number.lua"
  -- @include "lib/string.lua"
  -- @include "lib/compare.lua"
  return extra
end
ops.values = values

local function quoted(s)
  return byte(s) == QUOTE and s or '"' .. s .. '"'
end

-- @include "lib/shape.lua"

-- Removes the member or element from..to and one comma. Returns where that is, too, nil if there is none, and whether
-- the last one is removed.
local function remove(reply, from, to)
  local q, b = blank(to + 1)
  if b == COMMA then return reply, from, blank(q + 1) - 1, '', q end
  if b ~= CLOSE_LIST and b ~= CLOSE_OBJECT then fail('CORRUPT', q - 1) end
  q = from
  repeat q = q - 1 until byte(text, q) > SPACE
  if byte(text, q) == COMMA then return reply, q, to, '', q, true end
  return reply, from, to, '', nil, true
end

-- The text that the last copy has found, and what an add adds. What the last pick has found: a text, and its
-- expiry in ms, 0 for none.
local copied, picked, picked_ttl
local function addition(x)
  return modifiers and modifiers.copied and copied or tokens[x]
end
ops.addition = addition

-- What an op makes of a value that is not there, and its reply.
local function initial(name, x)
  if name == 'add' then return addition(x), '' end
  if name == 'set' then return tokens[x], '' end
  if name == 'increment' then return tokens[x], tokens[x] end
  if name == 'push' or name == 'unshift' then return '[' .. tokens[x] .. ']', tokens[x + 1] end
  if name == 'splice' then return '[' .. tokens[x + 2] .. ']', '[]' end
  if name == 'append' then
    return tokens[x], format('%d', values().string_length(sub(tokens[x], 2, -2)))
  end
end

-- The op finds nothing: the segment k (first - 1: the key itself) of first..last is missing from the
-- container at p. Ends the op, or creates what is missing.
function ops.create(name, first, last, x, k, p, close, count)
  if name == 'absent' or name == 'take' then return '' end
  if name == 'delete' or modifiers and modifiers.ifPresent then return 'false' end
  if name == 'exists' or name == 'test' or name == 'type' or name == 'length' or name == 'keys' then
    fail('TEST')
  end
  local parents = modifiers and modifiers.parents
    or k == last and (name == 'set' or name == 'add' and not (modifiers and modifiers.last))
  local fragment, reply = initial(name, x)
  if not fragment or not parents then fail(k < first and 'NO_KEY' or 'NOT_FOUND') end
  for n = last, k + 1, -1 do
    local s = tokens[n]
    fragment = s == '0' and '[' .. fragment .. ']' or '{' .. quoted(s) .. ':' .. fragment .. '}'
  end
  if k < first then return reply, WHOLE, WHOLE, fragment end
  local s = tokens[k]
  if not count then return add(reply, p, close, quoted(s) .. ':' .. fragment) end
  if tonumber(byte(s) == QUOTE and rare().index(s) or s) ~= count then fail('RANGE', format('%d', count)) end
  return add(reply, p, close, fragment)
end

-- A whole value that is no container must stand alone.
function ops.check_scalar(p)
  local b = byte(text, p)
  if b ~= OPEN_OBJECT and b ~= OPEN_LIST and find(text, '[^ \t\r\n]', value_end(p) + 1) then fail('CORRUPT', #text) end
end

-- Is there such a key? Without reading the value; refuses a key that is no string.
local function present()
  if text == nil then return redis.call('STRLEN', key) > 0 or redis.call('EXISTS', key) == 1 end
  return text ~= false
end

-- The whole value as a reply. What looks like a refusal or like "none" is no JSON, and still is none behind a
-- space.
local function whole_text()
  return (text == '' or byte(text) == 33) and ' ' .. text or text
end

-- Ops on the key as a whole.
ops.whole = {
  set = function(x)
    local was = present()
    if was and modifiers.ifAbsent then
      if not text or partial then load(true) end
      return whole_text()
    end
    if not was and modifiers.ifPresent then return 'false' end
    if was and modifiers.unlessObject then
      if not text then load(false) end
      if partial and not find(text, '[^ \t\r\n]') then load(true) end
      if find(text, '^[ \t\r\n]*{') then return '' end
    end
    return modifiers.ifPresent and 'true' or '', WHOLE, WHOLE, tokens[x]
  end,
  add = function(x)
    present()
    return '', WHOLE, WHOLE, addition(x)
  end,
  delete = function()
    if not present() then return 'false' end
    return 'true', WHOLE, WHOLE, false
  end,
  take = function()
    if not text and text ~= false or partial then load(true) end
    if not text then return '' end
    -- Longer than a client can hold (V8): it must not be removed by a call that cannot be answered.
    if #text > 536870888 then fail('LIMIT', 'bytes') end
    return whole_text(), WHOLE, WHOLE, false
  end,
  pick = function(_, ttl)
    if not text and text ~= false or partial then load(true) end
    if not text then fail('NO_KEY') end
    if not ttl then
      local left = redis.call('PTTL', key)
      ttl = left < 0 and 0 or left == 0 and 1 or left
    end
    picked, picked_ttl = text, ttl
    return ''
  end,
  put = function()
    present()
    modifiers = { ttl = picked_ttl }
    return '', 0, 0, picked
  end,
  fresh = function()
    if not text and text ~= false or partial then load(true) end
    if not text then fail('NO_KEY') end
    return whole_text()
  end,
  expire = function(x)
    if not present() then return 'false' end
    return 'true', EXPIRY, tonumber(tokens[x])
  end,
  persist = function(_, ttl)
    if not present() or ttl == 0 or ttl == nil and redis.call('PTTL', key) < 0 then return 'false' end
    return 'true', EXPIRY, 0
  end,
}

-- Ops on the value at p; at is the start of its member or element.

function ops.increment(p, x)
  local kind = rare().type_of(p)
  if kind ~= 'number' then fail('TYPE', kind) end
  local e = value_end(p)
  local sum = values().sum(extra.number(sub(text, p, e), p), tokens[x], modifiers and modifiers.exact)
  return sum, p, e, sum
end

function ops.copy(p)
  copied = sub(text, p, value_end(p))
  return ''
end

-- Inserts before an element, replaces a member. With last, p is the container: behind its last element, or as
-- the member "-" of an object.
function ops.add(p, x, at)
  if modifiers and modifiers.last then
    local b = byte(text, p)
    if b == OPEN_LIST then
      local _, _, close = element(p)
      return add('', p, close, addition(x))
    end
    if b ~= OPEN_OBJECT then fail('TYPE', rare().type_of(p)) end
    local v, _, _, close = child(p, b, '"-"', 0)
    if not v then return add('', p, close, '"-":' .. addition(x)) end
    return '', v, value_end(v), addition(x)
  end
  if at == p then return '', p, p - 1, addition(x) .. ',' end
  return '', p, value_end(p), addition(x)
end

function ops.delete(p, _, at)
  return remove('true', at, value_end(p))
end

function ops.take(p, _, at)
  local e = value_end(p)
  if e - p >= 536870888 then fail('LIMIT', 'bytes') end
  return remove(sub(text, p, e), at, e)
end

function ops.toggle(p)
  local kind = rare().type_of(p)
  if kind ~= 'boolean' then fail('TYPE', kind) end
  local e = value_end(p)
  local flipped = e == p + 3 and 'false' or 'true'
  return flipped, p, e, flipped
end

function ops.append(p, x)
  if byte(text, p) ~= QUOTE then fail('TYPE', rare().type_of(p)) end
  local e, added = string_end(p), sub(tokens[x], 2, -2)
  local length = values().string_length(sub(text, p + 1, e - 1)) + extra.string_length(added)
  return format('%d', length), e, e - 1, added
end

function ops.fresh(p)
  return sub(text, p, value_end(p))
end

function ops.type(p, x)
  if rare().type_of(p) ~= tokens[x] then fail('TEST') end
  return ''
end

function ops.length(p, x)
  if byte(text, p) ~= OPEN_LIST or size(p) ~= tonumber(tokens[x]) then fail('TEST') end
  return ''
end

function ops.keys(p, x)
  if byte(text, p) ~= OPEN_OBJECT or names(p) ~= tokens[x] then fail('TEST') end
  return ''
end

function ops.exists(p)
  rare().type_of(p)
  return ''
end

local function array(p)
  if byte(text, p) ~= OPEN_LIST then fail('TYPE', rare().type_of(p)) end
  return p
end

function ops.unshift(p, x)
  local _, count = element(array(p))
  local length, items = format('%d', count + tokens[x + 1]), tokens[x]
  if items == '' then return length end
  return length, p + 1, p, count == 0 and items or items .. ','
end

function ops.shift(p)
  local v = element(array(p), 0)
  if not v then return '' end
  local e = value_end(v)
  return remove(sub(text, v, e), v, e)
end

function ops.pop(p)
  local _, count = element(array(p))
  if count == 0 then return '' end
  local v = element(p, count - 1)
  local e = value_end(v)
  return remove(sub(text, v, e), v, e)
end

function ops.splice(p, x)
  local _, count, close = element(array(p))
  local start, deleted, items = tonumber(tokens[x]), tonumber(tokens[x + 1]), tokens[x + 2]
  if start < 0 then start = start + count end
  start = start < 0 and 0 or start > count and count or start
  if deleted > count - start then deleted = count - start end
  if deleted <= 0 then
    if items == '' then return '[]' end
    if start == count then return add('[]', p, close, items) end
    local v = element(p, start)
    return '[]', v, v - 1, items .. ','
  end
  local v = element(p, start)
  local e = value_end(deleted == 1 and v or element(p, start + deleted - 1))
  local removed = '[' .. sub(text, v, e) .. ']'
  if items == '' then return remove(removed, v, e) end
  return removed, v, e, items
end
