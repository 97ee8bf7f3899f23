-- uses: records runs holding
begin_small()
local held, stop = {}, {}
for _, run in ipairs(held_by(request.worker, request.held)) do
    change(run, {lease_until = request.now + request.lease})
    held[#held + 1] = run.id
    if run.cancel_requested then
        stop[#stop + 1] = run.id
    end
end
finish()
local known = call('HGET', key('workers'), request.worker)
if known then
    local worker = cmsgpack.unpack(known)
    worker.last_seen, worker.stamps = request.now, request.stamps
    call('HSET', key('workers'), request.worker, pack(worker))
end
local time = call('TIME')
return array({packed(held), packed(stop), pack(time[1] * 1000000 + time[2])})
