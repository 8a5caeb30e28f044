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
