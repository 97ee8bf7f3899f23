-- uses: records runs
-- A run with the attempts that did not end it. A unique prefix will do for its id.
local run = get(request.id)
if not run and request.is_prefix then
    local alike = call('ZRANGEBYLEX', IDS, '[' .. request.id, '(' .. request.id .. '\255', 'LIMIT', 0, 2)
    run = #alike == 1 and get(alike[1])
end
if not run then
    return false
end
return array({pack(run), array(call('LRANGE', key('attempts', run.id), 0, -1))})
