-- How runs are placed, in this order: concurrency key, due time, gate, queue.

local OVERLAP_REASON = 'overlap: an earlier run is not final'
local REPLACED_REASON = 'overlap: a later run takes its place'

-- Return the smallest turn among the queued runs of a queue: the first of each priority is the smallest of its own.
local function turn_of_queue(queue)
    local name = flush(key('queue', queue))
    local least, from = nil, '-'
    while true do
        local member = call('ZRANGEBYLEX', name, from, '+', 'LIMIT', 0, 1)[1]
        if not member then
            return least or 0
        end
        local priority, turn = struct.unpack('>I4d', member)
        if not least or turn < least then
            least = turn
        end
        from = '[' .. struct.pack('>I4', priority + 1)
    end
end

-- Return the largest turn among the runs of a tenant that are queued, or aside for a limit; nil where there are none.
local function last_turn(queue, tenant)
    local first = turns_of(tenant)
    local name = flush(key('turns', queue))
    -- No turn begins with this byte: they are not negative.
    local member = call('ZREVRANGEBYLEX', name, '(' .. first .. '\255', '[' .. first, 'LIMIT', 0, 1)[1]
    return member and struct.unpack('>d', member, #first + 1)
end

local function take_turns(queue, list)
    local turn = turn_of_queue(queue)
    local latest, weights, is_read = {}, {}, {}
    for _, run in ipairs(list) do
        if run.tenant then
            weights[run.tenant] = run.weight or 1
            if not is_read[run.tenant] then
                latest[run.tenant], is_read[run.tenant] = last_turn(queue, run.tenant), true
            end
        end
    end
    for _, run in ipairs(list) do
        local mine = turn
        if run.tenant then
            local last = latest[run.tenant]
            if last then
                mine = math.max(turn, last + 1 / weights[run.tenant])
            end
            latest[run.tenant] = mine
        end
        change(run, {
            state = 'queued', waits_for = NONE, held_by = NONE, held = NONE, turn = mine,
            -- Its head says otherwise from now on.
            is_altered = run.held_by and true or run.is_altered,
        })
    end
end

-- Queue runs, each with its turn, in the order given. They have passed every gate.
local function enqueue(list)
    local order, by_queue = {}, {}
    for _, run in ipairs(list) do
        if not by_queue[run.queue] then
            by_queue[run.queue] = {}
            order[#order + 1] = run.queue
        end
        table.insert(by_queue[run.queue], run)
    end
    for _, queue in ipairs(order) do
        take_turns(queue, by_queue[queue])
    end
end

local function hold(run, gate)
    change(run, {state = 'scheduled', waits_for = NONE, held_by = gate, held = true})
end

-- Place runs that wait for no concurrency key: those of the future are scheduled for their time, those with a gate to
-- pass are held there, the others queued in the order given.
local function go_on(list, now)
    local due = {}
    for _, run in ipairs(list) do
        if tonumber(run.due_at) > now then
            change(run, {state = 'scheduled', waits_for = NONE, held = NONE})
        elseif run.held_by then
            hold(run, run.held_by)
        else
            due[#due + 1] = run
        end
    end
    enqueue(due)
end

-- Let the first waiting run of each key go on that no other open run holds; return how many.
local function unblock(keys, now)
    local first = {}
    for of in pairs(keys) do
        if call('SCARD', flush(key('holders', of))) == 0 then
            local id = call('ZRANGE', flush(key('waiting', of)), 0, 0)[1]
            if id then
                first[#first + 1] = get(id)
            end
        end
    end
    table.sort(first, in_line)
    go_on(first, now)
    return #first
end

local function free(list, now)
    local keys = {}
    for _, run in ipairs(list) do
        if run.concurrency_key then
            keys[run.concurrency_key] = true
        end
    end
    unblock(keys, now)
end

-- Return the open runs of a concurrency key.
local function sharing(of)
    local ids = call('SMEMBERS', flush(key('holders', of)))
    for _, id in ipairs(call('ZRANGE', flush(key('waiting', of)), 0, -1)) do
        ids[#ids + 1] = id
    end
    return named(ids)
end

local function n_sharing(of)
    return call('SCARD', flush(key('holders', of))) + call('ZCARD', flush(key('waiting', of)))
end

-- A run that ends without another attempt waits for nothing any more.
local function ended(state, reason, now)
    return {state = state, reason = reason, ended_at = now, waits_for = NONE, held_by = NONE, held = NONE,
        limited_by = NONE}
end

-- Cancel those that are open, running ones by asking their worker; return them. Nobody goes on for it yet.
local function stop(list, reason, now)
    local stopped = {}
    for _, run in ipairs(list) do
        if not FINAL[run.state] then
            stopped[#stopped + 1] = run
            if run.state == 'running' then
                change(run, {cancel_requested = true, reason = reason})
            else
                change(run, ended('cancelled', reason, now))
            end
        end
    end
    return stopped
end

-- Whether a run's overlap policy has it skipped. Of two that are open one has the key or is the next to have it; the
-- other one waits.
local function is_one_too_many(run)
    if run.overlap == 'skip' then
        return n_sharing(run.concurrency_key) > 0
    end
    return run.overlap == 'queue_one' and n_sharing(run.concurrency_key) > 1
end

-- Store runs that are not known yet and place them; return their ids, in the order given.
local function accept(list, now)
    local dedupe_keys, taken = {}, {}
    fetch(ids_of(list))
    for _, run in ipairs(list) do
        if run.dedupe_key then
            dedupe_keys[#dedupe_keys + 1] = run.dedupe_key
        end
    end
    for i, id in ipairs(values_of('HMGET', flush(key('dedupe')), dedupe_keys)) do
        taken[dedupe_keys[i]] = id
    end
    local accepted, unbound, keys = {}, {}, {}
    for _, run in ipairs(list) do
        if not runs[run.id] and not (run.dedupe_key and taken[run.dedupe_key]) then
            accepted[#accepted + 1] = run.id
            if run.dedupe_key then
                taken[run.dedupe_key] = run.id
            end
            create(run)
            if FINAL[run.state] then
                change(run, {})
            elseif not run.concurrency_key then
                unbound[#unbound + 1] = run
            elseif is_one_too_many(run) then
                change(run, ended('skipped', OVERLAP_REASON, now))
            else
                if run.overlap == 'replace' then
                    stop(sharing(run.concurrency_key), REPLACED_REASON, now)
                end
                -- Every run with a key waits first, even the only one: who goes on is decided in one place.
                change(run, {state = 'scheduled', waits_for = run.concurrency_key})
                keys[run.concurrency_key] = true
            end
        end
    end
    go_on(unbound, now)
    unblock(keys, now)
    return accepted
end
