-- Whether as many runs stand in the sets of their state as are counted in it, and the numbers themselves.
local counted = {queued = 0, running = 0, scheduled = 0}
local standing = {queued = 0, running = call('ZCARD', key('leases')), scheduled = call('ZCARD', key('scheduled'))}
local counts = call('HGETALL', key('counts'))
local is_whole = true
for i = 1, #counts, 2 do
    local state, queue = string.match(counts[i], '^(%a+)/(.*)$')
    if state then
        counted[state] = counted[state] + tonumber(counts[i + 1])
        if state == 'queued' then
            local n = call('ZCARD', key('queue', queue))
            standing.queued = standing.queued + n
            is_whole = is_whole and n == tonumber(counts[i + 1])
        end
    end
end
for _, gate in ipairs(call('SMEMBERS', key('gates'))) do
    standing.scheduled = standing.scheduled + call('ZCARD', key('held', gate))
end
for _, of in ipairs(call('SMEMBERS', key('waited'))) do
    standing.scheduled = standing.scheduled + call('ZCARD', key('waiting', of))
end
for _, number in ipairs(call('HVALS', key('limited'))) do
    standing.scheduled = standing.scheduled + tonumber(number)
end
local numbers = {call('HLEN', key('open'))}
local all = 0
for _, state in ipairs({'queued', 'running', 'scheduled'}) do
    numbers[#numbers + 1], numbers[#numbers + 2] = counted[state], standing[state]
    is_whole = is_whole and counted[state] == standing[state]
    all = all + counted[state]
end
return array({pack(is_whole and all == numbers[1]), packed(numbers)})
