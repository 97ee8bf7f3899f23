-- uses: schedules
local stored = get_schedule(request.name)
if not stored or (request.expected_version and stored.version ~= request.expected_version) then
    return 0
end
call('HDEL', SCHEDULES, request.name)
call('ZREM', DUE, request.name)
tell(request.audit)
return 1
