-- uses: records runs line
begin_small()
local skipped = {}
for _, run in ipairs(named(request.ids)) do
    if run.state == 'scheduled' and run.held_by then
        change(run, ended('skipped', request.reason, request.now))
        skipped[#skipped + 1] = run
    end
end
-- After the last one: a run of the same key that is skipped too must not go on in between.
free(skipped, request.now)
finish()
return packed(ids_of(skipped))
