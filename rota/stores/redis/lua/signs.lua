-- uses: records runs rounds schedules
-- Of what there is something to do: a few probes, whatever the store holds.
local found, now = {}, tonumber(request.now)

local function show(sign, is_there)
    if is_there then
        found[#found + 1] = sign
    end
end

local function is_due(name)
    return #call('ZRANGEBYSCORE', name, '-inf', now, 'LIMIT', 0, 1) > 0
end

local function is_any_queued()
    for _, field in ipairs(call('HKEYS', COUNTS)) do
        if string.sub(field, 1, 7) == 'queued/' then
            return true
        end
    end
    return false
end

show('run_queued', is_any_queued())
show('run_due', is_due(SCHEDULED) or is_due(key('expiring')) or call('HEXISTS', COUNTS, 'waiting') == 1)
show('run_held', call('SCARD', key('gates')) > 0)
show('run_aside', call('HLEN', LIMITED) > 0)
show('round_over', call('ZCARD', key('rounds-open')) > 0)
show('slot_due', is_due(DUE))
show('control', call('HLEN', key('controls')) > 0)
show('alert_waiting', call('HLEN', key('deliveries')) > call('ZCARD', key('delivery-ends')))
return packed(found)
