-- All ops are done: the texts and changes of values in pieces. Where pieces overlap the text is no JSON, and all
-- runs again.
local function settle(value)
  if value.edits == 0 or again then return end
  local ok
  ok, value.text, value.from, value.to, value.fragment = pcall(pieces.result, value.document)
  if not ok then again, few = true, math.huge end
  if value.from then value.edits = 1 end
end
if document then
  local value = { edits = edits, document = document, text = document.text }
  settle(value)
  text, edits, from, to, fragment = value.text, value.edits, value.from, value.to, value.fragment
end
if others then
  for number, value in pairs(others) do
    if value.document and number ~= current then settle(value) end
  end
end
