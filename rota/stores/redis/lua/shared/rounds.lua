-- Rounds: one msgpack map each in the hash `rounds`, at most one per schedule and slot.

local ROUNDS = key('rounds')

local function round_slot(round)
    return round.schedule and round.slot and pair(round.schedule, tostring(round.slot))
end

local function get_round(id)
    local text = id and call('HGET', ROUNDS, id)
    return text and cmsgpack.unpack(text)
end

local function put_round(round)
    call('HSET', ROUNDS, round.id, pack(round))
    if round.ended_at then
        call('ZREM', key('rounds-open'), round.id)
        call('ZADD', key('rounds-ended'), tonumber(round.ended_at), round.id)
    else
        call('ZREM', key('rounds-ended'), round.id)
        call('ZADD', key('rounds-open'), 0, round.id)
    end
end

-- Record a round, unless it or one of its slot is there; return whether it is new.
local function add_round(round)
    local slot = round_slot(round)
    if call('HEXISTS', ROUNDS, round.id) == 1 or (slot and call('HEXISTS', key('round-slots'), slot) == 1) then
        return false
    end
    put_round(round)
    call('ZADD', key('round-ids'), 0, round.id)
    if slot then
        call('HSET', key('round-slots'), slot, round.id)
    end
    return true
end

local function expand_round(id, expected)
    local round = get_round(id)
    if round then
        round.expanded, round.expected = true, expected
        put_round(round)
    end
end

-- Take the sum of a round back: a run of it is open again.
local function reopen_round(id)
    local round = get_round(id)
    if round and (round.ended_at or round.state or round.counts) then
        round.state, round.counts, round.ended_at = nil, nil, nil
        put_round(round)
    end
end

local function is_busy(id)
    return call('HEXISTS', flush(key('round', id)), 'open') == 1
end
