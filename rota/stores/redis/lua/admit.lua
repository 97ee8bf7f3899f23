-- uses: records runs line
-- How many runs of the batch have a place: those at a gate that comes before that of the batch have none.
local function n_out()
    local n, before, counts = 0, as_set(request.before), call('HGETALL', key('batch', request.gate))
    for i = 1, #counts, 2 do
        local where, many = counts[i], tonumber(counts[i + 1])
        local gate = string.match(where, '^held/(.*)$')
        if where == 'queued' or where == 'running' or where == 'retry' then
            n = n + many
        elseif gate and gate ~= request.gate and not before[string.match(gate, '^[^/]*')] then
            n = n + many
        end
    end
    return n
end

local limit = request.limit
if request.places then
    limit = math.min(limit, math.max(request.places - n_out(), 0))
end
local held = {}
if request.ids then
    for _, run in ipairs(named(request.ids)) do
        if run.held and run.held_by == request.gate then
            held[#held + 1] = run
        end
    end
    table.sort(held, in_line)
elseif limit > 0 then
    held = named(call('ZRANGE', key('held', request.gate), 0, limit - 1))
end
local admitted = {}
for _, run in ipairs(held) do
    if #admitted < limit then
        admitted[#admitted + 1] = run
    end
end
begin_small()
if request.to then
    for _, run in ipairs(admitted) do
        hold(run, request.to)
    end
else
    enqueue(admitted)
end
finish()
return packed(ids_of(admitted))
