-- All ops are done: the texts of values in pieces. Where pieces overlap the text is no JSON, and all runs again.
local function whole(of, changed)
  if changed == 0 or again then return of.text end
  local ok, joined = pcall(pieces.join, of)
  if not ok then again, few = true, math.huge end
  return joined
end
if document then text = whole(document, edits) end
if others then
  for number, value in pairs(others) do
    if value.document and number ~= current then value.text = whole(value.document, value.edits) end
  end
end
