-- Who gets which queued run.

-- What a claim makes of its runs: those that it read are tables, the plain ones among them stay texts.
local function a_catch(wanted, now)
    local jobs, tenants = as_set(wanted.except_jobs), as_set(wanted.except_tenants)
    local n, same = pairs_of(pack({
        owner = wanted.worker, claimed_at = now, lease_until = now + wanted.lease, token = now, attempt = 1,
    }))
    return {
        wanted = wanted, now = now, chosen = {}, jobs = jobs, tenants = tenants,
        -- With state, turn, queue and the mark of a plain one.
        n = n + 4, same = RUNNING_PLAIN .. same .. '\165queue',
    }
end

-- Make a plain run running that nobody has touched since it was queued: all of it by its bytes.
local function take_plain(catch, queue, id, text, last)
    local record = map_head(struct.unpack('>I2', text, 14) + 2 + catch.n) .. string.sub(text, 4, last) .. queue.same
        .. string.sub(text, -8)
    local set, leases = queue.set, queue.leases
    set[#set + 1], set[#set + 2] = id, record
    leases[#leases + 1], leases[#leases + 2] = queue.lease_until, id
    catch.chosen[#catch.chosen + 1] = record
end

-- Count a plain run as taken from its queue.
local function leave_queue(queue, id, text, whose)
    whose.n_taken = whose.n_taken + 1
    if whose.tenant then
        queue.turns[#queue.turns + 1] = turns_of(whose.tenant) .. string.sub(text, -8) .. id
    end
end

-- Return of what job and tenant the run of a member is, and how many of them were taken: one table for all of them.
local function whose_run(catch, queue, member, id)
    local name = string.sub(member, #id + 22)
    local whose = queue.whose[name]
    if not whose then
        local _, job, tenant = behind_id(member, id)
        whose = {
            job = job, tenant = tenant, n_taken = 0,
            is_left_alone = catch.jobs[job] or (tenant and catch.tenants[tenant]),
        }
        queue.whose[name] = whose
    end
    return whose
end

local function count_taken(queue)
    local n_taken = 0
    for _, whose in pairs(queue.whose) do
        n_taken = n_taken + whose.n_taken
        count(QUEUED_OF, 'job/' .. whose.job, -whose.n_taken)
        if whose.tenant then
            count(QUEUED_OF, 'tenant/' .. whose.tenant, -whose.n_taken)
        end
    end
    count(COUNTS, 'queued/' .. queue.name, -n_taken)
    count(COUNTS, 'running/' .. queue.name, n_taken)
end

-- Take up to `places` runs from the front of a queue that are not left alone. A member whose run stands elsewhere is
-- dropped: somebody has meddled with the set.
local function take_from_queue(catch, name, places)
    local members_of = flush(key('queue', name))
    local queue = {
        name = name, whose = {}, same = catch.same .. pack(name) .. TURN,
        lease_until = score_of(catch.now + catch.wanted.lease),
        set = list_of(OPEN, 'HSET'), leases = list_of(LEASES, 'ZADD'), turns = list_of(key('turns', name), 'ZREM'),
    }
    local start, step, gone = 0, places, list_of(members_of, 'ZREM')
    while places > 0 do
        local members = call('ZRANGE', members_of, start, start + step - 1)
        local ids = {}
        for i, member in ipairs(members) do
            ids[i] = id_in_queue(member)
        end
        for i, text in ipairs(values_of('HMGET', OPEN, ids)) do
            local member, id = members[i], ids[i]
            local whose = whose_run(catch, queue, member, id)
            local last = text and struct.unpack('>I4', text, 7)
            if places < 1 then
                break
            elseif whose.is_left_alone then
                -- Left alone.
            elseif text and #text == last + #QUEUED_PLAIN + 8 and runs[id] == nil
                and string.sub(text, last + 1, -9) == QUEUED_PLAIN and string.sub(text, -8) == string.sub(member, 5, 12) then
                take_plain(catch, queue, id, text, last)
                leave_queue(queue, id, text, whose)
                gone[#gone + 1], places = member, places - 1
            else
                local run = get(id)
                if not run or run.state ~= 'queued' or run.queue ~= name or in_queue(run) ~= member then
                    gone[#gone + 1] = member
                else
                    catch.chosen[#catch.chosen + 1], places = run, places - 1
                end
            end
        end
        if #members < step then
            break
        end
        start, step = start + step, 500
    end
    count_taken(queue)
end

-- The clock part keeps tokens rising when a failover takes the store back in time, the other part when the clock goes
-- back.
local function next_token(run, now)
    return math.max((run.token or 0) + 1, now)
end

-- Return, in this worker's hands, the one run that another one has handed over; nothing if somebody was first.
local function take_over(wanted, now)
    local id, token = unpack(wanted.handed)
    local run = get(id)
    if not run or run.state ~= 'running' or run.token ~= token then
        return {}
    end
    change(run, {owner = wanted.worker, lease_until = now + wanted.lease, token = next_token(run, now)})
    return {run}
end

-- Make queued runs running under a new token, in the order of each queue, and return them.
local function claim(wanted, now)
    if wanted.handed then
        return take_over(wanted, now)
    end
    local catch = a_catch(wanted, now)
    local function is_left_alone(run)
        return catch.jobs[run.job] or (run.tenant and catch.tenants[run.tenant])
    end
    local room = (#wanted.limits > 0 or #wanted.reopened > 0) and room_under(wanted.limits, now)
    for _, queue in ipairs(wanted.queues) do
        local places = math.min(queue[2], wanted.limit - #catch.chosen)
        if room then
            choose_under(room, queue[1], places, is_left_alone, wanted.reopened, catch.chosen)
        elseif places > 0 then
            take_from_queue(catch, queue[1], places)
        end
    end
    for _, run in ipairs(catch.chosen) do
        if type(run) == 'table' then
            change(run, {
                state = 'running', attempt = (run.attempt or 0) + 1, owner = wanted.worker, claimed_at = now,
                lease_until = now + wanted.lease, limited_by = NONE, token = next_token(run, now),
            })
        end
    end
    if room then
        note_starts(room)
    end
    return catch.chosen
end

-- Return claimed runs as an array, each with the last success of its schedule and tenant.
local function claimed_runs(chosen, texts)
    local parts = {}
    for i, run in ipairs(chosen) do
        if type(run) == 'string' then
            parts[i] = run
        else
            local progress = run.schedule and get_progress(run.schedule, run.tenant or '')
            if progress and progress.last_success then
                run.last_success = progress.last_success
                parts[i] = pack(run)
                run.last_success = nil
            else
                parts[i] = texts[run.id]
            end
        end
    end
    return array(parts)
end
