-- uses: records runs rounds
local parts, start = {}, 0
while #parts < request.limit do
    local ids = call('ZRANGE', key('rounds-open'), start, start + 199)
    for i, text in ipairs(values_of('HMGET', ROUNDS, ids)) do
        if text and #parts < request.limit and not is_busy(ids[i]) then
            local is_known = call('EXISTS', key('round', ids[i])) == 1
            if is_known or cmsgpack.unpack(text).expanded then
                parts[#parts + 1] = text
            end
        end
    end
    if #ids < 200 then
        break
    end
    start = start + 200
end
return array(parts)
