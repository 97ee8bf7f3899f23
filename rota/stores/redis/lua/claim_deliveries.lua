-- Claim deliveries to a channel that are due, in the order of their ids; of each incident only the first that waits.
local begun, claimed = {}, {}
for _, id in ipairs(call('ZRANGE', key('delivery-waiting', request.channel), 0, -1)) do
    if #claimed >= request.limit then
        break
    end
    local delivery = cmsgpack.unpack(call('HGET', key('deliveries'), id))
    if not begun[delivery.incident] and tonumber(delivery.due_at) <= request.now then
        delivery.due_at = request.until_at
        delivery.attempt, delivery.token = delivery.attempt + 1, delivery.token + 1
        call('HSET', key('deliveries'), id, pack(delivery))
        claimed[#claimed + 1] = delivery
    end
    begun[delivery.incident] = true
end
return packed(claimed)
