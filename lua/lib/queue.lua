-- The queue of writes, where more than one key may have changed: the values that changed, each with its key and
-- its command. Stands where all is decided.
--
-- One write must not fail behind another one. What can make it fail are missing rights: a server from 7.0 on
-- tells of them before. One before that does not, so what is granted less often comes first there.
others[current] = {
  text = text, partial = partial, ttl = ttl, edits = edits, from = from, to = to, fragment = fragment,
}
local removed, kept, moved = {}, {}, {}
queue = {}
for number = 1, #KEYS do
  local value = others[number]
  if value and (value.edits > 0 or value.ttl) then
    local command, list
    if value.edits == 0 then
      if value.ttl == 0 then command, list = 'PERSIST', kept else command, list = 'PEXPIRE', moved end
    elseif value.from or value.text then
      command, list = 'SET', queue
    else
      command, list = 'DEL', removed
    end
    value.key, value.command = KEYS[number], command
    list[#list + 1] = value
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
    local command, name = queue[k].command, queue[k].key
    local allowed
    if command == 'SET' or command == 'PEXPIRE' then
      allowed = may(command, name, '1')
    else
      allowed = may(command, name)
    end
    if not allowed then return { err = 'NOPERM User has no permissions to run the ' .. command .. ' command' } end
  end
end
