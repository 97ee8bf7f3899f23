-- uses: records runs
-- What limits are counted from: the runs that are running, those aside, and the starts that are noted.
local running, aside, starts = {}, {}, {}
for i, run in ipairs(named(call('ZRANGE', LEASES, 0, -1))) do
    running[#running + 1] = pack({
        kind = run.kind, job = run.job, queue = run.queue, tenant = run.tenant, key = run.limit_key, host = run.host,
    })
end
local counts = call('HGETALL', LIMITED)
for i = 1, #counts, 2 do
    aside[#aside + 1] = array({pack(counts[i]), pack(tonumber(counts[i + 1]))})
end
local names = {}
if request.only_aside then
    for i = 1, #counts, 2 do
        names[#names + 1] = counts[i]
    end
else
    names = call('ZRANGE', key('started-until'), 0, -1)
end
for _, name in ipairs(names) do
    local noted = call('HGETALL', key('starts', name))
    for i = 1, #noted, 2 do
        starts[#starts + 1] = array({pack(name), pack(tonumber(noted[i])), pack(tonumber(noted[i + 1]))})
    end
end
return array({array(running), array(aside), array(starts)})
