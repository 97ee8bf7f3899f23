-- uses: records runs line
local keys, is_any = {}, false
for _, of in ipairs(call('SMEMBERS', key('waited'))) do
    if call('EXISTS', key('waiting', of)) == 0 then
        srem(key('waited'), of)
    else
        keys[of], is_any = true, true
    end
end
local n = is_any and unblock(keys, tonumber(request.now)) or 0
finish()
return n
