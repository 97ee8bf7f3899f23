-- Of each error: how many tenants it met, whether one of those asked for is among them, and those it met most often.
local parts = {}
for i, error in ipairs(request.errors) do
    local name = key('error-tenants', pair(error[1], error[2]))
    local is_met = #request.tenants == 0
    for _, tenant in ipairs(request.tenants) do
        is_met = is_met or call('ZSCORE', name, tenant) ~= false
    end
    local top = call('ZRANGE', name, 0, request.most - 1, 'WITHSCORES')
    local most = {}
    for j = 1, #top, 2 do
        most[#most + 1] = array({pack(top[j]), pack(-tonumber(top[j + 1]))})
    end
    parts[i] = array({pack(is_met), pack(call('ZCARD', name)), array(most)})
end
return array(parts)
