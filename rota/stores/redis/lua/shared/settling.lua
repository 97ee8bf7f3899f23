-- What became of attempts.

-- Whether an earlier try of the same call has applied this settlement. If not, it comes too late.
local function was_applied(run, settlement)
    local own = run.claimed_at and run.token == settlement.token and run
    local name = key('attempts', run.id)
    local recorded, at = own, nil
    for i, text in ipairs(call('LRANGE', name, 0, -1)) do
        local attempt = cmsgpack.unpack(text)
        if attempt.token == settlement.token then
            recorded, at = attempt, i - 1
            break
        end
    end
    if not recorded then
        return false
    end
    if recorded.outcome == settlement.outcome and recorded.ended_at == settlement.ended_at then
        return true
    end
    if recorded.outcome == 'lost' and settlement.outcome ~= 'lost' then
        recorded.outcome = 'superseded'
        if at then
            call('LSET', name, at, pack(recorded))
        else
            change(run, {outcome = 'superseded'})
        end
    end
    return false
end

-- What is the same of plain runs that were claimed together, by its bytes: what it says, and what stays of it at the end.
local same_of, plain = {}, nil

local function said_by(same, n)
    local found = same_of[same]
    if not found then
        found = cmsgpack.unpack(map_of(n, same))
        found.n, found.stays = pairs_of(pack({token = found.token, owner = found.owner, claimed_at = found.claimed_at}))
        same_of[same] = found
    end
    return found
end

-- Apply a settlement that ends a plain run by its bytes; return whether it was one.
local function settle_plain(one, text, n, fields)
    local last = struct.unpack('>I4', text, 7)
    if string.sub(text, last + 1, last + #RUNNING_PLAIN) ~= RUNNING_PLAIN then
        return false
    end
    local n_head = struct.unpack('>I2', text, 14) + 2
    local said = said_by(string.sub(text, last + 1, -TURN_SIZE - 1), struct.unpack('>I2', text, 2) - n_head - 1)
    if said.token ~= one.token or (one.lease_until and one.lease_until ~= said.lease_until) then
        return false
    end
    local id, set, gone, leases = one.id, plain.set, plain.gone, plain.leases
    set[#set + 1], set[#set + 2] = id, map_head(n_head + n + said.n + 1) .. string.sub(text, 4, last) .. fields .. said.stays
        .. string.sub(text, -TURN_SIZE)
    gone[#gone + 1], leases[#leases + 1] = id, id
    local over = BAD[one.state] and plain.bad or plain.good
    over[#over + 1], over[#over + 2] = one.score or score_of(one.ended_at), id
    plain.queues[said.queue] = (plain.queues[said.queue] or 0) + 1
    return true
end

-- Begin to collect what is written of plain runs.
local function begin_plain()
    plain = {
        set = list_of(ENDED, 'HSET'), gone = list_of(OPEN, 'HDEL'), leases = list_of(LEASES, 'ZREM'),
        bad = list_of(key('bad'), 'ZADD'), good = list_of(key('good'), 'ZADD'), queues = {},
    }
end

local function end_plain()
    for queue, n in pairs(plain.queues) do
        count(COUNTS, 'running/' .. queue, -n)
    end
end

-- Apply one settlement, of whose end these are the pairs, and say whether it is applied now.
local function settle(one, text, n, pairs_, now)
    -- Twice in one call, or touched by another settlement: as it is now, not as it was read.
    local is_simple = text and runs[one.id] == nil and FINAL[one.state] and not one.met and not one.signal and not one.is_expanded
    if is_simple and settle_plain(one, text, n, pairs_) then
        return true
    end
    local settlement = cmsgpack.unpack(map_of(n, pairs_))
    for _, name in ipairs({'id', 'token', 'lease_until', 'met', 'signal', 'is_expanded', 'expanded'}) do
        settlement[name] = one[name]
    end
    local run = get(one.id)
    if not run then
        return false
    end
    local lease_moved = settlement.lease_until and settlement.lease_until ~= run.lease_until
    if run.state ~= 'running' or run.token ~= settlement.token or lease_moved then
        return was_applied(run, settlement)
    end
    local is_final = FINAL[settlement.state]
    local fields = {
        state = settlement.state,
        -- One that was asked to stop while it ran does not wait for an attempt that never begins.
        due_at = is_final and run.due_at or run.cancel_requested and settlement.ended_at or settlement.due_at,
        attempt = settlement.attempt or NONE,
        lost_count = settlement.lost_count or NONE,
        reason = settlement.reason,
        lease_until = NONE,
    }
    local attempt = {
        started_at = settlement.started_at, ended_at = settlement.ended_at, outcome = settlement.outcome,
        error = settlement.error,
    }
    if is_final then
        for _, name in ipairs({'started_at', 'ended_at', 'outcome', 'error'}) do
            fields[name] = attempt[name] or NONE
        end
        fields.result = settlement.result or NONE
        change(run, fields)
        move_progress(run, one.expected)
        free({run}, now)
    else
        run.started_at, run.error = nil, nil
        append_attempt(run, attempt)
        change(run, without_attempt(fields))
    end
    if settlement.is_expanded then
        expand_round(run.round_id, settlement.expanded)
    end
    if settlement.met then
        count_error(run, settlement)
    end
    if settlement.signal then
        call('HSET', key('signals'), settlement.signal[1], settlement.signal[2])
    end
    return true
end

-- Apply settlements whose ends come behind the request, and return the ids of those that are applied.
local function settle_each(settlements, now)
    local ids, applied, is_named = {}, {}, {}
    for i, settlement in ipairs(settlements) do
        ids[i] = settlement.id
    end
    local texts = values_of('HMGET', OPEN, ids)
    begin_plain()
    for i, settlement in ipairs(settlements) do
        -- Named twice in a call: as the first one left it.
        if is_named[settlement.id] then
            flush(OPEN)
            flush(ENDED)
            end_plain()
            begin_plain()
        end
        local n, pairs_ = pairs_of(ARGV[1 + i])
        if settle(settlement, not is_named[settlement.id] and texts[i], n, pairs_, now) then
            applied[#applied + 1] = settlement.id
        end
        is_named[settlement.id] = true
    end
    end_plain()
    return applied
end

local STARTED_AT = '\170started_at'

-- The same for runs that succeeded at their first attempt and say nothing: all of their ends but the start is `end_text`.
local function settle_alike(alike, end_text, now)
    local applied = {}
    local n, same = pairs_of(end_text)
    local one = {state = 'succeeded', ended_at = alike.ended_at, score = score_of(alike.ended_at)}
    local texts = values_of('HMGET', OPEN, alike.ids)
    begin_plain()
    for i, id in ipairs(alike.ids) do
        one.id, one.token = id, alike.tokens[i]
        if settle(one, texts[i], n + 1, same .. STARTED_AT .. pack(alike.began[i]), now) then
            applied[#applied + 1] = id
        end
    end
    end_plain()
    return applied
end
