-- uses: records runs holding
begin_small()
local released = held_by(request.worker, request.held)
for _, run in ipairs(released) do
    if run.started_at then
        append_attempt(run, {outcome = 'interrupted', ended_at = request.now})
    end
    change(run, without_attempt({state = 'queued', attempt = run.attempt - 1}))
end
finish()
return packed(ids_of(released))
