-- What is known of the containers of one text, so that of many searches in it each goes on where others have been.
--
-- Facts are a table, by where the containers begin.
-- Of an array: n, at: an element; marks, known: every 16th one; count, close: how many there are, and the closing
-- bracket.
-- Of an object: asked, size: how many names were asked for, and how long it is; found, at: where the members with
-- these names begin, false: absent, and their values, or the closing brace. What is known once it is read: members,
-- values: where its members and their values begin, by how the names are spelled; escaped: where those begin whose
-- names are spelled with escapes, by what these mean; next: where to read on; close: the closing brace.
-- Beside them stands root, the whole value, and objects: how many objects were asked.

-- What a name means, which is quoted text.
local function meaning(name)
  local body = sub(name, 2, -2)
  return find(body, '\\', 1, true) and rare().unescape(body) or body
end

-- No facts yet, of the text under work.
local function new_facts()
  return { root = root(), objects = 0 }
end

-- The container at p ends at close. If it is the whole value the text must end there, too: else what is found would
-- depend on who looks.
local function check_end(all, p, close)
  if p == all.root and find(text, '[^ \t\r\n]', close + 1) then fail('CORRUPT', #text) end
end

-- Element n of the array at p, nil where it has none. Then its count and close are known.
local function known_element(all, p, n)
  local fact = all[p]
  if not fact then
    fact = {}
    all[p] = fact
  end
  local from_n, at = fact.n, fact.at
  if fact.count and (not n or n >= fact.count) then return nil, fact end
  if from_n and n and (n < from_n or n > from_n + 32) then
    -- Back, or far ahead: from one of every 16 elements, which are kept as far as such steps have led.
    local marks, known = fact.marks, fact.known
    if not marks then
      known, marks = 0, { [0] = element(p, 0) }
      fact.marks = marks
    end
    while (known + 1) * 16 <= n do
      local mark, count, close = element(p, known * 16 + 16, known * 16, marks[known])
      if not mark then
        check_end(all, p, close)
        fact.known, fact.count, fact.close = known, count, close
        return nil, fact
      end
      known = known + 1
      marks[known] = mark
    end
    fact.known = known
    from_n = (n - n % 16) / 16
    from_n, at = from_n * 16, marks[from_n]
  end
  local v, count, close = element(p, n, from_n, at)
  if v then
    fact.n, fact.at = n, v
  else
    check_end(all, p, close)
    fact.count, fact.close = count, close
  end
  return v, fact
end

-- Looks for one name in the object at p, and keeps the answer: where the member begins and its value, or false and
-- the closing brace.
local function ask(all, p, fact, name)
  fact.asked = fact.asked + 1
  if p == all.root then
    fact.size = #text - p
  elseif not fact.size and (fact.asked > 1 or all.objects > 4) then -- it does not pay for one name
    fact.size = value_end(p) - p
  end
  -- A small one by itself: a name that it does not have would be looked for in all that follows.
  local whole, before = text, 0
  if fact.size and fact.size < 2048 then
    text, before = sub(text, p, p + fact.size), p - 1
  end
  local s, v, _, close = member(p - before, name, byte(name, 2), 0)
  text = whole
  if s then
    s, v = s + before, v + before
  else
    s, v = false, close + before
    check_end(all, p, v)
  end
  fact.found[name], fact.at[name] = s, v
  return s, v
end

-- The member of the object at p with this name: where it begins, its value, nil, and where it is absent the closing
-- brace. An object that is asked for many names is read once, as far as these.
local function known_member(all, p, name)
  local fact = all[p]
  if not fact then
    all.objects = all.objects + 1
    fact = { asked = 0, found = {}, at = {} }
    all[p] = fact
  end
  if not fact.members then
    local s, v = fact.found[name], fact.at[name]
    if s == nil and fact.asked < 7 then s, v = ask(all, p, fact, name) end
    if s then return s, v, nil end
    if s == false then return nil, nil, v end
    fact.members, fact.values = {}, {}
    local start, b = blank(p + 1)
    if b == CLOSE_OBJECT then fact.close = start else fact.next = start end
  end
  local members, values = fact.members, fact.values
  local s = members[name]
  while not s and not fact.close do
    local start = fact.next
    if byte(text, start) ~= QUOTE then fail('CORRUPT') end
    local e = string_end(start)
    local spelled = sub(text, start, e)
    local q, b = blank(e + 1)
    if b ~= COLON then fail('CORRUPT') end
    local v = blank(q + 1)
    if not members[spelled] then
      members[spelled], values[spelled] = start, v
      if find(spelled, '\\', 1, true) then
        fact.escaped = fact.escaped or {}
        local body = meaning(spelled)
        fact.escaped[body] = fact.escaped[body] or start
        values[start] = v
      end
    end
    s = members[name]
    q, b = blank(value_end(v) + 1)
    if b == CLOSE_OBJECT then
      check_end(all, p, q)
      fact.close = q
    elseif b == COMMA then
      fact.next = blank(q + 1)
    else
      fail('CORRUPT')
    end
  end
  if s then return s, values[name], nil end
  if fact.escaped then
    -- The first one that is spelled otherwise.
    local body = meaning(name)
    local plain = not find(body, '\\', 1, true) and '"' .. body .. '"'
    local other = fact.escaped[body]
    s = members[plain]
    if s and not (other and other < s) then return s, values[plain], nil end
    if other then return other, values[other], nil end
  end
  return nil, nil, fact.close
end
