-- uses: records runs line rounds
-- Do what was decided of names, if they are still as they were then; return whether.
local now = request.now
for i, text in ipairs(values_of('HMGET', key('uniques'), request.names)) do
    local seen = request.seen[i]
    local given = text and cmsgpack.unpack(text)
    local run = given and get(given.run_id)
    if (given and given.run_id or false) ~= (seen and seen.run_id) then
        return 0
    end
    if given and (((run and run.state) or false) ~= seen.state or (run and run.attempt or 0) ~= seen.attempt) then
        return 0
    end
end
for _, given in ipairs(request.given) do
    if get(given[2].run_id) then
        return 0
    end
end
local replaced = stop(named(request.replaced), 'unique: a later run takes its place', now)
free(replaced, now)
for _, round in ipairs(request.rounds) do
    add_round(round)
end
accept(new_runs(request.runs), now)
for _, given in ipairs(request.given) do
    hset(key('uniques'), given[1], pack(given[2]))
    zadd(key('unique-times'), now, given[1])
end
tell(request.audit)
finish()
return 1
