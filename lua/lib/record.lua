-- Writes down what the call answers, before anything else is written. Sets problem where it cannot.
--
-- If memory is short Redis refuses the first command of a script that may need more, and lets all pass after one
-- that needs none. So the record comes first: where it is refused nothing is written yet. If the call writes no
-- text, and has a short answer or makes room for a long one, a command that needs no memory goes ahead of it.
if record then
  -- Encoded by cjson, which is exact for a list of strings, but takes an empty list for an object.
  local line = done == 0 and '[]' or done == 1 and replies[1] == '' and '[""]' or cjson.encode(replies)
  problem = redis.pcall('SET', record, line, 'PX', record_ttl).err
  if problem and (find(problem, '^OOM ') or find(problem, '^@user_script: ?%d+: %-OOM ')) then
    local grows, removes = edits > 0 and (from or text), edits > 0
    if queue then
      grows = #queue > 0 and queue[#queue].command == 'SET'
      removes = #queue > 0 and queue[1].command == 'DEL'
    end
    if not grows and (removes or #line < 1024) then
      redis.call('PEXPIRE', record, record_ttl)
      redis.call('SET', record, line, 'PX', record_ttl)
      problem = nil
    end
  end
end
