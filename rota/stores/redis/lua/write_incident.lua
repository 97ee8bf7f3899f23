-- Write an incident over the version that was read, with its members and deliveries, and take the signals that it is made
-- of: all or nothing. Answers whether it did.
local INCIDENTS, KEYS_OF = key('incidents'), key('incident-keys')
local id, record = request.id, request.record

local text = call('HGET', INCIDENTS, id)
local stored = text and cmsgpack.unpack(text)
if (stored and stored.version or nil) ~= request.expected_version then
    return 0
end
local holder = record.key and call('HGET', KEYS_OF, record.key)
if holder and holder ~= id then
    return 0
end
for _, signal in ipairs(request.taken) do
    if call('HEXISTS', key('signals'), signal) == 0 then
        return 0
    end
end

if stored and stored.key and stored.key ~= record.key then
    call('HDEL', KEYS_OF, stored.key)
end
if record.key then
    call('HSET', KEYS_OF, record.key, id)
end
call('HSET', INCIDENTS, id, pack(record))
call('ZADD', key('incident-ids'), 0, id)
if record.look_at then
    call('ZADD', key('incident-looks'), tonumber(record.look_at), id)
else
    call('ZREM', key('incident-looks'), id)
end
if record.closed_at and not record.key then
    call('ZADD', key('incident-ends'), tonumber(record.closed_at), id)
else
    call('ZREM', key('incident-ends'), id)
end
in_parts('HDEL', key('signals'), request.taken, 1)
in_parts('HSET', key('incident-members', id), request.members, 2)
for _, delivery in ipairs(request.deliveries) do
    call('HSET', key('deliveries'), delivery.id, pack(delivery))
    call('ZADD', key('delivery-ids'), 0, delivery.id)
    call('ZADD', key('delivery-waiting', delivery.channel), 0, delivery.id)
end
tell(request.audit)
return 1
