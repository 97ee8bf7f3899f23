-- uses: progress
local schedule, tenant = request.progress.schedule, request.progress.tenant or ''
if not is_as_expected(get_progress(schedule, tenant), request.expected) then
    return 0
end
put_progress(request.progress)
mark_pair(schedule, tenant, request.progress.last_success)
tell(request.audit)
return 1
