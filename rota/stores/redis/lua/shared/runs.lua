-- The runs: each is one msgpack map, in the hash `open` or, once it is final, in `ended`. All else is an index of it.
-- See records.lua for what is in the map.
--
-- `get` reads a run once per call, `change` moves it between the indexes, `finish` writes it back.

local OPEN, ENDED, IDS = key('open'), key('ended'), key('ids')
local LEASES, SCHEDULED = key('leases'), key('scheduled')
local COUNTS, QUEUED_OF, LIMITED = key('counts'), key('queued-of'), key('limited')
local FINAL = {succeeded = true, failed = true, cancelled = true, skipped = true}
local BAD = {failed = true, cancelled = true}

local runs, heads, new_heads = {}, {}, {}
local is_placed = {}
local home = {}
local changed = {}
local times_queued = 0

local function keep(id, text, where)
    runs[id] = text and cmsgpack.unpack(text) or false
    if text then
        heads[id], home[id], is_placed[id] = head_of(text), where, true
    end
end

-- Read runs at once that will be asked for.
local function fetch(ids)
    local asked, missing, seen = {}, {}, {}
    for _, id in ipairs(ids) do
        if runs[id] == nil and not seen[id] then
            asked[#asked + 1], seen[id] = id, true
        end
    end
    for i, text in ipairs(values_of('HMGET', OPEN, asked)) do
        if text then
            keep(asked[i], text, OPEN)
        else
            missing[#missing + 1] = asked[i]
        end
    end
    for i, text in ipairs(values_of('HMGET', ENDED, missing)) do
        keep(missing[i], text, ENDED)
    end
end

local function get(id)
    if runs[id] == nil then
        fetch({id})
    end
    return runs[id] or nil
end

-- Return the runs that are there, each once, in the order given.
local function named(ids)
    fetch(ids)
    local found, seen = {}, {}
    for _, id in ipairs(ids) do
        if runs[id] and not seen[id] then
            found[#found + 1], seen[id] = runs[id], true
        end
    end
    return found
end

-- The place of a run in its queue: priority (the higher the smaller), turn, id. As bytes they sort like that. What is
-- looked at without the run itself comes behind them: due time, job, tenant.
local function in_queue(run)
    local tenant = run.tenant and '\1' .. run.tenant or ''
    return struct.pack('>I4d', 2147483648 - (run.priority or 0), run.turn or 0) .. run.id .. '\0'
        .. struct.pack('>dI2', tonumber(run.due_at), #run.job) .. run.job .. tenant
end

local function id_in_queue(member)
    return string.sub(member, 13, string.find(member, '\0', 13, true) - 1)
end

-- Return what stands behind the id: due time, job, tenant.
local function behind_id(member, id)
    local due, length, at = struct.unpack('>dI2', member, 14 + #id)
    local tenant = string.sub(member, at + length + 1)
    return due, string.sub(member, at, at + length - 1), #member >= at + length and tenant or nil
end

local function turns_of(tenant)
    return struct.pack('>I4', #tenant) .. tenant
end

local function in_turns(run)
    return turns_of(run.tenant) .. struct.pack('>d', run.turn or 0) .. run.id
end

-- Return the key of the runs of a queue that stand aside for a limit, in the order of the queue.
local function aside_for(limit, queue)
    return key('aside', pair(limit, queue))
end

-- Return how a batch counts a run: held ones by their gate, and apart those that wait for a retry.
local function in_batch(run)
    if run.state ~= 'scheduled' then
        return run.state
    end
    if run.held then
        return 'held/' .. run.held_by
    end
    return (run.held_by == nil and run.waits_for == nil) and 'retry' or 'scheduled'
end

-- Enter a run in the indexes, or take it out of them: `put` is zadd or zrem, `by` 1 or -1.
local function place(run, put, by)
    local id, state = run.id, run.state
    local is_open = not FINAL[state]
    if state == 'queued' then
        put(key('queue', run.queue), 0, in_queue(run))
        count(QUEUED_OF, 'job/' .. run.job, by)
        if run.tenant then
            count(QUEUED_OF, 'tenant/' .. run.tenant, by)
            put(key('turns', run.queue), 0, in_turns(run))
        end
    elseif state == 'running' then
        put(LEASES, tonumber(run.lease_until) or 0, id)
    elseif is_open then
        local due = tonumber(run.due_at)
        if run.waits_for then
            put(key('waiting', run.waits_for), due, id)
            count(COUNTS, 'waiting', by)
            sadd(key('waited'), run.waits_for)
        elseif run.limited_by then
            put(aside_for(run.limited_by, run.queue), 0, in_queue(run))
            count(LIMITED, run.limited_by, by)
            if run.tenant then
                -- Later ones of its own go behind it, or they would overtake it.
                put(key('turns', run.queue), 0, in_turns(run))
            end
        elseif run.held then
            put(key('held', run.held_by), due, id)
            sadd(key('gates'), run.held_by)
        else
            put(SCHEDULED, due, id)
        end
    else
        -- Without an end it never gets old.
        put(BAD[state] and key('bad') or key('good'), tonumber(run.ended_at) or math.huge, id)
    end
    if run.expires_at and is_open and state ~= 'running' and (run.attempt or 0) == 0 then
        put(key('expiring'), tonumber(run.expires_at), id)
    end
    if is_open then
        count(COUNTS, state .. '/' .. run.queue, by)
        if run.concurrency_key and not run.waits_for then
            if put == zadd then
                sadd(key('holders', run.concurrency_key), id)
            else
                srem(key('holders', run.concurrency_key), id)
            end
        end
    end
    if run.batch then
        count(key('batch', run.batch), in_batch(run), by)
        put(key('batch-runs', run.batch), 0, id)
    end
    if run.round_id then
        local counts = key('round', run.round_id)
        count(counts, 'all', by)
        if is_open then
            count(counts, 'open', by)
        end
        if run.kind == nil then
            count(counts, 'is/' .. state, by)
        end
    end
end

-- Set fields of a run, and move it where it belongs now.
local function change(run, fields)
    if is_placed[run.id] then
        place(run, zrem, -1)
    end
    for name, value in pairs(fields) do
        if value == NONE then
            run[name] = nil
        else
            run[name] = value
        end
    end
    place(run, zadd, 1)
    is_placed[run.id], changed[run.id] = true, run
    if run.state == 'queued' then
        times_queued = times_queued + 1
    end
end

-- Return the next runs that come behind the request, as tables.
local n_given = 0

local function new_runs(n)
    local list = {}
    for i = 1, n do
        local text = ARGV[1 + n_given + i]
        local run = cmsgpack.unpack(text)
        list[i], new_heads[run] = run, new_head(pairs_of(text))
    end
    n_given = n_given + n
    return list
end

-- A run that is new. It stands nowhere until it is changed.
local function create(run)
    heads[run.id] = new_heads[run]
    runs[run.id], changed[run.id] = run, run
    zadd(IDS, 0, run.id)
    if run.round_id then
        zadd(key('round-runs', run.round_id), 0, run.id)
    end
    if run.parent then
        zadd(key('children', run.parent), 0, run.id)
    end
    if run.dedupe_key then
        hset(key('dedupe'), run.dedupe_key, run.id)
    end
    if run.schedule then
        local whose = pair(run.schedule, run.tenant and '=' .. run.tenant or '')
        local last = call('HGET', flush(key('last')), whose)
        if not last or last < run.id then
            hset(key('last'), whose, run.id)
        end
        if run.slot and run.kind == nil then
            zadd(key('slots', run.schedule), tonumber(run.slot), run.id)
        end
    end
end

local function delete(run)
    place(run, zrem, -1)
    hdel(home[run.id], run.id)
    zrem(IDS, 0, run.id)
    if run.round_id then
        zrem(key('round-runs', run.round_id), 0, run.id)
    end
    if run.parent then
        zrem(key('children', run.parent), 0, run.id)
    end
    if run.dedupe_key then
        hdel(key('dedupe'), run.dedupe_key)
    end
    if run.schedule and run.slot and run.kind == nil then
        zrem(key('slots', run.schedule), 0, run.id)
    end
    call('DEL', key('attempts', run.id))
    runs[run.id], changed[run.id] = false, nil
end

-- Write everything that was changed, and wake those who wait. Return the texts that were written, by id.
local function finish()
    local texts = {}
    for id, run in pairs(changed) do
        local where = FINAL[run.state] and ENDED or OPEN
        if home[id] and home[id] ~= where then
            local gone = list_of(home[id], 'HDEL')
            gone[#gone + 1] = id
        end
        texts[id] = record_of(heads[id], run)
        local set = list_of(where, 'HSET')
        set[#set + 1], set[#set + 2] = id, texts[id]
        home[id] = where
    end
    flush_all()
    if times_queued > 0 then
        call('PUBLISH', key('wake'), '1')
    end
    return texts
end

-- Sort as runs wait for their time or their concurrency key.
local function in_line(one, other)
    local due, others = tonumber(one.due_at), tonumber(other.due_at)
    if due ~= others then
        return due < others
    end
    return one.id < other.id
end

local function ids_of(list)
    local ids = {}
    for i, run in ipairs(list) do
        ids[i] = run.id
    end
    return ids
end

-- --- attempts ---

local WITHOUT_ATTEMPT = {
    owner = NONE, lease_until = NONE, claimed_at = NONE, started_at = NONE, ended_at = NONE, outcome = NONE,
    error = NONE, result = NONE, done = NONE, total = NONE,
}

local function without_attempt(fields)
    for name in pairs(WITHOUT_ATTEMPT) do
        if fields[name] == nil then
            fields[name] = NONE
        end
    end
    return fields
end

-- Record an attempt that did not end its run: its own fields of the run, and how it ended.
local function append_attempt(run, fields)
    local attempt = {
        run_id = run.id, token = run.token, owner = run.owner, claimed_at = run.claimed_at,
        started_at = run.started_at, ended_at = run.ended_at, outcome = run.outcome, error = run.error,
    }
    for name, value in pairs(fields or {}) do
        attempt[name] = value
    end
    call('RPUSH', key('attempts', run.id), pack(attempt))
end
