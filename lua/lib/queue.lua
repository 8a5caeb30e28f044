-- The queue of writes, where more than one key may have changed: the states of the changed keys, each with its key
-- and its command behind. Stands where all is decided.
--
-- One write must not fail behind another one. What can make it fail are missing rights: a server from 7.0 on tells
-- of them before. One before that does not, so what is granted less often comes first there.
others[current] = { text, partial, ttl, edits, from, to, fragment }
queue = {}
for _, command in ipairs({ 'DEL', 'PERSIST', 'PEXPIRE', 'SET' }) do
  for number = 1, #KEYS do
    local state = others[number]
    if state then
      local wanted
      if state[4] > 0 then
        wanted = (state[5] or state[1]) and 'SET' or 'DEL'
      elseif state[3] then
        wanted = state[3] == 0 and 'PERSIST' or 'PEXPIRE'
      end
      if wanted == command then
        state[8], state[9] = KEYS[number], command
        queue[#queue + 1] = state
      end
    end
  end
end
if redis.acl_check_cmd and #queue > 1 then
  for k = 1, #queue do
    local command, name = queue[k][9], queue[k][8]
    local allowed
    if command == 'SET' then
      allowed = redis.acl_check_cmd(command, name, '')
    elseif command == 'PEXPIRE' then
      allowed = redis.acl_check_cmd(command, name, '1')
    else
      allowed = redis.acl_check_cmd(command, name)
    end
    if not allowed then return { err = 'NOPERM User has no permissions to run the ' .. command .. ' command' } end
  end
end
