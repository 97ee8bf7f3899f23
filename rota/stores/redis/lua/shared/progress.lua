-- How far each schedule has come for each tenant: a msgpack map each, in one hash per schedule.

local function get_progress(schedule, tenant)
    local text = call('HGET', key('progress', schedule), tenant)
    return text and cmsgpack.unpack(text)
end

local function put_progress(progress)
    call('SADD', key('progressing'), progress.schedule)
    call('HSET', key('progress', progress.schedule), progress.tenant or '', pack(progress))
end

-- Take note of a run that ended. Only the job's own work under a schedule counts.
local function move_progress(run)
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
        end
    elseif run.state == 'failed' then
        progress.failures = (progress.failures or 0) + 1
    end
    put_progress(progress)
end
