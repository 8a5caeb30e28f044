-- A call that has run before, and left a record, only says again what it said then. Touching the record is a
-- write, so that a WAIT behind it on this connection waits for what the call wrote on another one.
local record, record_ttl
if tokens[1] == 'once' then
  record, record_ttl = KEYS[tonumber(tokens[2])], tokens[3]
  local known = redis.call('GET', record)
  if known then
    redis.call('PEXPIRE', record, record_ttl)
    return cjson.decode(known)
  end
  -- Without a record it may still have run before, so long ago that the record is gone. So each call has a time
  -- until which it may come. A time too far ahead is no protection: the clock it was read from is wrong.
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
  if now > tonumber(tokens[4]) or tokens[4] - now > tonumber(record_ttl) then
    return redis.error_reply(string.format('LATE %.0f', now))
  end
end
