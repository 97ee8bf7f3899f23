-- uses: records runs
-- Of each queue, when the run is due that is due first. Gone through as a whole: an index would cost each run two writes.
local parts = {}
for _, queue in ipairs(request.queues) do
    local first, start = nil, 0
    while true do
        local members = call('ZRANGE', key('queue', queue), start, start + CHUNK - 1)
        for _, member in ipairs(members) do
            local due = behind_id(member, id_in_queue(member))
            first = (not first or due < first) and due or first
        end
        if #members < CHUNK then
            break
        end
        start = start + CHUNK
    end
    parts[#parts + 1] = array({pack(queue), first and pack(string.format('%.0f', first)) or pack(nil)})
end
return array(parts)
