-- Errors by job and fingerprint (R38): one msgpack map each in the hash `errors`, and how often each tenant met it.

local ERRORS, ERROR_TIMES = key('errors'), key('error-times')

-- Count what an attempt met; it is counted when it is applied, and never again.
local function count_error(run, settlement)
    local met, at = settlement.met, settlement.ended_at
    local name = pair(run.job, met.fingerprint)
    local text = call('HGET', ERRORS, name)
    local record = text and cmsgpack.unpack(text)
        or {job = run.job, fingerprint = met.fingerprint, type = met.type, first_at = at, last_at = at, number = 0}
    record.number = record.number + 1
    if tonumber(at) < tonumber(record.first_at) then
        record.first_at = at
    end
    if tonumber(at) >= tonumber(record.last_at) then
        record.message, record.place, record.last_at, record.last_run_id = met.message, met.place, at, run.id
    end
    call('HSET', ERRORS, name, pack(record))
    call('ZADD', ERROR_TIMES, tonumber(record.last_at), name)
    if run.tenant then
        -- Counted downwards: the order is by number, then by name.
        call('ZINCRBY', key('error-tenants', name), -1, run.tenant)
    end
end

-- Forget up to `limit` errors that nobody met since, longest ago first.
local function forget_errors(before, limit)
    local names = call('ZRANGEBYSCORE', ERROR_TIMES, '-inf', string.format('(%.17g', before), 'LIMIT', 0, limit)
    for _, name in ipairs(names) do
        call('ZREM', ERROR_TIMES, name)
        call('HDEL', ERRORS, name)
        call('DEL', key('error-tenants', name))
    end
end
