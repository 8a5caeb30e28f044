-- The value of one key: reading it, as little of it as will do.
--
-- State: key, its name in Redis. text and partial are set here (lib/scan.lua reads them).
local key

-- A value longer than this is first read up to here only, which is all that an early target needs.
local PREFIX = 65536

-- Sets text to the value, false where there is no such key. With whole, never to a prefix.
local function load(whole)
  partial = false
  if not whole then
    text = redis.call('GETRANGE', key, '0', '65535')
    local n = #text
    if n == PREFIX then
      n = redis.call('STRLEN', key)
      if n > 4 * PREFIX then
        partial = true
      elseif n > PREFIX then
        text = redis.call('GET', key)
      end
    elseif n == 0 and redis.call('EXISTS', key) == 0 then
      text = false
    end
  else
    text = redis.call('GET', key)
  end
end

-- The start of the whole value. What it begins with must be what it ends with: a cheap look that finds most
-- values cut short and most that are followed by something else.
local function root()
  local p, b = blank(1)
  if b == 123 or b == 91 then
    local last = partial and redis.call('GETRANGE', key, '-1', '-1') or sub(text, -1)
    local z = byte(last)
    if z <= 32 then
      if partial then fail('CORRUPT', 0) end
      z = byte(match(text, '([^ \t\r\n])[ \t\r\n]*$'))
    end
    if z ~= b + 2 then fail('CORRUPT', #text) end
  end
  return p
end
