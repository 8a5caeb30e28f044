-- Finding byte ranges in JSON text without building a tree; lib/text.lua has the state and the conventions.

-- What steps over containers, made by make_steps() when the first one is in the way: many a change in a small
-- value meets none, and making these would cost a good part of it.
local steps_made, make_steps
local next_quote, string_around, bracket_end, last_member, element, child

-- p at the first byte of a value inside a container: the position of its last byte.
local function value_end(p)
  local b = byte(text, p)
  if b == QUOTE then return string_end(p) end
  if not steps_made and (b == OPEN_OBJECT or b == OPEN_LIST) then make_steps() end
  if b == OPEN_OBJECT then return (bracket_end(p, '{', '}')) end
  if b == OPEN_LIST then return (bracket_end(p, '[', ']')) end
  local _, e = find(text, '^[%w.+-]+', p)
  if not e or partial and e == #text then fail('CORRUPT', p - 1) end
  return e
end

-- The first name at or after p, nil if there is none. Of a long text the part behind the opening quote is looked for:
-- its first letter is less frequent than a quote, at each of which a search stops. Where that part is frequent it does
-- not pay.
-- @define LONG 4096
local function named(name, p)
  if #text <= LONG then return find(text, name, p, true) end
  local tail, q = sub(name, 2), p
  for _ = 1, 16 do
    q = find(text, tail, q + 1, true)
    if not q then return nil end
    if byte(text, q - 1) == QUOTE then return q - 1 end
  end
  return find(text, name, q, true)
end

