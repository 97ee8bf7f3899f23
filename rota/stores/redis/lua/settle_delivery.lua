-- Write what became of a delivery, while it waits under this token. Answers whether it did.
local text = call('HGET', key('deliveries'), request.id)
local delivery = text and cmsgpack.unpack(text)
if not delivery or delivery.state ~= 'waiting' or delivery.token ~= request.token then
    return 0
end
delivery.state, delivery.due_at, delivery.error = request.state, request.due_at, request.error
delivery.ended_at = request.ended_at
call('HSET', key('deliveries'), request.id, pack(delivery))
if request.state ~= 'waiting' then
    call('ZREM', key('delivery-waiting', delivery.channel), request.id)
    call('ZADD', key('delivery-ends'), tonumber(request.ended_at), request.id)
end
return 1
