-- uses: records runs rounds
local round = get_round(request.id)
if not round or round.ended_at or is_busy(request.id) then
    return 0
end
round.state, round.reason, round.counts = request.state, request.reason, request.counts
round.ended_at = request.ended_at
put_round(round)
return 1
