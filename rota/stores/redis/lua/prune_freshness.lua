-- Forget flips and pings that are old; return how many.
local function old(name, before)
    return call('ZRANGEBYSCORE', key(name), '-inf', string.format('(%.17g', before), 'LIMIT', 0, request.limit)
end

local flips = old('flips-at', request.flips_before)
for _, id in ipairs(flips) do
    local flip = cjson.decode(call('HGET', key('flips'), id))
    call('HDEL', key('flips'), id)
    call('ZREM', key('flip-ids'), id)
    call('ZREM', key('flip-ids', flip.schedule), id)
    call('ZREM', key('flips-at'), id)
end
local pings = old('pings-at', request.pings_before)
for _, id in ipairs(pings) do
    local ping = cjson.decode(call('HGET', key('pings'), id))
    call('HDEL', key('pings'), id)
    call('ZREM', key('ping-ids', ping.name), id)
    call('ZREM', key('pings-at'), id)
end
return #flips + #pings
