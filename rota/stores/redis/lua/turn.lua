-- uses: progress
-- Write what becomes of pairs that are as they were read; answer with the numbers of those.
local applied = {}
for i, one in ipairs(request) do
    local meant = one.after or one.before
    local schedule, tenant = meant.schedule, meant.tenant or ''
    if is_as_expected(get_pair(schedule, tenant), one.before) then
        if one.after then
            call('SADD', key('watching'), schedule)
            put_pair(one.after)
        else
            drop_pair(schedule, tenant)
        end
        if one.flip then
            call('HSET', key('flips'), one.flip.id, one.flip.text)
            call('ZADD', key('flip-ids'), 0, one.flip.id)
            call('ZADD', key('flip-ids', schedule), 0, one.flip.id)
            call('ZADD', key('flips-at'), tonumber(one.flip.at), one.flip.id)
        end
        applied[#applied + 1] = i - 1
    end
end
return packed(applied)
