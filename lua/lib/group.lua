-- A token that starts a group, or changes the current key: puts the value under work away, and takes up another.
local number = name == '@' and tonumber(tokens[i + 1]) or 1
if number ~= current then
  others = others or {}
  others[current] = {
    text = text, partial = partial, ttl = ttl, edits = edits, from = from, to = to, fragment = fragment,
    document = document, searched = searched,
  }
  current, key = number, KEYS[number]
  local value = others[number]
  if value then
    text, partial, ttl, edits = value.text, value.partial, value.ttl, value.edits
    from, to, fragment = value.from, value.to, value.fragment
    document, searched = value.document, value.searched
  else
    text, partial, ttl, edits, from, document, searched = nil, false, nil, 0, nil, nil, 0
  end
end
if name == ';' then
  before, failed, orphaned, groups = {}, false, false, groups + 1
  if pieces then pieces.start_group() end
  i = i + 1
else
  before = before or { { number = 1, partial = false, edits = 0, searched = 0 } }
  i = first
end
before[#before + 1] = {
  number = current, text = text, partial = partial, ttl = ttl, edits = edits, from = from, to = to,
  fragment = fragment, document = document, searched = searched,
}
