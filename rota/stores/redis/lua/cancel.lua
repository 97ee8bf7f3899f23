-- uses: records runs line
begin_small()
local meant = {}
local before = request.behind and get(request.behind)
if not request.behind or (before and FINAL[before.state] and before.state ~= 'succeeded') then
    for _, run in ipairs(named(request.ids)) do
        if not request.held_by or (run.state == 'scheduled' and run.held_by == request.held_by) then
            meant[#meant + 1] = run
        end
    end
end
local stopped = stop(meant, request.reason, request.now)
-- After the last one: a run of the same key that is cancelled too must not go on in between.
free(stopped, request.now)
if #stopped > 0 then
    tell(request.audit)
end
finish()
return packed(ids_of(stopped))
