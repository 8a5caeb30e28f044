-- Writes the value under work, or those of the queue. Stands behind the record.
if not problem then
  repeat
    if queue then
      local value = queue[written + 1]
      if not value then break end
      text, partial, ttl, edits, key = value.text, value.partial, value.ttl, value.edits, value.key
      from, to, fragment = value.from, value.to, value.fragment
    end
    local answer, in_place, tail
    if from and edits == 1 and not ttl and #text > 128 then
      -- Where a change can be made in place. SETRANGE changes the value as a whole or not at all. It is refused
      -- where the value is longer than the server takes in one piece (proto-max-bulk-len); SET is not.
      local place, grows = string.format('%.0f', from - 1), #fragment - (to - from + 1)
      if grows == 0 then
        in_place = type(redis.pcall('SETRANGE', key, place, fragment)) == 'number'
      elseif grows > 0 and (not partial or near) and #text > LONG and from > #text / 4 then
        -- A string costs Lua about as much for each byte as all else does, so none is made of what stands before
        -- the change. A value that grew may take twice its memory: BITOP copies it into as much as it needs. That
        -- drops an expiry, so a value that has one is written as a whole.
        local known, allowed = pcall(redis.acl_check_cmd, 'BITOP', 'OR', key, key)
        if known and allowed and redis.pcall('PTTL', key) == -1 then
          tail = partial and redis.call('GETRANGE', key, string.format('%.0f', to), '-1') or sub(text, to + 1)
          in_place = type(redis.pcall('SETRANGE', key, place, fragment .. tail)) == 'number'
            and type(redis.pcall('BITOP', 'OR', key, key)) == 'number'
        end
      end
    end
    if in_place then
      answer = 1
    elseif edits == 0 then
      if ttl == 0 then
        answer = redis.pcall('PERSIST', key)
      elseif ttl then
        answer = redis.pcall('PEXPIRE', key, string.format('%.0f', ttl))
      end
    else
      if from then
        tail = tail or partial and redis.call('GETRANGE', key, string.format('%.0f', to), '-1') or sub(text, to + 1)
        text = sub(text, 1, from - 1) .. fragment .. tail
      end
      if not text then
        answer = redis.pcall('DEL', key)
      elseif not ttl then
        answer = redis.pcall('SET', key, text, 'KEEPTTL')
      elseif ttl == 0 then
        answer = redis.pcall('SET', key, text)
      else
        answer = redis.pcall('SET', key, text, 'PX', string.format('%.0f', ttl))
      end
    end
    if answer and answer ~= 1 and answer ~= 0 and answer.err then
      problem = answer.err
      break
    end
    written = written + 1
  until not queue
end
