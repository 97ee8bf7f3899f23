local found = {}
for _, gate in ipairs(call('SMEMBERS', key('gates'))) do
    if call('EXISTS', key('held', gate)) == 1 then
        found[#found + 1] = gate
    else
        call('SREM', key('gates'), gate)
    end
end
return packed(found)
