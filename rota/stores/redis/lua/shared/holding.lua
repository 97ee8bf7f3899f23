-- Who holds which run.

-- Return the runs that are running under these tokens in the hands of this worker.
local function held_by(worker, held)
    local ids, tokens = {}, {}
    for i, pair_of in ipairs(held) do
        ids[i] = pair_of[1]
        tokens[pair_of[1]] = tokens[pair_of[1]] or {}
        tokens[pair_of[1]][pair_of[2]] = true
    end
    local found = {}
    for _, run in ipairs(named(ids)) do
        if run.state == 'running' and run.owner == worker and tokens[run.id][run.token] then
            found[#found + 1] = run
        end
    end
    return found
end
