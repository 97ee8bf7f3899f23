-- uses: records runs line rounds
local now, opened, unbound = request.now, {}, {}
for _, run in ipairs(named(request.ids)) do
    if FINAL[run.state] then
        reopen_round(run.round_id)
        if run.outcome then
            append_attempt(run)
        end
        local line = request.lines[run.id]
        local of = line and line[1] or run.concurrency_key
        change(run, without_attempt({
            state = 'scheduled', concurrency_key = of, waits_for = of, held_by = request.held_by or NONE,
            batch = (run.part and run.batch) or request.batch or NONE, due_at = line and line[2] or run.slot or now, attempt = NONE,
            lost_count = NONE, cancel_requested = NONE, expires_at = NONE, is_altered = true, reason = request.reason,
        }))
        opened[#opened + 1] = run
        if not of then
            unbound[#unbound + 1] = run
        end
    end
end
go_on(unbound, now)
free(opened, now)
if #opened > 0 then
    tell(request.audit)
end
finish()
return packed(ids_of(opened))
