-- Return the pairs that are to be judged by now, the longest overdue first.
local parts = {}
local members = call('ZRANGEBYSCORE', key('looks'), '-inf', request.now, 'LIMIT', 0, request.limit)
for _, member in ipairs(members) do
    local size = struct.unpack('>I4', member)
    local text = call('HGET', key('pairs', string.sub(member, 5, 4 + size)), string.sub(member, 5 + size))
    if text then
        parts[#parts + 1] = text
    else
        call('ZREM', key('looks'), member)
    end
end
return array(parts)
