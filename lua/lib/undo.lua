-- The group is refused: its keys become what they were before it. Stands where an op has failed.
failed = true
refused = refused or {}
refused[groups] = true
before = before or { { number = 1, partial = false, edits = 0, searched = 0 } }
if pieces then pieces.undo() end
for n = #before, 1, -1 do
  local value = before[n]
  if value.number == current then
    text, partial, ttl, edits = value.text, value.partial, value.ttl, value.edits
    from, to, fragment = value.from, value.to, value.fragment
    -- What was read once need not be read again, nor does it become shorter to search.
    document = value.document
  else
    others[value.number] = value
  end
end
