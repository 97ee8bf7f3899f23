-- uses: progress
local stored = get_progress(request.progress.schedule, request.progress.tenant or '')
local function is_same(one, other)
    for name, value in pairs(one) do
        if other[name] ~= value then
            return false
        end
    end
    return true
end
local is_expected = stored and request.expected and is_same(stored, request.expected)
    and is_same(request.expected, stored)
if not is_expected and (stored or request.expected) then
    return 0
end
put_progress(request.progress)
tell(request.audit)
return 1
