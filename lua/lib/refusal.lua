-- Turns reply, the problem that pcall caught in an op, into a refusal. Stands where that is caught.
-- Redis's own errors go on, except that of a key that is no string.
if type(reply) == 'table' and reply[1] then
  reply = '!' .. reply[1] .. ' ' .. segment .. ' ' .. (reply[2] or '')
else
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' or kind == 'none' then error(reply, 0) end
  reply = '!WRONG_TYPE 0 ' .. kind
end
