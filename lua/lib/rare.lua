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
    if b ~= BACKSLASH and a and not MAY_FOLLOW_STRING(a) then return nil end
    local from = m - 64 > base and m - 64 or base
    local q = find(sub(text, from, m - 1), '"[^"]*$')
    if q then
      q = from + q - 1
      b, _, a = byte(text, q - 1, q + 1)
      if b == BACKSLASH then
        local n = q - 2
        while byte(text, n) == BACKSLASH do n = n - 1 end
        if (q - n) % 2 == 0 then return string_end(m) end -- an escaped quote is inside a string
        return nil
      end
      if b > SPACE and b ~= OPEN_OBJECT and b ~= OPEN_LIST and b ~= COMMA and b ~= COLON then return nil end
      if not MAY_FOLLOW_STRING(a) then return string_end(m) end
    elseif from == base then
      return nil
    end
    local _, e = string_around(m, base)
    return e
  end

  -- bracket_end where the guess was wrong, as a string inside holds brackets that are not balanced: counts those
  -- that are outside strings. What follows a bracket tells of most.
  function extra.exact_bracket_end(i, open, close)
    local _
    local depth, base, far, q = 1, i + 1, #text + 1, i
    local o, c = find(text, open, base, true) or far, find(text, close, base, true) or far
    while true do
      local m = o < c and o or c
      if m == far then fail('CORRUPT', i - 1) end
      local b, y, z, w = byte(text, m + 1, m + 4)
      if b == COMMA then b, y, z = y, z, w end
      if b == OPEN_OBJECT then b, y = y, z end
      local e
      if b ~= LINE_BREAK and (b ~= QUOTE or not y or MAY_FOLLOW_STRING(y)) then
        if q <= m then q = find(text, '"', m + 1, true) or far end
        b, _, y = byte(text, q - 1, q + 1)
        if b == BACKSLASH or not y or MAY_FOLLOW_STRING(y) then e = end_around(m, base) end
      end
      if e then
        base = e + 1
        if o < base then o = find(text, open, base, true) or far end
        if c < base then c = find(text, close, base, true) or far end
      elseif m == o then
        depth, base = depth + 1, m + 1
        o = find(text, open, base, true) or far
      else
        depth, base = depth - 1, m + 1
        if depth == 0 then return m end
        c = find(text, close, base, true) or far
      end
    end
  end

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

  -- p at an object outside strings: it and the next 15 members of its object are flat objects, with names without
  -- escapes in between. The colon behind the name of the next member. %b{} does not know strings; but what follows
  -- the quote of each name shows that it opens a string, so the brace before it is outside; and as there are no more
  -- opening braces than objects, each object ends at its first closing brace.
  local member_pattern
  function extra.member_run(p)
    member_pattern = member_pattern or '^' .. rep('%b{},"[^%s,:%]}"\\][^"\\]*":', 16)
    local _, e = find(text, member_pattern, p)
    if not e then return nil end
    for _ = 1, 16 do p = find(text, '{', p + 1, true) or e + 1 end
    return p > e and e or nil
  end

  -- From p to e, a comma, %b{} has found 16 objects: they are flat, and an object follows. Each opening brace is
  -- outside strings, as the quote behind it opens one, so the closing ones before them are, too.
  local function flat(p, e)
    for _ = 1, 17 do
      local q, y = byte(text, p + 1, p + 2)
      if q ~= QUOTE or not y or MAY_FOLLOW_STRING(y) then return false end
      if p > e then return p == e + 1 end
      p = find(text, '{', p + 1, true)
      if not p then return false end
    end
    return false
  end

  -- 16 elements of one kind, each with its comma and no white space, from p on: the last position of the
  -- sixteenth, nil where the run is broken.
  local runs = {}
  function extra.element_run(p, b)
    if wrong_text == text then return nil end
    local run = runs[b]
    if not run then
      local one = b == QUOTE and '"[^"\\]*",' or b == OPEN_OBJECT and '%b{},' or b == OPEN_LIST and '%b[],' or '[^]}",{[]*,'
      run = '^' .. rep(one, 16)
      runs[b] = run
    end
    local _, e = find(text, run, p)
    if not e then return nil end
    if b == OPEN_OBJECT and flat(p, e) then return e - 1 end
    if b == OPEN_OBJECT or b == OPEN_LIST then
      local q = next_quote(p)
      local open, close = '{', '}'
      if b == OPEN_LIST then open, close = '[', ']' end
      if q < e and not certain(q, e - 1, open, close) then return nil end
    end
    return e - 1
  end
  return extra
end
