-- The logs of runs: chunks in a hash per run, their places (token, number) in a sorted set beside it, and one sorted
-- set of all chunks by the time they were written.

local LOG_TIMES = key('log-times')

local function chunk_place(token, number)
    return struct.pack('>d', token) .. struct.pack('>I4', number)
end

local function delete_chunk(run_id, at)
    call('ZREM', LOG_TIMES, at .. run_id)
    call('ZREM', key('log-places', run_id), at)
    call('HDEL', key('log', run_id), at)
end

-- Delete what the note drops, then keep its chunks that are not there already.
local function take_note(note, now)
    local places, log = key('log-places', note.run_id), key('log', note.run_id)
    if note.drop then
        local first, last = chunk_place(note.token, note.drop[1]), chunk_place(note.token, note.drop[2])
        for _, at in ipairs(call('ZRANGEBYLEX', places, '[' .. first, '(' .. last)) do
            delete_chunk(note.run_id, at)
        end
    end
    for _, chunk in ipairs(note.chunks or {}) do
        local at = chunk_place(chunk[1], chunk[2])
        if call('HSETNX', log, at, chunk[3]) == 1 then
            call('ZADD', places, 0, at)
            call('ZADD', LOG_TIMES, tonumber(now), at .. note.run_id)
        end
    end
end

local function delete_log(run_id)
    local places = key('log-places', run_id)
    for _, at in ipairs(call('ZRANGE', places, 0, -1)) do
        call('ZREM', LOG_TIMES, at .. run_id)
    end
    call('DEL', places, key('log', run_id))
end
