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
    if from and edits == 1 and not ttl and (partial or #text > 128) then
      -- Where a change can be made in place. SETRANGE changes the value as a whole or not at all. It is refused
      -- where the value is longer than the server takes in one piece (proto-max-bulk-len); SET is not.
      local place, removed = from - 1, to - from + 1
      if #fragment == removed then
        in_place = type(redis.pcall('SETRANGE', key, place, fragment)) == 'number'
      elseif partial or #text > LONG then
        -- A string costs Lua about as much for each byte as all else does, so none is made of the whole value. What
        -- stands behind the change is moved, and a value that gets shorter is cut off at the change before. Then it
        -- may take twice its memory: BITOP copies it into as much as it needs. That drops an expiry.
        local may = redis.acl_check_cmd
        local known, allowed = pcall(may, 'BITOP', 'OR', key, key)
        local expires = known and allowed and redis.pcall('PTTL', key)
        if type(expires) == 'number' and expires ~= -1 then
          known, allowed = pcall(may, 'PEXPIRETIME', key)
          if known and allowed then known, allowed = pcall(may, 'PEXPIREAT', key, '1') end
          expires = known and allowed and redis.call('PEXPIRETIME', key)
          if expires and expires > 2 ^ 53 then expires = false end -- more than a number of Lua tells exactly
        end
        if type(expires) == 'number' then
          tail = partial and redis.call('GETRANGE', key, to, '-1') or sub(text, to + 1)
          local behind = place + #fragment
          local length = behind + #tail
          -- What is read of a longer value stands behind the change, too, and is written over at once.
          local head = #fragment < removed and (partial and #text <= length and text or sub(text, 1, place))
          if length > LONG
            and (not head or not redis.pcall('SET', key, head, 'KEEPTTL').err)
            and (#tail < 512 or type(redis.pcall('SETRANGE', key, behind, tail)) == 'number')
            and type(redis.pcall('SETRANGE', key, place, #tail < 512 and fragment .. tail or fragment)) == 'number'
            and type(redis.pcall('BITOP', 'OR', key, key)) == 'number'
          then
            in_place = true
            if expires >= 0 then redis.call('PEXPIREAT', key, expires) end
          end
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
        tail = tail or partial and redis.call('GETRANGE', key, to, '-1') or sub(text, to + 1)
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
