-- The queue of writes, where more than one key may have changed: the states of the changed keys, each with its key
-- and its command behind. Stands where all is decided.
--
-- One write must not fail behind another one. What can make it fail are missing rights: a server from 7.0 on tells
-- of them before. One before that does not, so what is granted less often comes first there.
others[current] = { text, partial, ttl, edits, from, to, fragment }
local removed, kept, moved = {}, {}, {}
queue = {}
for number = 1, #KEYS do
  local state = others[number]
  if state and (state[4] > 0 or state[3]) then
    local command, list
    if state[4] == 0 then
      if state[3] == 0 then command, list = 'PERSIST', kept else command, list = 'PEXPIRE', moved end
    elseif state[5] or state[1] then
      command, list = 'SET', queue
    else
      command, list = 'DEL', removed
    end
    state[8], state[9] = KEYS[number], command
    list[#list + 1] = state
  end
end
if #removed + #kept + #moved > 0 then
  local written_last = queue
  queue = removed
  for _, list in ipairs({ kept, moved, written_last }) do
    for k = 1, #list do queue[#queue + 1] = list[k] end
  end
end
local may = redis.acl_check_cmd
if may and #queue > 1 then
  for k = 1, #queue do
    local command, name = queue[k][9], queue[k][8]
    local allowed
    if command == 'SET' or command == 'PEXPIRE' then
      allowed = may(command, name, '1')
    else
      allowed = may(command, name)
    end
    if not allowed then return { err = 'NOPERM User has no permissions to run the ' .. command .. ' command' } end
  end
end
