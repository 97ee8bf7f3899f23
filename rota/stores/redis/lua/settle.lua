-- uses: runs line rounds progress limits claiming errors settling
begin_small()
local ids, applied = {}, {}
for i, settlement in ipairs(request.settlements) do
    ids[i] = settlement.id
end
fetch(ids)
for _, settlement in ipairs(request.settlements) do
    if settle(settlement, request.now) then
        applied[#applied + 1] = settlement.id
    end
end
local chosen = request.claim and claim(request.claim, request.now) or {}
return array({packed(applied), claimed_runs(chosen, finish())})
