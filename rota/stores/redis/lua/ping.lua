-- uses: progress
-- Keep what a script outside of Rota said, and move the progress of its name; return 1 where it is new.
local ping = request.ping
if call('HSETNX', key('pings'), ping.id, ping.text) == 0 then
    return 0
end
call('ZADD', key('ping-ids', ping.name), 0, ping.id)
call('ZADD', key('pings-at'), tonumber(ping.at), ping.id)
if request.ended then
    local progress, is_newer = get_progress(request.schedule, '') or {schedule = request.schedule}, false
    progress.last_state, progress.last_ended_at = request.ended, ping.at
    if request.ended == 'failed' then
        progress.failures = (progress.failures or 0) + 1
    else
        progress.failures = nil
        local last = progress.last_success
        is_newer = request.slot and (not last or tonumber(request.slot) > tonumber(last))
    end
    if is_newer then
        progress.last_success, progress.last_success_at = request.slot, ping.at
        prove_pair(request.schedule, '', request.slot, ping.at, request.expected)
    else
        local one = get_pair(request.schedule, '')
        if one then
            one.look_at = one.state ~= 'paused' and ping.at or nil
            put_pair(one)
        end
    end
    put_progress(progress)
end
return 1
