-- The shape of the containers: how many parts they have and how these are named.

-- How many elements or members the value at p has, nil where it has none to count.
local function size(p)
  local b, n, _ = byte(text, p), 0, nil
  if b == OPEN_LIST then
    if not steps_made then make_steps() end
    _, n = element(p)
    return n
  end
  if b ~= OPEN_OBJECT then return nil end
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
