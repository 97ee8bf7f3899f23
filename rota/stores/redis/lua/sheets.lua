-- Return all sums, or measures, of these periods: for each its start, then fields and values.
local parts = {}
for i, start in ipairs(request.starts) do
    parts[i] = array({pack(start), packed(call('HGETALL', key(request.name, request.grain .. ':' .. start)))})
end
return array(parts)
