-- Strings as JavaScript counts them. Stands inside the function `values`.

-- The length of a JSON string as JavaScript counts it, in UTF-16 code units. body: between the quotes.
function extra.string_length(body)
  local _, tails = gsub(body, '[\128-\191]', '')
  local _, astral = gsub(body, '[\240-\247]', '')
  local n = #body - tails + astral
  if find(body, '\\', 1, true) then
    local _, escapes = gsub(body, '\\.', '')
    local _, codes = gsub(gsub(body, '\\\\', ''), '\\u', '')
    n = n - escapes - 4 * codes -- two characters stand for one unit, in \u0000 six
  end
  return n
end
