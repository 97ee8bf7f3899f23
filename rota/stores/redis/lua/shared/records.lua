-- What a run is written as: one msgpack map. Its head is what it was when it was accepted, and is never written anew; behind
-- that stands what has changed since, with the same names, and the later one counts. So that the head can be found and taken
-- as it is, the map begins with where it ends and how many pairs it has.
--
-- Nearly all runs are plain: they share no key, batch, round or schedule with others, and do not expire. What has changed of
-- a plain run is bytes that are the same for a whole batch, but for its turn: those are neither read nor made run by run.

-- The first pairs, `b`: where the head ends, and `n`: how many pairs it has, take 15 bytes with the beginning of the map.
local FIRST = 15
local PLAIN = '\161p\195'
local QUEUED_PLAIN = PLAIN .. '\165state\166queued\164turn\203'
local RUNNING_PLAIN = PLAIN .. '\165state\167running'
-- A turn and its name: the last of what has changed of a plain run.
local TURN = '\164turn\203'
local TURN_SIZE = 14

local CHANGES = {
    'waits_for', 'held', 'limited_by', 'owner', 'lease_until', 'claimed_at', 'started_at', 'ended_at', 'outcome', 'error',
    'result', 'done', 'total', 'is_altered',
}
-- What the head may have and a run may lose.
local MAY_GO = {'reason', 'expires_at', 'concurrency_key', 'held_by', 'batch'}
local MAY_GO_AT_END = {
    'owner', 'lease_until', 'claimed_at', 'started_at', 'ended_at', 'outcome', 'error', 'result', 'done', 'total',
}

-- What begins a map of so many pairs.
local map_heads = {}

local function map_head(n)
    local head = map_heads[n]
    if not head then
        head = '\222' .. struct.pack('>I2', n)
        map_heads[n] = head
    end
    return head
end

-- Return pairs as a map.
local function map_of(n, pairs_)
    return map_head(n) .. pairs_
end

-- Return how many pairs a packed table has, and its pairs.
local function pairs_of(text)
    local first = string.byte(text)
    if first < 144 then
        return first - 128, string.sub(text, 2)
    end
    return struct.unpack('>I2', text, 2), string.sub(text, 4)
end

local function new_head(n, pairs_)
    return {n = n + 2, text = '\161b\206' .. struct.pack('>I4', FIRST + #pairs_) .. '\161n\205' .. struct.pack('>I2', n) .. pairs_}
end

local function head_of(text)
    local last = struct.unpack('>I4', text, 7)
    return {n = struct.unpack('>I2', text, 14) + 2, text = string.sub(text, 4, last)}
end

local function with_changes(head, n, changes)
    return map_of(head.n + n, head.text .. changes)
end

local function is_plain(run)
    return run.kind == nil and not (run.concurrency_key or run.batch or run.round_id or run.schedule or run.expires_at)
end

local function is_untouched(run)
    return (run.attempt or 0) == 0 and (run.token or 0) == 0 and (run.lost_count or 0) == 0
        and not run.is_altered and not run.cancel_requested
end

-- Return the record of a run: its head, and everything that may have changed.
local function record_of(head, run)
    if run.state == 'queued' and is_plain(run) and is_untouched(run) then
        return with_changes(head, 3, QUEUED_PLAIN .. struct.pack('>d', run.turn or 0))
    end
    local changes = {
        state = run.state, due_at = run.due_at, turn = run.turn or 0, attempt = run.attempt or 0, token = run.token or 0,
        lost_count = run.lost_count or 0, cancel_requested = run.cancel_requested or false,
    }
    for _, name in ipairs(CHANGES) do
        changes[name] = run[name]
    end
    for _, name in ipairs(MAY_GO) do
        changes[name] = run[name]
    end
    local n, text = pairs_of(pack(changes))
    local parts = {text}
    for _, names in ipairs({MAY_GO, run.is_ended_from_start and MAY_GO_AT_END or {}}) do
        for _, name in ipairs(names) do
            if run[name] == nil then
                n = n + 1
                parts[#parts + 1] = pack(name) .. '\192'
            end
        end
    end
    return with_changes(head, n, table.concat(parts))
end
