-- uses: records runs line rounds progress limits claiming errors settling
begin_small()
local ids, applied, is_named = {}, {}, {}
for i, settlement in ipairs(request.settlements) do
    ids[i] = settlement.id
end
local texts = values_of('HMGET', OPEN, ids)
begin_plain()
for i, settlement in ipairs(request.settlements) do
    -- Named twice in a call: as the first one left it.
    if is_named[settlement.id] then
        flush(OPEN)
        flush(ENDED)
        end_plain()
        begin_plain()
    end
    if settle(settlement, not is_named[settlement.id] and texts[i], ARGV[1 + i], request.now) then
        applied[#applied + 1] = settlement.id
    end
    is_named[settlement.id] = true
end
end_plain()
local chosen = request.claim and claim(request.claim, request.now) or {}
return array({packed(applied), claimed_runs(chosen, finish())})
