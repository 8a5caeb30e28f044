-- The most common calls in one go: one set, increment, push or delete, by names, in a short value that is written
-- without white space. It makes no other closures and builds no state, which saves a third of the time. What is not
-- plain it leaves to the rest of the script, before it has changed the value; what it does is what the rest would do,
-- to the byte (tests/lua/fast_test.ts).

-- Before the number of segments: all of them are names that cannot match across two strings.
-- @define PLUS 43

-- i: the token of the op. Returns its reply, or nil where the rest of the script must do it, and then the first bytes
-- of the value if they are read already. All that it needs are arguments: to share a local of the script with a
-- function costs as much as a search.
local function at_once(i, tokens, record, record_ttl, find, byte, sub)
  local op = tokens[i]
  local arguments = (op == 'set' or op == 'increment') and 1 or op == 'push' and 2 or op == 'delete' and 0
  if not arguments then return nil end
  if byte(tokens[i + 1]) ~= PLUS then return nil end
  local first = i + 2
  local last = first + tokens[i + 1] - 1
  if #tokens ~= last + arguments then return nil end
  local key = KEYS[1]
  local text = redis.pcall('GETRANGE', key, '0', LONG - 1)
  local n = #text
  if n == 0 then return nil end -- no such key, or an error, which is a table
  local b = byte(text)
  if n == LONG or b ~= OPEN_OBJECT or byte(text, n) ~= CLOSE_OBJECT then return nil, text end

  -- To the value: m is where its name stands, v where it begins, b its first byte.
  local m, v = nil, 1
  for k = first, last do
    local name = tokens[k]
    if b ~= OPEN_OBJECT then return nil, text end
    m = find(text, name, v + 1, true)
    if not m then return nil, text end
    -- The braces up to the name are counted. That none of them is inside a string is told by the next quote: what
    -- follows it shows that it opens a string (RFC 8259, section 2).
    if m > v + 1 then
      local o, c = find(text, '{', v + 1, true) or n + 1, find(text, '}', v + 1, true)
      local depth, quote = 0, v
      local before, z, _
      while true do
        local brace = o < c and o or c
        if brace < m then
          if quote < brace then
            local x, y
            x, y, z = byte(text, brace + 1, brace + 3)
            if x == QUOTE and y > CLOSE_LIST and y ~= CLOSE_OBJECT then
              quote = brace + 1
            elseif x == COMMA and y == QUOTE and z > CLOSE_LIST and z ~= CLOSE_OBJECT then
              quote = brace + 2
            else
              quote = find(text, '"', brace + 1, true)
              before, _, z = byte(text, quote - 1, quote + 1)
              if before == BACKSLASH or MAY_FOLLOW_STRING(z) then return nil, text end
            end
          end
          if brace == o then
            -- An array that starts with an object, and has no other array in it, may end before the name. Its closing
            -- bracket is the first one if that is outside strings, whatever stands in between.
            local e = byte(text, brace - 1) == OPEN_LIST and find(text, ']', brace, true)
            if e and e < m and (find(text, '[', brace, true) or n) > e then
              quote = find(text, '"', e + 1, true)
              before, _, z = byte(text, quote - 1, quote + 1)
              if before == BACKSLASH or MAY_FOLLOW_STRING(z) then return nil, text end
              o = find(text, '{', e + 1, true) or n + 1
              c = find(text, '}', e + 1, true)
            else
              depth = depth + 1
              o = find(text, '{', brace + 1, true) or n + 1
            end
          elseif depth == 0 then
            return nil
          else
            depth = depth - 1
            c = find(text, '}', brace + 1, true)
          end
        elseif depth == 0 then
          break
        else
          m = find(text, name, m + 1, true)
          if not m then return nil, text end
        end
      end
      if byte(text, m - 1) == BACKSLASH then return nil, text end
    end
    v = m + #name
    local colon
    colon, b = byte(text, v, v + 1)
    if colon ~= COLON then return nil, text end
    v = v + 1
  end

  -- What becomes of from..to.
  local from, fragment, reply = v, tokens[last + 1], ''
  local to, _
  if op == 'increment' then
    _, to = find(text, '^-?%d+', v)
    if not to or to - v > 13 or #fragment > 14 or find(fragment, '[.eE]') then return nil, text end
    local digit = byte(text, b == MINUS and v + 1 or v)
    local after = byte(text, to + 1)
    if after ~= COMMA and after ~= CLOSE_OBJECT or digit == ZERO then return nil, text end
    fragment = string.format('%.0f', sub(text, v, to) + fragment)
    reply = fragment
  elseif op == 'push' then
    -- Behind the last of some numbers and words, or into an empty array.
    _, to = find(text, '^%[[%w.+,-]*%]', v)
    if not to or fragment == '' then return nil, text end
    local count = 0
    if to > v + 1 then
      -- As many commas as gaps.
      local body = sub(text, v + 1, to - 1)
      local _, commas = string.gsub(body, ',', '')
      _, count = string.gsub(body, '[^,]+', '')
      if count ~= commas + 1 then return nil, text end
      fragment = ',' .. fragment
    end
    from, to = to, to - 1
    reply = string.format('%d', count + tokens[last + 2])
  else
    if b == QUOTE then
      to = find(text, '"', v + 1, true)
      if not to or byte(text, to - 1) == BACKSLASH then return nil, text end
    else
      _, to = find(text, '^[%w.+-]+', v)
      if not to then return nil, text end
    end
    if op == 'delete' then
      local after, next_byte = byte(text, to + 1, to + 2)
      local before = byte(text, m - 1)
      if after == COMMA and next_byte > SPACE then
        from, to = m, to + 1
      elseif after == CLOSE_OBJECT and before == COMMA then
        from = m - 1
      elseif after == CLOSE_OBJECT and before == OPEN_OBJECT then
        from = m
      else
        return nil
      end
      fragment, reply = '', 'true'
    end
  end
  if #fragment > 65536 then return nil, text end

  -- First the record. Where a command fails the rest of the script tries all of it again.
  if record and redis.pcall('SET', record, '["' .. reply .. '"]', 'PX', record_ttl).err then return nil, text end
  if #fragment == to - from + 1 and n > 128 then
    if redis.pcall('SETRANGE', key, from - 1, fragment) ~= n then return nil, text end
  elseif redis.pcall('SET', key, sub(text, 1, from - 1) .. fragment .. sub(text, to + 1), 'KEEPTTL').err then
    return nil, text
  end
  return reply
end
