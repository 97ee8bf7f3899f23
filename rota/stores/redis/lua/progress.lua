-- Return progress as it is written: of one schedule or of all, of some tenants or of all.
local parts = {}
local schedules = request.schedule and {request.schedule} or call('SMEMBERS', key('progressing'))
for _, schedule in ipairs(schedules) do
    local name = key('progress', schedule)
    local texts = request.tenants and values_of('HMGET', name, request.tenants) or call('HVALS', name)
    for _, text in ipairs(texts) do
        if text then
            parts[#parts + 1] = text
        end
    end
end
return array(parts)
