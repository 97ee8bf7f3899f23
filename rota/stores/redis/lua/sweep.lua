-- uses: records runs
-- Go through a part of the open runs, and enter those in the sets that stand in none.
begin_small()
local answer = call('HSCAN', OPEN, request.cursor, 'COUNT', request.count)

local function stands(run)
    if run.state == 'queued' then
        return call('ZSCORE', key('queue', run.queue), in_queue(run))
    elseif run.state == 'running' then
        return call('ZSCORE', LEASES, run.id)
    elseif run.waits_for then
        return call('ZSCORE', key('waiting', run.waits_for), run.id)
    elseif run.limited_by then
        return call('ZSCORE', aside_for(run.limited_by, run.queue), in_queue(run))
    elseif run.held then
        return call('ZSCORE', key('held', run.held_by), run.id)
    end
    return call('ZSCORE', SCHEDULED, run.id)
end

local mended = 0
for i = 1, #answer[2], 2 do
    local run = cmsgpack.unpack(answer[2][i + 1])
    if not stands(run) then
        mended = mended + 1
        if run.state == 'queued' then
            times_queued = times_queued + 1
        end
        -- Its counters are right, or were taken along: only the sets are mended.
        place(run, zadd, 0)
    end
end
finish()
return array({pack(answer[1]), pack(mended)})
