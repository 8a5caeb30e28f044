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
  if b == QUOTE then
    local e = string_end(p)
    return '"' .. extra.unescape(sub(text, p + 1, e - 1)), e
  end
  local e
  if b == OPEN_OBJECT then
    local members, count = {}, 0
    local q, x = blank(p + 1)
    while x ~= CLOSE_OBJECT do
      if x ~= QUOTE then fail('CORRUPT', q - 1) end
      e = string_end(q)
      local name = extra.unescape(sub(text, q + 1, e - 1))
      q, x = blank(e + 1)
      if x ~= COLON then fail('CORRUPT', q - 1) end
      if not members[name] then count = count + 1 end
      members[name], e = tree(blank(q + 1), depth + 1)
      q, x = blank(e + 1)
      if x == COMMA then
        q, x = blank(q + 1)
        if x == CLOSE_OBJECT then fail('CORRUPT', q - 1) end
      elseif x ~= CLOSE_OBJECT then
        fail('CORRUPT', q - 1)
      end
    end
    return { members = members, count = count }, q
  end
  if b == OPEN_LIST then
    local list, n = {}, 0
    local q, x = blank(p + 1)
    while x ~= CLOSE_LIST do
      n = n + 1
      list[n], e = tree(q, depth + 1)
      q, x = blank(e + 1)
      if x == COMMA then
        q, x = blank(q + 1)
        if x == CLOSE_LIST then fail('CORRUPT', q - 1) end
      elseif x ~= CLOSE_LIST then
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
