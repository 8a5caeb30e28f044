-- A write was refused: problem is the error of Redis, written the number of writes before it, without the record.
problem = string.gsub(problem, '^@user_script: ?%d+: %-?', '') -- servers before 7.0 put this before it
if written == 0 and not short and find(problem, '^OOM ') then
  short, shortage = 0, problem
else
  if written > 0 then problem = 'PARTIAL ' .. problem end
  -- The record tells of success. Whoever asks it now gets this error, too.
  if record then redis.pcall('SET', record, cjson.encode({ err = problem }), 'XX', 'KEEPTTL') end
  return { err = problem }
end
