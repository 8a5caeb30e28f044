-- The text under work, and the positions of white space and strings in it.
--
-- State, set by load (lib/value.lua) and by whoever compares two texts:
--   text     the JSON text, or its first bytes
--   partial  true when text is only the first bytes of a longer value
-- A position is a 1-based byte index into text. On valid JSON every answer is exact. On anything else an
-- answer may be wrong but is always inside the text, and every loop moves forward.
--
-- Each closure and each local that closures share costs about as much as a search in a small value, on every
-- call. So only what most calls need is made here; the rest waits in lib/rare.lua until it is needed.
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

-- The first quote after i, a position behind the text if there is none. The answer is kept: where quotes are
-- far between, each of many brackets would look for the same one.
local quote_text, quote_from, quote_at
local function next_quote(i)
  if quote_text ~= text or i < quote_from or i >= quote_at then
    quote_text, quote_from, quote_at = text, i, find(text, '"', i + 1, true) or #text + 1
  end
  return quote_at
end

-- p a bracket, base <= p a position outside strings or at an opening quote. Inside a string: its first and
-- last position. Outside: the next opening quote after p (nil: none), nil.
local function string_around(p, base)
  local r = next_quote(p)
  if r > #text then
    if partial then fail('CORRUPT', p - 1) end
    return nil
  end
  local x, _, y = byte(text, r - 1, r + 1)
  if x ~= 92 and y and y > 32 and y ~= 44 and y ~= 58 and y ~= 93 and y ~= 125 then return r end
  local s = find(text, '"', base, true)
  while s and s < p do
    local e = string_end(s)
    if e > p then return s, e end
    s = find(text, '"', e + 1, true)
  end
  return s
end
