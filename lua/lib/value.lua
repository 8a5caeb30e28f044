-- The value of one key: reading it, as little of it as will do.
--
-- State: key, its name in Redis. text and partial are set here; prefix is its first bytes, where
-- they are read already. near says how much of the first value to read first, where the call does.
-- @define PREFIX 16384
local key, near

-- Sets text to the value, false where there is no such key. Without whole, of a long value only to its first
-- bytes, which is all that an early target needs: if the first name on the path stands in them, or if that is not a
-- name and the value is very long.
local function load(whole, name)
  partial = false
  if whole then
    text = redis.call('GET', key)
    return
  end
  local hint = key == KEYS[1] and near
  local most = hint or LONG
  text = prefix or redis.call('GETRANGE', key, '0', most - 1)
  prefix = nil
  local n = #text
  if n == most then
    n = redis.call('STRLEN', key)
    if n > most then
      local is_name = name and byte(name) == QUOTE
      partial = hint or is_name and find(text, name, 1, true)
      if not partial and n > (is_name and 4 or 16) * PREFIX then
        text = redis.call('GETRANGE', key, '0', PREFIX - 1)
        partial = not is_name or find(text, name, 1, true)
      end
      if partial then partial = n else text = redis.call('GET', key) end
    end
  elseif n == 0 and redis.call('EXISTS', key) == 0 then
    text = false
  end
end

-- The start of the whole value and its first byte. What it begins with must be what it ends with: a cheap
-- look that finds most
-- values cut short and most that are followed by something else.
local function root()
  local p, b = blank(1)
  if b == OPEN_OBJECT or b == OPEN_LIST then
    local z
    if partial then z = byte(redis.call('GETRANGE', key, '-1', '-1')) else z = byte(text, -1) end
    if z <= SPACE and not partial then z = byte(string.match(text, '([^ \t\r\n])[ \t\r\n]*$')) end
    if z ~= b + 2 then fail('CORRUPT', #text) end
  end
  return p, b
end