-- Object at i, name = the quoted text of a member's name, y = its second byte, c = the first closing brace after
-- i, or less where that is not known. The position of the name, that of the value, the first byte of the value
-- and the first closing brace after the name; where there is no such member nil, nil, nil and the closing brace.
-- The name's text is looked for at C speed; what is nested before it is hopped over. Of members with the same
-- name the first is found that is spelled as ours, and only where there is none the first that is spelled otherwise.
local function member(i, name, y, c)
  local base = i + 1
  -- A name that starts like what may follow a string could match across two strings.
  if y == QUOTE or MAY_FOLLOW_STRING(y) then
    return rare().exact_member(i, name)
  end
  local far, tried, wait = #text + 1, partial, 4
  local k = named(name, base) or far
  local o = find(text, '{', base, true) or far
  if c < base then c = find(text, '}', base, true) or far end
  while true do
    if k < o and k < c then -- no brace in between: a key token here is ours
      local n = k + #name
      local x, v = byte(text, n, n + 1)
      if x and x <= SPACE then
        n, x = blank(n)
        v = byte(text, n + 1)
      end
      if x == COLON and byte(text, k - 1) ~= BACKSLASH then
        n = n + 1
        if not v or v <= SPACE then n, v = blank(n) end
        return k, n, v, c
      end
      k = named(name, k + 1) or far
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
      -- No string holds a line break as it is.
      if b ~= LINE_BREAK and (b ~= QUOTE or not z or MAY_FOLLOW_STRING(z)) then
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
      elseif before == OPEN_LIST then
        base = bracket_end(m - 1, '[', ']') + 1 -- an array that starts with an object
      else
        local run
        if wait > 0 then
          wait = wait - 1
        elseif before == COLON then
          run = rare().member_run(m, k)
        end
        if run then
          base = run + 1
        else
          base, o = bracket_end(m, '{', '}')
          base = base + 1
        end
      end
      if o < base then o = find(text, '{', base, true) or far end
      if c < base then c = find(text, '}', base, true) or far end
      if k < base then k = named(name, base) or far end
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

  -- base <= p, a position outside strings or at an opening quote. The first and last position of the string around
  -- p; where there is none the next opening quote after p (nil: none), nil.
  local function string_from(base, p)
    local s = find(text, '"', base, true)
    while s and s < p do
      local e = string_end(s)
      if e > p then return s, e end
      s = find(text, '"', e + 1, true)
    end
    return s
  end

  -- The same for a bracket at p, of which the next quote tells most: where what follows that shows that it opens a
  -- string, all between is outside strings.
  function string_around(p, base)
    local r = next_quote(p)
    if r > #text then
      if partial then fail('CORRUPT', p - 1) end
      return nil
    end
    local x, _, y = byte(text, r - 1, r + 1)
    if x ~= BACKSLASH and y and not MAY_FOLLOW_STRING(y) then return r end
    return string_from(base, p)
  end

  -- i at a bracket outside strings: the position of the matching bracket, that of the next one that opens.
  function bracket_end(i, open, close)
    -- An opening quote, or behind the text. All brackets before it that are not counted yet are outside strings.
    local sure, far = i, #text + 1
    if open == '[' then
      sure = next_quote(i)
      if sure > i + 64 and rare().may_guess() then
        local _, j = find(text, '^%b[]', i)
        if j and j < sure then return j end -- no string inside
        if sure == far then fail('CORRUPT', i - 1) end
        rare().count_waste(i, j)
      end
    end
    local depth, o, c = 1, find(text, open, i + 1, true) or far, find(text, close, i + 1, true) or far
    while true do
      local m = o < c and o or c
      if m > sure then
        local b, y, z = byte(text, m + 1, m + 3)
        if b == COMMA and y == QUOTE and z and z > CLOSE_LIST and z ~= CLOSE_OBJECT then
          sure = m + 2 -- as behind an array: ],"name
        elseif b == QUOTE and y and y > CLOSE_LIST and y ~= CLOSE_OBJECT then
          sure = m + 1
        elseif b ~= LINE_BREAK and (b ~= COMMA or y ~= LINE_BREAK) then -- no string holds a line break as it is
          local r, _ = find(text, '"', m + 1, true)
          if not r and partial then fail('CORRUPT', i - 1) end
          if r then b, _, y = byte(text, r - 1, r + 1) end
          if not r or b ~= BACKSLASH and y and OPENS_STRING(y) then
            sure = r or far
          else
            local e
            sure, e = string_from(sure, m)
            if e then -- the bracket is inside this string
              m = nil
              sure = find(text, '"', e + 1, true)
              if o < e then o = find(text, open, e, true) or far end
              if c < e then c = find(text, close, e, true) or far end
            end
            sure = sure or far
          end
        end
      end
      if m == o then
        if m == far then fail('CORRUPT', i - 1) end
        depth = depth + 1
        o = find(text, open, o + 1, true) or far
      elseif m then
        depth = depth - 1
        if depth == 0 then return m, o end
        c = find(text, close, c + 1, true) or far
      end
    end
  end

  -- k at what looks like the name of a member of the outermost object, n behind it: the position of the value if it
  -- is one, which the rest of the text proves; else nil. Of a short text only a few members are read: to hop to the
  -- place from the start costs less than many.
  function last_member(k, n)
    local p, b = blank(n)
    if b ~= COLON or byte(text, k - 1) == BACKSLASH then return nil end
    local v = blank(p + 1)
    p = v
    for _ = 1, k > 4096 and #text or 3 do
      p, b = blank(value_end(p) + 1)
      if b == CLOSE_OBJECT then return not find(text, '[^ \t\r\n]', p + 1) and v or nil end
      if b ~= COMMA then return nil end
      p, b = blank(p + 1)
      if b ~= QUOTE then return nil end
      p, b = blank(string_end(p) + 1)
      if b ~= COLON then return nil end
      p = blank(p + 1)
    end
  end

  -- Array at i: the start of element n (0-based), or nil, the number of elements, the position of the closing bracket
  -- and the start of the last element, nil if there is none. Without n: nil, and the others. Long arrays are crossed
  -- in runs of 16 elements. k and at: an element that is known, not behind n.
  function element(i, n, k, at)
    local p, b, wait
    if k then
      p, b, wait = at, byte(text, at), 0
    else
      p, b = blank(i + 1)
      if b == CLOSE_LIST then return nil, 0, p end
      k, wait = 0, 4
    end
    while true do
      if n == k then return p end
      local start, e = p, nil
      if wait == 0 then
        if not n or n - k >= 16 then e = rare().element_run(p, b) end
        if e then k = k + 15 else wait = 4 end
      else
        wait = wait - 1
      end
      e = e or value_end(p)
      p = e + 1
      b = byte(text, p)
      if b ~= COMMA then
        p, b = blank(p)
        if b == CLOSE_LIST then return nil, k + 1, p, start end
        if b ~= COMMA then fail('CORRUPT', p - 1) end
      end
      p = p + 1
      b = byte(text, p)
      if not b or b <= SPACE then p, b = blank(p) end
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
    if b == OPEN_OBJECT then
      if q ~= QUOTE then
        y, segment = q, '"' .. segment .. '"'
      end
      name, v, x, c = member(p, segment, y, c)
      return v, name, x, c
    end
    if b ~= OPEN_LIST then fail('TYPE', rare().type_of(p)) end
    local n = tonumber(q == QUOTE and rare().index(segment) or segment)
    if n < 0 then -- from the end: count first
      local last
      _, count, c, last = element(p)
      if n == -1 and last then return last, last, nil, 0 end
      n = n + count
      if n < 0 then return nil, nil, nil, c, count end
    end
    v, count, c = element(p, n)
    if v then return v, v, nil, 0 end
    return nil, nil, nil, c, count
  end
end
