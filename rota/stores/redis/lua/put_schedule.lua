-- uses: schedules
local stored = get_schedule(request.name)
local is_expected = (stored and stored.version or nil) == request.expected_version
if not is_expected or (stored and request.expected_cursor and stored.cursor ~= request.expected_cursor) then
    return 0
end
put_schedule(request.name, request.schedule)
tell(request.audit)
return 1
