-- What few searches need, built when first asked for.
local extra

function rare()
  if extra then return extra end
  extra = {}
  local match, floor, char, concat, rep = string.match, math.floor, string.char, table.concat, string.rep

  -- Some name before c is spelled with a backslash. p: the first backslash.
  function extra.escaped_name(p, c)
    while p and p < c do
      local e = find(text, '"', p, true) -- the closing quote of the string that holds this backslash
      while e do
        local b = e - 1
        while byte(text, b) == BACKSLASH do b = b - 1 end
        if (e - b) % 2 == 1 then break end
        e = find(text, '"', e + 1, true)
      end
      if not e then fail('CORRUPT', p - 1) end
      local _, b = blank(e + 1)
      if b == COLON then return true end
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
    if b == CLOSE_OBJECT then return p end
    while true do
      if b ~= QUOTE then fail('CORRUPT', p - 1) end
      local name_end = string_end(p)
      local colon, x = blank(name_end + 1)
      if x ~= COLON then fail('CORRUPT', colon - 1) end
      local v = blank(colon + 1)
      if visit(p, name_end, v) then return nil end
      p, b = blank(value_end(v) + 1)
      if b == CLOSE_OBJECT then return p end
      if b ~= COMMA then fail('CORRUPT', p - 1) end
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
    if b == QUOTE then return 'string' end
    if b == OPEN_OBJECT then return 'object' end
    if b == OPEN_LIST then return 'array' end
    local word = match(text, '^[%w.+-]+', p)
    if word == 'true' or word == 'false' then return 'boolean' end
    if word == 'null' then return 'null' end
    if word and find(word, '^-?%d') then return 'number' end
    fail('CORRUPT', p - 1)
  end

  -- Runs of flat objects, and lists without strings, are crossed by %b, which counts brackets at C speed but does not
  -- know strings. Where it has read so much for nothing that it no longer pays, it is not used again in this text.
  local guess_text, waste
  function extra.may_guess()
    return guess_text ~= text or waste < #text / 4
  end

  -- A guess has read from..to for nothing, to the end where to is nil.
  function extra.count_waste(from, to)
    if guess_text ~= text then
      guess_text, waste = text, 0
    end
    waste = waste + (to or #text) - from
  end

  -- p, e: the first and the last of so many opening braces in a row, where between two of them stands a closing one,
  -- a comma and nothing that may hold a quote but whole strings; p is outside strings. Whether e is, too, as deep as p:
  -- in between are flat objects. If there are no other opening braces, and e is outside strings, as the quote behind it
  -- opens one, that is so. For where a closing brace is inside a string, the opening one behind its comma is, too; what
  -- is left is a row of the same kind.
  local function flat(p, e, count)
    local b, y = byte(text, e + 1, e + 2)
    if b ~= QUOTE or not y or MAY_FOLLOW_STRING(y) then return false end
    for _ = 2, count do p = find(text, '{', p + 1, true) end
    return p == e
  end

  -- p at an object outside strings: the colon behind the name of a later member, no further than k, if all members
  -- from here to it are flat objects. Without a backslash in them every quote begins or ends a string.
  local slash, slash_text
  local eight = '^' .. rep('%b{},%b"":', 8) .. '{'
  function extra.member_run(p, k)
    if not extra.may_guess() then return nil end
    if slash_text ~= text or slash < p then
      slash_text, slash = text, find(text, '\\', p, true) or #text + 1
    end
    local last = slash < k and slash or k
    local _, e = find(text, eight, p)
    if e and e < last and flat(p, e, 9) then return e - 1 end
    -- One of them is not: those before it.
    local colon
    for _ = 1, 8 do
      _, e = find(text, '^%b{},%b"":{', p)
      if not e or e > last or not flat(p, e, 2) then break end
      colon, p = e - 1, e
    end
    if not colon then
      _, e = find(text, '^%b{}', p)
      extra.count_waste(p, e)
    end
    return colon
  end

  -- The same for opening braces that must be elements: each is outside strings, as the quote behind it opens one.
  local function flat_elements(p, e, count)
    for _ = 1, count do
      local b, y = byte(text, p + 1, p + 2)
      if b ~= QUOTE or not y or MAY_FOLLOW_STRING(y) then return false end
      if p == e then return true end
      p = find(text, '{', p + 1, true)
    end
    return false
  end

  -- 16 elements of one kind, each with its comma and no white space, from p on: the last position of the
  -- sixteenth, nil where the run is broken.
  local runs = {}
  function extra.element_run(p, b)
    local is_list = b == OPEN_LIST
    local may_waste = is_list or b == OPEN_OBJECT
    if may_waste and not extra.may_guess() then return nil end
    local run = runs[b]
    if not run then
      local one = b == OPEN_OBJECT and '%b{},' or is_list and '%b[],' or b == QUOTE and '"[^"\\]*",'
        or '[^]}",{[]*,'
      run = '^' .. rep(one, 16) .. (b == OPEN_OBJECT and '{' or '')
      runs[b] = run
    end
    local _, e = find(text, run, p)
    if not may_waste then return e and e - 1 end
    if e and (is_list and next_quote(p) > e) then return e - 1 end
    if e and not is_list and flat_elements(p, e, 17) then return e - 2 end
    if not e then _, e = find(text, is_list and '^%b[]' or '^%b{}', p) end
    extra.count_waste(p, e)
    return nil
  end
  return extra
end
