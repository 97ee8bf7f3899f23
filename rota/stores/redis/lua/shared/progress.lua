-- How far each schedule has come for each tenant: a msgpack map each, in one hash per schedule.

local function get_progress(schedule, tenant)
    local text = call('HGET', key('progress', schedule), tenant)
    return text and cmsgpack.unpack(text)
end

local function put_progress(progress)
    call('SADD', key('progressing'), progress.schedule)
    call('HSET', key('progress', progress.schedule), progress.tenant or '', pack(progress))
end

-- Pairs that are watched: a msgpack map each, in one hash per schedule. Those that are to be looked at stand in a sorted
-- set by when.

local function get_pair(schedule, tenant)
    local text = call('HGET', key('pairs', schedule), tenant)
    return text and cmsgpack.unpack(text)
end

local function put_pair(one)
    local tenant = one.tenant or ''
    call('HSET', key('pairs', one.schedule), tenant, pack(one))
    local member = pair(one.schedule, tenant)
    if one.look_at then
        call('ZADD', key('looks'), tonumber(one.look_at), member)
    else
        call('ZREM', key('looks'), member)
    end
end

local function drop_pair(schedule, tenant)
    call('HDEL', key('pairs', schedule), tenant)
    call('ZREM', key('looks'), pair(schedule, tenant))
    if call('EXISTS', key('pairs', schedule)) == 0 then
        call('SREM', key('watching'), schedule)
    end
end

-- A slot has succeeded: what `watched.proved` decides.
local function prove_pair(schedule, tenant, slot, ended_at, expected)
    local one = get_pair(schedule, tenant)
    if not one or one.last_success and tonumber(slot) <= tonumber(one.last_success) then
        return
    end
    one.last_success, one.look_at = slot, ended_at
    if expected then
        one.late_at, one.stale_at, one.rule = expected.late_at, expected.stale_at, expected.rule
        if one.state == 'fresh' then
            one.look_at = expected.look_at
        end
    end
    if one.state == 'paused' then
        one.look_at = nil
    end
    put_pair(one)
end

-- Somebody said what the last success was, or forgot it: it is to be looked at before anything else.
local function mark_pair(schedule, tenant, last_success)
    local one = get_pair(schedule, tenant)
    if one then
        one.last_success, one.look_at = last_success, one.state ~= 'paused' and 0 or nil
        put_pair(one)
    end
end

local function is_same(one, other)
    for name, value in pairs(one) do
        if other[name] ~= value then
            return false
        end
    end
    return true
end

-- Whether what is stored, or nil, is what was expected.
local function is_as_expected(stored, expected)
    if not stored or not expected then
        return not stored and not expected
    end
    return is_same(stored, expected) and is_same(expected, stored)
end

-- Take note of a run that ended. Only the job's own work under a schedule counts.
local function move_progress(run, expected)
    if not run.schedule or run.kind ~= nil then
        return
    end
    local progress = get_progress(run.schedule, run.tenant or '') or {schedule = run.schedule, tenant = run.tenant}
    progress.last_run_id, progress.last_state, progress.last_ended_at = run.id, run.state, run.ended_at
    if run.state == 'succeeded' then
        progress.failures = nil
        -- Slots may end in any order: a late one must not take the window back (R9).
        local last = progress.last_success
        if run.slot and (not last or tonumber(run.slot) > tonumber(last)) then
            progress.last_success, progress.last_success_at = run.slot, run.ended_at
            prove_pair(run.schedule, run.tenant or '', run.slot, run.ended_at, expected)
        end
    elseif run.state == 'failed' then
        progress.failures = (progress.failures or 0) + 1
    end
    put_progress(progress)
end
