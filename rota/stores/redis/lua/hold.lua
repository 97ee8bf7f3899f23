-- uses: records runs line
-- Asked each second, and mostly in vain.
local asked = request.job and 'job/' .. request.job or request.tenant and 'tenant/' .. request.tenant
if asked and call('HEXISTS', QUEUED_OF, asked) == 0 then
    return 0
end
begin_small()
local meant, members, queues = {}, {}, {}
for field in pairs(as_set(call('HKEYS', COUNTS))) do
    if string.sub(field, 1, 7) == 'queued/' then
        queues[#queues + 1] = string.sub(field, 8)
    end
end
for _, queue in ipairs(queues) do
    local n, from = 0, 0
    while n < request.limit do
        members = call('ZRANGE', key('queue', queue), from, from + 499)
        local ids = {}
        for i, member in ipairs(members) do
            ids[i] = id_in_queue(member)
        end
        for _, run in ipairs(named(ids)) do
            local is_meant = (not request.job or run.job == request.job)
                and (not request.tenant or run.tenant == request.tenant)
            if run.state == 'queued' and is_meant and n < request.limit then
                meant[#meant + 1], n = run, n + 1
            end
        end
        if #members < 500 then
            break
        end
        from = from + 500
    end
end
-- Those first that are next in their queue.
table.sort(meant, function(one, other) return in_queue(one) < in_queue(other) end)
local held = 0
for _, run in ipairs(meant) do
    if held < request.limit then
        hold(run, request.gate)
        held = held + 1
    end
end
finish()
return held
