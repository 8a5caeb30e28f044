-- The text under work, and the positions of white space and strings in it.
--
-- State, set by load (lib/value.lua) and by whoever compares two texts:
--   text     the JSON text, or its first bytes
--   partial  the length of the whole value when text is only its first bytes
-- A position is a 1-based byte index into text. On valid JSON every answer is exact. On anything else an
-- answer may be wrong but is always inside the text, and every loop moves forward.
--
-- Each closure and each local that closures share costs about as much as a search in a small value, on every
-- call. So only what most calls need is made here; the rest waits in lib/rare.lua until it is needed.
local text, partial

-- The bytes that structure a text. What is no more than SPACE is white space.
-- @define SPACE 32
-- @define LINE_BREAK 10
-- @define QUOTE 34
-- @define COMMA 44
-- @define MINUS 45
-- @define ZERO 48
-- @define COLON 58
-- @define OPEN_LIST 91
-- @define BACKSLASH 92
-- @define CLOSE_LIST 93
-- @define OPEN_OBJECT 123
-- @define CLOSE_OBJECT 125
-- Whether the byte may follow the closing quote of a string (RFC 8259, section 2). A quote that something else follows
-- can only be an opening one, unless a backslash escapes it. The second says the opposite, letters first.
-- @define MAY_FOLLOW_STRING(b) (b <= SPACE or b == COMMA or b == COLON or b == CLOSE_LIST or b == CLOSE_OBJECT)
-- @define OPENS_STRING(b) (b > CLOSE_LIST and b ~= CLOSE_OBJECT or b > COLON and b < CLOSE_LIST or b > SPACE and b < COLON and b ~= COMMA)

-- Raises a refusal. code and found are our own words or numbers, never user text.
local function fail(code, found)
  error({ code, found }, 0)
end

-- The first position at or after p that is not white space, and its byte.
local function blank(p)
  local b = byte(text, p)
  if b and b > SPACE then return p, b end
  p = find(text, '[^ \t\r\n]', p)
  if not p then fail('CORRUPT', #text) end
  return p, byte(text, p)
end

-- p at an opening quote: the position of its closing quote.
local function string_end(p)
  local e = find(text, '"', p + 1, true)
  while e do
    if byte(text, e - 1) ~= BACKSLASH then return e end
    local b = e - 2
    while byte(text, b) == BACKSLASH do b = b - 1 end
    if (e - b) % 2 == 1 then return e end -- an even run of backslashes does not escape the quote
    e = find(text, '"', e + 1, true)
  end
  fail('CORRUPT', p - 1)
end

-- Built on first need: creating closures costs more than a small edit.
local rare
