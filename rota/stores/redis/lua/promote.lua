-- uses: records runs line
local now = tonumber(request.now)
local ids = call('ZRANGEBYSCORE', SCHEDULED, '-inf', now, 'LIMIT', 0, request.limit)
if #ids == 0 then
    return 0
end
begin_small()
local due = {}
for _, run in ipairs(named(ids)) do
    if run.state == 'scheduled' and not run.waits_for and not run.held then
        due[#due + 1] = run
    else
        zrem(SCHEDULED, 0, run.id)
    end
end
go_on(due, now)
finish()
return #due
