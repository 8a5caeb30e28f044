-- The group is refused: its keys become what they were before it. Stands where an op has failed.
failed = true
refused = refused or {}
refused[groups] = true
before = before or { { number = 1, partial = false, edits = 0, searched = 0 } }
if pieces then pieces.undo() end
for n = #before, 1, -1 do
  local value = before[n]
  local now = value.number == current
      and { text = text, partial = partial, edits = edits, document = document }
    or others[value.number] or value
  -- What was read once need not be read again, nor does it become shorter to search.
  if not value.document and now.document and now.document.since == value.edits then
    value.document, value.text, value.partial, value.from = now.document, now.document.text, false, nil
  elseif value.text == nil and now.edits == value.edits then
    value.text, value.partial = now.text, now.partial
  end
  if value.number == current then
    text, partial, ttl, edits = value.text, value.partial, value.ttl, value.edits
    from, to, fragment = value.from, value.to, value.fragment
    document = value.document
  else
    others[value.number] = value
  end
end
