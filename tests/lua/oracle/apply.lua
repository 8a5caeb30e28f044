-- The script as it was before it learned to work in pieces: what tests/lua/oracle_test.ts holds the present one to.
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

-- Making a closure searches the shared locals of the function around it, one by one. Inside a second function
-- it finds those of the first at once.
return (function()

-- Finding byte ranges in JSON text without building a tree; lib/text.lua has the state and the conventions.

-- The text in which guessing was wrong so often that it no longer pays; lib/rare.lua decides that.
local careful

-- What steps over containers, made by make_steps() when the first one is in the way: many a change in a small
-- value meets none, and making these would cost a good part of it.
local steps_made, make_steps
local next_quote, string_around, certain, bracket_end, last_member, element, child

-- p at the first byte of a value inside a container: the position of its last byte.
local function value_end(p)
  local b = byte(text, p)
  if b == 34 then return string_end(p) end
  if not steps_made and (b == 123 or b == 91) then make_steps() end
  if b == 123 then return bracket_end(p, '{', '}', '^%b{}') end
  if b == 91 then return bracket_end(p, '[', ']', '^%b[]') end
  local _, e = find(text, '^[%w.+-]+', p)
  if not e or partial and e == #text then fail('CORRUPT', p - 1) end
  return e
end

-- Object at i, name = the quoted text of a member's name, y = its second byte, c = the first closing brace after
-- i, or less where that is not known. The position of the name, that of the value, the first byte of the value
-- and the first closing brace after the name; where there is no such member nil, nil, nil and the closing brace.
-- The name's text is looked for at C speed; what is nested before it is hopped over. Of members with the same
-- name the first is found that is spelled as ours, and only where there is none the first that is spelled otherwise.
local function member(i, name, y, c)
  local base = i + 1
  -- A name that starts like what may follow a string could match across two strings.
  if y <= 32 or y == 34 or y == 44 or y == 58 or y == 93 or y == 125 then
    return rare().exact_member(i, name)
  end
  local far, tried = #text + 1, partial
  local k = find(text, name, base, true) or far
  local o = find(text, '{', base, true) or far
  if c < base then c = find(text, '}', base, true) or far end
  while true do
    if k < o and k < c then -- no brace in between: a key token here is ours
      local n = k + #name
      local x, v = byte(text, n, n + 1)
      if x and x <= 32 then
        n, x = blank(n)
        v = byte(text, n + 1)
      end
      if x == 58 and byte(text, k - 1) ~= 92 then
        n = n + 1
        if not v or v <= 32 then n, v = blank(n) end
        return k, n, v, c
      end
      k = find(text, name, k + 1, true) or far
    elseif i == 1 and k < far and k > #text / 3 * 2 and not tried then
      -- Far behind in a whole value: to read on from there to the end is shorter than to read up to it.
      tried = true
      if not steps_made then make_steps() end
      local v = last_member(k, k + #name)
      if v then return k, v, byte(text, v), 0 end
    else
      local m = o < c and o or c
      if m == far then fail('CORRUPT', i - 1) end
      if not steps_made then make_steps() end
      local _, e, before, b, z
      before, _, b, z = byte(text, m - 1, m + 2)
      if b ~= 34 or not z or z <= 32 or z == 44 or z == 58 or z == 93 or z == 125 then
        _, e = string_around(m, base)
      end
      if e then
        base = e + 1 -- the brace is inside a string: step over the string
      elseif m == c then
        -- Our object ends. A name may still be spelled with escapes, as "\u0061" for "a".
        local slash = find(text, '\\', i, true)
        if slash and slash < c and rare().escaped_name(slash, c) then
          return rare().exact_member(i, name)
        end
        return nil, nil, nil, c
      elseif before == 91 then
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

function make_steps()
  steps_made = true

  -- The first quote after i, a position behind the text if there is none. The answer is kept: where quotes are
  -- far between, each of many brackets would look for the same one.
  local quote_text, quote_from, quote_at
  function next_quote(i)
    if quote_text ~= text or i < quote_from or i >= quote_at then
      quote_text, quote_from, quote_at = text, i, find(text, '"', i + 1, true) or #text + 1
    end
    return quote_at
  end

  -- p a bracket, base <= p a position outside strings or at an opening quote. Inside a string: its first and
  -- last position. Outside: the next opening quote after p (nil: none), nil.
  function string_around(p, base)
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

  -- Every bracket open or close in q..j is outside strings, or balanced inside its own string. q is the first
  -- quote after a position outside strings. Most brackets are settled by the next quote: followed by anything
  -- but white space or , : ] } it can only be an opening one (RFC 8259, section 2), so what precedes it is
  -- outside strings. The others are settled by reading the strings from the last settled position.
  function certain(q, j, open, close)
    local p, base = find(text, open, q, true), q
    local mark, last = open, j - 1
    local _
    while true do
      while p and p <= last do
        local r = p + 1
        local b, y, z, w = byte(text, r, p + 4)
        if b ~= 34 then
          r = p + 2
          if y == 34 then
            y = z
          elseif z == 34 then -- as between two objects: },{"
            r, b, y = p + 3, y, w
          else
            r = next_quote(p)
            if r > #text then
              if partial then fail('CORRUPT', p - 1) end
              break
            end
            b, _, y = byte(text, r - 1, r + 1)
          end
        end
        if b ~= 92 and y and (y > 93 and y ~= 125 or y > 58 and y < 93 or y > 32 and y ~= 44 and y < 58) then
          base = r
        else
          local s, e = string_around(p, base)
          if e then
            if not rare().balanced(s, e, open, close) then return false end
            base = e + 1
          elseif s then
            base = s
          else
            break
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
  -- does not know strings, so its answer is a guess and is checked.
  function bracket_end(i, open, close, pattern)
    if careful ~= text then
      local _, j = find(text, pattern, i)
      local q = next_quote(i)
      if j then
        if q > j then return j end -- no string inside
        if certain(q, j, open, close) then return j end
      elseif partial or q > #text then
        fail('CORRUPT', i - 1)
      end
      rare().count_waste((j or #text) - i)
    end
    return rare().exact_bracket_end(i, open, close)
  end

  -- k at what looks like the name of a member of the outermost object, n behind it: the position of the value if it
  -- is one, which the rest of the text proves; else nil. Of a short text only a few members are read: to hop to the
  -- place from the start costs less than many.
  function last_member(k, n)
    local p, b = blank(n)
    if b ~= 58 or byte(text, k - 1) == 92 then return nil end
    local v = blank(p + 1)
    p = v
    for _ = 1, k > 4096 and #text or 3 do
      p, b = blank(value_end(p) + 1)
      if b == 125 then return not find(text, '[^ \t\r\n]', p + 1) and v or nil end
      if b ~= 44 then return nil end
      p, b = blank(p + 1)
      if b ~= 34 then return nil end
      p, b = blank(string_end(p) + 1)
      if b ~= 58 then return nil end
      p = blank(p + 1)
    end
  end

  -- Array at i: the start of element n (0-based), or nil, the number of elements and the position of the
  -- closing bracket. Without n: nil, the number, the bracket. Long arrays are crossed in runs of 16 elements.
  function element(i, n)
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

  -- The value behind one path segment of the container at p, whose first byte is b. c as for member. Start of the
  -- value or nil, start of its name or element, its first byte (nil: not looked at), c for the next; where it is
  -- absent nil, nil, nil, the closing bracket and of an array the number of elements.
  -- A segment is a quoted name ("a") or a bare integer (0, -1); it is matched by what it meets.
  function child(p, b, segment, c)
    local q, y = byte(segment, 1, 2)
    local name, v, x, count, _
    if b == 123 then
      if q ~= 34 then
        y, segment = q, '"' .. segment .. '"'
      end
      name, v, x, c = member(p, segment, y, c)
      return v, name, x, c
    end
    if b ~= 91 then fail('TYPE', rare().type_of(p)) end
    local n = tonumber(q == 34 and rare().index(segment) or segment)
    if n < 0 then -- from the end: count first
      _, count, c = element(p)
      n = n + count
      if n < 0 then return nil, nil, nil, c, count end
    end
    v, count, c = element(p, n)
    if v then return v, v, nil, 0 end
    return nil, nil, nil, c, count
  end
end
-- The value of one key: reading it, as little of it as will do.
--
-- State: key, its name in Redis. text and partial are set here.
local key

-- Sets text to the value, false where there is no such key. Without whole, of a long value only to its first
-- bytes, which is all that an early target needs: if the first name on the path stands in them, or if that is not a
-- name and the value is very long.
local function load(whole, name)
  local PREFIX = 16384
  partial = false
  if whole then
    text = redis.call('GET', key)
    return
  end
  text = redis.call('GETRANGE', key, '0', '16383')
  local n = #text
  if n == PREFIX then
    n = redis.call('STRLEN', key)
    if n > PREFIX then
      if name and byte(name) == 34 then partial = find(text, name, 1, true) else partial = n > 16 * PREFIX end
      if not partial then text = redis.call('GET', key) end
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
  if b == 123 or b == 91 then
    local z
    if partial then z = byte(redis.call('GETRANGE', key, '-1', '-1')) else z = byte(text, -1) end
    if z <= 32 and not partial then z = byte(string.match(text, '([^ \t\r\n])[ \t\r\n]*$')) end
    if z ~= b + 2 then fail('CORRUPT', #text) end
  end
  return p, b
end
-- What few searches need, built when first asked for.
local extra

function rare()
  if extra then return extra end
  extra = {}
  local match, floor, char, concat, rep = string.match, math.floor, string.char, table.concat, string.rep

  -- The brackets inside the string s..e are balanced and never close more than they opened. Gives up (false)
  -- after 16, which only costs the exact way.
  function extra.balanced(s, e, open, close)
    local depth, far = 0, #text + 1
    local o, c = find(text, open, s, true) or far, find(text, close, s, true) or far
    for _ = 1, 16 do
      if o > e and c > e then return depth == 0 end
      if o < c then
        depth = depth + 1
        o = find(text, open, o + 1, true) or far
      else
        depth = depth - 1
        if depth < 0 then return false end
        c = find(text, close, c + 1, true) or far
      end
    end
    return false
  end

  -- A guess of bracket_end was wrong, and has read so many bytes for nothing. When such guesses have cost four times
  -- the text there are no more, which keeps the search linear.
  local wrong_text, waste
  function extra.count_waste(bytes)
    if wrong_text ~= text then
      wrong_text, waste = text, 0
    end
    waste = waste + bytes
    if waste > 4 * #text then careful = text end
  end

  -- The end of the string around m, a bracket; nil outside strings. No string goes over base. What stands around the
  -- quotes next to m tells which of them open a string and which close one (RFC 8259, section 2): before an opening
  -- one stands { [ , : or white space, behind a closing one , : ] } or white space. Where that leaves both, the
  -- strings from base on are read.
  local function end_around(m, base)
    local r = next_quote(m)
    if r > #text then
      if partial then fail('CORRUPT', m - 1) end
      return nil
    end
    local b, _, a = byte(text, r - 1, r + 1)
    if b ~= 92 and a and a > 32 and a ~= 44 and a ~= 58 and a ~= 93 and a ~= 125 then return nil end
    local from = m - 64 > base and m - 64 or base
    local q = find(sub(text, from, m - 1), '"[^"]*$')
    if q then
      q = from + q - 1
      b, _, a = byte(text, q - 1, q + 1)
      if b == 92 then
        local n = q - 2
        while byte(text, n) == 92 do n = n - 1 end
        if (q - n) % 2 == 0 then return string_end(m) end -- an escaped quote is inside a string
        return nil
      end
      if b > 32 and b ~= 123 and b ~= 91 and b ~= 44 and b ~= 58 then return nil end
      if a > 32 and a ~= 44 and a ~= 58 and a ~= 93 and a ~= 125 then return string_end(m) end
    elseif from == base then
      return nil
    end
    local _, e = string_around(m, base)
    return e
  end

  -- bracket_end where the guess was wrong, as a string inside holds brackets that are not balanced: counts those
  -- that are outside strings.
  function extra.exact_bracket_end(i, open, close)
    local depth, base, far = 1, i + 1, #text + 1
    local o, c = find(text, open, base, true) or far, find(text, close, base, true) or far
    while true do
      local m = o < c and o or c
      if m == far then fail('CORRUPT', i - 1) end
      local e = end_around(m, base)
      if e then
        base = e + 1
      else
        if m == o then depth = depth + 1 else depth = depth - 1 end
        if depth == 0 then return m end
        base = m + 1
      end
      if o < base then o = find(text, open, base, true) or far end
      if c < base then c = find(text, close, base, true) or far end
    end
  end

  -- Some name before c is spelled with a backslash. p: the first backslash.
  function extra.escaped_name(p, c)
    while p and p < c do
      local e = find(text, '"', p, true) -- the closing quote of the string that holds this backslash
      while e do
        local b = e - 1
        while byte(text, b) == 92 do b = b - 1 end
        if (e - b) % 2 == 1 then break end
        e = find(text, '"', e + 1, true)
      end
      if not e then fail('CORRUPT', p - 1) end
      local _, b = blank(e + 1)
      if b == 58 then return true end
      p = find(text, '\\', e + 1, true)
    end
    return false
  end

  local short_escapes = { b = '\b', f = '\f', n = '\n', r = '\r', t = '\t' }

  local function utf8(code)
    if code < 0x80 then return char(code) end
    local last = 0x80 + code % 0x40
    code = floor(code / 0x40)
    if code < 0x20 then return char(0xC0 + code, last) end
    local third = 0x80 + code % 0x40
    code = floor(code / 0x40)
    if code < 0x10 then return char(0xE0 + code, third, last) end
    return char(0xF0 + floor(code / 0x40), 0x80 + code % 0x40, third, last)
  end

  -- The characters that the body of a JSON string spells. A lone surrogate becomes its three bytes.
  function extra.unescape(body)
    local p = find(body, '\\', 1, true)
    if not p then return body end
    local parts, n, from = {}, 0, 1
    while p do
      n = n + 1
      parts[n] = sub(body, from, p - 1)
      local letter = sub(body, p + 1, p + 1)
      from = p + 2
      if letter == 'u' then
        local hex = match(body, '^%x%x%x%x', from)
        if not hex then fail('CORRUPT') end
        from = from + 4
        local code = tonumber(hex, 16)
        if code >= 0xD800 and code < 0xDC00 then
          local low = match(body, '^\\u([dD][c-fC-F]%x%x)', from)
          if low then
            code = 0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00
            from = from + 6
          end
        end
        letter = utf8(code)
      else
        letter = short_escapes[letter] or letter
      end
      n = n + 1
      parts[n] = letter
      p = find(body, '\\', from, true)
    end
    parts[n + 1] = sub(body, from)
    return concat(parts)
  end

  -- Every member of the object at i in order: visit(name start, name end, value start); true stops.
  -- Returns the position of the closing brace, nil when stopped.

  function extra.members(i, visit)
    local p, b = blank(i + 1)
    if b == 125 then return p end
    while true do
      if b ~= 34 then fail('CORRUPT', p - 1) end
      local name_end = string_end(p)
      local colon, x = blank(name_end + 1)
      if x ~= 58 then fail('CORRUPT', colon - 1) end
      local v = blank(colon + 1)
      if visit(p, name_end, v) then return nil end
      p, b = blank(value_end(v) + 1)
      if b == 125 then return p end
      if b ~= 44 then fail('CORRUPT', p - 1) end
      p, b = blank(p + 1)
    end
  end

  -- member, comparing the characters of every name.
  function extra.exact_member(i, name)
    local wanted = extra.unescape(sub(name, 2, -2))
    local at, value
    local close = extra.members(i, function(s, e, v)
      local spelled = sub(text, s, e)
      if spelled == name or not at and extra.unescape(sub(spelled, 2, -2)) == wanted then
        at, value = s, v
      end
      return spelled == name
    end)
    return at, value, value and byte(text, value), at and 0 or close
  end

  -- The index that a quoted segment spells; an array takes a canonical integer only.
  function extra.index(segment)
    local digits = match(segment, '^"(-?%d+)"$')
    if not digits or (digits ~= '0' and not find(digits, '^-?[1-9]')) or #digits > 16 then
      fail('TYPE', 'array')
    end
    return digits
  end

  function extra.type_of(p)
    local b = byte(text, p)
    if b == 34 then return 'string' end
    if b == 123 then return 'object' end
    if b == 91 then return 'array' end
    local word = match(text, '^[%w.+-]+', p)
    if word == 'true' or word == 'false' then return 'boolean' end
    if word == 'null' then return 'null' end
    if word and find(word, '^-?%d') then return 'number' end
    fail('CORRUPT', p - 1)
  end

  -- 16 elements of one kind, each with its comma and no white space, from p on: the last position of the
  -- sixteenth, nil where the run is broken.
  local runs = {}
  function extra.element_run(p, b)
    if wrong_text == text then return nil end
    local run = runs[b]
    if not run then
      local one = b == 34 and '"[^"\\]*",' or b == 123 and '%b{},' or b == 91 and '%b[],' or '[^]}",{[]*,'
      run = '^' .. rep(one, 16)
      runs[b] = run
    end
    local _, e = find(text, run, p)
    if not e then return nil end
    if b == 123 or b == 91 then
      local q = next_quote(p)
      local open, close = '{', '}'
      if b == 91 then open, close = '[', ']' end
      if q < e and not certain(q, e - 1, open, close) then return nil end
    end
    return e - 1
  end
  return extra
end

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
  -- Ops and cases of ops that are not the most common. Stands inside the function `more` of apply.lua, whose
  -- conventions for what an op returns hold here.
  local format = string.format

  -- Numbers, strings and equality, built when first asked for.
  local function values()
    if rare().sum then return extra end
    local match, gsub, rep, char = string.match, string.gsub, string.rep, string.char
    local floor, huge, concat = math.floor, math.huge, table.concat
    -- Arithmetic that never rounds an integer. Stands inside the function `values`.

    -- A number as RFC 8259, section 6 spells it; anything else is corrupt. p: where it stands, for the refusal.
    function extra.number(word, p)
      if not word or find(word, '^-?0%d') or not find(word, '^-?%d+$')
        and not find(word, '^-?%d+%.%d+$')
        and not find(word, '^-?%d+[eE][+-]?%d+$')
        and not find(word, '^-?%d+%.%d+[eE][+-]?%d+$')
      then
        fail('CORRUPT', p - 1)
      end
      return word
    end

    -- x as ECMAScript's Number::toString writes it (ECMA-262, 6.1.6.1.20), nil when not finite.
    local function number_text(x)
      if x ~= x or x == huge or x == -huge then return nil end
      if x == 0 then return '0' end
      local sign = ''
      if x < 0 then sign, x = '-', -x end
      if x < 9007199254740992 and x == floor(x) then return sign .. format('%.0f', x) end
      -- The fewest digits that read back as x.
      local short
      for digits = x < 2.3e-308 and 0 or 14, 16 do
        short = format('%.' .. digits .. 'e', x)
        if tonumber(short) == x then break end
        if digits == 15 then
          -- At a power of two the gap above is twice the gap below: 16 digits that are not the nearest may do.
          local mantissa, exponent = match(short, '^(.-)(e.*)$')
          local kept, nines = match(gsub(mantissa, '%.', ''), '^(.-)(9*)$')
          if kept ~= '' then
            kept = sub(kept, 1, -2) .. char(byte(kept, -1) + 1) .. rep('0', #nines)
            local above = sub(kept, 1, 1) .. '.' .. sub(kept, 2) .. exponent
            if tonumber(above) == x then
              short = above
              break
            end
          end
        end
      end
      local int, frac, exponent = match(short, '^(%d)%.?(%d*)e([+-]%d+)$')
      local digits = gsub(int .. frac, '0+$', '')
      local k, n = #digits, tonumber(exponent) + 1
      if k <= n and n <= 21 then return sign .. digits .. rep('0', n - k) end
      if n > 0 and n <= 21 then return sign .. sub(digits, 1, n) .. '.' .. sub(digits, n + 1) end
      if n > -6 and n <= 0 then return sign .. '0.' .. rep('0', -n) .. digits end
      return sign .. sub(digits, 1, 1) .. (k > 1 and '.' .. sub(digits, 2) or '')
        .. (n > 0 and 'e+' or 'e-') .. format('%.0f', n > 0 and n - 1 or 1 - n)
    end

    -- Of two texts of digits, equally long: a is less. Lua compares strings by the server's locale, so not as these.
    local function less(a, b)
      for k = 1, #a, 15 do
        local x, y = tonumber(sub(a, k, k + 14)), tonumber(sub(b, k, k + 14))
        if x ~= y then return x < y end
      end
      return false
    end

    -- The sum of two decimal integers of any length, exactly, seven digits at a time.
    local function integer_sum(a, b)
      local negative, b_negative = byte(a) == 45, byte(b) == 45
      a, b = gsub(a, '^-?0*', ''), gsub(b, '^-?0*', '')
      local by = 1
      if negative ~= b_negative then
        by = -1
        if #a < #b or #a == #b and less(a, b) then a, b, negative = b, a, b_negative end
      end
      local parts, n, carry, i, j = {}, 0, 0, #a, #b
      while i > 0 or j > 0 do
        local v = (i > 0 and tonumber(sub(a, i > 6 and i - 6 or 1, i)) or 0)
          + by * (j > 0 and tonumber(sub(b, j > 6 and j - 6 or 1, j)) or 0) + carry
        carry = 0
        if v >= 1e7 then
          v, carry = v - 1e7, 1
        elseif v < 0 then
          v, carry = v + 1e7, -1
        end
        n = n + 1
        parts[n] = format('%07.0f', v)
        i, j = i - 7, j - 7
      end
      local text_parts = {}
      for k = n, 1, -1 do text_parts[n - k + 1] = parts[k] end
      local sum = gsub((carry > 0 and '1' or '') .. concat(text_parts), '^0+', '')
      if sum == '' then return '0' end
      return (negative and '-' or '') .. sum
    end

    -- 2^53 - 1, the last integer up to which every double is exact.
    local function beyond_safe(digits)
      digits = gsub(digits, '^-?0*', '')
      return #digits > 16 or #digits == 16 and less('9007199254740991', digits)
    end

    -- JSON number texts a + b. Integers are added as integers; a sum that a double cannot hold is refused
    -- unless exact. Anything else is the sum of two doubles.
    function extra.sum(a, b, exact)
      local a_integer, b_integer = not find(a, '[.eE]'), not find(b, '[.eE]')
      if a_integer and b_integer then
        if #a > 400 or #b > 400 then fail('NUMBER', 'digits') end
        local sum = integer_sum(a, b)
        if not exact and beyond_safe(sum) then fail('NUMBER', 'integer') end
        return sum
      end
      if a_integer and beyond_safe(a) or b_integer and beyond_safe(b) then fail('NUMBER', 'integer') end
      local sum = number_text(tonumber(a) + tonumber(b))
      if not sum then fail('NUMBER', 'finite') end
      return sum
    end
    -- The length of strings. Stands where gsub is a local, and extra a table.

    -- The length of a JSON string as JavaScript counts it, in UTF-16 code units. body: between the quotes.
    -- A pattern that eats runs goes four times as fast as one that looks at each byte.
    function extra.string_length(body)
      local n, tails = #body, #gsub(body, '[^\128-\191]+', '') -- each character has one byte that is no tail
      if tails > 0 then n = n - tails + #gsub(body, '[^\240-\247]+', '') end -- one of four bytes has two units
      if find(body, '\\', 1, true) then
        -- Of what stands between two backslashes only the first byte matters.
        body = gsub(body, '([^\\])[^\\]*', '%1')
        local _, escapes = gsub(body, '\\.[^\\]*', '')
        local _, short = gsub(body, '\\[^u][^\\]*', '')
        n = n - escapes - 4 * (escapes - short) -- two characters stand for one unit, in \u0000 six
      end
      return n
    end
    -- JSON equality. Stands inside the function `values`, after number.lua.

    -- The decimal that a number stands for: equal numbers have the same. Digits alone stand for themselves, however
    -- many. With a point or an exponent it is the double that it is read as, in the fewest digits that read back as
    -- that, which is what JavaScript and Python write.
    local function decimal(word, p)
      if find(extra.number(word, p), '^-?%d+$') then return word == '-0' and '0' or word end
      local shortest = number_text(tonumber(word))
      if not shortest then return word end -- beyond all doubles
      local int, frac, zeros = match(shortest, '^(-?%d)%.?(%d*)e%+(%d+)$')
      return int and int .. frac .. rep('0', zeros - #frac) or shortest
    end

    -- The value at p as a tree, and the position of its last byte. A scalar is a text, in which strings start with a
    -- quote; an array is a list; an object has a count and its members by name, of one name the last, as JSON.parse
    -- takes it. Nothing is sorted: Lua compares strings in the order of the server's locale, in which different
    -- strings may be equal, and its sort is quadratic in the worst case.
    local function tree(p, depth)
      if depth > 1000 then fail('LIMIT', 'depth') end
      local b = byte(text, p)
      if b == 34 then
        local e = string_end(p)
        return '"' .. extra.unescape(sub(text, p + 1, e - 1)), e
      end
      local e
      if b == 123 then
        local members, count = {}, 0
        local q, x = blank(p + 1)
        while x ~= 125 do
          if x ~= 34 then fail('CORRUPT', q - 1) end
          e = string_end(q)
          local name = extra.unescape(sub(text, q + 1, e - 1))
          q, x = blank(e + 1)
          if x ~= 58 then fail('CORRUPT', q - 1) end
          if not members[name] then count = count + 1 end
          members[name], e = tree(blank(q + 1), depth + 1)
          q, x = blank(e + 1)
          if x == 44 then
            q, x = blank(q + 1)
            if x == 125 then fail('CORRUPT', q - 1) end
          elseif x ~= 125 then
            fail('CORRUPT', q - 1)
          end
        end
        return { members = members, count = count }, q
      end
      if b == 91 then
        local list, n = {}, 0
        local q, x = blank(p + 1)
        while x ~= 93 do
          n = n + 1
          list[n], e = tree(q, depth + 1)
          q, x = blank(e + 1)
          if x == 44 then
            q, x = blank(q + 1)
            if x == 93 then fail('CORRUPT', q - 1) end
          elseif x ~= 93 then
            fail('CORRUPT', q - 1)
          end
        end
        return list, q
      end
      local word = match(text, '^[%w.+-]+', p)
      if not word then fail('CORRUPT', p - 1) end
      e = p + #word - 1
      if word == 'true' or word == 'false' or word == 'null' then return word, e end
      return decimal(word, p), e
    end

    local function same(a, b)
      if a == b then return true end
      if type(a) ~= 'table' or type(b) ~= 'table' or a.count ~= b.count or #a ~= #b then return false end
      for k = 1, #a do
        if not same(a[k], b[k]) then return false end
      end
      if a.members then
        for name, value in next, a.members do
          if not same(value, b.members[name]) then return false end
        end
      end
      return true
    end

    -- The value at p equals the JSON text other.
    function extra.equal(p, other)
      local mine, whole = tree(p, 1), text
      text = other
      local ok, theirs = pcall(function() return (tree(blank(1), 1)) end)
      text = whole
      if not ok then error(theirs, 0) end
      return same(mine, theirs)
    end
    return extra
  end
  ops.values = values

  local function quoted(s)
    return byte(s) == 34 and s or '"' .. s .. '"'
  end

  -- The shape of the containers: how many parts they have and how these are named.

  -- How many elements or members the value at p has, nil where it has none to count.
  local function size(p)
    local b, n, _ = byte(text, p), 0, nil
    if b == 91 then
      if not steps_made then make_steps() end
      _, n = element(p)
      return n
    end
    if b ~= 123 then return nil end
    rare().members(p, function() n = n + 1 end)
    return n
  end

  -- The names of the members of the object at p, as they are spelled.
  local function names(p)
    local list, n = {}, 0
    rare().members(p, function(s, e)
      n = n + 1
      list[n] = sub(text, s, e)
    end)
    return '[' .. table.concat(list, ',') .. ']'
  end

  -- Removes the member or element from..to and one comma.
  local function remove(reply, from, to)
    local q, b = blank(to + 1)
    if b == 44 then return reply, from, blank(q + 1) - 1, '' end
    if b ~= 93 and b ~= 125 then fail('CORRUPT', q - 1) end
    q = from
    repeat q = q - 1 until byte(text, q) > 32
    return reply, byte(text, q) == 44 and q or from, to, ''
  end

  -- The text that the last copy has found, and what an add adds.
  local copied
  local function addition(x)
    return modifiers and modifiers.copied and copied or tokens[x]
  end

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
    if k < first then return reply, 0, 0, fragment end
    local s = tokens[k]
    if not count then return add(reply, p, close, quoted(s) .. ':' .. fragment) end
    if tonumber(byte(s) == 34 and rare().index(s) or s) ~= count then fail('RANGE', format('%d', count)) end
    return add(reply, p, close, fragment)
  end

  -- A whole value that is no container must stand alone.
  function ops.check_scalar(p)
    local b = byte(text, p)
    if b ~= 123 and b ~= 91 and find(text, '[^ \t\r\n]', value_end(p) + 1) then fail('CORRUPT', #text) end
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
      return modifiers.ifPresent and 'true' or '', 0, 0, tokens[x]
    end,
    add = function(x)
      present()
      return '', 0, 0, addition(x)
    end,
    delete = function()
      if not present() then return 'false' end
      return 'true', 0, 0, false
    end,
    take = function()
      if not text and text ~= false or partial then load(true) end
      if not text then return '' end
      -- Longer than a client can hold (V8): it must not be removed by a call that cannot be answered.
      if #text > 536870888 then fail('LIMIT', 'bytes') end
      return whole_text(), 0, 0, false
    end,
    fresh = function()
      if not text and text ~= false or partial then load(true) end
      if not text then fail('NO_KEY') end
      return whole_text()
    end,
    expire = function(x)
      if not present() then return 'false' end
      return 'true', -1, tonumber(tokens[x])
    end,
    persist = function(_, ttl)
      if not present() or ttl == 0 or ttl == nil and redis.call('PTTL', key) < 0 then return 'false' end
      return 'true', -1, 0
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
      if b == 91 then
        local _, _, close = element(p)
        return add('', p, close, addition(x))
      end
      if b ~= 123 then fail('TYPE', rare().type_of(p)) end
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
    if byte(text, p) ~= 34 then fail('TYPE', rare().type_of(p)) end
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
    if byte(text, p) ~= 91 or size(p) ~= tonumber(tokens[x]) then fail('TEST') end
    return ''
  end

  function ops.keys(p, x)
    if byte(text, p) ~= 123 or names(p) ~= tokens[x] then fail('TEST') end
    return ''
  end

  function ops.exists(p)
    rare().type_of(p)
    return ''
  end

  local function array(p)
    if byte(text, p) ~= 91 then fail('TYPE', rare().type_of(p)) end
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
          -- Turns reply, the problem that pcall caught in an op, into a refusal. Stands where that is caught.
          -- Redis's own errors go on, except that of a key that is no string.
          if type(reply) == 'table' and reply[1] then
            reply = '!' .. reply[1] .. ' ' .. segment .. ' ' .. (reply[2] or '')
          else
            local kind = redis.call('TYPE', key).ok
            if kind == 'string' or kind == 'none' then error(reply, 0) end
            reply = '!WRONG_TYPE 0 ' .. kind
          end
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
    -- The queue of writes, where more than one key may have changed: the states of the changed keys, each with its key
    -- and its command behind. Stands where all is decided.
    --
    -- One write must not fail behind another one. What can make it fail are missing rights: a server from 7.0 on tells
    -- of them before. One before that does not, so what is granted less often comes first there.
    others[current] = { text, partial, ttl, edits, from, to, fragment }
    local removed, kept, moved = {}, {}, {}
    queue = {}
    for number = 1, #KEYS do
      local state = others[number]
      if state and (state[4] > 0 or state[3]) then
        local command, list
        if state[4] == 0 then
          if state[3] == 0 then command, list = 'PERSIST', kept else command, list = 'PEXPIRE', moved end
        elseif state[5] or state[1] then
          command, list = 'SET', queue
        else
          command, list = 'DEL', removed
        end
        state[8], state[9] = KEYS[number], command
        list[#list + 1] = state
      end
    end
    if #removed + #kept + #moved > 0 then
      local written_last = queue
      queue = removed
      for _, list in ipairs({ kept, moved, written_last }) do
        for k = 1, #list do queue[#queue + 1] = list[k] end
      end
    end
    local may = redis.acl_check_cmd
    if may and #queue > 1 then
      for k = 1, #queue do
        local command, name = queue[k][9], queue[k][8]
        local allowed
        if command == 'SET' or command == 'PEXPIRE' then
          allowed = may(command, name, '1')
        else
          allowed = may(command, name)
        end
        if not allowed then return { err = 'NOPERM User has no permissions to run the ' .. command .. ' command' } end
      end
    end
  end
  -- Writes down what the call answers, before anything else is written. Sets problem where it cannot.
  --
  -- If memory is short Redis refuses the first command of a script that may need more, and lets all pass after one
  -- that needs none. So the record comes first: where it is refused nothing is written yet. If the call writes no
  -- text, and has a short answer or makes room for a long one, a command that needs no memory goes ahead of it.
  if record then
    -- Encoded by cjson, which is exact for a list of strings, but takes an empty list for an object.
    local line = done == 0 and '[]' or done == 1 and replies[1] == '' and '[""]' or cjson.encode(replies)
    problem = redis.pcall('SET', record, line, 'PX', record_ttl).err
    if problem and (find(problem, '^OOM ') or find(problem, '^@user_script: ?%d+: %-OOM ')) then
      local grows, removes = edits > 0 and (from or text), edits > 0
      if queue then
        grows = #queue > 0 and queue[#queue][9] == 'SET'
        removes = #queue > 0 and queue[1][9] == 'DEL'
      end
      if not grows and (removes or #line < 1024) then
        redis.call('PEXPIRE', record, record_ttl)
        redis.call('SET', record, line, 'PX', record_ttl)
        problem = nil
      end
    end
  end
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

  -- A write was refused: problem is the error of Redis, written the number of writes before it, without the record.
  problem = string.gsub(problem, '^@user_script: ?%d+: %-?', '') -- servers before 7.0 put this before it
  if written == 0 and not short and find(problem, '^OOM ') then
    short, shortage = 0, problem
  else
    if written > 0 then problem = 'PARTIAL ' .. problem end
    -- The record tells of success. Whoever asks it now gets this error, too.
    if record then redis.pcall('SET', record, cjson.encode({ err = problem }), 'XX', 'KEEPTTL') end
    return { err = problem }
  end
until false

end)()
