-- Finding byte ranges in JSON text without building a tree.
--
-- State, set by load (lib/value.lua) and by whoever compares two texts:
--   text     the JSON text, or its first bytes
--   partial  true when text is only the first bytes of a longer value
-- A position is a 1-based byte index into text. On valid JSON every answer is exact. On anything else an
-- answer may be wrong but is always inside the text, and every loop moves forward.
local text, partial

-- Raises a refusal. code and found are our own words or numbers, never user text.
local function fail(code, found)
  error({ code, found }, 0)
end

-- The first position at or after p that is not white space, and its byte.
local function blank(p)
  local b = byte(text, p)
  if b and b > 32 then return p, b end
  p = find(text, '[^ \t\r\n]', p)
  if not p then fail('CORRUPT', #text) end
  return p, byte(text, p)
end

-- p at an opening quote: the position of its closing quote.
local function string_end(p)
  local e = find(text, '"', p + 1, true)
  while e do
    if byte(text, e - 1) ~= 92 then return e end
    local b = e - 2
    while byte(text, b) == 92 do b = b - 1 end
    if (e - b) % 2 == 1 then return e end -- an even run of backslashes does not escape the quote
    e = find(text, '"', e + 1, true)
  end
  fail('CORRUPT', p - 1)
end

-- Built on first need: creating closures costs more than a small edit.
local rare

-- Every bracket open or close in q..j is outside strings, or balanced inside its own string. q is the first
-- quote after a position outside strings. Most brackets are settled by the next quote: followed by anything
-- but white space or , : ] } it can only be an opening one (RFC 8259, section 2), so what precedes it is
-- outside strings. The others are settled by reading the strings from the last settled position.
local function certain(q, j, open, close)
  local p, base = find(text, open, q, true), q
  local mark, last = open, j - 1
  while true do
    while p and p <= last do
      local b, y = byte(text, p + 1, p + 2)
      local r
      if b == 34 then
        r = p + 1
      else
        r = find(text, '"', p + 1, true)
        if not r then
          if partial then fail('CORRUPT', p - 1) end
          break
        end
        local _
        b, _, y = byte(text, r - 1, r + 1)
      end
      if b ~= 92 and y and y > 32 and y ~= 44 and y ~= 58 and y ~= 93 and y ~= 125 then
        base = r
      else
        local s, e = rare().string_around(p, base)
        if not e then
          if not s then break end
          base = s
        else
          if not rare().balanced(s, e, open, close) then return false end
          base = e + 1
        end
      end
      p = find(text, mark, base, true)
    end
    if mark == close then return true end
    p, base = find(text, close, q, true), q
    mark, last = close, j
  end
end

-- i at a bracket outside strings: the position of the matching bracket. %b counts brackets at C speed but
-- does not know strings, so its answer is checked.
local function bracket_end(i, open, close, pattern)
  local _, j = find(text, pattern, i)
  local q = find(text, '"', i + 1, true)
  if j then
    if not q or q > j then return j end -- no string inside
    if certain(q, j, open, close) then return j end
  elseif not q or partial then
    fail('CORRUPT', i - 1)
  end
  return rare().exact_bracket_end(i, open, close)
end

-- p at the first byte of a value inside a container: the position of its last byte.
local function value_end(p)
  local b = byte(text, p)
  if b == 34 then return string_end(p) end
  if b == 123 then return bracket_end(p, '{', '}', '^%b{}') end
  if b == 91 then return bracket_end(p, '[', ']', '^%b[]') end
  local _, e = find(text, '^[%w.+-]+', p)
  if not e or partial and e == #text then fail('CORRUPT', p - 1) end
  return e
end

-- Object at i, name = the quoted text of a member's name: the position of the name and of the value, or
-- nil, nil and the position of the closing brace. The name's text is looked for at C speed; what is nested
-- before it is hopped over. Of members with the same name the first is found.
local function member(i, name)
  local base, y = i + 1, byte(name, 2)
  -- A name that starts like what may follow a string could match across two strings.
  if y <= 32 or y == 34 or y == 44 or y == 58 or y == 93 or y == 125 then
    return rare().exact_member(i, name)
  end
  local far = #text + 1
  local k = find(text, name, base, true) or far
  local o = find(text, '{', base, true) or far
  local c = find(text, '}', base, true) or far
  while true do
    if k < o and k < c then -- no brace in between: a key token here is ours
      local n = k + #name
      local x = byte(text, n)
      if x ~= 58 then n, x = blank(n) end
      if x == 58 and byte(text, k - 1) ~= 92 then
        n = n + 1
        x = byte(text, n)
        if not x or x <= 32 then n = blank(n) end
        return k, n
      end
      k = find(text, name, k + 1, true) or far
    else
      local m = o < c and o or c
      if m == far then fail('CORRUPT', i - 1) end
      local e, _
      local b, z = byte(text, m + 1, m + 2)
      if b ~= 34 or not z or z <= 32 or z == 44 or z == 58 or z == 93 or z == 125 then
        _, e = rare().string_around(m, base)
      end
      if e then
        base = e + 1 -- the brace is inside a string: step over the string
      elseif m == c then
        -- Our object ends. A name may still be spelled with escapes, as "\u0061" for "a".
        local slash = find(text, '\\', i, true)
        if slash and slash < c and rare().escaped_name(slash, c) then
          return rare().exact_member(i, name)
        end
        return nil, nil, c
      elseif byte(text, m - 1) == 91 then
        base = bracket_end(m - 1, '[', ']', '^%b[]') + 1 -- an array that starts with an object
      else
        base = bracket_end(m, '{', '}', '^%b{}') + 1
      end
      if o < base then o = find(text, '{', base, true) or far end
      if c < base then c = find(text, '}', base, true) or far end
      if k < base then k = find(text, name, base, true) or far end
    end
  end
end

-- Array at i: the start of element n (0-based), or nil, the number of elements and the position of the
-- closing bracket. Without n: nil, the number, the bracket. Long arrays are crossed in runs of 16 elements.
local function element(i, n)
  local p, b = blank(i + 1)
  if b == 93 then return nil, 0, p end
  local k, wait = 0, 4
  while true do
    if n == k then return p end
    local e
    if wait == 0 then
      wait = 4
      if not n or n - k > 16 then e = rare().element_run(p, b) end
      if e then k = k + 15 end
    else
      wait = wait - 1
    end
    e = e or value_end(p)
    p = e + 1
    b = byte(text, p)
    if b ~= 44 then
      p, b = blank(p)
      if b == 93 then return nil, k + 1, p end
      if b ~= 44 then fail('CORRUPT', p - 1) end
    end
    p = p + 1
    b = byte(text, p)
    if not b or b <= 32 then p, b = blank(p) end
    k = k + 1
  end
end

-- The value behind one path segment of the container at p: start of the value or nil, start of the name or
-- element, position of the closing bracket when absent, number of elements when absent from an array.
-- A segment is a quoted name ("a") or a bare integer (0, -1); it is matched by what it meets.
local function child(p, segment)
  local b = byte(text, p)
  if b == 123 then
    local name, v, close = member(p, byte(segment) == 34 and segment or '"' .. segment .. '"')
    return v, name, close
  end
  if b ~= 91 then fail('TYPE', rare().type_of(p)) end
  local n = tonumber(byte(segment) == 34 and rare().index(segment) or segment)
  if n < 0 then -- from the end: count first
    local _, count, close = element(p)
    n = n + count
    if n < 0 then return nil, nil, close, count end
  end
  local v, count, close = element(p, n)
  return v, v, close, count
end
