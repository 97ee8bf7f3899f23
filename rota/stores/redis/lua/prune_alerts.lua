-- Forget deliveries that ended, and incidents that were closed, before an instant; answers how many incidents.
local below = string.format('(%.17g', request.before)

local function forget(id)
    local text = call('HGET', key('deliveries'), id)
    if text then
        call('ZREM', key('delivery-waiting', cmsgpack.unpack(text).channel), id)
    end
    call('HDEL', key('deliveries'), id)
    call('ZREM', key('delivery-ids'), id)
    call('ZREM', key('delivery-ends'), id)
end

for _, id in ipairs(call('ZRANGEBYSCORE', key('delivery-ends'), '-inf', below, 'LIMIT', 0, request.limit)) do
    forget(id)
end

local old = call('ZRANGEBYSCORE', key('incident-ends'), '-inf', below, 'LIMIT', 0, request.limit)
local is_old = as_set(old)
for _, id in ipairs(old) do
    call('HDEL', key('incidents'), id)
    call('DEL', key('incident-members', id))
    call('ZREM', key('incident-ids'), id)
    call('ZREM', key('incident-looks'), id)
    call('ZREM', key('incident-ends'), id)
end
if #old > 0 then
    for _, id in ipairs(call('HKEYS', key('deliveries'))) do
        if is_old[cmsgpack.unpack(call('HGET', key('deliveries'), id)).incident] then
            forget(id)
        end
    end
end
return #old
