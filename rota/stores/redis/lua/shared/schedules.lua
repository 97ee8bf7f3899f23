-- Schedules: one msgpack map each in the hash `schedules`: what a script decides on, and the rest as one text.

local SCHEDULES, DUE = key('schedules'), key('due')

local function get_schedule(name)
    local text = call('HGET', SCHEDULES, name)
    return text and cmsgpack.unpack(text)
end

local function put_schedule(name, schedule)
    call('HSET', SCHEDULES, name, pack(schedule))
    if schedule.is_active and schedule.next_at then
        call('ZADD', DUE, tonumber(schedule.next_at), name)
    else
        call('ZREM', DUE, name)
    end
end
