-- uses: records runs line
-- Asked each second, and mostly in vain.
local asked = request.job and 'job/' .. request.job or request.tenant and 'tenant/' .. request.tenant
if asked and call('HEXISTS', QUEUED_OF, asked) == 0 then
    return 0
end
begin_small()
local meant = {}
for _, field in ipairs(call('HKEYS', COUNTS)) do
    local queue = string.match(field, '^queued/(.*)$')
    local n, from, members = 0, 0, nil
    while queue and n < request.limit and (not members or #members == 500) do
        members = call('ZRANGE', key('queue', queue), from, from + 499)
        from = from + #members
        local ids = {}
        for _, member in ipairs(members) do
            local id = id_in_queue(member)
            local _, job, tenant = behind_id(member, id)
            if (not request.job or job == request.job) and (not request.tenant or tenant == request.tenant) then
                ids[#ids + 1] = id
            end
        end
        for _, run in ipairs(named(ids)) do
            if run.state == 'queued' and n < request.limit then
                meant[#meant + 1], n = run, n + 1
            end
        end
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
