-- uses: records runs progress limits claiming
begin_small()
local chosen = claim(request, request.now)
return claimed_runs(chosen, finish())
