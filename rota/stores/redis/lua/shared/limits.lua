-- Limits (R35): what they have free, who may begin under them, and who stands aside meanwhile. `rota.core.limits` says
-- the same in Python; a claim cannot ask it, since nobody may come in between.
--
-- What runs is counted from the runs that are running, and what was begun from the starts that are noted: no counter is
-- kept that could be wrong.

-- From narrow to wide; the field of a run that each is on.
local SCOPES = {
    {'key', 'limit_key'}, {'tenant', 'tenant'}, {'host', 'host'}, {'job', 'job'}, {'queue', 'queue'},
}
-- How many runs a claim puts aside of those that stand in its way, and how many it looks at behind the last it takes.
local DEEP, BEHIND = 2000, 8
local PARTS = 1000

local function limit_on(room, scope, value)
    local by_name = room.by_scope[scope]
    local limit = by_name and value and (by_name[value] or by_name['*'])
    return limit and (limit.running or limit.rate) and limit
end

-- Return the limits that a run is under as {name, limit}, from narrow to wide. None for an expansion: it lists tenants,
-- and does not do what the job does.
local function limits_of(room, run)
    local found = {}
    if run.kind == nil then
        for _, scope in ipairs(SCOPES) do
            local limit = limit_on(room, scope[1], run[scope[2]])
            if limit then
                found[#found + 1] = {scope[1] .. ':' .. run[scope[2]], limit}
            end
        end
    end
    return found
end

local function starts_of(name)
    return key('starts', name)
end

-- Return how many were begun within the window of a limit, and forget what its window does not reach any more.
local function started(room, name, limit)
    if not room.started[name] then
        local starts, n = call('HGETALL', starts_of(name)), 0
        for i = 1, #starts, 2 do
            if tonumber(starts[i]) > room.now - limit.rate.per then
                n = n + tonumber(starts[i + 1])
            else
                call('HDEL', starts_of(name), starts[i])
            end
        end
        room.started[name] = n
    end
    return room.started[name]
end

local function free_under(room, name, limit)
    local of_places = limit.running and limit.running - (room.running[name] or 0) or math.huge
    local of_rate = limit.rate and limit.rate.number - started(room, name, limit) or math.huge
    return math.min(of_places, of_rate)
end

-- Return how many more may begin under the limit of this name: infinitely many where there is none any more.
local function free_of(room, name)
    local scope, value = string.match(name, '^(%a+):(.*)$')
    local limit = limit_on(room, scope, value)
    return limit and free_under(room, name, limit) or math.huge
end

-- Return the name of the narrowest limit that has no place for this run; nil when it may begin.
local function stopped_by(room, run)
    for _, under in ipairs(limits_of(room, run)) do
        if free_under(room, under[1], under[2]) < 1 then
            return under[1]
        end
    end
end

local function count_running(room, run)
    for _, under in ipairs(limits_of(room, run)) do
        room.running[under[1]] = (room.running[under[1]] or 0) + 1
    end
end

-- Count a run that begins.
local function take_place(room, run)
    count_running(room, run)
    for _, under in ipairs(limits_of(room, run)) do
        if under[2].rate then
            room.started[under[1]] = started(room, under[1], under[2]) + 1
            room.begun[under[1]] = (room.begun[under[1]] or 0) + 1
            room.rates[under[1]] = under[2].rate
        end
    end
end

local function room_under(limits, now)
    local room = {by_scope = {}, running = {}, started = {}, begun = {}, rates = {}, now = now}
    for _, limit in ipairs(limits) do
        room.by_scope[limit.scope] = room.by_scope[limit.scope] or {}
        room.by_scope[limit.scope][limit.name] = limit
    end
    for _, run in ipairs(named(call('ZRANGE', flush(LEASES), 0, -1))) do
        if run.state == 'running' then
            count_running(room, run)
        end
    end
    return room
end

-- Write down what was begun: starts within one part of a window count together, at its end.
local function note_starts(room)
    for name, number in pairs(room.begun) do
        local part = math.max(math.floor(room.rates[name].per / PARTS), 1)
        local past = math.fmod(room.now, part)
        local at = past == 0 and room.now or room.now - past + part
        call('HINCRBY', starts_of(name), string.format('%.0f', at), number)
        -- Of a limit on each there are as many names as there are users: what its window does not reach any more goes by
        -- itself, a minute later for a clock that is behind.
        local ends = at + room.rates[name].per + 60e6
        call('PEXPIRE', starts_of(name), string.format('%.0f', (ends - room.now) / 1e3))
        call('ZADD', key('started-until'), string.format('%.0f', ends), name)
    end
    if next(room.begun) then
        call('ZREMRANGEBYSCORE', key('started-until'), '-inf', string.format('(%.0f', room.now))
    end
end

-- Runs in the order of a queue, from its own set or from those aside for a limit, read a few at a time.
local function source_of(name, limit)
    return {name = flush(name), limit = limit, members = {}, at = 1, start = 0, step = 32}
end

local function first_of(source)
    if source.at > #source.members and source.step then
        source.members = call('ZRANGE', source.name, source.start, source.start + source.step - 1)
        source.at, source.start = 1, source.start + #source.members
        source.step = #source.members == source.step and 500 or nil
        local ids = {}
        for i, member in ipairs(source.members) do
            ids[i] = id_in_queue(member)
        end
        fetch(ids)
    end
    return source.members[source.at]
end

-- Return the next run of all sources in the order of the queue, and the source it comes from.
local function next_of(room, sources, queue)
    while true do
        local best, first
        for _, source in ipairs(sources) do
            -- Of those aside for a limit none may begin once it is full.
            local member = (not source.limit or free_of(room, source.limit) >= 1) and first_of(source)
            if member and (not best or member < first) then
                best, first = source, member
            end
        end
        if not best then
            return nil
        end
        best.at = best.at + 1
        local run = runs[id_in_queue(first)]
        local state = best.limit and 'scheduled' or 'queued'
        if run and run.state == state and run.limited_by == best.limit and run.queue == queue
            and in_queue(run) == first then
            return run
        end
        zrem(best.name, 0, first)
    end
end

-- Choose up to `places` runs of a queue that have a place under every limit; what is in their way is put aside. Behind
-- the last one a few are looked at: what those chosen have filled shows at once who waits for it.
local function choose_under(room, queue, places, is_left_alone, reopened, chosen)
    if places < 1 or free_of(room, 'queue:' .. queue) < 1 then
        return
    end
    local sources = {source_of(key('queue', queue))}
    for _, name in ipairs(reopened) do
        sources[#sources + 1] = source_of(aside_for(name, queue), name)
    end
    local n_aside, n_behind = 0, 0
    while n_aside < DEEP and n_behind < BEHIND do
        local run = next_of(room, sources, queue)
        if not run then
            return
        end
        if not is_left_alone(run) then
            local limit = stopped_by(room, run)
            if limit then
                if run.limited_by ~= limit then
                    change(run, {state = 'scheduled', limited_by = limit})
                end
                n_aside = n_aside + 1
            elseif places > 0 then
                take_place(room, run)
                chosen[#chosen + 1], places = run, places - 1
            else
                n_behind = n_behind + 1
            end
        elseif places == 0 then
            n_behind = n_behind + 1
        end
    end
end
