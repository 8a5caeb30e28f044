-- JSON equality. Stands inside the function `values`, after number.lua.

-- Text that is the same for equal values: members sorted by name (of one name the last counts, as in
-- JSON.parse), characters decoded, numbers in one spelling. Returns it and the position of the last byte.
local function canonical(p, depth)
  if depth > 1000 then fail('LIMIT', 'depth') end
  local b = byte(text, p)
  if b == 34 then
    local e = string_end(p)
    return format('%q', extra.unescape(sub(text, p + 1, e - 1))), e
  end
  if b == 123 then
    local names, values_of = {}, {}
    local e
    local q, x = blank(p + 1)
    while x ~= 125 do
      if x ~= 34 then fail('CORRUPT', q - 1) end
      e = string_end(q)
      local name = format('%q', extra.unescape(sub(text, q + 1, e - 1)))
      q, x = blank(e + 1)
      if x ~= 58 then fail('CORRUPT', q - 1) end
      if not values_of[name] then names[#names + 1] = name end
      values_of[name], e = canonical(blank(q + 1), depth + 1)
      q, x = blank(e + 1)
      if x == 44 then
        q, x = blank(q + 1)
        if x == 125 then fail('CORRUPT', q - 1) end
      elseif x ~= 125 then
        fail('CORRUPT', q - 1)
      end
    end
    sort(names)
    for k = 1, #names do names[k] = names[k] .. ':' .. values_of[names[k]] end
    return '{' .. concat(names, ',') .. '}', q
  end
  if b == 91 then
    local parts = {}
    local e
    local q, x = blank(p + 1)
    while x ~= 93 do
      parts[#parts + 1], e = canonical(q, depth + 1)
      q, x = blank(e + 1)
      if x == 44 then
        q, x = blank(q + 1)
        if x == 93 then fail('CORRUPT', q - 1) end
      elseif x ~= 93 then
        fail('CORRUPT', q - 1)
      end
    end
    return '[' .. concat(parts, ',') .. ']', q
  end
  local word = match(text, '^[%w.+-]+', p)
  if not word then fail('CORRUPT', p - 1) end
  local e = p + #word - 1
  if word == 'true' or word == 'false' or word == 'null' then return word, e end
  extra.number(word, p)
  local digits = match(word, '^-?%d+$')
  if digits then
    local x = #digits > 21 and tonumber(digits)
    if x and format('%.0f', x) == digits then return number_text(x), e end -- so that 1e21 equals its digits
    return digits == '-0' and '0' or digits, e
  end
  local x = tonumber(word)
  if x == floor(x) and x > -1e21 and x < 1e21 then return x == 0 and '0' or format('%.0f', x), e end -- all digits
  return number_text(x) or word, e
end

-- The value at p equals the JSON text other.
function extra.equal(p, other)
  local mine, whole = canonical(p, 1), text
  text = other
  local ok, theirs = pcall(function() return (canonical(blank(1), 1)) end)
  text = whole
  if not ok then error(theirs, 0) end
  return mine == theirs
end
