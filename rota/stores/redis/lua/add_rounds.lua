-- uses: records runs line rounds
local added, is_new = {}, {}
for _, round in ipairs(request.rounds) do
    if add_round(round) then
        added[#added + 1], is_new[round.id] = round.id, true
    end
end
for _, round in ipairs(request.rounds) do
    if round.expanded and not is_new[round.id] then
        expand_round(round.id, round.expected)
    end
end
local given = new_runs(request.runs)
local accepted = as_set(accept(given, request.now))
for _, run in ipairs(given) do
    if accepted[run.id] then
        reopen_round(run.round_id)
    end
end
if #added > 0 then
    for _, entry in ipairs(request.audit) do
        tell(entry)
    end
end
finish()
return packed(added)
