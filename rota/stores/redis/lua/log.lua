-- uses: records runs logs
if not get(request.run_id) then
    return false
end
local from = request.after and '(' .. chunk_place(request.after[1], request.after[2]) or '-'
local places = call('ZRANGEBYLEX', key('log-places', request.run_id), from, '+', 'LIMIT', 0, request.limit)
return packed(values_of('HMGET', key('log', request.run_id), places))
