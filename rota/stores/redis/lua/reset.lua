-- uses: progress
local name, n = key('progress', request.schedule), 0
if not request.tenants then
    n = call('HLEN', name)
    call('DEL', name)
else
    for _, tenant in ipairs(request.tenants) do
        n = n + call('HDEL', name, tenant)
    end
end
if call('EXISTS', name) == 0 then
    call('SREM', key('progressing'), request.schedule)
end
for _, tenant in ipairs(request.tenants or call('HKEYS', key('pairs', request.schedule))) do
    mark_pair(request.schedule, tenant, nil)
end
if n > 0 then
    tell(request.audit)
end
return n
