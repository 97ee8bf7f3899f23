-- uses: records runs
local from = request.after and tonumber(request.after[1]) or '-inf'
local found, start = {}, 0
while #found < request.limit do
    local members = call('ZRANGEBYSCORE', key('held', request.gate), from, '+inf', 'WITHSCORES', 'LIMIT', start, 500)
    for i = 1, #members, 2 do
        local id, due = members[i], tonumber(members[i + 1])
        local is_after = not request.after or due > from or id > request.after[2]
        if is_after and #found < request.limit then
            found[#found + 1] = id
        end
    end
    if #members < 1000 then
        break
    end
    start = start + 500
end
local parts = {}
for i, text in ipairs(values_of('HMGET', OPEN, found)) do
    parts[i] = text
end
return array(parts)
