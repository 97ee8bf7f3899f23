local ids = call('ZRANGEBYSCORE', key('leases'), '-inf', string.format('(%.17g', request.before), 'LIMIT', 0, request.limit)
local parts = {}
for _, text in ipairs(values_of('HMGET', key('open'), ids)) do
    if text then
        parts[#parts + 1] = text
    end
end
return array(parts)
