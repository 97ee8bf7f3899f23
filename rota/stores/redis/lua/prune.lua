-- uses: records runs rounds logs errors
begin_small()

-- Collect ended runs that may go, oldest end first. Never one whose slot's key is still needed, nor the last one of a
-- schedule and tenant (R72).
local function collect(old, name, before)
    local n, start = 0, 0
    while n < request.limit do
        local ids = call('ZRANGEBYSCORE', name, '-inf', string.format('(%.17g', before), 'LIMIT', start, 500)
        for _, run in ipairs(named(ids)) do
            local is_last = run.schedule
                and call('HGET', key('last'), pair(run.schedule, run.tenant and '=' .. run.tenant or '')) == run.id
            if not is_last and (not run.slot or tonumber(run.slot) < request.slots_before) then
                old[#old + 1], n = run, n + 1
            end
        end
        if #ids < 500 then
            return
        end
        start = start + 500
    end
end

local old = {}
collect(old, key('good'), request.succeeded_before)
collect(old, key('bad'), request.failed_before)
table.sort(old, function(one, other)
    local first, second = tonumber(one.ended_at), tonumber(other.ended_at)
    if first ~= second then
        return first < second
    end
    return one.id < other.id
end)
local n = math.min(#old, request.limit)
for i = 1, n do
    delete(old[i])
    delete_log(old[i].id)
end
finish()

-- Go through what is older in a sorted set, and let up to the limit of it be forgotten: `forget` says whether it was. What
-- is kept is passed by, or it would be all that is ever looked at.
local function forget_old(name, before, forget)
    local n, start = 0, 0
    while n < request.limit do
        local members = call('ZRANGEBYSCORE', name, '-inf', string.format('(%.17g', before), 'LIMIT', start, 500)
        for _, member in ipairs(members) do
            if n < request.limit and forget(member) then
                call('ZREM', name, member)
                n = n + 1
            else
                start = start + 1
            end
        end
        if #members < 500 then
            return
        end
    end
end

forget_old(key('rounds-ended'), math.max(request.succeeded_before, request.failed_before), function(id)
    local round = call('EXISTS', key('round', id)) == 0 and get_round(id)
    local before = round and (round.state == 'failed' and request.failed_before or request.succeeded_before)
    if not round or tonumber(round.ended_at) >= before
        or (round.slot and tonumber(round.slot) >= request.slots_before) then
        return false
    end
    call('HDEL', ROUNDS, id)
    call('ZREM', key('round-ids'), id)
    local slot = round_slot(round)
    if slot then
        call('HDEL', key('round-slots'), slot)
    end
    return true
end)

local chunks = call('ZRANGEBYSCORE', LOG_TIMES, '-inf', string.format('(%.17g', request.logs_before), 'LIMIT', 0,
    request.limit)
for _, member in ipairs(chunks) do
    delete_chunk(string.sub(member, 13), string.sub(member, 1, 12))
end

forget_errors(request.failed_before, request.limit)

-- Signals that nobody has taken for so long: their ids begin with an instant.
for _, id in ipairs(call('HKEYS', key('signals'))) do
    if id < request.signals_below then
        call('HDEL', key('signals'), id)
    end
end

-- Names that were given before and that nobody has any more.
forget_old(key('unique-times'), request.succeeded_before, function(name)
    local given = cmsgpack.unpack(call('HGET', key('uniques'), name))
    local run = get(given.run_id)
    local is_kept = given.kept_until and tonumber(given.kept_until) >= request.succeeded_before
    if is_kept or (run and not FINAL[run.state]) then
        return false
    end
    call('HDEL', key('uniques'), name)
    return true
end)

if request.audit_before then
    local entries = call('ZRANGEBYSCORE', key('audit-at'), '-inf', string.format('(%.17g', request.audit_before), 'LIMIT',
        0, request.limit)
    for _, id in ipairs(entries) do
        call('ZREM', key('audit-at'), id)
        call('ZREM', key('audit-ids'), id)
        call('HDEL', key('audit'), id)
    end
end
return array({pack(n), pack(#chunks)})
