-- Writes the value under work, or those of the queue. Stands behind the record.
if not problem then
  repeat
    if queue then
      local value = queue[written + 1]
      if not value then break end
      text, partial, ttl, edits, key = value.text, value.partial, value.ttl, value.edits, value.key
      from, to, fragment = value.from, value.to, value.fragment
    end
    local answer
    if edits == 0 then
      if ttl == 0 then
        answer = redis.pcall('PERSIST', key)
      elseif ttl then
        answer = redis.pcall('PEXPIRE', key, string.format('%.0f', ttl))
      end
    elseif not (from and edits == 1 and not ttl and #fragment == to - from + 1 and #text > 128
      -- Refused where the value is longer than the server takes in one piece (proto-max-bulk-len); SET is not.
      and type(redis.pcall('SETRANGE', key, string.format('%.0f', from - 1), fragment)) == 'number')
    then
      if from then
        local tail
        if partial then
          tail = redis.call('GETRANGE', key, string.format('%.0f', to), '-1')
        else
          tail = sub(text, to + 1)
        end
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
