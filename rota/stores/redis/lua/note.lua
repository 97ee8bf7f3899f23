-- uses: records runs logs
begin_small()
for _, note in ipairs(request.notes) do
    local run = get(note.run_id)
    if run then
        if note.done and run.claimed_at and run.token == note.token then
            change(run, {done = note.done, total = note.total or NONE})
        end
        take_note(note, request.now)
    end
end
finish()
return 0
