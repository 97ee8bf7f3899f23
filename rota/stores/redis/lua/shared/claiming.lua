-- Who gets which queued run.

-- Take up to `places` runs from the front of a queue that are not left alone. A member whose run stands elsewhere is
-- dropped: somebody has meddled with the set.
local function take_from_queue(queue, places, is_left_alone, chosen)
    local name = flush(key('queue', queue))
    local start, step = 0, places
    while places > 0 do
        local members = call('ZRANGE', name, start, start + step - 1)
        local ids = {}
        for i, member in ipairs(members) do
            ids[i] = id_in_queue(member)
        end
        fetch(ids)
        for i, member in ipairs(members) do
            local run = runs[ids[i]]
            if not run or run.state ~= 'queued' or run.queue ~= queue or in_queue(run) ~= member then
                zrem(name, 0, member)
            elseif places > 0 and not is_left_alone(run) then
                chosen[#chosen + 1], places = run, places - 1
            end
        end
        if #members < step then
            return
        end
        start, step = start + step, 500
    end
end

-- Make queued runs running under a new token, in the order of each queue, and return them.
local function claim(wanted, now)
    local jobs, tenants = as_set(wanted.except_jobs), as_set(wanted.except_tenants)
    local function is_left_alone(run)
        return jobs[run.job] or (run.tenant and tenants[run.tenant])
    end
    local room = (#wanted.limits > 0 or #wanted.reopened > 0) and room_under(wanted.limits, now)
    local chosen = {}
    for _, queue in ipairs(wanted.queues) do
        local places = math.min(queue[2], wanted.limit - #chosen)
        if room then
            choose_under(room, queue[1], places, is_left_alone, wanted.reopened, chosen)
        else
            take_from_queue(queue[1], places, is_left_alone, chosen)
        end
    end
    for _, run in ipairs(chosen) do
        change(run, {
            state = 'running', attempt = (run.attempt or 0) + 1, owner = wanted.worker, claimed_at = now,
            lease_until = now + wanted.lease, limited_by = NONE,
            -- The clock part keeps tokens rising when a failover takes the store back in time, the other part when
            -- the clock goes back.
            token = math.max((run.token or 0) + 1, now),
        })
    end
    if room then
        note_starts(room)
    end
    return chosen
end

-- Return claimed runs as an array, each with the last success of its schedule and tenant.
local function claimed_runs(chosen, texts)
    local parts = {}
    for i, run in ipairs(chosen) do
        local progress = run.schedule and get_progress(run.schedule, run.tenant or '')
        if progress and progress.last_success then
            run.last_success = progress.last_success
            parts[i] = pack(run)
            run.last_success = nil
        else
            parts[i] = texts[run.id]
        end
    end
    return array(parts)
end
