-- Writes down what the call answers, before anything else is written.
--
-- If memory is short Redis refuses the first command of a script that may need more, and lets all pass after one
-- that needs none. So the record comes first: where it is refused nothing is written yet. Only a call that frees
-- memory or changes expiries goes on then, and its record follows (see the end of apply.lua).
local unrecorded
if record then
  -- Encoded by cjson, which is exact for a list of strings, but takes an empty list for an object.
  local line = done == 0 and '[]' or done == 1 and replies[1] == '' and '[""]' or cjson.encode(replies)
  local answer = redis.pcall('SET', record, line, 'PX', record_ttl)
  if answer.err then
    local grows, works = false, false
    local function weigh(changed, whole, expiry)
      if changed > 0 and whole ~= false then grows = true end
      if changed > 0 or expiry then works = true end
    end
    weigh(edits, from or text, ttl)
    if others then
      for number, state in pairs(others) do
        if number ~= current then weigh(state[4], state[1], state[3]) end
      end
    end
    if grows or not works or not find(answer.err, 'OOM', 1, true) then return answer end
    unrecorded = line
  end
end
