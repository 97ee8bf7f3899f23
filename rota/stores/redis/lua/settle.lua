-- uses: records runs line rounds progress limits claiming errors settling
begin_small()
local applied, n
if request.alike then
    applied, n = settle_alike(request.alike, ARGV[2], request.now), #request.alike.ids
else
    applied, n = settle_each(request.settlements, request.now), #request.settlements
end
local chosen = request.claim and claim(request.claim, request.now) or {}
-- Mostly all of them, which is said by nothing.
return array({#applied == n and '\192' or packed(applied), claimed_runs(chosen, finish())})
